"""What labelled texts look like to the pipeline, in numbers that serialise to JSON."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ...cards import ReadingPlan
from ..description import DataDescription, DescriptionTable
from .label_sets import rows_by_class

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_EXAMPLE_LENGTH = 120


@dataclass(frozen=True)
class SplitDescription:
    """One split.

    Args:
        rows: usable rows.
        class_balance: rows by class name.
        groups: number of distinct groups, or None where no group column was named.
        characters, tokens: lengths of the texts by quantile, keys "0", "5", ... "100"
            per cent.
    """

    rows: int
    class_balance: dict[str, int]
    groups: int | None
    characters: dict[str, int]
    tokens: dict[str, int]


@dataclass(frozen=True)
class TextDescription:
    """What ``recurra data show`` shows.

    Args:
        spec: as given.
        available_columns: all columns of the data; empty where they have none.
        columns: the columns used as "text", "label" and "group".
        classes: class names in their order.
        splits: the splits that the data bring.
        rows: all rows, the bad ones included.
        bad_rows: file, line and reason of each.
        duplicates: as in ``LabelledTexts``.
        encodings: lines by the encoding they were decoded with.
        examples: "label" and "text" of a few rows of each class, on one line and cut
            to 120 characters.
        label_sets: by split, where a row may have several labels or none: ``rows``,
            ``no_label`` of them, and ``labels_per_row``.
        plan: how the files are read.
        frame: makes all rows; no part of ``as_dict``.
    """

    spec: str
    available_columns: list[str]
    columns: dict[str, str | None]
    classes: list[str]
    splits: dict[str, SplitDescription]
    rows: int
    bad_rows: list[dict[str, Any]]
    duplicates: dict[str, int]
    encodings: dict[str, int]
    examples: list[dict[str, str]]
    plan: ReadingPlan
    label_sets: dict[str, dict[str, float | int]] = field(default_factory=dict)
    frame: Callable[[], pd.DataFrame] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and integers, for JSON."""
        values = asdict(replace(self, frame=None))
        del values["frame"]
        if not self.label_sets:
            del values["label_sets"]
        return values | {"plan": self.plan.model_dump(mode="json")}

    def shown(self) -> DataDescription:
        """The same as `recurra data show` prints it."""
        return DataDescription(
            values=self.as_dict(),
            plan=self.plan,
            frame=self.frame,
            blocks=[*_lines(self), _splits(self), _lengths(self)],
            bad_rows=[
                f"{row['file']}, line {row['line']}: {row['reason']}"
                for row in self.bad_rows
            ],
            examples=DescriptionTable(
                ["label", "example"],
                [[example["label"], example["text"]] for example in self.examples],
                has_numbers=False,
            ),
        )


def _lines(description: TextDescription) -> list[str]:
    lines = [f"{description.spec}: {description.rows:,} rows"]
    if description.available_columns:
        lines.append(f"columns: {', '.join(description.available_columns)}")
    lines += [
        f"{role} column: {column}"
        for role, column in description.columns.items()
        if column is not None
    ]
    if len(description.encodings) > 1:
        counts = (f"{name} {count:,}" for name, count in description.encodings.items())
        lines.append(f"lines by encoding: {', '.join(counts)}")
    lines += [
        f"duplicated texts, {where}: {count:,}"
        for where, count in description.duplicates.items()
        if count
    ]
    return lines


def _splits(description: TextDescription) -> DescriptionTable:
    sets = description.label_sets
    return DescriptionTable(
        [
            *("split", "rows"),
            *(("labels a row", "(no label)") if sets else ()),
            *description.classes,
        ],
        [
            [
                name,
                f"{split.rows:,}",
                *(
                    (
                        f"{sets[name]['labels_per_row']:.2f}",
                        f"{sets[name]['no_label']:,}",
                    )
                    if sets
                    else ()
                ),
                *(f"{split.class_balance[label]:,}" for label in description.classes),
            ]
            for name, split in description.splits.items()
        ],
    )


def _lengths(description: TextDescription) -> DescriptionTable:
    first = next(iter(description.splits.values()))
    return DescriptionTable(
        ["length", *(f"{quantile} %" for quantile in first.tokens)],
        [
            [
                f"{name}, {unit}",
                *(f"{length:,}" for length in getattr(split, unit).values()),
            ]
            for name, split in description.splits.items()
            for unit in ("tokens", "characters")
        ],
    )


def describe_split(
    texts: Sequence[str],
    labels: np.ndarray,
    groups: np.ndarray | None,
    classes: Sequence[str],
    count_tokens: Callable[[str], int],
) -> SplitDescription:
    """Counts and measures one split; shapes as in ``labelled_texts.Split``."""
    counts = rows_by_class(labels, len(classes))
    return SplitDescription(
        rows=len(texts),
        class_balance=dict(zip(classes, counts.tolist(), strict=True)),
        groups=None if groups is None else len(set(groups.tolist())),
        characters=quantiles([len(text) for text in texts]),
        tokens=quantiles([count_tokens(text) for text in texts]),
    )


def example_of(text: str, label: str) -> dict[str, str]:
    """A text on one line, cut to 120 characters."""
    line = " ".join(text.split())
    if len(line) > _EXAMPLE_LENGTH:
        line = line[: _EXAMPLE_LENGTH - 1] + "…"
    return {"label": label, "text": line}


def quantiles(lengths: Sequence[int] | np.ndarray) -> dict[str, int]:
    """The lengths at QUANTILES, by key "0", "5", ... "100" per cent."""
    values = np.quantile(lengths, QUANTILES, method="nearest")
    return {
        f"{quantile:.0%}".removesuffix("%"): int(value)
        for quantile, value in zip(QUANTILES, values, strict=True)
    }
