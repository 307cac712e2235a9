"""Names, units and rules of resampling from column headers."""

import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.series.measured_variables import (
    find_variable,
    guess_rule,
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
    assert guess_rule(name, unit) == rule


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
