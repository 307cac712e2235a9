"""Sentence pairs: found in every layout, cleaned, checked, filtered and carved."""

import gzip
import json
import logging
import re
from pathlib import Path

import numpy as np
import pytest

from recurra.pipelines.core.configuration import make_configuration
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.files.tables import read_lines
from recurra.pipelines.data.sources import SENTENCE_PAIRS, read
from recurra.pipelines.data.texts.languages import find_language
from recurra.pipelines.data.texts.normalised_text import normalise_text
from recurra.pipelines.data.texts.pair_rows import Sides
from recurra.pipelines.data.texts.pair_rules import PairRulesConfig, check_pairs
from recurra.pipelines.data.texts.sentence_pairs import (
    load_sentence_pairs,
    load_test_pairs,
)

MULTI30K = Path(__file__).parents[5] / "shared/data/multi30k"


def write(path, content):
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_parallel(folder, stem, pairs, languages=("en", "de"), ending=""):
    for side, language in enumerate(languages):
        text = "".join(f"{pair[side]}\n" for pair in pairs)
        write(folder / f"{stem}.{language}{ending}", text)
    return folder


def made_up(number, start=0):
    return [
        (f"sentence number {n}", f"Satz Nummer {n}")
        for n in range(start, start + number)
    ]


def load(spec, **options):
    options = {
        "source": "en",
        "target": "de",
        "pair_columns": ("translation",),
        "test_fraction": 0.0,
    } | options
    return load_sentence_pairs(str(spec), **options)


def sizes(pairs):
    return {name: len(split) for name, split in pairs.splits.items()}


def texts(split):
    return list(zip(split.source.tolist(), split.target.tolist(), strict=True))


def keep_all(**rules):
    """Rules that leave nothing out but what is given."""
    open_ones = {
        "max_length_ratio": 1_000,
        "drop_identical": False,
        "duplicates": "keep",
        "seen_in_evaluation": "keep",
    }
    return PairRulesConfig(**(open_ones | rules))


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("validation", ["val", "valid", "validation", "dev"])
def test_folder_of_parallel_files(tmp_path, ending, validation):
    write_parallel(tmp_path, "train", made_up(20), ending=ending)
    write_parallel(tmp_path, validation, made_up(3, 50), ending=ending)
    write_parallel(tmp_path, "test", made_up(2, 60), ending=ending)
    write(tmp_path / "README", "not a text")
    pairs = load(tmp_path)
    assert sizes(pairs) == {"train": 20, "validation": 3, "test": 2}
    assert texts(pairs.splits["validation"]) == made_up(3, 50)
    assert pairs.encodings == {"utf-8": 50}


def test_several_test_sets_keep_their_names(tmp_path):
    write_parallel(tmp_path, "train", made_up(20))
    for name, start in (("test_2016_flickr", 50), ("test_2017_mscoco", 60)):
        write_parallel(tmp_path, name, made_up(4, start))
    pairs = load(tmp_path, validation_fraction=0.1, test_fraction=0.5)
    assert pairs.test_sets == ("test_2016_flickr", "test_2017_mscoco")
    assert sizes(pairs) == {
        "train": 18,
        "validation": 2,
        "test_2016_flickr": 4,
        "test_2017_mscoco": 4,
    }


def test_points_within_names(tmp_path):
    write_parallel(tmp_path, "train.tok", made_up(20))
    for name in ("test.2016", "test.2017"):
        write_parallel(tmp_path, name, made_up(4, 50))
    pairs = load(tmp_path, validation_fraction=0)
    assert sizes(pairs) == {"train": 20, "test_2016": 4, "test_2017": 4}


def test_what_of_a_folder_is_left_out_the_log_tells(tmp_path, caplog):
    write_parallel(tmp_path, "train", made_up(20))
    write_parallel(tmp_path, "europarl", made_up(9))
    write_parallel(tmp_path, "test_2016", made_up(4, 50))
    write(tmp_path / "test_2018.en", "to be translated\n")
    with caplog.at_level(logging.INFO, "recurra"):
        pairs = load(tmp_path, validation_fraction=0)
    assert sizes(pairs) == {"train": 20, "test_2016": 4}
    assert "europarl.en is left out" in caplog.text
    assert "test_2018.en and no test_2018.de" in caplog.text


