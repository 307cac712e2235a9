"""What the graph does around the sentiment model, without TensorFlow."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core.portable import MODEL_GRAPH, Arrays, Graph, Signature
from .tokenization import PADDING, UNKNOWN, text_tokens

# The largest prime below 2**63, as in `preprocessing.ngram_fingerprints`.
_BUCKETS = 2**63 - 25


class PortableServing:
    """From texts to the model's ids, and from probabilities to labels.

    Equal to the graph for all characters that TensorFlow's Unicode tables know; see
    `tokenization.text_tokens`.

    Args:
        settings: `lowercase`, `vocabulary`, `head`, `tail`, `widths`,
            `ngram_features`, `ngrams`, `classes` and `thresholds`; `several` where a
            text may have several labels.
        arrays: Of the n-grams, where there are any: their `fingerprints`, rising, and
            their `ids`.
        graphs: Of them `model`.
    """

    text_input = "text"

    def __init__(
        self,
        settings: Mapping[str, Any],
        arrays: Arrays,
        graphs: Mapping[str, Graph],
    ):
        self._graph = graphs[MODEL_GRAPH]
        self._settings = settings
        words = enumerate(settings["vocabulary"])
        self._words = {word: number for number, word in words}
        self._classes = np.array([name.encode() for name in settings["classes"]])
        self._arrays = arrays

    def signatures(self) -> dict[str, Signature]:
        """`serving_default` alone."""
        return {"serving_default": self._classify}

    def _classify(self, raw: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return self._outputs(self._graph(self._inputs(raw)))

    def _inputs(self, raw: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """`tokens`, and by the model `ngram_features` and `ngrams`; padded rows."""
        rows = [
            text_tokens(_as_text(text), self._settings["lowercase"])
            for text in raw["text"]
        ]
        kept = [self._read(len(tokens)) for tokens in rows]
        inputs = {
            "tokens": _padded(
                [
                    [self._words.get(tokens[place], UNKNOWN) for place in places]
                    for tokens, places in zip(rows, kept, strict=True)
                ]
            )
        }
        widths = self._settings["widths"]
        if not widths:
            return inputs
        ids = [self._ngrams(tokens) for tokens in rows]
        if self._settings["ngram_features"]:
            by_width = [
                _padded(
                    [
                        each[number][places]
                        for each, places in zip(ids, kept, strict=True)
                    ]
                )
                for number in range(len(widths))
            ]
            inputs["ngram_features"] = np.stack(by_width, axis=-1)
        if self._settings["ngrams"]:
            known = [np.concatenate(each) for each in ids]
            inputs["ngrams"] = _padded(
                [list(dict.fromkeys(each[each != PADDING].tolist())) for each in known]
            )
        return inputs

    def _outputs(self, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As the signature `serving_default` has them."""
        probabilities = given["probabilities"]
        if self._settings.get("several"):
            return self._label_sets(probabilities)
        chosen = (probabilities / self._settings["thresholds"]).argmax(axis=-1)
        return {
            "label": self._classes[chosen],
            "score": np.take_along_axis(probabilities, chosen[:, None], -1)[:, 0],
            "probabilities": probabilities,
        }

    def _label_sets(self, probabilities: np.ndarray) -> dict[str, np.ndarray]:
        chosen = probabilities >= np.float32(self._settings["thresholds"])
        labels = np.full(chosen.shape, b"", object)
        for row, has in zip(labels, chosen, strict=True):
            row[: has.sum()] = self._classes[has]
        return {"labels": labels, "chosen": chosen, "probabilities": probabilities}

    def _read(self, length: int) -> np.ndarray:
        """The places of the tokens that the recurrent branch reads."""
        places = np.arange(length)
        head, tail = self._settings["head"], self._settings["tail"]
        return places[(places < head) | (places >= length - tail)]

    def _ngrams(self, tokens: Sequence[str]) -> list[np.ndarray]:
        """By width, for each token the id of the n-gram that begins there."""
        from farmhash import Fingerprint64

        found = []
        for width in self._settings["widths"]:
            begins = range(len(tokens) - width + 1)
            hashes = np.array(
                [
                    Fingerprint64(" ".join(tokens[i : i + width]).encode()) % _BUCKETS
                    for i in begins
                ],
                np.int64,
            )
            known = self._arrays["fingerprints"]
            place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
            ids = np.full(len(tokens), PADDING, np.int32)
            ids[: len(hashes)] = np.where(
                known[place] == hashes, self._arrays["ids"][place], PADDING
            )
            found.append(ids)
        return found


def _as_text(text: str | bytes) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def _padded(rows: Sequence[Sequence[int] | np.ndarray]) -> np.ndarray:
    """int32 `[N, longest]`."""
    padded = np.full((len(rows), max(map(len, rows), default=0)), PADDING, np.int32)
    for row, values in zip(padded, rows, strict=True):
        row[: len(values)] = values
    return padded
