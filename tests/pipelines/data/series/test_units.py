"""Units that are converted by name, and those that later files come in."""

import pandas as pd
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.series.time_series import load_time_series
from recurra.pipelines.data.series.units import conversion


@pytest.mark.parametrize(
    ("unit", "to", "value", "converted"),
    [
        ("degF", "degC", 212, 100),
        ("°C", "°F", 100, 212),
        ("K", "degC", 273.15, 0),
        ("km/h", "m/s", 36, 10),
        ("kt", "m/s", 10, 5.14444),
        ("mbar", "Pa", 1013, 101300),
        ("inHg", "hPa", 29.92, 1013.207),
        ("in", "mm", 1, 25.4),
        ("%", "1", 50, 0.5),
        ("kWh", "kWh", 3, 3),
        ("0.1 degC", "degC", 123, 12.3),
        ("0.1 degC", "degF", 100, 50),
        ("10s deg", "deg", 35, 350),
    ],
)
def test_values_in_another_unit(unit, to, value, converted):
    scale, offset = conversion(unit, to, "x")
    assert value * scale + offset == pytest.approx(converted, abs=1e-3)


@pytest.mark.parametrize(("unit", "to"), [("degC", "hPa"), ("mW", "W"), ("", "degC")])
def test_what_cannot_be_converted(unit, to):
    with pytest.raises(UserError, match="data.units: x cannot be converted from"):
        conversion(unit, to, "x")


@pytest.fixture
def load(tmp_path):
    def load_columns(columns, name="a.csv", **options):
        rows = len(next(iter(columns.values())))
        times = pd.date_range("2020-01-01", periods=rows, freq="h")
        path = tmp_path / name
        pd.DataFrame({"time": times, **columns}).to_csv(path, index=False)
        return load_time_series(str(path), **options)

    return load_columns


def values(series):
    return series.stations[0].values[:, 0].tolist()


def test_a_unit_is_asked_for_by_name(load):
    series = load({"temp (degF)": [32, 212]}, units={"temp": "degC"})
    assert values(series) == pytest.approx([0, 100], abs=1e-4)
    assert series.variables[0].unit == "degC"
    bare = load({"tmpf": [32, 212]}, units={"tmpf": "degF to degC"})
    assert values(bare) == pytest.approx([0, 100], abs=1e-4)
    with pytest.raises(UserError, match="tmpf has no unit in the file; name both"):
        load({"tmpf": [32, 212]}, units={"tmpf": "degC"})
    with pytest.raises(UserError, match="data.units: no column 'q'"):
        load({"tmpf": [32, 212]}, units={"q": "degC"})


def test_a_later_file_is_brought_to_the_units_of_training(load):
    trained = load({"T (degC)": [0, 10, 30]}).reading_plan
    later = load({"T (degF)": [32, 50, 86]}, "later.csv", kept=trained)
    assert values(later) == pytest.approx([0, 10, 30], abs=1e-4)
    (line,) = later.reading_plan.warnings
    assert "T is in degF here and is converted to degC" in line
    unknown = load({"T (grad)": [0, 10, 30]}, "unknown.csv", kept=trained)
    assert (
        "T is in grad here and in degC in training" in unknown.reading_plan.warnings[0]
    )
    bare = load({"T": [0, 10, 30]}, "bare.csv", kept=trained)
    assert bare.reading_plan.warnings == []
    assert bare.variables[0].unit == "degC"


def test_tens_of_degrees_are_directions_in_degrees(load):
    series = load({"Wind Dir (10s deg)": [36, 1, 35]})
    assert values(series) == [360, 10, 350]
    assert (series.variables[0].kind, series.variables[0].unit) == ("direction", "deg")


def test_what_was_converted_in_training_is_converted_again(load):
    asked = {"tmpf": "degF to degC"}
    trained = load({"tmpf": [32, 50, 86]}, units=asked).reading_plan
    later = load({"tmpf": [32, 50, 86]}, "later.csv", kept=trained)
    assert values(later) == pytest.approx([0, 10, 30], abs=1e-4)


def test_values_beyond_those_of_training_are_a_line(load):
    trained = load({"p": [1000, 1010, 1020]}).reading_plan
    later = load({"p": [100000, 101000, 1010]}, "later.csv", kept=trained)
    (line,) = later.reading_plan.warnings
    assert "p is 1010 to 101000 here and was 1000 to 1020 in training" in line
    assert "data.units converts it" in line
