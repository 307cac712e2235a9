"""Plain texts: of files in folders, a column of a table, or tensorflow-datasets."""

import functools
import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ...cards import ReadingPlan
from ...core.errors import UserError
from ..description import DataDescription, DescriptionTable
from ..files.patterns import files_at
from ..files.tables import UNDECODABLE, BadRow, is_missing, is_table, read_table
from ..files.text_files import read_text
from ..reading import Decision, PlanBuilder
from ..sources import PLAIN_TEXTS, Spec, read
from ..splits import check_bad_fraction, check_fractions, in_order, split_called
from .labelled_files import find_text_column
from .long_text import LongText
from .text_description import QUANTILES, example_of, quantiles
from .tfds_texts import fetch, find_builder

SplitBy = Literal["documents", "position"]
Text = str | LongText

# From so many on a split is carved of whole documents.
_MANY_DOCUMENTS = 20
_BATCH = 1024
_HEADINGS = [f"{quantile:.0%}".replace("%", " %") for quantile in QUANTILES]


@dataclass(frozen=True)
class Documents:
    """Texts with their splits.

    Args:
        spec: as given.
        splits: texts by split; keys among "train", "validation", "test". One of many
            megabytes is a `LongText`, which stays in its file.
        bad_rows: what was left out, each with file, line and reason.
        encodings: lines of the files by the encoding they were decoded with.
        reading_plan: how the files were read.
    """

    spec: str
    splits: dict[str, list[Text]]
    bad_rows: tuple[BadRow, ...] = ()
    encodings: dict[str, int] = field(default_factory=dict)
    reading_plan: ReadingPlan | None = None

    @functools.cached_property
    def digests(self) -> dict[str, str]:
        """A hash of each split."""
        return {name: _digest(texts) for name, texts in self.splits.items()}

    def metadata(self) -> dict[str, Any]:
        """What the data hold, with a hash of each split, for JSON."""
        return {
            "spec": self.spec,
            "documents": {name: len(texts) for name, texts in self.splits.items()},
            "characters": {
                name: sum(map(len, texts)) for name, texts in self.splits.items()
            },
            "sha256": self.digests,
            "bad_rows": [vars(row) for row in self.bad_rows],
        }

    def as_test(self) -> "Documents":
        """The same with every text in the test."""
        every = list(itertools.chain.from_iterable(self.splits.values()))
        return replace(self, splits={"test": every})

    def frame(self) -> pd.DataFrame:
        """All texts: `split` and `text`."""
        return pd.DataFrame(
            [
                (name, str(text))
                for name, texts in self.splits.items()
                for text in texts
            ],
            columns=["split", "text"],
        )


@dataclass
class TextSource:
    """What a reader of plain texts returns."""

    splits: dict[str, list[Text]] = field(default_factory=dict)
    bad_rows: list[BadRow] = field(default_factory=list)
    encodings: Counter[str] = field(default_factory=Counter)

    def add(self, split: str, text: Any, file: str, line: int | None) -> None:
        """Adds a text to a split, or what is none to the bad rows."""
        if is_missing(text) or not isinstance(text, str):
            self.bad_rows.append(BadRow(file, line, "no text"))
        elif not text.strip():
            self.bad_rows.append(BadRow(file, line, "empty text"))
        else:
            self.splits.setdefault(split, []).append(
                text.encode("utf-8", "replace").decode("utf-8")
            )


def load_documents(
    spec: str,
    *,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_by: SplitBy | None = None,
    max_bad_fraction: float = 0.01,
    seed: int = 0,
    reading: dict[str, Any] | None = None,
    kept: ReadingPlan | None = None,
) -> Documents:
    """Loads texts and carves the splits that they do not bring.

    Args:
        spec: `sample`, `tfds:NAME`, or a path: of a text file, which is one text; of a
            table (.csv, .tsv, .jsonl, .parquet, ...), of which each row is one; of a
            folder, with everything in it; or several of these with `*`, `?` and `**`.
            Names such as `ptb.train.txt`, `valid.txt` or `test/` say the split.
        validation_fraction: of the training texts, where the data bring no validation.
            0: none is carved.
        test_fraction: likewise for the test.
        split_by: whether carved splits are whole texts, drawn by the seed, or the ends
            of all texts; by documents if None and there are many.
        max_bad_fraction: of files and rows that hold no text, at most.
        seed: the same seed carves the same splits.
        reading: values of the section `data`, such as `text_column`.
        kept: the plan of training, for later data.

    Raises:
        UserError: nothing is there, no text can be read, too much of it is bad, or
            there is too little to carve splits from.
    """
    check_fractions(validation_fraction, test_fraction)
    plan = PlanBuilder(reading, kept)
    source: TextSource = read(spec, PLAIN_TEXTS, plan)
    count = sum(map(len, source.splits.values()))
    check_bad_fraction(
        spec, source.bad_rows, count + len(source.bad_rows), max_bad_fraction
    )
    documents = Documents(
        spec,
        {name: source.splits[name] for name in in_order(source.splits)},
        tuple(source.bad_rows),
        dict(source.encodings),
        plan.plan(),
    )
    return _carved(documents, validation_fraction, test_fraction, split_by, seed)


