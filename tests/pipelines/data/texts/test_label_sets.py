"""Texts with several labels each, or none: lists, separators, columns, lines."""

import functools
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.frames import as_spec
from recurra.pipelines.data.reading import PlanBuilder
from recurra.pipelines.data.texts.label_sets import joined, numbered, strata
from recurra.pipelines.data.texts.labelled_texts import (
    LabelledTexts,
    describe_labelled_texts,
    load_evaluation_texts,
    load_labelled_texts,
)
from recurra.pipelines.data.texts.splitting import give_back

NAMES = ("a", "b", "c")
SETS = ([], ["a"], ["a", "b"], ["c", "a"], ["b"])


def rows(number: int = 60) -> pd.DataFrame:
    """Texts with the sets in turn."""
    labels = [SETS[row % len(SETS)] for row in range(number)]
    return pd.DataFrame({"text": [f"text {n}" for n in range(number)], "label": labels})


def load(spec: object, **given: object) -> LabelledTexts:
    how = {"validation_fraction": 0.2, "test_fraction": 0.2, "takes_several": True}
    return load_labelled_texts(str(spec), plan=PlanBuilder(given), **how)


def describe(spec: str) -> object:
    return describe_labelled_texts(spec, count_tokens=len)


def sets_of(texts: LabelledTexts) -> dict[str, list[str]]:
    """The labels by text, in the order of the classes."""
    return {
        text: np.array(texts.classes)[has].tolist()
        for split in texts.splits.values()
        for text, has in zip(split.texts, split.labels, strict=True)
    }


EXPECTED = {
    f"text {row}": sorted(SETS[row % len(SETS)], key=NAMES.index) for row in range(60)
}


def test_a_column_of_lists(tmp_path: Path) -> None:
    frame = rows()
    frame.to_parquet(tmp_path / "a.parquet")
    lines = [json.dumps(row) for row in frame.to_dict("records")]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as file:
        file.write("\n".join(lines))
    frame.to_csv(tmp_path / "python.csv", index=False)
    frame.assign(label=frame["label"].map(json.dumps)).to_csv(
        tmp_path / "json.csv", index=False
    )
    names = ("a.parquet", "a.jsonl", "b.jsonl.gz", "python.csv", "json.csv")
    for name in names:
        texts = load(tmp_path / name)
        assert texts.multi_label
        assert texts.classes == NAMES
        assert sets_of(texts) == EXPECTED, name
        assert texts.reading_plan is not None
        assert texts.reading_plan.values()["multi_label"] is True


@pytest.mark.parametrize(
    "kind",
    [tuple, set, frozenset, list, functools.partial(np.array, dtype=object)],
    ids=["tuple", "set", "frozenset", "list", "array"],
)
def test_a_frame_of_any_collections(kind: Callable) -> None:
    frame = rows()
    frame["label"] = frame["label"].map(kind)
    with as_spec(frame) as spec:
        assert sets_of(load(spec)) == EXPECTED


def test_a_separator_is_never_guessed(tmp_path: Path) -> None:
    frame = rows()
    frame["label"] = frame["label"].map(" | ".join)
    frame.loc[frame["label"] == "", "label"] = "c"
    frame.to_csv(tmp_path / "a.csv", index=False)
    one = load(tmp_path / "a.csv")
    assert not one.multi_label
    assert one.classes == ("a", "a | b", "b", "c", "c | a")
    assert one.reading_plan is not None
    assert "data.label_separator='|' makes them" in one.reading_plan.warnings[0]
    several = load(tmp_path / "a.csv", label_separator="|")
    assert several.classes == NAMES
    assert not several.reading_plan or not several.reading_plan.warnings


def test_with_a_separator_an_empty_cell_has_no_label(tmp_path: Path) -> None:
    frame = rows()
    frame["label"] = frame["label"].map(", ".join)
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert sets_of(load(tmp_path / "a.csv", label_separator=",")) == EXPECTED


def test_names_with_the_sign_of_a_sentence_are_not_taken_for_several(
    tmp_path: Path,
) -> None:
    frame = rows()
    frame["label"] = [("Yes, fully", "Yes, partly", "No")[n % 3] for n in range(60)]
    frame.to_csv(tmp_path / "a.csv", index=False)
    texts = load(tmp_path / "a.csv")
    assert not texts.multi_label
    assert texts.reading_plan is not None
    assert not texts.reading_plan.warnings


