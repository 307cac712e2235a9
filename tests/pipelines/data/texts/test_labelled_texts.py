"""Specs to labelled splits: layouts, columns, labels, carving, and bad input."""

import functools
import gzip
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.files.tables import BadRow
from recurra.pipelines.data.reading import PlanBuilder
from recurra.pipelines.data.texts.labelled_rows import normalise_label
from recurra.pipelines.data.texts.labelled_texts import (
    LabelledTexts,
    describe_labelled_texts,
    load_evaluation_texts,
    load_labelled_texts,
)
from recurra.pipelines.data.texts.words import count_words

describe = functools.partial(describe_labelled_texts, count_tokens=count_words)

IMDB = Path(__file__).parents[5] / "shared/data/imdb_train.tsv.gz"


def write_rows(
    path: Path, rows: list[tuple[str, object]], header: str = "text,label"
) -> str:
    lines = [header, *(f'"{text}",{label}' for text, label in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def numbered(size: int, labels: tuple[object, ...] = ("neg", "pos")) -> list:
    return [(f"text number {n}", labels[n % len(labels)]) for n in range(size)]


def write_class_folders(folder: Path, classes: dict[str, int]) -> str:
    for name, size in classes.items():
        (folder / name).mkdir(parents=True)
        for number in range(size):
            text = f"{folder.name} {name} text {number}"
            (folder / name / f"{number}.txt").write_text(text)
    return str(folder)


def sizes(texts: LabelledTexts) -> dict[str, int]:
    return {name: len(split) for name, split in texts.splits.items()}


# Layouts.


def test_one_file_is_carved(tmp_path: Path) -> None:
    spec = write_rows(tmp_path / "a.csv", numbered(100))
    texts = load_labelled_texts(spec)
    assert texts.spec == spec
    assert texts.classes == ("neg", "pos")
    assert sizes(texts) == {"train": 80, "validation": 10, "test": 10}
    assert texts.columns == {"text": "text", "label": "label", "group": None}
    for split in texts.splits.values():
        assert split.labels.dtype == np.int64
        assert split.groups is None
        for text, label in zip(split.texts, split.labels, strict=True):
            assert int(text.split()[-1]) % 2 == label


@pytest.mark.parametrize("suffix", [".tsv.gz", ".jsonl", ".parquet"])
def test_other_formats_reach_the_same_splits(tmp_path: Path, suffix: str) -> None:
    rows = numbered(60)
    csv = load_labelled_texts(write_rows(tmp_path / "a.csv", rows))
    path = tmp_path / f"a{suffix}"
    frame = pd.DataFrame(rows, columns=["text", "label"])
    if suffix == ".parquet":
        frame.to_parquet(path)
    elif suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        path.write_bytes(gzip.compress(frame.to_csv(sep="\t", index=False).encode()))
    other = load_labelled_texts(str(path))
    for name, split in csv.splits.items():
        assert other.splits[name].texts.tolist() == split.texts.tolist()
        assert other.splits[name].labels.tolist() == split.labels.tolist()


@pytest.mark.parametrize("validation", ["validation", "val", "valid", "dev"])
def test_folder_of_split_files(tmp_path: Path, validation: str) -> None:
    rows = numbered(30)
    write_rows(tmp_path / "train.csv", rows[:20])
    write_rows(tmp_path / f"{validation}.csv", rows[20:26])
    write_rows(tmp_path / "test.csv", rows[26:])
    (tmp_path / "README.md").write_text("not a table")
    texts = load_labelled_texts(str(tmp_path))
    assert sizes(texts) == {"train": 20, "validation": 6, "test": 4}
    assert texts.splits["test"].texts.tolist() == [text for text, _ in rows[26:]]


def test_folder_without_a_validation_file_is_carved(tmp_path: Path) -> None:
    write_rows(tmp_path / "train.csv", numbered(20))
    write_rows(tmp_path / "test.csv", numbered(4))
    assert sizes(load_labelled_texts(str(tmp_path), validation_fraction=0.2)) == {
        "train": 16,
        "validation": 4,
        "test": 4,
    }


def test_class_folders(tmp_path: Path) -> None:
    spec = write_class_folders(tmp_path / "data", {"good": 12, "bad": 8, "so-so": 10})
    (tmp_path / "data" / "images").mkdir()
    texts = load_labelled_texts(spec)
    assert texts.classes == ("bad", "good", "so-so")
    assert sum(sizes(texts).values()) == 30
    for split in texts.splits.values():
        for text, label in zip(split.texts, split.labels, strict=True):
            assert text.split()[1] == texts.classes[label]


def test_class_folders_by_split_leave_unsup_out(tmp_path: Path) -> None:
    write_class_folders(tmp_path / "train", {"neg": 10, "pos": 10, "unsup": 5})
    write_class_folders(tmp_path / "test", {"neg": 4, "pos": 4})
    texts = load_labelled_texts(str(tmp_path))
    assert texts.classes == ("neg", "pos")
    assert sizes(texts) == {"train": 18, "validation": 2, "test": 8}


def test_class_folders_report_texts_that_cannot_be_used(tmp_path: Path) -> None:
    spec = write_class_folders(tmp_path / "data", {"neg": 10, "pos": 10})
    (tmp_path / "data/neg/empty.txt").write_text(" \n")
    (tmp_path / "data/pos/gbk.txt").write_bytes("味道很差而且服务很慢".encode("gbk"))
    (tmp_path / "data/pos/latin.txt").write_bytes("très bon".encode("cp1252"))
    texts = load_labelled_texts(spec, max_bad_fraction=0.2)
    assert [(Path(row.file).name, row.line) for row in texts.bad_rows] == [
        ("empty.txt", None),
        ("gbk.txt", None),
    ]
    assert texts.encodings == {"utf-8": 21, "cp1252": 1}
    every_text = [text for split in texts.splits.values() for text in split.texts]
    assert "très bon" in every_text


def test_embedded_sample() -> None:
    texts = load_labelled_texts("sample:200", seed=5)
    assert sizes(texts) == {"train": 160, "validation": 20, "test": 20}
    assert texts.classes == ("negative", "positive")
    assert set(texts.duplicates.values()) == {0}
    again = load_labelled_texts("sample:200", seed=6)
    assert again.splits["test"].texts.tolist() == texts.splits["test"].texts.tolist()


def test_text_without_spaces(tmp_path: Path) -> None:
    rows = [(f"这部电影很好看{n}", 1) for n in range(10)]
    rows += [(f"この映画は退屈だ{n}", 0) for n in range(10)]
    spec = write_rows(tmp_path / "a.csv", rows)
    texts = load_labelled_texts(spec)
    assert "这部电影很好看" in {text[:7] for text in texts.splits["train"].texts}
    described = describe(spec)
    assert described.splits["train"].tokens["50"] in (8, 9)


# Columns and labels.


@pytest.mark.parametrize(
    ("header", "text", "label"),
    [
        ("Review,Sentiment", "Review", "Sentiment"),
        ("SENTENCE,target", "SENTENCE", "target"),
        ("content,class", "content", "class"),
    ],
)
def test_columns_found_by_usual_names(
    tmp_path: Path, header: str, text: str, label: str
) -> None:
    spec = write_rows(tmp_path / "a.csv", numbered(30), header)
    usual = ("label", "sentiment", "target", "class")
    columns = load_labelled_texts(spec, usual_labels=usual).columns
    assert columns == {"text": text, "label": label, "group": None}


def test_first_usual_name_is_preferred_and_given_names_win(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "content": [f"content {n}" for n in range(30)],
            "text": [f"text {n}" for n in range(30)],
            "class": ["a", "b"] * 15,
            "label": ["c", "d"] * 15,
        }
    )
    frame.to_csv(tmp_path / "a.csv", index=False)
    found = load_labelled_texts(str(tmp_path / "a.csv"))
    assert found.splits["train"].texts[0].startswith("text")
    assert found.classes == ("c", "d")
    given = load_labelled_texts(
        str(tmp_path / "a.csv"), text_column="content", label_column="class"
    )
    assert given.splits["train"].texts[0].startswith("content")
    assert given.classes == ("a", "b")


@pytest.mark.parametrize(
    ("header", "options", "message"),
    [
        ("words,label", {}, "its columns are words, label; choose by --text-column"),
        ("text,mark", {}, "its columns are text, mark; choose by --label-column"),
        ("text,label", {"text_column": "Tex"}, "no column 'Tex' for --text-column"),
        ("text,label", {"text_column": "3"}, "no column '3' for --text-column"),
        ("text,label", {"label_column": "x"}, "its columns are text, label"),
        ("text,label", {"group_column": "x"}, "no column 'x' for --group-column"),
        ("text,label", {"label_column": "text"}, "cannot be both text and label"),
        ("text,Text", {"label_column": "Text"}, "text and Text could each be the text"),
    ],
)
def test_columns_that_are_not_found(
    tmp_path: Path, header: str, options: dict[str, str], message: str
) -> None:
    spec = write_rows(tmp_path / "a.csv", numbered(30), header)
    with pytest.raises(UserError) as error:
        load_labelled_texts(spec, **options)
    assert message in str(error.value)
    assert str(error.value).startswith(spec)


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (1, "1"),
        (1.0, "1"),
        ("1.0", "1"),
        (" 1 ", "1"),
        (np.int64(-2), "-2"),
        (np.float32(3), "3"),
        ("0.5", "0.5"),
        ("007", "007"),
        ("1.0.0", "1.0.0"),
        (" so so ", "so so"),
        (True, "True"),
        ("+1", "1"),
        ("true", "True"),
        ("FALSE", "False"),
        ("caf\u0065\u0301", "café"),
        ("café\u200b", "café"),
        ("\ufeff café\u00a0", "café"),
        ("so\u00adso", "soso"),
        ("\u200b", None),
        ("", None),
        ("  ", None),
        (None, None),
        (float("nan"), None),
        (pd.NA, None),
    ],
)
def test_labels_are_normalised(value: object, label: str | None) -> None:
    assert normalise_label(value) == label


