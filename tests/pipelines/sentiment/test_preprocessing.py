"""Raw strings to tokens, word ids and n-gram ids, as the served graph does it."""

import sys
import unicodedata

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.pipelines.sentiment.config import SentimentConfig
from recurra.pipelines.sentiment.preprocessing import (
    PADDING,
    RULES_FILE,
    UNKNOWN,
    Preprocessing,
    head_and_tail,
    load_ratios,
    ngram_fingerprints,
    tokenize,
    unique_in_rows,
    with_ratios,
)
from recurra.pipelines.sentiment.tokenization import (
    EMPTY_TOKEN,
    count_tokens,
    text_tokens,
)

SPACES = [
    chr(code)
    for code in range(sys.maxunicode + 1)
    if unicodedata.category(chr(code)) in ("Zs", "Zl", "Zp")
]
CONTROLS = [c for c in map(chr, range(0xA0)) if unicodedata.category(c) == "Cc"]
WORDS = ["the", "film", "was", "not", "good", "bad", "dull"]
MAX_TOKENS = 8


def tokens_of(*texts, lowercase=True):
    ragged = tokenize(tf.constant(list(texts), tf.string), lowercase)
    return [[token.decode("utf-8") for token in row] for row in ragged.numpy()]


@pytest.fixture(scope="module")
def preprocessing(tmp_path_factory):
    """Knows `WORDS`, and every n-gram of "the film was not good" up to three words."""
    assets = tmp_path_factory.mktemp("assets")
    lines = ["[PADDING]", "[UNKNOWN]", *WORDS]
    (assets / "vocabulary.txt").write_text("".join(f"{line}\n" for line in lines))
    tokens = tf.ragged.constant([["the", "film", "was", "not", "good"]])
    fingerprints = tf.concat(
        [ngram_fingerprints(tokens, width) for width in (1, 2, 3)], 1
    )
    (assets / "ngrams.txt").write_text(
        "".join(f"{value}\n" for value in fingerprints.flat_values.numpy())
    )
    configuration = SentimentConfig.model_validate(
        {
            "text": {
                "max_tokens": MAX_TOKENS,
                "head_fraction": 0.25,
                "lowercase": True,
            },
            "ngrams": {"longest": 3},
            "wide": {"enabled": True},
            "model": {"ngram_features": True},
        }
    )
    return Preprocessing(configuration, assets)


