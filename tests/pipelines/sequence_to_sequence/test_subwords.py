"""Subwords: nothing unknown, nothing lost, the same in the graph and out of it."""

import collections
import logging
import os
import random
import subprocess
import sys

import keras
import numpy as np
import pytest

sentencepiece = pytest.importorskip("sentencepiece")
pytest.importorskip("tensorflow_text")

import tensorflow as tf  # noqa: E402
from sentencepiece import sentencepiece_model_pb2  # noqa: E402

from recurra.pipelines.core.configuration import make_configuration  # noqa: E402
from recurra.pipelines.core.errors import UserError  # noqa: E402
from recurra.pipelines.data.texts.normalised_text import normalise_text  # noqa: E402
from recurra.pipelines.data.texts.sentence_pairs import PairSplit  # noqa: E402
from recurra.pipelines.data.texts.words import count_words  # noqa: E402
from recurra.pipelines.samples.english_german.pairs import sample_pairs  # noqa: E402
from recurra.pipelines.sequence_to_sequence.config import SubwordsConfig  # noqa: E402
from recurra.pipelines.sequence_to_sequence.subword_sampling import PieceSampler  # noqa: E402
from recurra.pipelines.sequence_to_sequence.subwords import (  # noqa: E402
    BOS,
    EOS,
    PADDING,
    UNKNOWN,
    Subwords,
    describe_subwords,
    fit_subwords,
    normalise,
)

ENGLISH, GERMAN = sample_pairs(300).splits["train"]

ODD_TEXTS = [
    "plain words",
    "  two  spaces\tand a tab ",
    "",
    " ",
    "line\u2028separator, next\x85line, \x00 NUL and \x7f",
    "never seen: 漢字 кириллица العربية 👩‍👧 ไทย",
    "re\u0301sume\u0301 \ufeff soft\xadhyphen zero\u200bwidth \u3000wide",
    "<s> </s> <unk> <pad> <0x41> ▁",
    "A\u030angstro\u0308m \u1100\u1161",
]


def strings(texts):
    return np.array(texts, dtype=object)


@pytest.fixture(scope="module")
def joint(fit):
    return fit()


def encoded(pieces, *texts):
    return pieces.encode(tf.constant(texts)).to_list()


def test_special_tokens_have_their_ids(joint):
    model = sentencepiece.SentencePieceProcessor(str(joint / "source.model"))
    ids = model.pad_id(), model.unk_id(), model.bos_id(), model.eos_id()
    assert ids == (PADDING, UNKNOWN, BOS, EOS) == (0, 1, 2, 3)


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_the_graph_encodes_as_sentencepiece_does(fit, algorithm):
    assets = fit(algorithm=algorithm)
    subwords = Subwords(assets)
    texts = [*ENGLISH[:3], *GERMAN[:3], "unseen 漢字"]
    for side, own in (("source", ENGLISH), ("target", GERMAN)):
        path = str(assets / f"{side}.model")
        model = sentencepiece.SentencePieceProcessor(path)
        assert model.vocab_size() == 500
        pieces = getattr(subwords, side)
        assert encoded(pieces, *texts) == [model.encode(text) for text in texts]
        characters = sum(map(len, own))
        assert sum(map(len, encoded(pieces, *own))) < characters / 1.5


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_no_character_is_unknown_and_none_is_lost(joint, text):
    pieces = Subwords(joint).source
    ids = pieces.encode(tf.constant([text]))
    assert ids.dtype == tf.int32
    assert not {PADDING, UNKNOWN, BOS, EOS} & set(ids.flat_values.numpy())
    (back,) = pieces.decode(ids).numpy()
    # sentencepiece's own sign for a space is the one that cannot be told from it.
    assert back.decode() == normalise_text(text.replace("▁", " "))


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_the_graph_normalises_as_the_loader_does(text):
    (normalised,) = normalise(tf.constant([text])).numpy()
    assert normalised.decode() == normalise_text(text)


def drawn_by(pieces, texts, alpha, seed):
    (drawn,) = pieces.sample([texts], alpha, seed)
    return drawn


