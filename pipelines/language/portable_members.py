"""The members of the model, asked together, without TensorFlow; see `members`."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.portable import Arrays, Graph
from .vocabulary import BOUNDARY

# Units of a text that are read at once.
_BLOCK = 128
# Of a probability that a float cannot hold.
_SMALLEST = 1e-30


class State(NamedTuple):
    """What is known of a text so far.

    Attributes:
        recurrent: The states of the recurrent layers, `[1, units]` each, by the names
            that the graph gives them.
        output: Of the last layer at the last unit, `[U]`.
        following: What the network says of the next unit, log-probabilities `[V]`.
        context: The last units, `[order - 1]`.
        cached_outputs: `[l, U]`, before each of the last units, L at most.
        cached_units: These units, `[l]`.
    """

    recurrent: Arrays
    output: np.ndarray
    following: np.ndarray
    context: np.ndarray
    cached_outputs: np.ndarray
    cached_units: np.ndarray


class Members:
    """The recurrent network, Kneser-Ney and a cache, mixed to one probability.

    Args:
        settings: `state_sizes`, `width`, `order`, `cache_size`, `flatness` and, of the
            members in their order, `weights`.
        arrays: Of the counts, as `KneserNeyGraph.arrays` gives them, where there are
            any.
        graph: A step of the network: from `ids` and its states to `outputs`, its new
            states, and `log_probabilities` of the next unit.
        size: Of the vocabulary.
    """

    def __init__(
        self, settings: Mapping[str, Any], arrays: Arrays, graph: Graph, size: int
    ):
        self._graph = graph
        self._settings = settings
        self._counts = _Counts(arrays, settings["order"], size)
        self._weights = np.array(settings["weights"], np.float32)
        self._size = size
        nothing = State(
            {
                f"state_{number:02}": np.zeros((1, units), np.float32)
                for number, units in enumerate(settings["state_sizes"])
            },
            np.zeros(settings["width"], np.float32),
            np.zeros(size, np.float32),
            np.full(max(settings["order"] - 1, 0), BOUNDARY, np.int64),
            np.zeros((0, settings["width"]), np.float32),
            np.zeros(0, np.int64),
        )
        #: The state after the boundary that a text begins with.
        self.begun = self._advance(nothing, [BOUNDARY])[0]

    def read(self, state: State, ids: Sequence[int]) -> State:
        """The state after units."""
        for begin in range(0, len(ids), _BLOCK):
            state = self._advance(state, ids[begin : begin + _BLOCK])[0]
        return state

    def score(self, ids: Sequence[int]) -> np.float32:
        """The log-probability of a text."""
        state, total = self.begun, np.float32(0)
        for begin in range(0, len(ids), _BLOCK):
            block = np.array(ids[begin : begin + _BLOCK], np.int64)
            after, before, following = self._advance(state, block)
            recurrent = np.take_along_axis(following, block[:, None], 1)[:, 0]
            members = [recurrent]
            if self._settings["order"]:
                counted = self._counts.probabilities(state.context, block)
                members.append(_log(counted))
            if self._settings["cache_size"]:
                attention, units = self._attention(state, before, block)
                found = _log((attention * (units == block[:, None])).sum(-1))
                members.append(np.where(attention.any(-1), found, recurrent))
            total += _log_of_sum(np.stack(members, -1), self._weights).sum()
            state = after
        return total

    def next(self, state: State) -> np.ndarray:
        """The probability of each unit to come next, `[V]`."""
        recurrent = np.exp(state.following)
        members = [recurrent]
        if self._settings["order"]:
            members.append(self._counts.distribution(state.context))
        if self._settings["cache_size"]:
            # The unit itself is looked at by none: members see what stands before it.
            attention, units = self._attention(
                state, state.output[None], np.array([BOUNDARY])
            )
            cached = np.bincount(units, attention[0], self._size)
            members.append(cached if cached.any() else recurrent)
        return np.tensordot(self._weights, np.stack(members), 1).astype(np.float32)

    def _advance(
        self, state: State, ids: Sequence[int] | np.ndarray
    ) -> tuple[State, np.ndarray, np.ndarray]:
        """The state after units; outputs and log-probabilities before each of them."""
        units = np.array(ids, np.int64)
        outputs, following = [state.output], [state.following]
        recurrent = state.recurrent
        for unit in units.astype(np.int32):
            given = self._graph({"ids": unit[None], **recurrent})
            recurrent = {name: given[f"new_{name}"] for name in recurrent}
            outputs.append(given["outputs"][0])
            following.append(given["log_probabilities"][0])
        length, context = self._settings["cache_size"], len(state.context)
        after = State(
            recurrent,
            outputs[-1],
            following[-1],
            _last([state.context, units], context),
            _last([state.cached_outputs, np.stack(outputs[:-1])], length),
            _last([state.cached_units, units], length),
        )
        return after, np.stack(outputs[:-1]), np.stack(following[:-1])

    def _attention(
        self, state: State, before: np.ndarray, ids: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the cache gives each earlier unit, `[T, l + T]`, and these units."""
        units = np.concatenate([state.cached_units, ids])
        keys = np.concatenate([state.cached_outputs, before])
        scores = np.float32(self._settings["flatness"]) * (before @ keys.T)
        ends = len(state.cached_units) + np.arange(len(ids))[:, None]
        entries = np.arange(len(units))
        is_seen = (entries >= ends - self._settings["cache_size"]) & (entries < ends)
        scores = np.where(is_seen & (units != BOUNDARY), scores, -np.inf)
        weights = np.exp(scores - np.maximum(scores.max(-1, keepdims=True), -1e9))
        return weights / np.maximum(weights.sum(-1, keepdims=True), _SMALLEST), units


