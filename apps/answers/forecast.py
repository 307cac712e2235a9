"""Forecasts on the command line: a table and a picture for each station."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.pipelines.cards import ForecastAnswer
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.core.files import written_whole
from recurra.pipelines.data.files.table_writing import check_output, write_table
from recurra.pipelines.data.series.forecasting import (
    StationForecast,
    forecast,
    forecast_table,
)

from ..console import messages, output, show_log
from .forecast_figure import save_forecast
from .texts import print_json

if TYPE_CHECKING:
    from recurra.pipelines.core.exported_model import ExportedModel


# Of stations and of targets, so many are drawn.
DRAWN = 4


def predict(
    model: "ExportedModel",
    inputs: Sequence[str],
    file: Path | None,
    as_json: bool,
    to: Path | None = None,
    **reading: str,
) -> None:
    """Writes the forecasts from the end of a file's series, or prints them as JSON."""
    answer = _answer(model)
    if inputs or file is None:
        raise UserError("predict: this model needs recent measurements by --file")
    if as_json and to is not None:
        raise UserError(
            "--to: with --json no file is written; leave one of the two out"
        )
    if to is not None:
        check_output(to)
    show_log()
    plan = model.card.reading_plan
    series, forecasts = forecast(model.run, answer, file, plan, **reading)
    remarks = [f"repaired: {repair}" for repair in series.repairs]
    remarks += [
        f"{each.station}: {line}" for each in forecasts for line in each.remarks
    ]
    for line in remarks:
        messages.print(line, markup=False, soft_wrap=True)
    if as_json:
        table = forecast_table(answer, forecasts)
        table["time"] = table["time"].astype(str)
        print_json(table.to_dict("records"))
        return
    stem = file.name.removesuffix(".gz").rpartition(".")[0] or file.name
    for path in write_forecasts(answer, forecasts, to or Path(f"{stem}-forecast.csv")):
        print(path)


def demonstrate(model: "ExportedModel", examples: Sequence[str], folder: Path) -> None:
    """Writes the forecast from the end of the embedded sample into the folder."""
    _, forecasts = forecast(model.run, _answer(model), "sample")
    paths = write_forecasts(_answer(model), forecasts, folder / "forecast.csv")
    output.print(f"Forecast from the end of the sample: {paths[-1]}", markup=False)


def write_forecasts(
    answer: ForecastAnswer, forecasts: Sequence[StationForecast], to: Path
) -> list[Path]:
    """Writes the table, and beside it a picture for each of the first stations.

    Raises:
        UserError: One of the files is there already, or cannot be written.
    """
    stem = Path(to.name.removesuffix(".gz")).stem
    pictures = [
        to.with_name(f"{stem}{f'-{number + 1}' if number else ''}.png")
        for number in range(min(DRAWN, len(forecasts)))
    ]
    check_output(to)
    for path in pictures:
        if path.exists():
            raise UserError(
                f"{path}: exists already and is left as it is; give another --to"
            )
    write_table(to, forecast_table(answer, forecasts))
    try:
        for path, drawn in zip(pictures, forecasts, strict=False):
            with written_whole(path) as partial:
                targets = answer.targets[:DRAWN]
                save_forecast(answer, drawn, targets, partial, format="png", dpi=150)
    except OSError as error:
        raise UserError(f"{to}: cannot be written: {error.strerror}") from None
    return [to, *pictures]


def _answer(model: "ExportedModel") -> ForecastAnswer:
    assert isinstance(model.answer, ForecastAnswer)
    return model.answer
