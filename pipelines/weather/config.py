"""The configuration of weather forecasting, with every default."""

from typing import Literal

import pydantic
from pydantic import Field

from ..configuration import Section
from ..datasets.measured_values import USUAL_SENTINELS
from ..datasets.measured_variables import Rule
from ..task import DataSection


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
