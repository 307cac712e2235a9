"""The parts of a report that compare the model with its baselines."""

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from ..reporting.page import Cell, Metric, Report
from .combination import Combination
from .evaluation import RECURRENT, UNCORRECTED
from .figures import draw_systems
from .metrics import ForecastScores, central_intervals
from .report_terms import (
    MODEL,
    Terms,
    Values,
    as_floats,
    baseline_name,
    bracket,
    counted,
    digits_of,
    numbered_name,
    percent,
    quantity,
    system_name,
)

_LISTED_LEADS = 8

Systems = Mapping[str, ForecastScores]


def add_scores(report: Report, terms: Terms, systems: Systems) -> None:
    """All together, then by variable, lead time, season and hour of day.

    Args:
        report: To which they are added.
        terms: What is forecast.
        systems: The model's scores first, then those of the baselines.
    """
    _explain_results(report, terms)
    if len(terms.targets) > 1:
        _add_variables(report, terms, systems)
    _add_leads(report, terms, systems)
    _add_seasons_and_hours(report, terms, systems)


def add_weights(report: Report, terms: Terms, combination: Combination) -> None:
    """What each member counts in the model, by variable and lead time."""
    names = [RECURRENT, *combination.names]
    rows: list[list[object]] = []
    for number, target in enumerate(terms.targets):
        for leads, weights in combination.by_block():
            of_block = terms.leads[leads]
            times = [terms.duration(lead) for lead in (of_block[0], of_block[-1])]
            rows.append(
                [
                    numbered_name(target, number),
                    " to ".join(dict.fromkeys(times)),
                    *(percent(float(weight)) for weight in weights[number]),
                ]
            )
    report.section("Members")
    report.table(
        "What each member counts in the forecast",
        ["Variable", "Lead time", *(system_name(name) for name in names)],
        rows,
        note="Fitted to forecasts of the validation part. The simple members know the "
        "history of a window alone; the baselines above know the whole series.",
    )


def summary(terms: Terms, data: str, split: str, windows: int, systems: Systems) -> str:
    """For a reader in a hurry."""
    errors = {name: each.overall()[terms.error] for name, each in systems.items()}
    error = errors.pop(MODEL)
    # A part of the model is no baseline of it.
    for part in (RECURRENT, UNCORRECTED):
        errors.pop(part, None)
    best = min(errors, key=lambda name: errors[name])
    return (
        f"On {windows:,} forecasts ({split} of {data}) the {terms.error_name} is "
        f"{quantity(error, terms.unit)}; the best baseline, {baseline_name(best)}, has "
        f"{quantity(errors[best])}{_difference(error, errors[best])}."
    )


def _difference(error: float, best: float) -> str:
    if best == 0:
        return ""
    less = 1 - error / best
    return f": {percent(abs(less))} {'less' if less >= 0 else 'more'}"


def _explain_results(report: Report, terms: Terms) -> None:
    report.text(
        "MAE is the mean absolute error, RMSE the root of the mean squared error, bias "
        "the mean of forecast less truth. MASE is the MAE as a multiple of what the "
        "seasonal naive forecast errs in the training part. CRPS, the continuous "
        "ranked probability score, is of all quantiles together; for a system without "
        "quantiles it is the MAE. Standardised errors are in standard deviations of "
        "the training part."
    )
    if terms.unit is None:
        report.text(
            "The targets have different units, so this table holds only what can be "
            "put together. The next section has each in its own unit."
        )


def metrics_of(terms: Terms, values: Values) -> list[Metric]:
    """The metrics that can be put together over all targets."""
    standardised = [
        Metric("mae_standardised", "MAE (standardised)", higher_is_better=False),
        Metric("mse_standardised", "MSE (standardised)", higher_is_better=False),
    ]
    mase = Metric("mase", "MASE", higher_is_better=False)
    if terms.unit is None:
        return [*standardised, mase]
    # One more than in sentences, since the systems may be close to each other.
    digits = digits_of(values.get("mae") or 1.0) + 1
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
    intervals = [stated for _, _, stated in central_intervals(terms.levels)][:1]
    by_variable = {name: system.by_variable() for name, system in systems.items()}
    rows: list[list[object]] = []
    for number, target in enumerate(terms.targets):
        metrics = {
            name: counted(values[target.name]) for name, values in by_variable.items()
        }
        model = metrics.pop(MODEL)
        digits = digits_of(model.get("mae") or 1.0) + 1
        inside = [model.get(f"coverage_{stated}") for stated in intervals]
        rows.append(
            [
                numbered_name(target, number),
                *(_rounded(model.get(key), digits) for key in ("mae", "rmse", "bias")),
                _rounded(model.get("mase"), 3),
                *(None if each is None else percent(each) for each in inside),
                *_beside_best(model, metrics, digits),
            ]
        )
    report.table(
        "The model, each variable in its unit",
        [
            *("Variable", "MAE", "RMSE", "Bias", "MASE"),
            *(f"In the {stated} % interval" for stated in intervals),
            *("Best baseline's MAE", "Model against it"),
        ],
        rows,
        note="In the last column, less than 0 means that the model errs less.",
    )


def _beside_best(
    model: Values, baselines: Mapping[str, Mapping[str, float]], digits: int
) -> tuple[object, object]:
    """The smallest MAE of a baseline, and how much more the model's is."""
    errors = {name: each["mae"] for name, each in baselines.items() if "mae" in each}
    if not errors:
        return None, None
    best = min(errors, key=lambda name: errors[name])
    cell = Cell(_rounded(errors[best], digits), note=baseline_name(best))
    error = model.get("mae")
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
        system_name(name): as_floats(system.by_lead()[terms.error])
        for name, system in systems.items()
    }
    places, unit = terms.time_axis(terms.leads)
    names = [f"{place:.4g} {unit}" for place in places]
    report.figure(
        "Error by lead time",
        functools.partial(
            draw_systems, places, lines, "Lead time", unit, terms.error_label
        ),
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
    by_season = {name: system.by_season() for name, system in systems.items()}
    by_hour = {name: system.by_hour() for name, system in systems.items()}
    seasons, hours = list(by_season[MODEL]), list(by_hour[MODEL])
    lines = _lines(by_season, seasons, terms.error)
    if seasons:
        report.figure(
            "Error by season",
            functools.partial(
                draw_systems,
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
    # Daily values have one hour alone.
    if len(hours) > 1:
        hourly = _lines(by_hour, hours, terms.error)
        report.figure(
            "Error by hour of day",
            functools.partial(
                draw_systems,
                np.array([int(hour) for hour in hours]),
                hourly,
                "Hour of the time that is forecast",
                "h",
                terms.error_label,
            ),
            "By the clock of the data. Lower is better.",
            name="error_by_hour",
            description=_described(terms, hourly, [f"at {hour} h" for hour in hours]),
        )
    if seasons:
        heading = f"{terms.error_label} by season"
        _add_lines_table(report, heading, "Season", seasons, lines)


def _lines(
    metrics: Mapping[str, Mapping[str, Values]], keys: Sequence[str], metric: str
) -> dict[str, np.ndarray]:
    """By the system's name for people, its values of the metric at the keys."""
    return {
        system_name(name): as_floats([values.get(key, {}).get(metric) for key in keys])
        for name, values in metrics.items()
    }


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
        known = [value for value in values if np.isfinite(value)]
        cells = [
            Cell(quantity(value), is_best=len(lines) > 1 and value == min(known))
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