def test_labels_that_look_alike_are_one_class(tmp_path: Path) -> None:
    labels = ("caf\u0065\u0301", "café", "café\u200b", "\ufeffcafé", "thé")
    texts = load_labelled_texts(write_rows(tmp_path / "a.csv", numbered(50, labels)))
    assert texts.classes == ("café", "thé")


def test_labels_that_differ_by_case_are_told(tmp_path: Path) -> None:
    labels = ("Pos", "pos", "pos", "neg")
    spec = write_rows(tmp_path / "a.csv", numbered(80, labels))
    texts = load_labelled_texts(spec)
    assert texts.classes == ("Pos", "neg", "pos")
    assert texts.reading_plan.warnings == [
        "the labels 'pos' and 'Pos' differ by case alone, and are classes of their "
        "own; data.label_case=fold joins them"
    ]
    texts = load_labelled_texts(spec, label_case="fold")
    assert texts.classes == ("neg", "pos")
    assert texts.reading_plan.warnings == []


def test_real_numbers_are_no_classes(tmp_path: Path) -> None:
    rows = [(f"text {n}", n / 97) for n in range(1, 90)]
    spec = write_rows(tmp_path / "a.csv", rows, "text,score")
    with pytest.raises(UserError) as error:
        load_labelled_texts(spec)
    assert "the column 'score' holds real numbers (0.0103" in str(error.value)
    assert "classes were expected" in str(error.value)
    halves = [(f"text {n}", n % 10 / 2) for n in range(100)]
    spec = write_rows(tmp_path / "b.csv", halves, "text,stars")
    assert len(load_labelled_texts(spec).classes) == 10


