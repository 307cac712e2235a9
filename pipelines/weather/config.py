"""The configuration of weather forecasting, with every default."""

import datetime
import itertools
from typing import Literal

import pydantic
from pydantic import Field

from ..configuration import Section
from ..datasets.measured_values import USUAL_SENTINELS
from ..datasets.measured_variables import Rule
from ..recurrent_section import RecurrentSection
from ..task import DataSection, TaskSection
from ..training import TrainingSection


class SplitSection(Section):
    """The parts in time: by shares of the steps, or by two dates."""

    train: float = Field(0.7, gt=0, lt=1, description="share of the steps")
    validation: float = Field(0.1, gt=0, lt=1, description="share of the steps")
    test: float = Field(0.2, ge=0, lt=1, description="share of the steps")
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
    def _parts_fit(self) -> "SplitSection":
        if (self.validation_from is None) != (self.test_from is None):
            raise ValueError("validation_from and test_from are given together")
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(
                f"train, validation and test must add up to 1; received {total:g}"
            )
        return self


class WeatherDataSection(DataSection):
    """Time series of stations, and the windows that are cut from them."""

    spec: str = Field(
        "sample", min_length=1, description="sample, jena, or a file or folder"
    )
    time_column: str | None = Field(None, description="found if null")
    station_column: str | None = Field(
        None, description="parts the rows into stations; a folder has one per file"
    )
    time_zone: str | None = Field(
        None,
        description="of stamps without an offset, for example Europe/Berlin; null: one "
        "clock all year round",
    )
    targets: list[str] = Field(
        [], description="columns or names to forecast; all if empty"
    )
    known_future: list[str] = Field(
        [], description="columns known ahead, for example planned or forecast ones"
    )
    calendar: bool = Field(True, description="time of day and of year as inputs")
    step: str | None = Field(
        None, description="for example 1h; the data's own step if null"
    )
    resample: dict[str, Rule] = Field(
        {}, description="rule by column; guessed from name and unit for the others"
    )
    min_share: float = Field(
        0.5, gt=0, le=1, description="of a coarse step that must be there"
    )
    sentinels: list[float] = Field(
        list(USUAL_SENTINELS), description="numbers that stand for a missing value"
    )
    keep_sentinels: bool = Field(
        False, description="leave them as values, as published protocols do"
    )
    rows_are_steps: bool = Field(
        False,
        description="take rows as steps whatever their stamps say, as published "
        "protocols do",
    )
    max_bad_share: float = Field(
        0.05, ge=0, le=1, description="of bad rows or values, over which a run stops"
    )
    split: SplitSection = SplitSection()
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
        True, description="the history of a window may lie in the part before its own"
    )


class ModelSection(RecurrentSection):
    """The recurrent model."""

    kind: Literal["direct", "encoder_decoder", "segments"] = Field(
        "direct",
        description="a head for all lead times; a decoder that is fed its own "
        "forecasts; or segments of each variable's own history, for long horizons",
    )
    cell: Literal["vanilla", "gru", "lstm"] = "gru"
    units: int = Field(64, ge=1)
    depth: int = Field(1, ge=1, le=8, description="recurrent layers of the encoder")
    segment: int = Field(24, ge=1, description="steps of a segment; segments alone")
    context_units: int = Field(
        0, ge=0, description="of a recurrence over all variables; segments alone"
    )
    head_units: int = Field(64, ge=1, description="hidden units of the direct head")
    members: int = Field(
        1, ge=1, description="networks side by side, whose forecasts are averaged"
    )
    level: Literal["last", "mean", "none"] = Field(
        "last",
        description="of the target in the history, to which the forecast is added; "
        "segments hold what differs from it",
    )
    linear: bool = Field(
        True, description="adds a linear forecast from the target's own history"
    )
    input_dropout: float = Field(0.0, ge=0, lt=1, description="variational")
    state_dropout: float = Field(0.0, ge=0, lt=1, description="variational")
    output_dropout: float = Field(0.0, ge=0, lt=1, description="variational")
    dropout: float = Field(0.0, ge=0, lt=1, description="before the head")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="that is computed in; weights are always float32"
    )

    @pydantic.model_validator(mode="after")
    def _segments_alone(self) -> "ModelSection":
        if self.kind == "segments" and self.depth > 1:
            raise ValueError("depth: a model of segments has one recurrent layer")
        if self.kind != "segments" and self.context_units:
            raise ValueError(f"context_units: a {self.kind} model reads all variables")
        return self


class ForecastSection(Section):
    """What is forecast of each target, and how it is judged in training."""

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
    def _rising_shares(cls, quantiles: list[float]) -> list[float]:
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


class WeatherConfiguration(TaskSection):
    """Everything that a weather run depends on."""

    data: WeatherDataSection = WeatherDataSection()
    model: ModelSection = ModelSection()
    forecast: ForecastSection = ForecastSection()
    training: TrainingSection = TrainingSection(
        epochs=10, learning_rate=1e-3, decay="cosine", warmup_steps=100
    )

    @pydantic.model_validator(mode="after")
    def _spread_needs_noise(self) -> "WeatherConfiguration":
        model = self.model
        rates = (
            model.input_dropout,
            model.state_dropout,
            model.output_dropout,
            model.zoneout_hidden,
            model.zoneout_cell,
            model.dropout,
        )
        if self.forecast.monte_carlo_passes and not any(rates):
            raise ValueError(
                "forecast.monte_carlo_passes: there is no noise to leave on; give the "
                "model a dropout or zoneout"
            )
        return self
