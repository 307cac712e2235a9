"""The records of CSV and its kin: which character parts fields, and how they quote."""

import csv
import itertools
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ...core.errors import UserError
from ..reading import Decision, PlanBuilder
from .cells import is_figure

#: The character by its name in `data.delimiter`; any other single one names itself.
_BY_NAME = {"tab": "\t", "\\t": "\t", "space": " "}
# Of two that part the lines equally well the first: a comma may be a decimal one.
_CANDIDATES = ("\t", ";", "|", ",")
# In order of preference for rows that the delimiter of the file does not part.
OTHER_DELIMITERS = (";", "\t", ",")
# How many lines say what the delimiter is.
_SAMPLED_LINES = 500
# How much worse a delimiter may be that parts the first line as it parts the others.
_MARGIN = 0.1
#: Beginnings of lines that are no rows.
COMMENT_MARKS = ("#", "%", ";")

# Possessive, so that a quotation mark that is never closed costs one pass, not many.
_QUOTED_FIELD = r'"[^"]*+(?:""[^"]*+)*+"'
_MARK_ALONE = re.compile(r"^#\s+")
_SEP_LINE = re.compile(r"(?i)sep=.?")
_ESCAPED = re.compile(r'\\([\\"])')


@dataclass(frozen=True)
class Record:
    """A row as it stands in the file: its fields, or the reason why it has none."""

    first_line: int
    last_line: int
    fields: list[str]
    fault: str | None = None

    @property
    def names_delimiter(self) -> bool:
        """Whether it is the line by which Excel is told the delimiter: ``sep=;``."""
        return _SEP_LINE.fullmatch("".join(self.fields)) is not None

    @property
    def is_comment(self) -> bool:
        """Whether it begins as comments do; "#" may also name a column of numbers."""
        if self.names_delimiter:
            return True
        if not self.fields or not self.fields[0].lstrip().startswith(COMMENT_MARKS):
            return False
        is_name = self.fields[0].strip() == "#" and len(self.fields) > 2
        return not is_name or not all(field.strip() for field in self.fields)


@dataclass(frozen=True)
class Dialect:
    """How lines become records.

    Args:
        delimiter: one character; a space stands for any number of them.
        has_quotes: whether quotation marks hold fields together.
        escapes: whether a quotation mark within a field is written ``\\"``.
        skips_spaces: whether space before a field is none of it.
    """

    delimiter: str
    has_quotes: bool = True
    escapes: bool = False
    skips_spaces: bool = False

    def records(self, lines: Sequence[str]) -> Iterator[Record]:
        """The records of the lines; blank lines are none."""
        if not self.has_quotes:
            return (
                Record(number, number, line.split(self.delimiter))
                for number, line in enumerate(lines, start=1)
                if line
            )
        if self.delimiter == " ":
            # A mark by itself is no field, and so no name of a column.
            lines = [_MARK_ALONE.sub("#", line.strip()) for line in lines]
        if self.escapes:
            lines = [_ESCAPED.sub(_unescaped, line) for line in lines]
        return _quoted_records(lines, self.delimiter, self.skips_spaces)


def decide_dialect(
    text: str, suffix: str, plan: PlanBuilder, file: str = ""
) -> Dialect:
    """How the text becomes records; the plan decides ``delimiter``.

    The delimiter is the one that parts the most lines into the same number of fields,
    of at least two; runs of spaces alone are one between figures.

    Raises:
        UserError: the delimiter that was given is no character.
    """
    lines = text.split("\n", _SAMPLED_LINES)[:_SAMPLED_LINES]
    decision, others = _guess_delimiter(lines, suffix)

    def guess() -> Decision:
        if others:
            also = " or ".join(map(repr, others))
            plan.warn(
                f"{file}: parted at each {decision.value!r}; {also} would part it as "
                "well; data.delimiter chooses"
            )
        return decision

    name = plan.decide(
        "delimiter",
        guess,
        fits=lambda kept: kept in (decision.value, *others),
        file=file,
    )
    return _dialect(_BY_NAME.get(name, name), lines, suffix)


def guess_dialect(lines: Sequence[str], suffix: str) -> Dialect:
    """How lines become records, by themselves alone."""
    lines = lines[:_SAMPLED_LINES]
    name = _guess_delimiter(lines, suffix)[0].value
    return _dialect(_BY_NAME.get(name, name), lines, suffix)


def parted_otherwise(
    line: str, width: int, delimiters: Sequence[str]
) -> list[str] | None:
    """The fields of a line by the first delimiter that parts it into so many."""
    for delimiter in delimiters:
        fields = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
        if len(fields) == width:
            return [field.strip() for field in fields]
    return None


@contextmanager
def no_field_limit() -> Iterator[None]:
    """Lets the csv module read texts of any length; its limit is global."""
    previous = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(previous)


@dataclass(frozen=True)
class _Parting:
    """How well a delimiter parts lines.

    Args:
        lines: those that it parts into ``width`` fields, the most usual number over 1.
        of: all of them.
        parts_first: whether the first line is one of them.
    """

    delimiter: str
    width: int = 1
    lines: int = 0
    of: int = 1
    parts_first: bool = False

    @property
    def fraction(self) -> float:
        return self.lines / self.of

    @property
    def evidence(self) -> str:
        if not self.lines:
            return "one column"
        return f"{self.lines:,} of {self.of:,} lines have {self.width} fields"


