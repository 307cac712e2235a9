"""The simple members: logistic regressions on the n-grams, fitted by themselves.

They are what a user would pick instead of a recurrent network, on the tokens and
n-grams of the model, so that they stand beside it in one graph. A member's logits are

z_c = b_c + sum_g v_gc / sqrt(sum_g q_g)

over the known n-grams g of a text, each once: rows of unit length, whose features are
in v already. Fitted are these two:

- `nb_ngrams`: n-grams of all lengths scaled by their naive Bayes log-count ratios (Wang
  and Manning 2012, "Baselines and Bigrams"); q is 1.
- `tfidf_ngrams`: n-grams of one and two words scaled by their inverse document
  frequency; q is its square, and 0 for longer n-grams.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from ..core.files import written_whole
from .logistic_regression import (
    Scale,
    cross_validated_classifier,
    fit_classifier,
    log_count_ratio,
    unscaled,
)
from .metrics import fit_branch_weights

NB, TFIDF = "nb_ngrams", "tfidf_ngrams"
# Classes times rows, beyond which as many fits as folds take too long.
_FOLDED_ENTRIES = 100_000
_TFIDF_LONGEST = 2
_FILE = "linear_members.npz"


@dataclasses.dataclass(frozen=True)
class LinearMember:
    """One member, as its layer has it.

    Attributes:
        scores: float32 `[1 + n-grams, C]`, v; row 0, padding, is zero.
        squares: float32 `[1 + n-grams]`, q; padding has 0.
        bias: float32 `[C]`.
    """

    scores: np.ndarray
    squares: np.ndarray
    bias: np.ndarray


@dataclasses.dataclass(frozen=True)
class LinearMembers:
    """The fitted members.

    Attributes:
        members: By name.
        weights: float64 `[members]`, with which the sum of their logits is most likely
            where each text was held out; None where that was not tried.
    """

    members: dict[str, LinearMember]
    weights: np.ndarray | None


def fit_linear_members(
    presence: sparse.csr_matrix,
    lengths: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    number_of_classes: int,
    seed: int,
    *,
    folded_rows: int,
    class_weights: Sequence[float] | None = None,
) -> LinearMembers:
    """Fits the members to the training texts.

    Args:
        presence: 1 where a text, `[N, K]`, holds a known n-gram.
        lengths: int `[K]`, the words of each n-gram.
        labels: int `[N]`, or bool `[N, C]` of texts that may have several.
        folds: The fold of each text, `[N]`.
        number_of_classes: C.
        seed: Of the optimizer.
        folded_rows: Rows up to which the strength of the regularisation and the weights
            of the members come of cross-validation by the folds. The strength comes of
            one held-out part otherwise.
        class_weights: What a row of each class counts, `[C]`.
    """
    rows = len(labels)
    is_folded = rows <= folded_rows and rows * number_of_classes <= _FOLDED_ENTRIES
    appearances = np.asarray(presence.sum(axis=0)).ravel()
    inverse = np.log((1 + rows) / (1 + appearances)) + 1
    factors: dict[str, tuple[np.ndarray, Scale]] = {
        NB: (np.ones(len(lengths)), log_count_ratio),
        TFIDF: (np.where(lengths <= _TFIDF_LONGEST, inverse, 0.0), unscaled),
    }
    members, held_out = {}, []
    for name, (factor, scale) in factors.items():
        weighted = sparse.csr_matrix(presence.multiply(factor), dtype=np.float32)
        features = normalize(weighted) if len(lengths) else weighted
        if is_folded:
            classifier, scores = cross_validated_classifier(
                features,
                labels,
                number_of_classes,
                seed,
                folds=folds,
                scale=scale,
                class_weights=class_weights,
            )
            held_out.append(scores)
        else:
            classifier = fit_classifier(
                features,
                labels,
                number_of_classes,
                seed,
                scale=scale,
                class_weights=class_weights,
            )
        found = classifier.by_class()
        members[name] = LinearMember(
            _with_padding(found.weights * factor[:, None]),
            _with_padding(factor**2),
            found.bias,
        )
    weights = None
    if is_folded:
        weights = fit_branch_weights(
            np.stack(held_out, axis=1), labels, counts=class_weights
        )
    return LinearMembers(members, weights)


def write_linear_members(found: LinearMembers, assets: Path) -> None:
    """Writes them to the run's assets."""
    arrays = {
        f"{name}/{field}": value
        for name, member in found.members.items()
        for field, value in vars(member).items()
    }
    if found.weights is not None:
        arrays["weights"] = found.weights
    with written_whole(assets / _FILE) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def load_linear_members(assets: Path) -> LinearMembers:
    """The run's members; without any where it has none."""
    if not (assets / _FILE).is_file():
        return LinearMembers({}, None)
    with np.load(assets / _FILE) as arrays:
        names = dict.fromkeys(key.split("/")[0] for key in arrays if "/" in key)
        members = {
            name: LinearMember(
                *(
                    arrays[f"{name}/{field.name}"]
                    for field in dataclasses.fields(LinearMember)
                )
            )
            for name in names
        }
        weights = arrays.get("weights")
    return LinearMembers(members, weights)


def has_linear_members(assets: Path) -> bool:
    """Whether the run has any; those of before there were such have none."""
    return (assets / _FILE).is_file()


def _with_padding(values: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((1, *values.shape[1:])), values]).astype(np.float32)
