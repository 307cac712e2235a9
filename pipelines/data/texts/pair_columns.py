"""Which columns of a table hold the two sides of sentence pairs."""

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import regex

from ...core.errors import UserError
from ..files.tables import is_missing
from ..reading import Decision
from ..splits import splits_among, warn_of_split_column
from .languages import find_languages, language_called, told_apart
from .pair_rows import Sides
from .usual_names import SIDE_COLUMNS

# Names of further columns that make a line a header beside a language.
_USUAL = frozenset(
    (*itertools.chain(*SIDE_COLUMNS), "id", "text", "sentence", "translation", "mt")
)
_NUMBERS = "numbers alone"
_SAMPLED_ROWS = 1_000
_MOSTLY = 0.95
_LEAST_FILLED = 0.5
_FEW_VALUES = 20
_LONGEST_CODE = 3
# In words.
_LONGEST_NAME = 3
_LETTER = regex.compile(r"\p{L}")
# What no name of a column looks like: four words, or the end of a sentence.
_SENTENCE = regex.compile(r"\S\s+\S+\s+\S+\s+\S|[.!?。！？]\s*$")
_SENTENCE_END = regex.compile(r"[.!?。！？]\s*$")
_IDENTIFIER = regex.compile(r"[\w.:/#-]*\d[\w.:/#-]*")
_NOTE = regex.compile(r"https?://|www\.|©|\bCC[- ]BY\b|\bCC0\b", regex.IGNORECASE)


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        name: of the header, or None where there is none.
        sample: values from the whole column, the missing ones left out.
        filled: the fraction of its rows that have a value.
    """

    name: str | None
    sample: Sequence[Any]
    filled: float

    @functools.cached_property
    def no_text(self) -> str:
        """Why its values are no sentences, in words; empty where they may be."""
        if not self.sample:
            return "empty"
        if self.filled < _LEAST_FILLED:
            return "mostly empty"
        if not all(isinstance(value, str) for value in self.sample):
            return "no texts"
        if self._mostly(lambda text: not _LETTER.search(text)):
            return _NUMBERS
        if self._mostly(_IDENTIFIER.fullmatch):
            return "identifiers"
        if self._mostly(_NOTE.search):
            return "addresses and licences"
        different = set(self.sample)
        few = len(different) <= min(_FEW_VALUES, len(self.sample) // 10)
        if few and all(len(value.split()) == 1 for value in different):
            return f"{len(different)} different words"
        return ""

    def _mostly(self, holds: Callable[[str], Any]) -> bool:
        return sum(map(bool, map(holds, self.sample))) >= _MOSTLY * len(self.sample)


def spread(values: Sequence[Any]) -> list[Any]:
    """Of many values some from all parts of them, the first and the last included."""
    if not len(values):
        return []
    rows = np.unique(np.linspace(0, len(values) - 1, _SAMPLED_ROWS).astype(int))
    return [values[row] for row in rows]


def sampled(values: Sequence[Any], name: str | None) -> Column:
    """A column of all its values."""
    chosen = spread(values)
    there = [each for each in chosen if not is_missing(each) and str(each).strip()]
    return Column(name, there, len(there) / max(1, len(chosen)))


def find_named(names: Sequence[str], sides: Sides) -> tuple[int | None, int | None]:
    """The columns whose names say that they hold a side.

    A column is named by the language, in whatever language or among other words
    ("text_en"), or else by one of the usual names.
    """
    listed = [name.strip() for name in names]
    found = list(find_languages(listed, sides.source, sides.target))
    for side, language in enumerate((sides.source, sides.target)):
        code = language_called(language)
        if found[side] is None and code is not None:
            same = [
                name
                for name in listed
                if name not in found and code in map(language_called, _words(name))
            ]
            found[side] = same[0] if len(same) == 1 else None
    for side, usual in enumerate(sides.columns):
        free = {name.lower(): name for name in listed if name not in found}
        if found[side] is None:
            found[side] = next((free[name] for name in usual if name in free), None)
    one, other = (None if name is None else listed.index(name) for name in found)
    return one, other


def is_header(
    cells: Sequence[str], below: Sequence[Column], sides: Sides
) -> bool | None:
    """Whether a first line is a header, by its words and by what stands below it.

    Returns:
        None where they do not say.
    """
    cells = [cell.strip() for cell in cells]
    pairs = list(zip(cells, below, strict=False))
    if len(cells) < 2 or any(cell in column.sample for cell, column in pairs if cell):
        return None if len(cells) < 2 else False
    if any(
        _LETTER.search(cell) and column.no_text == _NUMBERS for cell, column in pairs
    ):
        return True
    known = [
        cell.lower() in _USUAL
        or (len(cell) > _LONGEST_CODE and language_called(cell) is not None)
        for cell in cells
    ]
    are_short = all(len(cell.split()) <= _LONGEST_NAME for cell in cells)
    if None not in find_named(cells, sides) or (sum(known) >= 2 and are_short):
        return True
    return False if is_row(cells, sides) else None


def is_row(cells: Sequence[str], sides: Sides) -> bool:
    """Whether a first line is no header, but sentences."""
    return find_named(cells, sides) == (None, None) and any(
        map(_SENTENCE.search, cells)
    )


def find_columns(columns: Sequence[Column], sides: Sides, file: str) -> tuple[int, int]:
    """Decides which columns hold the sides, and notes it in the plan.

    Args:
        columns: All of the table.
        sides: What is asked for.
        file: For messages.

    Returns:
        The numbers of the columns, from 0.

    Raises:
        UserError: There are no such columns.
    """
    both = functools.cache(lambda: _guess(columns, sides, file))
    keys = ("source_column", "target_column")

    def guess(side: int) -> Decision:
        """The guess for a side, or for the other one if that was given this column."""
        given = _position(columns, sides.plan.given(keys[1 - side]))
        decision = both()[side]
        taken = given is not None and given == _position(columns, decision.value)
        return both()[1 - side] if taken else decision

    found: list[int] = []
    for side, key in enumerate(keys):
        value = sides.plan.decide(
            key,
            functools.partial(guess, side),
            fits=lambda value: _position(columns, value, as_training=True) is not None,
            file=file,
        )
        position = _position(columns, value)
        if position is None:
            raise UserError(
                f"{file}: no column {value!r} for data.{key}; its columns are "
                f"{_shown(columns)}"
            )
        found.append(position)
    if found[0] == found[1]:
        raise UserError(
            f"{file}: the column {_label(columns, found[0])} cannot be both source and "
            "target; choose by --source-column and --target-column"
        )
    for number, column in enumerate(columns):
        role = "ignored"
        if number in found:
            role = ("source", "target")[found.index(number)]
        evidence = column.no_text or "text"
        sides.plan.column(_label(columns, number), role, evidence)
        if role == "ignored":
            label = _label(columns, number)
            splits = splits_among(column.sample) or ()
            if label != sides.plan.given("split_column"):
                warn_of_split_column(label, splits, file, sides.plan)
    _warn_of_languages(columns, found, sides, file)
    warn_if_swapped(columns[found[0]].sample, columns[found[1]].sample, sides, file)
    return found[0], found[1]


def warn_if_swapped(
    source: Sequence[Any], target: Sequence[Any], sides: Sides, file: str
) -> None:
    """Warns where the words of each side are in the language of the other."""
    texts, others = (
        [text for text in side if isinstance(text, str)] for side in (source, target)
    )
    if told_apart(texts, others, sides.source, sides.target) is False:
        sides.plan.warn(
            f"{file}: what is taken for {sides.source} seems to be {sides.target}, and "
            "the other way round; other names of files, or data.source_column and "
            "data.target_column, choose"
        )


def _warn_of_languages(
    columns: Sequence[Column], found: Sequence[int], sides: Sides, file: str
) -> None:
    """Warns where a column says that the rows are in more than one language."""
    for number, column in enumerate(columns):
        values = {str(value).strip() for value in column.sample}
        if number in found or not 2 <= len(values) <= _FEW_VALUES:
            continue
        codes = {language_called(value) for value in values}
        if None not in codes and len(codes) > 1:
            sides.plan.warn(
                f"{file}: the column {_label(columns, number)} holds the languages "
                f"{', '.join(sorted(values))}; all rows are read as {sides.source} and "
                f"{sides.target}, those of other languages or directions too"
            )


def find_source_column(columns: Sequence[Column], sides: Sides, file: str) -> int:
    """Decides which column holds what is to be translated, where no target need be.

    Args:
        columns: All of the table.
        sides: What is asked for; its plan may know of training.
        file: For messages.

    Returns:
        The number of the column, from 0.

    Raises:
        UserError: There is no such column.
    """

    def guess() -> Decision:
        named, _ = find_named([column.name or "" for column in columns], sides)
        if named is not None:
            return Decision(_value(columns, named), "by its name")
        texts = [number for number, column in enumerate(columns) if not column.no_text]
        if len(texts) > 1:
            both = _in_their_languages(columns, texts, sides)
            texts = texts[:1] if both is None else both
        if not texts:
            raise UserError(
                f"{file}: no column of texts; its columns are {_shown(columns)}; "
                "choose by --text-column"
            )
        return Decision(_value(columns, texts[0]), "text")

    value = sides.plan.decide(
        "source_column",
        guess,
        fits=lambda value: _position(columns, value, as_training=True) is not None,
        file=file,
    )
    position = _position(columns, value)
    if position is None:
        raise UserError(
            f"{file}: no column {value!r}; its columns are {_shown(columns)}"
        )
    return position


def _guess(
    columns: Sequence[Column], sides: Sides, file: str
) -> tuple[Decision, Decision]:
    names = [column.name or "" for column in columns]
    named = find_named(names, sides)
    found = [number for number in named if number is not None]
    if len(found) == 2:
        evidence = "by its name"
        return _decisions(columns, found, evidence)
    texts = [
        number
        for number, column in enumerate(columns)
        if not (column.no_text or number in found or _is_other_language(column, sides))
    ]
    has_names = any(names)
    if found and len(texts) == 1:
        # One side is named, and one column is left.
        filled = [texts[0] if number is None else number for number in named]
        return _decisions(columns, filled, "the one other column of text")
    if not found and len(columns) == 2 and not has_names:
        texts = [0, 1]
    if found or len(texts) < 2:
        raise UserError(
            f"{file}: no columns for {sides.source} and {sides.target}; its columns "
            f"are {_shown(columns)}; choose by --source and --target, or by "
            "--source-column and --target-column"
        )
    others = [
        f"{_label(columns, number)} holds {column.no_text}"
        for number, column in enumerate(columns)
        if number not in texts
    ]
    evidence = "; ".join(["text", *others])
    both = _in_their_languages(columns, texts, sides)
    if both is not None:
        evidence = f"in its language by its words; {evidence}"
        return _decisions(columns, both, evidence)
    chosen = texts[:2]
    if has_names or len(texts) > 2:
        labels = [_label(columns, number) for number in chosen]
        sides.plan.warn(
            f"{file}: the columns {labels[0]} and {labels[1]} are taken for "
            f"{sides.source} and {sides.target} by their order; data.source_column and "
            "data.target_column choose"
        )
    return _decisions(columns, chosen, evidence, "another order of the columns")


def _in_their_languages(
    columns: Sequence[Column], texts: Sequence[int], sides: Sides
) -> list[int] | None:
    """Of columns of text the first two whose words are of source and of target."""
    for one, other in itertools.combinations(texts, 2):
        order = told_apart(
            columns[one].sample, columns[other].sample, sides.source, sides.target
        )
        if order is not None:
            return [one, other] if order else [other, one]
    return None


def _is_other_language(column: Column, sides: Sides) -> bool:
    """Whether its name is a language that is not asked for."""
    called = None if column.name is None else language_called(column.name)
    asked = map(language_called, (sides.source, sides.target))
    return called is not None and called not in asked


def _decisions(
    columns: Sequence[Column],
    both: Sequence[int],
    evidence: str,
    alternative: str = "",
) -> tuple[Decision, Decision]:
    one, other = (
        Decision(_value(columns, number), evidence, alternative) for number in both
    )
    return one, other


def _value(columns: Sequence[Column], number: int) -> str | int:
    """As the key takes it: a name, or the number from 1 where there is none."""
    name = columns[number].name
    return number + 1 if name is None else name


def _label(columns: Sequence[Column], number: int) -> str:
    return str(_value(columns, number))


def _shown(columns: Sequence[Column]) -> str:
    """Their names; of those without a name what they hold."""
    return ", ".join(
        f"{number} ({column.no_text or 'text'})"
        if column.name is None
        else column.name[:40]
        for number, column in enumerate(columns[:20], start=1)
    )


def _position(
    columns: Sequence[Column], value: str | int | None, *, as_training: bool = False
) -> int | None:
    """The number from 0 of the column of a name, or of a number from 1."""
    names = [column.name for column in columns]
    if str(value) in names:
        return names.index(str(value))
    alike = [
        number
        for number, name in enumerate(names)
        if name is not None and name.strip().casefold() == str(value).casefold()
    ]
    if len(alike) == 1:
        return alike[0]
    # A number that training found is that of a table without a header.
    by_number = not as_training or names[:1] == [None]
    number = int(str(value)) if str(value).isdecimal() else 0
    if by_number and 0 < number <= len(columns):
        return number - 1
    return None


def _words(name: str) -> list[str]:
    """A name and its words; a sentence has none that name it."""
    words = regex.findall(r"[^\W_]+", name)
    if len(words) > _LONGEST_NAME or _SENTENCE_END.search(name):
        return [name]
    return [name, *words]
