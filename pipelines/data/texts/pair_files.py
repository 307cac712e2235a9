"""Pairs of sentences in a user's files: parallel text, tables, and TMX."""

import functools
import itertools
import logging
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ...core.errors import UserError
from ..files.large_files import is_large_text, read_in_parts
from ..files.parallel_text import SEGMENTED, are_large_in_step, read_parallel_lines
from ..files.streams import FileStream
from ..files.tables import UNDECODABLE, BadRow, Location, is_table, read_lines
from ..files.tmx import is_tmx, languages_of, read_tmx
from ..reading import Decision
from ..sources import Spec
from ..splits import (
    given_split_column,
    in_order,
    is_test,
    refuse_split_column,
    split_of_cell,
    split_of_name,
)
from .languages import find_language, find_languages
from .pair_columns import (
    Column,
    find_columns,
    find_named,
    is_header,
    sampled,
    spread,
    warn_if_swapped,
)
from .pair_rows import PairRows, PairSource, Sides, add_pair

# As writers of tables quote a field; a quotation in a text has no quotes doubled.
_QUOTED = re.compile(r'"(?:[^"]|"")*+"')
_PLAIN_PAIRS = (".tsv", ".txt")
_COMPRESSED = re.compile(r"\.(?:gz|bz2|xz|zip)$", re.IGNORECASE)
# Between the sides of a line by name, in order of preference.
_DELIMITERS = {"tab": "\t", "|||": "|||"}
# A split's name within a name: "multi30k.train", "tst2012", "newstest2014".
_SPLIT_WITHIN = re.compile(
    r"(?:^|[._-])(?P<name>train|validation|valid|val|dev|test|devtest|tst|newstest|"
    r"newsdev)(?![a-z])",
    re.IGNORECASE,
)
_OTHER_NAMES = {"tst": "test", "newstest": "test", "devtest": "test", "newsdev": "dev"}
# What source and reference of a set are told apart by beside their languages.
_SIDE_OF_SET = re.compile(r"[-._](?:src|ref)$")
_ENOUGH_LINES = 100
# Rows that say that quotation marks are none of the texts.
_FEWEST_QUOTED = 5

logger = logging.getLogger("recurra")


def read_pair_files(spec: Spec, sides: Sides) -> PairSource:
    """Reads files or a folder; see `sentence_pairs.load_sentence_pairs`.

    Raises:
        UserError: a file or a language is not there, or a file cannot be read.
    """
    pairs = PairSource()
    if spec.path.exists():
        folder = _as_folder(spec.path)
        if folder is None:
            _read_file(spec.path, sides, pairs, "train")
        else:
            _read_folder(folder, _files(folder), sides, pairs)
        return pairs
    single: list[Path] = []
    for path in spec.paths:
        folder = _as_folder(path)
        if folder is not None:
            _read_folder(folder, _files(folder), sides, pairs)
        elif path.exists():
            single.append(path)
        else:
            single += _begun_by(path, sides)
    _read_named(spec, single, sides, pairs)
    return pairs


def _as_folder(path: Path) -> Path | None:
    """The folder that a path is, or that a .zip file holds; None if it is neither."""
    if path.is_dir():
        return path
    if path.suffix.lower() != ".zip" or not path.is_file():
        return None
    try:
        # It has what is asked of paths here.
        folder = cast(Path, zipfile.Path(path))
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{path}: not a whole zip file ({error})") from error
    inside = [each for each in folder.iterdir() if not each.name.startswith("__")]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _files(folder: Path) -> list[Path]:
    return sorted(
        (
            path
            for path in folder.iterdir()
            if path.is_file()
            and not path.name.startswith(".")
            and not _is_archive(path)
        ),
        key=lambda path: path.name,
    )


def _is_archive(path: Path) -> bool:
    """Whether a file may hold several; "a.csv.zip" is one."""
    return path.suffix.lower() == ".zip" and not Path(path.stem).suffix


def _begun_by(prefix: Path, sides: Sides) -> list[Path]:
    """The two files whose names are the prefix and a language.

    Raises:
        UserError: They are not there.
    """
    files = [path for path in _files(prefix.parent) if path.name != prefix.name]
    both = _parallel_files(prefix.parent, files, sides).get(prefix.name)
    if both is None:
        names = [path.name for path in files if path.name.startswith(prefix.name)]
        raise UserError(
            f"{prefix}: no two files {prefix.name}.{sides.source} and "
            f"{prefix.name}.{sides.target}; there are {', '.join(names[:20])}"
        )
    return list(both)