def test_the_other_direction_and_another_pair_of_languages(tmp_path):
    for language, word in (
        ("en", "one"),
        ("de", "eins"),
        ("ja", "一つ"),
        ("th", "หนึ่ง"),
    ):
        lines = "".join(f"{word} {number}\n" for number in range(9))
        write(tmp_path / f"train.{language}", lines)
    pairs = load(tmp_path, source="ja", target="th", validation_fraction=0)
    assert texts(pairs.splits["train"])[0] == ("一つ 0", "หนึ่ง 0")
    pairs = load(tmp_path, source="de", target="en", validation_fraction=0)
    assert texts(pairs.splits["train"])[8] == ("eins 8", "one 8")


def test_a_lone_pair_of_files_is_to_train_on(tmp_path):
    write_parallel(tmp_path, "europarl-v7.de-en", made_up(9))
    assert sizes(load(tmp_path, validation_fraction=0)) == {"train": 9}
    write_parallel(tmp_path, "news", made_up(9))
    with pytest.raises(UserError, match="news.en and no train.en; rename"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["train.en"], "has train.en and no train.de"),
        (["train.en", "train.de", "val.de"], "has val.de and no val.en"),
        (["train.fr", "train.ro"], "no train.en with train.de.*end in fr, ro"),
        ([], "no train.en with train.de"),
        (["val.en", "val.de"], "has no training pairs; it has validation"),
        (
            ["train.en", "train.de", "val.en", "val.de", "dev.en", "dev.de"],
            "dev.en and val.en are both the validation split",
        ),
        (["train.en", "train.de", "train.de.gz"], "train.de and train.de.gz are one"),
    ],
)
def test_folders_that_are_refused(tmp_path, files, message):
    for name in files:
        write(tmp_path / name, "a line\n")
    with pytest.raises(UserError, match=message) as error:
        load(tmp_path)
    assert "\n" not in str(error.value)


TWO = [("one", "eins"), ("two words", "zwei Wörter")]
TSV = "".join(f"{en}\t{de}\tCC-BY 2.0 (x)\n" for en, de in TWO)
TMX = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="en-GB"><seg>one</seg></tuv>
    <tuv xml:lang="de-DE"><seg>eins</seg></tuv></tu>
<tu><note>a note</note>
    <tuv lang="DE"><prop type="x">y</prop><seg>zwei<ph x="1">{\\b}</ph> <hi>Wörter</hi>
    </seg></tuv>
    <tuv lang="EN"><seg>two <bpt i="1">&lt;b></bpt>words<ept i="1">&lt;/b></ept></seg>
    </tuv><tuv lang="fr"><seg>deux mots</seg></tuv></tu>
</body></tmx>
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", TSV),
        ("a.tsv.gz", TSV),
        ("deu.txt", TSV),
        ("a.tsv", "id\tde\ten\n" + "".join(f"7\t{de}\t{en}\n" for en, de in TWO)),
        ("a.txt", "id\tde\ten\n" + "".join(f"7\t{de}\t{en}\n" for en, de in TWO)),
        ("a.tsv", 'en\tde\n"one"\t"eins"\n"two words"\t"zwei Wörter"\n'),
        ("a.tsv", '"de"\t"en"\n"eins"\t"one"\n"zwei Wörter"\t"two words"\n'),
        ("a.csv", "".join(f"{en},{de}\n" for en, de in [("en", "de"), *TWO])),
        ("a.csv", "Target;src\neins;one\nzwei Wörter;two words\n"),
        ("a.jsonl", "".join(json.dumps({"en": e, "de": d}) + "\n" for e, d in TWO)),
        ("a.jsonl.gz", "".join(
            json.dumps({"id": 1, "translation": {"de_DE": d, "en": e}}) + "\n"
            for e, d in TWO)),
        ("a.tmx", TMX),
        ("a.tmx.gz", TMX),
        ("a.tmx", TMX.replace("UTF-8", "UTF-16").encode("utf-16")),
    ],
)  # fmt: skip
def test_tables(tmp_path, name, content):
    pairs = load(write(tmp_path / name, content), validation_fraction=0)
    assert texts(pairs.splits["train"]) == TWO
    assert pairs.bad_rows == ()