def test_a_usual_name_loses_to_content(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "Label": [f"id-{n}" for n in range(50)],
            "text": range(50),
            "review": [f"text {n}" for n in range(50)],
            "category": ["a", "b"] * 25,
        }
    )
    frame.to_csv(tmp_path / "a.csv", index=False)
    texts = load_labelled_texts(str(tmp_path / "a.csv"))
    assert texts.columns == {"text": "review", "label": "category", "group": None}
    assert "'Label' has 50 values in 50 rows" in texts.reading_plan.warnings[0]
    assert "data.label_column chooses" in texts.reading_plan.warnings[0]
    frame[["Label", "review"]].to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(UserError, match="'Label' has 50 values in 50 rows; classes"):
        load_labelled_texts(str(tmp_path / "b.csv"))


def test_the_reading_plan_names_every_column(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "text": [f"text {n}" for n in range(50)],
            "id": range(50),
            "label": ["a", "b"] * 25,
            "stars": [1, 5] * 25,
            "title": [f"title {n // 2}" for n in range(50)],
        }
    )
    frame.to_csv(tmp_path / "a.csv", index=False)
    spec = str(tmp_path / "a.csv")
    plan = load_labelled_texts(spec, group_column="TITLE").reading_plan
    roles = {column.column: column.role for column in plan.columns}
    assert roles == {
        "text": "text",
        "id": "ignored",
        "label": "label",
        "stars": "ignored",
        "title": "group",
    }
    assert plan.values() == {
        "encoding": "utf-8",
        "delimiter": ",",
        "skip_rows": 0,
        "header": 1,
        "text_column": "text",
        "label_column": "label",
    }
    label = next(found for found in plan.findings if found.key == "label_column")
    assert label.alternative == "stars (data.label_column chooses)"
    assert describe(spec).shown().plan.values() == plan.values()


def test_columns_by_number_where_there_is_a_header(tmp_path: Path) -> None:
    spec = write_rows(tmp_path / "a.csv", numbered(50), "words,kind")
    texts = load_labelled_texts(spec, text_column="1", label_column="2")
    assert texts.columns == {"text": "words", "label": "kind", "group": None}
    values = texts.reading_plan.values()
    assert (values["text_column"], values["label_column"]) == ("words", "kind")


def test_integer_classes_are_sorted_as_numbers(tmp_path: Path) -> None:
    spec = write_rows(tmp_path / "a.csv", numbered(90, (10, "9.0", -1)))
    assert load_labelled_texts(spec).classes == ("-1", "9", "10")
    spec = write_rows(tmp_path / "b.csv", numbered(90, (10, 9, "x")))
    assert load_labelled_texts(spec).classes == ("10", "9", "x")


