"""The report: every section, whatever the data are called and lack."""

import dataclasses
import html
import re

import numpy as np
import pandas
import pytest

from recurra.pipelines.datasets.measured_variables import Variable
from recurra.pipelines.datasets.repairs import Repair
from recurra.pipelines.weather.data_section import DataRecord
from recurra.pipelines.weather.diagnostics import (
    ExampleForecast,
    ForecastSample,
    MissingMap,
    QuantileShares,
    SuccessiveForecasts,
)
from recurra.pipelines.weather.report import write_weather_report
from recurra.pipelines.weather.report_terms import SystemScores

START = np.datetime64("2020-01-01T00:00:00", "s")
HOUR = np.timedelta64(3600, "s")
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
TEMPERATURE = Variable("T (degC)", "T", "degC", "mean")
WIND = Variable("wv (m/s)", "wv", "m/s", "mean")
SCRIPT = "<script>alert(1)</script>"
SYSTEMS = ("model", "repeat_last", "seasonal_naive", "climatology", "ridge")
SEASONS = ("Dec-Feb", "Mar-May", "Jun-Aug", "Sep-Nov")

pytestmark = pytest.mark.filterwarnings("error")


def _scores(targets, leads, mae):
    values = {"mae": mae, "rmse": 1.3 * mae, "bias": -0.1, "mase": 0.8, "crps": mae / 2}
    values |= {"mae_standardised": mae / 5, "mse_standardised": mae / 20}
    values |= {"coverage_80": 0.79, "width_80": 4.0}
    return SystemScores(
        overall=values,
        by_lead={key: [value] * len(leads) for key, value in values.items()},
        by_variable={target.name: values for target in targets},
        by_season={season: values for season in SEASONS},
        by_hour={str(hour): values for hour in range(24)},
    )


def _arguments(targets=(TEMPERATURE,), leads=range(1, 13), levels=LEVELS):
    """Daily waves with noise; the forecasts are the truth with more noise."""
    generator = np.random.default_rng(0)
    number, horizon, lead = len(targets), len(leads), max(leads)
    times = START + np.arange(1000) * HOUR
    waves = np.sin(2 * np.pi * np.arange(1000) / 24)[:, None]
    truth = 10 + 5 * waves + generator.normal(size=(1000, number))
    point = truth + generator.normal(size=truth.shape)
    quantiles = None
    if levels:
        quantiles = point[..., None] + np.linspace(-1.5, 1.5, len(levels))
    examples = [
        ExampleForecast(
            "Wien",
            times[origin - 29 : origin + 1],
            truth[origin - 29 : origin + 1],
            times[(ahead := origin + np.array(leads))],
            truth[ahead],
            point[ahead],
            None if quantiles is None else quantiles[ahead],
        )
        for origin in (100, 500)
    ]
    shares = QuantileShares(levels, np.array(levels), 0.1 + 0.8 * np.array(levels))
    missing = np.zeros((20, number))
    missing[3:5, 0] = 0.25
    return {
        "data": "stations.csv",
        "split": "test",
        "targets": targets,
        "step_seconds": 3600,
        "leads": list(leads),
        "quantiles": levels,
        "forecasts": 1234,
        "scores": {
            name: _scores(targets, leads, mae)
            for name, mae in zip(SYSTEMS, (1.227, 3.0, 2.5, 4.0, 1.446), strict=True)
        },
        "examples": examples if horizon > 1 else [],
        "successive": SuccessiveForecasts("Wien", lead, times, truth, point, quantiles),
        "sample": ForecastSample(truth[30:], point[30:], truth[: 1000 - 30]),
        "shares": shares if levels else None,
        "record": DataRecord(
            targets,
            [
                MissingMap(
                    "Wien",
                    START + np.arange(21) * 50 * HOUR,
                    missing,
                    {
                        "train": START,
                        "validation": START + 700 * HOUR,
                        "test": START + 800 * HOUR,
                    },
                )
            ],
            [Repair("gap", "Wien", 3, "left missing", ("2020-01-07", "2020-01-09"))],
            ["stations.csv, line 7: 3 cells"],
            {"train": 690, "validation": 90, "test": 1234},
            {"train": 5},
        ),
        "facts": {"rows": 26_106, "station": {"name": "Wien"}},
        "configuration": {"seed": 0, "model": {"units": 64}},
        "history": pandas.DataFrame(
            {
                "epoch": [1, 2, 3],
                "seconds": [10.0, 9.0, 8.0],
                **{
                    f"{part}{name}": [3.0, 1.0, 2.0]
                    for part in ("", "val_")
                    for name in ("loss", "mae")
                },
            }
        ),
    }


