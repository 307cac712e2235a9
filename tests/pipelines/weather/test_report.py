"""The report: every section, whatever the data are called and lack."""

import html
import re

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.core.configuration import Config
from recurra.pipelines.core.optional import collect_failures
from recurra.pipelines.data.files.tables import BadRow
from recurra.pipelines.data.series.measured_variables import Variable
from recurra.pipelines.data.series.repairs import Repair, RepairKind
from recurra.pipelines.data.series.time_series import StationSeries, TimeSeries
from recurra.pipelines.reporting.frame import write_report
from recurra.pipelines.reporting.page import Report
from recurra.pipelines.weather.config import WeatherDataConfig
from recurra.pipelines.weather.correction import Correction, TargetRanges
from recurra.pipelines.weather.data import (
    SeriesMetadata,
    WeatherData,
    WindowDataModule,
)
from recurra.pipelines.weather.diagnostics import ForecastSample, SuccessiveForecasts
from recurra.pipelines.weather.evaluation import MODEL, System, score_windows
from recurra.pipelines.weather.metrics import ForecastScores
from recurra.pipelines.weather.report import WeatherResult
from recurra.pipelines.weather.report_delay import add_delay
from recurra.pipelines.weather.report_terms import Terms
from recurra.pipelines.weather.windows import WindowShape

HOURS, HISTORY = 1000, 30
START = np.datetime64("2020-01-01T00:00:00", "s")
HOUR = np.timedelta64(3600, "s")
SPANS = {"train": (0, 600), "validation": (600, 750), "test": (750, HOURS)}
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
TEMPERATURE = Variable("T (degC)", "T", "degC", "mean")
WIND = Variable("wv (m/s)", "wv", "m/s", "mean")
SCRIPT = "<script>alert(1)</script>"
PLACES = ("2020-01-07", "2020-01-09")

pytestmark = pytest.mark.filterwarnings("error")


class Recorder(Report):
    """A report that draws no figure, and keeps what it is given."""

    def __init__(self):
        super().__init__("")
        self.headings, self.texts, self.tables, self.figures = [], [], {}, {}

    def section(self, heading):
        self.headings.append(heading)

    def text(self, *paragraphs):
        self.texts += paragraphs

    def table(self, heading, columns, rows, **options):
        cells = [[getattr(cell, "text", cell) for cell in row] for row in rows]
        self.tables[heading] = [list(columns), *cells]

    def figure(self, heading, figure, caption="", *, name, description):
        self.figures[name] = description


def measured(targets, stations=1, seed=0):
    """Daily waves with noise, float32 `[HOURS, T]` for each station."""
    rng = np.random.default_rng(seed)
    waves = np.sin(2 * np.pi * np.arange(HOURS) / 24)[:, None]
    return [
        (10 + 5 * waves + rng.normal(size=(HOURS, targets))).astype(np.float32)
        for _ in range(stations)
    ]


def forecast(error, levels=(), seed=1):
    """Forecasts that are the truth with noise, and quantiles that are too narrow."""

    def answer(batch):
        rng = np.random.default_rng([seed, *batch.numbers[:1]])
        point = np.nan_to_num(batch.truth) + error * rng.normal(size=batch.truth.shape)
        if not levels:
            return point, None
        return point, point[..., None] + error * np.linspace(-0.9, 0.9, len(levels))

    return answer


def result_of(
    targets=(TEMPERATURE,),
    leads=range(1, 13),
    levels=LEVELS,
    values=None,
    error=1.0,
    station="Wien",
    spec="stations.csv",
    further=None,
):
    """An evaluation in which the model errs by `error` and the best baseline by 1.5."""
    values = values or measured(len(targets))
    stations = [
        StationSeries(f"{station}{number or ''}", START, HOUR, each)
        for number, each in enumerate(values)
    ]
    series = TimeSeries(
        spec,
        targets,
        tuple(stations),
        (
            Repair(
                RepairKind.GAP, "Wien", 3, "left missing", ("2020-01-07", "2020-01-09")
            ),
        ),
        (BadRow("stations.csv", 7, "3 cells"),),
        26_106,
    )
    shape = WindowShape(HISTORY, len(leads), leads[0], tuple(range(len(targets))))
    data = WeatherData(series, (SPANS,) * len(stations), shape)
    scaling = data.fit_scaling()
    data_module = WindowDataModule(data, scaling, WeatherDataConfig(), 256, seed=0)
    metadata = SeriesMetadata(targets, shape, 3600, np.ones(len(targets)))
    shifts = np.linspace(-0.4, 0.4, len(levels)) * np.ones(
        (len(leads), len(targets), 1)
    )
    correction = Correction(
        TargetRanges.of(targets), tuple(levels), shifts[np.newaxis] if levels else None
    )
    systems = {
        MODEL: System(forecast(error, levels), correction),
        "repeat_last": System(forecast(3.0)),
        "ridge": System(forecast(1.5, seed=2), correction),
        **(further or {}),
    }
    scores = score_windows(
        data_module.evaluation("test"),
        256,
        systems,
        lambda: ForecastScores(
            [target.name for target in targets],
            shape.leads,
            scale=scaling.scale,
            naive_error=metadata.naive_errors,
            quantiles=levels,
        ),
    )
    return WeatherResult(data_module, "test", scores, metadata, levels)


