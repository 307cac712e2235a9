"""What a model is given, made from raw units in a graph: the same in training and
when it serves."""

import math

import tensorflow as tf

#: Sine and cosine of the time of day, and of the time of year.
CALENDAR_FEATURES = 4

_DAY = 86_400
# The mean Gregorian year, so that no leap day makes a jump.
_YEAR = 31_556_952


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


def _angle(seconds: tf.Tensor, period: int) -> tf.Tensor:
    # The remainder is taken of whole numbers: float32 does not hold today's seconds.
    within = tf.math.floormod(tf.cast(seconds, tf.int64), tf.constant(period, tf.int64))
    return tf.cast(within, tf.float32) * (2 * math.pi / period)
