"""The forms of tables that people have: what is found, and what is kept or given."""

import bz2
import datetime
import io
import json
import logging
import lzma
import zipfile
from pathlib import Path

import pytest

from recurra.pipelines.cards import Finding, ReadingPlan
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.files.encodings import guess_encoding
from recurra.pipelines.data.files.tables import (
    Table,
    find_column,
    is_table,
    is_tabular,
    read_lines,
    read_table,
)
from recurra.pipelines.data.reading import PlanBuilder

DAYS = range(1, 29)
ROWS = "".join(f"2020-01-{day:02d} 00:00,{day}.5,{day * 3}\n" for day in DAYS)
GERMAN_ROWS = ROWS.replace(",", ";").replace(".", ",")


def read(folder: Path, content: str | bytes, name: str = "a.csv", **given) -> Table:
    return read_with(folder, content, name, PlanBuilder(given))


def read_with(folder: Path, content: str | bytes, name: str, plan) -> Table:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path, plan=plan)


@pytest.mark.parametrize(
    ("above", "names"),
    [
        ("time,t,p\n", ["time", "t", "p"]),
        ("", ["1", "2", "3"]),
        ("Station: X\nLat, 52\n\ntime,t,p\n", ["time", "t", "p"]),
        ("# one, two\n% three\n; four\ntime,t,p\n", ["time", "t", "p"]),
        ("# from X\n# time, t, p\n", ["time", "t", "p"]),
        ("# from X\n# time, t, p\n#\n", ["time", "t", "p"]),
        ("# from X\n", ["1", "2", "3"]),
        ("time,t,p\n,°C,hPa\n", ["time", "t (°C)", "p (hPa)"]),
        ("time,T,T2\n,%,m³/h\n", ["time", "T (%)", "T2 (m³/h)"]),
        ("time,t,p\n(UTC),[degC],(mm)\n", ["time (UTC)", "t (degC)", "p (mm)"]),
        ("time,t,p\nstring,float,float\n", ["time (string)", "t (float)", "p (float)"]),
        ("X\ntime,t,p\nTS,Deg C,%\n,Avg,Smp\n", ["time (TS)", "t (Deg C)", "p (%)"]),
        (",In,Out\nTime,Temp,Temp\n", ["Time", "In Temp", "Out Temp"]),
        ("X,,\n,,\ntime,t,p\n", ["time", "t", "p"]),
        (
            "lat,lon,zone\n52.5,13.4,GMT\n\ntime,temp (°C),rain (mm)\n",
            ["time", "temp (°C)", "rain (mm)"],
        ),
    ],
)
def test_what_stands_above_the_rows(
    tmp_path: Path, above: str, names: list[str]
) -> None:
    table = read(tmp_path, above + ROWS)
    assert list(table.frame.columns) == names
    assert table.frame.iloc[0].tolist() == ["2020-01-01 00:00", "1.5", "3"]
    assert table.lines.tolist() == [above.count("\n") + day for day in DAYS]
    assert table.bad_rows == ()


@pytest.mark.parametrize("content", ["\ta\t0.5\n\tb\t\n", "5,a\nb,c\n"])
def test_a_figure_among_names_is_told(tmp_path: Path, content: str) -> None:
    plan = PlanBuilder()
    read_with(tmp_path, content, "a.csv", plan)
    assert "line 1: taken for names of columns" in plan.plan().warnings[0]


def test_a_row_with_one_value_is_no_title(tmp_path: Path) -> None:
    table = read(tmp_path, "a,,\n" + "b,c,d\ne,,\n" * 9)
    assert table.lines[0] <= 2


def test_a_comment_that_may_name_columns_is_told(tmp_path: Path) -> None:
    content = "# X\n# one, two, three\n" + ROWS
    plan = PlanBuilder()
    table = read_with(tmp_path, content, "a.csv", plan)
    assert list(table.frame.columns) == ["one", "two", "three"]
    assert (
        "line 2: taken for names of columns; data.header=0" in (plan.plan().warnings[0])
    )
    table = read(tmp_path, content, header=0)
    assert list(table.frame.columns) == ["1", "2", "3"]
    assert len(table.frame) == len(DAYS)


def test_a_first_row_of_marks_and_brackets_is_no_line_of_units(tmp_path: Path) -> None:
    content = "time,level\n-,(5)\n" + "".join(f"2020-01-{d:02d},{d}\n" for d in DAYS)
    table = read(tmp_path, content)
    assert list(table.frame.columns) == ["time", "level"]
    assert table.frame.iloc[0].tolist() == ["-", "(5)"]


