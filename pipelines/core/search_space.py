"""Which values of a configuration `recurra tune` tries.

A task that says nothing is searched by what its configuration shares with others: the
learning rate, and of each recurrent section units and dropout. `search_space` of its
`TaskDefinition` adds keys, and takes some away.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from ..recurrent import CELLS, RecurrentConfig
from .configuration import Config
from .errors import UserError
from .task_config import TaskConfig


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones if both are int.

    Attributes:
        low: The least.
        high: The largest.
        log: Whether factors count, and not differences.
    """

    low: float
    high: float
    log: bool = False

    def __contains__(self, value: Any) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{' (log)' if self.log else ''}"


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of some values: numbers, words, true or false, or null."""

    values: tuple[Any, ...]

    def __contains__(self, value: Any) -> bool:
        return value in self.values

    def __str__(self) -> str:
        return ", ".join(map(str, self.values))


#: By dotted key of the configuration.
SearchSpace = Mapping[str, Range | Choice]

_DROPOUTS = ("dropout", "input_dropout", "output_dropout", "recurrent_dropout")
_DROPPED = Range(0.0, 0.6)


def space_of(
    configuration: TaskConfig, own: Mapping[str, Range | Choice | None]
) -> dict[str, Range | Choice]:
    """What is searched around a configuration.

    Args:
        configuration: From which ranges of sizes and rates are taken.
        own: Of the task: keys to add, and with None keys to leave out.
    """
    rate = configuration.training.learning_rate
    space = {
        "training.learning_rate": Range(rate / 10, rate * 10, log=True),
        **dict(_recurrent(configuration, "")),
    }
    return {key: each for key, each in {**space, **own}.items() if each is not None}


def _recurrent(section: Config, prefix: str) -> Iterator[tuple[str, Range | Choice]]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Config):
            yield from _recurrent(value, f"{prefix}{name}.")
    if not isinstance(section, RecurrentConfig):
        return
    units = getattr(section, "units", None)
    if isinstance(units, int):
        yield f"{prefix}units", Range(max(1, units // 4), units * 2, log=True)
    for name in _DROPOUTS:
        if name == "recurrent_dropout" and name not in CELLS[section.cell].takes:
            continue
        if isinstance(getattr(section, name, None), float):
            yield f"{prefix}{name}", _DROPPED


def given_space(values: Mapping[str, Any]) -> dict[str, Range | Choice]:
    """What `--search KEY=VALUES` asks for.

    Args:
        values: Nested by section: a list of values, or `low`, `high` and perhaps `log`.

    Raises:
        UserError: It is neither.
    """
    space: dict[str, Range | Choice] = {}

    def add(key: str, value: Any) -> None:
        if isinstance(value, list) and value:
            space[key] = Choice(tuple(value))
        elif isinstance(value, Mapping) and "low" in value:
            space[key] = _range(key, value)
        elif isinstance(value, Mapping):
            for name, inner in value.items():
                add(f"{key}.{name}" if key else str(name), inner)
        else:
            raise UserError(
                f"--search {key}: expected [a, b, ...], or {{low: a, high: b, "
                f"log: true}}; received {value!r}"
            )

    add("", values)
    return space


def _range(key: str, value: Mapping[str, Any]) -> Range:
    low, high, log = value["low"], value.get("high"), value.get("log", False)
    if (
        value.keys() - {"low", "high", "log"}
        or not isinstance(low, int | float)
        or not isinstance(high, int | float)
        or low >= high
        or (log and low <= 0)
    ):
        raise UserError(
            f"--search {key}: low and high must be numbers, low the smaller one and, "
            f"with log, more than 0; received {dict(value)!r}"
        )
    return Range(low, high, bool(log))


def value_at(configuration: Config, key: str) -> Any:
    """The value of a dotted key. Raises UserError where there is no such key."""
    value: Any = configuration
    for name in key.split("."):
        if not isinstance(value, Config) or name not in type(value).model_fields:
            raise UserError(f"--search {key}: the configuration has no such key")
        value = getattr(value, name)
    return value


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted key as sections."""
    sections: dict[str, Any] = {}
    for key, value in values.items():
        *parents, last = key.split(".")
        target = sections
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = value
    return sections
