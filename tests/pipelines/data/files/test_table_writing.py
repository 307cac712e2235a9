"""Answers in files of every kind, beside the rows that they are to."""

import gzip
import json

import pandas as pd
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.files.table_writing import written_answers
from recurra.pipelines.data.files.tables import read_table

ROWS = pd.DataFrame(
    {
        "id": ["01", "2", "3"],
        "text": ['a "word"', "two\nlines, and\ra return", ""],
        "label": ["x", "y", "z"],
    },
    dtype=object,
)
ANSWERS = [
    {"label": "good", "score": 0.75, "probabilities": {"good": 0.75, "bad": 0.25}},
    {"label": "bad", "score": 0.5, "probabilities": {"good": 0.5, "bad": 0.5}},
    {"label": "bad", "score": 1.0, "probabilities": {"good": 0.0, "bad": 1.0}},
]


def write(to, rows=ROWS, answers=ANSWERS):
    with written_answers(to) as write_rows:
        for begin in range(0, len(rows), 2):
            part = slice(begin, begin + 2)
            write_rows(rows.iloc[part], answers[part])


@pytest.mark.parametrize(
    "name",
    ["a.csv", "a.tsv", "a.csv.gz", "a.tsv.gz", "a.parquet", "a.jsonl", "a.jsonl.gz"],
)
def test_the_columns_of_the_input_stand_before_the_answer(tmp_path, name):
    to = tmp_path / name
    write(to)
    frame = read_table(to).frame
    columns = ["id", "text", "label", "predicted_label", "score"]
    assert list(frame.columns)[:5] == columns
    for column in ROWS:
        assert frame[column].tolist() == ROWS[column].tolist()
    assert frame["predicted_label"].tolist() == ["good", "bad", "bad"]
    assert frame["score"].astype(float).tolist() == [0.75, 0.5, 1.0]
    if "jsonl" in name:
        assert frame["probabilities"].tolist() == [
            answer["probabilities"] for answer in ANSWERS
        ]
    else:
        columns = ["probabilities.good", "probabilities.bad"]
        assert list(frame.columns)[5:] == columns
        assert frame[columns].astype(float).to_numpy().tolist() == [
            list(answer["probabilities"].values()) for answer in ANSWERS
        ]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_json_objects_stay_what_they_are(tmp_path):
    objects = [{"a": None, "n": 1}, {"n": [1, {"x": "\ud800"}]}, {"a": "é", "n": 1.5}]
    path, to = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in objects))
    write(to, read_table(path).frame, [{"value": 1.0}] * 3)
    written = [json.loads(line) for line in to.read_text("utf-8").splitlines()]
    assert written == [{**each, "value": 1.0} for each in objects]
    assert "é" in to.read_text("utf-8")


def test_types_of_parquet_stay(tmp_path):
    to = tmp_path / "a.parquet"
    rows = pd.DataFrame(
        {
            "when": pd.date_range("2020-01-01", periods=3, tz="UTC"),
            "n": pd.array([None, None, 2**60 + 1], dtype="Int64"),
            "s": [None, None, "text"],
            "l": [[1, 2], None, [3]],
        }
    )
    write(to, rows, [{"value": 1.0}] * 3)
    frame = pd.read_parquet(to)
    assert frame["when"].tolist() == rows["when"].tolist()
    assert frame["n"].iloc[2] == 2**60 + 1
    assert frame["s"].iloc[2] == "text"
    write(tmp_path / "a.csv", frame, [{"value": 1.0}] * 3)
    assert read_table(tmp_path / "a.csv").frame["l"].tolist() == ["[1, 2]", "", "[3]"]
    write(tmp_path / "a.jsonl", frame, [{"value": 1.0}] * 3)
    assert read_table(tmp_path / "a.jsonl").frame["l"].tolist() == [[1, 2], None, [3]]


def test_values_of_several_types_are_no_parquet(tmp_path):
    rows = pd.DataFrame({"x": [1, 2, "three"]}, dtype=object)
    with pytest.raises(UserError, match=r"several types.*\.jsonl or \.csv"):
        write(tmp_path / "a.parquet", rows)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_as_it_is(tmp_path):
    to = tmp_path / "a.csv"
    to.write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        write(to)
    assert to.read_text() == "mine"


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    to = tmp_path / "a.csv.gz"

    def fail_midway():
        with written_answers(to) as write_rows:
            write_rows(ROWS, ANSWERS)
            assert not to.exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_midway()
    assert list(tmp_path.iterdir()) == []
    write(to)
    assert gzip.decompress(to.read_bytes()).startswith(b'"id"')


@pytest.mark.parametrize("name", ["a", "a.xlsx", "a.parquet.gz", "a.gz"])
def test_unknown_kinds_are_refused(tmp_path, name):
    with pytest.raises(UserError, match=r"--to .*give \.csv"):
        write(tmp_path / name)


def test_a_folder_that_there_is_not_is_named(tmp_path):
    with pytest.raises(UserError, match="--to .*cannot be written"):
        write(tmp_path / "no" / "a.csv")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet", "a.jsonl"])
def test_several_labels_are_a_cell(tmp_path, name):
    labels = [[], [], ["good", "so|so"]]
    answers = [{"labels": each, "probabilities": {"good": 0.5}} for each in labels]
    to = tmp_path / name
    write(to, answers=answers)
    found = read_table(to).frame["labels"].tolist()
    if name in ("a.csv", "a.tsv"):
        assert found == ["", "", '["good", "so|so"]']
        (tmp_path / name).unlink()
        write(to, answers=[{"labels": ["good", "bad"]}] * 3)
        assert read_table(to).frame["labels"].tolist() == ["good|bad"] * 3
    else:
        assert [list(each) for each in found] == labels