class _Counts:
    """A Kneser-Ney model, asked by NumPy; see `kneser_ney.KneserNeyGraph`."""

    def __init__(self, arrays: Arrays, order: int, size: int):
        self._size = size
        self._unigram = arrays.get("unigram", np.zeros(0))
        self._levels = [
            [arrays[f"{name}_{number}"] for name in ("keys", "discounted")]
            + [arrays[f"{name}_{number}"] for name in ("backoff", "splits")]
            for number in range(max(order - 1, 0))
        ]

    def probabilities(self, context: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Of each unit `[T]` after those before it."""
        steps, every = len(ids), np.concatenate([context, ids])
        result = self._unigram[ids]
        # Of each order the numbers of the n-grams that end at each unit.
        numbers = every
        for keys, discounted, backoff, _ in self._levels:
            contexts = numbers[:-1]
            numbers = self._find(keys, contexts, every[-len(contexts) :])
            result = _or(contexts[-steps:], backoff, 1) * result
            result += _or(numbers[-steps:], discounted, 0)
        return result

    def distribution(self, context: np.ndarray) -> np.ndarray:
        """Over all units after a context, `[V]`."""
        result = self._unigram.copy()
        numbers, below = context, None
        for length, (keys, discounted, backoff, splits) in enumerate(self._levels):
            if below is not None:
                numbers = self._find(below, numbers[:-1], context[length:])
            below, end = keys, numbers[-1]
            if end >= 0:
                entries = slice(splits[end], splits[end + 1])
                result *= backoff[end]
                result[keys[entries] % self._size] += discounted[entries]
        return result

    def _find(
        self, keys: np.ndarray, contexts: np.ndarray, units: np.ndarray
    ) -> np.ndarray:
        """The number of each context with the unit behind it; -1 if there is none."""
        wanted = contexts * self._size + units
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where((contexts >= 0) & (keys[place] == wanted), place, -1)


def _or(numbers: np.ndarray, values: np.ndarray, otherwise: float) -> np.ndarray:
    """The values of these numbers; of -1 the other one."""
    return np.where(numbers >= 0, values[numbers], np.float32(otherwise))


def _last(parts: Sequence[np.ndarray], number: int) -> np.ndarray:
    """The last of what stands in the parts, so many at most."""
    every = np.concatenate(parts)
    return every[max(len(every) - number, 0) :]


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities, _SMALLEST))


def _log_of_sum(logs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The logarithm of the mixture, `[T]`, of the members' `[T, M]`."""
    highest = logs.max(-1, keepdims=True)
    return np.log(np.exp(logs - highest) @ weights) + highest[:, 0]