@pytest.mark.parametrize("answers", [(0, 1), (0.0, 1.0), ("No", "yes"), (False, True)])
def test_a_column_for_each_label(tmp_path: Path, answers: tuple) -> None:
    frame = rows()
    for name in NAMES:
        frame[name.upper()] = [answers[name in has] for has in frame["label"]]
    frame.drop(columns="label").to_csv(tmp_path / "a.csv", index=False)
    texts = load(tmp_path / "a.csv", label_columns=["C", "a", "3"])
    assert texts.classes == ("C", "A", "B")
    found = {text: sorted(has) for text, has in sets_of(texts).items()}
    assert found == {
        text: sorted(map(str.upper, has)) for text, has in EXPECTED.items()
    }
    assert texts.reading_plan is not None
    roles = {each.column: each.role for each in texts.reading_plan.columns}
    assert roles == {"text": "text", "A": "label", "B": "label", "C": "label"}


def test_a_cell_that_is_neither_yes_nor_no_is_a_bad_row(tmp_path: Path) -> None:
    frame = rows()
    for name in NAMES:
        frame[name] = [int(name in has) for has in frame["label"]]
    frame.loc[3, "b"] = -1
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(UserError, match="line 5: '-1' in the column b, where 0 or 1"):
        load(tmp_path / "a.csv", label_columns=list(NAMES))


def test_lines_with_several_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    lines = [
        "".join(f"__label__{name} " for name in has or ["b"]) + f"text {row}\n"
        for row, has in enumerate(rows()["label"])
    ]
    path.write_text("".join(lines))
    assert sets_of(load(path)) == {text: has or ["b"] for text, has in EXPECTED.items()}
    # The first line has to begin with a label.
    lines = [*lines[1:], lines[0]]
    path.write_text("".join(lines).replace("__label__b text", "text"))
    texts = load(path, multi_label=True)
    assert sum(not has for has in sets_of(texts).values()) == 24


def test_few_lines_with_several_labels_may_be_a_mistake(tmp_path: Path) -> None:
    lines = [f"__label__{'ab'[n % 2]} text {n}\n" for n in range(60)]
    lines[7] = "__label__a " + lines[7]
    (tmp_path / "a.txt").write_text("".join(lines))
    texts = load(tmp_path / "a.txt")
    assert texts.multi_label
    assert texts.reading_plan is not None
    assert "1 of 60 lines have several labels" in texts.reading_plan.warnings[0]
    with pytest.raises(UserError, match="line 8: 2 labels"):
        load(tmp_path / "a.txt", multi_label=False)


def test_a_list_among_names_is_still_a_bad_row(tmp_path: Path) -> None:
    lines = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(60)]
    lines[7]["label"] = ["a", "b"]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(UserError, match="line 8: the label is of type list"):
        load(tmp_path / "a.jsonl")


def test_who_needs_one_class_refuses_several(tmp_path: Path) -> None:
    rows().to_parquet(tmp_path / "a.parquet")
    spec = str(tmp_path / "a.parquet")
    for call in (load_labelled_texts, describe):
        with pytest.raises(UserError, match="several labels, where one class for each"):
            call(spec)


def test_what_a_list_cannot_hold(tmp_path: Path) -> None:
    lines = [{"text": f"text {n}", "label": [*"ab"[: n % 3]]} for n in range(60)]
    lines[7]["label"] = ["a", ["b"]]
    lines[8]["label"] = None
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    texts = load_labelled_texts(
        str(tmp_path / "a.jsonl"), max_bad_fraction=0.1, takes_several=True
    )
    assert [(row.line, row.reason) for row in texts.bad_rows] == [
        (8, "the list of labels holds another list or object"),
        (9, "no label"),
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"label_columns": ["a"]}, "choose it by --label-column a"),
        ({"label_columns": ["a", "nope"]}, "no column 'nope' for --label-columns"),
        ({"label_columns": ["a", "A"]}, "names a column twice"),
        ({"label_columns": ["a", "text"]}, "'text' cannot be both text and label"),
        ({"label_columns": ["a", "b"], "label_column": "c"}, "data.label_column: "),
        ({"label_columns": ["a", "b"], "label_separator": ";"}, "data.label_separator"),
        ({"label_columns": ["a", "b"], "multi_label": False}, "data.multi_label=false"),
        (
            {"label_column": "a", "label_separator": ",", "multi_label": False},
            "data.multi_label=false: --label-separator",
        ),
    ],
)
def test_columns_of_labels_that_are_refused(
    tmp_path: Path, given: dict[str, object], message: str
) -> None:
    frame = rows().drop(columns="label").assign(a=0, b=1, c=1)
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(UserError, match=message):
        load(tmp_path / "a.csv", **given)