def features_of(preprocessing, *texts):
    tokens = preprocessing.tokens(tf.constant(list(texts), tf.string))
    return {name: ids.to_list() for name, ids in preprocessing.features(tokens).items()}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The FILM", ["the", "film"]),
        ("ÉCOLE Ärger ΣΟΦΌΣ ДА", ["école", "ärger", "σοφός", "да"]),
        ("one<br />two<BR>three<br/>four", ["one", "two", "three", "four"]),
        ("good, bad.", ["good", ",", "bad", "."]),
        ("so-so (4/5)!", ["so", "-", "so", "(", "4", "/", "5", ")", "!"]),
        ("don't", ["don't"]),
        ("don’t donʼt", ["don't", "don't"]),
        ("'good' ‘bad’", ["'", "good", "'", "‘", "bad", "'"]),
        ("'a' 'b' ''c''", [*"'a'", *"'b'", *"'c'"]),
        ("rock 'n' roll, ' '", ["rock", "'", "n", "'", "roll", ",", "'", "'"]),
        ("a\x00b\x07c\x7fd", ["a", "b", "c", "d"]),
        ("  padded\t\n text \r\n", ["padded", "text"]),
        ("good😀bad", ["good", "😀", "bad"]),
        ("这部电影 ok", ["这", "部", "电", "影", "ok"]),
        ("ひらカタ", ["ひ", "ら", "カ", "タ"]),
        ("한국 영화", ["한국", "영화"]),
        ("naïve café", ["naïve", "café"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("[EMPTY] [PADDING]", ["[", "empty", "]", "[", "padding", "]"]),
        ("it's <b>bold</b>", ["it's", "bold"]),
        ("un<I class='x'>bear</I>able<p>one</p>two", ["unbearable", "one", "two"]),
        ("I <3 b > c", ["i", "<", "3", "b", ">", "c"]),
        (
            "R&amp;D&nbsp;&lt;br&gt;caf&eacute; caf&#0233;",
            ["r", "&", "d", *["café"] * 2],
        ),
        (
            "don&#39;t don&#x2019;t &amp;lt; &no;",
            [*["don't"] * 2, *"&", "lt", *";&", "no", ";"],
        ),
        ("ＧＯＯＤ ｶﾞ!", ["good", "ガ", "!"]),
        ("İYİ iyi KIZ kız", ["iyi", "iyi", "kiz", "kiz"]),
        ("می\u200cخواهم", ["می", "خواهم"]),
        ("❤\ufe0f ok", ["❤", "ok"]),
    ],
)
def test_tokens(text, tokens):
    assert tokens_of(text) == [tokens]
    assert text_tokens(text, lowercase=True) == tokens
    assert count_tokens(text) == len(tokens)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("na\u00efve", "nai\u0308ve"),
        ("wonderful", "wonder\u00adful"),
        ("wonderful", "wonder\u200bful"),
        ("Stra\u00dfe", "Stra\u2060\u00dfe\ufeff"),
        ("\u1ec7", "e\u0302\u0323"),
        ("\ud55c\uad6d", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
        ("\u0928\u093f", "\u0928\u200d\u093f"),
        ("shalom", "sha\u200elom"),
    ],
)
def test_texts_that_look_alike_have_the_same_tokens(one, other):
    alike, again = tokens_of(f"a {one} film", f"a {other} film")
    assert alike == again
    assert len(alike) == 3
    assert text_tokens(f"a {other} film", lowercase=True) == alike


def test_former_rules_read_texts_as_they_are_written():
    texts = tf.constant(["wonder\u00adful <b>nai\u0308ve</b><br>film"])
    (tokens,) = tokenize(texts, True, version=1).numpy()
    assert [token.decode() for token in tokens] == [
        *("wonder", "ful", "<", "b", ">", "nai\u0308ve", "<", "/", "b", ">", "film")
    ]


def test_a_run_keeps_the_rules_that_it_was_fitted_by(preprocessing, tmp_path):
    text = tf.constant(["wonder\u00adful"])
    assert preprocessing.tokens(text).row_lengths().numpy().tolist() == [2]
    (tmp_path / "vocabulary.txt").write_text("[PADDING]\n[UNKNOWN]\nfilm\n")
    (tmp_path / "ngrams.txt").write_text("1\n")
    (tmp_path / RULES_FILE).write_text('{"version": 2}')
    later = Preprocessing(SentimentConfig(), tmp_path)
    assert later.tokens(text).row_lengths().numpy().tolist() == [1]


def test_case_stays_if_so_configured():
    assert tokens_of("The FILM", lowercase=False) == [["The", "FILM"]]


def test_thai_is_split_by_character_and_loses_none():
    text = "หนังดีมาก"
    (tokens,) = tokens_of(text)
    assert len(tokens) > 3
    assert "".join(tokens) == text


@pytest.mark.parametrize("space", SPACES, ids=lambda space: f"U+{ord(space):04X}")
def test_every_space_separates(space):
    assert tokens_of(f"good{space}film{space}") == [["good", "film"]]


@pytest.mark.parametrize("control", CONTROLS, ids=lambda sign: f"U+{ord(sign):04X}")
def test_every_control_character_separates(control):
    assert tokens_of(f"{control}good{control}film") == [["good", "film"]]


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u3000\u00a0", "<br />", "\x00"])
def test_a_text_without_tokens_has_the_empty_one(text):
    assert tokens_of(text, "good") == [[EMPTY_TOKEN], ["good"]]
    assert count_tokens(text) == 1