def _read_named(spec: Spec, files: list[Path], sides: Sides, pairs: PairSource) -> None:
    """Reads files that were named one by one: splits by their names, else to train."""
    tables = [path for path in files if _is_pair_file(path) and not _is_plain(path)]
    plain = [path for path in files if path not in tables]
    parallel = list(_parallel_files(spec.path.parent, plain, sides).items())
    if not parallel and len(plain) == 2:
        # In the order of the languages.
        parallel = [(_stem(plain[0]), (plain[0], plain[1]))]
    in_pairs = [path for _, both in parallel for path in both]
    for stem, (source, target) in parallel:
        _read_parallel(source, target, sides, pairs, _split_of(stem) or "train")
    for path in (path for path in files if path not in in_pairs):
        _read_file(path, sides, pairs, _split_of(_stem(path)) or "train")


def _is_plain(path: Path) -> bool:
    """Whether a file may be one side of pairs: text without a tab in its lines."""
    return _ending(path).lower() == "txt" and not _has_tabs(path)


def _read_folder(
    folder: Path, files: list[Path], sides: Sides, pairs: PairSource
) -> None:
    refuse_split_column(sides.plan, str(folder))
    parallel = _parallel_splits(folder, files, sides)
    for split, both in parallel:
        _read_parallel(*both, sides, pairs, split)
    if not parallel:
        for split, table in _tables(folder, files, sides):
            _read_file(table, sides, pairs, split)


def _parallel_splits(
    folder: Path, files: list[Path], sides: Sides
) -> list[tuple[str, tuple[Path, Path]]]:
    """The files of both sides with their split.

    A lone pair under another name is to train on. The log says which files in both
    languages are left out.
    """
    stems = _parallel_files(folder, files, sides)
    splits: dict[str, list[str]] = {}
    others: list[str] = []
    for stem in stems:
        split = _split_of(stem)
        if split is None:
            others.append(stem)
        else:
            splits.setdefault(split, []).append(stem)
    _refuse_single_sides(folder, files, stems, sides)
    if sides.are_tests and not any(map(is_test, splits)):
        splits |= {_test_called(stem): [stem] for stem in others}
    elif not splits and len(others) == 1:
        splits["train"] = others
    elif others and "train" not in splits and not sides.are_tests:
        names = ", ".join(stems[stem][0].name for stem in others)
        raise UserError(
            f"{folder}: has {names} and no train.{sides.source}; rename what to train "
            "on, or name it by --data"
        )
    else:
        for stem in others:
            logger.info(
                "%s: %s is left out; its name is no split's",
                folder,
                stems[stem][0].name,
            )
    found: list[tuple[str, tuple[Path, Path]]] = []
    for split in in_order(splits):
        _refuse_twice(folder, split, [stems[stem][0] for stem in splits[split]])
        found += [(split, stems[stem]) for stem in splits[split]]
    return found


def _parallel_files(
    folder: Path, files: Sequence[Path], sides: Sides
) -> dict[str, tuple[Path, Path]]:
    """By what their names have in common the two files of pairs."""
    left = [path for path in files if not is_table(path) and not is_tmx(path)]
    found: dict[str, tuple[Path, Path]] = {}
    for form in range(_NUMBER_OF_FORMS):
        by_stem: dict[str, dict[str, Path]] = {}
        for path in left:
            stem, language = _forms(path)[form]
            if not stem:
                continue
            first = by_stem.setdefault(stem, {}).setdefault(language, path)
            if first is not path and form == 0:
                raise UserError(
                    f"{folder}: {first.name} and {path.name} are one file twice; leave "
                    "one"
                )
        for stem, by_language in by_stem.items():
            source, target = _both(by_language, sides)
            if source is not None and target is not None and stem not in found:
                found[stem] = by_language[source], by_language[target]
                left = [path for path in left if path not in found[stem]]
    return dict(sorted(found.items()))


_NUMBER_OF_FORMS = 7


