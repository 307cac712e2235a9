"""What a model is given, made from raw units in a graph: the same in training and
when it serves."""

import math

import tensorflow as tf

#: Sine and cosine of the time of day, and of the time of year.
CALENDAR_FEATURES = 4

# Groups: year, month, day, hour, minute, second; of the offset sign, hours, minutes.
_ISO_TIME = (
    r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"(?:[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.\d*)?)?"
    r"(?:Z|([+-])(\d{2}):?(\d{2}))?)?"
)
_DAY = 86_400
# The mean Gregorian year, so that no leap day makes a jump.
_YEAR = 31_556_952


def history_inputs(
    values: tf.Tensor, mean: tf.Tensor, scale: tf.Tensor
) -> dict[str, tf.Tensor]:
    """What a model is given of a history.

    Args:
        values: raw, ``float32[..., steps, variables]``; NaN and infinity are missing.
        mean: ``float32[variables]``.
        scale: ``float32[variables]``.

    Returns:
        ``history``, standardised, the last value before it where one is missing and 0
        before the first, and ``observed``, 1 where there is a value and 0 where not.
    """
    history, observed = standardised(values, mean, scale)
    return {"history": _filled_forward(history, observed), "observed": observed}


def standardised(
    values: tf.Tensor, mean: tf.Tensor, scale: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Standardised values, 0 where missing, and 1 where there is one, 0 where not.

    Args:
        values: raw, ``float32[..., variables]``; NaN and infinity are missing.
        mean: ``float32[variables]``.
        scale: ``float32[variables]``.
    """
    is_there = tf.math.is_finite(values)
    # Before the arithmetic, since NaN would come through a gradient's multiplication.
    safe = tf.where(is_there, values, mean)
    return (safe - mean) / scale, tf.cast(is_there, values.dtype)


def calendar_features(seconds: tf.Tensor) -> tf.Tensor:
    """Sine and cosine of the time of day and of the time of year.

    Args:
        seconds: since 1970-01-01, ``int64[...]``.

    Returns:
        ``float32[..., 4]``.
    """
    day = _angle(seconds, _DAY)
    year = _angle(seconds, _YEAR)
    return tf.stack([tf.sin(day), tf.cos(day), tf.sin(year), tf.cos(year)], axis=-1)


def known_inputs(
    seconds: tf.Tensor | None,
    values: tf.Tensor | None,
    mean: tf.Tensor,
    scale: tf.Tensor,
) -> tf.Tensor:
    """What is known ahead: the calendar, the values of known variables, their mask.

    Args:
        seconds: since 1970-01-01, ``int64[..., steps]``; None for no calendar.
        values: raw, ``float32[..., steps, known]``; None where there are none.
        mean: ``float32[known]``.
        scale: ``float32[known]``.
    """
    parts = [] if seconds is None else [calendar_features(seconds)]
    if values is not None:
        parts += standardised(values, mean, scale)
    return tf.concat(parts, axis=-1)


def seconds_of(times: tf.Tensor) -> tf.Tensor:
    """Seconds since 1970-01-01 of ISO 8601 times, ``int64[...]``.

    Read are ``2016-12-31``, ``2016-12-31T23:50`` and ``2016-12-31 23:50:00``, also with
    decimals, which are dropped, and with ``Z`` or an offset such as ``+01:00``.

    Args:
        times: ``string[...]``.

    Raises:
        InvalidArgumentError: one is no such time.
    """
    times = tf.strings.strip(times)
    is_time = tf.strings.regex_full_match(times, _ISO_TIME)
    with tf.control_dependencies(
        [
            tf.debugging.Assert(
                tf.reduce_all(is_time),
                ["expected ISO times such as 2016-12-31T23:50:00; received", times],
            )
        ]
    ):
        times = tf.identity(times)

    def part(group: int) -> tf.Tensor:
        text = tf.strings.regex_replace(times, _ISO_TIME, rf"\{group}")
        # What may be left out, time of day and offset, is 0 then.
        return tf.strings.to_number(tf.where(text == "", "0", text), tf.int64)

    days = _days_since_1970(part(1), part(2), part(3))
    seconds = ((days * 24 + part(4)) * 60 + part(5)) * 60 + part(6)
    is_west = tf.strings.regex_replace(times, _ISO_TIME, r"\7") == "-"
    ahead = (part(8) * 60 + part(9)) * 60
    return seconds - tf.where(is_west, -ahead, ahead)


def _filled_forward(values: tf.Tensor, observed: tf.Tensor) -> tf.Tensor:
    """The last value that was there, at each step; 0 before the first."""
    steps = values.shape[-2]
    is_there = observed > 0
    reach = 1
    # Each round looks back twice as far as the one before.
    while reach < steps:
        values = tf.where(is_there, values, _delayed(values, reach))
        is_there |= _delayed(is_there, reach)
        reach *= 2
    return values


def _delayed(series: tf.Tensor, steps: int) -> tf.Tensor:
    """Later by so many steps; 0, or false, where nothing was before."""
    before = tf.zeros_like(series[..., :steps, :])
    return tf.concat([before, series[..., :-steps, :]], axis=-2)


def _days_since_1970(year: tf.Tensor, month: tf.Tensor, day: tf.Tensor) -> tf.Tensor:
    """Of the Gregorian calendar; years begin in March, so a leap day ends one."""
    year -= tf.cast(month <= 2, tf.int64)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return 365 * year + year // 4 - year // 100 + year // 400 + day_of_year - 719_468


def _angle(seconds: tf.Tensor, period: int) -> tf.Tensor:
    # The remainder is taken of whole numbers: float32 does not hold today's seconds.
    within = tf.math.floormod(tf.cast(seconds, tf.int64), tf.constant(period, tf.int64))
    return tf.cast(within, tf.float32) * (2 * math.pi / period)