def test_names_over_several_columns(tmp_path: Path) -> None:
    rows = "".join(f"2020-01-{day:02d},1,2,3,4\n" for day in DAYS)
    table = read(tmp_path, "time,Out,,In,\n,T,H,T,H\n" + rows)
    assert list(table.frame.columns) == ["time", "Out T", "Out H", "In T", "In H"]


@pytest.mark.parametrize(
    ("content", "delimiter", "first"),
    [
        ("time;t;p\n" + GERMAN_ROWS, ";", ["2020-01-01 00:00", "1,5", "3"]),
        (GERMAN_ROWS, ";", ["2020-01-01 00:00", "1,5", "3"]),
        (ROWS.replace(",", "|"), "|", ["2020-01-01 00:00", "1.5", "3"]),
        (ROWS.replace(",", "\t"), "tab", ["2020-01-01 00:00", "1.5", "3"]),
        (ROWS.replace(",", "   "), "space", ["2020-01-01", "00:00", "1.5", "3"]),
    ],
)
def test_delimiters(
    tmp_path: Path, content: str, delimiter: str, first: list[str]
) -> None:
    plan = PlanBuilder()
    table = read_with(tmp_path, content, "a.csv", plan)
    assert table.frame.iloc[0].tolist() == first
    assert plan.plan().values()["delimiter"] == delimiter


def test_given_keys_stand(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b;c\n1,2;3\n4,5;6\n", delimiter=";", header=0)
    assert table.frame.to_numpy().tolist() == [["a,b", "c"], ["1,2", "3"], ["4,5", "6"]]
    table = read(tmp_path, "x,y,z\na,b,c\n1,2,3\n", skip_rows=1)
    assert list(table.frame.columns) == ["a", "b", "c"]
    with pytest.raises(UserError, match=r"data\.skip_rows 9 leaves no line"):
        read(tmp_path, "a,b\n1,2\n", skip_rows=9)
    with pytest.raises(UserError, match=r"data\.delimiter: 'comma' was given"):
        read(tmp_path, "a,b\n1,2\n", delimiter="comma")


def test_the_header_of_training_decides_where_a_file_does_not(tmp_path: Path) -> None:
    kept = ReadingPlan(findings=[Finding(key="header", value=0, evidence="")])
    words = "one,alpha\ntwo,beta\nthree,gamma\nfour,delta\nfive,epsilon\n"
    plan = PlanBuilder(kept=kept)
    assert len(read_with(tmp_path, words, "a.csv", plan).frame) == 5
    assert plan.plan().warnings == []
    plan = PlanBuilder(kept=kept)
    assert len(read_with(tmp_path, "time,t,p\n" + ROWS, "a.csv", plan).frame) == 28
    (line,) = plan.plan().warnings
    assert "data.header is 1 here" in line


def test_a_first_line_that_may_be_a_row_is_told(tmp_path: Path, caplog) -> None:
    words = "".join(f"word {n} here,other {n}\n" for n in range(12))
    with caplog.at_level(logging.WARNING):
        read(tmp_path, words)
    assert "a.csv, line 1: taken for names of columns; data.header=0" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        "time,t\n2020-01-01 00:00,fail\n2020-01-01 01:00,5\n2020-01-01 02:00,5\n",
        "id,t\n7,bad\n8,3\n9,4\n10,4\n11,7\n",
        "id,t\n7,\n8,3\n9,4\n10,4\n11,7\n",
        "id,t,u,x\n,,,w\n0.5,v,0.7,w\n",
    ],
)
def test_a_first_row_with_a_word_is_no_header(tmp_path: Path, content: str) -> None:
    table = read(tmp_path, content)
    assert table.lines[0] == 2
    assert table.frame.columns[1] == "t"


@pytest.mark.parametrize(
    "first",
    ["abr 22, 1973", "Do, 22.04.1973", "22. März 1973", "Thu Mar  2 00:00:00 1973"],
)
def test_a_row_that_begins_with_a_time_is_no_header(tmp_path: Path, first: str) -> None:
    """In any language, even if it lacks its value and the rows below do not."""
    rows = "".join(f"may {day:02d}, 1973;{day}\n" for day in DAYS)
    table = read(tmp_path, f"time;t\nabr 21, 1973;24\n{first};-\n{rows}")
    assert list(table.frame) == ["time", "t"]
    assert table.lines[0] == 2


