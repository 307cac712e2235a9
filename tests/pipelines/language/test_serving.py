"""What the exported graphs write, fill in and score."""

import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.language.serving import _Draw


def _written(serving, prompts, **options):
    usual = {"length": 12, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "seed": 0}
    inputs = {"prompt": prompts, "stop": "", **usual, **options}
    found = serving["generate"](**{key: tf.constant(v) for key, v in inputs.items()})
    return [text.decode() for text in found["text"].numpy()]


PROMPTS = ["the old man", "", "the dog saw the"]


def test_the_same_seed_writes_the_same_whatever_stands_beside(serving):
    together = _written(serving, PROMPTS)
    assert together == [_written(serving, [prompt])[0] for prompt in PROMPTS]
    assert together != _written(serving, PROMPTS, seed=1)


def test_units_are_drawn_by_their_probability():
    probabilities = tf.constant([[0.1, 0.6, 0.3]] * 1000)
    offsets = tf.constant(np.arange(1000) / 1000, tf.float32)

    def shares(temperature=1.0, top_k=0, top_p=1.0):
        options = (tf.constant(value) for value in (temperature, top_k, top_p, 5))
        units = _Draw.of(*options).unit(probabilities, tf.constant(3), offsets)
        return np.bincount(units, minlength=3) / 1000

    np.testing.assert_allclose(shares(), [0.1, 0.6, 0.3], atol=0.003)
    np.testing.assert_allclose(shares(top_k=2), [0, 2 / 3, 1 / 3], atol=0.003)
    np.testing.assert_allclose(shares(top_p=0.7), [0, 2 / 3, 1 / 3], atol=0.003)
    np.testing.assert_allclose(shares(top_p=0.5), [0, 1, 0])
    np.testing.assert_allclose(shares(temperature=0.0), [0, 1, 0])
    squares = np.array([0.01, 0.36, 0.09]) / 0.46
    np.testing.assert_allclose(shares(temperature=0.5), squares, atol=0.003)


def test_a_unit_that_cannot_come_is_not_drawn():
    # Small ones are lost beside the first in float32, so the sum ends below 1.
    probabilities = np.repeat(np.float32([0.9996, 2e-8, 0]), [1, 20_000, 1_000])
    draw = _Draw.of(*(tf.constant(value) for value in (1.0, 0, 1.0, 0)))
    drawn = tf.random.stateless_uniform([], [0, 0])
    offset = tf.constant([np.float32(1 - 2**-24)]) - drawn
    unit = draw.unit(tf.constant(probabilities[None]), tf.constant(0), offset)
    assert probabilities[unit[0]] > 0


def test_at_temperature_0_the_likeliest_unit_is_taken(serving):
    (text,) = _written(serving, ["the dog"], temperature=0.0, length=1)
    best = serving["next"](text=tf.constant(["the dog"]), k=tf.constant(3))
    assert text.strip() == best["unit"][0, 0].numpy().decode().strip()
    assert _written(serving, ["the dog"], top_k=1, length=1) == [text]
    assert _written(serving, ["the dog"], top_p=1e-6, length=1) == [text]
    assert (np.diff(best["probability"][0]) <= 0).all()


def test_samples_are_texts_of_their_own_seeds_by_one_graph(serving, module):
    for temperature in (1.0, 0.5):
        found = module.sample(2, 12, temperature)
        assert found == [
            _written(serving, [""], temperature=temperature, seed=seed)[0]
            for seed in range(2)
        ]
    assert module.signatures()["generate"].experimental_get_tracing_count() == 1


def test_a_text_ends_before_the_stop(serving):
    (text,) = _written(serving, ["the"], length=60)
    stop = text.split()[3]
    (stopped,) = _written(serving, ["the"], length=60, stop=stop)
    assert stopped == text[: text.index(stop)]


def test_a_word_that_was_begun_is_gone_on_with(serving):
    for seed in range(3):
        (text,) = _written(serving, ["the dog saw aw"], length=1, seed=seed)
        assert text == "ay"
    # A word of the vocabulary stands, and one that begins none is unknown.
    assert not _written(serving, ["the"], length=1)[0].startswith("n")
    assert _written(serving, ["the zzz"], length=1, temperature=0.0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_written_in_parts_it_is_the_same_text(serving, seed):
    prompt = "the dog saw aw"
    (expected,) = _written(serving, [prompt], length=9, seed=seed)
    begun = serving["begin"](prompt=tf.constant([prompt]))
    typed, state, text = begun["typed"], begun["state"], ""
    for first, length in ((0, 1), (1, 5), (6, 3)):
        found = serving["write"](
            behind=tf.constant([prompt + text]),
            typed=typed,
            offset=begun["offset"],
            state=state,
            first=tf.constant(first),
            length=tf.constant(length),
            temperature=tf.constant(1.0),
            top_k=tf.constant(0),
            top_p=tf.constant(1.0),
            seed=tf.constant(seed),
        )
        text += found["text"][0].numpy().decode()
        typed, state = tf.constant([""]), found["state"]
        if found["is_over"][0]:
            break
    assert text == expected


def test_steps_give_the_probability_of_a_text(serving, units):
    text = "the dog saw the man"
    (ids,) = units.encode_all([text])
    state = tf.zeros([1, serving["step"].input_signature[1].shape[1]])
    total, unit = 0.0, 0
    for following in ids:
        found = serving["step"](ids=tf.constant([unit]), state=state)
        np.testing.assert_allclose(tf.reduce_sum(found["probabilities"]), 1, atol=1e-5)
        total += np.log(found["probabilities"][0, following])
        unit, state = int(following), found["state"]
    scored = serving["serving_default"](text=tf.constant([text, ""]))
    assert scored["log_probability"][0].numpy() == pytest.approx(total, rel=1e-4)
    assert scored["units"].numpy().tolist() == [len(ids), 0]
    assert scored["log_probability"][1] == 0


def test_fillings_are_judged_by_both_sides(serving, units):
    found = serving["fill"](
        text=tf.constant(["the old ____ saw ____.", "no blank", "____ dog"]),
        k=tf.constant(4),
    )
    assert found["filling"].shape == (3, 2, 4)
    assert (found["filling"][1] == b"").numpy().all()
    assert found["filling"][2, 1, 0] == b""
    words = units.texts_of(units.fillers).numpy()
    sides = {
        word: serving["serving_default"](text=tf.constant([word + b" dog"]))[
            "log_probability"
        ][0].numpy()
        for word in words
    }
    best = max(sides, key=sides.__getitem__)
    assert found["filling"][2, 0, 0] == best
    assert best.isalpha()


def _fillings(serving, text):
    found = serving["fill"](text=tf.constant([text]), k=tf.constant(3))
    return [
        [filling.decode() for filling in fillings if filling]
        for fillings in found["filling"][0].numpy()
    ]


def test_letters_that_touch_a_blank_are_part_of_its_word(serving):
    assert _fillings(serving, "the dog s____ the man") == [["aw"]]
    assert _fillings(serving, "the dog ____w the man") == [["sa"]]
    assert _fillings(serving, "the d____g, and the m____n.") == [["o"], ["a"]]
    assert all(word.isalpha() for word in _fillings(serving, "the ____.")[0])
    # Nothing is left out without a word.
    assert _fillings(serving, "the dogx____ saw") == [[]]
    assert _fillings(serving, "d____o____g saw") == [[], []]
