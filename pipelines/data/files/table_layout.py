"""Where a table begins in its file: what stands above it, and its header."""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...core.errors import UserError
from ..reading import Decision, PlanBuilder
from .cells import Kind, is_figure, kind_of
from .delimited import COMMENT_MARKS, Record

# A column is of a kind if so many of its cells are.
_MOSTLY = 0.6
# Of rows that have as many fields as most, where fewer are a block above the table.
_REGULAR = 0.8
# Of rows below a header that may stand again, so many do not repeat it.
_OTHER_ROWS = 0.75
_MOST_HEADER_LINES = 3
_MOST_LINES_ABOVE = 30
# In a name of a column, but for questions that are asked.
_MOST_WORDS = 6
# Rows that say whether a first line of words is one of them.
_ENOUGH_ROWS = 4
_UNIT = re.compile(
    r"[(\[{<].*[)\]}>]|[-–]|°|°?\s*[CFK]|deg\.?\s?[CFT]?|degrees?|%|percent|[kKhMm]?Pa|"
    r"m?bars?|mb|inHg|[ncmµkμ]?m|in(?:ch)?|ft|mi|"
    r"(?:m|km|cm|mm|l|L|mi|ft|m3|m³)\s?(?:/|\*|\s|\.)?\s?(?:s|h|hr|min|d|m2|m²)(?:\^?-1|⁻¹)?|"
    r"kn|kts?|knots?|mph|kph|[kM]?W(?:h|/m2|/m²|/m\^2| m-2)?|[kM]?J(?:/m2|/m²|/cm2)?|"
    r"m?V|m?A|Hz|lux?|ppm|ppb|[mµuμ]g/m(?:3|³|\^3)|g/kg|g/m(?:3|³)|h|hr|hours?|s|sec|"
    r"min|minutes?|ms|days?|UTC|GMT|local|TS|RN|Smp|Avg|Min|Max|Tot|WVc|"
    r"str(?:ing)?|text|object|category|int(?:eger)?\d*|float\d*|double|number|numeric|"
    r"bool(?:ean)?|date(?:time)?\d*|timestamp|[yY]{2,4}[-/.]?[mM]{2}.*",
)
_SIGN_OF_UNIT = re.compile(r"[^\W\d_]|[%°]")

#: Whether the first fields name the columns of the rows below; None if unsure.
NamesColumns = Callable[[Sequence[str], Sequence[Sequence[str]]], bool | None]


@dataclass(frozen=True)
class Layout:
    """The parts of a table.

    Args:
        names: of its columns.
        begin: the number of the record that is its first row.
        ends_in_delimiter: whether its rows end in a delimiter that parts nothing.
        has_comments: whether lines between its rows may be comments.
        header: the fields of each line of the header.
    """

    names: list[str]
    begin: int
    ends_in_delimiter: bool = False
    has_comments: bool = False
    header: tuple[list[str], ...] = ()

    def repeats_header(self, fields: Sequence[str]) -> bool:
        """Whether a line of the header stands again, as in files that were joined.

        A single word may as well be a value.
        """
        if len(fields) < 2:
            return False
        # Each row is asked, and the first field tells nearly all of them.
        first = fields[0].strip()
        return any(
            line[:1] == [first] and line == _bare(fields) for line in self.header
        )


@dataclass(frozen=True)
class _Head:
    """The lines above the rows: which record is the first of how many of a header."""

    top: int
    lines: int
    evidence: str
    is_sure: bool = True


def decide_layout(
    records: Sequence[Record],
    plan: PlanBuilder,
    file: str,
    names_columns: NamesColumns | None = None,
) -> Layout:
    """Finds the header of a table; the plan decides ``skip_rows`` and ``header``.

    Args:
        records: the first ones of the file, at least one.
        plan: takes the decisions.
        file: its name, for messages.
        names_columns: knows more of headers than is known here.

    Raises:
        UserError: the header is broken, or names a column twice.
    """
    head = _find_head(records)
    above = records[head.top - 1].last_line if head.top else 0
    skipped = plan.decide(
        "skip_rows",
        lambda: Decision(above, head.evidence),
        fits=lambda rows: rows == above,
        file=file,
    )
    top = head.top
    if skipped != above:
        top = sum(record.first_line <= skipped for record in records)
        if top == len(records):
            raise UserError(f"{file}: data.skip_rows {skipped} leaves no line")
        rest = _find_head(records[top:])
        head = _Head(top, rest.lines if not rest.top else 1, rest.evidence)
    if names_columns and not records[top].fault:
        below = [record.fields for record in records[top + 1 :] if not record.fault]
        said = names_columns(records[top].fields, below)
        if said is not None:
            head = _Head(top, int(said), "by the words of the first line")
    lines = plan.decide(
        "header",
        lambda: _told(head, plan, f"{file}, line {records[top].first_line}"),
        fits=lambda kept: kept == head.lines or not head.is_sure,
        file=file,
    )
    begin = top + (lines or head.lines * records[top].is_comment)
    names, is_cut = _names(records, top, lines, file)
    return Layout(
        names,
        begin,
        is_cut,
        _has_comments(records[:begin], records[begin:]),
        tuple(_bare(record.fields) for record in records[begin - lines : begin]),
    )


