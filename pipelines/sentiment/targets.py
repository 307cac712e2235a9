"""What a text gets: one of the classes, or any of them.

This is where the two differ, but for their metrics and reports. Labels are int `[N]` of
one class, and bool `[N, C]` of any; so functions that have labels know by these.
"""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from scipy.special import expit

from ..cards import Answer, LabelsAnswer, LabelSetsAnswer
from . import decisions
from .metrics import softmax

Thresholds = Sequence[float] | None


class Target(abc.ABC):
    """What a text gets, by logits `[N, C]`.

    Attributes:
        several: Whether a text may get several classes, or none.
    """

    several: ClassVar[bool]

    @abc.abstractmethod
    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """float64 `[N, C]`."""

    @abc.abstractmethod
    def probabilities_in_graph(self, logits: tf.Tensor) -> tf.Tensor:
        """The same of tensors."""

    @abc.abstractmethod
    def cross_entropy(self, labels: Any, logits: Any, weights: Thresholds) -> Any:
        """The loss of each row, `[N]`; with `weights` of the classes, `[C]`."""

    @abc.abstractmethod
    def right(self, labels: Any, logits: Any) -> Any:
        """How much of each row's answer is right, `[N]`, from 0 to 1."""

    @abc.abstractmethod
    def decide(self, probabilities: np.ndarray, thresholds: Thresholds) -> np.ndarray:
        """What texts get, in the form of labels."""

    @abc.abstractmethod
    def class_weights(
        self, given: str | Mapping[str, float], classes: Sequence[str], labels: Any
    ) -> list[float] | None:
        """What a row of each class counts, `[C]`; None where all count one."""

    @abc.abstractmethod
    def given_thresholds(
        self, given: Mapping[str, float], classes: Sequence[str]
    ) -> list[float]:
        """Thresholds of all classes, `[C]`, of which the user gave some."""

    @abc.abstractmethod
    def tune_thresholds(
        self, labels: np.ndarray, probabilities: np.ndarray, objective: str
    ) -> list[float]:
        """Thresholds, `[C]`, with which the objective is highest."""

    @abc.abstractmethod
    def margins(self, logits: tf.Tensor, thresholds: Thresholds) -> tf.Tensor:
        """Logits less those of the thresholds, `[N, C]`."""

    @abc.abstractmethod
    def explained(self, margins: tf.Tensor) -> tf.Tensor:
        """What attributions explain, as factors of the logits, `[N, C]`."""

    @abc.abstractmethod
    def answers(
        self, logits: tf.Tensor, classes: tf.Tensor, thresholds: Thresholds
    ) -> dict[str, tf.Tensor]:
        """The outputs of `serving_default`."""

    @abc.abstractmethod
    def answer(self, classes: Sequence[str], thresholds: Thresholds) -> Answer:
        """What the model card says of these."""


