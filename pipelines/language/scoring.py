"""How likely the members find texts: unit by unit, each after all before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from ..core.serving_module import graph
from .members import Members, State
from .vocabulary import BOUNDARY

# Texts, or parts of one, that are read side by side.
_LANES = 8
# Units of each that are read at once, and logits that these may have together.
_BLOCK, _LOGITS = 128, 1 << 23
# A part of a long text, without what is read before it.
_PART = 5_000


@dataclasses.dataclass(frozen=True)
class UnitScores:
    """What the members say of the units of documents, in their order.

    Attributes:
        log_probabilities: By member, float32 `[units, M]`.
        ranked: Numbers of the units whose rank is known.
        ranks: Of these, how many units each system finds likelier: int32
            `[ranked, systems]`.
    """

    log_probabilities: np.ndarray
    ranked: np.ndarray
    ranks: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Part:
    """Units of a document from `begin` to `end`; those before `scored` are only read.

    Attributes:
        offset: The number of the document's first unit among those of all.
    """

    document: np.ndarray
    offset: int
    begin: int
    scored: int
    end: int


class Scorer:
    """Reads documents by the members, several side by side, a block at a time.

    A long document is read in parts. Each begins with the last units of the part before
    it, so that states and cache are nearly as if it had been read from its beginning.

    Attributes:
        members: Whose probabilities they are.
    """

    def __init__(self, members: Members):
        self.members = members
        self._block = max(1, min(_BLOCK, _LOGITS // (_LANES * members.model.size)))
        self._warm_up = max(200, members.cache_size)
        self._score = graph(
            self._scored,
            [
                members.state_spec,
                tf.TensorSpec([None, None], tf.int32),
                tf.TensorSpec([], tf.bool),
            ],
        )

    def score(self, documents: Sequence[np.ndarray], ranked: int = 0) -> UnitScores:
        """Scores the units of documents.

        Args:
            documents: Each begins without a state, after a boundary.
            ranked: About how many units to know the rank of, spread evenly.
        """
        total = sum(map(len, documents))
        members = len(self.members.names)
        scores = np.zeros((total, members), np.float32)
        ranks = np.full((total, len(self.members.systems)), -1, np.int32)
        share = min(1.0, ranked / max(1, total))
        done = known = 0
        parts = sorted(self._parts(documents), key=lambda part: part.end - part.begin)
        for first in range(0, len(parts), _LANES):
            ids, places = _side_by_side(parts[first : first + _LANES])
            state = self._begun(len(ids))
            for begin in range(0, ids.shape[1], self._block):
                block = slice(begin, begin + self._block)
                is_scored = places[:, block] >= 0
                done += is_scored.sum()
                is_ranked = known < share * done
                state, found, of_block = self._score(
                    state, tf.constant(ids[:, block]), tf.constant(is_ranked)
                )
                at = places[:, block][is_scored]
                scores[at] = found.numpy()[is_scored]
                if is_ranked:
                    ranks[at] = of_block.numpy()[is_scored]
                    known += is_scored.sum()
        is_known = np.flatnonzero(ranks[:, 0] >= 0)
        return UnitScores(scores, is_known, ranks[is_known])

    def score_dynamically(
        self,
        documents: Sequence[np.ndarray],
        ranked: int,
        *,
        rate: float,
        timesteps: int,
    ) -> UnitScores:
        """Scores units by a network that goes on learning from those it has scored.

        After each window the weights take a step down the gradient of its mean negative
        log-likelihood, of a norm of 1 at most. All documents are read one after the
        other; at the end the weights are again what they were.

        Source: Krause, Kahembwe, Murray and Renals, "Dynamic Evaluation of Neural
        Sequence Models", 2018

        Args:
            documents, ranked: As of `score`.
            rate: Of the steps.
            timesteps: Units of a window.
        """
        model = self.members.model
        weights = [weight.value for weight in model.trainable_weights]
        before = [tf.identity(weight) for weight in weights]

        def learn(state: State, ids: tf.Tensor) -> None:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(weights)
                outputs, _ = model.read(ids, state.recurrent)
                every = tf.concat([state.output[:, None], outputs[:, :-1]], 1)
                nll = tf.nn.sparse_softmax_cross_entropy_with_logits(
                    ids[0], model.logits(model.readouts(every[0]))
                )
                loss = tf.reduce_mean(nll)
            gradients = tape.gradient(loss, weights)
            there = [each for each in gradients if each is not None]
            clipped, _ = tf.clip_by_global_norm(
                [tf.convert_to_tensor(each) for each in there], 1.0
            )
            steps = iter(clipped)
            for weight, gradient in zip(weights, gradients, strict=True):
                if gradient is not None:
                    weight.assign_sub(rate * next(steps))

        learn_in_graph = graph(
            learn, [self.members.state_spec, tf.TensorSpec([1, None], tf.int32)]
        )
        share = min(1.0, ranked / max(1, sum(map(len, documents))))
        scores, ranks, are_known = [], [], []
        done = known = 0
        try:
            for document in documents:
                state = self._begun(1)
                for begin in range(0, len(document), timesteps):
                    ids = tf.constant(
                        document[None, begin : begin + timesteps], tf.int32
                    )
                    done += ids.shape[1]
                    is_ranked = known < share * done
                    known += ids.shape[1] * is_ranked
                    after, found, of_window = self._score(
                        state, ids, tf.constant(is_ranked)
                    )
                    scores.append(found.numpy()[0])
                    ranks.append(of_window.numpy()[0])
                    are_known.append(np.full(ids.shape[1], is_ranked))
                    learn_in_graph(state, ids)
                    state = after
        finally:
            for weight, value in zip(weights, before, strict=True):
                weight.assign(value)
        is_known = np.flatnonzero(np.concatenate(are_known))
        return UnitScores(
            np.concatenate(scores), is_known, np.concatenate(ranks)[is_known]
        )

    def _parts(self, documents: Sequence[np.ndarray]) -> Iterator[_Part]:
        offset = 0
        for document in documents:
            for scored in range(0, len(document), _PART):
                begin = max(0, scored - self._warm_up)
                end = min(len(document), scored + _PART)
                yield _Part(document, offset, begin, scored, end)
            offset += len(document)

    def _begun(self, rows: int) -> State:
        """The state after a boundary."""
        state = self.members.begin(tf.constant(rows))
        begin = tf.fill([rows, 1], BOUNDARY)
        return self.members.advance(state, begin, tf.fill([rows, 1], True))[0]

    def _scored(
        self, state: State, ids: tf.Tensor, is_ranked: tf.Tensor
    ) -> tuple[State, tf.Tensor, tf.Tensor]:
        members = self.members
        is_real = ids >= 0
        ids = tf.maximum(ids, 0)
        after, before = members.advance(state, ids, is_real)
        scores = members.log_probabilities(state, before, ids)

        def ranks() -> tf.Tensor:
            each = members.distributions(state, before, ids)
            every = tf.einsum("ntmv,sm->ntsv", each, members.weights)
            own = tf.gather(
                every, tf.tile(ids[:, :, None], [1, 1, systems]), batch_dims=3
            )
            likelier = every > own[..., None]
            return tf.reduce_sum(tf.cast(likelier, tf.int32), -1)

        systems = len(members.systems)
        none = tf.zeros([*tf.unstack(tf.shape(ids)), systems], tf.int32)
        return after, scores, tf.cond(is_ranked, ranks, lambda: none)


def _side_by_side(parts: Sequence[_Part]) -> tuple[np.ndarray, np.ndarray]:
    """The units of parts, -1 behind each, and the numbers of those that are scored."""
    longest = max(part.end - part.begin for part in parts)
    ids = np.full((len(parts), longest), -1, np.int32)
    places = np.full((len(parts), longest), -1, np.int64)
    for row, part in enumerate(parts):
        length = part.end - part.begin
        ids[row, :length] = part.document[part.begin : part.end]
        places[row, part.scored - part.begin : length] = part.offset + np.arange(
            part.scored, part.end
        )
    return ids, places