def test_data_without_cells_refuse_what_asks_for_several(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.txt").write_text("one")
    for given in (
        {"label_columns": ["a", "b"]},
        {"label_separator": "|"},
        {"multi_label": True},
    ):
        for spec in ("sample:200", str(tmp_path)):
            with pytest.raises(UserError, match="no cells that could hold several"):
                load(spec, **given)


def test_one_label_or_one_set_alone_is_refused(tmp_path: Path) -> None:
    for labels in ([["a"], []], [["a", "b"]], [[]]):
        frame = rows()
        frame["label"] = [labels[n % len(labels)] for n in range(60)]
        frame.to_parquet(tmp_path / "a.parquet")
        with pytest.raises(UserError, match="two or more are needed"):
            load(tmp_path / "a.parquet")


def test_rare_labels_are_left_out_and_their_rows_stay(tmp_path: Path) -> None:
    frame = rows()
    frame.at[2, "label"] = ["a", "rare"]
    frame.to_parquet(tmp_path / "a.parquet")
    texts = load_labelled_texts(
        str(tmp_path / "a.parquet"), min_class_rows=2, takes_several=True
    )
    assert texts.classes == NAMES
    assert sets_of(texts)["text 2"] == ["a"]


def test_labels_that_differ_by_case_can_be_one(tmp_path: Path) -> None:
    frame = rows()
    frame.at[2, "label"] = ["A", "a", "b"]
    frame.to_parquet(tmp_path / "a.parquet")
    texts = load_labelled_texts(
        str(tmp_path / "a.parquet"), label_case="fold", takes_several=True
    )
    assert texts.classes == NAMES
    assert sets_of(texts) == EXPECTED


def test_strata_are_the_rarest_label_or_none() -> None:
    numbers = {name: number for number, name in enumerate(NAMES)}
    labels = [("a", "b"), ("a",), ("a", "c"), ("c", "b"), ("b", "a"), ()]
    found = numbered(labels, numbers, multi_label=True)
    # Four rows have a, three b and two c.
    assert strata(found).tolist() == [1, 0, 2, 2, 1, 3]
    assert strata(np.array([2, 0])).tolist() == [2, 0]


def test_splits_hold_the_labels_in_like_parts(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    has = generator.random((2000, 3)) < (0.5, 0.2, 0.01)
    frame = pd.DataFrame({"text": [f"text {n}" for n in range(2000)]})
    frame["label"] = [np.array(NAMES)[row].tolist() for row in has]
    frame["group"] = generator.integers(400, size=2000)
    frame.to_parquet(tmp_path / "a.parquet")
    texts = load(tmp_path / "a.parquet")
    sizes = {name: len(split) for name, split in texts.splits.items()}
    assert sizes == pytest.approx(
        {"train": 1200, "validation": 400, "test": 400}, abs=3
    )
    for name in ("validation", "test"):
        parts = texts.splits[name].labels.sum(axis=0) / has.sum(axis=0)
        # The rarest is met exactly, the others as nearly as chance has it.
        np.testing.assert_allclose(parts, 0.2, atol=0.03)
    grouped = load(tmp_path / "a.parquet", group_column="group")
    groups = [set(split.groups.tolist()) for split in grouped.splits.values()]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
    assert all(split.labels.any(axis=0).all() for split in grouped.splits.values())


def test_no_label_has_all_of_its_rows_held_out(tmp_path: Path) -> None:
    """The rows of one label go by rarer ones, of which half of the rows are held."""
    frame = rows()
    for row, name in enumerate("def"):
        frame.at[row, "label"] = ["common", name]
        frame.at[row + 10, "label"] = [name]
    frame.to_parquet(tmp_path / "a.parquet")
    how = {"takes_several": True, "test_fraction": 0}
    for seed in range(40):
        texts = load_labelled_texts(str(tmp_path / "a.parquet"), seed=seed, **how)
        assert texts.splits["train"].labels.any(axis=0).all()


def test_what_is_given_back_is_whole_groups() -> None:
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0]], bool)
    kept, held = np.array([0]), np.array([1, 2, 3, 4])
    back = give_back(kept, held, labels, None)
    assert [part.tolist() for part in back] == [[0, 2, 3], [1, 4]]
    groups = np.array(["a", "b", "b", "c", "d"], object)
    back = give_back(kept, held, labels, groups)
    assert [part.tolist() for part in back] == [[0, 1, 2, 3], [4]]


