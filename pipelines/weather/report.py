"""The report of a weather model: how far off, how sure, and when."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from ..datasets.measured_variables import Variable
from ..reporting import Cell, Metric, Report, Scores, flattened
from ..training_section import add_training
from .data_section import DataRecord, add_data
from .delay_section import add_delay
from .diagnostics import (
    ExampleForecast,
    ForecastSample,
    QuantileShares,
    SuccessiveForecasts,
    central_intervals,
)
from .figures import draw_systems
from .forecast_sections import add_errors, add_examples, add_intervals
from .report_terms import (
    MODEL,
    SystemScores,
    Terms,
    Values,
    as_floats,
    baseline_name,
    bracket,
    digits_of,
    numbered_name,
    percent,
    quantity,
    system_name,
    there,
)

_LISTED_LEADS = 8
_LEARNING_CURVES = {
    "loss": "Loss",
    "point": "Loss of the point forecast",
    "mae": "MAE (standardised)",
    "mse": "MSE (standardised)",
}

Systems = Mapping[str, SystemScores]


def write_weather_report(
    directory: Path,
    *,
    data: str,
    split: str,
    targets: Sequence[Variable],
    step_seconds: int,
    leads: Sequence[int],
    quantiles: Sequence[float],
    forecasts: int,
    scores: Systems,
    examples: Sequence[ExampleForecast],
    successive: SuccessiveForecasts | None,
    sample: ForecastSample,
    shares: QuantileShares | None,
    record: DataRecord,
    facts: Mapping[str, Any],
    configuration: Mapping[str, Any],
    history: pandas.DataFrame | None = None,
) -> None:
    """Writes `report.html` and `figures/` into the directory.

    Args:
        directory: For example a run's.
        data: The spec of the data.
        split: The name of the split that is reported.
        targets: `T` variables, in the order of every axis of targets.
        step_seconds: From step to step of the series.
        leads: `H` steps from the origin.
        quantiles: `Q` levels, rising; empty where the model states none.
        forecasts: The windows that were judged.
        scores: By name of the system: `model`, and the baselines.
        examples: Of different weather; not shown where there is one lead alone.
        successive: Of one lead, at best over months: its beginning is drawn, and all of
            it tells whether the forecasts come late.
        sample: Some thousands of forecasts, of which the errors are drawn.
        shares: None where there are no quantiles.
        record: What became of the raw data.
        facts: What else there is to say of the data, by a name for people or nested.
        configuration: As in config.yaml, nested.
        history: A row per epoch with `epoch` and, as far as there, `seconds`, and
            `loss`, `point`, `mae` and `mse` with those of validation, `val_loss` etc.
    """
    terms = Terms(targets, step_seconds, leads, quantiles)
    systems = {MODEL: scores[MODEL]} | dict(scores)
    report = Report(
        f"Weather: {data}", _summary(terms, data, split, forecasts, systems)
    )
    _add_results(report, terms, systems)
    if len(targets) > 1:
        _add_variables(report, terms, systems)
    _add_leads(report, terms, systems)
    _add_seasons_and_hours(report, terms, systems)
    add_examples(report, terms, examples, successive)
    if shares is not None:
        add_intervals(report, terms, systems[MODEL], shares)
    add_errors(report, terms, sample)
    add_delay(report, terms, sample, successive)
    if history is not None and len(history):
        add_training(report, history, _LEARNING_CURVES)
    add_data(report, record, facts)
    report.section("Configuration")
    report.key_values("", flattened(configuration))
    report.write(directory)


def _summary(
    terms: Terms, data: str, split: str, forecasts: int, systems: Systems
) -> str:
    told = f"On {forecasts:,} forecasts ({split} of {data}) "
    errors = {
        name: overall[terms.error]
        for name, overall in ((name, there(s.overall)) for name, s in systems.items())
        if terms.error in overall
    }
    if MODEL not in errors:
        return told + "no truth is there that they could be judged by."
    own = errors.pop(MODEL)
    told += f"the {terms.error_name} is {quantity(own, terms.unit)}"
    if terms.error in systems[MODEL].intervals:
        lower, upper = systems[MODEL].intervals[terms.error]
        told += f" (95 % interval {quantity(lower)} to {quantity(upper)})"
    if not errors:
        return told + "."
    best = min(errors, key=lambda name: errors[name])
    return (
        f"{told}; the best baseline, {baseline_name(best)}, has "
        f"{quantity(errors[best])}{_difference(own, errors[best])}."
    )


def _difference(own: float, best: float) -> str:
    if best == 0:
        return ""
    less = 1 - own / best
    return f": {percent(abs(less))} {'less' if less >= 0 else 'more'}"


def _add_results(report: Report, terms: Terms, systems: Systems) -> None:
    report.section("Results")
    metrics = _metrics(terms, systems[MODEL].overall)
    shown = {metric.key for metric in metrics}
    report.metrics_table(
        "Model and baselines",
        metrics,
        [
            Scores(
                system_name(name),
                there(system.overall),
                {key: each for key, each in system.intervals.items() if key in shown},
                is_own=name == MODEL,
            )
            for name, system in systems.items()
        ],
    )
    report.text(
        "MAE is the mean absolute error, RMSE the root of the mean squared error, bias "
        "the mean of forecast less truth. MASE is the MAE as a multiple of what the "
        "seasonal naive forecast errs in the training part. CRPS, the continuous "
        "ranked probability score, judges all quantiles together; for a system without "
        "quantiles it is the MAE. Standardised errors are in standard deviations of "
        "the training part."
    )
    if terms.unit is None:
        report.text(
            "The targets have different units, so this table holds only what can be "
            "put together. The next section has each in its own unit."
        )


def _metrics(terms: Terms, own: Values) -> list[Metric]:
    """Those that can be put together over all targets."""
    standardised = [
        Metric("mae_standardised", "MAE (standardised)", higher_is_better=False),
        Metric("mse_standardised", "MSE (standardised)", higher_is_better=False),
    ]
    mase = Metric("mase", "MASE", higher_is_better=False)
    if terms.unit is None:
        return [*standardised, mase]
    # One more than in sentences, since the systems may be close to each other.
    digits = digits_of(own.get("mae") or 1.0) + 1
    unit = bracket(terms.unit)
    return [
        Metric("mae", f"MAE{unit}", higher_is_better=False, digits=digits),
        Metric("rmse", f"RMSE{unit}", higher_is_better=False, digits=digits),
        Metric("bias", f"Bias{unit}", higher_is_better=None, digits=digits),
        mase,
        Metric("crps", f"CRPS{unit}", higher_is_better=False, digits=digits),
        *standardised,
    ]


def _add_variables(report: Report, terms: Terms, systems: Systems) -> None:
    report.section("By variable")
    intervals = [share for _, _, share in central_intervals(terms.levels)][:1]
    rows: list[list[object]] = []
    for number, target in enumerate(terms.targets):
        scores = {
            name: there(system.by_variable.get(target.name, {}))
            for name, system in systems.items()
        }
        own = scores.pop(MODEL)
        digits = digits_of(own.get("mae") or 1.0) + 1
        inside = [own.get(f"coverage_{share}") for share in intervals]
        rows.append(
            [
                numbered_name(target, number),
                *(_rounded(own.get(key), digits) for key in ("mae", "rmse", "bias")),
                _rounded(own.get("mase"), 3),
                *(None if share is None else percent(share) for share in inside),
                *_beside_best(own, scores, digits),
            ]
        )
    report.table(
        "The model, each variable in its unit",
        [
            *("Variable", "MAE", "RMSE", "Bias", "MASE"),
            *(f"In the {share} % interval" for share in intervals),
            *("Best baseline's MAE", "Model against it"),
        ],
        rows,
        note="In the last column, less than 0 means that the model errs less.",
    )


def _beside_best(
    own: Values, baselines: Mapping[str, Mapping[str, float]], digits: int
) -> tuple[object, object]:
    """The smallest MAE of a baseline, and how much more the model's is."""
    errors = {name: each["mae"] for name, each in baselines.items() if "mae" in each}
    if not errors:
        return None, None
    best = min(errors, key=lambda name: errors[name])
    cell = Cell(_rounded(errors[best], digits), note=baseline_name(best))
    error = own.get("mae")
    if error is None or errors[best] == 0:
        return cell, None
    return cell, f"{100 * (error / errors[best] - 1):+.1f}\N{NO-BREAK SPACE}%"


