"""Predictions from an exported folder: TensorFlow and the model card, no more.

Neither layers nor training code is imported: all that the model does is in its graph.
"""

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from recurra.pipelines.errors import UserError

ROWS_TOGETHER = 64


class ExportedModel:
    """A version of an exported model.

    Args:
        folder: The version's folder, or the model's, whose latest version is taken.

    Raises:
        UserError: If no exported model stands there.
    """

    def __init__(self, folder: Path):
        self.folder = _version_folder(folder)
        self.card = _read_card(self.folder)
        if self.card["task"] == "translation":
            # Makes known to TensorFlow what such a graph is made of.
            importlib.import_module("tensorflow_text")
        try:
            self._loaded = tf.saved_model.load(str(self.folder))
        except (OSError, tf.errors.OpError, ValueError) as error:
            raise UserError(
                f"{self.folder}: the SavedModel cannot be loaded "
                f"({str(error).splitlines()[0]}); export it again"
            ) from error

    def signature(self, name: str) -> Any:
        """The function of that name."""
        return self._loaded.signatures[name]

    def classify(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """The answer to each text: `label`, `score` and `probabilities` by class."""
        signature = self.signature("serving_default")
        classes = self.card["classes"]
        answers: list[dict[str, Any]] = [{}] * len(texts)
        # Like lengths together, so that little work goes into padding.
        order = np.argsort([len(text) for text in texts], kind="stable")
        for begin in range(0, len(texts), ROWS_TOGETHER):
            rows = order[begin : begin + ROWS_TOGETHER]
            output = signature(text=tf.constant([texts[row] for row in rows]))
            for row, label, score, probabilities in zip(
                rows,
                output["label"].numpy(),
                output["score"].numpy(),
                output["probabilities"].numpy(),
                strict=True,
            ):
                answers[row] = {
                    "label": label.decode("utf-8"),
                    "score": float(score),
                    "probabilities": dict(
                        zip(classes, map(float, probabilities), strict=True)
                    ),
                }
        return answers

    def translate(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """The answer to each text: `translation` and `score`."""
        # The graph itself puts like lengths together.
        output = self.signature("serving_default")(
            text=tf.constant(list(texts), tf.string)
        )
        return [
            {"translation": translation.decode("utf-8"), "score": float(score)}
            for translation, score in zip(
                output["translation"].numpy(), output["score"].numpy(), strict=True
            )
        ]


def _version_folder(folder: Path) -> Path:
    if (folder / "saved_model.pb").is_file():
        return folder
    versions = (
        [path for path in folder.iterdir() if path.name.isdecimal()]
        if folder.is_dir()
        else []
    )
    if not versions:
        raise UserError(
            f"{folder}: no exported model (no saved_model.pb and no version in it); "
            "'recurra export RUN' makes one"
        )
    return _version_folder(max(versions, key=lambda path: int(path.name)))


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / "assets.extra" / "model_card.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: no readable model card ({error}); "
            "was this model exported by 'recurra export'?"
        ) from None