def test_integer_labels_of_parquet_with_a_missing_one(tmp_path: Path) -> None:
    frame = pd.DataFrame(numbered(40, (0, 1)), columns=["text", "label"])
    frame.loc[7, "label"] = None
    frame.to_parquet(tmp_path / "a.parquet")
    texts = load_labelled_texts(str(tmp_path / "a.parquet"), max_bad_fraction=0.1)
    assert texts.classes == ("0", "1")
    assert [(row.line, row.reason) for row in texts.bad_rows] == [(8, "no label")]


# Bad rows and bad data.


def test_bad_rows_are_listed_with_line_and_reason(tmp_path: Path) -> None:
    rows: list[object] = [{"text": f"fine {n}", "label": n % 2} for n in range(20)]
    rows += [
        {"text": "no label"},
        {"text": "no label", "label": None},
        {"text": " ", "label": 1},
        {"label": 1},
        {"text": 5, "label": 1},
        {"text": "\ud800", "label": 1},
        {"text": "two labels", "label": [0, 1]},
        ["no object"],
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    texts = load_labelled_texts(str(path), max_bad_fraction=0.5)
    assert [row.line for row in texts.bad_rows] == list(range(21, 29))
    expected = [
        "no label",
        "no label",
        "empty text",
        "no text",
        "of type int",
        "surrogate",
        "of type list",
        "JSON list",
    ]
    for row, reason in zip(texts.bad_rows, expected, strict=True):
        assert reason in row.reason
    assert sum(sizes(texts).values()) == 20


def test_too_many_bad_rows_stop_the_run(tmp_path: Path) -> None:
    rows = numbered(98)
    rows[50] = ("fifty", "")
    rows[60] = ("", "pos")
    spec = write_rows(tmp_path / "a.csv", rows)
    with pytest.raises(UserError) as error:
        load_labelled_texts(spec)
    assert str(error.value).startswith(f"{spec}, line 52: no label; 2 of 98 rows")
    assert load_labelled_texts(spec, max_bad_fraction=0.03).bad_rows == (
        BadRow(spec, 52, "no label"),
        BadRow(spec, 62, "empty text"),
    )


def test_no_usable_row(tmp_path: Path) -> None:
    spec = write_rows(tmp_path / "a.csv", [("", 1), ("", 0)])
    for load in (load_labelled_texts, describe):
        with pytest.raises(
            UserError, match="line 2: empty text; not one of the 2 rows"
        ):
            load(spec)


def test_no_usable_row_in_one_split(tmp_path: Path) -> None:
    write_rows(tmp_path / "train.csv", numbered(300))
    write_rows(tmp_path / "test.csv", [("", 1)])
    with pytest.raises(UserError, match="not one row of its test split"):
        load_labelled_texts(str(tmp_path))


def test_one_class_only(tmp_path: Path) -> None:
    spec = write_rows(tmp_path / "a.csv", numbered(30, ("pos",)))
    with pytest.raises(UserError, match="every row has the label 'pos'; two or more"):
        load_labelled_texts(spec)
    spec = write_class_folders(tmp_path / "data", {"pos": 5})
    with pytest.raises(UserError, match="every row has the label 'pos'; two or more"):
        load_labelled_texts(spec)


def test_class_of_test_that_train_does_not_have(tmp_path: Path) -> None:
    write_rows(tmp_path / "train.csv", numbered(30))
    write_rows(tmp_path / "test.csv", [("one", "pos"), ("two", "meh")])
    with pytest.raises(UserError) as error:
        load_labelled_texts(str(tmp_path))
    assert str(error.value) == (
        f"{tmp_path / 'test.csv'}, line 3: the class 'meh' stands in test and not in "
        "train, which has neg, pos"
    )


@pytest.mark.parametrize("rare", [1, 2])
def test_rare_class_stays_in_train(tmp_path: Path, rare: int, caplog) -> None:
    rows = [*numbered(120), *[(f"rare {n}", "odd") for n in range(rare)]]
    spec = write_rows(tmp_path / "a.csv", rows)
    texts = load_labelled_texts(spec)
    assert sum(sizes(texts).values()) == 120 + rare
    odd = texts.classes.index("odd")
    assert (texts.splits["train"].labels == odd).sum() == 1
    for split in texts.splits.values():
        assert set(split.labels.tolist()) >= {0, 1, 2} - {odd}
    assert "data.min_class_rows" in texts.reading_plan.warnings[0]
    assert "odd: too few rows for the validation" in caplog.text


@pytest.mark.parametrize(
    ("values", "is_told"),
    [(("train", "test"), True), (("train", "train"), False), (("test", "rest"), False)],
)
def test_a_column_of_splits_is_told(tmp_path: Path, values, is_told: bool) -> None:
    rows = [
        (text, label, values[n % 2]) for n, (text, label) in enumerate(numbered(60))
    ]
    lines = ["text,label,part", *map(",".join, rows)]
    (tmp_path / "a.csv").write_text("\n".join(lines), encoding="utf-8")
    warnings = load_labelled_texts(str(tmp_path / "a.csv")).reading_plan.warnings
    told = [line for line in warnings if "column part parts the rows" in line]
    assert [line.endswith("such as train.csv") for line in told] == [True] * is_told


def test_a_column_of_splits_is_used_where_it_is_named(tmp_path: Path) -> None:
    parts = ["train", "dev", "Test", "train"]
    rows = [
        (text, label, parts[n % 4]) for n, (text, label) in enumerate(numbered(120))
    ]
    lines = ["text,label,part", *map(",".join, rows), "odd,pos,other", "none,pos,"]
    (tmp_path / "a.csv").write_text("\n".join(lines), encoding="utf-8")
    plan = PlanBuilder({"split_column": "part"})
    texts = load_labelled_texts(
        str(tmp_path / "a.csv"), plan=plan, max_bad_fraction=0.1
    )
    sizes = {name: len(split.labels) for name, split in texts.splits.items()}
    assert sizes == {"train": 60, "validation": 30, "test": 30}
    assert set(texts.splits["test"].texts) == {r[0] for r in rows if r[2] == "Test"}
    assert [row.line for row in texts.bad_rows] == [122, 123]
    assert "'other' is no split; expected train" in texts.bad_rows[0].reason
    assert not texts.reading_plan.warnings


def test_a_column_of_splits_that_cannot_be_is_refused(tmp_path: Path) -> None:
    write_rows(tmp_path / "train.csv", numbered(40))
    with pytest.raises(UserError, match="no column 'part' for data.split_column"):
        load_labelled_texts(
            str(tmp_path / "train.csv"), plan=PlanBuilder({"split_column": "part"})
        )
    write_rows(tmp_path / "test.csv", numbered(40))
    for spec in (str(tmp_path), "sample:100"):
        with pytest.raises(UserError, match="leave data.split_column out"):
            load_labelled_texts(spec, plan=PlanBuilder({"split_column": "part"}))


def test_data_show_tells_rare_classes(tmp_path: Path) -> None:
    rows = [*numbered(120), ("one", "odd")]
    described = describe(write_rows(tmp_path / "a.csv", rows))
    assert "odd: too few rows" in described.plan.warnings[0]


def test_counts_are_no_classes(tmp_path: Path) -> None:
    rows = [(f"text {n}", n % 70) for n in range(300)]
    spec = write_rows(tmp_path / "a.csv", rows, "text,score")
    with pytest.raises(UserError, match="'score' holds 70 different numbers in 300"):
        load_labelled_texts(spec)


def test_classes_with_too_few_rows_are_left_out(tmp_path: Path, caplog) -> None:
    rows = [*numbered(120), ("one", "odd"), ("two", "even"), ("three", "even")]
    texts = load_labelled_texts(write_rows(tmp_path / "a.csv", rows), min_class_rows=3)
    assert texts.classes == ("neg", "pos")
    assert sum(sizes(texts).values()) == 120
    assert "2 classes with fewer than 3 rows are left out (odd, even), 3 rows" in (
        caplog.text
    )


def test_too_few_rows_to_hold_out_two_classes(tmp_path: Path) -> None:
    rows = [*numbered(30, ("pos",)), ("rare", "neg")]
    spec = write_rows(tmp_path / "a.csv", rows)
    with pytest.raises(UserError, match="the class 'neg' has 1 row left, and both"):
        load_labelled_texts(spec)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["test.csv"], "has test.csv and no train file"),
        (
            ["train.csv", "train.tsv"],
            "train.csv and train.tsv are both the train split",
        ),
        (["a.csv"], "no texts in it; expected a folder of train"),
        ([], "no texts in it"),
    ],
)
def test_folders_that_are_refused(
    tmp_path: Path, files: list[str], message: str
) -> None:
    for name in files:
        write_rows(tmp_path / name, numbered(30))
    with pytest.raises(UserError, match=message):
        load_labelled_texts(str(tmp_path))


