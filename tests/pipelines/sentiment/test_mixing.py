import numpy as np

from recurra.pipelines.sentiment.mixing import fit_member_weights


def _members(rows, *strengths):
    """Labels, and calibrated members of such strengths, each with noise of its own."""
    generator = np.random.default_rng(rows)
    labels = generator.integers(2, size=rows)
    signs = 2.0 * labels - 1
    # Log odds of normal noise, whose calibrated weight is one.
    odds = [s**2 / 2 * signs + s * generator.normal(size=rows) for s in strengths]
    return labels, np.stack([np.stack([-z / 2, z / 2], axis=-1) for z in odds], axis=1)


def _fit(rows, *strengths, trained=1, simple=None, texts=10**6):
    labels, branches = _members(rows, *strengths)
    given = {"trained": trained, "texts": texts, "simple_weights": simple}
    return fit_member_weights(branches, labels, **given, prior=4.0)


def test_one_member_alone_is_calibrated():
    np.testing.assert_allclose(_fit(4_000, 2.0), [1.0], atol=0.15)


def test_with_many_rows_the_likelihood_decides():
    # Members with noise of their own are as good as one whose odds are the sum.
    weights = _fit(20_000, 1.5, 1.5, simple=np.array([1.0]))
    np.testing.assert_allclose(weights, [1.0, 1.0], atol=0.1)
    labels, branches = _members(20_000, 1.5, 1.5)
    noise = branches[::-1, 1:]
    told, of_noise = fit_member_weights(
        np.concatenate([branches[:, :1], noise], axis=1),
        labels,
        trained=1,
        texts=10**6,
        simple_weights=np.array([1.0]),
        prior=4.0,
    )
    assert of_noise < 0.1 * told


def test_a_few_rows_leave_about_half_of_each():
    recurrent, simple = _fit(20, 1.0, 1.5, simple=np.array([1.0]))
    assert 0.3 < simple < 0.8
    assert recurrent > 0.1


def test_what_learned_from_few_texts_counts_less_until_many_rows_overrule_it():
    simple = np.array([1.0])
    many, few = (_fit(20, 1.0, 1.5, simple=simple, texts=n) for n in (10**6, 150))
    assert few[0] < 0.5 * many[0]
    assert few[1] > many[1]
    np.testing.assert_allclose(
        _fit(20_000, 1.5, 1.5, simple=simple, texts=150), [1.0, 1.0], atol=0.1
    )
