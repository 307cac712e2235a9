"""Forecasts of time series, as the command line and the API know them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.registry import Groups, TaskDefinition
from ..core.search_space import Choice, Range
from ..data.description import DataDescription, DescriptionTable
from ..data.sources import TIME_SERIES
from ..data.specs import DataSpec
from .config import EvaluationConfig, WeatherConfig, WeatherDataConfig

if TYPE_CHECKING:
    import numpy as np

    from ..data.series.time_series import TimeSeries

_SPECS = (
    DataSpec("FILE", "your .csv, .tsv, .jsonl (each also .gz), .parquet or .npz"),
    DataSpec("FOLDER", "your files of one station each"),
)

TASK = TaskDefinition(
    name="weather",
    summary="Time series of one or more stations, and what comes next.",
    config_class=WeatherConfig,
    implementation="recurra.pipelines.weather.task:WeatherTask",
    description="recurra.pipelines.weather.cli:describe",
    portable="recurra.pipelines.weather.portable:PortableServing",
    intended_use=(
        "It forecasts the series that it was trained on, from their last values."
    ),
    limits=(
        "It knows what the history holds: a station that has moved or a sensor "
        "that was changed makes other series.",
        "What has not been in the data of training, as a record, is forecast too "
        "small.",
    ),
    recipes=Path(__file__).parent / "recipes",
    content=TIME_SERIES,
    data_specs=_SPECS,
    reading_options=("time_column", "station_column"),
    evaluation_class=EvaluationConfig,
    search_space={
        "model.head_units": Range(16, 256, log=True),
        "model.depth": Choice((1, 2)),
    },
    groups=Groups("station", "recurra.pipelines.weather.cli:stations"),
)


def describe(data: WeatherDataConfig) -> DataDescription:
    """What the pipeline sees in time series. Raises UserError for wrong data."""
    from ..data.series.time_series import load_time_series

    series = load_time_series(data.spec, step=data.step, **data.reading())
    return DataDescription(
        values=series.as_dict(),
        blocks=[
            f"{data.spec}: {series.rows:,} rows",
            _stations(series),
            _variables(series),
            f"repairs: {len(series.repairs):,}",
            *(f"  {repair}" for repair in series.repairs),
        ],
        plan=series.reading_plan,
        bad_rows=[str(row) for row in series.bad_rows],
        frame=series.frame,
    )


def stations(data: WeatherDataConfig) -> dict[str, Mapping[str, object]]:
    """The stations of the data, by name what keeps the section to one of them.

    Files of a folder are of a station each, and are read when their turn comes, so that
    one that cannot be read stands in no other one's way. Where a column, or files that
    are joined, make stations, all data are read.
    """
    from ..data.series.raw_tables import station_files, station_name
    from ..data.series.stations import differ_by_date
    from ..data.series.time_series import load_time_series

    folder = Path(data.spec)
    if folder.is_dir() and data.station_column is None and not data.join_files:
        files = {station_name(file): file for file in station_files(folder)}
        if data.join_files is False or not differ_by_date(list(files)):
            return {
                name: {"spec": str(file)}
                for name, file in files.items()
                if not data.stations or name in data.stations
            }
    series = load_time_series(data.spec, step=data.step, **data.reading())
    names = data.stations or [station.name for station in series.stations]
    return {name: {"stations": [name]} for name in names}


def _stations(series: "TimeSeries") -> DescriptionTable:
    import numpy as np
    import pandas as pd

    return DescriptionTable(
        ["station", "first step", "last step", "step", "steps", "missing"],
        [
            [
                station.name,
                _to_the_minute(station.start),
                _to_the_minute(station.end),
                str(station.calendar_step or pd.Timedelta(station.step)).replace(
                    "0 days ", ""
                ),
                f"{len(station):,}",
                f"{np.isnan(station.values).mean():.2%}",
            ]
            for station in series.stations
        ],
    )


def _variables(series: "TimeSeries") -> DescriptionTable:
    import numpy as np

    rows = []
    for number, variable in enumerate(series.variables):
        values = np.concatenate([each.values[:, number] for each in series.stations])
        present = values[np.isfinite(values)]
        extremes = (
            [f"{present.min():g}", f"{present.max():g}"] if len(present) else ["", ""]
        )
        missing = f"{1 - len(present) / len(values):.2%}"
        rows.append([variable.name, variable.unit, variable.rule, missing, *extremes])
    columns = ["variable", "unit", "resampled by", "missing", "least", "most"]
    return DescriptionTable(columns, rows)


def _to_the_minute(time: "np.datetime64") -> str:
    return str(time.astype("datetime64[m]")).replace("T", " ")
