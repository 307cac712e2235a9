"""Texts to translations: joined graphs, odd texts, and the exported artefact."""

import json
import subprocess
import sys

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_text")

from recurra.pipelines.datasets.translation_sample import sample_pairs  # noqa: E402
from recurra.pipelines.translation.batches import shifted, with_end  # noqa: E402
from recurra.pipelines.translation.config import (  # noqa: E402
    DecodingSection,
    ModelSection,
)
from recurra.pipelines.translation.decoding import (  # noqa: E402
    Penalties,
    Search,
    beam_search,
)
from recurra.pipelines.translation.ensemble import Ensemble  # noqa: E402
from recurra.pipelines.translation.model import TranslationModel  # noqa: E402
from recurra.pipelines.translation.serving import TranslationServing  # noqa: E402
from recurra.pipelines.translation.subwords import PADDING  # noqa: E402
from recurra.pipelines.translation.translator import Translator  # noqa: E402

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
def models(subwords):
    """Untrained, but with weights large enough that translations differ."""
    section = ModelSection(
        embedding_size=8, encoder_units=6, decoder_units=9, attention_units=5
    )
    sizes = subwords.source.vocabulary_size, subwords.target.vocabulary_size
    made = []
    for seed in range(2):
        model = TranslationModel(section, *sizes, joint=True, seed=seed)
        model.build()
        generator = np.random.default_rng(seed)
        for variable in model.trainable_variables:
            variable.assign(generator.normal(size=variable.shape) * 0.7)
        # So that sentences end.
        model.output_bias.assign(tf.one_hot(3, sizes[1]) * 3.0)
        made.append(model)
    return made


def translator(models, subwords, longest=LONGEST, language="de", **decoding):
    section = DecodingSection(**{"beam_size": 3, "sentences_together": 4, **decoding})
    return Translator(models, subwords, section, longest, language)


@pytest.fixture(scope="module")
def one(models, subwords):
    return translator(models[:1], subwords)


@pytest.fixture(scope="module")
def serving(one, subwords):
    return TranslationServing(one, subwords)


def test_no_text_depends_on_the_others(one):
    together, scores = one.translate(ENGLISH[:9])
    assert len(set(together)) > 1
    for row in range(9):
        alone, score = one.translate(ENGLISH[row : row + 1])
        assert alone == together[row : row + 1]
        np.testing.assert_allclose(score[0], scores[row], rtol=1e-4)


def test_a_score_is_the_sum_over_steps(one, models, subwords):
    source, target = ENGLISH[4], GERMAN[4]
    (total,), (pieces,) = one.score([source], [target])
    ids, model = subwords.target.encode([target]).to_list()[0] + [3], models[0]
    encoded = with_end(subwords.source.encode([source])).to_tensor(PADDING)
    memory, states = model.begin(encoded)
    expected, before = 0.0, 2
    for piece in ids:
        readout, states = model.step(memory, states, tf.constant([before]))
        logs = tf.nn.log_softmax(model.logits(readout))[0].numpy()
        expected, before = expected + logs[piece], piece
    assert pieces == len(ids)
    np.testing.assert_allclose(total, expected, rtol=1e-4)


def test_scores_of_pairs_do_not_depend_on_their_order(one):
    totals, pieces = one.score(ENGLISH[:9], GERMAN[:9])
    back, _ = one.score(ENGLISH[:9][::-1], GERMAN[:9][::-1])
    np.testing.assert_allclose(totals, back[::-1], rtol=1e-4)


def test_the_same_model_twice_is_the_model(one, models, subwords):
    twice = translator([models[0], models[0]], subwords)
    expected, scores = one.translate(ENGLISH[:6])
    got, scores_of_two = twice.translate(ENGLISH[:6])
    assert got == expected
    np.testing.assert_allclose(scores_of_two, scores, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        twice.score(ENGLISH[:6], GERMAN[:6])[0],
        one.score(ENGLISH[:6], GERMAN[:6])[0],
        rtol=1e-4,
    )


