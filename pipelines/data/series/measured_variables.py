"""Measured variables: name and unit from a header, kind, bounds, rule of resampling."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...core.errors import UserError
from .rules import Kind, Rule
from .variable_words import kind_of, rule_of

_TURN = 360.0

_NAME_AND_UNIT = re.compile(r"(?P<name>.*\S)\s*[(\[](?P<unit>[^()\[\]]*)[)\]]")
# Of a logger: its number, and that of its sensor, stand in the brackets.
_NAME_UNIT_LOGGER = re.compile(
    r"(?P<name>[^,]*[^,\s])\s*,\s*(?P<unit>[^,()\s][^,()]*?)\s*\((?:LGR|SEN)\b.*\)"
)
# A header that was once read in the wrong encoding has U+FFFD for its letters.
_LOST_LETTERS = (
    (re.compile("\ufffd+mol"), "µmol"),
    (re.compile("(?<=m)\ufffd+"), "²"),
    (re.compile("^\ufffd+(?=C$|F$|$)"), "°"),
)
#: Least and largest possible value, None where there is none.
Bounds = tuple[float | None, float | None]
_BOUNDS: dict[Kind, Bounds] = {
    "amount": (0.0, None),
    "magnitude": (0.0, None),
    "percentage": (0.0, 100.0),
}


@dataclass(frozen=True)
class Variable:
    """One measured quantity.

    Args:
        column: the header as it stands in the data.
        name: the header without its unit; the whole header where two would be equal.
        unit: what stood in round or square brackets behind the name; may be empty.
        rule: how steps are put together into a coarser one.
        kind: what it is, which scaling, model, baselines and metrics go by.
        bounds: least and largest possible value, None where there is none.
    """

    column: str
    name: str
    unit: str
    rule: Rule
    kind: Kind = "number"
    bounds: Bounds = (None, None)


def variables_of(
    columns: Sequence[str],
    rules: Mapping[str, Rule] | None = None,
    *,
    kinds: Mapping[str, Kind] | None = None,
    bounds: Mapping[str, Bounds] | None = None,
    units: Mapping[str, str] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> tuple[Variable, ...]:
    """The variables of these columns.

    What is not given is guessed by the words of name and unit, as in `variable_words`.
    The values have the last word on a guess: no amount and no magnitude has one below
    0, and no direction one beyond a turn.

    Args:
        columns: the headers.
        rules: of resampling, by column or name, as are the next two.
        kinds: what variables are.
        bounds: least and largest possible value.
        units: by column, where the header has none.
        ranges: least and largest value by column.

    Raises:
        UserError: something is given for an unknown column.
    """
    parts = [split_unit(column) for column in columns]
    names = Counter(name for name, _ in parts)
    variables = []
    for column, (name, unit) in zip(columns, parts, strict=True):
        unique = name if names[name] == 1 else column
        unit = (units or {}).get(column, unit)
        least, most = (ranges or {}).get(column, (math.nan, math.nan))
        kind = _given(kinds, column, unique)
        if kind is None:
            kind = _kind_that_fits(kind_of(name, unit), least, most)
        rule = _given(rules, column, unique) or rule_of(name, kind)
        limits = _given(bounds, column, unique)
        if limits is None:
            limits = _bounds_that_fit(kind, unit, least, most)
        variables.append(Variable(column, unique, unit, rule, kind, limits))
    for key, asked in (("resample", rules), ("kinds", kinds), ("bounds", bounds)):
        refuse_unknown(f"data.{key}", asked or (), variables)
    return tuple(variables)


def refuse_unknown(
    key: str, asked: Iterable[str], variables: Sequence[Variable]
) -> None:
    """Raises UserError where a key says something of no column and no name."""
    known = {each for one in variables for each in (one.column, one.name)}
    for unknown in asked:
        if unknown not in known:
            columns = ", ".join(variable.column for variable in variables)
            raise UserError(f"{key}: no column {unknown!r}; the columns are {columns}")


def _given(by_name: Mapping[str, Any] | None, column: str, name: str) -> Any:
    return (by_name or {}).get(column, (by_name or {}).get(name))


def _kind_that_fits(kind: Kind, least: float, most: float) -> Kind:
    if kind in ("amount", "magnitude", "percentage") and least < 0:
        return "number"
    if kind == "direction" and (least < -_TURN or most > _TURN):
        return "number"
    return kind


def _bounds_that_fit(kind: Kind, unit: str, least: float, most: float) -> Bounds:
    low, high = _BOUNDS.get(kind, (None, None))
    if kind == "percentage" and most > 100:
        return low, None
    # A share of one, where no unit says percent.
    if kind == "percentage" and not unit and most <= 1:
        return low, 1.0
    return low, high


def split_unit(column: str) -> tuple[str, str]:
    """``"T (degC)"`` as ``("T", "degC")``; the unit is empty where there is none."""
    match = _NAME_UNIT_LOGGER.fullmatch(column.strip())
    match = match or _NAME_AND_UNIT.fullmatch(column.strip())
    if match is None:
        return column.strip(), ""
    unit = match["unit"].strip()
    for lost, letter in _LOST_LETTERS:
        unit = lost.sub(letter, unit)
    return match["name"].strip(), unit


def find_variable(variables: Sequence[Variable], asked: str, option: str) -> int:
    """The number of the variable that is asked for by its column or its name.

    Raises:
        UserError: there is none.
    """
    for number, variable in enumerate(variables):
        if asked.strip() in (variable.column, variable.name):
            return number
    names = ", ".join(variable.name for variable in variables)
    raise UserError(f"{option}: no variable {asked!r}; there are {names}")
