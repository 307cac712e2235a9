"""Texts to translations: ensembles, odd texts, and the exported artefact."""

import functools

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_text")

from recurra.pipelines.samples.english_german.pairs import sample_pairs  # noqa: E402
from recurra.pipelines.sequence_to_sequence.batches import shifted, with_end  # noqa: E402
from recurra.pipelines.sequence_to_sequence.config import DecodingConfig  # noqa: E402
from recurra.pipelines.sequence_to_sequence.decoding import (  # noqa: E402
    Penalties,
    Search,
    beam_search,
)
from recurra.pipelines.sequence_to_sequence.ensemble import Ensemble  # noqa: E402
from recurra.pipelines.sequence_to_sequence.generator import Generator  # noqa: E402
from recurra.pipelines.sequence_to_sequence.model import SequenceToSequenceModel  # noqa: E402
from recurra.pipelines.sequence_to_sequence.serving import SequenceToSequenceServing  # noqa: E402
from recurra.pipelines.sequence_to_sequence.subwords import BOS, EOS, PADDING  # noqa: E402

from .conftest import COPIES  # noqa: E402

ENGLISH, GERMAN = sample_pairs(300).splits["train"]
LONGEST = 40
ODD_TEXTS = [
    "",
    "   ",
    "\x00\x07\u200b",
    "漢字と仮名。次の文！",
    "a" * 3_000,
    "One. Two! Three? " * 60,
    "👩‍👧 " * 200,
    "<s> </s> <pad> ▁",
]


@pytest.fixture(scope="module")
def generator(models, subwords):
    """A function of numbers of models and of options; traced once for the same ones."""

    @functools.cache
    def generator_of(*numbers, language="de", **decoding):
        config = DecodingConfig(**{"beam_size": 3, "decode_batch_size": 4, **decoding})
        of = [models[number] for number in numbers]
        return Generator(of, subwords, config, LONGEST, language)

    return generator_of


@pytest.fixture(scope="module")
def one(generator):
    return generator(0)


def assert_alike(found, expected):
    """Translations with their scores are the same, but for what rounding decides.

    Two hypotheses can be so close that another order of sums prefers the other one.
    """
    texts, scores = found
    expected_texts, expected_scores = expected
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-3, atol=1e-4)
    others = sum(a != b for a, b in zip(texts, expected_texts, strict=True))
    assert others <= len(texts) // 6


def test_no_text_depends_on_the_others(one):
    together = one.generate(ENGLISH[:9])
    assert len(set(together[0])) > 1
    alone = [one.generate([text]) for text in ENGLISH[:9]]
    texts, scores = zip(*alone, strict=True)
    assert_alike((sum(texts, []), np.concatenate(scores)), together)


def test_a_score_is_the_sum_over_steps(one, models, subwords):
    source, target = ENGLISH[4], GERMAN[4]
    (total,), (pieces,) = one.score([source], [target])
    ids, model = subwords.target.encode([target]).to_list()[0] + [EOS], models[0]
    encoded = with_end(subwords.source.encode([source])).to_tensor(PADDING)
    memory, states = model.begin(encoded)
    expected, before = 0.0, BOS
    for piece in ids:
        readout, states = model.step(memory, states, tf.constant([before]))
        logs = tf.nn.log_softmax(model.logits(readout))[0].numpy()
        expected, before = expected + logs[piece], piece
    assert pieces == len(ids)
    np.testing.assert_allclose(total, expected, rtol=1e-4)


def test_what_copies_scores_as_it_searches(generator, models, subwords):
    source = with_end(subwords.source.encode(ENGLISH[:3])).to_tensor(PADDING)
    found = beam_search(
        Ensemble(models[COPIES:]), source, tf.fill([3], 12), Search(beams=3)
    )
    # Of the pieces that were found, since their text may be cut into others.
    pieces = found.ids[:, 0, 1:]
    scored = generator(COPIES)._log_probabilities(source, pieces)
    np.testing.assert_allclose(scored, found.log_probabilities[:, 0], rtol=1e-3)


def test_scores_of_pairs_do_not_depend_on_their_order(one):
    totals, pieces = one.score(ENGLISH[:9], GERMAN[:9])
    back, _ = one.score(ENGLISH[:9][::-1], GERMAN[:9][::-1])
    np.testing.assert_allclose(totals, back[::-1], rtol=1e-4)