def _forms(path: Path) -> list[tuple[str, str]]:
    """How a name may be made of a stem and a language: `train.en` before all others."""
    name = _uncompressed(path)
    stem, _, ending = name.rpartition(".")
    if f".{ending.lower()}" in SEGMENTED:
        # newstest2014-deen-src.de.sgm and newstest2014-deen-ref.en.sgm
        stem, _, ending = stem.rpartition(".")
        return [(_SIDE_OF_SET.sub("", stem), ending)] * _NUMBER_OF_FORMS
    inner = stem if ending.lower() == "txt" else name
    forms = [(stem, ending)]
    for separator in "._-":
        begin, _, end = inner.rpartition(separator)
        forms.append((begin, end))
    for separator in "._-":
        begin, _, end = inner.partition(separator)
        forms.append((end, begin))
    return forms


def _both(names: Mapping[str, Any], sides: Sides) -> tuple[str | None, str | None]:
    """Of endings of names those of source and target."""
    one, other = find_languages(names, sides.source, sides.target)
    if one is None and other is None:
        usual = [
            next((name for name in names if name.lower() in words), None)
            for words in sides.columns
        ]
        if None not in usual:
            return usual[0], usual[1]
    return one, other


def _refuse_single_sides(
    folder: Path,
    files: Sequence[Path],
    stems: Mapping[str, tuple[Path, Path]],
    sides: Sides,
) -> None:
    """Refuses a split to train or validate on that has one side alone.

    A test set may: those to be answered come without their answers.
    """
    in_pairs = {path.name for both in stems.values() for path in both}
    for path in files:
        stem, language = _forms(path)[0]
        split = split_of_name(stem)
        if path.name in in_pairs or split is None:
            continue
        one, other = find_languages([language], sides.source, sides.target)
        if one is None and other is None:
            continue
        present, missing = sides.source, sides.target
        if one is None:
            present, missing = missing, present
        message = (
            f"{folder}: has {stem}.{present} and no {stem}.{missing}; the two sides of "
            "a split are files of one name"
        )
        if not is_test(split):
            raise UserError(message)
        logger.info("%s; it is left out", message)


def _split_of(stem: str) -> str | None:
    """The split that a name is of; `splits.split_of_name`, and names of test sets."""
    found = split_of_name(stem)
    within = _SPLIT_WITHIN.search(stem)
    if found is not None or within is None:
        return found
    name = within["name"].lower()
    split = split_of_name(_OTHER_NAMES.get(name, name))
    return _test_called(stem) if split == "test" else split


def _test_called(stem: str) -> str:
    return "test_" + re.sub(r"\W", "_", stem)


def _tables(folder: Path, files: list[Path], sides: Sides) -> list[tuple[str, Path]]:
    """The tables with their split; a lone one under another name is to train on."""
    tables: dict[str, list[Path]] = {}
    others: list[Path] = []
    for path in filter(_is_pair_file, files):
        split = _split_of(_stem(path))
        if split is not None:
            tables.setdefault(split, []).append(path)
        elif _ending(path).lower() != "txt" or _has_tabs(path):
            others.append(path)
    if not tables and len(others) == 1:
        return [("train", others[0])]
    if sides.are_tests and not any(map(is_test, tables)):
        tables |= {_test_called(_stem(path)): [path] for path in others}
    if not tables:
        endings = sorted({_ending(path) for path in files} - {""})
        there = f"; there are files that end in {', '.join(endings[:20])}"
        raise UserError(
            f"{folder}: no train.{sides.source} with train.{sides.target} in it (also "
            ".gz), and no train.tsv, .csv, .jsonl, .parquet or .tmx"
            f"{there if endings else ''}; choose languages by --source and --target"
        )
    for split, paths in tables.items():
        _refuse_twice(folder, split, paths)
    return [(split, path) for split in in_order(tables) for path in tables[split]]


def _refuse_twice(folder: Path, split: str, files: Sequence[Path]) -> None:
    """Refuses several files of a split whose names differ in more than numbers."""
    names = {re.sub(r"\d+", "0", path.name) for path in files}
    if len(names) > 1:
        raise UserError(
            f"{folder}: {files[0].name} and {files[1].name} are both the {split} "
            "split; leave one, or name what to read by --data FILE,FILE"
        )


def _uncompressed(path: Path) -> str:
    return _COMPRESSED.sub("", path.name)


def _stem(path: Path) -> str:
    return _uncompressed(path).rpartition(".")[0]


def _ending(path: Path) -> str:
    return _uncompressed(path).rpartition(".")[2]


def _is_pair_file(path: Path) -> bool:
    return is_table(path) or is_tmx(path) or has_columns_of_lines(path)


