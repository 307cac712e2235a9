"""The recurrent language model, and how it is trained by truncated backpropagation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from recurra.layers import WordDropout

from ..core.parallel.noise import Rows
from ..core.training import SGD, Adam, learning_rate_schedule, make_optimizer
from ..recurrent import recurrent_layer
from .config import LanguageConfig, LanguageTrainingConfig, ModelConfig
from .vocabulary import BOUNDARY

# Of weights that a softmax reads.
_RANGE = 0.1


class LanguageModel(keras.Model):
    """Embedding, recurrent layers, softmax over the units.

        h_t = layers(E x_t, h_{t-1})
        p(x_{t+1}) = softmax(r_t E_o + b)

    r_t is h_t, or with tied embeddings of another size than the layers a projection of
    it; E_o is then E transposed. The loss is the mean negative log-likelihood, and in
    training, with the output h'_t that dropout leaves,

        + activation_penalty mean(h'_t^2)
        + temporal_activation_penalty mean((h_{t+1} - h_t)^2)

    With both directions further layers read each window from its end, without a state
    that is carried, and by the same embeddings and softmax predict the unit before what
    they have read; their mean negative log-likelihood is added.

    Called with a batch of `StreamDataModule` it gives the readouts, float32
    `[B, T, R]`, with both directions a pair of them, the backward ones of the units
    `ids`; and keeps the states for the next batch. They are weights that no
    gradient reaches, so a saved state of training has them too.

    Attributes:
        carried: These weights, `[batch_size, units]` each.
        rows: Of the batch, those that this process trains on; None for all. The states
            of the others are zeros after the step, until those of all are summed up.

    Source: Merity, Keskar and Socher, "Regularizing and Optimizing LSTM Language
    Models", 2018

    Args:
        section: Sizes and noise.
        size: Of the vocabulary.
        batch_size: Rows of a batch in training.
        seed: Of the noise.
        sampled_units: Of the softmax in training, beside those of the batch; 0 for all.
    """

    def __init__(
        self,
        section: ModelConfig,
        size: int,
        batch_size: int,
        seed: int | None = None,
        sampled_units: int = 0,
    ):
        super().__init__(name="language")
        self.section = section
        self.size = size
        self.batch_size = batch_size
        self.rows: Rows | None = None
        self.embedding = layers.Embedding(
            size,
            section.embedding_size,
            keras.initializers.RandomUniform(-_RANGE, _RANGE),
            name="embedding",
        )
        self.words = WordDropout(section.word_dropout, seed=_seed(seed, 0))
        self.recurrent = [
            self._layer(_seed(seed, 2 + number)) for number in range(section.depth)
        ]
        self.backward = [
            self._layer(_seed(seed, 2 + section.depth + number))
            for number in range(section.depth if section.directions == "both" else 0)
        ]
        self.noise = layers.Dropout(
            section.output_dropout, noise_shape=(None, 1, None), seed=_seed(seed, 1)
        )
        self.projects = (
            section.tied_embeddings and section.units != section.embedding_size
        )
        self.projection = (
            layers.Dense(section.embedding_size, name="projection")
            if self.projects
            else None
        )
        self.sampled_units = sampled_units
        if sampled_units:
            self.draws = keras.random.SeedGenerator(_seed(seed, 100))
        self.nll = keras.metrics.Mean(name="nll")
        if self.backward:
            self.backward_nll = keras.metrics.Mean(name="backward_nll")

    def _layer(self, seed: int | None) -> keras.Layer:
        return recurrent_layer(
            self.section,
            self.section.units,
            dropout=self.section.input_dropout,
            return_sequences=True,
            return_state=True,
            seed=seed,
        )

    def build(self, input_shape: Any = None) -> None:
        """All weights."""
        section = self.section
        self.embedding.build()
        for direction in (self.recurrent, self.backward):
            width = section.embedding_size
            for layer in direction:
                layer.build((None, None, width))
                width = section.units
        width = section.units
        if self.projection is not None:
            self.projection.build((None, None, width))
        if not section.tied_embeddings:
            self.output_embedding = self.add_weight(
                (self.size, width),
                keras.initializers.RandomUniform(-_RANGE, _RANGE),
                name="output_embedding",
            )
        self.output_bias = self.add_weight((self.size,), "zeros", name="output_bias")
        self.carried = [
            self.add_weight(
                (self.batch_size, units),
                "zeros",
                trainable=False,
                name=f"state_{number}",
            )
            for number, units in enumerate(self.state_sizes)
        ]
        self.built = True

    @property
    def state_sizes(self) -> list[int]:
        """Units of each state of each layer, as `read` takes them."""
        return [
            size
            for layer in self.recurrent
            for size in keras.tree.flatten(layer.cell.state_size)
        ]

    def call(
        self, inputs: Mapping[str, tf.Tensor], training: bool | None = False
    ) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        states = [self._own(state) * inputs["carry"][:, None] for state in self.carried]
        outputs, states = self.read(inputs["ids"], states, training=training)
        for kept, state in zip(self.carried, states, strict=True):
            kept.assign(self._among_all(state))
        dropped = self.noise(outputs, training=training)
        if training and self.section.activation_penalty:
            squares = tf.reduce_mean(tf.square(dropped))
            self.add_loss(self.section.activation_penalty * squares)
        if training and self.section.temporal_activation_penalty:
            changes = outputs[:, 1:] - outputs[:, :-1]
            # A window of one unit has none.
            squares = tf.math.divide_no_nan(
                tf.reduce_sum(tf.square(changes)), tf.cast(tf.size(changes), tf.float32)
            )
            self.add_loss(self.section.temporal_activation_penalty * squares)
        if not self.backward:
            return self.readouts(dropped)
        ids = inputs["ids"]
        # The last unit of a window has nothing behind it.
        after = tf.concat([tf.fill([tf.shape(ids)[0], 1], BOUNDARY), ids[:, :0:-1]], 1)
        behind = self.noise(self.read_backward(after, training), training=training)
        return self.readouts(dropped), self.readouts(behind[:, ::-1])

    def _own(self, state: Any) -> tf.Tensor:
        """The rows of a state that this process trains on."""
        if self.rows is None:
            return tf.convert_to_tensor(state)
        return state[self.rows.begin : self.rows.begin + self.rows.mine]

    def _among_all(self, state: tf.Tensor) -> tf.Tensor:
        """Its own rows among those of the whole batch."""
        if self.rows is None:
            return state
        begin, mine, number = self.rows
        return tf.pad(state, [[begin, number - begin - mine], [0, 0]])

    def read_backward(self, ids: tf.Tensor, training: bool | None = False) -> tf.Tensor:
        """The outputs `[N, T, U]` of the backward layers, without a state before.

        Args:
            ids: int32 `[N, T]`: a boundary, then units from the last one back.
            training: Whether there is noise.
        """
        outputs = self.words(self.embedding(ids), ids, training=training)
        for layer in self.backward:
            outputs = layer(outputs, training=training)[0]
        return outputs

    def read(
        self,
        ids: tf.Tensor,
        states: Sequence[tf.Tensor],
        mask: tf.Tensor | None = None,
        training: bool | None = False,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The outputs `[N, T, U]` over units `[N, T]`, and the states after them."""
        outputs = self.words(self.embedding(ids), ids, training=training)
        states, new_states = list(states), []
        for layer in self.recurrent:
            own = len(keras.tree.flatten(layer.cell.state_size))
            outputs, *after = layer(
                outputs, initial_state=states[:own], mask=mask, training=training
            )
            states = states[own:]
            new_states += after
        return outputs, new_states

    def step(
        self, ids: tf.Tensor, states: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """As `read` of one unit `[N]` each: the outputs `[N, U]`, and the states."""
        outputs = self.embedding(ids)
        states, new_states = list(states), []
        for layer in self.recurrent:
            own = len(keras.tree.flatten(layer.cell.state_size))
            outputs, after = layer.cell(outputs, states[:own], training=False)
            states = states[own:]
            new_states += keras.tree.flatten(after)
        return outputs, new_states

    def readouts(self, outputs: tf.Tensor) -> tf.Tensor:
        """What the softmax reads of outputs `[..., U]`: `[..., R]`."""
        return outputs if self.projection is None else self.projection(outputs)

    def logits(self, readouts: tf.Tensor) -> tf.Tensor:
        """Of readouts `[rows, R]`: `[rows, V]`."""
        products = tf.matmul(readouts, self._output_embedding(), transpose_b=True)
        return tf.nn.bias_add(products, tf.convert_to_tensor(self.output_bias))

    def _output_embedding(self) -> tf.Tensor:
        return tf.convert_to_tensor(
            self.embedding.embeddings
            if self.section.tied_embeddings
            else self.output_embedding
        )

    def _sampled_nll(self, units: tf.Tensor, readouts: tf.Tensor) -> tf.Tensor:
        """Of units `[rows]`, with the sum of the softmax estimated by units drawn.

        Unit r, the r-th most frequent, is drawn with q(r) = log((r + 2) / (r + 1)) /
        log(V + 1). The sum over all units is that of the unit itself and, of each of S
        that are drawn and are another one, exp(logit) / (S q), so its mean is exact.

        Source: Bengio and Senecal, "Adaptive Importance Sampling to Accelerate Training
        of a Neural Probabilistic Language Model", 2008
        """
        heights = keras.random.uniform((self.sampled_units,), seed=self.draws)
        log_size = np.log(self.size + 1.0)
        drawn = tf.cast(tf.exp(heights * log_size), tf.int32) - 1
        drawn = tf.clip_by_value(drawn, 0, self.size - 1)

        shares = tf.math.log1p(1.0 / (tf.cast(drawn, tf.float32) + 1.0)) / log_size
        table, bias = self._output_embedding(), tf.convert_to_tensor(self.output_bias)
        own = tf.reduce_sum(readouts * tf.gather(table, units), 1)
        own += tf.gather(bias, units)
        others = tf.matmul(readouts, tf.gather(table, drawn), transpose_b=True)
        others += tf.gather(bias, drawn) - tf.math.log(shares * self.sampled_units)
        # The unit itself, where it is drawn, is no other one.
        others = tf.where(drawn[None] == units[:, None], -1e9, others)
        logits = tf.concat([own[:, None], others], 1)
        return tf.reduce_logsumexp(logits, 1) - own

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """The mean over the real units, of the readouts `y_pred`, and the penalties.

        All of it is a sum over rows divided by the number of real units, so that
        several processes come to the loss of the whole batch from their rows.
        """
        forward, behind = y_pred if self.backward else (y_pred, None)
        nll = self._nll(y, forward, sample_weight, training)
        self.nll.update_state(nll)
        total = tf.reduce_sum(nll)
        if self.backward:
            # `ids` are the units before `y`.
            are_real = tf.concat([sample_weight[:, :1], sample_weight[:, :-1]], 1)
            backward_nll = self._nll(x["ids"], behind, are_real, training)
            self.backward_nll.update_state(backward_nll)
            total += tf.reduce_sum(backward_nll)
        if self.losses:
            total += tf.add_n(self.losses) * tf.cast(tf.size(y), tf.float32)
        return tf.math.divide_no_nan(total, tf.reduce_sum(sample_weight))

    def _nll(
        self, units: tf.Tensor, readouts: tf.Tensor, weights: tf.Tensor, training: bool
    ) -> tf.Tensor:
        """Of the real units, of readouts `[B, T, R]`."""
        real = tf.where(weights > 0)
        if training and self.sampled_units:
            return self._sampled_nll(
                tf.gather_nd(units, real), tf.gather_nd(readouts, real)
            )
        return tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=tf.gather_nd(units, real),
            logits=self.logits(tf.gather_nd(readouts, real)),
        )


def build_model(configuration: LanguageConfig, size: int) -> LanguageModel:
    """The untrained model for a vocabulary of this size."""
    model = LanguageModel(
        configuration.model,
        size,
        configuration.training.batch_size,
        configuration.seed,
        configuration.training.sampled_units,
    )
    model.build()
    return model


def compile_model(
    model: keras.Model, configuration: LanguageConfig, steps_per_epoch: int
) -> None:
    """Gives the model its optimizer; it has its loss itself."""
    training = configuration.training
    kind = SGD if training.optimizer == "sgd" else Adam
    optimizer = make_optimizer(training, steps_per_epoch, kind)
    if training.decay_factor < 1:
        optimizer.learning_rate = _Decaying(training, steps_per_epoch)
    # Windows may differ in length, and each would be compiled anew.
    model.compile(optimizer, jit_compile=False)


class _Decaying(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule times a factor for each epoch from some one on."""

    def __init__(self, training: LanguageTrainingConfig, steps_per_epoch: int):
        self._rate = learning_rate_schedule(training, steps_per_epoch)
        self._training = training
        self._steps = steps_per_epoch

    def __call__(self, step: Any) -> Any:
        rate = self._rate(step) if callable(self._rate) else self._rate
        epoch = keras.ops.cast(step // self._steps, "float32")
        decayed = keras.ops.maximum(0.0, epoch + 1 - self._training.decay_after)
        return rate * self._training.decay_factor**decayed


def _seed(seed: int | None, purpose: int) -> int | None:
    """Another seed for each purpose."""
    if seed is None:
        return None
    return int(np.random.default_rng([seed, purpose]).integers(2**31))