def recorded(result):
    report, content = Recorder(), result.report_content()
    for add in content.sections:
        add(report)
    content.add_data(report)
    return report


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def summary_of(result):
    return plain(result.report_content().summary)


def test_a_baseline_that_cannot_forecast_has_no_scores():
    def fail(batch):
        raise ValueError("overflow")

    with collect_failures() as failed:
        evaluated = result_of(further={"odd": System(fail)})
    assert list(evaluated.baselines) == ["repeat_last", "ridge"]
    assert failed == {"baseline odd": "ValueError: overflow"}


def test_the_page_has_each_part_whatever_the_names(tmp_path):
    """Names like formulas and HTML, and in scripts without a font."""
    targets = (
        Variable("a", f"{SCRIPT} $x$ & $", "$y_$", "mean"),
        Variable("b", "气温\n的", "°", "mean"),
        Variable("c", "a name of more letters than a figure has room for", "", "mean"),
    )
    values = measured(3)
    values[0][760:790] = np.nan
    values[0][::7, 0] = np.nan
    result = result_of(targets, values=values, station=SCRIPT, spec=f"{SCRIPT}.csv")
    history = tmp_path / "history.csv"
    pd.DataFrame(
        {"epoch": [1, 2], "seconds": [9.0, 8.0], "loss": [3, 1], "val_loss": [2, 2]}
    ).to_csv(history, index=False)
    write_report(result, tmp_path, Config(), history)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert re.findall("<h2 .*?>(.*?)</h2>", page) == [
        "Results",
        "By variable",
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
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {
        *("error_by_lead", "error_by_season", "error_by_hour"),
        *(f"example_{number + 1}" for number in range(6)),
        *("successive_forecasts", "coverage", "coverage_by_lead"),
        *(f"{name}_{n + 1}" for name in ("errors", "error_sizes") for n in range(3)),
        *(f"changes_{number + 1}" for number in range(3)),
        *("fit_by_shift", "learning_curve_loss", "missing_1"),
    }
    for part in ("stations.csv, line 7: 3 cells", "rows read", "left missing"):
        assert part in page
    assert "<script" not in page
    assert html.escape(SCRIPT) in page
    assert all(html.escape(target.name) in page for target in targets)
    assert all(text for text in re.findall('alt="(.*?)"', page))


def test_figures_that_cannot_be_drawn_end_no_section(monkeypatch, tmp_path):
    monkeypatch.setattr("recurra.pipelines.reporting.page.Figure", None)
    with collect_failures() as failed:
        write_report(result_of(), tmp_path, Config(), tmp_path / "history.csv")
    assert len(failed) == 17
    assert {name.partition(" ")[0] for name in failed} == {"figure"}


def test_all_targets_are_listed_and_the_first_drawn():
    targets = tuple(Variable(f"v{i} (K)", f"v{i}", "K", "mean") for i in range(6))
    report = recorded(result_of(targets))
    assert {"errors_4", "changes_4"} <= set(report.figures)
    assert not {"errors_5", "changes_5"} & set(report.figures)
    for caption in (
        "The model, each variable in its unit",
        "Correlations by variable",
        "Share of missing values",
    ):
        rows = report.tables[caption][1:]
        assert [row[0] for row in rows] == [f"v{i} (K)" for i in range(6)]


def test_a_single_target():
    result = result_of()
    report = recorded(result)
    assert "By variable" not in report.headings
    assert report.tables["Windows by split"][1:] == [
        ["train", 600 - HISTORY - 11, 0],
        ["validation", 150 - 11, 0],
        ["test", 250 - 11, 0],
    ]
    assert report.tables["Repairs of the raw data"][1][-1] == "2020-01-07; 2020-01-09"
    details = result.details()
    inside = details["observed_shares"][4] - details["observed_shares"][0]
    before = details["uncorrected_shares"][4] - details["uncorrected_shares"][0]
    row = [plain(cell) for cell in report.tables["Central intervals: truths inside"][1]]
    assert row[:3] == ["80 %", f"{100 * before:.1f} %", f"{100 * inside:.1f} %"]
    assert inside > before


def test_the_summary_compares_with_the_best_baseline():
    result = result_of()
    error, best = result.model["mae"], result.baselines["ridge"]["mae"]
    assert summary_of(result) == (
        f"On 239 forecasts (test of stations.csv) the mean absolute error is "
        f"{error:#.3g} °C; the best baseline, ridge on lags and calendar, has "
        f"{best:#.3g}: {100 * (1 - error / best):.1f} % less."
    )
    assert summary_of(result_of(error=2.0)).endswith(" % more.")


def test_different_units_are_put_together_standardised():
    result = result_of((TEMPERATURE, WIND))
    assert "the standardised mean absolute error is 0." in summary_of(result)
    report = recorded(result)
    assert [metric.key for metric in result.report_content().metrics] == [
        "mae_standardised",
        "mse_standardised",
        "mase",
    ]
    rows = report.tables["The model, each variable in its unit"]
    assert [row[0] for row in rows[1:]] == ["T (°C)", "wv (m/s)"]
    error = result.details()["by_variable"]["T"]["mae"]
    assert float(rows[1][1]) == pytest.approx(error, abs=1e-3)


def test_targets_of_one_unit_keep_it():
    dew_point = Variable("Tdew (degC)", "Tdew", "degC", "mean")
    assert " °C; the best" in summary_of(result_of((TEMPERATURE, dew_point)))


def test_without_quantiles():
    report = recorded(result_of(levels=()))
    assert "Intervals" not in report.headings
    assert not {"coverage", "coverage_by_lead"} & set(report.figures)


def test_one_lead_shows_a_stretch_instead_of_examples():
    report = recorded(result_of(leads=[24]))
    assert any("for 24 h ahead" in plain(text) for text in report.texts)
    assert "successive_forecasts" in report.figures
    assert not {"example_1", "error_by_lead", "coverage_by_lead"} & set(report.figures)


def test_a_target_that_is_missing_throughout_leaves_its_cells_empty():
    values = measured(2)
    values[0][SPANS["test"][0] :, 1] = np.nan
    report = recorded(result_of((TEMPERATURE, WIND), values=values))
    row = report.tables["The model, each variable in its unit"][2]
    assert row[:4] == ["wv (m/s)", *"\N{EN DASH}" * 3]
    assert "errors_2" not in report.figures
    assert "wv nothing measured" in report.figures["example_1"]
    assert not any("nan" in text for text in report.figures.values())


def test_of_many_stations_those_that_lack_most_are_drawn():
    values = measured(1, stations=6)
    for number, each in enumerate(values):
        each[: 100 * number] = np.nan
    report = recorded(result_of(values=values))
    assert "Drawn are the 4 stations of 6 that lack most." in report.texts
    assert len([name for name in report.figures if name.startswith("missing")]) == 4
    assert "T 50.00 %" in plain(report.figures["missing_1"])
    assert plain(report.tables["Share of missing values"][1][1]) == "25.00 %"


@pytest.mark.parametrize(
    ("delay", "said"),
    [
        (0, "fit the truth best where they are"),
        (5, "moved earlier by 5 h"),
        (12, "so late is the last value repeated"),
        (-3, "moved later by 3 h"),
    ],
)
def test_the_report_says_how_late_forecasts_are(delay, said):
    series = np.random.default_rng(1).normal(size=(HOURS, 1)).cumsum(axis=0)
    last = np.roll(series, 12, axis=0)
    times = START + np.arange(HOURS) * HOUR
    late = np.roll(series, delay, axis=0)
    report = Recorder()
    add_delay(
        report,
        Terms((TEMPERATURE,), 3600, range(1, 13), ()),
        ForecastSample(series, last, last),
        SuccessiveForecasts("Wien", 12, times, series, late),
    )
    assert any(said in plain(text) for text in report.texts)
    # The last value repeated, which the sample is, foresees no change.
    assert any("no change was forecast" in text for text in report.texts)


def test_stretches_of_time_are_a_table():
    result = result_of()
    assert result.further_tables() == {} and "backtest" not in result.details()
