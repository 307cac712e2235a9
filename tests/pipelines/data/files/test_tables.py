"""Reading a user's file: formats, encodings, quotes, and what becomes of bad rows."""

import gzip
import json
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.files.tables import BadRow, read_table

IMDB = Path(__file__).parents[5] / "shared/data/imdb_train.tsv.gz"


def write(path: Path, content: str | bytes) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


CSV = 'text,label\n"fine, really",1\nbad,0\n'
TSV = "text\tlabel\nfine, really\t1\nbad\t0\n"
JSON_LINES = '{"text": "fine, really", "label": 1}\n{"text": "bad", "label": 0}\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.csv.gz", CSV),
        ("A.CSV", CSV),
        ("a.tsv", TSV),
        ("a.tsv.gz", TSV),
        ("a.jsonl", JSON_LINES),
        ("a.jsonl.gz", JSON_LINES),
        ("a.ndjson", JSON_LINES),
    ],
)
def test_every_text_format(tmp_path: Path, name: str, content: str) -> None:
    table = read_table(write(tmp_path / name, content))
    assert list(table.frame.columns) == ["text", "label"]
    assert table.frame["text"].tolist() == ["fine, really", "bad"]
    assert table.frame["label"].astype(int).tolist() == [1, 0]
    first = 1 if "json" in name else 2
    assert table.lines.tolist() == [first, first + 1]
    assert table.bad_rows == ()
    assert table.source == str(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "header", "row", "fields"),
    [
        ("a.csv", "time,t,p", "1;2;3", ["1", "2", "3"]),
        ("a.csv", "time,t,p", ' 1; "2" ;3', ["1", "2", "3"]),
        ("a.csv", "time,t,p", '1\t"2\t5"\t3', ["1", "2\t5", "3"]),
        ("a.tsv", "time\tt\tp", "1;2,5;3,5", ["1", "2,5", "3,5"]),
        ("a.csv", "time;t;p", "1,2,3", ["1", "2", "3"]),
    ],
)
def test_a_row_with_another_delimiter_is_rescued(
    tmp_path: Path, name: str, header: str, row: str, fields: list[str]
) -> None:
    plain = header.replace("time", "0").replace("t", "1").replace("p", "2")
    path = write(tmp_path / name, f"{header}\n{plain}\n{row}\n{plain}\n")
    table = read_table(path, rescue=True)
    assert table.frame.iloc[1].tolist() == fields
    assert table.lines.tolist() == [2, 3, 4]
    assert table.bad_rows == ()
    assert [bad.line for bad in table.rescued] == [3]
    # A text that holds the other delimiter may be no row of that kind.
    assert [bad.line for bad in read_table(path).bad_rows] == [3]


@pytest.mark.parametrize("row", ["1;2", "1;2;3;4", "one line", '"1;2\n3",4'])
def test_a_row_that_no_delimiter_parts_rightly_stays_bad(
    tmp_path: Path, row: str
) -> None:
    path = write(tmp_path / "a.csv", f"time,t,p\n0,1,2\n{row}\n")
    table = read_table(path, rescue=True)
    assert table.frame.values.tolist() == [["0", "1", "2"]]
    assert [bad.line for bad in table.bad_rows] == [3]
    assert table.rescued == ()


