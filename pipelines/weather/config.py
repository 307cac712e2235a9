"""The configuration of weather forecasting, with every default."""

import datetime
import itertools
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import pydantic
from pydantic import Field

from ..core.configuration import Config
from ..core.task_config import DataConfig, TaskConfig, TrainingConfig
from ..data.files.table_config import TableConfig
from ..data.series.rules import USUAL_SENTINELS, Kind, Rule
from ..recurrent import CellName, RecurrentConfig


class SplitConfig(Config):
    """The parts in time: by fractions of the steps, or by two dates."""

    train: float = Field(0.7, gt=0, lt=1, description="fraction of the steps")
    validation: float = Field(0.1, gt=0, lt=1, description="fraction of the steps")
    test: float = Field(0.2, ge=0, lt=1, description="fraction of the steps")
    rest: Literal["validation", "test"] = Field(
        "validation", description="the part that gets what rounding down leaves"
    )
    validation_from: str | None = Field(
        None, description="ISO time of its first step; given with test_from"
    )
    test_from: str | None = Field(None, description="ISO time of its first step")

    @pydantic.field_validator("validation_from", "test_from", mode="before")
    @classmethod
    def _dates_as_text(cls, value: object) -> object:
        # YAML reads 2015-01-01 as a date.
        return value.isoformat() if isinstance(value, datetime.date) else value

    @pydantic.model_validator(mode="after")
    def _parts_fit(self) -> "SplitConfig":
        if (self.validation_from is None) != (self.test_from is None):
            raise ValueError("validation_from and test_from are given together")
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(
                f"train, validation and test must add up to 1; received {total:g}"
            )
        return self


# The fields of the section that say how files are read.
_READING = (
    *TableConfig.model_fields.keys() - DataConfig.model_fields.keys(),
    *("time_column", "station_column", "variable_column", "join_files"),
    *("time_zone", "time_format", "kinds", "bounds"),
    *("units", "missing_words", "decimal", "sentinels", "keep_sentinels"),
    *("rows_are_steps", "max_bad_fraction", "min_fraction"),
)


class WeatherDataConfig(TableConfig):
    """Time series of stations, and the windows that are cut from them."""

    renamed_keys: ClassVar[Mapping[str, str]] = {
        "min_share": "min_fraction",
        "max_bad_share": "max_bad_fraction",
    }

    spec: str = Field(
        "sample", min_length=1, description="sample, jena, or a file or folder"
    )
    time_column: str | None = Field(
        None, description="column of the times; found if left out"
    )
    station_column: str | None = Field(
        None, description="column that parts the rows into stations"
    )
    stations: list[str] = Field(
        [],
        description="station to keep, as often as needed; all if left out",
        json_schema_extra={"option": "--station"},
    )
    variable_column: str | None = Field(
        None, description="column that names the variable of each row, in a long form"
    )
    join_files: bool | None = Field(
        None,
        description="take files of equal columns and other times for one station; "
        "those with dates in their names if left out",
    )
    time_zone: str | None = Field(
        None,
        description="of times without an offset, such as Europe/Berlin; one clock all "
        "year round if left out",
    )
    time_format: str | None = Field(
        None, description="of the times, such as %d/%m/%Y %H:%M; found if left out"
    )
    targets: list[str] = Field(
        [],
        description="column or name to forecast, as often as needed; all if left out",
        json_schema_extra={"option": "--target"},
    )
    known_future: list[str] = Field(
        [], description="column known ahead, such as a planned or forecast one"
    )
    calendar: bool = Field(True, description="time of day and of year as inputs")
    step: str | None = Field(
        None, description="to resample to, such as 1h; that of the data if left out"
    )
    resample: dict[str, Rule] = Field(
        {}, description="rule by column; guessed from name and unit for the others"
    )
    kinds: dict[str, Kind] = Field(
        {}, description="what a variable is, by column; guessed for the others"
    )
    bounds: dict[str, tuple[float | None, float | None]] = Field(
        {}, description="least and largest possible value by column, null for none"
    )
    units: dict[str, str] = Field(
        {},
        description="unit to convert to by column, such as degC, or degF to degC where "
        "the file names none",
    )
    min_fraction: float = Field(
        0.5,
        gt=0,
        le=1,
        description="of the values of a resampled step that must be there",
    )
    sentinels: list[float] | dict[str, list[float]] = Field(
        list(USUAL_SENTINELS),
        description="number that stands for a missing value; -9999 and -999 if none is "
        "given; by column in --set",
        json_schema_extra={"option": "--sentinel"},
    )
    missing_words: list[str] = Field(
        [],
        description="word that stands for a missing value, beside the usual ones",
        json_schema_extra={"option": "--missing-word"},
    )
    decimal: Literal[".", ","] | dict[str, Literal[".", ","]] | None = Field(
        None, description="decimal mark of numbers that do not tell it"
    )
    keep_sentinels: bool = Field(
        False, description="leave sentinels as values, as published protocols do"
    )
    rows_are_steps: bool = Field(
        False,
        description="take rows as steps whatever their times say, as published "
        "protocols do",
    )
    max_bad_fraction: float = Field(
        0.05, ge=0, le=1, description="of bad rows or values, over which a run stops"
    )
    split: SplitConfig = SplitConfig()
    history: int = Field(120, ge=1, description="steps that the model looks back on")
    horizon: int = Field(24, ge=1, description="steps that are forecast")
    first_lead: int = Field(
        1, ge=1, description="steps from the end of the history to the first forecast"
    )
    stride: int = Field(1, ge=1, description="steps from training window to window")
    evaluation_stride: int = Field(
        1, ge=1, description="steps from validation or test window to window"
    )
    history_reaches_back: bool = Field(
        True, description="a history may begin in the part before that of its targets"
    )

    def reading(self) -> dict[str, Any]:
        """How files are read: arguments of `load_time_series` beside spec and step."""
        return {
            "resample_rules": self.resample,
            **self.model_dump(include=set(_READING)),
        }


