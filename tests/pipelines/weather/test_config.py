"""The data section: its defaults fit, and what does not is an error."""

import pydantic
import pytest

from recurra.pipelines.weather.config import (
    ModelConfig,
    SplitConfig,
    WeatherDataConfig,
)


def test_the_defaults_are_valid():
    section = WeatherDataConfig()
    assert WeatherDataConfig.model_validate(section.model_dump()) == section


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"train": 0.9}, "must add up to 1; received 1.2"),
        ({"test_from": "2020-01-01"}, "given together"),
        ({"rest": "train"}, "'validation' or 'test'"),
    ],
)
def test_a_split_that_does_not_fit(values, said):
    with pytest.raises(pydantic.ValidationError, match=said):
        SplitConfig.model_validate(values)


@pytest.mark.parametrize(
    "values", [{"resample": {"T": "median"}}, {"horizon": 0}, {"windows": 3}]
)
def test_values_that_do_not_fit(values):
    with pytest.raises(pydantic.ValidationError):
        WeatherDataConfig.model_validate(values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"zoneout_cell": 0.1}, "a gru cell has no cell state"),
        ({"kind": "segments", "depth": 2}, "one recurrent layer"),
        ({"context_units": 8}, "a direct model reads all variables"),
    ],
)
def test_a_model_that_does_not_fit(values, said):
    with pytest.raises(pydantic.ValidationError, match=said):
        ModelConfig.model_validate(values)
