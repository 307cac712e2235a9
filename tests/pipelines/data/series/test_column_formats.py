"""How the words of columns become numbers: decided by all of a column, and said."""

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.series.time_series import load_time_series

NAN = np.nan


@pytest.fixture
def load(tmp_path):
    """A function of columns of words: the series, hourly, written with semicolons."""

    def load_columns(columns, name="a.csv", **options):
        rows = len(next(iter(columns.values())))
        times = pd.date_range("2020-01-01", periods=rows, freq="h").astype(str)
        frame = pd.DataFrame({"time": times, **columns})
        path = tmp_path / name
        frame.to_csv(path, index=False, sep=";", quoting=3)
        return load_time_series(str(path), **options)

    return load_columns


def column(series, number=0):
    return series.stations[0].values[:, number].tolist()


def finding(series, key):
    return next(each for each in series.reading_plan.findings if each.key == key)


def repairs(series):
    return {repair.words: repair.count for repair in series.repairs}


def test_integers_that_go_on_in_thousands(load):
    series = load({"load": ["998", "999", "1,000", "1,001"]})
    assert column(series) == [998, 999, 1000, 1001]
    assert repairs(series) == {"groups of digits in load": 2}
    assert not series.reading_plan.warnings
    decided = finding(series, "decimal")
    assert decided.evidence == "integers go on in groups of three in load"
    assert decided.alternative == 'data.decimal: ",", for load'
    points = load({"load": ["998", "999", "1.000", "1.001", "1.002"]})
    assert column(points) == [998, 999, 1000, 1001, 1002]


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        (["1,234,567", "1,234"], [1234567, 1234]),
        (["1.234.567", "1.234"], [1234567, 1234]),
        (["1.234,5", "1.234"], [1234.5, 1234]),
        (["1,234.5", "1,234"], [1234.5, 1234]),
        (["0,125", "1,234"], [0.125, 1.234]),
        (["0.125", "1.234"], [0.125, 1.234]),
        (["3,5", "1,234"], [3.5, 1.234]),
        (["12,34,567", "1,234"], [1234567, 1234]),
        (["1 234", "12 345,5"], [1234, 12345.5]),
        (["1\u2009234", "1\u202f234,5"], [1234, 1234.5]),
        (["1\u00a0234.5", "7"], [1234.5, 7]),
        (["1'234", "1\u2019234.5"], [1234, 1234.5]),
        (["1_234", "7"], [1234, 7]),
        (["\u22125", "-5", "+5"], [-5, -5, 5]),
        (["1e3", "2,5e1"], [1000, 25]),
        (["-1,234", "-0,5"], [-1.234, -0.5]),
        ([".5", ",5"], [0.5, 0.5]),
    ],
)
def test_numbers_in_every_usual_form(load, words, numbers):
    assert column(load({"x": words})) == [np.float32(number) for number in numbers]


def test_groups_of_other_than_three_digits_are_no_number(load):
    words = ["1,23,4", "12 34", "1,2345,678", *["1"] * 97]
    series = load({"x": words})
    assert column(series)[:3] == pytest.approx([NAN] * 3, nan_ok=True)
    assert repairs(series)["text among numbers in x"] == 3


def test_what_a_column_does_not_tell_the_others_do(load):
    open_words = ["1,234", "2,345"]
    german = load({"x": open_words, "T": ["3,5", "4,5"]})
    assert column(german, 0) == [np.float32(1.234), np.float32(2.345)]
    english = load({"x": open_words, "T": ["3.5", "4.5"]})
    assert column(english, 0) == [1234, 2345]
    assert finding(english, "decimal").value == "."
    assert finding(english, "decimal").evidence == "the values of T"
    points = load({"x": ["1.013", "1.012"], "T": ["3,5", "4,5"]})
    assert column(points, 0) == [1013, 1012]


