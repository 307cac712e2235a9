"""Names, units and rules of resampling from column headers."""

import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.series.measured_variables import (
    find_variable,
    split_unit,
    variables_of,
)


@pytest.mark.parametrize(
    ("column", "name", "unit"),
    [
        ("T (degC)", "T", "degC"),
        ("rho (g/m**3)", "rho", "g/m**3"),
        ("max. wv [m/s]", "max. wv", "m/s"),
        ("OT", "OT", ""),
        ("SWDR (W/m\ufffd)", "SWDR", "W/m²"),
        ("PAR (\ufffdmol/m\ufffd/s)", "PAR", "µmol/m²/s"),
        ("T (\ufffdC)", "T", "°C"),
    ],
)
def test_name_and_unit(column, name, unit):
    assert split_unit(column) == (name, unit)


@pytest.mark.parametrize(
    ("name", "unit", "rule"),
    [
        ("T", "degC", "mean"),
        ("wd", "deg", "circular"),
        ("wind_direction", "°", "circular"),
        ("rain", "mm", "sum"),
        ("raining", "s", "sum"),
        ("precipitation rate", "mm/h", "mean"),
        ("max. wv", "m/s", "max"),
        ("VPmax", "mbar", "mean"),
        ("wind gust", "m/s", "max"),
        ("T min", "degC", "min"),
        ("SWDR", "W/m²", "mean"),
    ],
)
def test_the_rule_is_guessed(name, unit, rule):
    (variable,) = variables_of([f"{name} ({unit})"])
    assert variable.rule == rule


@pytest.mark.parametrize(
    ("column", "kind", "rule"),
    [
        ("Wind Bearing (degrees)", "direction", "circular"),
        ("wind_direction_10m (°)", "direction", "circular"),
        ("winddirection_10m", "direction", "circular"),
        ("drct", "direction", "circular"),
        ("WindDir9am", "direction", "circular"),
        ("Direction of maximum wind gust", "direction", "circular"),
        ("dd", "direction", "circular"),
        ("precipitation_probability (%)", "percentage", "mean"),
        ("precipitation_probability_max", "percentage", "max"),
        ("rh (%)", "percentage", "mean"),
        ("Humidity3pm", "percentage", "mean"),
        ("specific humidity (g/kg)", "number", "mean"),
        ("ws 10 min avg", "magnitude", "mean"),
        ("WDSP", "magnitude", "mean"),
        ("WindGustSpeed", "magnitude", "max"),
        ("windspeed_10m_max (km/h)", "magnitude", "max"),
        ("snow_depth (m)", "magnitude", "mean"),
        ("precipitation rate (mm/h)", "magnitude", "mean"),
        ("snowfall (cm)", "amount", "sum"),
        ("p01i", "amount", "sum"),
        ("RR1", "amount", "sum"),
        ("Rainfall", "amount", "sum"),
        ("strain", "number", "mean"),
        ("terrain", "number", "mean"),
        ("drain (l)", "number", "mean"),
        ("Hi Temp", "number", "max"),
        ("Low Temp", "number", "min"),
        ("MinTemp", "number", "min"),
        ("10 min temp", "number", "mean"),
        ("cloud_cover_low (%)", "percentage", "mean"),
        ("weather_code (wmo code)", "state", "last"),
        ("Température max", "number", "max"),
    ],
)
def test_kind_and_rule_are_those_of_words_and_not_of_parts_of_words(column, kind, rule):
    (variable,) = variables_of([column])
    assert (variable.kind, variable.rule) == (kind, rule)


@pytest.mark.parametrize(
    ("column", "values", "kind", "bounds"),
    [
        ("rain (mm)", (0, 30), "amount", (0, None)),
        ("rain (mm)", (-1, 30), "number", (None, None)),
        ("w (m/s)", (-3, 3), "number", (None, None)),
        ("rh (%)", (5, 99), "percentage", (0, 100)),
        ("cpu (%)", (5, 250), "percentage", (0, None)),
        ("humidity", (0.2, 0.95), "percentage", (0, 1)),
        ("wd (deg)", (-180, 180), "direction", (None, None)),
        ("wd (deg)", (0, 3600), "number", (None, None)),
        ("T (degC)", (-5, 5), "number", (None, None)),
    ],
)
def test_the_values_have_the_last_word_on_kind_and_bounds(column, values, kind, bounds):
    (variable,) = variables_of([column], ranges={column: values})
    assert (variable.kind, variable.bounds) == (kind, bounds)


def test_kinds_and_bounds_may_be_given():
    variables = variables_of(
        ["T (degC)", "x"],
        kinds={"x": "amount"},
        bounds={"T": (-50, 60)},
        ranges={"x": (-1, 1)},
    )
    assert [each.bounds for each in variables] == [(-50, 60), (0, None)]
    assert (variables[1].kind, variables[1].rule) == ("amount", "sum")
    for key in ("kinds", "bounds"):
        with pytest.raises(UserError, match=f"data.{key}: no column 'q'"):
            variables_of(["x"], **{key: {"q": "amount"}})


def test_a_rule_may_be_given_by_column_or_name():
    variables = variables_of(["T (degC)", "p (mbar)"], {"T": "last", "p (mbar)": "min"})
    assert [variable.rule for variable in variables] == ["last", "min"]
    with pytest.raises(UserError, match="no column 'q'; the columns are T"):
        variables_of(["T (degC)"], {"q": "mean"})


def test_equal_names_keep_their_units():
    variables = variables_of(["T (degC)", "T (K)", "p"])
    assert [variable.name for variable in variables] == ["T (degC)", "T (K)", "p"]


def test_a_variable_is_found_by_column_or_name():
    variables = variables_of(["T (degC)", "p (mbar)"])
    assert find_variable(variables, "p", "--target") == 1
    assert find_variable(variables, "T (degC)", "--target") == 0
    with pytest.raises(UserError, match="--target: no variable 't'; there are T, p"):
        find_variable(variables, "t", "--target")
