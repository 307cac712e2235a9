"""The parts of a report on single forecasts: how they look, hold and err."""

import functools
from collections.abc import Sequence

import numpy as np

from ..reporting.page import Report
from .diagnostics import (
    ExampleForecast,
    ForecastSample,
    ObservedLevels,
    SuccessiveForecasts,
)
from .figures import (
    draw_coverage,
    draw_coverage_by_lead,
    draw_error_histogram,
    draw_errors,
    draw_example,
    draw_successive,
)
from .metrics import ForecastScores, central_intervals
from .report_terms import (
    Terms,
    as_floats,
    bracket,
    percent,
    quantity,
    shown_name,
    shown_unit,
)

_STRETCH_SECONDS = 14 * 86_400
# Where the step is long, so many times at least.
_SHORTEST_STRETCH = 60


def add_examples(
    report: Report,
    terms: Terms,
    examples: Sequence[ExampleForecast],
    successive: SuccessiveForecasts,
) -> None:
    """Forecasts with what came true: from some origins, and of a stretch of time."""
    report.section("Example forecasts")
    names = ", ".join(shown_name(target) for target in terms.drawn_targets)
    if len(terms.drawn_targets) > 1:
        names += ", from top to bottom"
    # Of a single lead a figure would show a single point.
    for number, example in enumerate(examples if len(terms.leads) > 1 else ()):
        origin = _minute(example.history_times[-1])
        report.figure(
            f"{example.station}, from {origin}",
            functools.partial(
                draw_example,
                example,
                terms.drawn_labels,
                terms.levels,
                terms.directions,
            ),
            f"{names}. The dotted line marks the origin.",
            name=f"example_{number + 1}",
            description=_describe_example(terms, example, origin),
        )
    if not len(successive.times):
        return
    begin = successive.times[0]
    # Of what there is the first weeks, since more could not be told apart.
    end = begin + np.timedelta64(
        max(_STRETCH_SECONDS, _SHORTEST_STRETCH * terms.step_seconds), "s"
    )
    drawn = int(np.searchsorted(successive.times, end))
    ahead = terms.duration(successive.lead)
    report.figure(
        f"{successive.station}, each forecast {ahead} ahead",
        functools.partial(
            draw_successive, successive, terms.drawn_labels, terms.levels, drawn
        ),
        f"{names}. Each point was forecast from an origin of its own, {ahead} before.",
        name="successive_forecasts",
        description=(
            f"Forecasts {ahead} ahead and the truth from {_minute(begin)} to "
            f"{_minute(successive.times[drawn - 1])}: "
            f"{_mean_errors(terms, successive.truth[:drawn], successive.point[:drawn])}"
        ),
    )


def add_intervals(
    report: Report, terms: Terms, scores: ForecastScores, levels: ObservedLevels
) -> None:
    """Stated levels beside observed ones, before and after the correction."""
    report.section("Intervals")
    stages = {"Observed": levels.observed}
    if levels.uncorrected is not None:
        stages = {
            "Before correction": levels.uncorrected,
            "After correction": levels.observed,
        }
        report.text(
            "The conformal correction moves each quantile by what the validation part "
            "showed to be missing."
        )
    report.text(
        "Points on the diagonal hold what they state. A curve that is flatter than the "
        "diagonal means intervals that are too narrow, a steeper one too wide."
    )
    report.figure(
        "Stated and observed levels",
        functools.partial(draw_coverage, levels),
        "For each quantile, the share of truths at or below it.",
        name="coverage",
        description="; ".join(
            f"{name}: "
            + ", ".join(
                f"{100 * level:g} % stated, {percent(float(found))} found"
                for level, found in zip(levels.levels, observed, strict=True)
            )
            for name, observed in stages.items()
        ),
    )
    _add_coverage_by_lead(report, terms, scores)
    report.table(
        "Quantiles",
        ["Stated level", *stages],
        [
            [
                percent(level),
                *(percent(float(each[number])) for each in stages.values()),
            ]
            for number, level in enumerate(levels.levels)
        ],
    )
    intervals = central_intervals(levels.levels)
    rows: list[list[object]] = []
    for lower, upper, stated in intervals:
        width = scores.overall().get(f"width_{stated}")
        row: list[object] = [f"{stated} %"]
        row += [percent(float(each[upper] - each[lower])) for each in stages.values()]
        if terms.unit is not None:
            row.append(None if width is None else quantity(width, terms.unit))
        rows.append(row)
    if rows:
        width_column = [] if terms.unit is None else ["Mean width"]
        report.table(
            "Central intervals: truths inside",
            ["Stated", *stages, *width_column],
            rows,
        )