def test_an_ensemble_gives_the_mean_of_probabilities(models, subwords):
    source, target = [ENGLISH[3]], [""]
    single = [
        translator([model], subwords).score(source, target)[0][0] for model in models
    ]
    both = translator(models, subwords).score(source, target)[0][0]
    # Of the empty translation there is one piece, the end.
    np.testing.assert_allclose(np.exp(both), np.mean(np.exp(single)), rtol=1e-4)


def test_translations_follow_the_weights_as_training_changes_them(models, subwords):
    first, second = models
    sizes = subwords.source.vocabulary_size, subwords.target.vocabulary_size
    model = TranslationModel(first.section, *sizes, joint=True)
    model.build()
    follows = translator([model], subwords)
    for of_epoch in (first, second):
        model.set_weights(of_epoch.get_weights())
        expected = translator([of_epoch], subwords).translate(ENGLISH[:6])
        got = follows.translate(ENGLISH[:6])
        assert got[0] == expected[0]
        np.testing.assert_array_equal(got[1], expected[1])
    model.set_weights(first.get_weights())
    serving = TranslationServing(follows, subwords)
    served = serving.translate(tf.constant(ENGLISH[:6]))
    expected, _ = translator([first], subwords).translate(ENGLISH[:6])
    assert [each.decode() for each in served["translation"].numpy()] == expected


def test_a_score_has_the_penalty_of_what_attention_left_out(models, subwords):
    source = with_end(subwords.source.encode(ENGLISH[:4])).to_tensor(PADDING)
    search = Search(beams=2, penalties=Penalties(coverage=0.4))
    found = beam_search(Ensemble(models), source, tf.fill([4], 12), search)
    # Behind the signal of the beginning.
    target = found.ids[:, 0, 1:]
    weights = np.mean(
        [
            model.decode(shifted(target), *model.begin(source)).weights
            for model in models
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


def test_the_best_of_a_list_is_the_translation(models, subwords):
    wide = translator(models[:1], subwords, beam_size=5)
    best = wide.nbest(ENGLISH[:5], 3)
    assert [len(row) for row in best] == [3] * 5
    assert [row[0] for row in best] == wide.translate(ENGLISH[:5])[0]
    assert len(wide.nbest(ENGLISH[:2], 100)[0]) == 5


@pytest.mark.parametrize("most", [1, 100])
def test_how_many_are_together_changes_no_answer(models, subwords, monkeypatch, most):
    def answers():
        made = translator(models[:1], subwords, sentences_together=64)
        translations, scores = made.translate(ENGLISH[:9])
        attended = [each.weights.ravel() for each in made.attend(ENGLISH[:9])]
        score = made.score(ENGLISH[:9], GERMAN[:9])[0]
        return translations, np.concatenate([scores, score, *attended])

    def in_batches(self, sizes, limit, *rest):
        return of_all(self, sizes, most, *rest)

    expected = answers()
    of_all = Translator._in_batches
    monkeypatch.setattr(Translator, "_in_batches", in_batches)
    got = answers()
    assert got[0] == expected[0]
    np.testing.assert_allclose(got[1], expected[1], rtol=1e-4, atol=1e-5)


def test_draws_repeat_with_their_seed(one):
    first = one.sample(ENGLISH[:6], 1.0, seed=1)
    assert first == one.sample(ENGLISH[:6], 1.0, seed=1)
    assert first != one.sample(ENGLISH[:6], 1.0, seed=2)


def test_draws_at_no_temperature_are_greedy(models, subwords):
    greedy = translator(models[:1], subwords, beam_size=1)
    assert greedy.sample(ENGLISH[:6], 1e-4) == greedy.translate(ENGLISH[:6])[0]


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.nan, np.inf])
def test_any_temperature_draws_translations(one, temperature):
    greedy_like = temperature <= 0
    drawn = one.sample(ENGLISH[:6], temperature, seed=1)
    assert any(drawn)
    assert (drawn == one.sample(ENGLISH[:6], 1e-6, seed=2)) == greedy_like


