"""Labelled texts from any spec, split and checked: the data of text classification."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ...cards import ReadingPlan
from ...core.errors import UserError
from ..digests import sha256
from ..files.tables import BadRow
from ..reading import PlanBuilder
from ..sources import LABELLED_TEXTS, read
from ..splits import check_bad_fraction, check_fractions, in_order
from .label_names import (
    LabelCase,
    check_labels,
    drop_rare_classes,
    join_cases,
    tell_no_values,
)
from .label_sets import (
    all_names,
    counts_of_sets,
    memberships,
    named,
    names_of,
    numbered,
    renamed,
    rows_by_class,
    strata,
)
from .labelled_columns import no_labels
from .labelled_rows import (
    LABEL_COLUMNS,
    LABEL_SET_KEYS,
    LabelledRows,
    LabelledSource,
    TextColumns,
    normalise_label,
    sorted_classes,
)
from .normalised_text import comparison_hashes
from .splitting import give_back, hold_out
from .stored_texts import Texts
from .text_description import TextDescription, describe_split, example_of

# Of the fields of `data`, those that say how test data are read too.
_READING_OF_TEST = ("text_column", "label_column", *LABEL_SET_KEYS)


@dataclass(frozen=True)
class Split:
    """Texts in step with their labels.

    Args:
        texts: strings; what is no ``Texts`` becomes one.
        labels: numbers into the classes, ``int64[rows]``; where a row may have several
            labels, or none, which it has, ``bool[rows, classes]``.
        groups: the group of each row, an object array ``[rows]``, or None where no
            group column was named.
    """

    texts: Texts
    labels: np.ndarray
    groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", Texts.of(self.texts))

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
        reading_plan: how the files were read.
    """

    spec: str
    classes: tuple[str, ...]
    splits: dict[str, Split]
    columns: dict[str, str | None]
    bad_rows: tuple[BadRow, ...]
    duplicates: dict[str, int]
    encodings: dict[str, int] = field(default_factory=dict)
    reading_plan: ReadingPlan | None = None

    @property
    def multi_label(self) -> bool:
        """Whether a row may have several labels, or none."""
        return next(iter(self.splits.values())).labels.ndim == 2

    def class_counts(self, split: str) -> dict[str, int]:
        """The rows of a split by class name."""
        labels = self.splits[split].labels
        counts = rows_by_class(labels, len(self.classes)).tolist()
        return dict(zip(self.classes, counts, strict=True))

    def frame(self) -> pd.DataFrame:
        """All rows: `split`, `text`, `label` by name, and `group` if there is one."""
        parts = []
        for name, split in self.splits.items():
            part = {
                "split": name,
                "text": np.asarray(split.texts),
                "label": named(split.labels, self.classes),
            }
            if split.groups is not None:
                part["group"] = split.groups
            parts.append(pd.DataFrame(part))
        return pd.concat(parts, ignore_index=True)

    def label_sets(self) -> dict[str, dict[str, float | int]]:
        """By split the counts of `label_sets.counts_of_sets`; none of single labels."""
        if not self.multi_label:
            return {}
        return {
            name: counts_of_sets(split.labels) for name, split in self.splits.items()
        }

    def metadata(self) -> dict[str, Any]:
        """What the data hold, with a hash of each split, for JSON."""
        return {
            "spec": self.spec,
            "classes": list(self.classes),
            "columns": dict(self.columns),
            "rows": {name: self.class_counts(name) for name in self.splits},
            **({"label_sets": self.label_sets()} if self.multi_label else {}),
            "sha256": {
                name: sha256(split.labels, split.texts)
                for name, split in self.splits.items()
            },
            "duplicates": dict(self.duplicates),
            "bad_rows": [vars(row) for row in self.bad_rows],
        }