def test_bytes_that_are_no_utf_8_become_the_replacement_character():
    ragged = tokenize(tf.constant([b"good \xff\xfe film \xc3"]), lowercase=True)
    tokens = [token.decode("utf-8") for token in ragged.numpy()[0]]
    assert tokens[0] == "good"
    assert "film" in tokens
    assert set(tokens) == {"good", "film", "\N{REPLACEMENT CHARACTER}"}


@pytest.mark.parametrize("lowercase", [True, False])
def test_tokens_are_those_of_python_for_every_character(lowercase):
    characters = [chr(code) for code in range(sys.maxunicode + 1)]
    # Characters that only one of the two knows are newer than the other's Unicode.
    characters = [c for c in characters if unicodedata.category(c) not in ("Cs", "Cn")]
    known = tf.strings.regex_full_match(
        characters, r"[\pL\pM\pN\pP\pS\pZ\p{Cc}\p{Cf}\p{Co}]"
    ).numpy()
    lowered = tf.strings.lower(characters, encoding="utf-8").numpy()
    known &= [
        each.decode() != c or c.lower() == c
        for each, c in zip(lowered, characters, strict=True)
    ]
    assert known.sum() > 280_000
    texts = [f"a{c}b '{c}' {c}\u0301" for c in np.array(characters, object)[known]]
    tokens = tokenize(tf.constant(texts), lowercase)
    split = np.split(tokens.values.numpy(), tokens.row_limits().numpy()[:-1])
    for text, row in zip(texts, split, strict=True):
        assert [token.decode() for token in row] == text_tokens(text, lowercase), text


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(
        st.text(
            "ab1'’ʼ.-<br />&#39;\n\x00\u00ad\u200d\u200c好ทé\u0301İıI😀", max_size=12
        ),
        min_size=20,
        max_size=20,
    )
)
def test_tokens_are_those_of_python_in_any_order(texts):
    assert tokens_of(*texts) == [text_tokens(text, True) for text in texts]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.text() | st.binary(), min_size=1, max_size=4))
def test_any_text_has_tokens_and_each_token_is_text_without_space(texts):
    for row in tokenize(tf.constant(texts, tf.string), lowercase=True).numpy():
        assert len(row) >= 1
        for token in row:
            decoded = token.decode("utf-8")
            assert decoded
            assert not any(sign.isspace() for sign in decoded)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.lists(
        st.text() | st.binary() | st.lists(st.sampled_from(WORDS)).map(" ".join),
        min_size=2,
        max_size=5,
    )
)
def test_features_of_a_text_do_not_depend_on_its_batch(preprocessing, texts):
    together = features_of(preprocessing, *texts)
    for row, text in enumerate(texts):
        alone = features_of(preprocessing, text)
        assert len(alone["tokens"][0]) >= 1
        for name in together:
            assert together[name][row] == alone[name][0]


def test_words_outside_the_vocabulary_are_unknown_and_no_word_is_padding(preprocessing):
    ids = features_of(preprocessing, "the zebra was GOOD", "", "[PADDING]")["tokens"]
    first_word = UNKNOWN + 1
    expected = [WORDS.index(word) + first_word for word in ("the", "was", "good")]
    assert ids[0] == [expected[0], UNKNOWN, expected[1], expected[2]]
    assert ids[1] == [UNKNOWN]
    assert PADDING not in ids[2]


def test_each_known_ngram_stands_once(preprocessing):
    text = "not good , not good , not good"
    once = features_of(preprocessing, "not good")["ngrams"][0]
    often = features_of(preprocessing, text)["ngrams"][0]
    assert len(once) == 3  # not, good, not good
    assert sorted(often) == sorted(once)


def test_unknown_ngrams_are_left_out(preprocessing):
    ngrams = features_of(preprocessing, "zebra stripes", "good zebra film")["ngrams"]
    assert ngrams[0] == []
    assert len(ngrams[1]) == 2  # good, film; no n-gram over the zebra


