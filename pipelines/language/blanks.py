"""Blanks: which units fit between what stands before and what stands behind."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.optimize
import tensorflow as tf

from .members import Members, State
from .vocabulary import BOUNDARY

#: Candidates of a blank that are judged by what follows, and units of it that judge.
CANDIDATES, FOLLOWING = 64, 24
# Units behind a blank that the backward direction reads.
_BEHIND = 64
# Of the logarithms of probabilities that judge a candidate.
_FORWARD = (1.0, 1.0, 0.0, 0.0)
_BOTH = (1.0, 0.0, 1.0, -1.0)


class Candidates(NamedTuple):
    """What may fill a blank, the likeliest `K` by what stands next to it.

    Attributes:
        ids: int32 `[K]`.
        can_be: Whether each can be at all, bool `[K]`.
        features: float32 `[K, 4]`, logarithms of probabilities: of the candidate after
            what stands before it, of what follows after both, of the candidate before
            what follows by the backward direction, and of the candidate by itself.
    """

    ids: tf.Tensor
    can_be: tf.Tensor
    features: tf.Tensor


class Blanks(tf.Module):
    """Judges what fills a blank by both sides.

        score(w) = a log p(w | before) + b log p(following | before, w)
                   + c log p_backward(w | behind) - d log p(w)

    With the forward direction alone a and b are 1, c and d are 0: the score is the
    probability of the whole text with w in it. With both, a candidate is one by
    p(w | before) p_backward(w | behind) / p(w), which holds where both sides say
    independent things, and a to d are fitted to blanks of validation.

    Args:
        members: The model.
        unigram: Probability of each unit by itself, which the backward direction needs.

    Attributes:
        weights: a, b, c and -d, float32 `[4]`.
    """

    def __init__(self, members: Members, unigram: np.ndarray | None):
        super().__init__(name="blanks")
        self.members = members
        self.looks_behind = bool(members.model.backward) and unigram is not None
        self.weights = tf.Variable(
            _BOTH if self.looks_behind else _FORWARD, trainable=False, dtype=tf.float32
        )
        if unigram is not None and self.looks_behind:
            self._unigram = tf.Variable(
                np.log(unigram), trainable=False, dtype=tf.float32
            )

    def candidates(
        self, state: State, following: tf.Tensor, can_be: tf.Tensor
    ) -> Candidates:
        """What may fill a blank.

        Args:
            state: After what stands before it, of one text.
            following: int32 `[T]`, the units behind it.
            can_be: Which units can fill it, bool `[V]`.
        """
        before = _log(self.members.next(state)[0])
        forward, behind = before, tf.zeros_like(before)
        if self.looks_behind:
            behind = self._backward(following[:_BEHIND])
            forward = before + behind - self._unigram
        many = min(CANDIDATES, self.members.model.size)
        best = tf.math.top_k(tf.where(can_be, forward, -np.inf), many)
        ids = best.indices
        alone = tf.gather(self._unigram, ids) if self.looks_behind else tf.zeros([many])
        scores = self._judged(state, ids, following[:FOLLOWING])
        features = [
            scores[:, 0],
            tf.reduce_sum(scores[:, 1:], 1),
            tf.gather(behind, ids),
            alone,
        ]
        return Candidates(ids, tf.gather(can_be, ids), tf.stack(features, 1))

    def probabilities(self, candidates: Candidates) -> tf.Tensor:
        """Of the candidates, float32 `[K]`; 0 where nothing can be."""
        scores = tf.linalg.matvec(candidates.features, self.weights)
        shares = tf.nn.softmax(tf.where(candidates.can_be, scores, -1e30))
        return tf.where(candidates.can_be, shares, 0.0)

    def _judged(self, state: State, ids: tf.Tensor, following: tf.Tensor) -> tf.Tensor:
        """The log-probability of each candidate and what follows, `[K, 1 + T]`."""
        many = tf.size(ids)
        every = tf.nest.map_structure(
            lambda tensor: tf.repeat(tensor, many, axis=0), state
        )
        read = tf.concat([ids[:, None], tf.tile(following[None], [many, 1])], 1)
        _, outputs = self.members.advance(every, read, tf.fill(tf.shape(read), True))
        return self.members.mixed(self.members.log_probabilities(every, outputs, read))

    def _backward(self, following: tf.Tensor) -> tf.Tensor:
        """The log-probability of each unit before what follows, `[V]`."""
        model = self.members.model
        inputs = tf.concat([[BOUNDARY], following[::-1]], 0)[None]
        outputs = model.read_backward(inputs)[:, -1]
        return tf.nn.log_softmax(model.logits(model.readouts(outputs)))[0]


def fit_weights_of_features(features: np.ndarray, truths: np.ndarray) -> np.ndarray:
    """Weights that make the true fillings the likeliest of the candidates.

    The likelihood is concave in them.

    Args:
        features: As of `Candidates`, `[blanks, K, 4]`; -inf where nothing can be.
        truths: Places of the true fillings among the candidates, `[blanks]`.
    """
    rows = np.arange(len(truths))
    finite = np.where(np.isfinite(features), features, 0.0).astype(np.float64)
    is_there = np.isfinite(features).all(axis=2)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        scores = np.where(is_there, finite @ weights, -np.inf)
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        totals = shares.sum(axis=1, keepdims=True)
        value = -(scores[rows, truths] - np.log(totals[:, 0])).mean()
        shares /= totals
        expected = np.einsum("nk,nkf->nf", shares, finite)
        return value, (expected - finite[rows, truths]).mean(axis=0)

    found = scipy.optimize.minimize(
        loss,
        np.array(_BOTH),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, 2), (0, 2), (0, 2), (-2, 0)],
    )
    return found.x.astype(np.float32)


def _log(probabilities: tf.Tensor) -> tf.Tensor:
    return tf.math.log(tf.maximum(probabilities, 1e-30))