def _brief(*targets):
    """The same with hardly a figure, for tests of what is told in words."""
    arguments = _arguments(targets or (TEMPERATURE,))
    scores = {
        name: dataclasses.replace(each, by_lead={}, by_season={}, by_hour={})
        for name, each in arguments["scores"].items()
    }
    nothing = ForecastSample(*np.full((3, 5, len(arguments["targets"])), np.nan))
    record = dataclasses.replace(arguments["record"], missing=[])
    arguments |= {"scores": scores, "sample": nothing, "record": record}
    return arguments | {
        "examples": [],
        "successive": None,
        "shares": None,
        "history": None,
    }


def _write(directory, **arguments):
    write_weather_report(directory, **arguments)
    page = (directory / "report.html").read_text(encoding="utf-8")
    return page.replace("\N{NO-BREAK SPACE}", " ")


def _headings(page):
    return re.findall("<h2 .*?>(.*?)</h2>", page)


def _figures(directory):
    return {path.stem for path in (directory / "figures").iterdir()}


def _rows(page, caption):
    """The cells of the table with this caption, row by row."""
    body = page.split(f"<caption>{caption}</caption>")[1].split("</table>")[0]
    rows = re.findall(r"<tr.*?>(.*?)</tr>", body, re.DOTALL)
    cells = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [
        [html.unescape(re.sub("<.*?>", "", cell)).strip() for cell in row]
        for row in cells
    ]


def test_report_has_each_part(tmp_path):
    page = _write(tmp_path, **_arguments())

    assert _headings(page) == [
        "Results",
        "By lead time",
        "By season and hour of day",
        "Example forecasts",
        "Intervals",
        "Errors one by one",
        "Not the last value, delayed?",
        "Training",
        "Data",
        "Configuration",
    ]
    assert _figures(tmp_path) == {
        "error_by_lead",
        "error_by_season",
        "error_by_hour",
        "example_1",
        "example_2",
        "successive_forecasts",
        "coverage",
        "coverage_by_lead",
        "errors_1",
        "error_sizes_1",
        "changes_1",
        "fit_by_shift",
        "learning_curve_loss",
        "learning_curve_mae",
        "missing_1",
    }
    for told in (
        "Ridge on lags and calendar",
        "MAE (°C)",
        "Wien, from 2020-01-05 04:00",
        "each forecast 12 h ahead",
        "3 epochs in 27 seconds, 9.0 seconds each",
        "3 in all: training from 3 to 2; validation from 3 to 2.",
        "left missing",
        "2020-01-07; 2020-01-09",
        "stations.csv, line 7: 3 cells",
        "station.name",
        "model.units",
    ):
        assert told in page
    assert all(text for text in re.findall('alt="(.*?)"', page))
    assert _rows(page, "Windows by split")[1:] == [
        ["train", "690", "5"],
        ["validation", "90", "0"],
        ["test", "1,234", "0"],
    ]
    assert _rows(page, "Share of missing values")[1:] == [["T (°C)", "2.50 %"]]
    assert _rows(page, "Central intervals: truths inside")[1:] == [
        ["80 %", "64.0 %", "80.0 %", "4.00 °C"],
        ["50 %", "40.0 %", "50.0 %", "–"],
    ]


