"""What a model is given, against plain computations."""

import datetime

import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.weather.model_inputs import (
    history_inputs,
    known_inputs,
    seconds_of,
)

NAN = np.nan


def test_a_missing_value_is_the_last_before_it_and_is_marked():
    raw = np.array([[[NAN, 1], [3, NAN], [NAN, NAN], [NAN, np.inf], [7, 5]]], "float32")
    features = history_inputs(raw, np.float32([1, 1]), np.float32([2, 4]))
    np.testing.assert_allclose(
        features["history"][0], [[0, 0], [1, 0], [1, 0], [1, 0], [3, 1]]
    )
    np.testing.assert_array_equal(
        features["observed"][0], [[0, 1], [1, 0], [0, 0], [0, 0], [1, 1]]
    )


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 37])
def test_a_long_gap_is_filled_whole(steps):
    raw = np.full((2, steps, 1), NAN, "float32")
    raw[0, 0] = 4.0
    features = history_inputs(raw, np.float32([0]), np.float32([1]))
    np.testing.assert_array_equal(features["history"][0], np.full((steps, 1), 4.0))
    np.testing.assert_array_equal(features["history"][1], np.zeros((steps, 1)))


def test_filling_looks_back_alone():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(1, 30, 2)).astype("float32")
    raw[rng.random(raw.shape) < 0.4] = NAN
    whole = history_inputs(raw, np.zeros(2, "float32"), np.ones(2, "float32"))
    for length in range(1, 30):
        part = history_inputs(
            raw[:, :length], np.zeros(2, "float32"), np.ones(2, "float32")
        )
        np.testing.assert_array_equal(part["history"], whole["history"][:, :length])


def test_known_inputs_are_calendar_values_and_mask():
    seconds = tf.constant([[0, 6 * 3600]], tf.int64)
    values = np.array([[[4.0], [NAN]]], "float32")
    known = known_inputs(seconds, values, np.float32([2]), np.float32([2])).numpy()
    np.testing.assert_allclose(known[0, :, :2], [[0, 1], [1, 0]], atol=1e-6)
    np.testing.assert_array_equal(known[0, :, 4:], [[1, 1], [0, 0]])
    without = known_inputs(None, values, np.float32([2]), np.float32([2]))
    np.testing.assert_array_equal(without, known[..., 4:])


@pytest.mark.parametrize(
    "text",
    [
        "1969-07-20T20:17:40",
        "1970-01-01",
        "2000-02-29 23:59:59",
        "2016-12-31T23:50",
        "2020-02-29T12:00:00.250",
        "2020-03-01T00:00:00Z",
        "2024-06-30T18:30:00+02:00",
        "2024-06-30T18:30:00-0330",
        "2100-03-01T00:00:00",
    ],
)
def test_iso_times(text):
    time = datetime.datetime.fromisoformat(text)
    if time.tzinfo is None:
        time = time.replace(tzinfo=datetime.UTC)
    assert int(seconds_of(tf.constant([text]))[0]) == int(time.timestamp() // 1)


@pytest.mark.parametrize("text", ["", "yesterday", "2020-13-01", "2020-01-01T25:00"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected ISO times"):
        seconds_of(tf.constant(["2020-01-01", text]))