def load_labelled_texts(
    spec: str,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    usual_labels: Sequence[str] = LABEL_COLUMNS,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    test_data: str | None = None,
    max_bad_fraction: float = 0.01,
    min_class_rows: int = 1,
    label_case: LabelCase = "keep",
    takes_several: bool = False,
    seed: int = 0,
    plan: PlanBuilder | None = None,
) -> LabelledTexts:
    """Loads labelled texts and carves the splits that they do not bring.

    Args:
        spec: ``sample`` or ``sample:NUMBER``, the embedded reviews (``./sample`` is a
            path); ``tfds:NAME``, a set of tensorflow-datasets, IMDB without a NAME; or
            a path to one table, as ``tables.read_table`` reads it, or to one text file
            whose lines begin with ``__label__`` and the class; to a folder with a
            train and perhaps a validation (val, valid, dev) and a test file, to a
            folder of class-named folders of .txt files, or of files without a suffix,
            or to a folder with train and perhaps validation and test folders of such
            class-named folders, of which ``unsup`` is none. A test file without labels
            is set aside.
        text_column: the column of the texts, by its header or its number from 1;
            otherwise found as ``labelled_columns.find_columns`` says.
        label_column: the column of the labels; otherwise found likewise. Labels are
            integers or strings; whole numbers are integers however they are written.
        group_column: rows that are equal here never stand on two sides of a carved
            split; a row without a group is a group by itself.
        usual_labels: names of a column of labels, as ``cells.fold_name`` has them.
        validation_fraction: the fraction of the rows under "train" to carve a
            validation split of, where the data bring none. 0: no validation split.
        test_fraction: the same for the test split, a fraction of the same rows.
        test_data: a second spec whose rows are the test split, read as
            ``load_evaluation_texts`` reads it. ``text_column`` and ``label_column``
            hold for it too.
        max_bad_fraction: the largest fraction of bad rows that is tolerated. A row is
            bad that cannot be read, has no label, or has no text, or a text of white
            space only.
        min_class_rows: classes with fewer rows to train on are left out.
        label_case: "fold": labels that differ by case alone are one class, by the name
            that is most frequent.
        takes_several: whether rows may have several labels, or none: where their cells
            are lists, and as the keys ``label_columns``, ``label_separator`` and
            ``multi_label`` of the plan say.
        seed: the same seed carves the same splits.
        plan: takes the decisions on the files, and brings those that are given;
            instead of the columns above.

    Raises:
        UserError: the data cannot be read, a column is not found, more than
            ``max_bad_fraction`` of the rows are bad, there are fewer than two classes,
            a class of another split does not stand in train, there are too few rows
            to carve splits from, or a fraction is out of range.
    """
    check_fractions(validation_fraction, test_fraction)
    plan = plan or _plan(text_column, label_column, group_column)
    source = _read(spec, _columns(plan, usual_labels), max_bad_fraction)
    _refuse_several(spec, source, takes_several)
    if test_data is not None:
        source.splits.pop("test", None)
    _tell_unlabelled(source, plan, test_data)
    texts = _with_classes(spec, source, plan, min_class_rows, label_case)
    splits, bad_rows = texts.splits, texts.bad_rows
    if test_data is not None:
        test, bad_test_rows = load_evaluation_texts(
            test_data,
            classes=texts.classes,
            multi_label=texts.multi_label,
            usual_labels=usual_labels,
            max_bad_fraction=max_bad_fraction,
            plan=PlanBuilder(
                {key: plan.given(key) for key in _READING_OF_TEST},
                plan.plan(),
            ),
        )
        splits = splits | {"test": test}
        bad_rows += bad_test_rows
    splits = _carve(
        splits, texts.classes, validation_fraction, test_fraction, seed, spec, plan
    )
    return replace(
        texts,
        splits=splits,
        bad_rows=bad_rows,
        duplicates=_count_duplicates(splits),
        reading_plan=_with_names(plan.plan(), texts.columns),
    )


def load_evaluation_texts(
    spec: str,
    *,
    classes: Sequence[str],
    multi_label: bool = False,
    text_column: str | None = None,
    label_column: str | None = None,
    usual_labels: Sequence[str] = LABEL_COLUMNS,
    max_bad_fraction: float = 0.01,
    plan: PlanBuilder | None = None,
) -> tuple[Split, tuple[BadRow, ...]]:
    """Loads a test set for a model that knows ``classes``.

    Every row is the test, unless the spec brings a test split: then that is.

    Args:
        spec, text_column, label_column, usual_labels, max_bad_fraction, plan: as in
            ``load_labelled_texts``; the plan brings that of training too.
        multi_label: whether the model gives a row several labels, or none.
        classes: the class names of the model; labels are matched to them as strings,
            whole numbers however they are written, and in other case where that is
            not another class.

    Returns:
        The rows, with labels that are numbers into ``classes``, and the bad rows.

    Raises:
        UserError: the data cannot be read, have no labels, too many rows are bad, or a
            label is not among ``classes``.
    """
    plan = plan or _plan(text_column, label_column, None)
    columns = replace(_columns(plan, usual_labels), group=None, is_evaluation=True)
    source = _read(spec, columns, max_bad_fraction)
    if "test" in source.unlabelled:
        raise no_labels(source.unlabelled["test"])
    parts = (
        [source.splits["test"]]
        if "test" in source.splits
        else list(source.splits.values())
    )
    numbers = {
        normalise_label(name) or name: number for number, name in enumerate(classes)
    }
    _refuse_several(spec, source, multi_label)
    for rows in parts:
        names = join_cases(all_names(rows.labels), list(numbers))
        rows.labels = renamed(rows.labels, names)
        _check_known(
            rows, numbers, f"is not among those of the model: {_listed(classes)}"
        )
    splits = [_split(rows, numbers, multi_label) for rows in parts]
    test = Split(
        Texts.of(itertools.chain.from_iterable(split.texts for split in splits)),
        np.concatenate([split.labels for split in splits]),
    )
    return test, tuple(source.bad_rows)