@pytest.mark.parametrize(
    ("algorithm", "mild", "wild"), [("unigram", 0.9, 0.1), ("bpe", 0.05, 0.5)]
)
def test_drawn_pieces_are_other_cuts_of_the_same_texts(fit, algorithm, mild, wild):
    pieces = Subwords(fit(algorithm=algorithm)).source
    texts = ["", *ENGLISH[:50], "never seen: 漢字 <s>"]
    best = pieces.encode(tf.constant(texts))
    drawn = drawn_by(pieces, texts, wild, seed=7)
    assert drawn.dtype == best.dtype
    assert [text.decode() for text in pieces.decode(drawn).numpy()] == texts
    assert UNKNOWN not in drawn.flat_values
    assert drawn.to_list() == drawn_by(pieces, texts, wild, seed=7).to_list()
    assert drawn.to_list() != drawn_by(pieces, texts, wild, seed=8).to_list()
    parts = pieces.sample([texts[:20], texts[20:]], wild, seed=7)
    assert tf.concat(list(parts), 0).to_list() == drawn.to_list()

    def others(ids):
        return sum(a != b for a, b in zip(ids.to_list(), best.to_list(), strict=True))

    assert others(drawn) > 45
    assert others(drawn_by(pieces, texts, mild, seed=7)) < 40


@pytest.mark.parametrize(("algorithm", "alpha"), [("unigram", 0.3), ("bpe", 0.2)])
def test_pieces_are_drawn_as_often_as_sentencepiece_draws_them(fit, algorithm, alpha):
    assets = fit(algorithm=algorithm)
    model = sentencepiece.SentencePieceProcessor(str(assets / "target.model"))
    texts = [text for text in GERMAN[:20] for _ in range(200)]
    drawn = PieceSampler(proto_of(assets, "target"), alpha).sample(
        texts, random.Random(1)
    )
    assert [model.decode(ids) for ids in drawn] == texts
    other = model.encode(texts, enable_sampling=True, alpha=alpha, nbest_size=-1)
    lengths, expected = (
        np.array([len(ids) for ids in rows]).reshape(20, 200) for rows in (drawn, other)
    )
    # Of all draws, since those of one text differ more than the two ways of drawing.
    # sentencepiece leaves out a merge for good, and not for one step, with bpe.
    tolerance = 0.02 if algorithm == "unigram" else 0.15
    assert lengths.mean() == pytest.approx(expected.mean(), rel=tolerance)
    assert (lengths.std(1) > 0.5 * expected.std(1)).all()


def test_no_merge_is_left_out_and_none_made_at_the_ends_of_alpha(fit):
    assets = fit(algorithm="bpe")
    model = sentencepiece.SentencePieceProcessor(str(assets / "target.model"))
    proto = proto_of(assets, "target")
    merged = PieceSampler(proto, 0.0).sample(GERMAN, random.Random(0))
    assert merged == model.encode(GERMAN)
    characters = PieceSampler(proto, 1.0).sample(["Der Hund"], random.Random(0))
    assert model.id_to_piece(characters[0]) == list("▁Der▁Hund")


DRAW = """
import random, sys
from sentencepiece import sentencepiece_model_pb2
from recurra.pipelines.sequence_to_sequence.subword_sampling import PieceSampler
model = sentencepiece_model_pb2.ModelProto.FromString(open(sys.argv[1], "rb").read())
texts = ["The old sailor sees the small dog."] * 20
print(PieceSampler(model, 0.3).sample(texts, random.Random(5)))
"""