def test_years_are_names(tmp_path: Path) -> None:
    content = "country,1990,1991,1992\nA,5,6,7\nB,4,5,6\nC,4,5,6\nD,1,2,3\n"
    assert list(read(tmp_path, content).frame.columns)[1:] == ["1990", "1991", "1992"]


@pytest.mark.parametrize(
    "content",
    ["a,b,\n1,2,\n3,4,\n5,6,\n", "a,b\n1,2,\n3,4,\n5,6,\n", "a,b,\n1,2\n3,4\n5,6\n"],
)
def test_delimiters_at_the_end(tmp_path: Path, content: str) -> None:
    table = read(tmp_path, content)
    assert list(table.frame.columns) == ["a", "b"]
    assert table.frame.to_numpy().tolist() == [["1", "2"], ["3", "4"], ["5", "6"]]


def test_a_row_of_another_width_among_others_stays_bad(tmp_path: Path) -> None:
    # The comma of a decimal, and an empty value behind it.
    table = read(tmp_path, "time,t,p\n" + ROWS + "2020-02-01 00:00,1,5,\n")
    assert [row.line for row in table.bad_rows] == [30]


def test_comments_between_rows(tmp_path: Path) -> None:
    table = read(tmp_path, "time,t,p\n" + ROWS + "# moved, and more\n" + ROWS)
    assert len(table.frame) == 56
    assert table.bad_rows == ()
    # A text may begin so, and is not lost without a word.
    texts = "text,label\n" + "fine,pos\nbad,neg\n" * 9 + "#metoo, yes,pos\n"
    assert [row.line for row in read(tmp_path, texts).bad_rows] == [20]


@pytest.mark.parametrize(
    "content",
    [
        "text,label\nWell, good,1\nBad, very,0\nfine, so,1\n",
        "text,label\n" + "Well, good,pos\nBad, very,neg\n" * 9,
    ],
)
def test_commas_in_all_texts_are_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(UserError, match="line 2: 3 fields; the header has 2"):
        read(tmp_path, content)


def test_backslash_before_quotation_marks(tmp_path: Path) -> None:
    rows = "".join(f'"no \\"{n}\\", \\\\ ok",{n}\n' for n in range(5))
    table = read(tmp_path, "text,label\n" + rows)
    assert table.frame["text"].tolist() == [f'no "{n}", \\ ok' for n in range(5)]
    assert table.bad_rows == ()


def test_space_before_quotation_marks(tmp_path: Path) -> None:
    rows = "".join(f'{n}, "one, two"\n' for n in range(5))
    assert read(tmp_path, "n, text\n" + rows).frame["text"][0] == "one, two"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"text": "a", "label": 1}\n{"text": "b", "label": 0}\n'),
        ("a.json", '[{"text": "a", "label": 1}, {"text": "b", "label": 0}]'),
        ("a.jsonl", '[\n{"text": "a", "label": 1},\n{"text": "b", "label": 0}\n]\n'),
        ("a.json", '{"text": ["a", "b"], "label": [1, 0]}'),
        ("a.json", '{"text": {"0": "a", "1": "b"}, "label": {"0": 1, "1": 0}}'),
        ("a.json", '{"n": 2, "rows": {"text": ["a", "b"], "label": [1, 0]}}'),
        ("a.json", '{"d": [{"text": "a", "label": 1}, {"text": "b", "label": 0}]}'),
        ("a.json", '{\n"text": ["a", "b"],\n"label": [1, 0]\n}'),
    ],
)
def test_json(tmp_path: Path, name: str, content: str) -> None:
    table = read(tmp_path, content, name)
    assert table.frame.to_dict("list") == {"text": ["a", "b"], "label": [1, 0]}


def test_rows_of_a_json_array_have_lines(tmp_path: Path) -> None:
    content = '[\n {"text": "a",\n  "label": 1},\n\n {"text": "b"}, 5\n]'
    table = read(tmp_path, content, "a.json")
    assert table.lines.tolist() == [2, 5]
    assert [str(row.line) for row in table.bad_rows] == ["5"]


def test_json_that_is_no_table(tmp_path: Path) -> None:
    content = json.dumps({"a": 1, "b": {"c": 2}}, indent=1)
    with pytest.raises(UserError, match="an object of columns; its keys are a, b"):
        read(tmp_path, content, "a.json")