def test_of_a_memory_in_many_languages_the_units_in_both_are_taken(tmp_path):
    path = write(tmp_path / "a.tmx", TMX.replace('"EN"', '"es"'))
    pairs = load(path, validation_fraction=0)
    assert texts(pairs.splits["train"]) == TWO[:1]
    assert pairs.bad_rows == ()
    american = '<tuv xml:lang="en-US"><seg>1</seg></tuv>'
    path = write(tmp_path / "b.tmx", TMX.replace("<tu><note>", f"<tu>{american}<note>"))
    pairs = load(path, validation_fraction=0)
    assert texts(pairs.splits["train"]) == TWO
    only = '<tuv xml:lang="en-AU"><seg>one</seg></tuv>'
    path = write(
        tmp_path / "c.tmx", TMX.replace("</tuv></tu>", f"</tuv>{only}</tu>", 1)
    )
    pairs = load(path, validation_fraction=0)
    assert texts(pairs.splits["train"]) == TWO


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        ('Press it<ph x="1" type="lb">&lt;br/></ph>to begin.', "Press it to begin."),
        ('one,<ph type="pb"/>two', "one, two"),
        ("one<ph>{1}</ph>two", "one two"),
        ("one<ph>{1}</ph><it>x</it><hi>two</hi>", "one two"),
        ("one<ph>{1}</ph>, two", "one, two"),
        ('un<bpt i="1" type="bold">x</bpt>believ<ept i="1">&lt;/b></ept>able',
         "unbelievable"),
        ('<bpt i="1">&lt;li></bpt>one<ept i="1">&lt;/li></ept>'
         '<bpt i="2">&lt;li></bpt>two<ept i="2">&lt;/li></ept>', "one two"),
        ('re<bpt i="1">{\\b </bpt>turn<ept i="1">}</ept>s', "returns"),
        ("字<ph>{1}</ph>字", "字字"),
    ],
)  # fmt: skip
def test_codes_in_a_memory(tmp_path, segment, text):
    path = write(tmp_path / "a.tmx", TMX.replace("<seg>one<", f"<seg>{segment}<"))
    pairs = load(path, validation_fraction=0)
    assert pairs.splits["train"].source[0] == text


def test_quotes_of_writers_of_tables_go_and_those_of_texts_stay(tmp_path):
    written = '"He says ""no""."\t"Er sagt ""nein""."\n"No."\t"Nein."\n'
    pairs = load(write(tmp_path / "a.tsv", written), validation_fraction=0)
    assert texts(pairs.splits["train"]) == [
        ('He says "no".', 'Er sagt "nein".'),
        ('"No."', '"Nein."'),
    ]


@pytest.mark.parametrize("nested", [False, True])
def test_parquet(tmp_path, nested):
    import pandas as pd

    rows = [{"en": en, "de": de} for en, de in TWO]
    frame = pd.DataFrame({"translation": rows}) if nested else pd.DataFrame(rows)
    frame.to_parquet(tmp_path / "a.parquet")
    pairs = load(tmp_path / "a.parquet", validation_fraction=0)
    assert texts(pairs.splits["train"]) == TWO


def test_folder_of_tables(tmp_path):
    write(tmp_path / "train.tsv", "".join(f"{a}\t{b}\n" for a, b in made_up(9)))
    write(tmp_path / "dev.tmx", TMX)
    write(tmp_path / "test.a.jsonl", json.dumps({"en": "x", "de": "y"}))
    write(tmp_path / "test.b.tsv.gz", "x\ty\nz\tw\n")
    pairs = load(tmp_path)
    assert sizes(pairs) == {"train": 9, "validation": 2, "test_a": 1, "test_b": 2}
    rows = read(str(tmp_path), SENTENCE_PAIRS, Sides("en", "de")).splits["validation"]
    assert rows.locations[1] == (f"{tmp_path / 'dev.tmx'}, unit 2", None)


