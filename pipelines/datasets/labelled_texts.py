"""Labelled texts from any spec, split and checked: the data of text classification."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import UserError
from .labelled_rows import (
    SPLITS,
    LabelledRows,
    LabelledSource,
    normalise_label,
    read_labelled_source,
    sorted_classes,
)
from .splitting import hold_out
from .tables import BadRow
from .text_description import TextDescription, describe_split, example_of


@dataclass(frozen=True)
class Split:
    """Texts in step with their labels.

    Args:
        texts: strings, an object array of shape ``[rows]``.
        labels: numbers into the classes, ``int64[rows]``.
        groups: the group of each row, an object array ``[rows]``, or None where no
            group column was named.
    """

    texts: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class LabelledTexts:
    """What a spec brings, ready for training.

    Args:
        spec: as given.
        classes: class names; a label is a number into them.
        splits: rows by split; keys among "train", "validation", "test".
        columns: the columns used as "text", "label" and "group"; None where the data
            have no such column.
        bad_rows: the rows left out, each with file, line and reason.
        duplicates: numbers of texts that stand there again, case and white space
            aside. "within train": rows of that split after the first with the same
            text. "train/test": rows of test whose text stands in train too.
        encodings: lines of the files by the encoding they were decoded with.
    """

    spec: str
    classes: tuple[str, ...]
    splits: dict[str, Split]
    columns: dict[str, str | None]
    bad_rows: tuple[BadRow, ...]
    duplicates: dict[str, int]
    encodings: dict[str, int] = field(default_factory=dict)


def load_labelled_texts(
    spec: str,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    validation_share: float = 0.1,
    test_share: float = 0.1,
    test_data: str | None = None,
    max_bad_share: float = 0.01,
    seed: int = 0,
) -> LabelledTexts:
    """Loads labelled texts and carves the splits that they do not bring.

    Args:
        spec: ``sample`` or ``sample:NUMBER``, the embedded reviews (``./sample`` is a
            path); ``tfds:NAME``, a set of tensorflow-datasets, IMDB without a NAME; or
            a path to one CSV, TSV, JSON Lines or Parquet file, to a folder with a
            train and perhaps a validation (val, valid, dev) and a test file, to a
            folder of class-named folders of .txt files, or to a folder with train and
            perhaps validation and test folders of such class-named folders, of which
            ``unsup`` is none.
        text_column: the column of the texts; otherwise the first of the names text,
            review, sentence, content that there is, whatever its case.
        label_column: the column of the labels; otherwise the first of label,
            sentiment, target, class. Labels are integers or strings; whole numbers
            are integers however they are written.
        group_column: rows that are equal here never stand on two sides of a carved
            split; a row without a group is a group of its own.
        validation_share: the share of the rows under "train" to carve a validation
            split of, where the data bring none. 0: no validation split.
        test_share: the same for the test split, a share of the same rows.
        test_data: a second spec whose rows are the test split, read as
            ``load_evaluation_texts`` reads it. ``text_column`` and ``label_column``
            hold for it too.
        max_bad_share: the largest share of bad rows that is still put up with. A row
            is bad that cannot be read, has no label, or has no text, or a text of
            white space only.
        seed: the same seed carves the same splits.

    Raises:
        UserError: the data cannot be read, a column is not found, more than
            ``max_bad_share`` of the rows are bad, there are fewer than two classes,
            a class of another split does not stand in train, a class has too few rows
            to carve splits from, or a share is out of range.
    """
    _check_shares(validation_share, test_share, max_bad_share)
    source = read_labelled_source(
        spec,
        text_column=text_column,
        label_column=label_column,
        group_column=group_column,
    )
    _check_bad_share(spec, source, max_bad_share)
    if test_data is not None:
        source.splits.pop("test", None)
    texts = _with_classes(spec, source)
    splits, bad_rows = texts.splits, texts.bad_rows
    if test_data is not None:
        test, bad_test_rows = load_evaluation_texts(
            test_data,
            classes=texts.classes,
            text_column=text_column,
            label_column=label_column,
            max_bad_share=max_bad_share,
        )
        splits = splits | {"test": test}
        bad_rows += bad_test_rows
    splits = _carve(splits, texts.classes, validation_share, test_share, seed, spec)
    return replace(
        texts,
        splits=splits,
        bad_rows=bad_rows,
        duplicates=_count_duplicates(splits),
    )


def load_evaluation_texts(
    spec: str,
    *,
    classes: Sequence[str],
    text_column: str | None = None,
    label_column: str | None = None,
    max_bad_share: float = 0.01,
) -> tuple[Split, tuple[BadRow, ...]]:
    """Loads a test set for a model that knows ``classes``.

    Every row is the test, unless the spec brings a test split of its own: then that is.

    Args:
        spec, text_column, label_column, max_bad_share: as in ``load_labelled_texts``.
        classes: the class names of the model; labels are matched to them as strings,
            whole numbers however they are written.

    Returns:
        The rows, with labels that are numbers into ``classes``, and the bad rows.

    Raises:
        UserError: the data cannot be read, too many rows are bad, or a label is not
            among ``classes``.
    """
    source = read_labelled_source(
        spec, text_column=text_column, label_column=label_column
    )
    _check_bad_share(spec, source, max_bad_share)
    parts = (
        [source.splits["test"]]
        if "test" in source.splits
        else list(source.splits.values())
    )
    numbers = {
        normalise_label(name) or name: number for number, name in enumerate(classes)
    }
    for rows in parts:
        _check_known(
            rows, numbers, f"is not among those of the model: {_listed(classes)}"
        )
    splits = [_split(rows, numbers) for rows in parts]
    test = Split(
        np.concatenate([split.texts for split in splits]),
        np.concatenate([split.labels for split in splits]),
    )
    return test, source.bad_rows


def describe_labelled_texts(
    spec: str,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    examples: int = 3,
) -> TextDescription:
    """Describes what a spec brings, before any split is carved from it.

    Bad rows are described, however many; everything else that makes
    ``load_labelled_texts`` refuse the data is an error here too.

    Args:
        spec, text_column, label_column, group_column: as in ``load_labelled_texts``.
        examples: how many texts of each class of train to show.
    """
    source = read_labelled_source(
        spec,
        text_column=text_column,
        label_column=label_column,
        group_column=group_column,
    )
    _check_bad_share(spec, source, max_bad_share=1.0)
    texts = _with_classes(spec, source)
    train = texts.splits["train"]
    return TextDescription(
        spec=spec,
        available_columns=list(source.available_columns),
        columns=texts.columns,
        classes=list(texts.classes),
        splits={
            name: describe_split(split.texts, split.labels, split.groups, texts.classes)
            for name, split in texts.splits.items()
        },
        rows=source.number_of_rows,
        bad_rows=[
            {"file": row.file, "line": row.line, "reason": row.reason}
            for row in source.bad_rows
        ],
        duplicates=_count_duplicates(texts.splits),
        encodings=texts.encodings,
        examples=[
            example_of(text, texts.classes[number])
            for number in range(len(texts.classes))
            for text in train.texts[train.labels == number][:examples]
        ],
    )


def _check_shares(
    validation_share: float, test_share: float, max_bad_share: float
) -> None:
    for name, share in (
        ("validation_share", validation_share),
        ("test_share", test_share),
        ("max_bad_share", max_bad_share),
    ):
        if not 0 <= share <= 1:
            raise UserError(f"{name}: {share} was given; it lies between 0 and 1")
    if validation_share + test_share >= 1:
        raise UserError(
            f"validation_share {validation_share} and test_share {test_share} leave "
            "nothing to train on; together they must be below 1"
        )


def _check_bad_share(spec: str, source: LabelledSource, max_bad_share: float) -> None:
    bad, rows = len(source.bad_rows), source.number_of_rows
    if bad == rows:
        first = f"{source.bad_rows[0]}; " if bad else ""
        raise UserError(f"{first}not one of the {rows:,} rows of {spec} can be used")
    if bad > max_bad_share * rows:
        raise UserError(
            f"{source.bad_rows[0]}; {bad:,} of {rows:,} rows of {spec} cannot be used, "
            f"more than a share of {max_bad_share:g} (max_bad_share)"
        )


def _with_classes(spec: str, source: LabelledSource) -> LabelledTexts:
    """Turns labels to numbers; the splits are those that the source brings."""
    train = source.splits["train"]
    classes = source.classes or sorted_classes(set(train.labels))
    if len(set(train.labels)) == 1:
        column = source.columns["label"]
        hint = f" (is {column!r} the label? --label-column)" if column else ""
        raise UserError(
            f"{spec}: every row has the label {train.labels[0]!r}; two or more classes "
            f"are needed{hint}"
        )
    numbers = {name: number for number, name in enumerate(classes)}
    for name, rows in source.splits.items():
        if not rows.texts:
            raise UserError(f"{spec}: not one row of its {name} split can be used")
        _check_known(
            rows,
            numbers,
            f"stands in {name} and not in train, which has {_listed(classes)}",
        )
    return LabelledTexts(
        spec=spec,
        classes=classes,
        splits={
            name: _split(source.splits[name], numbers)
            for name in SPLITS
            if name in source.splits
        },
        columns=source.columns,
        bad_rows=source.bad_rows,
        duplicates={},
        encodings=source.encodings,
    )


def _check_known(rows: LabelledRows, numbers: dict[str, int], fault: str) -> None:
    for label, (file, line) in zip(rows.labels, rows.places, strict=True):
        if label not in numbers:
            raise UserError(str(BadRow(file, line, f"the class {label!r} {fault}")))


def _listed(classes: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in classes[:10])
    return f"{shown}, ..." if len(classes) > 10 else shown


def _split(rows: LabelledRows, numbers: dict[str, int]) -> Split:
    return Split(
        np.array(rows.texts, dtype=object),
        np.array([numbers[label] for label in rows.labels], dtype=np.int64),
        None if rows.groups is None else np.array(rows.groups, dtype=object),
    )


def _carve(
    splits: dict[str, Split],
    classes: Sequence[str],
    validation_share: float,
    test_share: float,
    seed: int,
    spec: str,
) -> dict[str, Split]:
    """Adds the validation and test splits that are missing and asked for."""
    carved = dict(splits)
    left = 1.0
    for name, share in (("test", test_share), ("validation", validation_share)):
        if name in splits or share == 0:
            continue
        train = carved["train"]
        try:
            kept, held = hold_out(
                train.labels,
                train.groups,
                share=share / left,
                seed=seed,
                name=name,
                classes=classes,
            )
        except UserError as error:
            raise UserError(f"{spec}: {error}") from error
        carved["train"], carved[name] = _take(train, kept), _take(train, held)
        left -= share
    return {name: carved[name] for name in SPLITS if name in carved}


def _take(split: Split, rows: np.ndarray) -> Split:
    groups = None if split.groups is None else split.groups[rows]
    return Split(split.texts[rows], split.labels[rows], groups)


def _count_duplicates(splits: dict[str, Split]) -> dict[str, int]:
    counts = {
        name: Counter(" ".join(text.split()).casefold() for text in split.texts)
        for name, split in splits.items()
    }
    duplicates = {
        f"within {name}": sum(texts.values()) - len(texts)
        for name, texts in counts.items()
    }
    names = list(splits)
    for position, later in enumerate(names):
        for earlier in names[:position]:
            duplicates[f"{earlier}/{later}"] = sum(
                count
                for text, count in counts[later].items()
                if text in counts[earlier]
            )
    return duplicates