def test_ngrams_do_not_reach_from_one_text_into_the_next(preprocessing):
    apart = features_of(preprocessing, "not", "good")["ngrams"]
    assert [len(row) for row in apart] == [1, 1]


def test_of_a_long_text_head_and_tail_are_read(preprocessing):
    text = "the film " + "zebra " * 1000 + "was not good was not good"
    tokens = features_of(preprocessing, text)["tokens"][0]
    read = ["the", "film", "was", "not", "good", "was", "not", "good"]
    assert tokens == [WORDS.index(word) + UNKNOWN + 1 for word in read]


def test_ngrams_of_a_long_text_come_from_all_of_it(preprocessing):
    middle = " zebra " * 20 + "not good" + " zebra " * 20
    features = features_of(preprocessing, middle)
    assert features["tokens"][0] == [UNKNOWN] * MAX_TOKENS
    assert features["ngrams"] == features_of(preprocessing, "not good")["ngrams"]


def test_a_text_of_100_000_words(preprocessing):
    text = "the film " + "dull " * 99_994 + "was not good bad"
    features = features_of(preprocessing, text, "good")
    assert len(features["tokens"][0]) == MAX_TOKENS
    assert len(features["tokens"][1]) == 1
    # the, film, was, not, good; the film, was not, not good; was not good
    assert len(features["ngrams"][0]) == 9


@pytest.mark.parametrize("head_fraction", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("max_tokens", [2, 3, 8])
def test_head_and_tail_reads_max_tokens_and_no_token_of_short_texts_is_lost(
    head_fraction, max_tokens
):
    text = SentimentConfig.model_validate(
        {"text": {"max_tokens": max_tokens, "head_fraction": head_fraction}}
    ).text
    lengths = [1, max_tokens - 1, max_tokens, max_tokens + 1, 50]
    read = head_and_tail(tf.constant(lengths, tf.int64), text).to_list()
    assert [len(row) for row in read] == lengths
    assert [sum(row) for row in read] == [min(n, max_tokens) for n in lengths]
    head = round(head_fraction * max_tokens)
    assert read[-1][:head] == [True] * head
    if head < max_tokens:
        assert read[-1][head - max_tokens :] == [True] * (max_tokens - head)


def test_fingerprints_of_different_ngrams_differ():
    words = [f"w{number}" for number in range(60)]
    pairs = [[first, second] for first in words for second in words]
    ragged = tf.ragged.constant(pairs)
    ones = ngram_fingerprints(tf.ragged.constant([words]), 1).flat_values.numpy()
    twos = ngram_fingerprints(ragged, 2).flat_values.numpy()
    assert len(np.unique(np.concatenate([ones, twos]))) == len(words) + len(pairs)
    assert min(ones.min(), twos.min()) >= 0
    assert max(ones.max(), twos.max()) > 2**60


def test_fingerprints_differ_by_order_and_borders_of_words():
    ngrams = [["a", "b"], ["b", "a"], ["ab", "c"], ["a", "bc"]]
    fingerprints = ngram_fingerprints(tf.ragged.constant(ngrams), 2)
    assert len(set(fingerprints.flat_values.numpy().tolist())) == len(ngrams)


def test_a_text_shorter_than_an_ngram_has_none_of_it():
    tokens = tf.ragged.constant([["a"], ["a", "b"], ["a", "b", "c"]])
    lengths = ngram_fingerprints(tokens, 3).row_lengths().numpy().tolist()
    assert lengths == [0, 0, 1]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.integers(0, 5), max_size=8), max_size=5))
def test_unique_in_rows_keeps_the_first_of_each(rows):
    ragged = tf.ragged.constant(rows, dtype=tf.int64, ragged_rank=1)
    assert unique_in_rows(ragged).to_list() == [list(dict.fromkeys(r)) for r in rows]


def id_of(preprocessing, ngram):
    """Of an n-gram by itself; 0 if it is not known."""
    words = ngram.split()
    return preprocessing.ngram_ids(tf.ragged.constant([words]), len(words)).to_list()[
        0
    ][0]