def test_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": ["fine", "bad", "so"], "label": [1, 0, None]})
    frame.to_parquet(tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert table.frame["text"].tolist() == ["fine", "bad", "so"]
    assert table.lines.tolist() == [1, 2, 3]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_csv_with_another_delimiter(tmp_path: Path, delimiter: str) -> None:
    content = "text,label\nfine? really,1\nbad,0\n".replace(",", delimiter)
    table = read_table(write(tmp_path / "a.csv", content))
    assert table.frame.to_numpy().tolist() == [["fine? really", "1"], ["bad", "0"]]


def test_quoted_fields_hold_line_breaks_and_doubled_quotes(tmp_path: Path) -> None:
    content = 'text,label\r\n"one\r\ntwo ""three""",1\r\n\r\nfour,0\r\n'
    table = read_table(write(tmp_path / "a.csv", content))
    assert table.frame["text"].tolist() == ['one\ntwo "three"', "four"]
    assert table.lines.tolist() == [2, 5]
    assert table.bad_rows == ()


def test_tsv_with_well_formed_quotes(tmp_path: Path) -> None:
    content = 'text\tlabel\n"one\ttwo"\t1\n"three\nfour"\t0\n'
    table = read_table(write(tmp_path / "a.tsv", content))
    assert table.frame["text"].tolist() == ["one\ttwo", "three\nfour"]
    assert table.lines.tolist() == [2, 3]


def test_tsv_whose_texts_begin_with_a_quotation_mark(tmp_path: Path) -> None:
    texts = ['"Alien" is good', '"never closed', '"all of it"', 'plain "inside"']
    content = "label\ttext\n" + "".join(f"1\t{text}\n" for text in texts)
    table = read_table(write(tmp_path / "a.tsv", content))
    assert table.frame["text"].tolist() == texts
    assert table.bad_rows == ()


def test_unclosed_quote_is_reported_where_it_opens(tmp_path: Path) -> None:
    content = 'text,label\n"one\ntwo",1\nthree,"0\nfour,1\nfive,0\n'
    path = write(tmp_path / "a.csv", content)
    table = read_table(path)
    assert table.frame["text"].tolist() == ["one\ntwo", "four", "five"]
    assert table.lines.tolist() == [2, 5, 6]
    (bad,) = table.bad_rows
    assert (bad.file, bad.line) == (str(path), 4)
    assert "never closed" in bad.reason


def test_quote_that_opens_below_the_start_of_its_row(tmp_path: Path) -> None:
    content = 'text,label\n"one\ntwo","1\nthree,0\n'
    table = read_table(write(tmp_path / "a.csv", content))
    assert [row.line for row in table.bad_rows] == [3]
    assert table.frame["text"].tolist() == ["three"]


def test_unclosed_quote_that_runs_into_the_next_one(tmp_path: Path) -> None:
    content = 'text,label\n"one,1\n"two",0\n"three",1\n'
    table = read_table(write(tmp_path / "a.csv", content))
    assert table.frame["text"].tolist() == ["two", "three"]
    assert [row.line for row in table.bad_rows] == [2]
    assert "not closed" in table.bad_rows[0].reason


def test_text_behind_a_closing_quote(tmp_path: Path) -> None:
    content = 'text,label\n"Alien" is good,1\nbad,0\n'
    table = read_table(write(tmp_path / "a.csv", content))
    assert table.frame["text"].tolist() == ["bad"]
    assert table.bad_rows[0].line == 2
    assert "closing quotation mark" in table.bad_rows[0].reason


def test_carriage_return_in_a_line(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.csv", "text,label\na\rb,1\nc,0\n"))
    assert table.frame["text"].tolist() == ["c"]
    assert "carriage return" in table.bad_rows[0].reason


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_wrong_number_of_fields(tmp_path: Path, suffix: str) -> None:
    content = "text,label\nfine,1\nfine,really,1\nbad\nbad,0\n"
    content = content if suffix == ".csv" else content.replace(",", "\t")
    table = read_table(write(tmp_path / f"a{suffix}", content))
    assert table.lines.tolist() == [2, 5]
    assert [(row.line, row.reason) for row in table.bad_rows] == [
        (3, "3 fields; the header has 2"),
        (4, "1 fields; the header has 2"),
    ]


def test_broken_json(tmp_path: Path) -> None:
    content = '{"text": "a"}\n\n{"text": \n[1, 2]\n"a"\n{"label": 3}\n'
    table = read_table(write(tmp_path / "a.jsonl", content))
    assert table.lines.tolist() == [1, 6]
    assert [row.line for row in table.bad_rows] == [3, 4, 5]
    assert "broken JSON" in table.bad_rows[0].reason
    assert "list" in table.bad_rows[1].reason
    assert pd.isna(table.frame["text"].iloc[1])


def test_text_longer_than_the_limit_of_the_csv_module(tmp_path: Path) -> None:
    text = "word " * 50_000
    table = read_table(write(tmp_path / "a.csv", f'text,label\n"{text}",1\n'))
    assert table.frame["text"].tolist() == [text]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, line_end: str) -> None:
    rows = ["text,label", "très bon,1", "味はひどい,0"]
    content = line_end.join([*rows, ""]).encode(encoding)
    table = read_table(write(tmp_path / "a.csv", content))
    assert list(table.frame.columns) == ["text", "label"]
    assert table.frame["text"].tolist() == ["très bon", "味はひどい"]
    assert table.lines.tolist() == [2, 3]
    assert list(table.encodings) == [encoding.removesuffix("-sig")]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_mixed_encodings_are_decoded_by_line_and_counted(
    tmp_path: Path, suffix: str
) -> None:
    texts = ["café", "naïve “quotes”", "plain"]
    if suffix == ".jsonl":
        lines = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    else:
        lines = ["text", *texts]
    codes = ["cp1252" if "naïve" in line else "utf-8" for line in lines]
    data = b"\n".join(
        line.encode(code) for line, code in zip(lines, codes, strict=True)
    )
    table = read_table(write(tmp_path / f"a{suffix}", data + b"\n"))
    assert table.frame["text"].tolist() == texts
    assert table.encodings == {"utf-8": len(lines) - 1, "cp1252": 1}
    assert table.bad_rows == ()


@pytest.mark.parametrize(
    "text", ["味道很差而且服务很慢".encode("gbk"), b"nothing has this: \x81"]
)
def test_undecodable_bytes_are_a_bad_row(tmp_path: Path, text: bytes) -> None:
    data = "text,label\ntrès bon,1\n".encode() + text + b",0\n"
    table = read_table(write(tmp_path / "a.csv", data))
    assert table.frame["text"].tolist() == ["très bon"]
    assert [row.line for row in table.bad_rows] == [3]
    assert "UTF-8" in table.bad_rows[0].reason


def test_undecodable_line_spoils_the_whole_row_around_it(tmp_path: Path) -> None:
    data = b'text,label\n"one\n\x81\nthree",1\nfour,0\n'
    table = read_table(write(tmp_path / "a.csv", data))
    assert table.frame["text"].tolist() == ["four"]
    assert [row.line for row in table.bad_rows] == [2]


def test_unnamed_index_column(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.csv", ",text\n0,fine\n"))
    assert list(table.frame.columns) == ["unnamed_1", "text"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "the file is empty"),
        ("a.csv", "\n\n", "the file is empty"),
        ("a.csv", "\ufeff", "the file is empty"),
        ("a.jsonl.gz", "", "the file is empty"),
        ("a.parquet", "", "the file is empty"),
        ("a.csv", "text,label\n", "a header and no rows"),
        ("a.tsv", "text\tlabel", "a header and no rows"),
        ("a.txt", "fine", "unknown kind of file .txt; expected .csv, .tsv"),
        ("a", "fine", "unknown kind of file without a suffix"),
        ("a.parquet.gz", "fine", "unknown kind of file .parquet.gz"),
        ("a.parquet", "fine", "not a readable Parquet file"),
        ("a.csv", "text,label,text\na,1,b\n", "line 1: the header names the column"),
        ("a.csv", '"text,label\na,1\n', "line 1: header: the quotation mark"),
        ("a.csv", "text,label\na\nb\n", "line 2: 1 fields; the header has 2"),
        ("a.jsonl", "text\n", "line 1: broken JSON"),
        ("a.csv", "text,label\n".encode("utf-16-le"), "NUL bytes"),
        ("a.csv", b"\xff\xfea", "broken UTF-16"),
        ("a.csv", b"te\x81xt,label\na,1\n", "line 1: header: bytes"),
    ],
)
def test_files_that_are_refused(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    path = write(tmp_path / name, content)
    if name == "a.parquet.gz":
        path.write_bytes(b"fine")
    with pytest.raises(UserError) as error:
        read_table(path)
    assert message in str(error.value)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_table(tmp_path / "missing.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match="a folder, where a file was expected"):
        read_table(tmp_path / "folder.csv")


@pytest.mark.parametrize("damage", [slice(0, 20), slice(3, None)])
def test_damaged_gzip(tmp_path: Path, damage: slice) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(CSV.encode())[damage])
    with pytest.raises(UserError, match="not a whole gzip file"):
        read_table(path)


def test_parquet_without_rows(tmp_path: Path) -> None:
    pd.DataFrame({"text": []}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(UserError, match="columns and no rows"):
        read_table(tmp_path / "a.parquet")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    suffix=st.sampled_from([".csv", ".tsv", ".jsonl", ".csv.gz", ".parquet"]),
    fragments=st.lists(
        st.sampled_from(
            [b'"', b'""', b",", b"\t", b"\n", b"\r", b"\r\n", b"a", b" ", b"\0"]
        )
        | st.sampled_from([b"\xe9", b"\x81", b"\xff\xfe", "é味".encode()])
        | st.sampled_from([b'{"text": 1}', b"["]),
        max_size=25,
    ),
)
def test_any_bytes_are_read_or_refused(suffix: str, fragments: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / f"a{suffix}", b"text,label\n" + b"".join(fragments))
        try:
            table = read_table(path)
        except UserError as error:
            assert "\n" not in str(error)
        else:
            assert len(table.frame) == len(table.lines) > 0
            numbers = [*table.lines, *(row.line for row in table.bad_rows)]
            assert len(set(numbers)) == len(numbers)


def test_bad_row_as_a_line() -> None:
    assert str(BadRow("a.csv", 3, "no label")) == "a.csv, line 3: no label"
    assert str(BadRow("a/b.txt", None, "empty text")) == "a/b.txt: empty text"


@pytest.mark.skipif(not IMDB.exists(), reason="the benchmark data are not here")
def test_imdb_reads_whole() -> None:
    table = read_table(IMDB)
    assert len(table.frame) == 25_000
    assert table.bad_rows == ()
    assert table.frame["text"].str.startswith('"').sum() == 546
    assert table.frame["label"].value_counts().to_dict() == {"0": 12_500, "1": 12_500}
    assert table.lines.tolist() == list(range(2, 25_002))
