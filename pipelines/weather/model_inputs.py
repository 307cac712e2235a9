"""What a model is given, made from raw units in a graph: the same in training and
when it serves."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from .scaling import Scaling

#: Sine and cosine of the time of day, and of the time of year.
CALENDAR_FEATURES = 4
# Waves in a week: three tell every day of it from every other.
_WEEK_WAVES = (1, 2, 3)
#: Sines and cosines of the time of the week.
WEEK_FEATURES = 2 * len(_WEEK_WAVES)

# Groups: year, month, day, hour, minute, second; of the offset sign, hours, minutes.
_ISO_TIME = (
    r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"(?:[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.\d*)?)?"
    r"(?:Z|([+-])(\d{2}):?(\d{2}))?)?"
)
_DAY = 86_400
_WEEK = 7 * _DAY
# The mean Gregorian year, so that no leap day makes a jump.
_YEAR = 31_556_952


def history_inputs(
    values: tf.Tensor,
    mean: np.ndarray,
    scale: np.ndarray,
    directions: Sequence[int] = (),
) -> dict[str, tf.Tensor]:
    """What a model is given of a history.

    Args:
        values: raw, ``float[..., steps, variables]``; NaN and infinity are missing.
        mean: ``float[variables]``.
        scale: ``float[variables]``.
        directions: the numbers of the variables that are directions.

    Returns:
        ``history``, the standardised components of `Scaling`, the last value before it
        where one is missing and 0 before the first, and ``observed``, 1 where there is
        a value of a variable and 0 where not.
    """
    history, there = _standardised_components(values, mean, scale, directions)
    observed = there[..., : values.shape[-1]]
    return {"history": filled_forward(history, there), "observed": observed}


def with_hidden(
    features: dict[str, tf.Tensor],
    fraction: tf.Tensor,
    directions: Sequence[int],
    seed: int,
) -> dict[str, tf.Tensor]:
    """The features of the same windows with some of what was measured left out.

    Args:
        features: as `WindowSource` has them.
        fraction: of what is there in each history, to be left out: ``float32[B]``.
        directions: the numbers of the variables that are directions.
        seed: of which values are left out.
    """
    observed = features["observed"]
    drawn = tf.random.stateless_uniform(tf.shape(observed), (seed, 0))
    observed *= tf.cast(drawn >= fraction[:, tf.newaxis, tf.newaxis], tf.float32)
    there = observed
    if directions:
        also = tf.gather(observed, list(directions), axis=-1)
        there = tf.concat([observed, also], axis=-1)
    history = filled_forward(features["history"] * there, there)
    return features | {"history": history, "observed": observed}


def standardised(
    values: tf.Tensor, mean: tf.Tensor, scale: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Standardised values, 0 where missing, and 1 where there is one, 0 where not.

    Args:
        values: raw, ``float[..., variables]``; NaN and infinity are missing.
        mean: ``float[variables]``.
        scale: ``float[variables]``.

    Returns:
        Both ``float32``; the difference from the mean is taken in the values' own type.
    """
    is_there = tf.math.is_finite(values)
    mean, scale = tf.cast(mean, values.dtype), tf.cast(scale, values.dtype)
    # Before the arithmetic, since NaN would come through a gradient's multiplication.
    safe = tf.where(is_there, values, mean)
    standard = tf.cast((safe - mean) / scale, tf.float32)
    return standard, tf.cast(is_there, tf.float32)


def _standardised_components(
    values: tf.Tensor, mean: np.ndarray, scale: np.ndarray, directions: Sequence[int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Standardised components, see `Scaling`, and whether each is there."""
    if not directions:
        return standardised(values, mean, scale)
    columns = list(directions)
    is_direction = np.isin(np.arange(len(mean)), columns)
    angle = (values - tf.cast(mean, values.dtype)) * (math.pi / 180)
    sines = tf.where(is_direction, tf.sin(angle), values)
    cosines = tf.cos(tf.gather(angle, columns, axis=-1))
    scaling = Scaling(mean, scale, directions=tuple(directions)).of_components()
    joined = tf.concat([sines, cosines], axis=-1)
    return standardised(joined, scaling.mean, scaling.scale)


def calendar_features(seconds: tf.Tensor, week: bool = False) -> tf.Tensor:
    """Sine and cosine of the time of day and of the time of year.

    Args:
        seconds: since 1970-01-01, ``int64[...]``.
        week: whether the waves of the time of week follow.

    Returns:
        ``float32[..., 4]``, or with the week ``float32[..., 10]``.
    """
    day = _angle(seconds, _DAY)
    year = _angle(seconds, _YEAR)
    waves = [tf.sin(day), tf.cos(day), tf.sin(year), tf.cos(year)]
    for number in _WEEK_WAVES if week else ():
        angle = number * _angle(seconds, _WEEK)
        waves += [tf.sin(angle), tf.cos(angle)]
    return tf.stack(waves, axis=-1)


def day_and_hour(features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Day of the year from 0, about, and hour of the day, of calendar features.

    Args:
        features: ``float32[..., 4 or more]``, as `calendar_features` gives them. They
            count years of mean length, so the day may be one beside the calendar's.

    Returns:
        Both ``int32[...]``, days up to 365.
    """
    turns = [
        tf.atan2(features[..., place], features[..., place + 1]) / (2 * math.pi) % 1
        for place in (0, 2)
    ]
    # Sines are rounded, and a full hour is not to fall into the one before.
    hour = tf.cast(turns[0] * 24 + 1e-3, tf.int32) % 24
    return tf.cast(turns[1] * (_YEAR / _DAY), tf.int32), hour


def calendar_width(calendar: bool, week: bool) -> int:
    """The number of features of the calendar."""
    return CALENDAR_FEATURES * calendar + WEEK_FEATURES * (calendar and week)


def known_inputs(
    seconds: tf.Tensor | None,
    values: tf.Tensor | None,
    mean: np.ndarray,
    scale: np.ndarray,
    directions: Sequence[int] = (),
    *,
    week: bool = False,
) -> tf.Tensor:
    """What is known ahead: the calendar, the values of known variables, their mask.

    Args:
        seconds: since 1970-01-01, ``int64[..., steps]``; None for no calendar.
        values: raw, ``float[..., steps, known]``; None where there are none.
        mean: ``float[known]``.
        scale: ``float[known]``.
        directions: the numbers of the known variables that are directions.
        week: whether the calendar holds the time of week.
    """
    parts = [] if seconds is None else [calendar_features(seconds, week)]
    if values is not None:
        known, there = _standardised_components(values, mean, scale, directions)
        parts += [known, there[..., : values.shape[-1]]]
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


def filled_forward(values: tf.Tensor, observed: tf.Tensor) -> tf.Tensor:
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
