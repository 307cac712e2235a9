"""Sentence pairs in the layouts that people download are read as what they are."""

import logging
import zipfile

import pandas
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.files import streams
from recurra.pipelines.data.files.streams import FileStream
from recurra.pipelines.data.reading import PlanBuilder
from recurra.pipelines.data.texts.pair_rows import Sides
from recurra.pipelines.data.texts.sentence_pairs import (
    load_sentence_pairs,
    load_test_pairs,
)
from recurra.pipelines.data.texts.source_texts import (
    SourceLines,
    memory_sources,
    read_sources,
)
from recurra.pipelines.translation.cli import describe
from recurra.pipelines.translation.config import TranslationDataConfig

CITIES = [("Rome", "Rom"), ("Oslo", "Oslo"), ("Bern", "Bern"), ("Kiev", "Kiew")] * 8
ENGLISH = [f"The train to {city} leaves at {n}." for n, (city, _) in enumerate(CITIES)]
GERMAN = [f"Der Zug nach {city} fährt um {n}." for n, (_, city) in enumerate(CITIES)]
PAIRS = list(zip(ENGLISH, GERMAN, strict=True))


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def tatoeba(path):
    """Tatoeba's download "sentence pairs": a number before each side."""
    rows = enumerate(PAIRS)
    return write(path, [f"{1276 + n}\t{en}\t{77000 + n}\t{de}" for n, (en, de) in rows])


def tatoeba_sentences(path):
    """Tatoeba's download "detailed sentences", of one language."""
    rows = [f"{n}\teng\t{en}\tCK\t2010-01-02" for n, en in enumerate(ENGLISH)]
    return write(path, rows)


def many_things(path):
    """deu.txt of ManyThings: English first, and an attribution."""
    said = "CC-BY 2.0 (France) Attribution: tatoeba.org #{} (CM) & #{} (Ichi)"
    rows = enumerate(PAIRS)
    return write(path, [f"{en}\t{de}\t{said.format(n, n)}" for n, (en, de) in rows])


