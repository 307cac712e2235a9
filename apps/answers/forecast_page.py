"""The page of forecasts: a file of measurements in, a drawing and a table out."""

import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pandas as pd

from recurra.pipelines.cards import ForecastAnswer
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.series.forecasting import (
    StationForecast,
    forecast,
    forecast_table,
)
from recurra.pipelines.data.series.steps import parse_step

from ..serving.errors import invalid
from ..serving.models.loading import LoadedModel
from ..serving.ui.answer_page import Choice, Updates
from ..serving.ui.asking import Asker
from ..serving.ui.handlers import PRIVATE, with_errors_shown
from ..serving.ui.markup import note
from . import markup
from .forecast_figure import bands, save_forecast
from .served_model import answer_of, as_text, example, has

# Of stations, and of the targets of each; the table has all.
MOST_STATIONS = 4
MOST_PANELS = 8
# What the reader of training reads.
FILE_TYPES = (".csv", ".tsv", ".jsonl", ".parquet", ".npz", ".gz")


class ForecastPage:
    """A file of measurements in, the forecast from its end out."""

    kind = "forecast"

    def fits(self, model: LoadedModel) -> bool:
        """Whether the model forecasts from a history."""
        answer = answer_of(model, ForecastAnswer)
        if answer is None:
            return False
        inputs = {"history", "start"}
        if answer.known_future:
            inputs.add("known_future")
        return has(model, inputs, {"forecast"})

    def build(self, asker: Asker, choice: Choice) -> Sequence[gr.Component]:
        """A file or the model's sample, a button for each, an answer."""
        self._hint = gr.HTML()
        file = gr.File(label="Measurements", file_types=list(FILE_TYPES), height=140)
        with gr.Row():
            file_button = gr.Button("Forecast", variant="primary")
            sample_button = gr.Button("Use the sample")
        self._sample = gr.HTML()
        self._answer = gr.HTML()

        @with_errors_shown
        async def from_file(name: str, path: str | None) -> str:
            if not path:
                raise invalid("Choose a file first, or use the sample.")
            return await asker.ask(name, lambda model: answer_html(model, Path(path)))

        @with_errors_shown
        async def from_sample(name: str) -> str:
            return await asker.ask(name, sample_html)

        file_button.click(
            from_file,
            [choice.model, file],
            self._answer,
            api_name="forecast",
            **PRIVATE,
        )
        sample_button.click(
            from_sample,
            choice.model,
            self._answer,
            api_name="forecast_sample",
            **PRIVATE,
        )
        return [self._hint, self._sample, self._answer]

    def filled(self, model: LoadedModel) -> Updates:
        """What a file must hold, the model's sample, and no answer."""
        content = sample(model)
        link = markup.download("Download the sample (CSV)", "sample.csv", content)
        return {
            self._hint: expected(model),
            self._sample: link if content else "",
            self._answer: "",
        }


def sample(model: LoadedModel) -> str:
    """An example file, as CSV: what warmed the model up; "" if nothing did."""
    given = example(model)
    if not given:
        return ""
    answer = _answer(model)
    start = pd.Timestamp(as_text(given["start"][0]))
    frame = pd.DataFrame(
        given["history"][0],
        pd.Index(
            pd.date_range(
                end=start,
                periods=answer.history_steps,
                freq=answer.calendar_step or pd.Timedelta(seconds=answer.step_seconds),
            ),
            name="time",
        ),
        [variable.column for variable in answer.variables],
    )
    return frame.to_csv(date_format="%Y-%m-%dT%H:%M:%S", float_format="%.6g")


def expected(model: LoadedModel) -> str:
    """What a file must hold, as HTML."""
    answer = _answer(model)
    columns = ", ".join(variable.column for variable in answer.variables)
    return note(
        f"A table with a column of times and the columns {columns}. It is repaired and "
        f"resampled to steps of {_shown_step(answer)} as in training, and its last "
        f"{answer.history_steps} steps are read; values may be missing."
    )