def test_class_folders_without_train(tmp_path: Path) -> None:
    write_class_folders(tmp_path / "test", {"neg": 3, "pos": 3})
    with pytest.raises(UserError, match="has test and no train folder"):
        load_labelled_texts(str(tmp_path))


@pytest.mark.parametrize("option", ["text_column", "label_column", "group_column"])
def test_columns_of_data_without_columns(tmp_path: Path, option: str) -> None:
    folder = write_class_folders(tmp_path / "data", {"neg": 3, "pos": 3})
    for spec in ("sample:200", folder):
        with pytest.raises(UserError, match=f"--{option.replace('_', '-')} x"):
            load_labelled_texts(spec, **{option: "x"})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("missing.csv", "missing.csv: no such file"),
        ("sample:many", "sample:NUMBER was expected"),
        ("sample:5", "between 100 and 200,000"),
    ],
)
def test_specs_that_are_refused(spec: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_labelled_texts(spec)


@pytest.mark.parametrize(
    "shares",
    [
        {"validation_fraction": -0.1},
        {"test_fraction": 1.5},
        {"max_bad_fraction": 2.0},
        {"validation_fraction": 0.5, "test_fraction": 0.5},
    ],
)
def test_shares_out_of_range(shares: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(shares))):
        load_labelled_texts("sample:200", **shares)