class ModelConfig(RecurrentConfig):
    """The recurrent model."""

    renamed_keys: ClassVar[Mapping[str, str]] = {
        **RecurrentConfig.renamed_keys,
        "members": "ensemble_size",
    }

    kind: Literal["direct", "encoder_decoder", "segments"] = Field(
        "direct",
        description="a head for all lead times; a decoder that is fed its own "
        "forecasts; or segments of each variable's own history, for long horizons",
    )
    cell: CellName = Field("gru", description="of the recurrent layers")
    units: int = Field(64, ge=1)
    depth: int = Field(1, ge=1, le=8, description="recurrent layers of the encoder")
    segment: int = Field(24, ge=1, description="steps of a segment; segments alone")
    context_units: int = Field(
        0, ge=0, description="of a recurrence over all variables; segments alone"
    )
    head_units: int = Field(64, ge=1, description="hidden units of the direct head")
    ensemble_size: int = Field(
        1, ge=1, description="networks side by side, whose forecasts are averaged"
    )
    combine: bool = Field(
        True,
        description="mix the forecast with ridge, climatology, seasonal and last "
        "value, by weights that are fitted on validation",
    )
    level: Literal["last", "mean", "none"] = Field(
        "last",
        description="of the target in the history, to which the forecast is added; "
        "segments hold what differs from it",
    )
    linear: bool = Field(
        True, description="adds a linear forecast from the target's own history"
    )
    input_dropout: float = Field(
        0.0, ge=0, lt=1, description="variational, of what a recurrent layer reads"
    )
    output_dropout: float = Field(
        0.0, ge=0, lt=1, description="variational, of what it puts out"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="before the head")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="that is computed in; weights are always float32"
    )

    @pydantic.model_validator(mode="after")
    def _segments_alone(self) -> "ModelConfig":
        if self.kind == "segments" and self.depth > 1:
            raise ValueError("depth: a model of segments has one recurrent layer")
        if self.kind != "segments" and self.context_units:
            raise ValueError(f"context_units: a {self.kind} model reads all variables")
        return self

    @property
    def has_noise(self) -> bool:
        """Whether training draws noise at all."""
        return bool(
            self.has_recurrent_noise
            or self.input_dropout
            or self.output_dropout
            or self.dropout
        )


class ForecastConfig(Config):
    """What is forecast of each target, and the loss of it."""

    point_loss: Literal["mae", "mse", "huber"] = Field(
        "mae", description="of the point forecast: mae makes it a median, mse a mean"
    )
    quantiles: list[float] = Field(
        [0.1, 0.25, 0.5, 0.75, 0.9], description="learned by the pinball loss"
    )
    quantile_weight: float = Field(
        1.0, gt=0, description="of the pinball loss beside the point's loss"
    )
    conformal: bool = Field(
        True, description="shift the quantiles so that they cover on validation"
    )
    monte_carlo_passes: int = Field(
        0, ge=0, description="with noise left on, for a spread of the model; 0 for none"
    )

    @pydantic.field_validator("quantiles")
    @classmethod
    def _rising_levels(cls, quantiles: list[float]) -> list[float]:
        if not all(0 < quantile < 1 for quantile in quantiles):
            raise ValueError("quantiles lie between 0 and 1")
        if any(one >= other for one, other in itertools.pairwise(quantiles)):
            raise ValueError("quantiles are given from the lowest to the highest")
        return quantiles

    @pydantic.field_validator("monte_carlo_passes")
    @classmethod
    def _one_pass_has_no_spread(cls, passes: int) -> int:
        if passes == 1:
            raise ValueError("monte_carlo_passes: one pass has no spread; give 2 or 0")
        return passes


class EvaluationConfig(Config):
    """Options of an evaluation."""

    backtest: int | None = Field(
        None, ge=2, description="also the metrics of so many stretches of time"
    )


class WeatherConfig(TaskConfig):
    """Everything that a weather run depends on."""

    data: WeatherDataConfig = WeatherDataConfig()
    model: ModelConfig = ModelConfig()
    forecast: ForecastConfig = ForecastConfig()
    training: TrainingConfig = TrainingConfig(
        steps=4000, learning_rate=1e-3, lr_schedule="cosine", warmup_fraction=0.05
    )

    @pydantic.model_validator(mode="after")
    def _spread_needs_noise(self) -> "WeatherConfig":
        if self.forecast.monte_carlo_passes and not self.model.has_noise:
            raise ValueError(
                "forecast.monte_carlo_passes: there is no noise to leave on; give the "
                "model a dropout or zoneout"
            )
        return self
