"""Texts into units and back."""

import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.language.vocabulary import UNKNOWN

from .conftest import TEXT


def _back(units, text):
    ids = units.encode(tf.constant([text]))
    return units.join(units.texts_of(ids.to_tensor()), tf.constant([""]))[0].numpy()


@pytest.mark.parametrize("kind", ["characters", "bytes", "words"])
def test_units_make_the_text_again(make_units, kind):
    assert _back(make_units(kind=kind), TEXT).decode() == TEXT


@pytest.mark.parametrize("text", ["Füße, 東京 \U0001f600\n", "a\tb  c"])
def test_bytes_make_any_text_again(make_units, text):
    assert _back(make_units(kind="bytes"), text).decode() == text


def test_subwords_keep_spaces_and_go_on_with_a_piece(make_units):
    pytest.importorskip("tensorflow_text")
    units = make_units(kind="subwords", vocabulary_size=290)
    # Which training does; TensorFlow drops its kernels then.
    tf.random.set_seed(0)
    for text in (TEXT, "  a\n\n  F\u00fc\u00dfe \U0001f600"):
        assert _back(units, text).decode() == text
    ids, typed = units.without_broken_end(tf.constant(["the do", ""]))
    assert typed[1] == b""
    before = units.join(units.texts_of(ids.to_tensor()), tf.constant(["", ""]))[0]
    assert before + typed[0] == b"the do"
    can_go_on = units.completing(typed)[0].numpy()
    assert all(
        units.vocabulary[number].startswith(typed[0].numpy())
        for number in np.flatnonzero(can_go_on)
    )


def test_a_prompt_that_ends_in_an_unknown_word_goes_on(make_units):
    units = make_units(kind="words")
    ids, typed = units.without_broken_end(tf.constant(["the <unk>", "the xyzzy"]))
    assert [row[-1] for row in ids.to_list()] == [UNKNOWN, UNKNOWN]
    assert (typed == b"").numpy().all()


def test_signs_are_words_of_their_own(make_units):
    units = make_units(kind="words")
    cut = units.cut(tf.constant(["(a...b) don't, <unk>\n\nx-y."]))
    assert units.cut(tf.constant(["a"]))[0].numpy().tolist() == [b"a"]
    shown = [word.decode().lstrip("\uffed") for word in cut[0].numpy()]
    assert shown == [
        *("(", "a", ".", ".", ".", "b", ")", "don't", ",", "<unk>", "\n", "\n"),
        *("x-y", "."),
    ]


def test_attached_signs_stay_with_their_word(make_units):
    units = make_units(kind="words", punctuation="attached")
    cut = units.cut(tf.constant(["u.s. 's <unk>\n"]))
    assert cut[0].numpy().tolist() == [b"u.s.", b"'s", b"<unk>", b"\n"]


def test_rare_and_strange_words_are_unknown(make_units):
    units = make_units(kind="words", min_count=2)
    ids = units.encode(tf.constant(["the cat ran"]))[0].numpy().tolist()
    assert ids[1:] == [1, 1]
    assert ids[0] > 1


def test_texts_of_no_word_have_no_units(make_units):
    units = make_units(kind="words")
    assert units.encode(tf.constant(["", "  "])).row_lengths().numpy().tolist() == [
        0,
        0,
    ]
    assert [len(ids) for ids in units.encode_all(["", "the dog", ""])] == [0, 2, 0]


def test_long_texts_are_encoded_as_short_ones(make_units, monkeypatch):
    from recurra.pipelines.language import units as module

    units = make_units(kind="characters")
    (expected,) = units.encode_all([TEXT])
    monkeypatch.setattr(module, "_PART", 30)
    (found,) = units.encode_all([TEXT])
    assert found.tolist() == expected.tolist()