def test_summary_compares_with_the_best_baseline(tmp_path):
    page = _write(tmp_path, **_brief())
    assert (
        "On 1,234 forecasts (test of stations.csv) the mean absolute error is 1.23 °C; "
        "the best baseline, ridge on lags and calendar, has 1.45: 15.1 % less."
    ) in page


def test_summary_says_where_the_model_is_worse_and_how_sure_it_is(tmp_path):
    arguments = _brief()
    scores = arguments["scores"]
    scores["model"] = dataclasses.replace(
        scores["model"],
        overall={**scores["model"].overall, "mae": 2.892},
        intervals={"mae": (2.7, 3.1)},
    )
    page = _write(tmp_path, **arguments)
    assert "is 2.89 °C (95 % interval 2.70 to 3.10); " in page
    assert "has 1.45: 100.0 % more." in page


def test_different_units_are_put_together_standardised(tmp_path):
    page = _write(tmp_path, **_brief(TEMPERATURE, WIND))
    assert "the standardised mean absolute error is 0.245; the best" in page
    assert "By variable" in _headings(page)
    assert _rows(page, "Model and baselines")[0] == [
        "System",
        "MAE (standardised) ↓",
        "MSE (standardised) ↓",
        "MASE ↓",
    ]
    rows = _rows(page, "The model, each variable in its unit")
    assert [row[0] for row in rows[1:]] == ["T (°C)", "wv (m/s)"]
    assert rows[1][1:6] == ["1.227", "1.595", "-0.100", "0.800", "79.0 %"]
    assert rows[1][-1] == "-15.1 %"


def test_targets_of_one_unit_keep_it(tmp_path):
    dew_point = Variable("Tdew (degC)", "Tdew", "degC", "mean")
    page = _write(tmp_path, **_brief(TEMPERATURE, dew_point))
    assert "the mean absolute error is 1.23 °C; the best" in page


def test_many_targets_are_drawn_in_part_and_listed_whole(tmp_path):
    targets = [Variable(f"v{i} (K)", f"v{i}", "K", "mean") for i in range(21)]
    page = _write(tmp_path, **_arguments(targets))
    assert {"errors_4", "changes_4"} <= _figures(tmp_path)
    assert not {"errors_5", "changes_5", "example_3"} & _figures(tmp_path)
    for caption in (
        "The model, each variable in its unit",
        "Correlations by variable",
        "Share of missing values",
    ):
        assert [row[0] for row in _rows(page, caption)[1:]] == [
            f"v{i} (K)" for i in range(21)
        ]


def test_without_quantiles(tmp_path):
    page = _write(tmp_path, **_arguments(levels=()))
    assert "Intervals" not in _headings(page)
    assert not {"coverage", "coverage_by_lead"} & _figures(tmp_path)


def test_one_lead_shows_a_stretch_instead_of_examples(tmp_path):
    page = _write(tmp_path, **_arguments(leads=[24]))
    assert "All forecasts are for 24 h ahead" in page
    assert "successive_forecasts" in _figures(tmp_path)
    assert not {"example_1", "error_by_lead", "coverage_by_lead"} & _figures(tmp_path)


def test_names_are_shown_as_text(tmp_path):
    targets = (
        Variable("a", f"{SCRIPT} $x$ & $", "$y_$", "mean"),
        Variable("b", "气温\n的", "°", "mean"),
        Variable("c", "a name of more letters than a figure has room for", "", "mean"),
    )
    arguments = _arguments(targets)
    arguments["data"] = f"{SCRIPT}.csv"
    arguments["configuration"] = {SCRIPT: SCRIPT}
    arguments["facts"] = {SCRIPT: SCRIPT}
    arguments["scores"][SCRIPT] = arguments["scores"]["ridge"]
    for examples in arguments["examples"], arguments["record"].missing:
        examples[0] = dataclasses.replace(examples[0], station=SCRIPT)
    arguments["successive"] = dataclasses.replace(
        arguments["successive"], station=SCRIPT
    )
    page = _write(tmp_path, **arguments)
    assert "<script" not in page
    assert html.escape(SCRIPT) in page
    for target in targets:
        assert html.escape(target.name) in page


