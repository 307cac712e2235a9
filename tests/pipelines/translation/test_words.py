"""Words are found and counted in any script."""

import pytest

from recurra.pipelines.translation.words import TOKEN, count_words


@pytest.mark.parametrize(
    ("text", "tokens", "words"),
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
def test_tokens(text, tokens, words):
    assert TOKEN.findall(text) == tokens
    assert count_words(text) == words