@pytest.mark.parametrize(
    ("name", "content", "line", "reason"),
    [
        ("a.tsv", "one\teins\nno tab\ntwo\tzwei\n", 2, "no tab in it"),
        ("a.tsv", b"one\teins\nGr\xd6\xc4\xdc\xd6\xc4\tx\n", 2, "neither UTF-8"),
        ("a.txt", "id\ten\tde\n1\tone\teins\n2\ttwo\n", 3, "the header has 3"),
        ("a.csv", "en,de\none,eins\ntwo\n", 3, "1 fields; the header has 2"),
        ("a.jsonl", '{"en": "a", "de": "b"}\n{"en": "a"}\n', 2, "target: no text"),
        ("a.jsonl", '{"en": "a", "de": "b"}\n{"en": "a", "de": 3}\n', 2, "type int"),
        ("a.jsonl", '{"en": "a", "de": "b"}\n{"en": "\\ud800", "de": ""}\n', 2, "half"),
        ("a.jsonl", '{"translation": {"en": "a", "de": "b"}}\n{"translation": 3}\n', 2,
         "source: no text"),
    ],
)  # fmt: skip
def test_bad_rows_are_listed(tmp_path, name, content, line, reason):
    path = write(tmp_path / name, content)
    pairs = load(path, validation_fraction=0, max_bad_fraction=0.6)
    (bad,) = pairs.bad_rows
    assert (bad.file, bad.line) == (str(path), line)
    assert reason in bad.reason
    with pytest.raises(UserError, match=f"line {line}: .*1 of .*max_bad_fraction"):
        load(path)


def test_undecodable_line_of_either_side(tmp_path):
    write_parallel(tmp_path, "train", made_up(9))
    data = (tmp_path / "train.de").read_bytes().split(b"\n")
    data[4] = b"\xd6\xc4\xdc\xd6\xc4"
    (tmp_path / "train.de").write_bytes(b"\n".join(data))
    pairs = load(tmp_path, max_bad_fraction=0.2, validation_fraction=0)
    (bad,) = pairs.bad_rows
    assert (bad.file, bad.line) == (str(tmp_path / "train.de"), 5)
    whole = made_up(9)
    assert texts(pairs.splits["train"]) == whole[:4] + whole[5:]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nothing/here", "no such file or folder"),
        ("a.docx", "unknown kind of file.*give the folder"),
        ("empty.tsv", "not one of the 0 rows"),
        ("broken.tmx", "not a whole TMX file"),
        ("nested.tmx", "nested.tmx: .* nested too deep"),
        ("french.tmx", "no unit with en and de; its languages are fr"),
        ("shift.tmx", "shift.tmx: .*; convert the file to UTF-8"),
        ("unheard.tmx", "unheard.tmx: .*; convert the file to UTF-8"),
        ("a.csv", "no columns for en and de; its columns are a, b"),
        ("not.tsv.gz", "not a whole gzip file"),
    ],
)
def test_files_that_are_refused(tmp_path, spec, message):
    write(tmp_path / "a.docx", "x")
    write(tmp_path / "empty.tsv", "")
    write(tmp_path / "broken.tmx", TMX[:-40])
    deep = "<hi>" * 3_000 + "</hi>" * 3_000
    write(tmp_path / "nested.tmx", TMX.replace("<seg>one", f"<seg>{deep}"))
    french = re.sub('lang="..(-..)?"', 'lang="fr"', TMX)
    write(tmp_path / "french.tmx", french)
    for name, encoding in (("shift", "shift_jis"), ("unheard", "of-no-kind")):
        text = re.sub(r"<\?xml.*?\?>", "", TMX).strip()
        declared = f'<?xml version="1.0" encoding="{encoding}"?>\n{text}'
        (tmp_path / f"{name}.tmx").write_bytes(declared.encode("ascii", "ignore"))
    write(tmp_path / "a.csv", "a,b\n1,2\n")
    (tmp_path / "not.tsv.gz").write_bytes(b"plain text")
    with pytest.raises(UserError, match=message) as error:
        load(tmp_path / spec)
    assert "\n" not in str(error.value)