# Carving.


def test_carving_is_stratified_and_disjoint(tmp_path: Path) -> None:
    labels = ("a",) * 16 + ("b",) * 3 + ("c",)
    spec = write_rows(tmp_path / "a.csv", numbered(400, labels))
    texts = load_labelled_texts(spec, validation_fraction=0.2, test_fraction=0.1)
    balance = {
        name: Counter(texts.classes[label] for label in split.labels)
        for name, split in texts.splits.items()
    }
    assert balance["test"] == {"a": 32, "b": 6, "c": 2}
    assert balance["validation"] == {"a": 64, "b": 12, "c": 4}
    assert balance["train"] == {"a": 224, "b": 42, "c": 14}
    every_text = [text for split in texts.splits.values() for text in split.texts]
    assert len(set(every_text)) == len(every_text) == 400


def test_carving_is_deterministic_by_seed(tmp_path: Path) -> None:
    spec = write_rows(tmp_path / "a.csv", numbered(200))
    first, second, other = (
        load_labelled_texts(spec, seed=seed).splits["test"].texts.tolist()
        for seed in (1, 1, 2)
    )
    assert first == second
    assert first != other


def test_shares_of_zero_carve_nothing(tmp_path: Path) -> None:
    spec = write_rows(tmp_path / "a.csv", numbered(50))
    assert list(load_labelled_texts(spec, test_fraction=0).splits) == [
        "train",
        "validation",
    ]
    nothing = load_labelled_texts(spec, test_fraction=0, validation_fraction=0)
    assert sizes(nothing) == {"train": 50}


def grouped_rows(number_of_groups: int) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(number_of_groups), 5)
    return pd.DataFrame(
        {
            "text": [f"text {n}" for n in range(len(groups))],
            "label": generator.integers(0, 2, len(groups)),
            "title": [f"title {group}" for group in groups],
        }
    )


def test_groups_stay_together(tmp_path: Path) -> None:
    frame = grouped_rows(100)
    frame.to_csv(tmp_path / "a.csv", index=False)
    texts = load_labelled_texts(
        str(tmp_path / "a.csv"), group_column="title", test_fraction=0.2, seed=3
    )
    groups = {name: set(split.groups) for name, split in texts.splits.items()}
    assert not groups["train"] & groups["validation"]
    assert not groups["train"] & groups["test"]
    assert not groups["validation"] & groups["test"]
    assert sum(map(len, groups.values())) == 100
    assert abs(len(texts.splits["test"]) - 100) <= 15
    assert abs(len(texts.splits["validation"]) - 50) <= 15
    share = frame["label"].mean()
    for split in texts.splits.values():
        assert abs(split.labels.mean() - share) < 0.1
    again = load_labelled_texts(
        str(tmp_path / "a.csv"), group_column="title", test_fraction=0.2, seed=3
    )
    assert again.splits["test"].texts.tolist() == texts.splits["test"].texts.tolist()


def test_rows_without_a_group_are_groups_of_their_own(tmp_path: Path) -> None:
    frame = grouped_rows(20)
    frame.loc[50:, "title"] = None
    frame.to_csv(tmp_path / "a.csv", index=False)
    spec = str(tmp_path / "a.csv")
    texts = load_labelled_texts(spec, group_column="title", test_fraction=0)
    groups = [group for split in texts.splits.values() for group in split.groups]
    assert len(set(groups)) == 10 + 50
    assert texts.bad_rows == ()


def test_too_few_groups(tmp_path: Path) -> None:
    grouped_rows(4).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(UserError, match="too few groups to carve a test split: 4"):
        load_labelled_texts(str(tmp_path / "a.csv"), group_column="title")


def test_class_that_stands_in_one_group(tmp_path: Path) -> None:
    frame = grouped_rows(40)
    frame["label"] = (frame["title"] == "title 7").astype(int)
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(UserError, match="the class '1' would be on one side only"):
        load_labelled_texts(
            str(tmp_path / "a.csv"), group_column="title", test_fraction=0
        )


# Duplicates.


