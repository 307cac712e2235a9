"""Several models that give one probability: the mean of theirs."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from ..core.serving_module import graph
from .decoding import Nest
from .model import SequenceToSequenceModel


class Ensemble:
    """Several models as one `decoding.Scorer`.

    Attributes:
        begins: `begin` of each model, as graphs that are traced once, whatever graphs
            call them.
        projections: Of the models, kept as they are multiplied with in each step.
    """

    def __init__(self, models: Sequence[SequenceToSequenceModel]):
        self._models = models
        source = tf.TensorSpec([None, None], tf.int32, "source")
        self.begins = [graph(model.begin, [source]) for model in models]
        self.projections = [
            tf.Variable(model.projection(), trainable=False) for model in models
        ]

    def refresh(self) -> None:
        """Takes over the models' weights, which training may have changed."""
        for kept, model in zip(self.projections, self._models, strict=True):
            kept.assign(model.projection())

    def begin(self, source: tf.Tensor) -> tuple[Nest, Nest]:
        memories, states = zip(*(begin(source) for begin in self.begins), strict=True)
        # What is copied is looked up in the source.
        return [(memory, source) for memory in memories], list(states)

    def step(
        self, memory: Nest, states: Nest, ids: tf.Tensor
    ) -> tuple[tf.Tensor, Nest]:
        scores, new_states = [], []
        for model, projection, of_memory, of_states in zip(
            self._models, self.projections, memory, states, strict=True
        ):
            attended, source = of_memory
            readouts, of_states = model.step(attended, of_states, ids)
            logits = model.logits(readouts, tf.convert_to_tensor(projection))
            if model.copy_gate:
                weights = model.attention_of(attended, of_states)
                hypotheses = tf.shape(weights)[0] // tf.shape(source)[0]
                source = tf.repeat(source, hypotheses, axis=0)
                logits = model.with_copies(logits, readouts, weights, source)
            scores.append(logits)
            new_states.append(of_states)
        if len(scores) > 1:
            scores = [tf.nn.log_softmax(logits) for logits in scores]
        return mean_of_logs(scores), new_states

    def attention(self, memory: Nest, states: Nest) -> tf.Tensor:
        weights = [
            model.attention_of(attended, of_states)
            for model, (attended, _), of_states in zip(
                self._models, memory, states, strict=True
            )
        ]
        return tf.add_n(weights) / len(weights)


def mean_of_logs(logs: list[tf.Tensor]) -> tf.Tensor:
    """Of the logs of probabilities the log of their mean."""
    if len(logs) == 1:
        return logs[0]
    return tf.reduce_logsumexp(tf.stack(logs), 0) - np.log(len(logs))
