"""From a spec to pairs of sentences, as they stand in the user's files."""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import UserError
from .languages import find_language
from .normalised_text import normalise_text
from .parallel_text import read_parallel_lines
from .tables import BadRow, is_table, read_lines, read_table
from .tfds_pairs import read_tfds_pairs
from .tmx import is_tmx, languages_of, read_tmx
from .translation_sample import DEFAULT_NUMBER_OF_PAIRS, SOURCE, TARGET, sample_pairs

#: Names of columns that are no language, in order of preference, whatever their case.
SOURCE_COLUMNS = ("source", "src")
TARGET_COLUMNS = ("target", "tgt", "trg")
TRANSLATION_COLUMNS = ("translation", "translations")

# "validation.en", "val_2.en", but not "valley.en". A test file keeps its own name.
_TRAIN = re.compile(r"train(?![a-z])", re.IGNORECASE)
_VALIDATION = re.compile(r"(validation|valid|val|dev)(?![a-z])", re.IGNORECASE)
_TEST = re.compile(r"test", re.IGNORECASE)
_TRAINING_SPLITS = ("train", "validation")
_UNDECODABLE = "bytes that are neither UTF-8 nor cp1252"
# As writers of tables quote a field; a quotation in a text has no quotes doubled.
_QUOTED = re.compile(r'"(?:[^"]|"")*+"')
_PLAIN_PAIRS = (".tsv", ".tsv.gz", ".txt", ".txt.gz")


logger = logging.getLogger("recurra")


@dataclass
class PairRows:
    """The usable pairs of one split; the lists run in step.

    ``places`` holds the file and the line of each; of Parquet the number of the row, of
    TMX that of the unit, beside the file.
    """

    source: list[str] = field(default_factory=list)
    target: list[str] = field(default_factory=list)
    places: list[tuple[str, int | None]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.source)


@dataclass
class PairSource:
    """What a spec brings.

    Args:
        splits: pairs by split: ``train``, ``validation`` and names that begin with
            ``test``.
        bad_rows: what cannot be used.
        encodings: lines by the encoding they were decoded with.
    """

    splits: dict[str, PairRows] = field(default_factory=dict)
    bad_rows: list[BadRow] = field(default_factory=list)
    encodings: Counter[str] = field(default_factory=Counter)

    @property
    def number_of_rows(self) -> int:
        """All rows, the bad ones included."""
        return sum(map(len, self.splits.values())) + len(self.bad_rows)


def read_pair_source(spec: str, source: str, target: str) -> PairSource:
    """Reads what ``spec`` names; see ``load_sentence_pairs`` for the specs.

    Raises:
        UserError: the spec, a file, a folder or a language is not there.
    """
    if source == target:
        raise UserError(f"--source and --target are both {source}; give two languages")
    if spec == "sample" or spec.startswith("sample:"):
        return _read_sample(spec, source, target)
    if spec.startswith("tfds:"):
        return _read_tfds(spec, source, target)
    path = Path(spec).expanduser()
    if path.is_dir():
        return _read_folder(path, source, target)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    pairs = PairSource()
    _read_file(path, source, target, pairs, "train")
    return pairs


def split_of_name(name: str) -> str | None:
    """The split that a tfds split, or a file without its ending, is; None if none.

    There may be several test sets, as `test.2016` and `test.2017` are.
    """
    if _TRAIN.match(name):
        return "train"
    if _VALIDATION.match(name):
        return "validation"
    return name.replace(".", "_") if _TEST.match(name) else None


def _read_sample(spec: str, source: str, target: str) -> PairSource:
    number = spec.partition(":")[2]
    if number and not number.isdecimal():
        raise UserError(f"{spec}: sample:NUMBER was expected, as in sample:20000")
    if (
        find_language([SOURCE], source) is None
        or find_language([TARGET], target) is None
    ):
        raise UserError(
            f"{spec}: the sample is from {SOURCE} to {TARGET}, not from {source} to "
            f"{target}; leave --source and --target out"
        )
    sample = sample_pairs(int(number) if number else DEFAULT_NUMBER_OF_PAIRS)
    pairs = PairSource()
    for split, (english, german) in sample.splits.items():
        rows = pairs.splits.setdefault(split, PairRows())
        for line, sides in enumerate(zip(english, german, strict=True), start=1):
            _add_pair(rows, pairs.bad_rows, *sides, (f"sample/{split}", line))
    return pairs


def _read_tfds(spec: str, source: str, target: str) -> PairSource:
    name = spec.partition(":")[2]
    pairs = PairSource()
    splits = read_tfds_pairs(name, source=source, target=target)
    for tfds_split, sides in splits.items():
        split = split_of_name(tfds_split)
        if split is None:
            continue
        rows = pairs.splits.setdefault(split, PairRows())
        for line, pair in enumerate(zip(*sides, strict=True), start=1):
            _add_pair(rows, pairs.bad_rows, *pair, (f"{spec}/{tfds_split}", line))
    return pairs


