import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import normalize

from recurra.pipelines.sentiment import linear_members
from recurra.pipelines.sentiment.linear_members import (
    NB,
    TFIDF,
    fit_linear_members,
    load_linear_members,
    write_linear_members,
)
from recurra.pipelines.sentiment.logistic_regression import fit_classifier, unscaled
from recurra.pipelines.sentiment.model import LinearNgrams

ROWS, NGRAMS = 60, 12


def _texts(classes):
    """Presence of n-grams, each of which is of one class more often than of others."""
    generator = np.random.default_rng(classes)
    labels = np.arange(ROWS) % classes
    likely = np.where(np.arange(NGRAMS) % classes == labels[:, None], 0.7, 0.2)
    presence = generator.random((ROWS, NGRAMS)) < likely
    return sparse.csr_matrix(presence, dtype=np.float32), labels


def _fit(classes, presence, labels, **options):
    options = {"folded_rows": 1_000, **options}
    lengths, folds = np.arange(NGRAMS) // 4 + 1, np.arange(ROWS) // 2 % 5 + 1
    return fit_linear_members(presence, lengths, labels, folds, classes, 0, **options)


def _layer_logits(member, presence):
    """What the layer makes of the texts as rows of ids, padded at the end."""
    ids = np.zeros((ROWS, NGRAMS), np.int32)
    for row in range(ROWS):
        known = presence[row].indices + 1
        ids[row, : len(known)] = known
    return np.asarray(LinearNgrams(member)(ids))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_layer_is_the_logistic_regression_on_tfidf(classes):
    presence, labels = _texts(classes)
    found = _fit(classes, presence, labels, folded_rows=0)
    assert found.weights is None
    short = np.arange(NGRAMS) < 8
    features = TfidfTransformer().fit_transform(presence[:, short])
    classifier = fit_classifier(features, labels, classes, 0, scale=unscaled)
    expected = classifier.by_class().scores(features)
    logits = _layer_logits(found.members[TFIDF], presence)
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_members_are_kept_and_weighed_by_what_each_fold_says_of_the_others(tmp_path):
    presence, labels = _texts(2)
    found = _fit(2, presence, labels)
    assert set(found.members) == {NB, TFIDF}
    assert found.weights.shape == (2,)
    write_linear_members(found, tmp_path)
    loaded = load_linear_members(tmp_path)
    np.testing.assert_array_equal(loaded.weights, found.weights)
    for name, member in found.members.items():
        for field, values in vars(member).items():
            np.testing.assert_array_equal(getattr(loaded.members[name], field), values)
    right = _layer_logits(found.members[NB], presence).argmax(axis=1) == labels
    assert right.mean() > 0.85


def test_labels_without_sense_get_small_weights():
    presence, _ = _texts(2)
    labels = np.random.default_rng(1).integers(2, size=ROWS)
    told, random = _fit(2, *_texts(2)), _fit(2, presence, labels)
    assert random.weights.sum() < 0.5 * told.weights.sum()


def test_texts_without_any_known_ngram_get_the_bias():
    none = sparse.csr_matrix((ROWS, 0), dtype=np.float32)
    labels = np.arange(ROWS) % 3
    found = fit_linear_members(
        none, np.zeros(0, int), labels, labels, 3, 0, folded_rows=0
    )
    for member in found.members.values():
        assert member.scores.shape == (1, 3)
        logits = np.asarray(LinearNgrams(member)(np.zeros((2, 1), np.int32)))
        np.testing.assert_allclose(logits, np.tile(member.bias, (2, 1)))


def test_a_run_without_members_has_none(tmp_path):
    assert load_linear_members(tmp_path).members == {}
    assert not linear_members.has_linear_members(tmp_path)


def test_rows_have_unit_length_in_the_naive_bayes_member():
    presence, labels = _texts(2)
    member = _fit(2, presence, labels).members[NB]
    expected = normalize(presence) @ member.scores[1:] + member.bias
    np.testing.assert_allclose(_layer_logits(member, presence), expected, atol=1e-5)


def test_several_labels_are_one_against_the_rest_each():
    presence, labels = _texts(2)
    other = np.arange(ROWS) % 3 == 0
    several = np.stack([labels == 1, other], axis=1)
    found = fit_classifier(presence, several, 2, 0, scale=unscaled)
    assert found.weights.shape == (NGRAMS, 2)
    alone = fit_classifier(presence, labels, 2, 0, scale=unscaled)
    same = fit_classifier(
        presence, np.stack([labels == 1] * 2, axis=1), 2, 0, scale=unscaled
    )
    probabilities = same.probabilities(presence)
    np.testing.assert_allclose(probabilities[:, 0], probabilities[:, 1], atol=1e-6)
    # Of two classes the second has the odds of a label, where the strength is the same.
    correlation = np.corrcoef(probabilities[:, 0], alone.probabilities(presence)[:, 1])
    assert correlation[0, 1] > 0.98
    assert not np.allclose(found.probabilities(presence).sum(axis=1), 1, atol=0.1)
    weighted = fit_classifier(
        presence, several, 2, 0, scale=unscaled, class_weights=[5.0, 1.0]
    )
    more = weighted.probabilities(presence)[:, 0] - found.probabilities(presence)[:, 0]
    assert more.mean() > 0.02


def test_members_of_several_labels_have_scores_of_each():
    presence, labels = _texts(3)
    several = np.stack([labels == 0, labels > 0, np.zeros(ROWS, bool)], axis=1)
    found = _fit(3, presence, several)
    assert found.weights is not None
    for member in found.members.values():
        logits = _layer_logits(member, presence)
        assert logits.shape == (ROWS, 3)
        assert logits[labels == 0, 0].mean() > logits[labels > 0, 0].mean()
        assert (logits[:, 2] < -2).all()  # which no row has