def read_text_files(spec: Spec, plan: PlanBuilder) -> TextSource:
    """Reads files and folders; see `load_documents`.

    Raises:
        UserError: there is no file, or one cannot be read.
    """
    source = TextSource()
    for split, path in _files(spec):
        if is_table(path):
            _add_table(source, split, path, plan)
            continue
        if (long := LongText.of_file(path)) and _may_be_utf_8(plan):
            source.encodings["utf-8"] += 1
            source.splits.setdefault(split, []).append(long)
            continue
        text = read_text(path, plan)
        source.encodings.update(text.encodings)
        if text.undecodable:
            source.bad_rows.append(
                BadRow(str(path), min(text.undecodable), UNDECODABLE)
            )
        else:
            source.add(split, text.text, str(path), None)
    return source


def _may_be_utf_8(plan: PlanBuilder) -> bool:
    return plan.given("encoding") in (None, "utf-8", "utf-8-sig")


def _files(spec: Spec) -> list[tuple[str, Path]]:
    """The files, each with its split: that its name or a folder above it says."""
    root, files = files_at(spec.path)
    if files == [spec.path]:
        return [("train", spec.path)]
    if not files:
        raise UserError(
            f"{spec}: no files in it; texts or tables of them were expected"
        )
    found = [(_split_of(each, root), each) for each in files]
    if not any(split == "train" for split, _ in found):
        # Names alone make no split, where nothing is left to train on.
        return [("train", each) for _, each in found]
    return found


def _split_of(path: Path, root: Path) -> str:
    inner = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    names = [
        *inner.parts[:-1],
        *inner.name.replace("-", ".").replace("_", ".").split("."),
    ]
    return next(filter(None, map(split_called, names)), "train")


def _add_table(source: TextSource, split: str, path: Path, plan: PlanBuilder) -> None:
    table = read_table(path, plan=plan)
    names = [str(name) for name in table.frame.columns]
    table.frame.columns = pd.Index(names)
    column = _text_column(names, path, plan)
    for name in names:
        if name == column:
            plan.column(name, "text", "the column of texts")
        else:
            plan.column(name, "ignored", "another is taken")
    source.encodings.update(table.encodings)
    source.bad_rows += table.bad_rows
    for text, line in zip(table.frame[column], table.lines.tolist(), strict=True):
        source.add(split, text, str(path), line)


def _text_column(names: list[str], path: Path, plan: PlanBuilder) -> str:
    def guess() -> Decision:
        if len(names) == 1:
            return Decision(names[0], "the only column")
        return Decision(find_text_column(names, path, None), "its name")

    column = plan.decide("text_column", guess, fits=names.__contains__, file=path.name)
    return find_text_column(names, path, column)


def read_tfds_documents(spec: Spec, plan: PlanBuilder) -> TextSource:
    """Loads texts of tensorflow-datasets, downloading them the first time.

    Raises:
        UserError: there is no such set, it holds no text, or it cannot be fetched.
    """
    import tensorflow_datasets as tfds

    name = spec.argument
    if not name:
        raise UserError(f"{spec}: name a set of tensorflow-datasets, as in tfds:NAME")
    builder = find_builder(name)
    features = builder.info.features
    texts = [
        key for key, each in features.items() if isinstance(each, tfds.features.Text)
    ]
    there = f"its features are {', '.join(features)}"
    if not texts:
        raise UserError(f"tfds:{name}: no text; {there}")
    usual = "text" if "text" in texts else texts[0]
    others = ", ".join(key for key in texts if key != usual)
    column = plan.decide(
        "text_column",
        lambda: Decision(usual, "a feature with texts", others),
        fits=texts.__contains__,
        file=str(spec),
    )
    if column not in texts:
        raise UserError(f"tfds:{name}: no text {column}; {there}")
    fetch(builder, name)
    source = TextSource()
    for tfds_split in builder.info.splits:
        split = split_called(tfds_split)
        if split is None:
            continue
        examples = builder.as_dataset(split=tfds_split).map(
            lambda example: example[column]
        )
        rows = itertools.chain.from_iterable(tfds.as_numpy(examples.batch(_BATCH)))
        for number, text in enumerate(rows, start=1):
            file = f"tfds:{name}/{tfds_split}"
            source.add(split, text.decode("utf-8", "replace"), file, number)
    return source