def has_columns_of_lines(path: Path) -> bool:
    """Whether the lines of a file of this name may have columns with tabs between."""
    return _uncompressed(path).lower().endswith(_PLAIN_PAIRS)


def _has_tabs(path: Path) -> bool:
    return bool(_delimiter(read_lines(path).lines).value)


def _delimiter(lines: Sequence[str]) -> Decision:
    """What parts most lines, by the first of the file; empty if nothing does."""
    first = [line for line in lines[:_ENOUGH_LINES] if line.strip()]
    for name, delimiter in _DELIMITERS.items():
        number = sum(delimiter in line for line in first)
        if 2 * number > len(first):
            return Decision(name, f"in {number} of the first {len(first)} lines")
    return Decision("", "none in most lines")


def _read_file(path: Path, sides: Sides, pairs: PairSource, split: str) -> None:
    if not _is_pair_file(path):
        raise UserError(
            f"{path}: unknown kind of file; expected .tsv, .txt, .csv, .json, .jsonl, "
            ".tmx (each also with .gz), .parquet, .xlsx or .zip; of parallel text "
            "files give the folder, or both with a comma between them"
        )
    rows = pairs.splits.setdefault(split, PairRows())
    if is_tmx(path):
        _read_units(path, sides, pairs, rows)
    elif has_columns_of_lines(path):
        _read_tab_separated(path, sides, pairs, rows)
    else:
        _read_columns(path, sides, pairs, rows)


def _read_parallel(
    source: Path, target: Path, sides: Sides, pairs: PairSource, split: str
) -> None:
    refuse_split_column(sides.plan, f"{source} and {target}")
    rows = pairs.splits.setdefault(split, PairRows())
    if are_large_in_step(source, target, sides.plan):
        _read_large_parallel(source, target, sides, pairs, rows)
        return
    lines = read_parallel_lines(source, target, sides.plan)
    for side, path, read in zip(
        ("source", "target"), (source, target), lines, strict=True
    ):
        pairs.encodings.update(read.encodings)
        sides.plan.column(path.name, side, f"{len(read.lines):,} lines")
    samples = [sampled(read.lines, None).sample for read in lines]
    warn_if_swapped(samples[0], samples[1], sides, str(source))
    file = str(source)
    for number, (one, other) in enumerate(
        zip(lines[0].lines, lines[1].lines, strict=True), start=1
    ):
        location = (file, number)
        if number in lines[0].undecodable:
            pairs.bad_rows.append(BadRow(*location, UNDECODABLE))
        elif number in lines[1].undecodable:
            pairs.bad_rows.append(BadRow(str(target), number, UNDECODABLE))
        else:
            add_pair(rows, pairs.bad_rows, one, other, location)


def _read_large_parallel(
    source: Path, target: Path, sides: Sides, pairs: PairSource, rows: PairRows
) -> None:
    begin, file = len(rows), str(source)
    lines = (
        itertools.chain.from_iterable(FileStream(path, plan=sides.plan).lines())
        for path in (source, target)
    )
    number = 0
    for number, (one, other) in enumerate(zip(*lines, strict=True), start=1):
        add_pair(rows, pairs.bad_rows, one, other, (file, number))
    for side, path in (("source", source), ("target", target)):
        pairs.encodings["utf-8"] += number
        sides.plan.column(path.name, side, f"{number:,} lines")
    samples = [spread(side[begin:]) for side in (rows.source, rows.target)]
    warn_if_swapped(samples[0], samples[1], sides, file)


