import io
import logging

import joblib
import numpy as np
import pytest

from recurra.pipelines.sentiment import baselines
from recurra.pipelines.sentiment.baselines import fit_baselines

NAMES = ["majority", "tfidf_logistic_regression", "nb_logistic_regression"]
ENGLISH = (
    (
        "a dull tired film, it was awful",
        "i hated this boring mess",
        "not good , not funny",
    ),
    ("a bright fresh film, it was lovely", "i loved this gem", "so good , so funny"),
    ("it came on tuesday", "the parcel is green", "this is a chair"),
)
# Without spaces: bad, good and neither.
CHINESE = (
    ("这部电影很糟糕", "质量太差了", "我不喜欢"),
    ("这部电影很精彩", "质量非常好", "我很喜欢"),
    ("星期二送到", "盒子是绿色的", "这是一把椅子"),
)


def _texts(phrases, classes, rows, seed):
    generator = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    fillers = ["<br />", "!", "abc", "今天", "the", "of"]
    texts = [
        "".join(
            [
                str(generator.choice(fillers)),
                " ",
                str(generator.choice(phrases[label])),
                str(generator.choice(fillers)),
            ]
        )
        for label in labels
    ]
    return texts, labels


def _accuracy(baseline, texts, labels):
    return (baseline.probabilities(texts).argmax(axis=1) == labels).mean()


@pytest.mark.parametrize("phrases", [ENGLISH, CHINESE], ids=["english", "chinese"])
@pytest.mark.parametrize("classes", [2, 3])
def test_baselines_learn(phrases, classes):
    texts, labels = _texts(phrases, classes, 240, seed=0)
    new_texts, new_labels = _texts(phrases, classes, 90, seed=1)
    named = []
    fitted = fit_baselines(texts, labels, classes, seed=0, progress=named.append)

    assert list(fitted) == named == NAMES
    for name, baseline in fitted.items():
        probabilities = baseline.probabilities(new_texts)
        assert probabilities.shape == (90, classes)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        expected = 1 / classes if name == "majority" else 0.95
        assert _accuracy(baseline, new_texts, new_labels) >= expected


def test_part_of_a_word_without_spaces_is_enough():
    texts, labels = _texts(CHINESE, 2, 240, seed=0)
    fitted = fit_baselines(texts, labels, 2, seed=0)
    for name in NAMES[1:]:
        answer = fitted[name].probabilities(["喜欢这部精彩的片子", "太糟糕"])
        assert answer.argmax(axis=1).tolist() == [1, 0]


def test_word_order_within_trigrams_matters():
    # These differ by order alone, which single words do not show.
    labels = np.arange(200) % 2
    pairs = (("good not bad", "fine not poor"), ("bad not good", "poor not fine"))
    texts = [pairs[label][row % 4 // 2] for row, label in enumerate(labels)]
    fitted = fit_baselines(texts, labels, 2, seed=0)
    for name in NAMES[1:]:
        assert _accuracy(fitted[name], texts, labels) == 1


def test_majority_answers_the_frequencies_of_the_classes():
    majority = fit_baselines(["a"] * 8, np.array([0] * 6 + [1] * 2), 2, 0)["majority"]
    np.testing.assert_allclose(majority.probabilities(["x", ""]), [[0.7, 0.3]] * 2)


def test_odd_texts_get_finite_probabilities():
    texts, labels = _texts(ENGLISH, 3, 60, seed=0)
    odd = ["", "   ", "😀😀", "\ud83d half a pair", "नमस्ते", "\x00", "word " * 50_000]
    for baseline in fit_baselines(texts, labels, 3, seed=0).values():
        probabilities = baseline.probabilities(odd)
        assert np.isfinite(probabilities).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("texts", "labels", "classes"),
    [
        (["good", "bad"], [0, 1], 2),
        ([""] * 60, [0, 1] * 30, 2),
        (["same text"] * 60, [1] * 60, 2),
        ([f"word{i}" for i in range(60)], [0] * 59 + [2], 3),
        (["one two", "two three", "three four"] * 20, [*range(30), *range(30)], 30),
    ],
    ids=["two rows", "no words", "one class", "a lone row", "thin classes"],
)
def test_poor_training_data_do_no_harm(texts, labels, classes):
    for baseline in fit_baselines(texts, np.array(labels), classes, seed=0).values():
        probabilities = baseline.probabilities([*texts[:3], "unseen"])
        assert probabilities.shape == (min(len(texts), 3) + 1, classes)
        assert np.isfinite(probabilities).all()


def test_joblib_brings_back_the_same_baselines():
    texts, labels = _texts(ENGLISH, 3, 90, seed=0)
    fitted = fit_baselines(texts, labels, 3, seed=0)
    file = io.BytesIO()
    joblib.dump(fitted, file)
    file.seek(0)
    loaded = joblib.load(file)

    assert list(loaded) == NAMES
    for name in NAMES:
        np.testing.assert_array_equal(
            fitted[name].probabilities(texts), loaded[name].probabilities(texts)
        )


def test_the_same_seed_fits_the_same():
    texts, labels = _texts(ENGLISH, 2, 120, seed=0)
    first, second = (fit_baselines(texts, labels, 2, seed=5) for _ in range(2))
    for name in NAMES:
        np.testing.assert_array_equal(
            first[name].probabilities(texts), second[name].probabilities(texts)
        )


def test_texts_without_labels_are_refused():
    with pytest.raises(ValueError, match="2 texts, 1 labels"):
        fit_baselines(["a", "b"], np.array([0]), 2, seed=0)
    with pytest.raises(ValueError, match="0 texts"):
        fit_baselines([], np.array([], int), 2, seed=0)


def test_baselines_are_fitted_to_a_drawn_part_of_very_many_texts(monkeypatch, caplog):
    sizes = np.full(1000, 20)
    assert baselines.rows_for_baselines(sizes, seed=0).tolist() == list(range(1000))
    monkeypatch.setattr(baselines, "_MOST_BYTES", 5_000)
    caplog.set_level(logging.INFO)
    rows = baselines.rows_for_baselines(sizes, seed=0)
    assert len(rows) == 250
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert "fitted to 250 of the 1,000 texts" in caplog.text
    again, other = (baselines.rows_for_baselines(sizes, seed) for seed in (0, 1))
    assert rows.tolist() == again.tolist() != other.tolist()


def test_baselines_of_several_labels():
    texts, classes = _texts(ENGLISH, 3, 240, seed=0)
    labels = np.stack([classes == 0, classes < 2], axis=1)
    fitted = fit_baselines(texts, labels, 2, seed=0)
    rates = fitted["majority"].probabilities(texts[:1])[0]
    np.testing.assert_allclose(rates, [81 / 242, 161 / 242])
    new_texts, new_classes = _texts(ENGLISH, 3, 90, seed=1)
    expected = np.stack([new_classes == 0, new_classes < 2], axis=1)
    for name in NAMES[1:]:
        probabilities = fitted[name].probabilities(new_texts)
        assert ((probabilities >= 0.5) == expected).mean() > 0.95