def _read_folder(folder: Path, source: str, target: str) -> PairSource:
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".")
    ]
    pairs = PairSource()
    parallel = _parallel_files(folder, files, source, target)
    for split, (source_file, target_file) in parallel.items():
        _read_parallel(source_file, target_file, pairs, split)
    if parallel:
        return pairs
    tables: dict[str, Path] = {}
    for path in files:
        table_split = split_of_name(_stem(path))
        if table_split is None or not _is_pair_file(path):
            continue
        if table_split in tables:
            raise _both(folder, table_split, tables[table_split], path)
        tables[table_split] = path
    for split, path in tables.items():
        _read_file(path, source, target, pairs, split)
    if not tables:
        endings = sorted({_ending(path) for path in files} - {""})
        there = f"; there are files that end in {', '.join(endings[:20])}"
        raise UserError(
            f"{folder}: no train.{source} with train.{target} in it (also .gz), and no "
            f"train.tsv, .csv, .jsonl, .parquet or .tmx{there if endings else ''}; "
            "choose languages by --source and --target"
        )
    return pairs


def _parallel_files(
    folder: Path, files: list[Path], source: str, target: str
) -> dict[str, tuple[Path, Path]]:
    """By split the two files; a lone pair under another name is to train on.

    What there is of files in both languages and is not read, the log tells.
    """
    by_stem: dict[str, dict[str, Path]] = {}
    for path in files:
        stem, ending = _stem(path), _ending(path)
        if not stem:
            continue
        same = by_stem.setdefault(stem, {}).setdefault(ending, path)
        if same is not path:
            raise UserError(
                f"{folder}: {same.name} and {path.name} are one file twice; leave one"
            )
    splits: dict[str, tuple[Path, Path]] = {}
    others: list[tuple[Path, Path]] = []
    for stem, by_ending in by_stem.items():
        found = [find_language(by_ending, language) for language in (source, target)]
        split = split_of_name(stem)
        if found[0] is None or found[1] is None:
            if split is not None and (found[0] or found[1]):
                there, missing = (source, target) if found[0] else (target, source)
                message = (
                    f"{folder}: has {stem}.{there} and no {stem}.{missing}; the two "
                    "sides of a split are files of one name"
                )
                # Test sets to be translated come without their translations.
                if split in _TRAINING_SPLITS:
                    raise UserError(message)
                logger.info("%s; it is left out", message)
            continue
        both = by_ending[found[0]], by_ending[found[1]]
        if split is None:
            others.append(both)
        elif split in splits:
            raise _both(folder, split, splits[split][0], both[0])
        else:
            splits[split] = both
    if not splits and len(others) == 1:
        return {"train": others[0]}
    if others and "train" not in splits:
        names = ", ".join(each.name for each, _ in others)
        raise UserError(
            f"{folder}: has {names} and no train.{source}; rename what to train on"
        )
    for unused, _ in others:
        logger.info("%s: %s is left out; its name is no split's", folder, unused.name)
    return splits


def _both(folder: Path, split: str, one: Path, other: Path) -> UserError:
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


def _read_file(
    path: Path, source: str, target: str, pairs: PairSource, split: str
) -> None:
    if not _is_pair_file(path):
        raise UserError(
            f"{path}: unknown kind of file; expected .tsv, .txt, .csv, .jsonl, .tmx "
            "(each also with .gz) or .parquet; of parallel text files give the folder"
        )
    rows = pairs.splits.setdefault(split, PairRows())
    if is_tmx(path):
        _read_units(path, source, target, pairs, rows)
    elif path.name.lower().endswith(_PLAIN_PAIRS):
        _read_tab_separated(path, source, target, pairs, rows)
    else:
        _read_columns(path, source, target, pairs, rows)


def _read_parallel(source: Path, target: Path, pairs: PairSource, split: str) -> None:
    rows = pairs.splits.setdefault(split, PairRows())
    lines = read_parallel_lines(source, target)
    for side in lines:
        pairs.encodings.update(side.encodings)
    for number, (one, other) in enumerate(
        zip(lines[0].lines, lines[1].lines, strict=True), start=1
    ):
        place = (str(source), number)
        if number in lines[0].undecodable:
            pairs.bad_rows.append(BadRow(*place, _UNDECODABLE))
        elif number in lines[1].undecodable:
            pairs.bad_rows.append(BadRow(str(target), number, _UNDECODABLE))
        else:
            _add_pair(rows, pairs.bad_rows, one, other, place)