@dataclass(frozen=True)
class LineLayout:
    """How the lines of a text file hold columns.

    Args:
        delimiter: between them.
        columns: with values from all lines, and the names of the header.
        begin: how many lines stand above the first row.
        has_header: whether the last of these is a header.
        is_quoted: whether quotation marks stand around all texts.
    """

    delimiter: str
    columns: Sequence[Column]
    begin: int
    has_header: bool
    is_quoted: bool = False

    @classmethod
    def of(cls, lines: Sequence[str], sides: Sides, file: str = "") -> "LineLayout":
        """The layout of a file's lines; lines without a delimiter are one column.

        The plan decides ``delimiter``, ``skip_rows`` and ``header``.
        """
        plan = sides.plan
        found = _delimiter(lines)
        name = plan.decide(
            "delimiter",
            lambda: found,
            fits=lambda kept: kept == found.value or not found.value,
            file=file,
        )
        delimiter = _DELIMITERS.get(name, name) or _DELIMITERS["tab"]
        rows = [line.split(delimiter) for line in spread(lines)]
        width = max(map(len, rows), default=0)
        if width < 2:
            return cls(delimiter, _columns(rows, width, None), 0, False)
        above = plan.decide(
            "skip_rows",
            lambda: Decision(0, "no lines above"),
            fits=lambda kept: all(delimiter not in line for line in lines[:kept]),
        )
        if above:
            rows = [line.split(delimiter) for line in spread(lines[above:])]
        cells = [cell.strip().strip('"') for cell in rows[0]] if rows else []
        below = _columns(rows[1:], width, None)
        has_header = int(is_header(cells, below, sides) or False)
        header = plan.decide(
            "header",
            lambda: Decision(has_header, "by the words of the first line"),
            fits=lambda kept: kept == has_header,
            file=file,
        )
        columns = _columns(rows[header:], width, cells if header else None)
        is_quoted = _are_quoted(rows[header:])
        return cls(delimiter, columns, above + header, bool(header), is_quoted)

    def fields(self, line: str) -> list[str]:
        """The fields of a line, without what writers of tables put around them."""
        return [
            _unquoted(field, self.is_quoted) for field in line.split(self.delimiter)
        ]


def _read_tab_separated(
    path: Path, sides: Sides, pairs: PairSource, rows: PairRows
) -> None:
    """Reads the columns that hold the sides, below a header if there is one."""
    undecodable: set[int] = set()
    encodings: dict[str, int] = {}
    parts: Iterator[list[str]] = iter(())
    if is_large_text(path, sides.plan):
        parts = FileStream(path, plan=sides.plan).lines()
        first = next(parts)
    else:
        read = read_lines(path, sides.plan)
        first, undecodable = read.lines, read.undecodable
        encodings = read.encodings
    layout = LineLayout.of(first, sides, str(path))
    if layout.has_header and is_table(path):
        _read_columns(path, sides, pairs, rows)
        return
    width, file = len(layout.columns), str(path)
    chosen = (0, 1) if width < 2 else find_columns(layout.columns, sides, file)
    names = [str(column.name) for column in layout.columns]
    by_column = given_split_column(sides.plan, names, file)
    lines = itertools.chain(first, itertools.chain.from_iterable(parts))
    number = 0
    for number, line in enumerate(lines, start=1):
        if number <= layout.begin:
            continue
        location = (file, number)
        fields = layout.fields(line)
        if number in undecodable:
            pairs.bad_rows.append(BadRow(*location, UNDECODABLE))
        elif len(fields) > max(*chosen, by_column or 0):
            texts = [fields[column] for column in chosen]
            part = None if by_column is None else fields[by_column]
            _add(part, rows, pairs, pairs.bad_rows, texts[0], texts[1], location)
        elif line.strip():
            reason = "no tab in it; two columns were expected, source and target"
            if len(fields) > 1 or layout.has_header:
                reason = f"{len(fields)} fields; the header has {width}"
            pairs.bad_rows.append(BadRow(*location, reason))
    pairs.encodings.update(encodings or {"utf-8": number})