def describe_labelled_texts(
    spec: str,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    usual_labels: Sequence[str] = LABEL_COLUMNS,
    min_class_rows: int = 1,
    label_case: LabelCase = "keep",
    takes_several: bool = False,
    count_tokens: Callable[[str], int],
    examples: int = 3,
    plan: PlanBuilder | None = None,
) -> TextDescription:
    """Describes what a spec brings, before any split is carved from it.

    Bad rows are described, however many; everything else that makes
    ``load_labelled_texts`` refuse the data is an error here too.

    Args:
        spec, text_column, label_column, group_column, usual_labels, min_class_rows,
            label_case, takes_several, plan: as in ``load_labelled_texts``.
        count_tokens: the number of tokens that the model reads of a text.
        examples: how many texts of each class of train to show.
    """
    plan = plan or _plan(text_column, label_column, group_column)
    source = _read(spec, _columns(plan, usual_labels), max_bad_fraction=1.0)
    _refuse_several(spec, source, takes_several)
    _tell_unlabelled(source, plan, None)
    texts = _with_classes(spec, source, plan, min_class_rows, label_case)
    train = texts.splits["train"]
    _tell_small_classes(texts, plan)
    return TextDescription(
        spec=spec,
        available_columns=list(source.available_columns),
        columns=texts.columns,
        classes=list(texts.classes),
        splits={
            name: describe_split(
                split.texts, split.labels, split.groups, texts.classes, count_tokens
            )
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
            example_of(train.texts[row], label)
            for row, label in _examples(train.labels, texts.classes, examples)
        ],
        plan=_with_names(plan.plan(), texts.columns),
        label_sets=texts.label_sets(),
        frame=texts.frame,
    )


def _refuse_several(spec: str, source: LabelledSource, takes_several: bool) -> None:
    if source.multi_label and not takes_several:
        raise UserError(
            f"{spec}: its rows have several labels, where one class for each is needed"
        )


def _examples(
    labels: np.ndarray, classes: Sequence[str], number: int
) -> Iterator[tuple[int, str]]:
    """Rows to show of each class, with all labels that they have."""
    for has in memberships(labels, len(classes)).T:
        rows = np.flatnonzero(has)[:number]
        for row, label in zip(rows.tolist(), named(labels[rows], classes), strict=True):
            yield row, label if isinstance(label, str) else ", ".join(label)


def _with_names(plan: ReadingPlan, columns: Mapping[str, str | None]) -> ReadingPlan:
    """The plan with columns by their headers, where numbers were asked for."""
    names: dict[str, Any] = {f"{role}_column": columns[role] for role in columns}
    names = {key: name for key, name in names.items() if name}
    if any(finding.key == "label_columns" for finding in plan.findings):
        of_labels = [each.column for each in plan.columns if each.role == "label"]
        names["label_columns"] = of_labels
    findings = [
        finding.model_copy(update={"value": names.get(finding.key, finding.value)})
        for finding in plan.findings
    ]
    return plan.model_copy(update={"findings": findings})


def _plan(text: str | None, label: str | None, group: str | None) -> PlanBuilder:
    return PlanBuilder(
        {"text_column": text, "label_column": label, "group_column": group}
    )


def _columns(plan: PlanBuilder, usual_labels: Sequence[str]) -> TextColumns:
    return TextColumns(
        plan.given("text_column"),
        plan.given("label_column"),
        plan.given("group_column"),
        usual_labels,
        plan=plan,
    )


def _tell_unlabelled(
    source: LabelledSource, plan: PlanBuilder, test_data: str | None
) -> None:
    for split, path in source.unlabelled.items():
        if split != "test" or test_data is None:
            plan.warn(
                f"{path.name} has no labels, and is set aside: it is something to "
                f"predict; the {split} split is taken from train. If it has labels, "
                "they must stand in a column as in train, under the same header"
            )


def _read(spec: str, columns: TextColumns, max_bad_fraction: float) -> LabelledSource:
    source: LabelledSource = read(spec, LABELLED_TEXTS, columns)
    check_bad_fraction(spec, source.bad_rows, source.number_of_rows, max_bad_fraction)
    return source


