"""What an exported model answers: stars for raw reviews."""

from typing import Any

import tensorflow as tf

from recurra.pipelines.core.serving_module import ServingModule, graph


class StarsServing(ServingModule):
    """`text`, string `[N]`, to `value`, float32 `[N]`."""

    def __init__(self, model: Any, vectorize: Any):
        super().__init__("stars", model.variables, model=model)
        self._vectorize = vectorize
        self.rate = graph(self._rate, [tf.TensorSpec([None], tf.string, "text")])

    def _rate(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        stars = self.untracked.model(self._vectorize(text), training=False)
        return {"value": stars[:, 0]}