class OneClass(Target):
    """The most probable class, beside its threshold where there are such."""

    several = False

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return softmax(logits)

    def probabilities_in_graph(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(logits)

    def cross_entropy(self, labels: Any, logits: Any, weights: Thresholds) -> Any:
        losses = keras.losses.sparse_categorical_crossentropy(
            labels, logits, from_logits=True
        )
        if weights is None:
            return losses
        of_class = ops.convert_to_tensor(weights, losses.dtype)
        return losses * ops.take(of_class, ops.cast(labels, "int32"), axis=0)

    def right(self, labels: Any, logits: Any) -> Any:
        predicted = ops.argmax(logits, axis=-1)
        return ops.equal(ops.cast(labels, predicted.dtype), predicted)

    def decide(self, probabilities: np.ndarray, thresholds: Thresholds) -> np.ndarray:
        return decisions.decide(probabilities, thresholds)

    def class_weights(
        self, given: str | Mapping[str, float], classes: Sequence[str], labels: Any
    ) -> list[float] | None:
        return decisions.class_weights(given, classes, labels)

    def given_thresholds(
        self, given: Mapping[str, float], classes: Sequence[str]
    ) -> list[float]:
        return decisions.given_thresholds(given, classes)

    def tune_thresholds(
        self, labels: np.ndarray, probabilities: np.ndarray, objective: str
    ) -> list[float]:
        return decisions.tune_thresholds(labels, probabilities, objective)

    def margins(self, logits: tf.Tensor, thresholds: Thresholds) -> tf.Tensor:
        if thresholds is None:
            return logits
        # To divide probabilities is to take from logits.
        return logits - tf.constant(np.log(thresholds), tf.float32)

    def explained(self, margins: tf.Tensor) -> tf.Tensor:
        """1 at the class that the text gets, -1 / (C - 1) at the others."""
        classes = tf.shape(margins)[-1]
        chosen = tf.one_hot(tf.argmax(margins, axis=-1), classes)
        return chosen - (1.0 - chosen) / (tf.cast(classes, tf.float32) - 1.0)

    def answers(
        self, logits: tf.Tensor, classes: tf.Tensor, thresholds: Thresholds
    ) -> dict[str, tf.Tensor]:
        """`label`, string `[N]`; `score`, float32 `[N]`, its probability."""
        probabilities = self.probabilities_in_graph(logits)
        chosen = tf.argmax(self.margins(logits, thresholds), axis=-1)
        return {
            "label": tf.gather(classes, chosen),
            "score": tf.gather(probabilities, chosen, batch_dims=1),
            "probabilities": probabilities,
        }

    def answer(self, classes: Sequence[str], thresholds: Thresholds) -> Answer:
        return LabelsAnswer(classes=list(classes), thresholds=list(thresholds or []))


class AnyLabels(Target):
    """Every label whose probability reaches its threshold, one half by default."""

    several = True

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return expit(np.asarray(logits, np.float64))

    def probabilities_in_graph(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(logits)

    def cross_entropy(self, labels: Any, logits: Any, weights: Thresholds) -> Any:
        """The mean over the labels; weights are of rows that have them."""
        labels = ops.cast(labels, logits.dtype)
        losses = ops.softplus(logits) - labels * logits
        if weights is not None:
            of_label = ops.convert_to_tensor(weights, logits.dtype)
            losses *= 1.0 + labels * (of_label - 1.0)
        return ops.mean(losses, axis=-1)

    def right(self, labels: Any, logits: Any) -> Any:
        """The fraction of the labels."""
        is_right = ops.equal(ops.cast(labels, "bool"), logits > 0)
        return ops.mean(ops.cast(is_right, logits.dtype), axis=-1)

    def decide(self, probabilities: np.ndarray, thresholds: Thresholds) -> np.ndarray:
        return decisions.decide_labels(probabilities, thresholds)

    def class_weights(
        self, given: str | Mapping[str, float], classes: Sequence[str], labels: Any
    ) -> list[float] | None:
        return decisions.label_weights(given, classes, labels)

    def given_thresholds(
        self, given: Mapping[str, float], classes: Sequence[str]
    ) -> list[float]:
        return decisions.given_label_thresholds(given, classes)

    def tune_thresholds(
        self, labels: np.ndarray, probabilities: np.ndarray, objective: str
    ) -> list[float]:
        return decisions.tune_label_thresholds(labels, probabilities, objective)

    def margins(self, logits: tf.Tensor, thresholds: Thresholds) -> tf.Tensor:
        if thresholds is None:
            return logits
        of_label = np.asarray(thresholds)
        return logits - tf.constant(np.log(of_label / (1.0 - of_label)), tf.float32)

    def explained(self, margins: tf.Tensor) -> tf.Tensor:
        """1 at the label that is furthest above its threshold, or least below it."""
        return tf.one_hot(tf.argmax(margins, axis=-1), tf.shape(margins)[-1])

    def answers(
        self, logits: tf.Tensor, classes: tf.Tensor, thresholds: Thresholds
    ) -> dict[str, tf.Tensor]:
        """`chosen`, bool `[N, C]`; `labels`, string `[N, C]`, "" behind the last.

        All have one width, so that a server can join requests.
        """
        probabilities = self.probabilities_in_graph(logits)
        reached = thresholds or [decisions.HALF] * classes.shape[0]
        chosen = probabilities >= tf.constant(reached, tf.float32)
        names = tf.broadcast_to(classes, tf.shape(chosen))
        return {
            "labels": tf.ragged.boolean_mask(names, chosen).to_tensor(
                "", shape=[None, classes.shape[0]]
            ),
            "chosen": chosen,
            "probabilities": probabilities,
        }

    def answer(self, classes: Sequence[str], thresholds: Thresholds) -> Answer:
        return LabelSetsAnswer(
            classes=list(classes),
            thresholds=list(thresholds or [decisions.HALF] * len(classes)),
        )


def target_of(several: bool) -> Target:
    """The target of texts with one class, or with several."""
    return AnyLabels() if several else OneClass()