def test_the_same_model_twice_is_the_model(one, generator):
    twice = generator(0, 0)
    assert_alike(twice.generate(ENGLISH[:6]), one.generate(ENGLISH[:6]))
    np.testing.assert_allclose(
        twice.score(ENGLISH[:6], GERMAN[:6])[0],
        one.score(ENGLISH[:6], GERMAN[:6])[0],
        rtol=1e-4,
    )


def test_an_ensemble_gives_the_mean_of_probabilities(generator):
    # Of the empty translation there is one piece, the end.
    first, second, both = (
        np.exp(generator(*numbers).score([ENGLISH[3]], [""])[0])
        for numbers in ((0,), (1,), (0, 1))
    )
    np.testing.assert_allclose(both, (first + second) / 2, rtol=1e-4)


def test_translations_follow_the_weights_as_training_changes_them(
    generator, models, subwords
):
    sizes = subwords.source.vocabulary_size, subwords.target.vocabulary_size
    model = SequenceToSequenceModel(models[0].section, *sizes, joint=True)
    model.build()
    config = DecodingConfig(beam_size=3, decode_batch_size=4)
    follows = Generator([model], subwords, config, LONGEST, "de")
    for number in (0, 1):
        model.set_weights(models[number].get_weights())
        expected = generator(number).generate(ENGLISH[:6])
        assert_alike(follows.generate(ENGLISH[:6]), expected)
    model.set_weights(models[0].get_weights())
    np.testing.assert_array_equal(follows.variables()[-1], models[0].projection())


def test_a_score_has_the_penalty_of_what_attention_left_out(models, subwords):
    source = with_end(subwords.source.encode(ENGLISH[:4])).to_tensor(PADDING)
    search = Search(beams=2, penalties=Penalties(coverage=0.4))
    found = beam_search(Ensemble(models[:2]), source, tf.fill([4], 12), search)
    # Behind the token of the beginning.
    target = found.ids[:, 0, 1:]
    weights = np.mean(
        [
            model.decode(shifted(target), *model.begin(source)).weights
            for model in models[:2]
        ],
        axis=0,
    )
    attended = (weights * (target != PADDING).numpy()[:, :, None]).sum(1)
    logs = np.where(source != PADDING, np.log(np.clip(attended, 1e-9, 1)), 0)
    assert (logs.sum(1) < -0.1).all()
    np.testing.assert_allclose(
        found.scores[:, 0],
        found.log_probabilities[:, 0] + 0.4 * logs.sum(1),
        rtol=1e-3,
    )


def test_the_best_of_a_list_is_the_translation(one, generator):
    best = one.nbest(ENGLISH[:5], 3)
    assert [len(row) for row in best] == [3] * 5
    assert all(len(set(row)) > 1 for row in best)
    # Lists come of five hypotheses at least.
    wide, scores = generator(0, beam_size=5).generate(ENGLISH[:5])
    assert_alike(([row[0] for row in best], scores), (wide, scores))
    assert len(one.nbest(ENGLISH[:2], 100)[0]) == 5


@pytest.mark.parametrize("most", [1, 100])
def test_how_many_are_together_changes_no_answer(
    one, models, subwords, monkeypatch, most
):
    def answers(generator):
        translations, scores = generator.generate(ENGLISH[:9])
        score = generator.score(ENGLISH[:9], GERMAN[:9])[0]
        return (translations, scores), score, generator.align(ENGLISH[:9])

    def in_batches(self, sizes, limit, *rest):
        return of_all(self, sizes, most, *rest)

    expected, expected_score, expected_alignments = answers(one)
    of_all = Generator._in_batches
    monkeypatch.setattr(Generator, "_in_batches", in_batches)
    config = DecodingConfig(beam_size=3, decode_batch_size=64)
    other = Generator(models[:1], subwords, config, LONGEST, "de")
    found, score, alignments = answers(other)
    assert_alike(found, expected)
    np.testing.assert_allclose(score, expected_score, rtol=1e-4)
    for alignment, other in zip(alignments, expected_alignments, strict=True):
        if alignment.target_pieces == other.target_pieces:
            np.testing.assert_allclose(alignment.weights, other.weights, atol=1e-4)


def test_draws_repeat_with_their_seed(one):
    first = one.sample(ENGLISH[:6], 1.0, seed=1)
    assert first == one.sample(ENGLISH[:6], 1.0, seed=1)
    assert first != one.sample(ENGLISH[:6], 1.0, seed=2)