def _carved(
    documents: Documents,
    validation_fraction: float,
    test_fraction: float,
    split_by: SplitBy | None,
    seed: int,
) -> Documents:
    splits = dict(documents.splits)
    fractions = {
        name: fraction
        for name, fraction in (
            ("validation", validation_fraction),
            ("test", test_fraction),
        )
        if fraction and name not in splits
    }
    if not fractions:
        return documents
    texts = splits.pop("train")
    if split_by is None:
        split_by = "documents" if len(texts) >= _MANY_DOCUMENTS else "position"
    carve = _by_documents if split_by == "documents" else _by_position
    splits |= carve(texts, fractions, seed)
    for name in ("train", *fractions):
        if not splits.get(name):
            raise UserError(
                f"{documents.spec}: too little text to carve a {name} split; bring "
                "more, or a file of its own for each split"
            )
    return replace(documents, splits={name: splits[name] for name in in_order(splits)})


def _by_documents(
    texts: Sequence[Text], fractions: dict[str, float], seed: int
) -> dict[str, list[Text]]:
    order = np.random.default_rng(seed).permutation(len(texts))
    splits: dict[str, list[Text]] = {}
    for name, fraction in fractions.items():
        count = max(1, round(fraction * len(texts)))
        drawn, order = order[:count], order[count:]
        splits[name] = [texts[row] for row in np.sort(drawn)]
    return splits | {"train": [texts[row] for row in np.sort(order)]}


def _by_position(
    texts: Iterable[Text], fractions: dict[str, float], seed: int
) -> dict[str, list[Text]]:
    splits: dict[str, list[Text]] = {name: [] for name in ("train", *fractions)}
    kept = 1.0 - sum(fractions.values())
    for text in texts:
        if isinstance(text, LongText):
            cut = text.cut([kept, *fractions.values()])
            for name, part in zip(splits, cut, strict=True):
                if part.end > part.begin:
                    splits[name].append(part)
            continue
        begin = 0
        for name, fraction in {"train": kept, **fractions}.items():
            end = min(len(text), begin + round(fraction * len(text)))
            if name == list(fractions)[-1]:
                end = len(text)
            if text[begin:end].strip():
                splits[name].append(text[begin:end])
            begin = end
    return splits


def _beginning(text: Text) -> str:
    return next(text.parts()) if isinstance(text, LongText) else text


def _digest(texts: Iterable[Text]) -> str:
    """As `digests.sha256`."""
    digest = hashlib.sha256()
    for text in texts:
        for part in text.parts() if isinstance(text, LongText) else [text]:
            digest.update(part.encode("utf-8"))
        digest.update(b"\0")
    return digest.hexdigest()


def describe_documents(spec: str, reading: dict[str, Any]) -> DataDescription:
    """What `recurra data show` shows of texts. Raises UserError for wrong data."""
    # As they stand in the data: no split is carved, and bad rows stop nothing.
    documents = load_documents(
        spec,
        validation_fraction=0.0,
        test_fraction=0.0,
        max_bad_fraction=1.0,
        reading=reading,
    )
    lengths = {
        name: quantiles(list(map(len, texts)))
        for name, texts in documents.splits.items()
    }
    return DataDescription(
        values=documents.metadata() | {"lengths": lengths},
        blocks=[
            f"{spec}: {sum(map(len, documents.splits.values())):,} texts",
            DescriptionTable(
                ["split, characters of a text", "texts", "characters", *_HEADINGS],
                [
                    [
                        name,
                        f"{len(texts):,}",
                        f"{sum(map(len, texts)):,}",
                        *(f"{length:,}" for length in lengths[name].values()),
                    ]
                    for name, texts in documents.splits.items()
                ],
            ),
        ],
        plan=documents.reading_plan,
        frame=documents.frame,
        bad_rows=[str(row) for row in documents.bad_rows],
        examples=DescriptionTable(
            ["split", "text"],
            [
                [name, example_of(_beginning(text), "")["text"]]
                for name, texts in documents.splits.items()
                for text in texts[:2]
            ],
            has_numbers=False,
        ),
    )