def test_what_nothing_tells_is_a_warning_with_its_key(load):
    series = load({"x": ["1,234", "2,345"]})
    (line,) = series.reading_plan.warnings
    assert "'1,234' in x is read with a decimal comma" in line
    assert "data.decimal chooses" in line
    chosen = load({"x": ["1,234", "2,345"]}, decimal=".")
    assert column(chosen) == [1234, 2345]
    assert not chosen.reading_plan.warnings
    points = load({"x": ["328.513", "790.827"]})
    assert "decimal point, and may have one between" in points.reading_plan.warnings[0]
    by_column = load({"x": ["1,234"] * 2, "y": ["1,234"] * 2}, decimal={"y": "."})
    assert column(by_column, 1) == [1234, 1234]


def test_training_decides_for_a_later_file(load):
    trained = load({"x": ["3,5", "1,234"]})
    later = load({"x": ["1,234", "2,345"]}, "later.csv", kept=trained.reading_plan)
    assert column(later) == [np.float32(1.234), np.float32(2.345)]
    assert not later.reading_plan.warnings
    other = load({"x": ["1,234.5", "2,345"]}, "other.csv", kept=trained.reading_plan)
    assert column(other) == [1234.5, 2345]
    line, _ = other.reading_plan.warnings
    assert "data.decimal is '.' here" in line and "',' in training" in line


@pytest.mark.parametrize(
    "word", ["M", "m", "NA", "--", "---", "***", "///", "unavailable", "#DIV/0!", "?"]
)
def test_words_for_a_missing_value(load, word):
    series = load({"T": [word, "1.5", word, "2.5"]})
    assert column(series) == pytest.approx([NAN, 1.5, NAN, 2.5], nan_ok=True)


def test_a_trace_of_precipitation_is_0_and_of_others_text(load):
    words = ["T", "0.5", "M", "1.0"]
    series = load({"p01i": words, "prcp": words, "Total Precip (mm)": words})
    for number in range(3):
        assert column(series, number) == pytest.approx([0, 0.5, NAN, 1], nan_ok=True)
    assert repairs(series)["trace of precipitation in p01i"] == 1
    with pytest.raises(UserError, match=r"'T'.*name it by data\.missing_words"):
        load({"tmpf": words})


def test_other_words_are_named(load):
    words = ["lost", "0.5", "lost", "1.0"]
    series = load({"T": words}, missing_words=["Lost"])
    assert column(series) == pytest.approx([NAN, 0.5, NAN, 1], nan_ok=True)
    later = load({"T": words}, "later.csv", kept=series.reading_plan)
    assert column(later) == pytest.approx([NAN, 0.5, NAN, 1], nan_ok=True)


def test_units_behind_the_numbers(load):
    series = load({"T": ["12.3 °C", "-4.0 °C", "n/a"], "rh": ["45%", "50%", "55%"]})
    assert column(series, 0) == pytest.approx([np.float32(12.3), -4, NAN], nan_ok=True)
    assert column(series, 1) == [45, 50, 55]
    assert [variable.unit for variable in series.variables] == ["°C", "%"]
    assert [variable.kind for variable in series.variables] == ["number", "percentage"]
    with pytest.raises(UserError, match="no column of numbers"):
        load({"seat": ["12A", "3B", "4C"]})


@pytest.mark.parametrize(
    ("words", "degrees"),
    [
        (["N", "NNE", "E", "SW"], [0, 22.5, 90, 225]),
        (["n", "Calm", "VRB", "w"], [0, NAN, NAN, 270]),
        (["North", "South-West", "East", "NW"], [0, 225, 90, 315]),
        (["N", "NO", "O", "W"], [0, 45, 90, 270]),
        (["N", "NO", "O", "E"], [0, 315, 270, 90]),
    ],
)
def test_points_of_the_compass_are_directions(load, words, degrees):
    series = load({"wind dir": words, "T": ["1"] * 4})
    assert column(series) == pytest.approx(degrees, nan_ok=True)
    assert series.variables[0].kind == "direction"
    assert series.variables[0].rule == "circular"


def test_four_points_say_direction_where_the_name_does_not(load):
    series = load({"DF": ["N", "E", "S", "W"], "T": ["1"] * 4})
    assert column(series) == [0, 90, 180, 270]
    assert (series.variables[0].kind, series.variables[0].unit) == ("direction", "deg")
    sides = load({"side": ["E", "W", "E", "W"], "T": ["1"] * 4})
    assert [variable.name for variable in sides.variables] == ["T"]