def test_one_language_for_both_sides_is_refused(tmp_path):
    with pytest.raises(UserError, match="both en; give two languages"):
        load(tmp_path, target="en")


def test_odd_characters_never_split_a_line(tmp_path):
    odd = "one\u2028two\x85three\x0bfour\x0cfive\x1csix\rseven\x00eight"
    data = f"first\r\n{odd}\r\ncafe\u0301\u00a0\u3000x \ufeff\u200b\r\nlast".encode()
    write(tmp_path / "train.en", b"\xef\xbb\xbf" + data)
    write(tmp_path / "train.de", "erste\nzweite\ndritte\nletzte\n")
    pairs = load(tmp_path, validation_fraction=0, rules=keep_all())
    assert pairs.splits["train"].source.tolist() == [
        "first",
        "one two three four five six seven eight",
        "café x",
        "last",
    ]


def test_lines_in_two_encodings(tmp_path):
    path = write(tmp_path / "a.txt", b"caf\xe9\ncaf\xc3\xa9\n")
    assert read_lines(path).lines == ["café", "café"]
    assert read_lines(path).encodings == {"cp1252": 1, "utf-8": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("e\u0301", "é"),
        ("\u1112\u1161\u11ab", "한"),
        ("\ufb01 ½ …", "\ufb01 ½ …"),
        ("\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",) * 2,
        ("👩\u200d👧", "👩\u200d👧"),
        ("\t\x00 \x9f", ""),
    ],
)
def test_normalised_text(text, expected):
    assert normalise_text(text) == expected
    assert normalise_text(expected) == expected


@pytest.mark.parametrize(
    ("names", "language", "found"),
    [
        (["de", "en"], "EN", "en"),
        (["de-DE", "en-GB"], "en", "en-GB"),
        (["de-DE", "en-GB", "en-US"], "en", None),
        (["de-DE", "en-GB", "en-US"], "en_us", "en-US"),
        (["en"], "en-GB", "en"),
        (["en-US"], "en-GB", None),
        (["eng"], "en", None),
        ([" De "], "de", " De "),
    ],
)
def test_find_language(names, language, found):
    assert find_language(names, language) == found


def rows_with_faults():
    long = "word " * 300
    return [
        ("a plain sentence", "ein einfacher Satz"),
        ("", "kein Englisch"),
        ("no German", "   "),
        ("OK then", "OK  then"),
        ("a very short one", "der hier ist viel zu lang " * 5),
        (long, long.replace("word", "Wort")),
        ("a  plain sentence", "ein einfacher Satz"),
        ("a plain sentence", "ein schlichter Satz"),
        ("seen in the test", "im Test gesehen"),
        ("another one", "noch einer"),
    ]


def faulty(folder):
    write_parallel(folder, "train", rows_with_faults())
    tests = [("Seen in the test", "im Test  gesehen"), ("another one", "ein anderer")]
    write_parallel(folder, "test", [*tests, ("", ""), tests[0]])
    write_parallel(folder, "val", made_up(3))
    return folder


def test_checks_count_and_the_rules_leave_out(tmp_path):
    pairs = load(faulty(tmp_path))
    train = pairs.checks.found["train"]
    assert train == {
        "empty side": 2,
        "too short": 0,
        "too long": 1,
        "identical sides": 1,
        "length ratio": 1,
        "equal pairs": 1,
        "equal sources": 2,
    }
    assert pairs.checks.dropped == {
        "empty side": 2,
        "too short": 0,
        "too long": 1,
        "identical sides": 1,
        "length ratio": 1,
        "duplicates": 1,
        "seen in evaluation": 1,
    }
    assert texts(pairs.splits["train"]) == [rows_with_faults()[n] for n in (0, 7, 9)]
    assert pairs.checks.shared["train/test"] == {"pairs": 2, "sources": 4}
    assert pairs.checks.shared["train/validation"] == {"pairs": 0, "sources": 0}
    places = pairs.checks.examples["train"]["empty side"]
    assert places == [f"{tmp_path / 'train.en'}, line {line}" for line in (2, 3)]


