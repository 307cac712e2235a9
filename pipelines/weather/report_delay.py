"""The part of a report that tells forecasts from the last value, delayed."""

import functools
import math

import numpy as np

from ..reporting.page import Report
from .diagnostics import (
    ForecastSample,
    ShiftedFit,
    SuccessiveForecasts,
    change_correlations,
    fit_by_shift,
)
from .figures import draw_changes, draw_fit_by_shift
from .report_terms import Terms, numbered_name


def add_delay(
    report: Report,
    terms: Terms,
    sample: ForecastSample,
    successive: SuccessiveForecasts,
) -> None:
    """Whether changes are foreseen, and whether forecasts come late."""
    report.section("Not the last value, delayed?")
    correlations = change_correlations(sample)
    report.text(
        "A forecast that repeats the last value follows the truth well to the eye, and "
        "foresees nothing. Two checks show which kind this is.",
        _describe_changes(correlations),
    )
    _add_changes(report, terms, sample, correlations)
    if not len(successive.times):
        return
    fit = fit_by_shift(successive, terms.step_seconds)
    report.text(_describe_shifts(terms, fit))
    _add_shifts(report, terms, fit)
    if len(terms.targets) > 1:
        _add_correlations(report, terms, fit, correlations)


def _describe_changes(correlations: np.ndarray) -> str:
    text = "The change from the last value, as forecast and as it came, "
    known = correlations[np.isfinite(correlations)]
    if not len(known):
        return (
            f"{text}cannot be compared: no change was forecast, or none came, or there "
            "are too few forecasts."
        )
    if len(correlations) == 1:
        text += f"has the correlation {known[0]:.2f}. "
    else:
        text += (
            f"has a correlation between {known.min():.2f} and {known.max():.2f} by "
            f"variable (median {np.median(known):.2f}). "
        )
    return (
        f"{text}The last value repeated would have none; some is had by any forecast "
        "that returns to the usual value of season and hour."
    )


def _describe_shifts(terms: Terms, fit: ShiftedFit) -> str:
    best = {
        number: shift
        for number in range(len(terms.targets))
        if (shift := fit.best(number)) is not None
    }
    lead = terms.duration(fit.lead)
    text = f"The forecasts {lead} ahead, one after the other, "
    if not best:
        return f"{text}are too few or too constant to be moved in time."
    if len(terms.targets) == 1:
        return f"{text}fit the truth best {_describe_shift(terms, fit, best[0])}"
    in_time = sum(shift >= 0 for shift in best.values())
    late = sum(-fit.lead < shift < 0 for shift in best.values())
    return (
        f"{text}fit the truth best without being moved earlier for {in_time} of "
        f"{len(best)} variables, moved earlier by less than the lead for {late}, and "
        "by the lead or more, as the last value repeated does, for "
        f"{len(best) - in_time - late}."
    )


def _describe_shift(terms: Terms, fit: ShiftedFit, best: int) -> str:
    unmoved = f"unmoved {_shown(fit.at(0, 0))}"
    at_lead = f"moved earlier by the lead {_shown(fit.at(-fit.lead, 0))}"
    if best == 0:
        return f"where they are (correlation: {unmoved}, {at_lead}). They are not late."
    there = f"correlation: there {_shown(fit.at(best, 0))}, {unmoved}"
    by = terms.duration(abs(best))
    if best > 0:
        return f"moved later by {by} ({there}, {at_lead}). They are not late."
    if best > -fit.lead:
        return f"moved earlier by {by} ({there}, {at_lead}): so much they are late."
    return (
        f"moved earlier by {by} ({there}): so late is the last value repeated. They "
        "foresee little."
    )


def _add_changes(
    report: Report, terms: Terms, sample: ForecastSample, correlations: np.ndarray
) -> None:
    for number, target in enumerate(terms.drawn_targets):
        foreseen = sample.foreseen_changes[:, number]
        true = sample.true_changes[:, number]
        whole = np.isfinite(foreseen) & np.isfinite(true)
        if not whole.any():
            continue
        label = terms.drawn_labels[number]
        report.figure(
            f"{target.name}: change from the last value",
            functools.partial(draw_changes, foreseen[whole], true[whole], label),
            "On the diagonal the change was foreseen. The last value repeated would "
            "lie on the dashed line.",
            name=f"changes_{number + 1}",
            description=f"Forecast change of {target.name} against the change that "
            f"came: correlation {_shown(correlations[number])}.",
        )


def _add_shifts(report: Report, terms: Terms, fit: ShiftedFit) -> None:
    places, unit = terms.time_axis(fit.shifts)
    report.figure(
        "Fit of the forecasts when moved in time",
        functools.partial(draw_fit_by_shift, fit, terms.drawn_labels, places, unit),
        "Less than 0 is earlier. The dot marks the best fit; the last value repeated "
        "has it at the dashed line.",
        name="fit_by_shift",
        description=_describe_shifts(terms, fit),
    )


def _add_correlations(
    report: Report, terms: Terms, fit: ShiftedFit, correlations: np.ndarray
) -> None:
    places, unit = terms.time_axis(fit.shifts)
    shown_shift = dict(zip(fit.shifts.tolist(), places, strict=True))
    rows: list[list[object]] = []
    for number, target in enumerate(terms.targets):
        best = fit.best(number)
        rows.append(
            [
                numbered_name(target, number),
                _shown(correlations[number]),
                None if best is None else f"{shown_shift[best]:.4g}",
                *(
                    None if shift is None else _shown(fit.at(shift, number))
                    for shift in (best, 0, -fit.lead)
                ),
            ]
        )
    columns = ["Variable", "Changes", f"Best moved by ({unit})", "There", "Unmoved"]
    report.table(
        "Correlations by variable",
        [*columns, "Earlier by the lead"],
        rows,
        note="Changes: from the last value, as forecast and as they came. All others: "
        "forecasts moved in time and the truth.",
    )


def _shown(correlation: float) -> str | None:
    return None if math.isnan(correlation) else f"{correlation:.2f}"