def _are_quoted(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a writer of tables has put all texts in quotation marks."""
    texts = [
        field for row in rows for field in row if any(map(str.isalpha, field.strip()))
    ]
    return len(rows) >= _FEWEST_QUOTED and all(map(_QUOTED.fullmatch, texts))


def _unquoted(field: str, is_quoted: bool = False) -> str:
    has_doubled = '""' in field[1:-1]
    if (is_quoted or has_doubled) and _QUOTED.fullmatch(field):
        return field[1:-1].replace('""', '"')
    return field


def _columns(
    rows: Sequence[Sequence[Any]], width: int, names: Sequence[str] | None
) -> list[Column]:
    """The columns of rows, some of which may be too short."""
    return [
        sampled(
            [row[number] if number < len(row) else None for row in rows],
            None if names is None or number >= len(names) else names[number],
        )
        for number in range(width)
    ]


def _read_columns(path: Path, sides: Sides, pairs: PairSource, rows: PairRows) -> None:
    tables = read_in_parts(
        path, sides.plan, functools.partial(_names_columns, sides=sides)
    )
    first, file = next(tables), str(path)
    names = [str(name) for name in first.frame.columns]
    values = [first.frame.iloc[:, number].tolist() for number in range(len(names))]
    has_names = names != [str(number) for number in range(1, len(names) + 1)]
    columns = [
        sampled(column, name if has_names else None)
        for name, column in zip(names, values, strict=True)
    ]
    held = _pair_column(names, sides)
    if held is None:
        chosen = find_columns(columns, sides, file)
    else:
        sides.plan.column(names[held], "source and target", "a text for each language")
    by_column = given_split_column(sides.plan, names, file)
    bad_rows: list[BadRow] = []
    for table in itertools.chain([first], tables):
        frame = table.frame.rename(columns=str).reindex(columns=names)
        pairs.encodings.update(table.encodings)
        bad_rows += table.bad_rows
        texts: Iterator[tuple[Any, Any]]
        if held is not None:
            texts = (_texts_of_pair(pair, sides) for pair in frame[names[held]])
        else:
            one, other = (frame[names[column]] for column in chosen)
            texts = zip(one, other, strict=True)
        parts = [None] * len(frame)
        if by_column is not None:
            parts = frame[names[by_column]].fillna("").tolist()
        for line, part, both in zip(table.lines.tolist(), parts, texts, strict=True):
            _add(part, rows, pairs, bad_rows, *both, (file, line))
    pairs.bad_rows += sorted(bad_rows, key=lambda row: row.line or 0)


def _add(
    part: Any,
    rows: PairRows,
    pairs: PairSource,
    bad_rows: list[BadRow],
    source: Any,
    target: Any,
    location: Location,
) -> None:
    """Adds a pair to the split that its row names, or to the rows if it names none."""
    if part is not None:
        try:
            rows = pairs.splits.setdefault(split_of_cell(part), PairRows())
        except ValueError as error:
            bad_rows.append(BadRow(*location, str(error)))
            return
    add_pair(rows, bad_rows, source, target, location)


def _names_columns(
    first: Sequence[str], rows: Sequence[Sequence[str]], sides: Sides
) -> bool | None:
    """Whether a first line is a header; None where its words do not say.

    To one who knows no languages, it is a row of words like the others.
    """
    decided = is_header(first, _columns(rows, len(first), None), sides)
    if decided is None and find_named(first, sides) != (None, None):
        return True
    return decided


def _pair_column(names: Sequence[str], sides: Sides) -> int | None:
    """The number of the column that holds both sides, where no two columns do."""
    if sides.plan.given("source_column") or None not in find_named(names, sides):
        return None
    return next(
        (n for n, name in enumerate(names) if name.lower() in sides.pair_columns), None
    )


def _texts_of_pair(pair: Any, sides: Sides) -> tuple[Any, Any]:
    if not isinstance(pair, Mapping):
        return None, None
    one, other = find_languages(pair, sides.source, sides.target)
    return None if one is None else pair[one], None if other is None else pair[other]


def _read_units(path: Path, sides: Sides, pairs: PairSource, rows: PairRows) -> None:
    refuse_split_column(sides.plan, str(path))
    others = 0
    for number, unit in enumerate(read_tmx(path), start=1):
        one, other = _of_unit(unit, sides)
        if one is None or other is None:
            others += 1
            continue
        location = (f"{path}, unit {number}", None)
        add_pair(rows, pairs.bad_rows, unit[one], unit[other], location)
    if others:
        logger.info("%s: %s units are not in both languages", path, f"{others:,}")
    if not len(rows):
        languages = ", ".join(languages_of(read_tmx(path))) or "none"
        raise UserError(
            f"{path}: no unit with {sides.source} and {sides.target}; its languages "
            f"are {languages}; choose by --source and --target"
        )
    warn_if_swapped(spread(rows.source), spread(rows.target), sides, str(path))


def _of_unit(unit: Mapping[str, str], sides: Sides) -> tuple[str | None, str | None]:
    """Of a unit in several regions' languages the first that are asked for."""
    one, other = find_languages(unit, sides.source, sides.target)
    one = one or _first_similar(unit, sides.source, besides=other)
    return one, other or _first_similar(unit, sides.target, besides=one)


def _first_similar(
    unit: Mapping[str, str], language: str, besides: str | None
) -> str | None:
    return next(
        (name for name in unit if name != besides and find_language([name], language)),
        None,
    )