def test_sides_that_differ_in_case_are_not_equal(tmp_path):
    rows = [(f"mr smith {n}", f"Mr Smith {n}") for n in range(54)]
    rows += [(f"it is {n}", f"it is {n}") for n in range(6)]
    rows += [("us", "US"), ("us", "us")]
    write_parallel(tmp_path, "train", rows, ("lower", "true"))
    languages = {"source": "lower", "target": "true"}
    pairs = load(tmp_path, validation_fraction=0, **languages)
    assert pairs.checks.dropped["identical sides"] == 7
    assert pairs.checks.dropped["duplicates"] == 0
    assert texts(pairs.splits["train"]) == rows[:54] + rows[60:61]


def test_evaluation_splits_keep_every_line(tmp_path):
    pairs = load(faulty(tmp_path))
    assert len(pairs.splits["test"]) == 4
    assert pairs.checks.found["test"]["empty side"] == 1
    assert pairs.checks.found["test"]["equal pairs"] == 1


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ({}, {0, 3, 4, 5, 6, 7, 8, 9} - {5}),
        ({"max_characters": 5_000}, {0, 3, 4, 5, 6, 7, 8, 9}),
        ({"min_characters": 16}, {0, 4, 6, 7}),
        ({"drop_identical": True}, {0, 4, 6, 7, 8, 9}),
        ({"max_length_ratio": 2.5}, {0, 3, 6, 7, 8, 9}),
        ({"duplicates": "pairs"}, {0, 3, 4, 7, 8, 9}),
        ({"duplicates": "sources"}, {0, 3, 4, 8, 9}),
        ({"seen_in_evaluation": "pairs"}, {0, 3, 4, 6, 7, 9}),
        ({"seen_in_evaluation": "sources"}, {0, 3, 4, 6, 7}),
    ],
)
def test_each_rule(tmp_path, rules, left):
    rows = read(str(faulty(tmp_path)), SENTENCE_PAIRS, Sides("en", "de"))
    checks, kept = check_pairs(rows.splits, keep_all(**rules))
    assert set(kept) == left
    assert sum(checks.dropped.values()) == 10 - len(left)
    pairs = load(tmp_path, rules=keep_all(**rules))
    assert len(pairs.splits["train"]) == len(left)


def test_length_ratio_is_measured_against_the_languages_own(tmp_path):
    # Ten characters of one for each of the other, as with Chinese and English.
    rows = [("abcdefghij" * 8, "字" * 8)] * 20 + [("abcdefghij" * 8, "字" * 80)]
    write_parallel(tmp_path, "train", rows, ("en", "zh"))
    pairs = load(tmp_path, target="zh", validation_fraction=0, rules=keep_all())
    assert pairs.checks.usual_length_ratio == pytest.approx(0.1)
    rules = keep_all(max_length_ratio=3)
    pairs = load(tmp_path, target="zh", validation_fraction=0, rules=rules)
    assert pairs.checks.dropped["length ratio"] == 1
    assert len(pairs.splits["train"]) == 20


def test_nothing_left_names_the_rule(tmp_path):
    write_parallel(tmp_path, "train", made_up(5))
    rules = PairRulesConfig(min_characters=100)
    with pytest.raises(UserError, match="5 of 5 fell to the rule 'too short'"):
        load(tmp_path, rules=rules)


@pytest.mark.parametrize(
    "values", [{"max_length_ratio": 1}, {"duplicates": "all"}, {"min_character": 2}]
)
def test_rules_that_are_refused(values):
    with pytest.raises(UserError, match=next(iter(values))):
        make_configuration(PairRulesConfig, [("test", values)])