def moses(path):
    """A corpus of OPUS in Moses' form."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README", "Corpus Name: Trains\n")
        archive.writestr("Trains.de-en.de", "\n".join([*GERMAN, ""]))
        archive.writestr("Trains.de-en.en", "\n".join([*ENGLISH, ""]))
        archive.writestr("Trains.de-en.xml", "<cesAlign/>\n")
    return path


def tmx(path):
    """A corpus of OPUS as a translation memory."""
    unit = (
        '<tu><tuv xml:lang="de"><seg>{}</seg></tuv>'
        '<tuv xml:lang="en"><seg>{}</seg></tuv></tu>'
    )
    units = [unit.format(de, en) for en, de in PAIRS]
    head = '<?xml version="1.0" encoding="UTF-8" ?>\n<tmx version="1.4"><header/><body>'
    return write(path, [head, *units, "</body></tmx>"])


def scored(path):
    """A line of ParaCrawl or CCMatrix: a score and both sides."""
    return write(path, [f"1.{n:04}\t{en}\t{de}" for n, (en, de) in enumerate(PAIRS)])


def segments(path, sentences):
    """As WMT and IWSLT write the sentences of a set."""
    marked = [f'<seg id="{n}">{text} R&amp;D</seg>' for n, text in enumerate(sentences)]
    return write(path, ['<doc docid="a">', *marked, "</doc>"])


def read(path, source="en", target="de", **options):
    options = {"validation_fraction": 0, "test_fraction": 0} | options
    return load_sentence_pairs(str(path), source=source, target=target, **options)


def test_a_column_of_splits_is_told(tmp_path, caplog):
    rows = [
        f"{en}\t{de}\t{'dev' if n % 9 else 'train'}" for n, (en, de) in enumerate(PAIRS)
    ]
    read(write(tmp_path / "a.tsv", ["en\tde\tsplit", *rows]))
    assert "the column split parts the rows into train, validation" in caplog.text


@pytest.mark.parametrize("ending", ["tsv", "csv", "jsonl"])
def test_a_column_of_splits_is_used_where_it_is_named(tmp_path, ending):
    parts = ["train", "dev", "train", "other"]
    frame = pandas.DataFrame(PAIRS, columns=["en", "de"])
    frame["split"] = [parts[n % 4] for n in range(len(PAIRS))]
    path = tmp_path / f"a.{ending}"
    if ending == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, sep="\t" if ending == "tsv" else ",", index=False)
    data = read(path, reading={"split_column": "split"}, max_bad_fraction=0.5)
    expected = frame[frame["split"] == "dev"]["en"].tolist()
    assert data.splits["validation"].source.tolist() == expected
    assert len(data.splits["train"]) == (frame["split"] == "train").sum()
    assert len(data.bad_rows) == (frame["split"] == "other").sum()
    assert not data.reading_plan.warnings
    with pytest.raises(UserError, match="no column 'part' for data.split_column"):
        read(path, reading={"split_column": "part"})


def test_a_column_of_splits_is_that_of_the_training_table(tmp_path):
    lines = [f"{en}\t{de}\ttrain" for en, de in PAIRS]
    table = write(tmp_path / "a.tsv", ["en\tde\tsplit", *lines])
    of_test = ["\t".join(pair) for pair in PAIRS[:3]]
    tests = write(tmp_path / "b.tsv", ["en\tde", *of_test])
    reading = {"split_column": "split"}
    data = read(table, reading=reading, test_data=str(tests))
    assert len(data.splits["test"]) == 3
    both = [
        write(tmp_path / f"plain.{side}", texts)
        for side, texts in (("en", ENGLISH), ("de", GERMAN))
    ]
    with pytest.raises(UserError, match="leave data.split_column out"):
        read(",".join(map(str, both)), reading=reading)


def trained_on(data):
    train = data.splits["train"]
    return list(zip(train.source.tolist(), train.target.tolist(), strict=True))


@pytest.mark.parametrize(
    ("layout", "name", "columns"),
    [
        (tatoeba, "Sentence pairs in English-German.tsv", (2, 4)),
        (many_things, "deu.txt", (1, 2)),
        (scored, "bitext.tsv", (2, 3)),
        (moses, "de-en.txt.zip", None),
        (tmx, "de-en.tmx", None),
    ],
)
def test_a_corpus_is_read_in_either_direction(tmp_path, caplog, layout, name, columns):
    path = layout(tmp_path / name)
    with caplog.at_level(logging.WARNING, "recurra"):
        there, back = read(path), read(path, "de", "en")
    assert trained_on(there) == PAIRS
    assert trained_on(back) == [(de, en) for en, de in PAIRS]
    assert caplog.records == []
    assert there.bad_rows == back.bad_rows == ()
    if columns is not None:
        found = [
            data.reading_plan.values()[key]
            for data in (there, back)
            for key in ("source_column", "target_column")
        ]
        assert found == [*columns, *columns[::-1]]


def test_what_is_left_out_of_a_table_is_named(tmp_path):
    plan = read(tatoeba(tmp_path / "a.tsv")).reading_plan
    assert [(column.column, column.role) for column in plan.columns] == [
        ("1", "ignored"),
        ("2", "source"),
        ("3", "ignored"),
        ("4", "target"),
    ]
    assert plan.columns[0].evidence == "numbers alone"
    (evidence,) = {
        each.evidence for each in plan.findings if each.key.endswith("_column")
    }
    assert "in its language by its words" in evidence
    assert "1 holds numbers alone" in evidence


def test_the_plan_is_shown(tmp_path):
    path = tatoeba(tmp_path / "a.tsv")
    described = describe(TranslationDataConfig(spec=str(path), source_column="4"))
    assert described.plan.values()["source_column"] == "4"
    assert described.plan.values()["target_column"] == 2


def test_sentences_of_one_language_are_refused(tmp_path):
    path = tatoeba_sentences(tmp_path / "eng_sentences_detailed.tsv")
    message = r"1 \(numbers alone\), 2 \(1 different words\), 3 \(text\).*source-column"
    with pytest.raises(UserError, match=message):
        read(path)


def test_many_things_in_its_zip(tmp_path):
    text = many_things(tmp_path / "deu.txt")
    with zipfile.ZipFile(tmp_path / "deu-eng.zip", "w") as archive:
        archive.write(text, "deu.txt")
        archive.writestr(
            "_about.txt", "About these files\n\nhttps://www.manythings.org"
        )
    assert trained_on(read(tmp_path / "deu-eng.zip")) == PAIRS
    (tmp_path / "deu-eng.zip").write_bytes(b"no archive")
    with pytest.raises(UserError, match="not a whole zip file"):
        read(tmp_path / "deu-eng.zip")


def test_iwslt(tmp_path):
    tags = ["<url>http://www.ted.com/talks</url>", "<title>Trains</title>"]
    for language, sentences in (("en", ENGLISH), ("de", GERMAN)):
        write(tmp_path / f"train.tags.de-en.{language}", [*tags, *sentences])
        for year in ("dev2010", "tst2010", "tst2011"):
            name = f"IWSLT14.TED.{year}.de-en.{language}.xml"
            segments(tmp_path / name, [f"{year}: {text}" for text in sentences[:5]])
    data = read(tmp_path, rules=None)
    assert trained_on(data)[0] == PAIRS[0]
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 32,
        "validation": 5,
        "test_IWSLT14_TED_tst2010_de_en": 5,
        "test_IWSLT14_TED_tst2011_de_en": 5,
    }
    assert data.splits["validation"].target[0] == f"dev2010: {GERMAN[0]} R&D"


def test_iwslt_as_others_prepare_it(tmp_path):
    for year, size in (("tst2012", 20), ("tst2013", 30)):
        write(tmp_path / f"{year}.en", ENGLISH[:size])
        write(tmp_path / f"{year}.de", GERMAN[:size])
    data = load_test_pairs(str(tmp_path), source="en", target="de")
    sizes = {name: len(split) for name, split in data.splits.items()}
    assert sizes == {"test_tst2012": 20, "test_tst2013": 30}


def test_wmt(tmp_path):
    for language, kind, sentences in (("en", "src", ENGLISH), ("de", "ref", GERMAN)):
        write(tmp_path / f"train.{language}", sentences)
        name = f"newstest2014-ende-{kind}.{language}.sgm"
        segments(tmp_path / name, [f"{n}. {text}" for n, text in enumerate(sentences)])
    data = read(tmp_path)
    assert trained_on(data) == PAIRS
    assert data.test_sets == ("test_newstest2014_ende",)
    tested = load_test_pairs(str(tmp_path), source="en", target="de")
    assert [len(split) for split in tested.splits.values()] == [32]


@pytest.mark.parametrize(
    "names",
    [
        ("train.en.txt", "train.de.txt"),
        ("src-train.txt", "tgt-train.txt"),
        ("train_en.txt", "train_de.txt"),
        ("en_train", "de_train"),
        ("train.src", "train.tgt"),
        ("train.source", "train.target"),
        ("corpus.train.en-GB.txt", "corpus.train.de-AT.txt"),
    ],
)
def test_names_of_the_two_files(tmp_path, names):
    for name, sentences in zip(names, (ENGLISH, GERMAN), strict=True):
        write(tmp_path / "corpus" / name, sentences)
        write(tmp_path / "corpus" / name.replace("train", "test"), sentences[:3])
    data = read(tmp_path / "corpus")
    assert len(data.splits["train"]) == 29
    assert trained_on(data)[0] == PAIRS[3]
    (test,) = data.test_sets
    assert len(data.splits[test]) == 3


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Nr;anglais;allemand", "{n};{en};{de}"),
        ("Deutsch;id;Englisch", "{de};{n};{en}"),
        ("原文;訳文;番号", "{en};{de};{n}"),
        ("text_de;text_en", "{de};{en}"),
        ("Zieltext;Quelltext;Stand", "{de};{en};2024-01-0{m}"),
        ("source;german;english", "news;{de};{en}"),
    ],
)
def test_headers_in_another_language(tmp_path, header, row):
    rows = [row.format(n=n, m=n % 9, en=en, de=de) for n, (en, de) in enumerate(PAIRS)]
    assert trained_on(read(write(tmp_path / "a.csv", [header, *rows]))) == PAIRS
    tabs = [line.replace(";", "\t") for line in (header, *rows)]
    assert trained_on(read(write(tmp_path / "a.tsv", tabs)))[-1] == PAIRS[-1]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
def test_a_table_without_a_header_loses_no_row(tmp_path, name):
    delimiter = "," if name == "a.csv" else "\t"
    first = ("I speak English.", "Ich spreche Deutsch.")
    rows = [delimiter.join(pair) for pair in (first, *PAIRS)]
    assert trained_on(read(write(tmp_path / name, rows))) == [first, *PAIRS]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
def test_codes_of_languages_beside_the_sides_are_no_header(tmp_path, name):
    delimiter = ";" if name == "a.csv" else "\t"
    rows = [delimiter.join(("en", en, "de", de)) for en, de in PAIRS]
    assert trained_on(read(write(tmp_path / name, rows))) == PAIRS


def test_a_reference_is_preferred_to_a_translation_by_machine(tmp_path):
    rows = ["src\tmt\tref", *(f"{en}\tx {de}\t{de}" for en, de in PAIRS)]
    assert trained_on(read(write(tmp_path / "a.tsv", rows))) == PAIRS


def test_bars_between_the_sides(tmp_path):
    rows = [f"{en} ||| {de}" for en, de in PAIRS]
    assert trained_on(read(write(tmp_path / "corpus.txt", rows))) == PAIRS


def test_what_the_data_cannot_settle_is_said_with_the_key(tmp_path, caplog):
    rows = [f"{en}\tnote {n} of this\t{de}" for n, (en, de) in enumerate(PAIRS)]
    path = write(tmp_path / "a.tsv", rows)
    languages = {"source": "plain", "target": "simple"}
    with caplog.at_level(logging.WARNING, "recurra"):
        data = read(path, **languages)
    assert "columns 1 and 2 are taken for plain and simple" in caplog.text
    assert "data.source_column and data.target_column choose" in caplog.text
    assert data.reading_plan.warnings
    given = read(path, **languages, reading={"target_column": "3"})
    assert trained_on(given) == PAIRS


def test_sides_under_the_name_of_the_other_are_warned_of(tmp_path, caplog):
    write(tmp_path / "train.en", GERMAN), write(tmp_path / "train.de", ENGLISH)
    rows = ["en,de", *(f"{de},{en}" for en, de in PAIRS)]
    for path in (tmp_path, write(tmp_path / "other.csv", rows)):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "recurra"):
            assert trained_on(read(path))[0] == PAIRS[0][::-1]
        assert "what is taken for en seems to be de" in caplog.text


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        (
            {"source_column": "9"},
            "no column '9' for data.source_column.* are id, en, de",
        ),
        (
            {"source_column": "de", "target_column": "3"},
            "the column de cannot be both",
        ),
    ],
)
def test_columns_that_are_refused(tmp_path, reading, message):
    rows = ["id,en,de", *(f"{n},{en},{de}" for n, (en, de) in enumerate(PAIRS))]
    path = write(tmp_path / "a.csv", rows)
    assert trained_on(read(path, reading={"source_column": "2"})) == PAIRS
    with pytest.raises(UserError, match=message):
        read(path, reading=reading)
    with pytest.raises(UserError, match="no columns for en and fr"):
        read(path, target="fr")


@pytest.mark.parametrize("name", ["a.txt", "a.tsv", "a.csv"])
def test_how_tables_are_read_can_be_given(tmp_path, name):
    path = tmp_path / name
    cyrillic = [(en, de.replace("ä", "я")) for en, de in PAIRS]
    rows = ["a note", "one;two", *(f"{en};{de}" for en, de in cyrillic)]
    path.write_bytes("\n".join(rows).encode("koi8-r"))
    given = {"encoding": "koi8-r", "delimiter": ";", "skip_rows": 1, "header": 1}
    data = read(path, reading=given)
    assert trained_on(data) == cyrillic
    assert data.reading_plan.values() | given == data.reading_plan.values()


def test_files_are_named_by_two_paths_or_by_what_their_names_begin_with(tmp_path):
    write(tmp_path / "news.en", ENGLISH[:20]), write(tmp_path / "news.de", GERMAN[:20])
    write(tmp_path / "a", ENGLISH[20:]), write(tmp_path / "b", GERMAN[20:])
    write(tmp_path / "test.tsv", ["one more\teins mehr"])
    assert trained_on(read(tmp_path / "news")) == PAIRS[:20]
    two = f"{tmp_path / 'a'},{tmp_path / 'b'}"
    assert trained_on(read(two)) == PAIRS[20:]
    data = read(f"{tmp_path / 'news'}, {tmp_path / 'test.tsv'}")
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 20,
        "test": 1,
    }
    with pytest.raises(UserError, match="nothing: no such file"):
        read(f"{tmp_path / 'news'},{tmp_path / 'nothing'}")
    write(tmp_path / "talks.en", ENGLISH)
    with pytest.raises(UserError, match="no two files talks.en and talks.de"):
        read(tmp_path / "talks")


def test_numbered_files_are_parts_of_one_split(tmp_path):
    for part in range(2):
        rows = [f"{en}\t{de}" for en, de in PAIRS[16 * part : 16 * (part + 1)]]
        write(tmp_path / f"train-0000{part}-of-00002.tsv", rows)
    assert trained_on(read(tmp_path)) == PAIRS


def test_languages_that_share_a_beginning(tmp_path):
    (
        write(tmp_path / "train.en-US", ["color it"]),
        write(tmp_path / "train.en-GB", ["colour it"]),
    )
    assert trained_on(read(tmp_path, "en", "en-GB")) == [("color it", "colour it")]
    (tmp_path / "train.en-US").rename(tmp_path / "train.fr")
    with pytest.raises(UserError, match="has train.en"):
        read(tmp_path, "en", "en-GB")


def test_later_files_are_read_as_those_of_training(tmp_path):
    rows = [f"{n}\tnote {n} of it\t{a} x\t{a}" for n, a in enumerate(ENGLISH)]
    path = write(tmp_path / "a.tsv", rows)
    given = {"source_column": "4", "target_column": "3"}
    plan = read(path, "plain", "simple", reading=given).reading_plan
    languages = {"source": "plain", "target": "simple"}
    later = load_test_pairs(str(path), **languages, kept=plan)
    assert later.splits["test"].source[0] == ENGLISH[0]
    assert later.splits["test"].target[0] == f"{ENGLISH[0]} x"
    assert later.reading_plan.findings[0].evidence == "as in training"


def sources_of(path, plan=None, source="en", target="de"):
    sides = Sides(source, target, plan=PlanBuilder(kept=plan))
    reader = SourceLines(sides, str(path))
    lines = path.read_text().splitlines()
    # A part at a time, as large files are read.
    parts = [reader.read(lines[:20]), reader.read(lines[20:])]
    return [text for texts, _ in parts for text in texts]


@pytest.mark.parametrize("layout", [tatoeba, many_things, scored])
def test_what_is_to_be_translated_is_found_in_what_was_trained_on(tmp_path, layout):
    path = layout(tmp_path / "a.tsv")
    assert sources_of(path) == ENGLISH
    assert sources_of(path, read(path).reading_plan) == ENGLISH
    assert sources_of(path, source="de", target="en") == GERMAN


def test_what_is_to_be_translated_in_other_tables_and_in_plain_lines(tmp_path):
    path = write(tmp_path / "a.txt", ENGLISH)
    assert sources_of(path) == ENGLISH
    path = write(tmp_path / "b.tsv", [f"{n}\t{text}" for n, text in enumerate(ENGLISH)])
    assert sources_of(path) == ENGLISH
    rows = ["deutsch\tenglisch", *(f"{de}\t{en}" for en, de in PAIRS)]
    assert sources_of(write(tmp_path / "c.tsv", rows)) == ENGLISH
    reader = SourceLines(Sides("en", "de"), "c.tsv")
    texts, frame = reader.read(rows[:3])
    assert frame.columns.tolist() == ["deutsch", "englisch"]
    assert frame["englisch"].tolist() == texts
    with pytest.raises(UserError, match="c.tsv, line 5: 1 fields; the text is in col"):
        reader.read([rows[4], "alone"])


def test_segments_of_a_memory_are_translated(tmp_path):
    assert memory_sources(tmx(tmp_path / "a.tmx"), "en-US") == ENGLISH
    with pytest.raises(UserError, match="no segment in fr; its languages are de, en"):
        memory_sources(tmp_path / "a.tmx", "fr")


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [
        ("a.csv", ["en,de", *(f"{en},{de}" for en, de in PAIRS)], ["en", "de"]),
        ("a.csv", [f"{en},{de}" for en, de in PAIRS], ["1", "2"]),
        ("a.csv", ["Deutsch;Englisch", *(f"{de};{en}" for en, de in PAIRS)],
         ["Deutsch", "Englisch"]),
        ("a.tsv", [f"{en}\t{de}" for en, de in PAIRS], ["1", "2"]),
        ("a.jsonl", [f'{{"de": "{de}", "en": "{en}"}}' for en, de in PAIRS],
         ["de", "en"]),
        ("test.en", ENGLISH, ["text"]),
    ],
)  # fmt: skip
def test_sources_are_read_with_all_rows(tmp_path, monkeypatch, name, rows, columns):
    # Several parts.
    monkeypatch.setattr(streams, "PART_BYTES", 500)
    path = write(tmp_path / name, rows)
    parts = list(read_sources(FileStream(path), Sides("en", "de")))
    assert [text for texts, _ in parts for text in texts] == ENGLISH
    assert all(frame.columns.tolist() == columns for _, frame in parts)
    assert sum(len(frame) for _, frame in parts) == len(ENGLISH)


def test_quotation_marks_around_all_texts_are_none_of_them(tmp_path):
    pairs = [f'"{one}"\t"{other}"' for one, other in PAIRS]
    data = read(write(tmp_path / "a.tsv", pairs))
    assert not any('"' in text for text in data.splits["train"].source)


def test_rows_of_several_languages_are_told(tmp_path):
    codes = ("deu", "eng") * len(PAIRS)
    rows = [f"{code}\t{a}\t{b}" for code, (a, b) in zip(codes, PAIRS, strict=False)]
    data = read(write(tmp_path / "a.tsv", rows))
    assert any("languages deu, eng" in line for line in data.reading_plan.warnings)


def test_sides_of_a_memory_under_the_name_of_the_other_are_warned_of(tmp_path):
    path = tmx(tmp_path / "a.tmx")
    text = path.read_text(encoding="utf-8")
    swapped = text.replace('"de"', '"xx"').replace('"en"', '"de"').replace("xx", "en")
    path.write_text(swapped, encoding="utf-8")
    (warning,) = read(path).reading_plan.warnings
    assert "the other way round" in warning
