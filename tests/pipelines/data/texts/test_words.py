"""Words are found and counted in any script, and TensorFlow reads the same classes."""

import unicodedata

import numpy as np
import pytest
import regex

from recurra.pipelines.data.texts import words
from recurra.pipelines.data.texts.words import TOKEN, count_words, is_spaced_word


@pytest.mark.parametrize(
    ("text", "tokens", "number"),
    [
        ("It's 7.5 km, e.g.", ["It's", "7.5", "km", ",", "e.g", "."], 4),
        ("Ein rot-weißes Haus.", ["Ein", "rot-weißes", "Haus", "."], 3),
        ("I like 犬。", ["I", "like", "犬", "。"], 3),
        ("สุนัข", list("สุนัข"), 5),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"], 2),
        ("كَتَبَ الوَلَد", ["كَتَبَ", "الوَلَد"], 2),
        ("안녕 세상!", ["안녕", "세상", "!"], 2),
        (" \t ", [], 0),
    ],
)
def test_tokens(text, tokens, number):
    assert TOKEN.findall(text) == tokens
    assert count_words(text) == number


@pytest.mark.parametrize(
    ("token", "is_word"), [("It's", True), ("7", True), ("!", False), ("犬", False)]
)
def test_words_between_spaces(token, is_word):
    assert is_spaced_word(token) == is_word


@pytest.mark.parametrize(
    "name",
    [
        *("WITHOUT_SPACES", "TIBETAN", "HANGUL", "WORD_CHARACTERS"),
        *("SPACES", "FORMATS", "INVISIBLE"),
    ],
)
def test_tensorflow_reads_the_classes_as_python_does(name):
    tf = pytest.importorskip("tensorflow")
    # `regex` is ahead of both. Python 3.13 knows a block of Han more than TensorFlow.
    assigned = [
        character
        for character in map(chr, range(0x110000))
        if unicodedata.category(character) not in ("Cn", "Cs")
    ]
    pattern = f"[{getattr(words, name)}]"
    any_kind = r"[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Z}\p{C}]"
    is_known = tf.strings.regex_full_match(assigned, any_kind).numpy()
    assert is_known.mean() > 0.99
    assigned = np.array(assigned)[is_known].tolist()
    in_graph = tf.strings.regex_full_match(assigned, pattern).numpy()
    class_of_regex = regex.compile(pattern)
    in_python = [class_of_regex.fullmatch(each) is not None for each in assigned]
    assert any(in_python)
    assert in_graph.tolist() == in_python