def _guess_delimiter(lines: Sequence[str], suffix: str) -> tuple[Decision, list[str]]:
    """What the lines say, and the names of others that part them as well."""
    partings = [
        _parting(lines, _dialect(character, lines, suffix)) for character in _CANDIDATES
    ]
    tab = partings[0]
    if suffix == ".tsv" and (tab.parts_first or not any(p.lines for p in partings)):
        return Decision("tab", tab.evidence), []
    most = max(parting.fraction for parting in partings)
    if most < 0.5 and _are_figures_in_spaces(lines):
        parting = _parting(lines, Dialect(" ", skips_spaces=True))
        if parting.fraction > most:
            return Decision("space", parting.evidence), []
    if not most:
        return Decision(",", "one column"), []
    near = [p for p in partings if p.fraction and p.fraction > most - _MARGIN]
    # A stable sort: of equals the first stays first.
    near.sort(key=lambda p: (p.parts_first, p.fraction), reverse=True)
    best = near[0]
    others = [
        _name(p.delimiter)
        for p in near[1:]
        if (p.parts_first, p.fraction) == (best.parts_first, best.fraction)
    ]
    return Decision(_name(best.delimiter), best.evidence, " or ".join(others)), others


def _parting(lines: Sequence[str], dialect: Dialect) -> _Parting:
    with no_field_limit():
        records = [record for record in dialect.records(lines) if not record.is_comment]
    by_width: Counter[int] = Counter()
    for record in records:
        by_width[len(record.fields)] += record.last_line - record.first_line + 1
    of = sum(by_width.values())
    wide = [(count, width) for width, count in by_width.items() if width > 1]
    if not wide:
        return _Parting(dialect.delimiter)
    count, width = max(wide)
    return _Parting(
        dialect.delimiter, width, count, of, len(records[0].fields) == width
    )


def _are_figures_in_spaces(lines: Sequence[str]) -> bool:
    rows = [line.split() for line in lines if line.strip()]
    cells = list(itertools.chain.from_iterable(rows))
    figures = sum(is_figure(cell) for cell in cells)
    return len(cells) > len(rows) and figures > len(cells) / 2


def _dialect(delimiter: str, lines: Sequence[str], suffix: str) -> Dialect:
    if len(delimiter) != 1 or delimiter in '\n\r"':
        raise UserError(
            f"data.delimiter: {delimiter!r} was given; one character, tab or space "
            "was expected"
        )
    if delimiter == " ":
        return Dialect(" ", skips_spaces=True)
    plain = Dialect(delimiter)
    text = "\n".join(lines)
    if suffix != ".csv" and not _has_quoted_fields(text, delimiter):
        return Dialect(delimiter, has_quotes=False)
    ways = [plain]
    if '\\"' in text:
        ways.append(Dialect(delimiter, escapes=True))
    if re.search(rf'{re.escape(delimiter)} +"', text):
        ways.append(Dialect(delimiter, skips_spaces=True))
    if len(ways) == 1:
        return plain
    # The first of those that part the most lines into the same number of fields.
    return max(ways, key=lambda way: _parting(lines, way).lines)


def _name(delimiter: str) -> str:
    return "tab" if delimiter == "\t" else delimiter


def _unescaped(match: re.Match[str]) -> str:
    return '""' if match[1] == '"' else match[1]


def _has_quoted_fields(text: str, delimiter: str) -> bool:
    delimiter = re.escape(delimiter)
    openings = re.compile(
        rf"(?:^|{delimiter})(?:({_QUOTED_FIELD})(?={delimiter}|$)|\")", re.MULTILINE
    )
    well_formed = Counter(bool(match[1]) for match in openings.finditer(text))
    return well_formed[True] > well_formed[False]


def _quoted_records(
    lines: Sequence[str], delimiter: str, skips_spaces: bool
) -> Iterator[Record]:
    """The records of RFC 4180 text; after a broken one it goes on a line below."""
    start = 0
    while start < len(lines):
        # The reader sees each line with its end: inside quotes that is text.
        below = (line + "\n" for line in itertools.islice(lines, start, None))
        reader = csv.reader(
            below, delimiter=delimiter, strict=True, skipinitialspace=skips_spaces
        )
        first = start
        try:
            for fields in reader:
                if fields:
                    yield Record(first + 1, start + reader.line_num, fields)
                first = start + reader.line_num
            return
        except csv.Error as error:
            last = min(start + reader.line_num, len(lines))
            record = "\n".join(lines[first:last]) + "\n"
            opening = first + _line_of_broken_quote(record, delimiter)
            fault = _quoting_fault(str(error), one_line=last == opening + 1)
            yield Record(opening + 1, opening + 1, [], fault)
            start = opening + 1


def _line_of_broken_quote(record: str, delimiter: str) -> int:
    """How many lines into the record its first field with broken quotes begins."""
    delimiter = re.escape(delimiter)
    whole_field = re.compile(
        rf'(?:{_QUOTED_FIELD}|[^"{delimiter}\n][^{delimiter}\n]*+|)(?:{delimiter}|\n)'
    )
    position = 0
    while found := whole_field.match(record, position):
        position = found.end()
    return record.count("\n", 0, position) if position < len(record) else 0


def _quoting_fault(error: str, one_line: bool) -> str:
    if "unexpected end of data" in error:
        return "the quotation mark that opens in this line is never closed"
    if "expected after" not in error:
        return "a carriage return inside a field without quotation marks"
    if one_line:
        return (
            "text behind a closing quotation mark; inside a quoted field a quotation "
            "mark is written twice"
        )
    return "the quotation mark that opens in this line is not closed before the next"