def _read_tab_separated(
    path: Path, source: str, target: str, pairs: PairSource, rows: PairRows
) -> None:
    """Source and target in the first two columns, unless the first line names them."""
    read = read_lines(path)
    header = read.lines[0].split("\t") if read.lines else []
    header = [name.strip().strip('"') for name in header]
    one, other = _find_columns(header, source, target)
    if one is None or other is None:
        columns, begin = (0, 1), 0
    elif is_table(path):
        _read_columns(path, source, target, pairs, rows)
        return
    else:
        columns, begin = (header.index(one), header.index(other)), 1
    pairs.encodings.update(read.encodings)
    for number, line in enumerate(read.lines[begin:], start=begin + 1):
        place = (str(path), number)
        fields = line.split("\t")
        if number in read.undecodable:
            pairs.bad_rows.append(BadRow(*place, _UNDECODABLE))
        elif len(fields) > max(columns):
            source_text, target_text = (_unquoted(fields[each]) for each in columns)
            _add_pair(rows, pairs.bad_rows, source_text, target_text, place)
        elif line.strip():
            reason = "no tab in it; two columns were expected, source and target"
            if begin:
                reason = f"{len(fields)} fields; the header has {len(header)}"
            pairs.bad_rows.append(BadRow(*place, reason))


def _unquoted(field: str) -> str:
    if '""' in field[1:-1] and _QUOTED.fullmatch(field):
        return field[1:-1].replace('""', '"')
    return field


def _read_columns(
    path: Path, source: str, target: str, pairs: PairSource, rows: PairRows
) -> None:
    table = read_table(path)
    frame = table.frame
    frame.columns = pd.Index([str(name) for name in frame.columns])
    pairs.encodings.update(table.encodings)
    unusable = list(table.bad_rows)
    for line, sides in zip(
        table.lines, _sides_of_rows(frame, path, source, target), strict=True
    ):
        _add_pair(rows, unusable, *sides, (str(path), int(line)))
    pairs.bad_rows += sorted(unusable, key=lambda row: row.line or 0)


def _sides_of_rows(
    frame: pd.DataFrame, path: Path, source: str, target: str
) -> Iterator[tuple[Any, Any]]:
    names = list(frame.columns)
    one, other = _find_columns(names, source, target)
    if one is not None and other is not None:
        return zip(frame[one].tolist(), frame[other].tolist(), strict=True)
    for name in names:
        if name.lower() in TRANSLATION_COLUMNS:
            return (_sides(each, source, target) for each in frame[name].tolist())
    raise UserError(
        f"{path}: no columns for {source} and {target}; its columns are "
        f"{', '.join(name[:40] for name in names[:20])}; choose by --source and "
        "--target"
    )


def _sides(translation: Any, source: str, target: str) -> tuple[Any, Any]:
    if not isinstance(translation, Mapping):
        return None, None
    return tuple(  # type: ignore[return-value]
        None if name is None else translation[name]
        for name in (
            find_language(translation, source),
            find_language(translation, target),
        )
    )


def _find_columns(
    names: list[str], source: str, target: str
) -> tuple[str | None, str | None]:
    by_name = {name.strip().lower(): name for name in names}
    one, other = (
        find_language(names, language)
        or next((by_name[name] for name in usual if name in by_name), None)
        for language, usual in ((source, SOURCE_COLUMNS), (target, TARGET_COLUMNS))
    )
    return one, other


def _read_units(
    path: Path, source: str, target: str, pairs: PairSource, rows: PairRows
) -> None:
    others = 0
    for number, unit in enumerate(read_tmx(path), start=1):
        one, other = _first_of(unit, source), _first_of(unit, target)
        if one is None or other is None:
            others += 1
            continue
        place = (f"{path}, unit {number}", None)
        _add_pair(rows, pairs.bad_rows, unit[one], unit[other], place)
    if others:
        logger.info("%s: %s units are not in both languages", path, f"{others:,}")
    if not len(rows):
        languages = ", ".join(languages_of(read_tmx(path))) or "none"
        raise UserError(
            f"{path}: no unit with {source} and {target}; its languages are "
            f"{languages}; choose by --source and --target"
        )


def _first_of(unit: Mapping[str, str], language: str) -> str | None:
    """Of a unit in several regions' languages the first that is asked for."""
    exact = find_language(unit, language)
    return exact or next(
        (each for each in unit if find_language([each], language)), None
    )


def _add_pair(
    rows: PairRows,
    bad_rows: list[BadRow],
    source: Any,
    target: Any,
    place: tuple[str, int | None],
) -> None:
    for name, side in (("source", source), ("target", target)):
        fault = _fault(side)
        if fault is not None:
            bad_rows.append(BadRow(*place, f"{name}: {fault}"))
            return
    rows.source.append(normalise_text(source))
    rows.target.append(normalise_text(target))
    rows.places.append(place)


def _fault(side: Any) -> str | None:
    if side is None or side is pd.NA or (isinstance(side, float) and isnan(side)):
        return "no text"
    if not isinstance(side, str):
        return f"of type {type(side).__name__}; a string was expected"
    try:
        side.encode("utf-8")
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no character"
    return None