def test_duplicates_are_counted(tmp_path: Path) -> None:
    train = [*numbered(20), ("Text  Number 3", "pos"), ("TEXT number 3 ", "pos")]
    write_rows(tmp_path / "train.csv", train)
    write_rows(tmp_path / "dev.csv", [("text number 4", "neg"), ("new", "pos")])
    write_rows(tmp_path / "test.csv", [("text NUMBER 3", "pos"), ("new", "pos")] * 2)
    texts = load_labelled_texts(str(tmp_path))
    assert texts.duplicates == {
        "within train": 2,
        "within validation": 0,
        "within test": 2,
        "train/validation": 1,
        "train/test": 2,
        "validation/test": 2,
    }


# Data to evaluate on.


def test_a_test_file_without_labels_is_set_aside(tmp_path: Path) -> None:
    write_rows(tmp_path / "train.csv", numbered(120))
    (tmp_path / "test.csv").write_text("id,text\n1,one\n2,two\n")
    texts = load_labelled_texts(str(tmp_path))
    assert sizes(texts) == {"train": 96, "validation": 12, "test": 12}
    assert "test.csv has no labels, and is set aside" in texts.reading_plan.warnings[0]
    (tmp_path / "test.csv").write_text("text,label\none,\ntwo,\n")
    assert sizes(load_labelled_texts(str(tmp_path)))["test"] == 12
    for spec in (tmp_path, tmp_path / "test.csv"):
        with pytest.raises(UserError) as error:
            load_evaluation_texts(str(spec), classes=["neg", "pos"])
        assert "it is something to predict: recurra predict MODEL" in str(error.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,label\na,1\nb,0\n"),
        ("a.csv", "text,label\na,1.0\nb,0.0\n"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": "b", "label": 0.0}\n'),
        ("a.json", '[{"text": "a", "label": "1"}, {"text": "b", "label": "0"}]'),
        ("a.txt", "__label__1 a\n__label__0 b\n"),
    ],
)
def test_a_label_is_read_alike_in_every_format(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    split, _ = load_evaluation_texts(str(tmp_path / name), classes=["0", "1"])
    assert split.texts.tolist() == ["a", "b"]
    assert split.labels.tolist() == [1, 0]


def test_truth_values_and_case_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\na,true\nb,FALSE\n")
    (tmp_path / "a.jsonl").write_text(
        '{"text": "a", "label": true}\n{"text": "b", "label": false}\n'
    )
    for name in ("a.csv", "a.jsonl"):
        split, _ = load_evaluation_texts(
            str(tmp_path / name), classes=["False", "True"]
        )
        assert split.labels.tolist() == [1, 0]
    spec = write_rows(tmp_path / "b.csv", [("a", "POS"), ("b", "neg")])
    split, _ = load_evaluation_texts(spec, classes=["Neg", "Pos"])
    assert split.labels.tolist() == [1, 0]


def test_the_columns_of_training_hold_for_later_files(tmp_path: Path) -> None:
    columns = ["comment", "text", "tag", "label"]
    frame = pd.DataFrame(
        [(f"c {n}", f"t {n}", "ab"[n % 2], "cd"[n % 2]) for n in range(50)],
        columns=columns,
    )
    frame.to_csv(tmp_path / "a.csv", index=False)
    spec = str(tmp_path / "a.csv")
    trained = load_labelled_texts(spec, text_column="comment", label_column="tag")
    plan = PlanBuilder(kept=trained.reading_plan)
    split, _ = load_evaluation_texts(spec, classes=trained.classes, plan=plan)
    assert split.texts[0] == "c 0"
    assert plan.plan().warnings == []
    frame.drop(columns=["comment", "tag"]).to_csv(tmp_path / "b.csv", index=False)
    plan = PlanBuilder(kept=trained.reading_plan)
    load_evaluation_texts(str(tmp_path / "b.csv"), classes=["c", "d"], plan=plan)
    assert [line.partition(" is ")[0] for line in plan.plan().warnings] == [
        "b.csv: data.text_column",
        "b.csv: data.label_column",
    ]


def test_test_data_replaces_the_test_split(tmp_path: Path) -> None:
    spec = write_rows(tmp_path / "a.csv", numbered(40, (0, 1)))
    test = write_rows(tmp_path / "b.csv", [("one", "1.0"), ("two", 0), ("text 1", 1)])
    texts = load_labelled_texts(spec, test_data=test)
    assert sizes(texts) == {"train": 36, "validation": 4, "test": 3}
    assert texts.splits["test"].labels.tolist() == [1, 0, 1]


def test_every_row_is_the_test(tmp_path: Path) -> None:
    spec = write_rows(tmp_path / "a.csv", [("a", "1.0"), ("b", "3"), ("", "1")])
    split, bad_rows = load_evaluation_texts(
        spec, classes=["3", "2", "1"], max_bad_fraction=0.5
    )
    assert split.texts.tolist() == ["a", "b"]
    assert split.labels.tolist() == [2, 0]
    assert [row.line for row in bad_rows] == [4]


def test_a_test_split_that_the_data_bring_is_the_test(tmp_path: Path) -> None:
    write_rows(tmp_path / "train.csv", numbered(20))
    write_rows(tmp_path / "test.csv", numbered(4))
    split, _ = load_evaluation_texts(str(tmp_path), classes=["neg", "pos"])
    assert len(split) == 4
    split, _ = load_evaluation_texts("sample:200", classes=["positive", "negative"])
    assert len(split) == 20


def test_label_that_the_model_does_not_know(tmp_path: Path) -> None:
    spec = write_rows(tmp_path / "a.csv", [("a", "pos"), ("b", "meh")])
    with pytest.raises(UserError) as error:
        load_evaluation_texts(spec, classes=["neg", "pos"])
    assert str(error.value) == (
        f"{spec}, line 3: the class 'meh' is not among those of the model: neg, pos"
    )


# Description.


def test_description_of_a_file(tmp_path: Path) -> None:
    rows = [*numbered(9), ("x " * 200, "pos"), ("", "pos"), ("text number 1", "pos")]
    spec = write_rows(tmp_path / "a.csv", rows)
    described = describe(spec, examples=1).as_dict()
    assert json.loads(json.dumps(described)) == described
    assert described["available_columns"] == ["text", "label"]
    assert described["classes"] == ["neg", "pos"]
    assert described["rows"] == 12
    assert described["bad_rows"] == [{"file": spec, "line": 12, "reason": "empty text"}]
    assert described["duplicates"] == {"within train": 1}
    (train,) = described["splits"].values()
    assert train["rows"] == 11
    assert train["class_balance"] == {"neg": 5, "pos": 6}
    assert train["characters"] == {
        "0": 13,
        "5": 13,
        "25": 13,
        "50": 13,
        "75": 13,
        "95": 400,
        "100": 400,
    }
    assert train["tokens"]["100"] == 200
    assert described["examples"] == [
        {"label": "neg", "text": "text number 0"},
        {"label": "pos", "text": "text number 1"},
    ]


def test_examples_are_cut(tmp_path: Path) -> None:
    spec = write_rows(tmp_path / "a.csv", [("wörd\n" * 100, 0), ("short", 1)])
    example = describe(spec).examples[0]["text"]
    assert len(example) == 120
    assert example.endswith("…")
    assert "\n" not in example


@pytest.mark.skipif(not IMDB.exists(), reason="the benchmark data are not here")
def test_imdb_with_titles_kept_together() -> None:
    texts = load_labelled_texts(
        str(IMDB), group_column="imdb_title", validation_fraction=0.12, test_fraction=0
    )
    train, validation = texts.splits["train"], texts.splits["validation"]
    assert len(train) + len(validation) == 25_000
    assert len(validation) >= 2_500
    assert abs(validation.labels.mean() - 0.5) < 0.01
    assert not set(train.groups) & set(validation.groups)
    assert texts.bad_rows == ()


def test_labels_that_look_alike_are_one(tmp_path: Path) -> None:
    labels = ("very good", "very  good", "very\u00a0good", "\u2764", "\u2764\ufe0f")
    spec = write_rows(tmp_path / "a.csv", numbered(100, labels))
    assert load_labelled_texts(spec).classes == ("very good", "\u2764")


def test_words_for_no_value_are_told_where_they_are_classes(tmp_path: Path) -> None:
    spec = write_rows(tmp_path / "a.csv", numbered(90, ("neg", "pos", "NULL")))
    plan = PlanBuilder()
    texts = load_labelled_texts(spec, plan=plan)
    assert texts.classes == ("NULL", "neg", "pos")
    assert any("'NULL' (30 rows)" in line for line in plan.plan().warnings)


@pytest.mark.parametrize("rows", [4, 30])
def test_a_first_row_that_may_be_no_header_is_told(tmp_path: Path, rows: int) -> None:
    lines = [f"It was number {n} of all.,{'np'[n % 2]}" for n in range(1, rows)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["I do not know what it is.,neutral", *lines]))
    plan = PlanBuilder({"text_column": "1", "label_column": "2"})
    load_labelled_texts(str(path), plan=plan, validation_fraction=0, test_fraction=0)
    assert any("data.header=0" in line for line in plan.plan().warnings)


def test_a_test_file_without_the_header_of_train_is_told(tmp_path: Path) -> None:
    write_rows(tmp_path / "train.csv", numbered(60))
    (tmp_path / "test.csv").write_text("fine,pos\nbad,neg\n" * 5)
    texts = load_labelled_texts(str(tmp_path))
    assert "under the same header" in texts.reading_plan.warnings[0]