def _rounded(value: float | None, digits: int) -> str:
    return "\N{EN DASH}" if value is None else f"{value:,.{digits}f}"


def _add_leads(report: Report, terms: Terms, systems: Systems) -> None:
    report.section("By lead time")
    if len(terms.leads) == 1:
        report.text(
            f"All forecasts are for {terms.duration(terms.leads[0])} ahead, so the "
            "results above are those of this lead time."
        )
        return
    lines = {
        system_name(name): as_floats(system.by_lead[terms.error])
        for name, system in systems.items()
        if terms.error in system.by_lead
    }
    if not lines:
        return
    places, unit = terms.time_axis(terms.leads)
    names = [f"{place:.4g} {unit}" for place in places]
    report.figure(
        "Error by lead time",
        draw_systems(places, lines, "Lead time", unit, terms.error_label),
        "Lower is better.",
        name="error_by_lead",
        description=_described(terms, lines, [f"at {name}" for name in names]),
    )
    number = min(len(places), _LISTED_LEADS)
    listed = np.linspace(0, len(places) - 1, number).round().astype(int)
    _add_lines_table(
        report,
        f"{terms.error_label} by lead time",
        "Lead time",
        [names[each] for each in listed],
        {name: values[listed] for name, values in lines.items()},
    )


def _add_seasons_and_hours(report: Report, terms: Terms, systems: Systems) -> None:
    report.section("By season and hour of day")
    seasons = list(systems[MODEL].by_season)
    lines = {
        system_name(name): _line(system.by_season, seasons, terms.error)
        for name, system in systems.items()
        if system.by_season
    }
    if seasons:
        report.figure(
            "Error by season",
            draw_systems(
                seasons,
                lines,
                "Season of the time that is forecast",
                "",
                terms.error_label,
            ),
            "Lower is better.",
            name="error_by_season",
            description=_described(terms, lines, [f"in {name}" for name in seasons]),
        )
    hours = sorted(systems[MODEL].by_hour, key=int)
    # Daily values have one hour alone.
    if len(hours) > 1:
        by_hour = {
            system_name(name): _line(system.by_hour, hours, terms.error)
            for name, system in systems.items()
            if system.by_hour
        }
        report.figure(
            "Error by hour of day",
            draw_systems(
                np.array([int(hour) for hour in hours]),
                by_hour,
                "Hour of the time that is forecast",
                "h",
                terms.error_label,
            ),
            "By the clock of the data. Lower is better.",
            name="error_by_hour",
            description=_described(terms, by_hour, [f"at {hour} h" for hour in hours]),
        )
    if seasons:
        heading = f"{terms.error_label} by season"
        _add_lines_table(report, heading, "Season", seasons, lines)


