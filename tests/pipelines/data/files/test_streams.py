"""A file a part at a time says what the whole file says."""

import bz2
import csv
import gzip
import io
import json
import lzma

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.files import streams
from recurra.pipelines.data.files.streams import FileStream
from recurra.pipelines.data.files.tables import read_lines, read_table

TEXTS = [
    "plain",
    "",
    'with "quotes" inside',
    "two\nlines",
    'a quote and a comma",\nand a line',
    "é, 日本 and ; semicolons",
    '"',
    "x" * 50,
]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(streams, "PART_BYTES", 80)
    monkeypatch.setattr(streams, "PART_ROWS", 3)


def write_rows(path, rows, delimiter=","):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")


def assert_alike(path):
    parts = list(FileStream(path).tables())
    whole = read_table(path)
    frames = pd.concat([part.frame for part in parts], ignore_index=True)
    pd.testing.assert_frame_equal(frames, whole.frame)
    lines = np.concatenate([part.lines for part in parts])
    np.testing.assert_array_equal(lines, whole.lines)
    assert {part.source for part in parts} == {str(path)}
    return len(parts)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_rows_of_delimited_files_and_their_lines(tmp_path, delimiter):
    path = tmp_path / "rows.csv"
    rows = [[str(number), text] for number in range(5) for text in TEXTS]
    write_rows(path, [["id", "text"], *rows], delimiter)
    assert assert_alike(path) > 5


@hypothesis.given(
    texts=st.lists(
        st.text(st.sampled_from('ab",;\t| \n'), max_size=30), min_size=1, max_size=40
    ),
    delimiter=st.sampled_from(",;\t"),
)
@hypothesis.settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_rows_of_all_sorts(tmp_path, texts, delimiter):
    path = tmp_path / "rows.csv"
    rows = [[f"{text}!", str(number)] for number, text in enumerate(texts)]
    write_rows(path, [["text", "id"], *rows], delimiter)
    assert_alike(path)


def test_quotation_marks_that_open_nothing(tmp_path):
    path = tmp_path / "inches.tsv"
    rows = [f'{number}\ta 5" pipe, said "so\n' for number in range(40)]
    path.write_text("id\ttext\n" + "".join(rows))
    assert_alike(path)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_json_lines(tmp_path, suffix):
    path = tmp_path / f"rows.jsonl{suffix}"
    lines = [json.dumps({"text": text, "id": 3}) + "\n" for text in TEXTS * 4]
    data = "\n".join(lines).encode()
    path.write_bytes(gzip.compress(data) if suffix else data)
    assert assert_alike(path) > 3


def test_parquet(tmp_path):
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"text": TEXTS, "id": range(len(TEXTS))}).to_parquet(path)
    assert assert_alike(path) == 3


def test_parquet_numbers_stay_what_they_are_beside_missing_ones(tmp_path):
    path = tmp_path / "rows.parquet"
    numbers = pd.array([2**60 + 1, None, 3, 4], dtype="Int64")
    pd.DataFrame({"text": list("abcd"), "id": numbers}).to_parquet(path)
    (first, *_) = FileStream(path).tables()
    assert first.frame["id"].tolist()[0] == 2**60 + 1


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_encodings(tmp_path, encoding):
    path = tmp_path / "rows.csv"
    text = "text,id\n" + "".join(f"café {number},{number}\n" for number in range(40))
    path.write_bytes(text.encode(encoding))
    assert_alike(path)


def test_blank_lines_at_the_end_are_no_part(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,id\n" + "a,1\n" * 30 + "\n" * 300)
    assert_alike(path)


@pytest.mark.parametrize(
    "compress",
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)],
    ids=lambda pair: pair[0],
)
def test_lines(tmp_path, compress):
    suffix, function = compress
    text = "".join(f"line {number}\u2028 goes on\r\n" for number in range(50)) + "last"
    plain, path = tmp_path / "a.txt", tmp_path / f"b.txt{suffix}"
    plain.write_bytes(text.encode())
    path.write_bytes(function(text.encode()))
    expected = read_lines(plain).lines
    parts = list(FileStream(path).lines())
    assert [line for part in parts for line in part] == expected
    assert len(parts) > 5


@pytest.mark.parametrize("text", ["one\rtwo\rthree", "one", "", "one\rtwo\n"])
def test_lines_that_end_in_another_way(tmp_path, text):
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode())
    (lines,) = list(FileStream(path).lines()) or [[]]
    assert lines == read_lines(path).lines


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.txt"])
def test_no_more_is_read_than_is_asked_for(tmp_path, monkeypatch, name):
    monkeypatch.setattr(streams, "PART_BYTES", 20_000)
    path = tmp_path / name
    row = '{"text": "a"}\n' if name.endswith("jsonl") else "some text,1\n"
    path.write_text(f"text,id\n{row * 100_000}" if "csv" in name else row * 100_000)
    stream = FileStream(path)
    parts = stream.lines() if name.endswith("txt") else stream.tables()
    assert stream.position == 0
    first = next(parts)
    assert len(getattr(first, "frame", first)) < 3_000
    # The system reads some blocks ahead.
    assert 0 < stream.position < 0.2 * stream.size
    for _ in parts:
        pass
    assert stream.position == stream.size == path.stat().st_size


def test_a_bad_row_is_named_by_its_line_in_the_file(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,id\n" + "a,1\n" * 60 + "a,1,2\n" + "a,1\n" * 60)
    bad = [row for part in FileStream(path).tables() for row in part.bad_rows]
    assert bad == list(read_table(path).bad_rows)
    assert str(bad[0]).startswith(f"{path}, line 62: 3 fields")


def test_a_part_without_a_readable_row_is_named_by_its_line(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,id\n" + "a,1\n" * 60 + "a,1,2\n" * 60)
    parts = list(FileStream(path).tables())
    assert not len(parts[-1].frame)
    assert [row.line for part in parts for row in part.bad_rows] == [*range(62, 122)]
    with pytest.raises(UserError, match=r"rows.csv, line 62: 3 fields"):
        list(FileStream(path).whole_tables())


def test_an_undecodable_line_is_refused_with_its_number(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"text\n" * 50 + b"\x81\x8d\n" + b"text\n" * 50)
    with pytest.raises(UserError, match=r"a.txt, line 51: bytes"):
        list(FileStream(path).lines())


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.jsonl"])
@pytest.mark.parametrize("data", [None, b"", b"text,id\n"])
def test_wrong_files_are_refused_as_by_training(tmp_path, name, data):
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UserError) as expected:
        read_table(path)
    with pytest.raises(UserError) as refused:
        list(FileStream(path).tables())
    assert str(refused.value) == str(expected.value)


def test_a_broken_gzip_file_is_refused(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"text,id\n" + b"abc,1\n" * 5000)[:-20])
    with pytest.raises(UserError, match=r"a.csv.gz: not a whole gzip file"):
        list(FileStream(path).tables())
