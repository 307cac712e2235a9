"""Weather on the page: a file of measurements in, the forecast drawn and as a table."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import invalid
from ..loading import LoadedModel
from ..signatures import Arrays
from . import markup
from .drawing import forecast
from .signature_use import as_text, example, has
from .station_file import Window, read_window, shown_step, write_example

# What of the history is drawn, in horizons.
HORIZONS_BEFORE = 2
# Of targets; the table has all.
MOST_PANELS = 8

_CARD = {"variables", "targets", "step_seconds", "history_steps", "lead_steps"}


def fits(model: LoadedModel) -> bool:
    """Whether this page is the model's."""
    inputs = {"history", "start"}
    if model.card.get("known_future"):
        inputs.add("known_future")
    return (
        model.card.get("task") == "weather"
        and set(model.card) >= _CARD
        and has(model, inputs, {"forecast"})
    )


def sample(model: LoadedModel) -> str:
    """An example file, as CSV: what warmed the model up; "" if nothing did."""
    given = example(model)
    if not given:
        return ""
    start = as_text(given["start"][0])
    return write_example(model.card, given["history"][0], start)


def expected(model: LoadedModel) -> str:
    """What a file must hold, as HTML."""
    card = model.card
    step = shown_step(pd.Timedelta(seconds=card["step_seconds"]))
    columns = ", ".join(each["column"] for each in card["variables"])
    return markup.note(
        f"A CSV file with a column of times, rows {step} apart, and the columns "
        f"{columns}. The last {card['history_steps']} rows are read; values may be "
        "missing."
    )


def answer(model: LoadedModel, path: Path) -> str:
    """The forecast from the end of a file, as HTML.

    Raises:
        ServingError: If the file does not fit.
    """
    return _answer(model, read_window(model.card, path))


def answer_sample(model: LoadedModel) -> str:
    """The forecast from what warmed the model up, as HTML.

    Raises:
        ServingError: If nothing did.
    """
    content = sample(model)
    if not content:
        raise invalid("This model brought no sample; choose a file.")
    return _answer(model, read_window(model.card, io.StringIO(content)))


def _answer(model: LoadedModel, window: Window) -> str:
    card = model.card
    start = str(window.times[-1].astype("datetime64[s]"))
    given: Arrays = {
        "history": window.history[np.newaxis],
        "start": np.array([start.encode()], object),
        "known_future": window.known_future[np.newaxis],
    }
    signature = model.signature("")
    found = signature.run({name: given[name] for name in signature.inputs})
    step = np.timedelta64(card["step_seconds"], "s")
    times = window.times[-1] + np.array(card["lead_steps"]) * step
    table = _table(card, times, found)
    return (
        f'<p class="answer">From <strong>{_shown(window.times[-1])}</strong>, the last '
        f"measurement, to {_shown(times[-1])}</p>"
        + _remarks(card, window)
        + f'<div class="panels">{"".join(_panels(card, window, table))}</div>'
        + _all_values(card, table)
        + markup.download(
            "Download the forecast (CSV)",
            "forecast.csv",
            table.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S"),
        )
    )


def _table(card: Mapping[str, Any], times: np.ndarray, found: Arrays) -> pd.DataFrame:
    """A row for each time and target, in the form that `recurra predict` writes."""
    targets, point = card["targets"], found["forecast"][0]
    units = {each["name"]: each["unit"] for each in card["variables"]}
    columns: dict[str, Any] = {
        "time": np.repeat(times, len(targets)),
        "lead_steps": np.repeat(card["lead_steps"], len(targets)),
        "variable": np.tile(targets, len(times)),
        "unit": np.tile([units[name] for name in targets], len(times)),
        "forecast": point.ravel(),
    }
    if "quantiles" in found:
        for number, share in enumerate(card["quantiles"]):
            columns[_quantile(share)] = found["quantiles"][0][..., number].ravel()
    return pd.DataFrame(columns)


def _quantile(share: float) -> str:
    return f"quantile_{share:g}"


def _bands(card: Mapping[str, Any], table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Of pairs of quantiles around the middle, the widest first: how the band is
    called, and the columns of its ends."""
    shares = [each for each in card.get("quantiles", []) if _quantile(each) in table]
    pairs = zip(sorted(shares), sorted(shares, reverse=True), strict=True)
    return [
        (markup.percent(high - low, 0), _quantile(low), _quantile(high))
        for low, high in pairs
        if low < high
    ]


def _shown(time: Any) -> str:
    return f"{pd.Timestamp(time):%Y-%m-%d %H:%M}"


def _remarks(card: Mapping[str, Any], window: Window) -> str:
    """What the forecast had to do without, and what is not drawn."""
    steps, targets = card["history_steps"], card["targets"]
    said = []
    if window.rows < steps:
        said.append(f"The file has {window.rows} of the {steps} rows that are read.")
    holes = int(np.isnan(window.history[steps - window.rows :]).sum())
    if holes:
        said.append(f"Values missing in the rows that are read: {holes}.")
    if len(targets) > MOST_PANELS:
        said.append(f"Of {len(targets)} variables, the first {MOST_PANELS} are drawn.")
    return markup.note(" ".join(said)) if said else ""


def _panels(
    card: Mapping[str, Any], window: Window, table: pd.DataFrame
) -> Iterator[str]:
    names = [each["name"] for each in card["variables"]]
    before = HORIZONS_BEFORE * max(card["lead_steps"])
    for target in card["targets"][:MOST_PANELS]:
        rows = table[table["variable"] == target]
        history = window.history[-before:, names.index(target)]
        yield forecast(
            _title(rows),
            (window.times[-before:], history),
            rows["time"].to_numpy(),
            rows["forecast"].to_numpy(),
            [
                (name, rows[low].to_numpy(), rows[high].to_numpy())
                for name, low, high in _bands(card, table)
            ],
        )


def _title(rows: pd.DataFrame) -> str:
    name, unit = rows["variable"].iloc[0], rows["unit"].iloc[0]
    return f"{name} [{unit}]" if unit else name


def _all_values(card: Mapping[str, Any], table: pd.DataFrame) -> str:
    """A row for each time, each target with its widest band."""
    widest = _bands(card, table)[:1]
    columns = {"time": [_shown(time) for time in table["time"].unique()]}
    for target in card["targets"]:
        rows = table[table["variable"] == target]
        written = f"{{:.{_digits(rows['forecast'])}f}}".format
        cells = [written(value) for value in rows["forecast"]]
        for _, low, high in widest:
            ends = zip(cells, rows[low], rows[high], strict=True)
            cells = [
                f"{cell} ({written(begin)} to {written(end)})"
                for cell, begin, end in ends
            ]
        columns[_title(rows)] = cells
    title = "All values"
    for name, _, _ in widest:
        title += f", with the band of {name}"
    shown = markup.table(columns, zip(*columns.values(), strict=True))
    return f"<details><summary>{title}</summary>{shown}</details>"


def _digits(values: pd.Series) -> int:
    """Decimals that tell the values apart."""
    spread = float(values.std()) or 1.0
    return int(np.clip(1 - np.floor(np.log10(spread)), 0, 6))
