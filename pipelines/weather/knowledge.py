"""What a run knows of its series without the data."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..datasets.measured_variables import Variable
from .windows import WindowShape


@dataclasses.dataclass(frozen=True)
class SeriesKnowledge:
    """Learned with the preprocessing, written to the run's assets.

    Attributes:
        variables: F, in the order of the history's last axis.
        shape: What a window holds.
        step_seconds: From step to step.
        naive_errors: Of each target, see `metrics.naive_errors`; NaN where unknown.
    """

    variables: tuple[Variable, ...]
    shape: WindowShape
    step_seconds: int
    naive_errors: np.ndarray

    @property
    def targets(self) -> tuple[Variable, ...]:
        return tuple(self.variables[number] for number in self.shape.targets)

    @property
    def known_future(self) -> tuple[Variable, ...]:
        return tuple(self.variables[number] for number in self.shape.known_future)

    def as_dict(self) -> dict[str, Any]:
        return {
            "variables": [vars(variable) for variable in self.variables],
            "shape": vars(self.shape),
            "step_seconds": self.step_seconds,
            "naive_errors": [
                float(error) if np.isfinite(error) else None
                for error in self.naive_errors
            ],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SeriesKnowledge":
        shape = dict(values["shape"])
        for name in ("targets", "known_future"):
            shape[name] = tuple(shape[name])
        return cls(
            tuple(Variable(**variable) for variable in values["variables"]),
            WindowShape(**shape),
            values["step_seconds"],
            np.array(values["naive_errors"], np.float64),
        )