@pytest.mark.parametrize("temperature", [1e-4, 0.0, -1.0, np.nan, np.inf])
def test_any_temperature_draws_translations_and_next_to_none_is_greedy(
    generator, temperature
):
    greedy = generator(0, beam_size=1)
    expected, scores = greedy.generate(ENGLISH[:6])
    drawn = greedy.sample(ENGLISH[:6], temperature, seed=1)
    assert any(drawn)
    if temperature < 1:
        assert_alike((drawn, scores), (expected, scores))
    else:
        assert drawn != expected


def test_a_long_text_is_its_sentences_translated(one, generator):
    sentences = [text for text in ENGLISH if len(text) < 60][:6]
    for parted, space in ((one, " "), (generator(0, language="zh-Hant"), "")):
        # Both times the same batches are decoded, whose rounding is the same.
        single, _ = parted.generate(sentences)
        (joined,), _ = parted.generate([" ".join(sentences)])
        assert joined.split() == space.join(single).split()


def test_a_text_is_translated_line_by_line(one):
    lines = sorted(ENGLISH, key=len)[:3]
    each, scores = one.generate(lines)
    (together,), (score,) = one.generate(["\r\n".join([*lines[:2], "", lines[2]])])
    assert together.splitlines() == [*each[:2], "", each[2]]
    np.testing.assert_allclose(score, scores.mean(), rtol=1e-3)


def test_as_many_translations_as_texts_are_scored(one):
    for texts, translations in ((["a", "b"], ["x"]), (["a"], ["x", "y"])):
        with pytest.raises(tf.errors.InvalidArgumentError, match="as many outputs"):
            one.score(texts, translations)


def test_alignments_are_of_the_pieces_said(one):
    texts = sorted(ENGLISH, key=len)[:3]
    for text, found in zip(texts, one.align(texts), strict=True):
        assert "".join(found.source_pieces) == "▁" + text.replace(" ", "▁") + "</s>"
        assert found.target_pieces[-1] == "</s>"
        assert found.weights.shape == (
            len(found.target_pieces),
            len(found.source_pieces),
        )
        np.testing.assert_allclose(found.weights.sum(1), 1.0, rtol=1e-4)


@pytest.mark.parametrize("beams", [1, 3])
def test_odd_texts_have_answers(generator, beams):
    odd = generator(0, beam_size=beams) if beams == 1 else generator(0)
    translations, scores = odd.generate(ODD_TEXTS)
    assert translations[:3] == ["", "", ""]
    assert np.isfinite(scores).all()
    assert odd.generate([])[0] == []
    assert len(odd.align(ODD_TEXTS)) == len(odd.nbest(ODD_TEXTS, 2)) == len(ODD_TEXTS)
    totals, _ = odd.score(ODD_TEXTS, ODD_TEXTS[::-1])
    assert np.isfinite(totals).all()
    assert len(odd.score([], [])[0]) == 0


def test_what_is_exported_says_the_same(one, subwords, tmp_path):
    serving = SequenceToSequenceServing(one, subwords, "any", "said")
    tf.saved_model.save(serving, str(tmp_path / "1"), signatures=serving.signatures())
    loaded = tf.saved_model.load(str(tmp_path / "1"))

    def answer(name, **inputs):
        return loaded.signatures[name](**inputs)

    def texts_of(translations):
        return [text.decode() for text in translations.numpy()]

    texts = ENGLISH[:6] + ODD_TEXTS[:4]
    text = tf.constant(texts)
    said = answer("serving_default", text=text)
    expected, scores = one.generate(texts)
    translations = texts_of(said["said"])
    assert_alike((translations, said["score"]), (expected, scores))
    best = answer("nbest", text=text, k=tf.constant(2))["said"][:, 0]
    expected_best = [row[0] for row in one.nbest(texts, 2)]
    assert_alike((texts_of(best), scores), (expected_best, scores))
    how = {"temperature": tf.constant(1.0), "seed": tf.constant(1)}
    drawn = texts_of(answer("sample", text=text, **how)["said"])
    assert_alike((drawn, scores), (one.sample(texts, 1.0, seed=1), scores))
    scored = answer("score", text=text, said=text)["log_probability"]
    np.testing.assert_allclose(scored, one.score(texts, texts)[0], rtol=1e-4)
    no_text = tf.constant([b"\xff\xfe\x00", b"\xc3"])
    assert np.isfinite(answer("serving_default", text=no_text)["score"]).all()
    seen = answer("attend", text=text)["weights"].numpy()
    for row, (weights, alignment) in enumerate(
        zip(seen, one.align(texts), strict=True)
    ):
        height, width = alignment.weights.shape
        if translations[row] == expected[row]:
            np.testing.assert_allclose(
                weights[:height, :width], alignment.weights, atol=1e-4
            )
