"""Pairs of sentences in a user's files: parallel text, tables, and TMX."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ...core.errors import UserError
from ..files.parallel_text import read_parallel_lines
from ..files.tables import UNDECODABLE, BadRow, is_table, read_lines, read_table
from ..files.tmx import is_tmx, languages_of, read_tmx
from ..sources import Spec
from ..splits import is_test, split_of_name
from .languages import find_language
from .pair_rows import PairRows, PairSource, Sides, add_pair

#: Names of columns that are no language, in order of preference, whatever their case.
SOURCE_COLUMNS = ("source", "src")
TARGET_COLUMNS = ("target", "tgt", "trg")

# As writers of tables quote a field; a quotation in a text has no quotes doubled.
_QUOTED = re.compile(r'"(?:[^"]|"")*+"')
_PLAIN_PAIRS = (".tsv", ".tsv.gz", ".txt", ".txt.gz")

logger = logging.getLogger("recurra")


def read_pair_files(spec: Spec, sides: Sides) -> PairSource:
    """Reads a file or a folder; see `sentence_pairs.load_sentence_pairs`.

    Raises:
        UserError: a file or a language is not there, or a file cannot be read.
    """
    path = spec.path
    pairs = PairSource()
    if not path.is_dir():
        _read_file(path, sides, pairs, "train")
        return pairs
    files = [
        file
        for file in sorted(path.iterdir())
        if file.is_file() and not file.name.startswith(".")
    ]
    parallel = _parallel_files(path, files, sides)
    for split, (source, target) in parallel.items():
        _read_parallel(source, target, pairs, split)
    if not parallel:
        for split, table in _tables(path, files, sides).items():
            _read_file(table, sides, pairs, split)
    return pairs


def _parallel_files(
    folder: Path, files: list[Path], sides: Sides
) -> dict[str, tuple[Path, Path]]:
    """By split the files of both sides; a lone pair under another name is to train on.

    The log says which files in both languages are left out.
    """
    splits: dict[str, tuple[Path, Path]] = {}
    others: list[tuple[Path, Path]] = []
    for stem, by_ending in _by_stem(folder, files).items():
        split = split_of_name(stem)
        both = _both_sides(folder, stem, by_ending, sides)
        if both is None:
            continue
        if split is None:
            others.append(both)
        elif split in splits:
            raise _split_twice(folder, split, splits[split][0], both[0])
        else:
            splits[split] = both
    if not splits and len(others) == 1:
        return {"train": others[0]}
    if others and "train" not in splits:
        names = ", ".join(source.name for source, _ in others)
        raise UserError(
            f"{folder}: has {names} and no train.{sides.source}; rename what to train "
            "on"
        )
    for source, _ in others:
        logger.info("%s: %s is left out; its name is no split's", folder, source.name)
    return splits


def _by_stem(folder: Path, files: list[Path]) -> dict[str, dict[str, Path]]:
    """The files by what stands before the ending, and by the ending."""
    by_stem: dict[str, dict[str, Path]] = {}
    for path in files:
        if stem := _stem(path):
            first = by_stem.setdefault(stem, {}).setdefault(_ending(path), path)
            if first is not path:
                raise UserError(
                    f"{folder}: {first.name} and {path.name} are one file twice; leave "
                    "one"
                )
    return by_stem


def _both_sides(
    folder: Path, stem: str, by_ending: Mapping[str, Path], sides: Sides
) -> tuple[Path, Path] | None:
    """Of the files of one stem those in both languages; None if there are not both.

    Raises:
        UserError: a split to train or validate on has one side alone. A test set may:
            those to be answered come without their answers.
    """
    source = find_language(by_ending, sides.source)
    target = find_language(by_ending, sides.target)
    if source is not None and target is not None:
        return by_ending[source], by_ending[target]
    split = split_of_name(stem)
    if split is None or (source is None and target is None):
        return None
    present, missing = sides.source, sides.target
    if source is None:
        present, missing = missing, present
    message = (
        f"{folder}: has {stem}.{present} and no {stem}.{missing}; the two sides of a "
        "split are files of one name"
    )
    if not is_test(split):
        raise UserError(message)
    logger.info("%s; it is left out", message)
    return None


def _tables(folder: Path, files: list[Path], sides: Sides) -> dict[str, Path]:
    """By split the table."""
    tables: dict[str, Path] = {}
    for path in files:
        split = split_of_name(_stem(path))
        if split is None or not _is_pair_file(path):
            continue
        if split in tables:
            raise _split_twice(folder, split, tables[split], path)
        tables[split] = path
    if not tables:
        endings = sorted({_ending(path) for path in files} - {""})
        there = f"; there are files that end in {', '.join(endings[:20])}"
        raise UserError(
            f"{folder}: no train.{sides.source} with train.{sides.target} in it (also "
            ".gz), and no train.tsv, .csv, .jsonl, .parquet or .tmx"
            f"{there if endings else ''}; choose languages by --source and --target"
        )
    return tables


def _split_twice(folder: Path, split: str, one: Path, other: Path) -> UserError:
    return UserError(
        f"{folder}: {one.name} and {other.name} are both the {split} split; leave one"
    )


def _without_gz(path: Path) -> str:
    name = path.name
    return name[:-3] if name.lower().endswith(".gz") else name


def _stem(path: Path) -> str:
    return _without_gz(path).rpartition(".")[0]


def _ending(path: Path) -> str:
    return _without_gz(path).rpartition(".")[2]


def _is_pair_file(path: Path) -> bool:
    name = path.name.lower()
    return is_table(path) or is_tmx(path) or name.endswith(_PLAIN_PAIRS)


def _read_file(path: Path, sides: Sides, pairs: PairSource, split: str) -> None:
    if not _is_pair_file(path):
        raise UserError(
            f"{path}: unknown kind of file; expected .tsv, .txt, .csv, .jsonl, .tmx "
            "(each also with .gz) or .parquet; of parallel text files give the folder"
        )
    rows = pairs.splits.setdefault(split, PairRows())
    if is_tmx(path):
        _read_units(path, sides, pairs, rows)
    elif path.name.lower().endswith(_PLAIN_PAIRS):
        _read_tab_separated(path, sides, pairs, rows)
    else:
        _read_columns(path, sides, pairs, rows)


def _read_parallel(source: Path, target: Path, pairs: PairSource, split: str) -> None:
    rows = pairs.splits.setdefault(split, PairRows())
    lines = read_parallel_lines(source, target)
    for side in lines:
        pairs.encodings.update(side.encodings)
    for number, (one, other) in enumerate(
        zip(lines[0].lines, lines[1].lines, strict=True), start=1
    ):
        location = (str(source), number)
        if number in lines[0].undecodable:
            pairs.bad_rows.append(BadRow(*location, UNDECODABLE))
        elif number in lines[1].undecodable:
            pairs.bad_rows.append(BadRow(str(target), number, UNDECODABLE))
        else:
            add_pair(rows, pairs.bad_rows, one, other, location)


def _read_tab_separated(
    path: Path, sides: Sides, pairs: PairSource, rows: PairRows
) -> None:
    """Source and target in the first two columns, unless the first line names them."""
    read = read_lines(path)
    header = read.lines[0].split("\t") if read.lines else []
    header = [name.strip().strip('"') for name in header]
    one, other = _find_columns(header, sides)
    if one is None or other is None:
        columns, begin = (0, 1), 0
    elif is_table(path):
        _read_columns(path, sides, pairs, rows)
        return
    else:
        columns, begin = (header.index(one), header.index(other)), 1
    pairs.encodings.update(read.encodings)
    for number, line in enumerate(read.lines[begin:], start=begin + 1):
        location = (str(path), number)
        fields = line.split("\t")
        if number in read.undecodable:
            pairs.bad_rows.append(BadRow(*location, UNDECODABLE))
        elif len(fields) > max(columns):
            texts = [_unquoted(fields[column]) for column in columns]
            add_pair(rows, pairs.bad_rows, texts[0], texts[1], location)
        elif line.strip():
            reason = "no tab in it; two columns were expected, source and target"
            if begin:
                reason = f"{len(fields)} fields; the header has {len(header)}"
            pairs.bad_rows.append(BadRow(*location, reason))


def _unquoted(field: str) -> str:
    if '""' in field[1:-1] and _QUOTED.fullmatch(field):
        return field[1:-1].replace('""', '"')
    return field


def _read_columns(path: Path, sides: Sides, pairs: PairSource, rows: PairRows) -> None:
    table = read_table(path)
    frame = table.frame
    frame.columns = pd.Index([str(name) for name in frame.columns])
    pairs.encodings.update(table.encodings)
    bad_rows = list(table.bad_rows)
    for line, texts in zip(table.lines, _texts(frame, path, sides), strict=True):
        add_pair(rows, bad_rows, *texts, (str(path), int(line)))
    pairs.bad_rows += sorted(bad_rows, key=lambda row: row.line or 0)


def _texts(frame: pd.DataFrame, path: Path, sides: Sides) -> Iterator[tuple[Any, Any]]:
    names = list(frame.columns)
    one, other = _find_columns(names, sides)
    if one is not None and other is not None:
        return zip(frame[one].tolist(), frame[other].tolist(), strict=True)
    for name in names:
        if name.lower() in sides.pair_columns:
            return (_texts_of_pair(pair, sides) for pair in frame[name].tolist())
    raise UserError(
        f"{path}: no columns for {sides.source} and {sides.target}; its columns are "
        f"{', '.join(name[:40] for name in names[:20])}; choose by --source and "
        "--target"
    )


def _texts_of_pair(pair: Any, sides: Sides) -> tuple[Any, Any]:
    if not isinstance(pair, Mapping):
        return None, None
    source = find_language(pair, sides.source)
    target = find_language(pair, sides.target)
    return (
        None if source is None else pair[source],
        None if target is None else pair[target],
    )


def _find_columns(names: list[str], sides: Sides) -> tuple[str | None, str | None]:
    by_name = {name.strip().lower(): name for name in names}

    def found(language: str, usual: Sequence[str]) -> str | None:
        by_usual_name = (by_name[name] for name in usual if name in by_name)
        return find_language(names, language) or next(by_usual_name, None)

    return found(sides.source, SOURCE_COLUMNS), found(sides.target, TARGET_COLUMNS)


def _read_units(path: Path, sides: Sides, pairs: PairSource, rows: PairRows) -> None:
    others = 0
    for number, unit in enumerate(read_tmx(path), start=1):
        one, other = _first_of(unit, sides.source), _first_of(unit, sides.target)
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


def _first_of(unit: Mapping[str, str], language: str) -> str | None:
    """Of a unit in several regions' languages the first that is asked for."""
    exact = find_language(unit, language)
    return exact or next(
        (name for name in unit if find_language([name], language)), None
    )