def _add_coverage_by_lead(report: Report, terms: Terms, scores: ForecastScores) -> None:
    by_lead = scores.by_lead()
    inside = {
        stated: as_floats(by_lead[f"coverage_{stated}"])
        for _, _, stated in central_intervals(terms.levels)
        if f"coverage_{stated}" in by_lead
    }
    if not inside or len(terms.leads) == 1:
        return
    places, unit = terms.time_axis(terms.leads)
    report.figure(
        "Truths inside the intervals by lead time",
        functools.partial(draw_coverage_by_lead, places, inside, unit),
        "Dotted: what is stated.",
        name="coverage_by_lead",
        description="; ".join(
            f"{stated} % interval: between {percent(float(np.nanmin(values)))} and "
            f"{percent(float(np.nanmax(values)))} inside"
            for stated, values in inside.items()
            if np.isfinite(values).any()
        ),
    )


def add_errors(report: Report, terms: Terms, sample: ForecastSample) -> None:
    """Errors against forecasts, and how often each size is."""
    report.section("Errors one by one")
    report.text(
        "An error is the forecast less the truth, above 0 where the forecast is too "
        f"high. Drawn is a sample of {len(sample.truth):,} forecasts of all leads, "
        "without the outermost 1 %."
    )
    for number, target in enumerate(terms.drawn_targets):
        error = sample.errors[:, number]
        whole = np.isfinite(error)
        if not whole.any():
            continue
        point, error = sample.point[whole, number], error[whole]
        unit = shown_unit(target)
        report.figure(
            f"{target.name}: error by forecast",
            functools.partial(
                draw_errors, point, error, terms.drawn_labels[number], bracket(unit)
            ),
            "Flat lines around 0: no forecast is wrong in a way that its size shows.",
            name=f"errors_{number + 1}",
            description=f"Errors of {target.name} against its forecasts from "
            f"{quantity(float(point.min()))} to {quantity(float(point.max()), unit)}.",
        )
        low, middle, high = np.percentile(error, (10, 50, 90))
        report.figure(
            f"{target.name}: how large the errors are",
            functools.partial(draw_error_histogram, error, bracket(unit)),
            f"Mean {quantity(float(error.mean()), unit)}, standard deviation "
            f"{quantity(float(error.std()), unit)}.",
            name=f"error_sizes_{number + 1}",
            description=f"Errors of {target.name}: a tenth is below "
            f"{quantity(float(low), unit)}, half below "
            f"{quantity(float(middle), unit)}, a tenth above "
            f"{quantity(float(high), unit)}.",
        )


def _describe_example(terms: Terms, example: ExampleForecast, origin: str) -> str:
    return (
        f"Forecast from {origin} for {len(example.times):,} steps up to "
        f"{_minute(example.times[-1])}: "
        f"{_mean_errors(terms, example.truth, example.point)}"
    )


def _mean_errors(terms: Terms, truth: np.ndarray, point: np.ndarray) -> str:
    parts = []
    for number, target in enumerate(terms.drawn_targets):
        errors = np.abs(point - truth)[:, number]
        error = "nothing measured"
        if np.isfinite(errors).any():
            error = f"off by {quantity(float(np.nanmean(errors)), shown_unit(target))}"
        parts.append(f"{target.name} {error}")
    return f"on average {', '.join(parts)}."


def _minute(time: np.datetime64) -> str:
    return np.datetime_as_string(time, "m").replace("T", " ")
