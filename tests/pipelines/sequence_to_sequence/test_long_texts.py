"""Texts in parts: of lines, of sentences, of whole words, of whole characters."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_text")

from recurra.pipelines.samples.english_german.pairs import sample_pairs  # noqa: E402
from recurra.pipelines.sequence_to_sequence.long_texts import (  # noqa: E402
    join_texts,
    separator,
    split_texts,
    usual_splitting,
)

ENGLISH, _ = sample_pairs(300).splits["train"]
LONGEST = 30


@pytest.fixture(scope="module")
def pieces(subwords):
    return subwords.source


def parts_of(pieces, *texts, longest=LONGEST, splitting="sentences"):
    found = split_texts(tf.constant(texts, tf.string), pieces, longest, splitting)
    owner = tf.gather(found.text, found.line).numpy()
    said = [text.decode() for text in pieces.decode(found.ids).numpy()]
    parts = [[] for _ in texts]
    for text, row in zip(said, owner, strict=True):
        parts[row].append(text)
    return parts, found.ids.row_lengths().numpy()


def lines_of(pieces, *texts, longest=LONGEST):
    """The texts, put together of their parts."""
    found = split_texts(tf.constant(texts, tf.string), pieces, longest)
    said = pieces.decode(found.ids)[:, tf.newaxis]
    joined = join_texts(said, found, tf.constant(len(texts)), " ")
    return [text.decode() for text in joined.numpy()[:, 0]]


def test_a_line_is_one_part_however_many_sentences_stand_in_it(pieces):
    texts = ["One. Two.\nThree", "", " \n ", "No end"]
    parts, _ = parts_of(pieces, *texts, longest=200)
    assert parts == [["One. Two.", "Three"], [], [], ["No end"]]


def test_what_is_not_in_step_is_not_split(pieces):
    long = " ".join(ENGLISH[:6])
    texts = [f"{long}\nThree", "", "One\r\n\ntwo", "x" * 3_000]
    parts, _ = parts_of(pieces, *texts[:3], splitting="lines")
    assert parts == [[long, "Three"], [], ["One", "two"]]
    parts, lengths = parts_of(pieces, *texts, splitting="never")
    assert parts[:3] == [[f"{long} Three"], [], ["One two"]]
    assert lengths.max() == 1_000


def test_texts_are_split_as_their_lengths_ask_for():
    number = np.arange(100)
    sentences, articles = ["One.", "One two."] * 50, ["One. Two. Three."] * 100
    in_step = np.stack([number, 2 * number + number % 3], 1)
    assert usual_splitting(articles, in_step) == "sentences"
    for targets in (number * 37 % 100, 0 * number + 3):
        lengths = np.stack([number, targets], 1)
        assert usual_splitting(sentences, lengths) == "lines"
        assert usual_splitting(articles, lengths) == "never"


def test_lines_come_back_as_lines(pieces):
    texts = [
        *("one\ntwo", "one\r\ntwo\rthree\u2028four", "\n one \n\n \u3000\ntwo\n\n"),
        *("", "\n\n", "\u200b\n", "alone"),
    ]
    expected = ["one\ntwo", "one\ntwo\nthree\nfour", "one\n\n\ntwo", *[""] * 3, "alone"]
    assert lines_of(pieces, *texts) == expected
    long = "\n".join([" ".join(ENGLISH[:6]), "", " ".join(ENGLISH[6:9])])
    assert lines_of(pieces, "x", long) == ["x", long]
    assert lines_of(pieces) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("This is one sentence. This is two! Is it? Yes… So", 5),
        ("He said “Go.” Then e.g. nothing more came, 3.5 times.", 2),
        ("Prof. Dr. Otto saw Mr. J. Smith on 3. May. The U.S. Navy came. So", 3),
        ("a line without an end\r\nanother line of it\n\n \nthe last one", 3),
        ("यह पहला वाक्य है। यह दूसरा वाक्य है।", 2),
        ("هل هذا سؤال؟ نعم، هذا جواب۔ حسنا", 3),
        ("これは一つ目の文です。二つ目の文！三つ目", 3),
    ],
)
def test_a_long_text_is_parted_at_lines_and_sentences(pieces, text, expected):
    # One piece less than it has, so that no sentence is too long.
    longest = len(pieces.encode([text]).values) - 1
    (parts,), _ = parts_of(pieces, text, longest=longest)
    assert len(parts) == expected
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_a_sentence_that_is_too_long_is_parted_between_its_words(pieces):
    text = " ".join(" ".join(ENGLISH[:20]).replace(".", "").lower().split())
    (parts,), lengths = parts_of(pieces, text)
    assert len(parts) > 5
    # Nothing is lost, and no word is cut: a space joins them to the same text.
    assert " ".join(parts) == text
    assert lengths.max() < 1.5 * LONGEST


@pytest.mark.parametrize("text", ["漢字" * 60, "👩‍👧" * 40, "x" * 400, "é́" * 100])
@pytest.mark.parametrize("longest", [1, 2, 7, LONGEST])
def test_no_character_is_cut(pieces, text, longest):
    (parts,), lengths = parts_of(pieces, text, longest=longest)
    assert len(parts) > 3
    assert "\ufffd" not in "".join(parts)
    assert "".join(parts) == parts_of(pieces, text, longest=10_000)[0][0][0]
    assert lengths.sum() == len(pieces.encode([text]).values)


def test_parts_stand_in_the_order_of_their_texts(pieces):
    texts = [" ".join(ENGLISH[:6]), "short", " ".join(ENGLISH[6:12])]
    together, _ = parts_of(pieces, *texts)
    assert together == [parts_of(pieces, text)[0][0] for text in texts]
    assert parts_of(pieces)[0] == []


@pytest.mark.parametrize(
    ("language", "expected"),
    [("de", " "), ("zh-Hant", ""), ("ja_JP", ""), ("JPN", ""), ("th", " ")],
)
def test_what_stands_between_sentences(language, expected):
    assert separator(language) == expected
