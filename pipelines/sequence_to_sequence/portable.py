"""What the graph does around the model, without TensorFlow."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.portable import MODEL_GRAPH, Arrays, Graph, Signature
from .portable_search import Search, beam_search
from .portable_texts import SPACE, Pieces, split_text
from .special_tokens import EOS

#: The graph of one step of decoding.
STEP_GRAPH = "step"


class PortableServing:
    """From texts to texts made of them, part by part.

    Args:
        settings: `output`, what a text that is made is called; `search`, see `Search`;
            `longest`, `splitting` and `space`, see `generator.Generator`;
            `max_source_pieces`, `max_length_ratio` and `longest_extra`.
        arrays: Models of sentencepiece, `source` and `target`, as bytes.
        graphs: `model`, the encoder, and `step`.
    """

    text_input = "text"

    def __init__(
        self, settings: Mapping[str, Any], arrays: Arrays, graphs: Mapping[str, Graph]
    ):
        self._settings = settings
        self._search = Search(**settings["search"])
        self._source = Pieces(arrays["source"].tobytes(), settings["max_source_pieces"])
        self._target = Pieces(arrays["target"].tobytes())
        self._encoder, self._step = graphs[MODEL_GRAPH], graphs[STEP_GRAPH]

    def signatures(self) -> dict[str, Signature]:
        """`serving_default` alone."""
        return {"serving_default": self._generate}

    def _generate(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        answers = [self._generated(_as_text(text)) for text in inputs["text"]]
        return {
            self._settings["output"]: np.array(
                [said.encode() for said, _ in answers], object
            ),
            "score": np.array([score for _, score in answers], np.float32),
        }

    def _generated(self, text: str) -> tuple[str, float]:
        settings = self._settings
        longest, splitting = settings["longest"], settings["splitting"]
        lines, scores = [], []
        for parts in split_text(text, self._source, longest, splitting):
            said = []
            for ids in parts:
                found, score = self._searched(ids)
                said.append(self._target.decode(found))
                scores.append(score)
            lines.append(settings["space"].join(said).strip(SPACE))
        return "\n".join(lines).strip(SPACE), float(np.mean(scores or [0.0]))

    def _searched(self, ids: list[int]) -> tuple[list[int], float]:
        source = np.array([[*ids, EOS]], np.int32)
        encoded = self._encoder({"source": source})
        states = {name: each for name, each in encoded.items() if "state" in name}
        shared = {name: encoded[name] for name in encoded.keys() - states.keys()}
        shared["source"] = source

        def step(last: np.ndarray, states: Arrays) -> Any:
            given = self._step({"ids": last, **shared, **states})
            after = {name: given[f"new_{name}"] for name in states}
            return given["log_probabilities"], given["attention"], after

        settings = self._settings
        limit = np.ceil(np.float32(settings["max_length_ratio"]) * np.float32(len(ids)))
        most = int(limit + settings["longest_extra"]) if ids else 0
        return beam_search(step, states, most, self._search)


def _as_text(text: str | bytes) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text
