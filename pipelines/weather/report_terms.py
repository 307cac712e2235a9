"""What a report is on, and the words and numbers that it says it with."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..data.series.measured_variables import Variable
from ..reporting.page import is_drawable
from .correction import directions_of
from .evaluation import MODEL, RECURRENT

BASELINE_NAMES = {
    RECURRENT: "recurrent forecast alone",
    "repeat_last": "last value repeated",
    "seasonal_naive": "seasonal naive",
    "climatology": "climatology",
    "ridge": "ridge on lags and calendar",
}

# Of many targets the first are drawn and all stand in the tables.
_DRAWN_TARGETS = 4
# A long name's head and tail are drawn: what tells it from others is often its tail.
_DRAWN_HEAD, _DRAWN_TAIL = 12, 7
_DAY = 86_400
_UNITS = {"degC": "°C", "degF": "°F", "deg": "°"}
_POWERS = {"**2": "²", "**3": "³", "^2": "²", "^3": "³"}

Values = Mapping[str, float | None]


@dataclass(frozen=True)
class Terms:
    """What is forecast, and the words for it.

    Attributes:
        targets: `T` variables.
        step_seconds: From step to step of the series.
        leads: `H` steps from the origin.
        levels: `Q` quantiles; empty where none is stated.
    """

    targets: Sequence[Variable]
    step_seconds: int
    leads: Sequence[int]
    levels: Sequence[float]

    @property
    def unit(self) -> str | None:
        """The one of all targets; None where they cannot be put together."""
        units = {shown_unit(target) for target in self.targets}
        if len(units) > 1 or (len(self.targets) > 1 and units == {""}):
            return None
        return units.pop()

    @property
    def error(self) -> str:
        """The key of the error that systems are compared by."""
        return "mae_standardised" if self.unit is None else "mae"

    @property
    def error_name(self) -> str:
        """For sentences."""
        prefix = "standardised " if self.unit is None else ""
        return f"{prefix}mean absolute error"

    @property
    def error_label(self) -> str:
        """For axes and headings."""
        return "MAE (standardised)" if self.unit is None else f"MAE{bracket(self.unit)}"

    @property
    def drawn_targets(self) -> Sequence[Variable]:
        """The first, of which there are figures."""
        return self.targets[:_DRAWN_TARGETS]

    @property
    def directions(self) -> tuple[int, ...]:
        """The numbers of the targets that are directions."""
        return directions_of(self.targets)

    @property
    def drawn_labels(self) -> list[str]:
        """Name and unit of each of them, as a figure can show it."""
        return [
            drawn_name(target, number) + bracket(shown_unit(target))
            for number, target in enumerate(self.drawn_targets)
        ]

    def time_axis(self, steps: Iterable[int]) -> tuple[np.ndarray, str]:
        """Steps in the unit of time that suits the longest, and its name."""
        seconds = np.array(list(steps)) * self.step_seconds
        longest = np.abs(seconds).max()
        if longest > 4 * _DAY:
            return seconds / _DAY, "days"
        return (seconds / 60, "min") if longest < 2 * 3600 else (seconds / 3600, "h")

    def duration(self, steps: int) -> str:
        """For example 24 h."""
        values, unit = self.time_axis([steps])
        return f"{values[0]:.4g}\N{NO-BREAK SPACE}{unit}"


def shown_unit(variable: Variable) -> str:
    """The unit with the usual signs, for example °C for degC."""
    unit = _UNITS.get(variable.unit, variable.unit)
    for written, sign in _POWERS.items():
        unit = unit.replace(written, sign)
    return unit


def shown_name(variable: Variable) -> str:
    """Name and unit, for example T (°C)."""
    return variable.name + bracket(shown_unit(variable))


def drawn_name(variable: Variable, number: int) -> str:
    """The name as a figure can show it; a number, from 1, where no font can."""
    name = " ".join(variable.name.split())
    if not is_drawable(name):
        return str(number + 1)
    if len(name) <= _DRAWN_HEAD + 1 + _DRAWN_TAIL:
        return name
    return f"{name[:_DRAWN_HEAD].rstrip()}…{name[-_DRAWN_TAIL:].lstrip()}"


def numbered_name(variable: Variable, number: int) -> str:
    """Name and unit, after the number that stands for the name in figures, if any."""
    is_number = drawn_name(variable, number) == str(number + 1) != variable.name
    return (
        f"{number + 1}: {shown_name(variable)}" if is_number else shown_name(variable)
    )


def system_name(name: str) -> str:
    """For headings and legends."""
    spoken = "this model" if name == MODEL else baseline_name(name)
    return spoken[:1].upper() + spoken[1:]


def baseline_name(name: str) -> str:
    """For sentences."""
    return BASELINE_NAMES.get(name, name.replace("_", " "))


def bracket(unit: str) -> str:
    """The unit behind a name."""
    return f" ({unit})" if unit else ""


def quantity(value: float, unit: str | None = None) -> str:
    """Three digits that count, and the unit."""
    behind = f"\N{NO-BREAK SPACE}{unit}" if unit else ""
    return f"{value:,.{digits_of(value)}f}{behind}"


def digits_of(value: float) -> int:
    """Behind the point, so that three count."""
    if value == 0:
        return 1
    return min(max(2 - math.floor(math.log10(abs(value))), 0), 6)


def percent(fraction: float, digits: int = 1) -> str:
    """A fraction, for people."""
    return f"{100 * fraction:.{digits}f}\N{NO-BREAK SPACE}%"


def counted(values: Values) -> dict[str, float]:
    """Without the metrics for which nothing was counted."""
    return {key: float(value) for key, value in values.items() if value is not None}


def as_floats(values: Sequence[float | None]) -> np.ndarray:
    """With NaN for what was not counted."""
    return np.array([np.nan if value is None else value for value in values], float)