def answer_html(model: LoadedModel, path: Path) -> str:
    """The forecast from the end of a file, as HTML.

    Raises:
        ServingError: If the file does not fit.
    """
    answer = _answer(model)
    plan = None if model.card is None else model.card.reading_plan

    def run(inputs: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        signature = model.signature("")
        types = {
            name: info.dtype.as_numpy_dtype for name, info in signature.inputs.items()
        }
        return signature.run(
            {name: np.asarray(value, types[name]) for name, value in inputs.items()}
        )

    try:
        series, forecasts = forecast(run, answer, path, plan)
    except UserError as error:
        # Where the server keeps the file is nobody's business.
        raise invalid(str(error).replace(str(path), path.name)) from None
    lines = [
        line.replace(str(path), path.name) for line in series.reading_plan.warnings
    ]
    lines += [f"Repaired: {repair}." for repair in series.repairs]
    table = forecast_table(answer, forecasts)
    return (
        "".join(_station_html(answer, each) for each in forecasts[:MOST_STATIONS])
        + _remarks(answer, forecasts, lines)
        + markup.download(
            "Download the forecast (CSV)",
            "forecast.csv",
            table.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S"),
        )
    )


def sample_html(model: LoadedModel) -> str:
    """The forecast from what warmed the model up, as HTML.

    Raises:
        ServingError: If nothing did.
    """
    content = sample(model)
    if not content:
        raise invalid("This model brought no sample; choose a file.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.csv"
        path.write_text(content, encoding="utf-8")
        return answer_html(model, path)


def _station_html(answer: ForecastAnswer, station: StationForecast) -> str:
    origin = station.history_times[-1]
    return (
        f'<p class="answer">From <strong>{_shown(origin)}</strong>, the last '
        f"measurement of {escape(station.station)}, to {_shown(station.times[-1])}</p>"
        f'<div class="panels">{"".join(_panels(answer, station))}</div>'
        + _all_values(answer, station)
    )


def _panels(answer: ForecastAnswer, station: StationForecast) -> Iterator[str]:
    for target, title in zip(answer.targets, _titles(answer), strict=True):
        if target in answer.targets[:MOST_PANELS]:
            content = io.BytesIO()
            # Without the date, which nobody reads.
            save_forecast(
                answer,
                station,
                [target],
                content,
                format="svg",
                metadata={"Date": None},
            )
            yield markup.picture(
                content.getvalue(), f"Forecast of {title}", "width: 100%"
            )


def _remarks(
    answer: ForecastAnswer, forecasts: Sequence[StationForecast], lines: list[str]
) -> str:
    """What the forecast had to do without, how the file was read, what is not drawn."""
    remarks = [
        f"{station.station}: {line}."
        for station in forecasts[:MOST_STATIONS]
        for line in station.remarks
    ]
    if len(answer.targets) > MOST_PANELS:
        remarks.append(
            f"Of {len(answer.targets)} variables, the first {MOST_PANELS} are drawn."
        )
    if len(forecasts) > MOST_STATIONS:
        remarks.append(
            f"Of {len(forecasts)} stations, the first {MOST_STATIONS} are shown."
        )
    remarks += lines
    return note(" ".join(remarks)) if remarks else ""


def _all_values(answer: ForecastAnswer, station: StationForecast) -> str:
    """A row for each time, each target with its widest band."""
    columns = {"time": [_shown(time) for time in station.times]}
    title = "All values"
    for number, name in enumerate(_titles(answer)):
        point = station.point[:, number]
        written = f"{{:.{_digits(point)}f}}".format
        cells = [written(value) for value in point]
        levels = None if station.quantiles is None else station.quantiles[:, number]
        for band, low, high in list(bands(answer, levels))[:1]:
            title = f"All values, with the band of {band}"
            cells = [
                f"{cell} ({written(begin)} to {written(end)})"
                for cell, begin, end in zip(cells, low, high, strict=True)
            ]
        columns[name] = cells
    shown = markup.table(columns, zip(*columns.values(), strict=True))
    return f"<details><summary>{title}</summary>{shown}</details>"


def _titles(answer: ForecastAnswer) -> list[str]:
    return [
        f"{name} [{unit}]" if unit else name
        for name, unit in zip(answer.targets, answer.units(), strict=True)
    ]


def _shown(time: Any) -> str:
    return f"{pd.Timestamp(time):%Y-%m-%d %H:%M}"


def _shown_step(answer: ForecastAnswer) -> str:
    """In words: 1 hour, 10 minutes, a quarter."""
    if answer.calendar_step:
        return f"a {parse_step(answer.calendar_step)}"
    seconds = answer.step_seconds
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds % size == 0:
            number = seconds // size
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return f"{seconds} seconds"


def _digits(values: np.ndarray) -> int:
    """Decimals that tell the values apart."""
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return int(np.clip(1 - np.floor(np.log10(spread or 1.0)), 0, 6))


def _answer(model: LoadedModel) -> ForecastAnswer:
    answer = answer_of(model, ForecastAnswer)
    assert answer is not None
    return answer