def _line(scores: Mapping[str, Values], keys: Sequence[str], metric: str) -> np.ndarray:
    return as_floats([scores.get(key, {}).get(metric) for key in keys])


def _add_lines_table(
    report: Report,
    heading: str,
    first_column: str,
    names: Sequence[str],
    lines: Mapping[str, np.ndarray],
) -> None:
    rows: list[list[object]] = []
    for number, name in enumerate(names):
        values = [float(line[number]) for line in lines.values()]
        there = [value for value in values if np.isfinite(value)]
        cells = [
            Cell(quantity(value), is_best=len(lines) > 1 and value == min(there))
            if np.isfinite(value)
            else None
            for value in values
        ]
        rows.append([name, *cells])
    note = "The smallest of each row is bold." if len(lines) > 1 else ""
    report.table(heading, [first_column, *lines], rows, note=note)


def _described(
    terms: Terms, lines: Mapping[str, np.ndarray], places: Sequence[str]
) -> str:
    """The figure in words: where each system errs least and most."""
    parts = []
    for name, values in lines.items():
        if np.isfinite(values).any():
            low, high = int(np.nanargmin(values)), int(np.nanargmax(values))
            parts.append(
                f"{name} from {quantity(float(values[low]), terms.unit)} {places[low]} "
                f"to {quantity(float(values[high]), terms.unit)} {places[high]}"
            )
    return f"{terms.error_label}: {'; '.join(parts)}."