def _with_classes(
    spec: str,
    source: LabelledSource,
    plan: PlanBuilder,
    min_class_rows: int,
    label_case: LabelCase,
) -> LabelledTexts:
    """Turns labels to numbers; the splits are those that the source brings."""
    train = source.splits["train"]
    column = source.columns["label"]
    if source.classes is None:
        names = all_names(train.labels)
        check_labels(names, spec, column)
        tell_no_values(names, plan)
        for rows in source.splits.values():
            joined = join_cases(all_names(rows.labels), names, label_case, plan)
            rows.labels = renamed(rows.labels, joined)
    drop_rare_classes(source.splits, min_class_rows, plan)
    there = set(all_names(train.labels))
    classes = source.classes or sorted_classes(there)
    if min_class_rows > 1:
        classes = tuple(name for name in classes if name in there)
    hint = f" (is {column!r} the label? --label-column)" if column else ""
    if source.multi_label and (len(there) < 2 or len(set(train.labels)) == 1):
        raise UserError(
            f"{spec}: all rows have the same labels, or there is but one "
            f"({_listed(sorted(there)) or 'none'}); two or more are needed, each of "
            f"some rows{hint}"
        )
    if len(there) == 1:
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
            name: _split(source.splits[name], numbers, source.multi_label)
            for name in in_order(source.splits)
        },
        columns=dict(source.columns),
        bad_rows=tuple(source.bad_rows),
        duplicates={},
        encodings=dict(source.encodings),
    )


def _check_known(rows: LabelledRows, numbers: dict[str, int], fault: str) -> None:
    for label, (file, line) in zip(rows.labels, rows.locations, strict=True):
        for name in names_of(label):
            if name not in numbers:
                raise UserError(str(BadRow(file, line, f"the class {name!r} {fault}")))


def _listed(classes: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in classes[:10])
    return f"{shown}, ..." if len(classes) > 10 else shown


def _split(rows: LabelledRows, numbers: dict[str, int], multi_label: bool) -> Split:
    return Split(
        Texts.of(rows.texts),
        numbered(rows.labels, numbers, multi_label=multi_label),
        None if rows.groups is None else np.array(rows.groups, dtype=object),
    )


def _carve(
    splits: dict[str, Split],
    classes: Sequence[str],
    validation_fraction: float,
    test_fraction: float,
    seed: int,
    spec: str,
    plan: PlanBuilder,
) -> dict[str, Split]:
    """Adds the validation and test splits that are missing and asked for."""
    carved = dict(splits)
    left = 1.0
    for name, fraction in (
        ("test", test_fraction),
        ("validation", validation_fraction),
    ):
        if name in splits or fraction == 0:
            continue
        train = carved["train"]
        try:
            kept, held = hold_out(
                strata(train.labels),
                train.groups,
                fraction=fraction / left,
                seed=seed,
                name=name,
                classes=[*classes, "(no label)"],
            )
        except UserError as error:
            raise UserError(f"{spec}: {error}") from error
        if train.labels.ndim == 2:
            kept, held = give_back(kept, held, train.labels, train.groups)
        carved["train"], carved[name] = _take(train, kept), _take(train, held)
        left -= fraction
    _tell_rare_classes(carved, set(carved) - set(splits), classes, plan)
    return {name: carved[name] for name in in_order(carved)}


def _tell_small_classes(texts: LabelledTexts, plan: PlanBuilder) -> None:
    counts = texts.class_counts("train")
    missing = {"validation", "test"} - set(texts.splits)
    rare = [name for name, count in counts.items() if 0 < count <= len(missing)]
    if rare:
        plan.warn(
            f"{_listed(rare)}: too few rows to carve every split of, and kept in "
            "train; data.min_class_rows leaves such classes out"
        )


def _tell_rare_classes(
    splits: dict[str, Split],
    carved: set[str],
    classes: Sequence[str],
    plan: PlanBuilder,
) -> None:
    absent = {
        name: np.flatnonzero(rows_by_class(splits[name].labels, len(classes)) == 0)
        for name in in_order(carved)
    }
    rare = sorted(set().union(*map(np.ndarray.tolist, absent.values())))
    if rare:
        where = " and the ".join(name for name, of in absent.items() if len(of))
        plan.warn(
            f"{_listed([classes[number] for number in rare])}: too few rows for the "
            f"{where} split, and kept in train; data.min_class_rows leaves such "
            "classes out"
        )


def _take(split: Split, rows: np.ndarray) -> Split:
    groups = None if split.groups is None else split.groups[rows]
    return Split(split.texts[rows], split.labels[rows], groups)


def _count_duplicates(splits: dict[str, Split]) -> dict[str, int]:
    keys = {name: comparison_hashes(split.texts) for name, split in splits.items()}
    duplicates = {
        f"within {name}": len(found) - len(np.unique(found))
        for name, found in keys.items()
    }
    names = list(splits)
    for position, later in enumerate(names):
        for earlier in names[:position]:
            duplicates[f"{earlier}/{later}"] = int(
                np.isin(keys[later], keys[earlier]).sum()
            )
    return duplicates