def test_directions_beyond_a_turn_are_none(load):
    words = [str(10 * number) for number in range(36)] + ["990", "VRB"]
    series = load({"drct": words})
    assert np.isnan(column(series)[-2:]).all()
    assert repairs(series)["no direction in drct"] == 1
    counted = load({"dir": ["1000", "2000", "3000"]})
    assert counted.variables[0].kind == "number"


def test_sentinels_by_column(load):
    words = ["99.9", "-9999", "5"]
    series = load({"T": words, "p": words}, sentinels={"T": [99.9]})
    assert column(series, 0) == pytest.approx([NAN, -9999, 5], nan_ok=True)
    assert column(series, 1) == pytest.approx([np.float32(99.9), NAN, 5], nan_ok=True)


@pytest.mark.parametrize("sentinel", ["999.9", "-200", "32767", "-99", "9999"])
def test_what_looks_like_a_sentinel_is_a_warning(load, sentinel):
    words = [str(number / 10) for number in range(100)]
    series = load({"T": words, "p": [*words[:90], *[sentinel] * 10]})
    (line,) = series.reading_plan.warnings
    assert f"{float(sentinel):g} in p may stand for missing values" in line
    assert f'''data.sentinels="{{'p': [{float(sentinel):g}]}}"''' in line


def test_a_usual_sentinel_among_other_values_is_a_warning(load):
    words = [str(-1500 + 10 * hour) for hour in range(70)] + ["-999"]
    series = load({"T": words})
    [line] = series.reading_plan.warnings
    assert "-999 in T is made missing 1 times" in line and "data.sentinels=[]" in line
    assert np.isnan(series.stations[0].values[-1, 0])
    kept = load({"T": words}, sentinels=[])
    assert kept.stations[0].values[-1, 0] == -999
    assert not kept.reading_plan.warnings
    # One sentinel is no value that another lies among.
    both = load({"T": ["-9999", "-999", *map(str, range(50))]})
    assert not both.reading_plan.warnings


def test_extremes_of_their_own_are_no_sentinels(load):
    rain = ["0"] * 80 + [str(number) for number in range(20)]
    series = load({"rain": rain, "on": ["0", "1"] * 50, "far": ["1"] * 99 + ["9"]})
    assert not series.reading_plan.warnings


def test_a_column_without_a_value_is_left_out_and_a_constant_one_is_kept(load):
    series = load({"a": ["", "NA", ""], "b": ["5", "5", "5"]})
    assert [variable.name for variable in series.variables] == ["b"]
    columns = {each.column: each for each in series.reading_plan.columns}
    assert columns["a"].role == "ignored"
    assert columns["a"].evidence == "no value in it"
    assert columns["b"].evidence == "numbers; 5 throughout"
    needed = load({"a": ["", "NA", ""], "b": ["5", "5", "5"]}, needed=["a"])
    assert [variable.name for variable in needed.variables] == ["a", "b"]


def test_a_counter_beyond_float32_loses_no_step(load):
    counts = [123456789 + number for number in range(30)]
    series = load({"energy": [str(count) for count in counts], "T": ["1.5"] * 30})
    assert column(series) == counts
    coarse = load({"energy": [str(count) for count in counts]}, step="2h")
    assert column(coarse)[1:3] == [123456790.5, 123456792.5]
    assert load({"T": ["1.5", "2.5"]}).stations[0].values.dtype == np.float32


def test_an_amount_that_only_rises_is_told_to_be_a_counter(load):
    series = load({"rain_total (mm)": [str(number // 2) for number in range(60)]})
    (line,) = series.reading_plan.warnings
    assert "rain_total (mm) only rises" in line
    assert """data.kinds="{'rain_total': state}" takes its last value""" in line
    falling = load({"rain (mm)": [str(number % 7) for number in range(60)]})
    assert not falling.reading_plan.warnings


def test_text_is_still_text(load):
    series = load({"T": ["1", "2"], "note": ["fine", "wet, 1,000 drops"]})
    columns = {each.column: each for each in series.reading_plan.columns}
    assert columns["note"].role == "ignored"
    assert columns["note"].evidence == "text such as 'fine'"
