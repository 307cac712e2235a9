"""What the graphs do around the language model's network, without TensorFlow."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..core.portable import MODEL_GRAPH, Arrays, Graph, Signature
from .portable_members import Members, State
from .portable_units import read_units
from .stateless_random import uniform
from .vocabulary import BOUNDARY, UNKNOWN

_BUCKETS = 1 << 20


class _Draw(NamedTuple):
    """How units are drawn; see `serving`."""

    temperature: float
    top_k: int
    top_p: float
    seed: int

    def unit(self, probabilities: np.ndarray, step: int, offset: np.float32) -> int:
        """A unit of probabilities `[V]`."""
        if not self.temperature > 0 or not probabilities.any():
            return int(probabilities.argmax())
        drawn = (uniform((self.seed, step)) + offset) % np.float32(1)
        if not self.top_k > 0 and self.top_p >= 1:
            likelihoods = probabilities
            if self.temperature != 1:
                power = np.float32(1 / self.temperature)
                likelihoods = (probabilities / probabilities.max()) ** power
            heights = np.cumsum(likelihoods)
            return int((heights > drawn * heights[-1]).argmax())
        kept = min(max(self.top_k, 0), len(probabilities)) or len(probabilities)
        best = np.argsort(-probabilities, kind="stable")[:kept]
        shares = probabilities[best] / probabilities[best].sum()
        before = np.concatenate([[np.float32(0)], np.cumsum(shares)[:-1]])
        is_kept = (shares > 0) & (before < np.float32(self.top_p))
        scores = np.log(shares[is_kept]) / np.float32(max(self.temperature, 1e-6))
        likelihoods = np.exp(scores - scores[0])
        heights = np.cumsum(likelihoods / likelihoods.sum())
        return int(best[(heights[:-1] <= drawn).sum()])


class PortableServing:
    """From texts to probabilities and what follows on them.

    Args:
        settings: `units`, `members` and `ends`: see `portable_units.read_units` and
            `portable_members.Members`, and whether texts that are written end.
        arrays: Of units and members.
        graphs: Of them `model`, the network.
    """

    text_input = "text"

    def __init__(
        self, settings: Mapping[str, Any], arrays: Arrays, graphs: Mapping[str, Graph]
    ):
        self._units = read_units(settings["units"], arrays)
        size = len(self._units.vocabulary)
        self._members = Members(settings["members"], arrays, graphs[MODEL_GRAPH], size)
        # Unknown is no text, and without a boundary in training nothing ends.
        self._can_be = np.full(size, True)
        self._can_be[[UNKNOWN] if settings["ends"] else [UNKNOWN, BOUNDARY]] = False

    def signatures(self) -> dict[str, Signature]:
        """Those that score and write; `state` of `begin` and `write` is no array."""
        return {
            "serving_default": self._score,
            "next": self._next,
            "generate": self._generate,
            "begin": self._begin,
            "write": self._write,
        }

    def _score(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        ids = [self._units.encode(_as_bytes(text)) for text in inputs["text"]]
        scores = [self._members.score(row) for row in ids]
        return {
            "log_probability": np.array(scores, np.float32),
            "units": np.array([len(row) for row in ids], np.int32),
        }

    def _next(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        kept = int(np.clip(inputs["k"], 1, len(self._units.vocabulary)))
        units, probabilities = [], []
        for text in inputs["text"]:
            ids = self._units.encode(_as_bytes(text))
            found = self._members.next(self._members.read(self._members.begun, ids))
            best = np.argsort(-found, kind="stable")[:kept]
            units.append([self._units.shown(unit) for unit in best])
            probabilities.append(found[best])
        return {
            "unit": np.array(units, object),
            "probability": np.array(probabilities, np.float32),
        }

    def _generate(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        stop = _as_bytes(inputs["stop"])
        draw, length = _draw(inputs), int(inputs["length"])
        texts = []
        for text in inputs["prompt"]:
            prompt = _as_bytes(text)
            state, typed, offset = self._prompted(prompt)
            text, _, _ = self._written(
                prompt, typed, offset, state, 0, length, draw, stop
            )
            texts.append(text.partition(stop)[0] if stop else text)
        return {"text": np.array(texts, object)}

    def _begin(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        begun = [self._prompted(_as_bytes(text)) for text in inputs["prompt"]]
        states, typed, offsets = zip(*begun, strict=True)
        return {"state": states, "typed": typed, "offset": offsets}

    def _write(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        names = ("behind", "typed", "offset", "state")
        rows = zip(*(inputs[name] for name in names), strict=True)
        first, length = int(inputs["first"]), int(inputs["length"])
        written = [
            self._written(
                behind, typed, offset, state, first, length, _draw(inputs), b""
            )
            for behind, typed, offset, state in rows
        ]
        texts, are_over, states = zip(*written, strict=True)
        return {"text": texts, "is_over": are_over, "state": states}

    def _prompted(self, prompt: bytes) -> tuple[State, bytes, np.float32]:
        """The state after a prompt, what is typed of a unit that is to go on, and a
        number from 0 to 1 by its letters."""
        from farmhash import Fingerprint64

        ids, typed = self._units.without_broken_end(prompt)
        offset = np.float32(Fingerprint64(prompt) % _BUCKETS / _BUCKETS)
        return self._members.read(self._members.begun, ids), typed, offset

    def _written(
        self,
        behind: bytes,
        typed: bytes,
        offset: np.float32,
        state: State,
        first: int,
        length: int,
        draw: _Draw,
        stop: bytes,
    ) -> tuple[bytes, bool, State]:
        """What is written behind a text, whether it has ended, and the state then.

        Args:
            behind: The text.
            typed: The beginning of the first unit, where that is given.
            offset: Of the draws.
            state: After the text, without what is typed.
            first: So many units were written before.
            length: Units to write at most.
            draw: How units are drawn.
            stop: A text that ends it, unless it is empty.
        """
        text = b""
        for step in range(length):
            is_open = self._can_be
            if typed:
                is_open = is_open & self._units.completing(typed)
            probabilities = np.where(is_open, self._members.next(state), np.float32(0))
            unit = draw.unit(probabilities, first + step, offset)
            if unit == BOUNDARY:
                return text, True, state
            letters = self._units.vocabulary[unit]
            text += (
                letters[len(typed) :]
                if typed
                else self._units.join(letters, behind + text)
            )
            typed = b""
            if stop and stop in text:
                return text, True, state
            state = self._members.read(state, [unit])
        return text, False, state


def _draw(inputs: Mapping[str, Any]) -> _Draw:
    return _Draw(
        float(inputs["temperature"]),
        int(inputs["top_k"]),
        float(inputs["top_p"]),
        int(inputs["seed"]),
    )


def _as_bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