def test_a_description_counts_labels_and_rows_without(tmp_path: Path) -> None:
    rows().to_parquet(tmp_path / "a.parquet")
    spec = str(tmp_path / "a.parquet")
    described = describe_labelled_texts(spec, count_tokens=len, takes_several=True)
    values = described.as_dict()
    assert values["splits"]["train"]["class_balance"] == {"a": 36, "b": 24, "c": 12}
    assert values["label_sets"] == {
        "train": {"rows": 60, "no_label": 12, "labels_per_row": 72 / 60}
    }
    assert described.examples[0] == {"label": "a", "text": "text 1"}
    assert described.examples[1] == {"label": "a, b", "text": "text 2"}
    assert described.frame is not None
    assert described.frame()["label"].tolist()[:3] == list(SETS[:3])
    blocks = described.shown().blocks
    table = next(block for block in blocks if not isinstance(block, str))
    assert table.columns[:4] == ["split", "rows", "labels a row", "(no label)"]


def test_single_labels_have_no_counts_of_sets(tmp_path: Path) -> None:
    frame = rows().assign(label=["ab"[n % 2] for n in range(60)])
    frame.to_parquet(tmp_path / "a.parquet")
    spec = str(tmp_path / "a.parquet")
    assert "label_sets" not in describe_labelled_texts(spec, count_tokens=len).as_dict()
    assert "label_sets" not in load(spec).metadata()
    assert load(spec).splits["train"].labels.dtype == np.int64


def test_evaluation_reads_by_the_plan_of_training(tmp_path: Path) -> None:
    frame = rows()
    frame["label"] = frame["label"].map(";".join)
    frame.to_csv(tmp_path / "a.csv", index=False)
    plan = load(tmp_path / "a.csv", label_separator=";").reading_plan
    (tmp_path / "b.csv").write_text("text,label\none,c; a\ntwo,b\n")
    split, _ = load_evaluation_texts(
        str(tmp_path / "b.csv"),
        classes=NAMES,
        multi_label=True,
        plan=PlanBuilder({}, plan),
    )
    assert split.labels.tolist() == [[True, False, True], [False, True, False]]


def test_columns_of_labels_are_kept_by_name(tmp_path: Path) -> None:
    frame = rows().drop(columns="label").assign(a=[0, 1] * 30, b=[0, 0, 1] * 20)
    frame.to_csv(tmp_path / "a.csv", index=False)
    plan = load(tmp_path / "a.csv", label_columns=["3", "2"]).reading_plan
    assert plan is not None
    assert set(plan.values()["label_columns"]) == {"a", "b"}
    frame[["b", "text", "a"]].to_csv(tmp_path / "b.csv", index=False)
    split, _ = load_evaluation_texts(
        str(tmp_path / "b.csv"),
        classes=("b", "a"),
        multi_label=True,
        plan=PlanBuilder({}, plan),
    )
    np.testing.assert_array_equal(split.labels, frame[["b", "a"]] == 1)
    frame[["text"]].to_csv(tmp_path / "c.csv", index=False)
    with pytest.raises(UserError, match="no labels to judge by"):
        load_evaluation_texts(
            str(tmp_path / "c.csv"),
            classes=("b", "a"),
            multi_label=True,
            plan=PlanBuilder({}, plan),
        )


def test_a_file_of_test_rows_without_the_columns_is_set_aside(tmp_path: Path) -> None:
    frame = rows().drop(columns="label").assign(a=[0, 1] * 30, b=[0, 0, 1] * 20)
    frame.to_csv(tmp_path / "train.csv", index=False)
    frame[["text"]].to_csv(tmp_path / "test.csv", index=False)
    texts = load(tmp_path, label_columns=["a", "b"])
    assert sum(map(len, texts.splits.values())) == 60
    assert texts.reading_plan is not None
    assert "test.csv has no labels, and is set aside" in texts.reading_plan.warnings[0]


def test_joined_names_are_told_apart() -> None:
    assert joined(["a", "b"]) == "a|b"
    assert joined(["a|b"]) == '["a|b"]'
    assert joined([]) == ""
