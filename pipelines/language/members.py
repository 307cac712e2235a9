"""The members of the model, asked together: the network, the counts and a cache."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.optimize
import tensorflow as tf

from ..core.serving_module import graph
from .baselines import KNESER_NEY
from .config import CountsConfig
from .kneser_ney import KneserNey, KneserNeyGraph
from .model import LanguageModel
from .vocabulary import BOUNDARY

MODEL, RECURRENT, CACHE = "model", "recurrent", "cache"

# Of a probability that a float cannot hold.
_SMALLEST = 1e-30


class State(NamedTuple):
    """What is known of N texts so far.

    Attributes:
        recurrent: The states of the recurrent layers, `[N, units]` each.
        output: Of the last layer at the last unit, `[N, U]`.
        context: The last units, int32 `[N, order - 1]`.
        cached_outputs: `[N, L, U]`, at the unit before each of the last L units.
        cached_units: These units, int32 `[N, L]`; `BOUNDARY` where there is none.
    """

    recurrent: list[tf.Tensor]
    output: tf.Tensor
    context: tf.Tensor
    cached_outputs: tf.Tensor
    cached_units: tf.Tensor


class WritingState(NamedTuple):
    """What is carried while N texts are written, unit by unit.

    Attributes:
        recurrent, output, context: As of `State`.
        cached_outputs, cached_units: Likewise, but in a ring.
        endings: As of `KneserNeyGraph.endings`, of the context.
        oldest: The place of the oldest unit in the ring.
    """

    recurrent: list[tf.Tensor]
    output: tf.Tensor
    context: tf.Tensor
    cached_outputs: tf.Tensor
    cached_units: tf.Tensor
    endings: tf.Tensor
    oldest: tf.Tensor


class Members(tf.Module):
    """The recurrent network, Kneser-Ney and a cache, mixed to one probability.

        p(w | text) = sum_m weight_m p_m(w | text)

    The cache gives to unit w what the attention of the last output to the outputs
    before earlier occurrences of w gives, `softmax(flatness * h_t . h_i)` over the last
    L units; without an earlier unit it answers as the network does.

    Source: Grave, Joulin and Usunier, "Improving Neural Language Models with a
    Continuous Cache", 2017

    Attributes:
        advance, log_probabilities, distributions: The methods below, as graphs.
        names: Of the members.
        systems: Of what is measured: the mixture, and below it each member; the cache
            with the network, since it knows no unit that it has not seen.
        weights: Of the members in each system, float32 `[systems, M]`.
        flatness: Of the cache's attention.

    Args:
        model: The network.
        kneser_ney: The counts; None to do without.
        counts: How far the cache looks back.
    """

    def __init__(
        self, model: LanguageModel, kneser_ney: KneserNey | None, counts: CountsConfig
    ):
        super().__init__(name="members")
        self.model = model
        self.counts = None if kneser_ney is None else KneserNeyGraph(kneser_ney)
        self.cache_size = counts.cache_size
        self.context_size = 0 if kneser_ney is None else kneser_ney.order - 1
        self.names = [RECURRENT]
        if self.counts is not None:
            self.names.append(KNESER_NEY)
        if self.cache_size:
            self.names.append(CACHE)
        self.systems = [MODEL, *self.names]
        weights = np.concatenate(
            [np.zeros((1, len(self.names))), np.eye(len(self.names))]
        )
        weights[0, 0] = 1
        self.weights = tf.Variable(weights, trainable=False, dtype=tf.float32)
        self.flatness = tf.Variable(0.3, trainable=False, dtype=tf.float32)
        # Traced once, whatever graphs call them.
        state = self.state_spec
        ids = tf.TensorSpec([None, None], tf.int32)
        is_real = tf.TensorSpec([None, None], tf.bool)
        outputs = tf.TensorSpec([None, None, model.section.units], tf.float32)
        self.advance = graph(self._advance, [state, ids, is_real])
        self.log_probabilities = graph(self._log_probabilities, [state, outputs, ids])
        self.distributions = graph(self._distributions, [state, outputs, ids])

    @property
    def state_spec(self) -> State:
        """The types and shapes of the state of any number of texts."""
        return tf.nest.map_structure(
            lambda tensor: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype),
            self.begin(tf.constant(1)),
        )

    def begin(self, rows: tf.Tensor) -> State:
        """The state before any text, not even a boundary, is read."""
        width = self.model.section.units
        return State(
            [tf.zeros([rows, size]) for size in self.model.state_sizes],
            tf.zeros([rows, width]),
            tf.fill([rows, self.context_size], BOUNDARY),
            tf.zeros([rows, self.cache_size, width]),
            tf.fill([rows, self.cache_size], BOUNDARY),
        )

    def _advance(
        self, state: State, ids: tf.Tensor, is_real: tf.Tensor
    ) -> tuple[State, tf.Tensor]:
        """Reads units, those that are real, which come first in each row.

        Args:
            state: Of N texts.
            ids: int32 `[N, T]`.
            is_real: bool `[N, T]`.

        Returns:
            The state after them, and the outputs before each unit, `[N, T, U]`.
        """
        outputs, recurrent = self.model.read(ids, state.recurrent, mask=is_real)
        every = tf.concat([state.output[:, None], outputs], 1)
        before = every[:, :-1]
        lengths = tf.reduce_sum(tf.cast(is_real, tf.int32), 1)
        real_ids = tf.where(is_real, ids, BOUNDARY)
        return (
            State(
                recurrent,
                tf.gather(every, lengths, batch_dims=1),
                _last(
                    tf.concat([state.context, real_ids], 1), lengths, self.context_size
                ),
                _last(
                    tf.concat([state.cached_outputs, before], 1),
                    lengths,
                    self.cache_size,
                ),
                _last(
                    tf.concat([state.cached_units, real_ids], 1),
                    lengths,
                    self.cache_size,
                ),
            ),
            before,
        )

    def _log_probabilities(
        self, state: State, before: tf.Tensor, ids: tf.Tensor
    ) -> tf.Tensor:
        """Of each unit after those before it, by each member.

        Args:
            state: Before the first unit.
            before: The outputs before each unit, as of `advance`.
            ids: int32 `[N, T]`.

        Returns:
            float32 `[N, T, M]`.
        """
        shape = tf.shape(ids)
        logits = self.model.logits(self._rows(self.model.readouts(before)))
        recurrent = -tf.nn.sparse_softmax_cross_entropy_with_logits(
            tf.reshape(ids, [-1]), logits
        )
        recurrent = tf.reshape(recurrent, shape)
        members = [recurrent]
        if self.counts is not None:
            members.append(_log(self.counts.probabilities(state.context, ids)))
        if self.cache_size:
            attention, units = self._attention(state, before, ids)
            is_unit = tf.cast(units[:, None] == ids[:, :, None], tf.float32)
            found = _log(tf.reduce_sum(attention * is_unit, -1))
            members.append(tf.where(tf.reduce_any(attention > 0, -1), found, recurrent))
        return tf.stack(members, -1)

    def _distributions(
        self, state: State, before: tf.Tensor, ids: tf.Tensor
    ) -> tf.Tensor:
        """Over all units at each position, by each member.

        Args:
            state, before, ids: As of `log_probabilities`.

        Returns:
            Probabilities, float32 `[N, T, M, V]`.
        """
        size = self.model.size
        rows, steps = tf.shape(ids)[0], tf.shape(ids)[1]
        logits = self.model.logits(self._rows(self.model.readouts(before)))
        recurrent = tf.nn.softmax(logits)
        members = [recurrent]
        if self.counts is not None:
            every = tf.concat([state.context, ids], 1)
            contexts = tf.gather(
                every, tf.range(steps)[:, None] + tf.range(self.context_size), axis=1
            )
            members.append(
                self.counts.distribution(tf.reshape(contexts, [-1, self.context_size]))
            )
        if self.cache_size:
            attention, units = self._attention(state, before, ids)
            entries = self.cache_size + steps
            of_row = tf.repeat(tf.range(rows * steps), entries)
            of_unit = tf.reshape(tf.repeat(units, steps, axis=0), [-1])
            cached = tf.scatter_nd(
                tf.stack([of_row, of_unit], 1),
                tf.reshape(attention, [-1]),
                tf.stack([rows * steps, size]),
            )
            is_empty = tf.reduce_all(tf.equal(cached, 0), -1, keepdims=True)
            members.append(tf.where(is_empty, recurrent, cached))
        return tf.reshape(tf.stack(members, 1), [rows, steps, len(self.names), size])

    def mixed(self, log_probabilities: tf.Tensor) -> tf.Tensor:
        """The logarithm of the mixture, `[...]`, of the members' `[..., M]`."""
        return tf.reduce_logsumexp(log_probabilities + tf.math.log(self.weights[0]), -1)

    def next(self, state: State) -> tf.Tensor:
        """The probability of each unit to come next, `[N, V]`."""
        return self.following(self.begin_writing(state))

    def begin_writing(self, state: State) -> WritingState:
        """From what is known of texts to what is carried from unit to unit."""
        endings = tf.zeros([tf.shape(state.output)[0], 0], tf.int64)
        if self.counts is not None:
            endings = self.counts.endings(state.context)
        return WritingState(*state, endings, tf.constant(0))

    def end_writing(self, state: WritingState) -> State:
        """And back again."""
        places = (state.oldest + tf.range(self.cache_size)) % max(self.cache_size, 1)
        return State(
            state.recurrent,
            state.output,
            state.context,
            tf.gather(state.cached_outputs, places, axis=1),
            tf.gather(state.cached_units, places, axis=1),
        )

    def following(self, state: WritingState) -> tf.Tensor:
        """The probability of each unit to come next, `[N, V]`."""
        recurrent = tf.nn.softmax(self.model.logits(self.model.readouts(state.output)))
        members = [recurrent]
        if self.counts is not None:
            members.append(self.counts.distribution_behind(state.endings))
        if self.cache_size:
            scores = self.flatness * tf.linalg.matvec(
                state.cached_outputs, state.output
            )
            attention = _shares(
                tf.where(state.cached_units != BOUNDARY, scores, -np.inf)
            )
            shape = tf.shape(attention, tf.int64)
            of_row = tf.repeat(tf.range(shape[0]), shape[1])
            of_unit = tf.reshape(tf.cast(state.cached_units, tf.int64), [-1])
            cached = tf.scatter_nd(
                tf.stack([of_row, of_unit], 1),
                tf.reshape(attention, [-1]),
                tf.stack([shape[0], self.model.size]),
            )
            is_empty = tf.reduce_all(tf.equal(attention, 0), 1, keepdims=True)
            members.append(tf.where(is_empty, recurrent, cached))
        weights = tf.unstack(self.weights[0])
        return tf.add_n(
            [weight * member for weight, member in zip(weights, members, strict=True)]
        )

    def write(self, state: WritingState, unit: tf.Tensor) -> WritingState:
        """The state after another unit of each text, int32 `[N]`."""
        output, recurrent = self.model.step(unit, state.recurrent)
        context, endings = state.context, state.endings
        if self.counts is not None:
            context = tf.concat([context, unit[:, None]], 1)[:, 1:]
            endings = self.counts.endings_with(endings, unit)
        outputs, units, oldest = state.cached_outputs, state.cached_units, state.oldest
        if self.cache_size:
            rows = tf.range(tf.shape(unit)[0])
            places = tf.stack([rows, tf.fill(tf.shape(rows), oldest)], 1)
            outputs = tf.tensor_scatter_nd_update(outputs, places, state.output)
            units = tf.tensor_scatter_nd_update(units, places, unit)
            oldest = (oldest + 1) % self.cache_size
        return WritingState(recurrent, output, context, outputs, units, endings, oldest)

    def _attention(
        self, state: State, before: tf.Tensor, ids: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What the cache gives each earlier unit, `[N, T, L + T]`, and these units."""
        units = tf.concat([state.cached_units, ids], 1)
        keys = tf.concat([state.cached_outputs, before], 1)
        scores = self.flatness * tf.matmul(before, keys, transpose_b=True)
        steps = tf.range(tf.shape(ids)[1])[:, None]
        entries = tf.range(tf.shape(units)[1])[None]
        is_seen = (entries >= steps) & (entries < steps + self.cache_size)
        is_seen = is_seen[None] & (units[:, None] != BOUNDARY)
        return _shares(tf.where(is_seen, scores, -np.inf)), units

    def _rows(self, values: tf.Tensor) -> tf.Tensor:
        return tf.reshape(values, [-1, values.shape[-1]])


def _shares(scores: tf.Tensor) -> tf.Tensor:
    """Their softmax; all 0, and not NaN, where none is finite."""
    highest = tf.maximum(tf.reduce_max(scores, -1, keepdims=True), -1e9)
    weights = tf.exp(scores - highest)
    return tf.math.divide_no_nan(weights, tf.reduce_sum(weights, -1, keepdims=True))


def _last(values: tf.Tensor, lengths: tf.Tensor, number: int) -> tf.Tensor:
    """The last of what stands at each row's beginning, `number` and its length."""
    places = lengths[:, None] + tf.range(number)[None]
    return tf.gather(values, places, batch_dims=1)


def _log(probabilities: tf.Tensor) -> tf.Tensor:
    return tf.math.log(tf.maximum(probabilities, _SMALLEST))


def system_scores(log_probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The logarithm of each system's probability, `[units, S]`.

    Args:
        log_probabilities: By member, `[units, M]`.
        weights: Of the members in each system, `[S, M]`.
    """
    highest = log_probabilities.max(axis=1, keepdims=True)
    likelihoods = np.exp((log_probabilities - highest).astype(np.float64))
    mixtures = np.maximum(likelihoods @ weights.T.astype(np.float64), 1e-300)
    return np.log(mixtures) + highest


def fit_weights(log_probabilities: np.ndarray) -> np.ndarray:
    """Weights of members that make a text the likeliest; they sum to 1.

    The likelihood is concave in the weights, so there is one best mixture.

    Args:
        log_probabilities: By member, `[units, M]`.

    Returns:
        float32 `[M]`.
    """
    members = log_probabilities.shape[1]
    highest = log_probabilities.max(axis=1, keepdims=True)
    likelihoods = np.exp((log_probabilities - highest).astype(np.float64))

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mixture = np.maximum(likelihoods @ weights, _SMALLEST)
        return -np.log(mixture).mean(), -(likelihoods / mixture[:, None]).mean(axis=0)

    found = scipy.optimize.minimize(
        loss,
        np.full(members, 1 / members),
        method="SLSQP",
        jac=True,
        bounds=[(0, 1)] * members,
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1,
            "jac": np.ones_like,
        },
        options={"ftol": 1e-10},
    )
    weights = np.clip(found.x, 0, 1)
    return (weights / weights.sum()).astype(np.float32)
