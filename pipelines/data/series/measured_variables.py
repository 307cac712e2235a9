"""Measured variables: name and unit from a header, and the rule of resampling."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from ...core.errors import UserError
from .rules import Rule

RULES: tuple[Rule, ...] = get_args(Rule)

_NAME_AND_UNIT = re.compile(r"(?P<name>.*\S)\s*[(\[](?P<unit>[^()\[\]]*)[)\]]")
# A header that was once read in the wrong encoding has U+FFFD for its letters.
_LOST_LETTERS = (
    (re.compile("\ufffd+mol"), "µmol"),
    (re.compile("(?<=m)\ufffd+"), "²"),
    (re.compile("^\ufffd+(?=C$|F$|$)"), "°"),
)
_DEGREES = ("deg", "degree", "degrees", "°")
_DIRECTION = re.compile(r"^wd|dir(ection)?\b|richtung|_dir$|^dd$", re.IGNORECASE)
_AMOUNT = re.compile(
    r"rain|precip|prcp|snowfall|niederschlag|sunshine|^tp$|^rr$", re.IGNORECASE
)
_RATE = re.compile(r"/\s*h|/\s*s|h-1|s-1|rate|intensity", re.IGNORECASE)
_EXTREMES: tuple[tuple[Rule, re.Pattern[str]], ...] = (
    ("max", re.compile(r"(?:^|[^a-z])max|maximum|gust|[^a-z]fx$", re.IGNORECASE)),
    ("min", re.compile(r"(?:^|[^a-z])min(?:imum|[^a-z]|$)", re.IGNORECASE)),
)


@dataclass(frozen=True)
class Variable:
    """One measured quantity.

    Args:
        column: the header as it stands in the data.
        name: the header without its unit; the whole header where two would be equal.
        unit: what stood in round or square brackets behind the name; may be empty.
        rule: how steps are put together into a coarser one.
    """

    column: str
    name: str
    unit: str
    rule: Rule


def variables_of(
    columns: Sequence[str], rules: Mapping[str, Rule] | None = None
) -> tuple[Variable, ...]:
    """The variables of these columns.

    The rule is the one given for the column or the name, or is guessed: ``circular``
    for a direction in degrees, ``sum`` for amounts and durations of rain (not for
    rates), ``max`` and ``min`` where the name says so, otherwise ``mean``.

    Raises:
        UserError: a rule is given for an unknown column.
    """
    parts = [split_unit(column) for column in columns]
    names = Counter(name for name, _ in parts)
    rules = dict(rules or {})
    variables = []
    for column, (name, unit) in zip(columns, parts, strict=True):
        unique = name if names[name] == 1 else column
        given = [rules.pop(key) for key in (column, unique) if key in rules]
        rule = given[0] if given else guess_rule(name, unit)
        variables.append(Variable(column, unique, unit, rule))
    for unknown in rules:
        raise UserError(
            f"data.resample: no column {unknown!r}; the columns are "
            f"{', '.join(columns)}"
        )
    return tuple(variables)


def split_unit(column: str) -> tuple[str, str]:
    """``"T (degC)"`` as ``("T", "degC")``; the unit is empty where there is none."""
    match = _NAME_AND_UNIT.fullmatch(column.strip())
    if match is None:
        return column.strip(), ""
    unit = match["unit"].strip()
    for lost, letter in _LOST_LETTERS:
        unit = lost.sub(letter, unit)
    return match["name"].strip(), unit


def guess_rule(name: str, unit: str) -> Rule:
    """The rule that name and unit suggest; see ``variables_of``."""
    if _DIRECTION.search(name) and (not unit or unit.lower() in _DEGREES):
        return "circular"
    if _AMOUNT.search(name) and not _RATE.search(unit) and not _RATE.search(name):
        return "sum"
    for rule, pattern in _EXTREMES:
        if pattern.search(name):
            return rule
    return "mean"


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