def test_what_was_not_counted_leaves_its_cell_empty(tmp_path):
    arguments = _arguments((TEMPERATURE, WIND))
    arguments |= {"examples": [], "successive": None, "shares": None, "history": None}
    nothing = dict.fromkeys(arguments["scores"]["model"].overall)
    empty = SystemScores(
        overall=nothing,
        by_lead={key: [None] * 12 for key in nothing},
        by_variable={"T": nothing},
        by_season={"Dec-Feb": nothing},
        by_hour={"0": nothing},
    )
    arguments["scores"]["climatology"] = empty
    page = _write(tmp_path, **arguments)
    assert ["Climatology", "–", "–", "–"] in _rows(page, "Model and baselines")
    assert "<td>None" not in page
    assert "nan" not in re.sub('src=".*?"', "", page).lower().replace("seasonal na", "")

    arguments = _brief(TEMPERATURE, WIND) | {"scores": {"model": empty}}
    page = _write(tmp_path / "none", **arguments)
    assert "no truth is there that they could be judged by." in page


def test_a_bare_run_has_a_report(tmp_path):
    arguments = _brief()
    arguments["scores"] = {"model": SystemScores({"mae": 1.0})}
    arguments |= {"record": DataRecord((TEMPERATURE,), []), "facts": {}}
    page = _write(tmp_path, **arguments)
    assert "the mean absolute error is 1.00 °C." in page
    assert "Nothing had to be repaired" in page
    assert _headings(page) == [
        "Results",
        "Errors one by one",
        "Not the last value, delayed?",
        "Data",
        "Configuration",
    ]


@pytest.mark.parametrize(
    ("delay", "told"),
    [
        (0, "fit the truth best where they are"),
        (5, "moved earlier by 5 h"),
        (12, "so late is the last value repeated"),
        (-3, "moved later by 3 h"),
    ],
)
def test_late_forecasts_are_told(tmp_path, delay, told):
    series = np.random.default_rng(1).normal(size=(1000, 1)).cumsum(axis=0)
    late = np.roll(series, delay, axis=0)
    times = START + np.arange(1000) * HOUR
    successive = SuccessiveForecasts("Wien", 12, times, series, late)
    assert told in _write(tmp_path, **_brief() | {"successive": successive})


def test_the_last_value_repeated_foresees_no_change(tmp_path):
    sample = _arguments()["sample"]
    sample = dataclasses.replace(sample, point=sample.last_value)
    page = _write(tmp_path, **_brief() | {"sample": sample})
    assert "no change was forecast" in page


def test_missing_values_may_be_anywhere(tmp_path):
    arguments = _arguments()
    arguments["successive"].truth[50:80] = np.nan
    arguments["sample"].truth[::3] = np.nan
    arguments["sample"].last_value[::5] = np.nan
    for example in arguments["examples"]:
        example.truth[:] = np.nan
        example.history[-3:] = np.nan
    page = _write(tmp_path, **arguments)
    assert "T nothing measured" in page


def test_of_many_stations_those_that_lack_most_are_drawn(tmp_path):
    record = _arguments()["record"]
    stations = [
        dataclasses.replace(
            record.missing[0], station=f"s{i}", shares=np.full((20, 1), i / 10)
        )
        for i in range(6)
    ]
    record = dataclasses.replace(record, missing=stations)
    page = _write(tmp_path, **_brief() | {"record": record})
    assert "Missing values: s5" in page
    assert "Missing values: s1" not in page
    assert "Drawn are the 4 stations of 6 that lack most." in page
    (row,) = _rows(page, "Share of missing values")[1:]
    assert row[0] == "T (°C)"
    assert row[1].split() == ["25.00", "%", "at", "most", "50.00", "%", "at", "s5"]