def test_compressed(tmp_path: Path) -> None:
    content = b"a,b\n1,2\n"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("__MACOSX/._a.csv", b"x")
        file.writestr("inner/a.csv", content)
    for name, data in [
        ("a.csv.bz2", bz2.compress(content)),
        ("a.csv.xz", lzma.compress(content)),
        ("b.zip", archive.getvalue()),
        ("b.csv.zip", archive.getvalue()),
    ]:
        assert read(tmp_path, data, name).frame.to_numpy().tolist() == [["1", "2"]]
        assert is_table(tmp_path / name)
        with pytest.raises(UserError, match="not a whole"):
            read(tmp_path, data[: len(data) // 2], name)


def test_zip_of_two_files(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.csv", b"x")
        file.writestr("b.csv", b"x")
    with pytest.raises(UserError, match=r"there are 2 \(a.csv, b.csv\)"):
        read(tmp_path, archive.getvalue(), "a.zip")


def write_sheet(path: Path, rows: list[list[object]]) -> None:
    """A spreadsheet as programs write it, with cells of text, number and date."""
    epoch = datetime.datetime(1899, 12, 30)

    def cell(value: object) -> str:
        if isinstance(value, datetime.datetime):
            days = (value - epoch) / datetime.timedelta(days=1)
            return f'<c s="1"><v>{days!r}</v></c>'
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        return "<c/>" if value is None else f"<c><v>{value}</v></c>"

    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    packages = "http://schemas.openxmlformats.org/package/2006"
    lines = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{packages}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{packages}/relationships"><Relationship '
        f'Id="r1" Type="{relation}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>",
        "xl/workbook.xml": f'<workbook {space} xmlns:r="{relation}"><sheets><sheet '
        'name="empty" sheetId="1" r:id="r1"/><sheet name="data" sheetId="2" '
        'r:id="r2"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{packages}/relationships'
        f'"><Relationship Id="r1" Type="{relation}/worksheet" Target="worksheets/'
        f'sheet1.xml"/><Relationship Id="r2" Type="{relation}/worksheet" '
        f'Target="worksheets/sheet2.xml"/><Relationship Id="r3" Type="{relation}/'
        'styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet {space}><cellXfs><xf numFmtId="0"/><xf '
        'numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>',
        "xl/worksheets/sheet1.xml": f"<worksheet {space}><sheetData/></worksheet>",
        "xl/worksheets/sheet2.xml": f"<worksheet {space}><sheetData>{lines}"
        "</sheetData></worksheet>",
    }
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)


def test_spreadsheet(tmp_path: Path) -> None:
    rows: list[list[object]] = [["Report", None, None], ["time", "t", "text"]]
    rows += [[datetime.datetime(2020, 1, 1, n), n + 0.5, "a"] for n in range(9)]
    rows += [[datetime.datetime(2020, 1, 2), 7.0, None]]
    write_sheet(tmp_path / "a.xlsx", rows)
    table = read_table(tmp_path / "a.xlsx")
    assert list(table.frame.columns) == ["time", "t", "text"]
    assert table.frame.iloc[0].tolist() == ["2020-01-01 00:00:00", "0.5", "a"]
    assert table.frame.iloc[-1].tolist() == ["2020-01-02 00:00:00", "7", ""]
    assert table.lines.tolist() == list(range(3, 13))


def test_a_file_that_is_no_spreadsheet(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a readable spreadsheet"):
        read(tmp_path, b"fine", "a.xlsx")
    with pytest.raises(UserError, match="the file is empty"):
        read(tmp_path, b"", "a.xlsx")


@pytest.mark.parametrize("name", ["a.txt", "a.dat", "a.data", "SMSSpamCollection"])
def test_tables_under_other_names(tmp_path: Path, name: str) -> None:
    rows = "".join(f"{'ham' if n % 3 else 'spam'}\ttext {n}\n" for n in range(20))
    table = read(tmp_path, rows, name)
    assert table.frame["1"].tolist()[:2] == ["spam", "ham"]
    assert is_tabular(tmp_path / name)
    assert not is_table(tmp_path / name)


def test_prose_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Well, this is it.\nAnd, so it goes.\nOh, really.\n" * 5)
    assert not is_tabular(path)


def test_columns_are_found_by_name_case_or_number() -> None:
    names = ["time", "Text", "text", "Label", "7"]
    assert find_column(names, "text") == "text"
    assert find_column(names, "label ") == "Label"
    assert find_column(names, "TEXT") is None
    assert find_column(names, "1") == "time"
    assert find_column(names, 4) == "Label"
    assert find_column(names, "7") == "7"
    assert find_column(names, "9") is None
    assert find_column(names, "0") is None


TEXTS = {
    "gbk": "味道很差而且服务很慢 这部电影很好看 非常喜欢这家餐厅的菜",
    "big5": "味道很差而且服務很慢 這部電影很好看 非常喜歡這家餐廳的菜",
    "iso2022_jp": "この映画は退屈だ 味はひどい とても良い店でした",
    "shift_jis": "この映画は退屈だ 味はひどい とても良い店でした",
    "euc_jp": "この映画は退屈だ 味はひどい とても良い店でした",
    "euc_kr": "정말 좋은 영화였다 지루하고 길다 다시 보고 싶다",
    "koi8-r": "Очень хороший фильм Плохо и скучно Мне понравилось всё",
    "cp1251": "Очень хороший фильм Плохо и скучно Мне понравилось всё",
    "cp1253": "Πολύ καλή ταινία και ωραία μουσική Κακό και βαρετό έργο",
    "cp1254": "Çok güzel bir film şahane oyunculuk Kötü ve sıkıcı bir yapım",
    "iso8859-2": "Świetna gra aktorów Źle nudno i długo Łódź w każdą sobotę",
    "cp1250": "Świetna gra aktorów Źle nudno i długo Łódź w każdą sobotę",
    "cp1252": "Très bon film l’été dernier Für ältere Menschen schön façade",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_encodings_are_guessed_with_a_word_or_refused(
    tmp_path: Path, encoding: str
) -> None:
    text = TEXTS[encoding]
    content = ("text,label\n" + f"{text},0\n{text},1\n" * 5).encode(encoding)
    plan = PlanBuilder()
    table = read_with(tmp_path, content, "a.csv", plan)
    assert table.frame["text"].tolist() == [text] * 10
    assert ("data.encoding" in "".join(plan.plan().warnings)) == (
        encoding not in ("cp1252", "iso2022_jp")
    )
    given = read(tmp_path, content, encoding=encoding)
    assert given.frame["text"].tolist() == [text] * 10


@pytest.mark.parametrize(
    ("text", "encoding", "is_told"),
    [
        ("Knížka je špatně napsaná, nemůžu ji číst, škoda peněz", "cp1250", True),
        ("Knjiga je loše napisana, odlično, šteta novca, ne žalim", "cp1250", True),
        ("Mulţumesc pentru livrarea rapidă, îl recomand şi altora", "cp1250", True),
        ("Őszintén jó termék, köszönöm, mindenkinek ajánlom, tűz", "cp1250", True),
        ("Un café très agréable, déjà goûté, à côté de l'hôtel", "cp850", True),
        ("La col·lecció és avorrida i està mal escrita, què llàstima", "cp1252", False),
        ("Škoda kører godt, en køber på ærlig vis, også børn må få", "cp1252", False),
        ("La Škoda è più bella, però costa così tanto perché è già", "cp1252", False),
        ("Questões e opiniões, é só isto: lições à mão, avaliações", "cp1252", False),
        ("Väga hea toode, kõigile soovitan, õige hind, nõme öö", "cp1252", False),
    ],
)
def test_letters_of_central_europe_are_not_taken_for_western_ones(
    tmp_path: Path, text: str, encoding: str, is_told: bool
) -> None:
    content = ("text,label\n" + f'"{text}",0\n"{text}",1\n' * 5).encode(encoding)
    plan = PlanBuilder()
    table = read_with(tmp_path, content, "a.csv", plan)
    assert ("data.encoding" in "".join(plan.plan().warnings)) == is_told
    if encoding != "cp850":
        assert table.frame["text"].tolist() == [text] * 10


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Ovaj film je odličan, gluma je izvrsna. Žao mi je, škoda", "iso8859-2"),
        ("Zelo dober film, priporočam. Žal je bil konec slab, škoda", "cp1250"),
        ("Nagyon jó film, mindenkinek ajánlom. Őszintén, túl hosszú", "cp1250"),
        ("Un film foarte bun, îl recomand tuturor. Muzica frumoasă", "iso8859-2"),
        ("Çok güzel bir film, öneririm. Sonu zayıftı, şarkılar ağır", "cp1254"),
        ("Labai geras filmas, rekomenduoju. Žiūrėjau su šeima, ačiū", "cp1257"),
        ("Ļoti laba filma, iesaku visiem. Beigas bija vājas, žēl", "cp1257"),
        ("Très bon film, à voir, où est passé l'été, ça déçoit", "cp850"),
        # Tones are signs of their own there.
        ("Sa\u0309n phâ\u0309m tô\u0301t, giao hàng nhanh", "cp1258"),
    ],
)
def test_letters_that_may_be_others_are_never_taken_in_silence(text, encoding):
    data = f"{text}\n".encode(encoding)
    found = guess_encoding(data)
    assert found.alternative or data.decode(found.value) == f"{text}\n"


@pytest.mark.parametrize(
    "text",
    [
        "Très bon film, où est passé l'été, ça déçoit, « Noël » à l'œil",
        "Sehr schöner Film für alle, größer, Übermaß, äußerst öde",
        "Una película muy buena, ¿dónde está el niño? ¡Año! 1º, vergüenza",
        "Não é bom, mas são lições à mão; questões, irmã, pães, avô",
        "Però è più bella, perché la città è così, caffè, Škoda",
        "Smørrebrød på ærlig vis, også børn, Citroën",
        "Mycket bra, fantastisk för både små och stora, idé",
        "Hyvä elokuva, pääosa näyttelee hyvin, mutta liian pitkä yö",
        "Mjög góð mynd, ég mæli með henni. Þetta var gaman, maðurinn fór út",
        "Héél goed, de coëfficiënt van één café, ruïne",
        "El pingüí és aquí, la col·lecció, avorrida però bona, ça",
    ],
)
def test_western_letters_raise_no_doubt(text):
    found = guess_encoding(f"{text}\n".encode("cp1252"))
    assert (found.value, found.alternative) == ("cp1252", "")


def test_an_encoding_that_letters_do_not_tell(tmp_path: Path) -> None:
    content = b"text,label\n" + bytes(range(0x81, 0xFF)) * 3 + b",1\n"
    with pytest.raises(UserError, match=r"data\.encoding says it"):
        read(tmp_path, content)


def test_given_encoding(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.encoding: unknown encoding 'klingon'"):
        read(tmp_path, "a,b\n1,2\n", encoding="klingon")
    table = read(tmp_path, b"a,b\nfine,1\n\xe9t\xe9,2\n", encoding="utf-8")
    assert [row.line for row in table.bad_rows] == [3]
    table = read(tmp_path, "a,b\nfine,1\n".encode("utf-16-le"), encoding="utf-16-le")
    assert table.frame.to_numpy().tolist() == [["fine", "1"]]
    path = tmp_path / "lines.txt"
    path.write_bytes("Świetna\n".encode("cp1250"))
    assert read_lines(path, PlanBuilder({"encoding": "cp1250"})).lines == ["Świetna"]


def test_the_encoding_of_training_holds_for_few_letters(tmp_path: Path) -> None:
    kept = ReadingPlan(findings=[Finding(key="encoding", value="cp1251", evidence="")])
    plan = PlanBuilder(kept=kept)
    table = read_with(tmp_path, "a,b\nда,1\n".encode("cp1251"), "a.csv", plan)
    assert table.frame["a"].tolist() == ["да"]
    assert plan.plan().warnings == []
    table = read_with(tmp_path, "a,b\nда,1\n", "a.csv", PlanBuilder(kept=kept))
    assert table.frame["a"].tolist() == ["да"]


REVIEWS = "".join(f"a text of {n} words,{('bad', 'good')[n % 2]}\n" for n in range(20))


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (f"text,label\n{REVIEWS}text,label\n{REVIEWS}text,label\n", [22, 43]),
        (f"time,t,p\n{ROWS}time , t,p\n{ROWS}", [30]),
        (f"time,t,p\n,°C,hPa\n{ROWS}time,t,p\n,°C,hPa\n{ROWS}", [31, 32]),
        ("en,de\n" + "hello,hallo\nday,Tag\n" * 3 + "en,de\nbye,ade\n", [8]),
    ],
)
def test_a_header_that_stands_again_is_no_row(tmp_path, content, lines):
    table = read(tmp_path, content)
    assert [bad.line for bad in table.bad_rows] == lines
    assert {bad.reason for bad in table.bad_rows} == {"the header stands here again"}
    assert len(table.frame) == content.count("\n") - len(lines) - (table.lines[0] - 1)


def test_a_first_row_that_stands_again_is_no_header(tmp_path):
    for content in (REVIEWS * 2, "good,pos\nnice,pos\nbad,neg\n" * 9):
        table = read(tmp_path, content)
        assert len(table.frame) == content.count("\n") and not table.bad_rows