def check_names(names: Sequence[str], place: str) -> list[str]:
    """The names, those of nothing made up. Raises UserError where one stands twice."""
    # Spreadsheet and pandas indices are written under an empty name.
    named = [
        name.strip() or f"unnamed_{position}"
        for position, name in enumerate(names, start=1)
    ]
    for name, count in Counter(named).items():
        if count > 1:
            raise UserError(
                f"{place}: the header names the column {name!r} {count} times; it must "
                "name each column once"
            )
    return named


def _told(head: _Head, plan: PlanBuilder, place: str) -> Decision:
    other = "" if head.is_sure else f"data.header={int(not head.lines)}"
    if not head.is_sure:
        reading = "names of columns" if head.lines else "a row like the others"
        plan.warn(f"{place}: taken for {reading}; {other} if it is not")
    return Decision(head.lines, head.evidence, other)


def _find_head(records: Sequence[Record]) -> _Head:
    begin = _block_begin(records)
    head = _head_of_block(records[begin:])
    return replace(head, top=begin + head.top)


def _block_begin(records: Sequence[Record]) -> int:
    """The record below a block of values that stands above the table.

    A blank line parts them, and below it other names stand above columns of figures.
    """
    most = min(_MOST_LINES_ABOVE, len(records) // 3)
    for begin in range(most, 0, -1):
        record, above = records[begin], records[begin - 1]
        if record.first_line == above.last_line + 1 or record.fault:
            continue
        width = len(record.fields)
        rows = [r for r in records[begin + 1 :] if len(r.fields) == width]
        is_new = all(r.fields != record.fields for r in records[:begin])
        if is_new and rows and _names_columns(record.fields, _kinds(rows, width)):
            return begin
    return 0


def _head_of_block(records: Sequence[Record]) -> _Head:
    plain = [record for record in records if not record.fault]
    if not plain:
        return _Head(0, 1, "the first line")
    width = _usual_width(plain)
    kinds = _kinds([record for record in plain if len(record.fields) == width], width)
    is_regular = _is_regular(records, width)
    if not any(kinds):
        return _head_above_words(records, width, is_regular)
    if is_regular:
        return _head_above_figures(records, kinds, width)
    if len(records[0].fields) == width and _is_row(records[0], kinds, width):
        return _Head(0, 0, "the first line is a row like the others")
    return _Head(0, 1, "the first line")


def _usual_width(records: Sequence[Record]) -> int:
    """The most usual number of fields, over 1 if there is any."""
    rows = [record for record in records if not record.is_comment] or records
    widths = Counter(len(record.fields) for record in rows)
    wide = [(count, width) for width, count in widths.items() if width > 1]
    return max(wide or [(0, 1)])[1]


def _is_regular(records: Sequence[Record], width: int) -> bool:
    """Whether nearly all lines have so many fields from the first one that has."""
    first = next((i for i, r in enumerate(records) if len(r.fields) == width), 0)
    below = [record for record in records[first:] if not record.is_comment]
    return sum(len(record.fields) == width for record in below) >= _REGULAR * len(below)


def _kinds(rows: Sequence[Record], width: int) -> list[Kind]:
    """Of each column whether it holds numbers or times; empty where it does not."""
    # The first rows may be a header.
    rows = rows[min(_MOST_HEADER_LINES, len(rows) - 1) :]
    kinds: list[Kind] = []
    for position in range(width):
        found = Counter(kind_of(row.fields[position]) for row in rows)
        found.pop("", None)
        total = sum(found.values())
        usual = [k for k, n in found.items() if k != "word" and n >= _MOSTLY * total]
        kinds.append(usual[0] if usual else "")
    return kinds


def _matches(fields: Sequence[str], kinds: Sequence[Kind]) -> tuple[int, int]:
    """How many cells are of the kind of their column, and how many are words there."""
    pairs = [
        (kind_of(cell), kind) for cell, kind in zip(fields, kinds, strict=False) if kind
    ]
    return sum(cell == kind for cell, kind in pairs), sum(
        cell == "word" for cell, _ in pairs
    )


def _is_row(record: Record, kinds: Sequence[Kind], width: int) -> bool:
    if len(record.fields) != width:
        return False
    matching, words = _matches(record.fields, kinds)
    return matching > words


def _head_above_figures(
    records: Sequence[Record], kinds: Sequence[Kind], width: int
) -> _Head:
    """The header of a table with columns of numbers or times."""
    row = next((i for i, r in enumerate(records) if _is_row(r, kinds, width)), None)
    if row is None:
        return _Head(0, 1, "the first line")
    run = _lines_like_a_header(records, row, width)
    top = _top_of_header(records, run, kinds, width)
    if top is not None:
        lines = _header_lines([_without_mark(records[i]) for i in range(top, row)])
        line = records[top].first_line
        evidence = f"words above columns of figures in line {line}"
        names = _without_mark(records[top])
        is_sure = lines > 1 or not names[0].strip() or _names_columns(names, kinds)
        is_sure = is_sure and not records[top].is_comment
        return _Head(top, lines, evidence, is_sure)
    first = next((i for i in run if not records[i].is_comment), row)
    rows = records[first : row + 1]
    if any(not record.is_comment for record in records[:first]) or any(
        len(record.fields) != width for record in rows if not record.is_comment
    ):
        # Lines of another width, and none that could name these columns.
        top = next(i for i, record in enumerate(records) if not record.is_comment)
        return _Head(top, 1, "the first line")
    if _counts_up(records[first].fields):
        return _Head(first, 1, "numbers that count up", is_sure=False)
    return _Head(first, 0, "the first line is a row like the others")


def _lines_like_a_header(records: Sequence[Record], row: int, width: int) -> list[int]:
    """The lines right above the first sure row that have cells as a header has."""
    run: list[int] = []
    for position in range(row - 1, -1, -1):
        record = records[position]
        if not record.is_comment:
            if record.fault or not _fits(record.fields, width):
                break
            run.insert(0, position)
    if run:
        return run
    above = range(row - 1, -1, -1)
    near = [i for i in above if len(_without_mark(records[i])) == width][:2]
    lines = [_without_mark(records[i]) for i in near]
    has_units = near[1:] == [near[0] - 1] and _are_units(*lines) if near else False
    return near[::-1] if has_units else near[:1]


def _top_of_header(
    records: Sequence[Record], run: Sequence[int], kinds: Sequence[Kind], width: int
) -> int | None:
    """The first line of the run that names columns; of keys and values the last."""
    fields = {i: _without_mark(records[i]) for i in run}
    named = [i for i in run if _is_wide(fields[i]) and _names_columns(fields[i], kinds)]
    if not named and run and _may_name(fields[run[0]], kinds, records[run[0] + 1 :]):
        named = [run[0]]
    if not named and run and not fields[run[0]][0].strip():
        # The numbers of the rows, as pandas and spreadsheets write them.
        named = [run[0]] if _are_numbers_of_rows(records[run[-1] + 1 :]) else []
    if not named:
        return None
    top = named[0] - 1
    if top in fields and _are_units(fields[named[0]], fields[top]):
        # Names that are words for no value, such as "T", above their units.
        named.insert(0, top)
    above = [i for i in run if i < named[-1]]
    has_values = any(_matches(fields[i], kinds)[0] for i in above)
    return named[-1] if width == 2 and has_values else named[0]


def _are_numbers_of_rows(rows: Sequence[Record]) -> bool:
    numbers = [row.fields[0].strip() for row in rows if row.fields]
    return any(
        numbers == [str(number + first) for number in range(len(numbers))]
        for first in (0, 1)
    )


def _names_columns(fields: Sequence[str], kinds: Sequence[Kind]) -> bool:
    matching, words = _matches(fields, kinds)
    return words > 0 == matching


def _may_name(
    fields: Sequence[str], kinds: Sequence[Kind], below: Sequence[Record]
) -> bool:
    """Whether words for no value, such as "T" or "NA", stand above figures alone."""
    rows = [r.fields for r in below if len(r.fields) == len(fields)]
    # A header may stand again.
    rows = [row for row in rows if _bare(row) != _bare(fields)]
    for position, (cell, kind) in enumerate(zip(fields, kinds, strict=False)):
        others = (row[position] for row in rows)
        if kind and cell.strip().isalpha() and cell not in others:
            return True
    return False


def _header_lines(lines: Sequence[Sequence[str]]) -> int:
    """How many of the lines, of which the first names columns, belong to the header."""
    count = 1
    while count < min(len(lines), _MOST_HEADER_LINES) and _are_units(
        lines[count], lines[0]
    ):
        count += 1
    if count == 1 < len(lines) and _qualifies(lines[0], lines[1]):
        return 2
    return count


def _qualifies(above: Sequence[str], below: Sequence[str]) -> bool:
    """Whether the upper line only tells apart what the lower one names."""
    return not any(map(is_figure, below)) and (
        _has_twice(above) or not all(cell.strip() for cell in above)
    )


def _fits(fields: Sequence[str], width: int) -> bool:
    """Whether a line has as many fields as the rows, but for an end in a delimiter."""
    if len(fields) == width + 1:
        return not fields[-1].strip()
    return len(fields) in (width - 1, width)


def _is_wide(fields: Sequence[str]) -> bool:
    """Whether most of the fields hold something, as those of a header do."""
    return sum(bool(field.strip()) for field in fields) >= len(fields) / 2


def _are_units(below: Sequence[str], above: Sequence[str]) -> bool:
    """Whether a line holds units or types of the columns that the one above names."""
    cells = [cell.strip() for cell in below if cell.strip()]
    units = [cell for cell in cells if _UNIT.fullmatch(cell)]
    # "-" and "(5)" are values too.
    has_unit = any(_SIGN_OF_UNIT.search(unit) for unit in units)
    return has_unit and 2 * len(units) >= len(cells) and all(map(str.strip, above))


def _has_twice(names: Sequence[str]) -> bool:
    filled = [name.strip() for name in names if name.strip()]
    return len(set(filled)) < len(filled)


def _counts_up(fields: Sequence[str]) -> bool:
    """Whether numbers are evenly spaced, as those that name columns are: 0, 1, 2."""
    numbers = [int(field) for field in fields if field.strip().isdecimal()]
    steps = {after - before for before, after in itertools.pairwise(numbers)}
    return len(numbers) > 2 and len(steps) == 1 and steps != {0}


def _head_above_words(records: Sequence[Record], width: int, is_regular: bool) -> _Head:
    """The header of a table of words alone."""
    top = 0
    while (
        is_regular
        and top + 1 < len(records)
        and not records[top].fault
        and _is_above(records[top], width)
    ):
        top += 1
    first = _without_mark(records[top])
    if not all(cell.strip() for cell in first):
        # A row with one value looks like a title above a header, which has all names.
        top = next(i for i, r in enumerate(records) if i == top or not r.is_comment)
        first = _without_mark(records[top])
    rows = [r.fields for r in records[top + 1 :] if len(r.fields) == width]
    others = [fields for fields in rows if _bare(fields) != _bare(first)]
    if len(others) > _OTHER_ROWS * len(rows) and not _has_again(first, others):
        # Where the first line stands again as a whole alone, files were joined.
        rows = others
    if len(first) != width or width < 2 or len(rows) < _ENOUGH_ROWS:
        is_sure = not any(is_figure(cell) or _is_long(cell) for cell in first)
        is_sure = is_sure and not _has_again(first, rows)
        return _Head(top, 1, "the first line", is_sure)
    as_name, as_row = _votes(first, rows)
    if as_row > as_name:
        if top and len(_without_mark(records[top - 1])) == width:
            return _Head(top - 1, 1, "a comment with as many fields as the rows")
        return _Head(top, 0, "the first line repeats values of the others")
    is_sure = as_name > as_row and not any(map(_is_long, first))
    return _Head(top, 1, "the first line", is_sure)


def _has_again(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a cell of the first line stands below it too."""
    return any(
        cell.strip() and cell in below
        for cell, *below in zip(first, *rows, strict=False)
    )


def _is_long(cell: str) -> bool:
    """Whether a cell has more words than names have, or is a sentence."""
    words = len(cell.split())
    is_sentence = words > _MOST_WORDS / 2 and cell.rstrip().endswith((".", "!"))
    return words > _MOST_WORDS or is_sentence


def _is_above(record: Record, width: int) -> bool:
    """Whether a line above a table of words is none of it: a comment, or a title."""
    if record.names_delimiter:
        return True
    if record.is_comment:
        # A text may begin so; a comment has a space there.
        text = record.fields[0].lstrip().lstrip("".join(COMMENT_MARKS))
        return len(record.fields) != width or not text or text.startswith(" ")
    return width > 1 == sum(bool(field.strip()) for field in record.fields)


def _votes(first: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[int, int]:
    """How many columns speak for names in the first line, and for values."""
    as_name = as_row = 0
    for position, cell in enumerate(first):
        cells = [row[position].strip() for row in rows]
        cell = cell.strip()
        if not cell:
            continue
        if is_figure(cell):
            as_row += 1
        elif len(set(cells)) <= len(cells) / 2:
            as_row += cell in cells
            as_name += cell not in cells
        else:
            usual = sum(map(len, cells)) / len(cells)
            as_name += len(cell) < usual / 2 and len(cell.split()) <= 3
    return as_name, as_row


def _bare(fields: Sequence[str]) -> list[str]:
    return [field.strip() for field in fields]


def _without_mark(record: Record) -> list[str]:
    if record.names_delimiter:
        return [""]
    if not record.is_comment:
        return record.fields
    first = record.fields[0].lstrip().lstrip("".join(COMMENT_MARKS)).lstrip()
    rest = record.fields[1:]
    # Where spaces part fields, the mark may be one by itself.
    return [first, *rest] if first or not rest else rest


def _names(
    records: Sequence[Record], top: int, lines: int, file: str
) -> tuple[list[str], bool]:
    """The columns' names, and whether rows end in a delimiter that parts nothing."""
    below = [r.fields for r in records[top + lines :] if not r.fault]
    if not lines:
        width = _usual_width(records[top:])
        is_cut = _end_in_nothing(below, width)
        return [str(number) for number in range(1, width + 1 - is_cut)], is_cut
    header = records[top : top + lines]
    for record in header:
        if record.fault:
            raise UserError(f"{file}, line {record.first_line}: header: {record.fault}")
    rows = [_without_mark(record) for record in header]
    width = len(rows[0])
    is_cut = False
    if _end_in_nothing(below, width + 1):
        is_cut = True
    elif _end_in_nothing(rows, width) and (
        _end_in_nothing(below, width) or _usual_width(records[top:]) == width - 1
    ):
        is_cut = _end_in_nothing(below, width)
        rows = [row[: width - 1] for row in rows]
    joined = rows[0]
    for row in rows[1:]:
        if joined is rows[0] or not _are_units(row, rows[0]):
            joined = _joined(joined, row)
    return check_names(joined, f"{file}, line {header[0].first_line}"), is_cut


def _joined(above: Sequence[str], below: Sequence[str]) -> list[str]:
    """The names of two lines: with units in brackets, or the upper line before."""
    above = [name.strip() for name in above]
    below = [*(name.strip() for name in below), *[""] * len(above)][: len(above)]
    if _are_units(below, above):
        return [
            f"{name} ({unit.strip('()[]{}<> ')})" if unit.strip("()[]{}<> ") else name
            for name, unit in zip(above, below, strict=True)
        ]
    if _has_twice([" ".join(pair).strip() for pair in zip(above, below, strict=True)]):
        # A name over several columns stands over the first of them.
        for position in range(1, len(above)):
            above[position] = above[position] or above[position - 1]
    return [" ".join(pair).strip() for pair in zip(above, below, strict=True)]


def _end_in_nothing(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether most rows have so many fields, the last of which is always empty."""
    ends = [row[-1].strip() for row in rows if len(row) == width]
    return width > 1 and len(ends) > len(rows) / 2 and not any(ends)


def _has_comments(above: Sequence[Record], rows: Sequence[Record]) -> bool:
    """Whether a line with another number of fields may be a comment.

    That is where comments stand above the table, or where rows begin with figures. A
    text may begin with a mark of comments.
    """
    firsts = [kind_of(r.fields[0]) for r in rows if not r.fault and not r.is_comment]
    figures = sum(kind in ("number", "time") for kind in firsts)
    marked = any(r.is_comment and not r.names_delimiter for r in above)
    return marked or 0 < figures >= 0.9 * len(firsts)