def test_a_long_text_is_its_sentences_translated(one, subwords):
    sentences = [text for text in ENGLISH if len(text) < 60][:6]
    single, _ = one.translate(sentences)
    (joined,), _ = one.translate([" ".join(sentences)])
    assert joined.split() == " ".join(single).split()


def test_languages_without_spaces_are_joined_without(models, subwords):
    sentences = [text for text in ENGLISH if len(text) < 60][:6]
    chinese = translator(models[:1], subwords, language="zh-Hant")
    single, _ = chinese.translate(sentences)
    (joined,), _ = chinese.translate([" ".join(sentences)])
    assert joined == "".join(single).strip()


def test_attention_is_over_the_pieces_said(one, subwords):
    texts = sorted(ENGLISH, key=len)[:3]
    for text, attention in zip(texts, one.attend(texts), strict=True):
        assert "".join(attention.source_pieces) == "▁" + text.replace(" ", "▁") + "</s>"
        assert attention.target_pieces[-1] == "</s>"
        assert attention.weights.shape == (
            len(attention.target_pieces),
            len(attention.source_pieces),
        )
        np.testing.assert_allclose(attention.weights.sum(1), 1.0, rtol=1e-4)


@pytest.mark.parametrize("beams", [1, 3])
def test_odd_texts_have_answers(models, subwords, beams):
    odd = translator(models[:1], subwords, beam_size=beams)
    translations, scores = odd.translate(ODD_TEXTS)
    assert translations[:3] == ["", "", ""]
    assert np.isfinite(scores).all()
    assert odd.translate([])[0] == []
    assert len(odd.attend(ODD_TEXTS)) == len(odd.nbest(ODD_TEXTS, 2)) == len(ODD_TEXTS)
    totals, _ = odd.score(ODD_TEXTS, ODD_TEXTS[::-1])
    assert np.isfinite(totals).all()
    assert len(odd.score([], [])[0]) == 0


def test_bytes_that_are_no_text_have_answers(serving):
    answer = serving.translate(tf.constant([b"\xff\xfe\x00", b"\xc3"]))
    assert np.isfinite(answer["score"].numpy()).all()


# Neither Keras nor this project is at hand there.
ALONE = """
import json, sys
sys.path = [each for each in sys.path if each]
import tensorflow as tf, tensorflow_text
model = tf.saved_model.load(sys.argv[1])
texts = tf.constant(json.loads(sys.argv[2]))
said = model.signatures["serving_default"](text=texts)
best = model.signatures["nbest"](text=texts, k=tf.constant(2))
seen = model.signatures["attend"](text=texts)
drawn = model.signatures["sample"](
    text=texts, temperature=tf.constant(1.0), seed=tf.constant(1)
)
scores = model.signatures["score"](text=texts, translation=texts)
assert "recurra" not in sys.modules
print(json.dumps({
    "translation": [each.decode() for each in said["translation"].numpy()],
    "score": said["score"].numpy().tolist(),
    "best": [each.decode() for each in best["translation"].numpy()[:, 0]],
    "drawn": [each.decode() for each in drawn["translation"].numpy()],
    "weights": seen["weights"].numpy().tolist(),
    "log_probability": scores["log_probability"].numpy().tolist(),
}))
"""


def test_what_is_exported_says_exactly_the_same(serving, one, tmp_path):
    tf.saved_model.save(serving, str(tmp_path / "1"), signatures=serving.signatures())
    texts = ENGLISH[:6] + ODD_TEXTS[:4]
    run = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path / "1"), json.dumps(texts)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout.splitlines()[-1])
    translations, scores = one.translate(texts)
    assert said["translation"] == translations
    assert said["score"] == scores.tolist()
    assert said["best"] == [row[0] for row in one.nbest(texts, 2)]
    assert said["drawn"] == one.sample(texts, 1.0, seed=1)
    assert said["log_probability"] == one.score(texts, texts)[0].tolist()
    for weights, attention in zip(said["weights"], one.attend(texts), strict=True):
        height, width = attention.weights.shape
        np.testing.assert_array_equal(
            np.array(weights, np.float32)[:height, :width], attention.weights
        )