def test_another_process_draws_the_same_pieces(joint):
    drawn = {
        subprocess.run(
            [sys.executable, "-c", DRAW, str(joint / "source.model")],
            capture_output=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in "12"
    }
    assert len(drawn) == 1


def test_bytes_that_are_no_utf_8_give_an_answer(joint):
    pieces = Subwords(joint).source
    broken = tf.constant([b"\xff\xfe old", b"old \xe6\xbc", b"\xed\xa0\x80"])
    back = [text.decode() for text in pieces.decode(pieces.encode(broken)).numpy()]
    assert all("\ufffd" in text for text in back)
    assert "old" in back[0] and "old" in back[1]


def test_decoding_stops_at_the_end_and_leaves_special_tokens_out(joint):
    pieces = Subwords(joint).target
    one, other = encoded(pieces, "Der alte Müller", "sieht")
    rows = [
        [BOS, *one, EOS, *other],
        [*other, EOS, PADDING, PADDING],
        [EOS, *one],
        [PADDING],
        [UNKNOWN, *one],
    ]
    expected = [
        b"Der alte M\xc3\xbcller",
        b"sieht",
        b"",
        b"",
        b"Der alte M\xc3\xbcller",
    ]
    ragged = tf.ragged.constant(rows, dtype=tf.int32)
    assert pieces.decode(ragged).numpy().tolist() == expected
    assert pieces.decode(ragged.to_tensor(PADDING)).numpy().tolist() == expected


def test_bytes_in_an_order_that_is_no_character_decode_to_a_replacement(joint):
    pieces = Subwords(joint).target
    first_bytes_of_kanji = encoded(pieces, "漢")[0][:-1]
    (text,) = pieces.decode(tf.constant([first_bytes_of_kanji])).numpy()
    assert "\ufffd" in text.decode()


def test_pieces_by_name(joint):
    pieces = Subwords(joint).source
    ids = pieces.encode(tf.constant(["old sailor"]))
    names = pieces.pieces(ids.to_tensor()).numpy()[0]
    assert b"".join(names).decode() == "▁old▁sailor"


def proto_of(assets, side):
    content = (assets / f"{side}.model").read_bytes()
    return sentencepiece_model_pb2.ModelProto.FromString(content)


def test_a_joint_vocabulary_is_one_and_separate_ones_are_two(fit, joint):
    apart = fit(joint=False, vocabulary_size=400)
    for assets, equal in ((joint, True), (apart, False)):
        assert sorted(path.name for path in assets.iterdir()) == [
            "source.model",
            "target.model",
        ]
        # Of separate ones the smaller language may have fewer.
        pairs = zip(
            *(proto_of(assets, side).pieces for side in ("source", "target")),
            strict=equal,
        )
        same = [
            one.piece == other.piece
            for one, other in pairs
            if one.type == other.type == one.NORMAL
        ]
        assert len(same) > 50
        assert all(same) == equal
    separate = Subwords(apart)
    source, target = (
        len(encoded(side, "Die Tante sieht den Hund")[0])
        for side in (separate.source, separate.target)
    )
    assert target < source


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
@pytest.mark.parametrize("threshold", [0, 1, 20])
def test_a_language_uses_the_pieces_that_it_often_has(fit, algorithm, threshold):
    made = {
        name: Subwords(fit(algorithm=algorithm, vocabulary_threshold=least))
        for name, least in (("all", 0), ("own", threshold))
    }
    for side, texts in (("source", ENGLISH), ("target", GERMAN)):
        every, own = (getattr(made[name], side) for name in ("all", "own"))
        cut, all_ids = encoded(own, *texts), encoded(every, *texts)
        names = every.pieces(np.arange(500, dtype=np.int32)).numpy()
        counts = collections.Counter(names[row] for ids in all_ids for row in ids)
        used = own.pieces(tf.ragged.constant(cut).flat_values).numpy()
        if threshold < 2:
            # Nothing is cut otherwise.
            assert list(map(len, cut)) == list(map(len, all_ids))
        for piece in set(used):
            short = len(piece.decode()) == 1
            assert short or counts[piece] >= threshold
        assert [
            each.decode() for each in own.decode(tf.ragged.constant(cut)).numpy()
        ] == texts
        # Any text can still be written.
        other = "never seen: 漢字 Straßen quer"
        (back,) = own.decode(own.encode(tf.constant([other]))).numpy()
        assert back.decode() == other
    smaller = made["own"].target.vocabulary_size < 500
    assert smaller == (threshold > 0)
    # What the source alone uses comes after all of the target.
    assert made["own"].source.vocabulary_size >= made["own"].target.vocabulary_size


def test_the_same_sentences_give_the_same_file(joint, tmp_path):
    section = SubwordsConfig(vocabulary_size=500)
    fit_subwords(section, strings(ENGLISH), strings(GERMAN), tmp_path, seed=0)
    for name in ("source.model", "target.model"):
        model = (tmp_path / name).read_bytes()
        assert model == (joint / name).read_bytes()
        assert b".tsv" not in model


def test_it_is_fitted_to_a_part_that_the_seed_draws(tmp_path):
    section = SubwordsConfig(vocabulary_size=400, max_training_sentences=20)
    models = []
    for seed in (0, 0, 1):
        fit_subwords(section, strings(ENGLISH), strings(GERMAN), tmp_path, seed)
        models.append((tmp_path / "source.model").read_bytes())
    assert models[0] == models[1] != models[2]


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_few_sentences_make_a_smaller_vocabulary_and_a_note(
    tmp_path, caplog, algorithm
):
    section = SubwordsConfig(vocabulary_size=8_000, algorithm=algorithm)
    with caplog.at_level(logging.INFO, "recurra"):
        fit_subwords(section, strings(["a b", ""]), strings(["c"]), tmp_path, seed=0)
    size = len(proto_of(tmp_path, "source").pieces)
    assert 260 < size < 300
    assert f"a vocabulary of {size}, not of 8,000" in caplog.text


def test_more_characters_than_pieces_is_an_error_that_says_what_to_do(tmp_path):
    kanji = strings([chr(0x4E00 + number) for number in range(400)])
    section = SubwordsConfig(vocabulary_size=400)
    with pytest.raises(UserError, match=r"subwords.vocabulary_size: 400.*raise it"):
        fit_subwords(section, kanji, kanji, tmp_path, seed=0)
    assert not list(tmp_path.iterdir())


def test_setting_a_seed_leaves_the_vocabulary_there(joint):
    # TensorFlow drops its kernels then, and with them what they own.
    pieces = Subwords(joint).source
    before = encoded(pieces, "old")
    keras.utils.set_random_seed(1)
    assert encoded(pieces, "old") == before


class Encoder(tf.Module):
    """Encodes and decodes again."""

    def __init__(self, assets):
        super().__init__()
        self.subwords = Subwords(assets)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def both(self, text):
        ids = self.subwords.source.encode(text)
        return {"ids": ids.to_tensor(), "text": self.subwords.target.decode(ids)}


def test_exported_vocabularies_are_not_mixed_up(fit, joint, tmp_path):
    loaded = []
    for number, assets in enumerate((joint, fit(joint=False))):
        encoder = Encoder(assets)
        folder = str(tmp_path / str(number))
        tf.saved_model.save(encoder, folder, signatures=encoder.both)
        loaded.append((encoder, tf.saved_model.load(folder)))
    texts = tf.constant(ODD_TEXTS)
    ids = []
    for encoder, model in loaded:
        answers = model.signatures["serving_default"](text=texts)
        for name, value in encoder.both(texts).items():
            np.testing.assert_array_equal(answers[name], value)
        ids.append(answers["ids"].numpy().tolist())
    assert ids[0] != ids[1]


@pytest.mark.parametrize("joint", [True, False])
def test_characters_and_words_are_small_vocabularies(fit, tmp_path, joint):
    sides = ENGLISH, GERMAN
    characters = fit(joint=joint, algorithm="characters")
    words = fit(joint=joint, algorithm="words", vocabulary_size=2_000)
    for assets, cut in ((characters, list), (words, str.split)):
        encoder = Encoder(assets)
        tf.saved_model.save(encoder, str(tmp_path / cut.__name__), None)
        loaded = tf.saved_model.load(str(tmp_path / cut.__name__))
        for name, texts in zip(("source", "target"), sides, strict=True):
            pieces = getattr(encoder.subwords, name)
            ids = pieces.encode(tf.constant(texts))
            units = {unit for text in texts for unit in cut(text)}
            assert len(set(ids.flat_values.numpy())) == len(units)
            if not joint:
                assert pieces.vocabulary_size == 4 + len(units)
            assert list(map(len, ids.to_list())) == [len(cut(text)) for text in texts]
            assert [each.decode() for each in pieces.decode(ids).numpy()] == texts
        of_graph = loaded.both(tf.constant(ENGLISH))["ids"]
        of_texts = encoder.subwords.source.encode(tf.constant(ENGLISH)).to_tensor()
        np.testing.assert_array_equal(of_graph, of_texts)


@pytest.mark.parametrize("algorithm", ["characters", "words"])
def test_what_small_vocabularies_lack_is_unknown(fit, algorithm):
    subwords = Subwords(fit(algorithm=algorithm, vocabulary_size=2_000))
    # That only the other side has is unknown too.
    for text in ("漢", "ß" if algorithm == "characters" else "Tante"):
        assert encoded(subwords.source, text) == [[UNKNOWN]]
    split = PairSplit(strings(["漢"]), strings([""]))
    assert describe_subwords(subwords, split)["source"]["unknown_fraction"] == 1
    (said,) = subwords.target.decode(tf.constant([[UNKNOWN, EOS]])).numpy()
    assert said == b""


def test_subwords_are_described(joint):
    subwords = Subwords(joint)
    split = PairSplit(strings(ENGLISH[:40]), strings(GERMAN[:40]))
    described = describe_subwords(subwords, split)
    assert described["source"]["vocabulary"] == subwords.source.vocabulary_size
    pieces = subwords.target.encode(split.target.tolist())
    assert described["target"]["pieces"]["100"] == int(max(pieces.row_lengths()))
    words = sum(map(count_words, split.target))
    ratio = len(pieces.flat_values) / words
    assert described["target"]["pieces_per_word"] == pytest.approx(ratio)
    assert described["source"]["spelt_fraction"] == 0
    foreign = PairSplit(strings(["漢字"]), strings([""]))
    assert describe_subwords(subwords, foreign)["source"]["spelt_fraction"] > 0.8


@pytest.mark.parametrize(
    "values",
    [
        *({"algorithm": "wordpiece"}, {"vocabulary_size": 259}, {"pieces": 1}),
        # sentencepiece takes no less.
        {"character_coverage": 0.97},
        *({"target_algorithm": "words"}, {"vocabulary_size": 9, "algorithm": "bpe"}),
        {"sampling_alpha": 0.1, "algorithm": "characters"},
    ],
)
def test_values_that_are_refused(values):
    with pytest.raises(UserError, match=next(iter(values))):
        make_configuration(SubwordsConfig, [("test", values)])