def test_each_read_token_brings_the_ngrams_that_begin_with_it(preprocessing):
    text = "the film was not good"
    (ids,) = features_of(preprocessing, text)["ngram_features"]
    words = text.split()
    expected = [
        [
            id_of(preprocessing, " ".join(words[begin : begin + width]))
            if begin + width <= len(words)
            else PADDING
            for width in (1, 2, 3)
        ]
        for begin in range(len(words))
    ]
    assert ids == expected
    assert PADDING not in ids[0]
    assert ids[-1][1:] == [PADDING, PADDING]


def test_unknown_ngrams_bring_padding(preprocessing):
    (ids,) = features_of(preprocessing, "good zebra film")["ngram_features"]
    assert ids[1] == [PADDING] * 3
    assert ids[0][1:] == ids[2][1:] == [PADDING, PADDING]
    assert PADDING not in (ids[0][0], ids[2][0])


def test_of_a_long_text_the_read_tokens_alone_bring_ngrams(preprocessing):
    """Those of the unread text behind the head and before the tail too."""
    text = "the film was" + " zebra" * 100 + " not good" + " bad" * (MAX_TOKENS - 3)
    features = features_of(preprocessing, text)
    (ids,) = features["ngram_features"]
    assert len(ids) == len(features["tokens"][0]) == MAX_TOKENS
    assert ids[1] == [
        id_of(preprocessing, "film"),
        id_of(preprocessing, "film was"),
        PADDING,
    ]
    assert ids[2][0] == id_of(preprocessing, "good")


def test_ratios_replace_the_ids_of_ngram_features():
    ratios = np.arange(8, dtype=np.float32).reshape(4, 2)
    ids = np.array([[[1, 3], [2, 0]], [[3, 3], [0, 0]]], np.int32)
    features = {
        "tokens": tf.constant([[5, 6], [7, 0]]),
        "ngram_features": tf.constant(ids),
    }
    found = with_ratios(features, tf.constant(ratios))
    assert found["tokens"] is features["tokens"]
    expected = ratios[ids].reshape(2, 2, 4)
    np.testing.assert_array_equal(found["ngram_features"], expected)
    without = {"tokens": features["tokens"]}
    assert with_ratios(without, tf.constant(ratios)) == without


@pytest.mark.parametrize("classes", [2, 3])
def test_of_two_classes_the_ratios_of_one_are_features(tmp_path, classes):
    assert load_ratios(tmp_path) is None
    ratios = np.random.default_rng(0).normal(size=(4, 5, classes))
    np.save(tmp_path / "ngram_ratios.npy", ratios)
    expected = ratios[..., 1:] if classes == 2 else ratios
    np.testing.assert_array_equal(load_ratios(tmp_path), expected)


@pytest.mark.parametrize(
    ("wide", "ngram_features", "names"),
    [
        (False, False, {"tokens"}),
        (False, True, {"tokens", "ngram_features"}),
        (True, False, {"tokens", "ngrams"}),
    ],
)
def test_there_is_what_the_branches_take(tmp_path, wide, ngram_features, names):
    (tmp_path / "vocabulary.txt").write_text("[PADDING]\n[UNKNOWN]\ngood\n")
    if names != {"tokens"}:
        (tmp_path / "ngrams.txt").write_text("12345\n")
    configuration = SentimentConfig.model_validate(
        {"wide": {"enabled": wide}, "model": {"ngram_features": ngram_features}}
    )
    features = features_of(Preprocessing(configuration, tmp_path), "good zebra")
    assert set(features) == names
    assert features["tokens"] == [[2, UNKNOWN]]


def test_no_text_at_all_has_no_features(preprocessing):
    tokens = preprocessing.tokens(tf.zeros([0], tf.string))
    features = preprocessing.features(tokens)
    assert [int(ids.nrows()) for ids in features.values()] == [0, 0, 0]