def test_carved_splits_share_no_source(tmp_path):
    rows = [(f"source {n % 40}", f"Ziel {n}") for n in range(200)]
    write_parallel(tmp_path, "train", rows)
    options = {"validation_fraction": 0.1, "test_fraction": 0.2, "rules": keep_all()}
    pairs = load(tmp_path, **options)
    assert sizes(pairs) == {"train": 140, "validation": 20, "test": 40}
    sources = [set(split.source.tolist()) for split in pairs.splits.values()]
    assert not (
        sources[0] & sources[1] | sources[0] & sources[2] | sources[1] & sources[2]
    )
    everything = sorted(
        pair for split in pairs.splits.values() for pair in texts(split)
    )
    assert everything == sorted(rows)
    again = load(tmp_path, **options)
    other = load(tmp_path, seed=1, **options)
    for name, split in pairs.splits.items():
        np.testing.assert_array_equal(split.target, again.splits[name].target)
    assert set(pairs.splits["test"].target) != set(other.splits["test"].target)


def test_carved_splits_have_a_largest_size(tmp_path):
    write_parallel(tmp_path, "train", made_up(200))
    pairs = load(tmp_path, validation_fraction=0.4, test_fraction=0.2, max_carved=10)
    assert sizes(pairs) == {"train": 180, "validation": 10, "test": 10}


def test_too_few_to_carve_from(tmp_path):
    write_parallel(tmp_path, "train", [("one", f"eins {n}") for n in range(9)])
    with pytest.raises(UserError, match="too few pairs to carve validation from"):
        load(tmp_path, validation_fraction=0.1)
    with pytest.raises(UserError, match="together they must be below 1"):
        load(tmp_path, validation_fraction=0.5, test_fraction=0.5)


def test_separate_test_data(tmp_path):
    write_parallel(tmp_path / "a", "train", made_up(20))
    write_parallel(tmp_path / "a", "test", made_up(5, 30))
    write(tmp_path / "news.tsv", "one\teins\n")
    pairs = load(tmp_path / "a", test_data=str(tmp_path / "news.tsv"))
    assert texts(pairs.splits["test"]) == [("one", "eins")]


def test_evaluation_takes_the_test_sets_or_everything(tmp_path):
    write_parallel(tmp_path, "train", made_up(6))
    write_parallel(tmp_path, "val", made_up(2, 10))
    spec = {"spec": str(tmp_path), "source": "en", "target": "de"}
    assert sizes(load_test_pairs(**spec)) == {"test": 8}
    write_parallel(tmp_path, "test1", made_up(2, 20))
    write_parallel(tmp_path, "test2", made_up(3, 30))
    assert sizes(load_test_pairs(**spec)) == {"test1": 2, "test2": 3}


def test_sample():
    pairs = load("sample:900", source="en", target="de")
    assert sizes(pairs) == {"train": 800, "validation": 50, "test": 50}
    assert pairs.bad_rows == ()
    assert not any(pairs.checks.dropped.values())
    assert not any(
        count for both in pairs.checks.shared.values() for count in both.values()
    )
    with pytest.raises(UserError, match="from en to de, not from de to en"):
        load("sample", source="de", target="en")
    with pytest.raises(UserError, match="sample:NUMBER was expected"):
        load("sample:all")


def test_as_dict_is_json(tmp_path):
    described = load(faulty(tmp_path)).as_dict()
    again = json.loads(json.dumps(described))
    assert again["splits"]["train"]["pairs"] == 3
    assert again["checks"]["dropped"]["duplicates"] == 1
    assert list(again["splits"]["test"]["source_characters"]) == [
        "0", "5", "25", "50", "75", "95", "100",
    ]  # fmt: skip


@pytest.mark.skipif(not MULTI30K.is_dir(), reason="no benchmark data here")
def test_multi30k():
    pairs = load(MULTI30K, rules=keep_all())
    assert sizes(pairs) == {
        "train": 29_000,
        "validation": 1_014,
        "test_2016_flickr": 1_000,
    }
    assert pairs.bad_rows == ()
