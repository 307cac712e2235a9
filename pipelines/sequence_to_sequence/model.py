"""The model: a recurrent encoder and a decoder that attends to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from recurra.layers import (
    AttentionCell,
    AttentionMemory,
    AttentionRNN,
    DeepRNN,
    MemoryAttention,
    WordDropout,
)

from ..core.training import make_optimizer
from ..recurrent import recurrent_layer
from .config import ModelConfig, SequenceToSequenceConfig
from .subwords import EOS, PADDING, Subwords

# Added to the logits of the special tokens that no output holds.
_NEVER = -1e9
# Below which float32 has fewer digits.
_LEAST_PROBABILITY = 1e-37


class Decoded(NamedTuple):
    """What teacher forcing gives.

    Attributes:
        readouts: `[N, T, R]`, what the output's projection reads.
        weights: Of attention, `[N, T, S]`.
    """

    readouts: tf.Tensor
    weights: tf.Tensor


class SequenceToSequenceModel(keras.Model):
    """Bidirectional encoder, attention and decoder with input feeding.

        h = encoder(E_s x)                     deep, in both directions
        s_t = decoder([E_t y_{t-1}, c_{t-1}])  the lowest layer; c_t attends by s_t to h
        s'_t = layers above, over [s_t, c_t]   if there are any
        r_t = tanh(W [s'_t, c_t, E_t y_{t-1}])
        p(y_t) = softmax(r_t E_o + b)

    The decoder starts from a projection of the mean of h. With tied embeddings E_o is
    E_t transposed, and E_s is E_t too where the vocabulary is joint. Of the special
    tokens the end alone is ever given any probability.

    With `copy_source` a piece is made by this softmax, or copied from the source by the
    weights a_t of attention (a pointer-generator network, See et al. 2017, "Get To The
    Point", https://arxiv.org/abs/1704.04368):

        g_t = sigmoid(w . r_t + v)
        p(y_t) = g_t softmax(r_t E_o + b)_y + (1 - g_t) sum_{s: x_s = y} a_ts

    Positions of special tokens but the end, and of pieces that the target does not
    use, are not copied from; p is divided by its sum where there are any.

    Called with `source` int32 `[N, S]` and `target_in` int32 `[N, T]`, both ending in
    padding, it gives the readouts, float32 `[N, T, R]`, of which `logits` makes logits
    where they are wanted; with `copy_source` a `Decoded`, which has the weights too.

    Args:
        section: Sizes and noise.
        source_size, target_size: Pieces of the vocabularies.
        joint: Whether ids below both sizes are of the same pieces.
        label_smoothing: Of the loss.
        seed: Of the noise.
        name: Of the model.
    """

    def __init__(
        self,
        section: ModelConfig,
        source_size: int,
        target_size: int,
        *,
        joint: bool,
        label_smoothing: float = 0.0,
        seed: int | None = None,
        name: str | None = None,
    ):
        super().__init__(name=name)
        self.section = section
        self.label_smoothing = label_smoothing
        self.target_size = target_size
        size = section.embedding_size
        if joint and section.tied_embeddings:
            rows = max(source_size, target_size)
            self.target_embedding = _embedding(rows, size, "embedding")
            self.source_embedding = self.target_embedding
        else:
            self.target_embedding = _embedding(target_size, size, "target_embedding")
            self.source_embedding = _embedding(source_size, size, "source_embedding")
        self.source_words = WordDropout(
            section.word_dropout, seed=_seed(seed, _SOURCE_WORDS)
        )
        self.target_words = WordDropout(
            section.word_dropout, seed=_seed(seed, _TARGET_WORDS)
        )
        self.encoder = DeepRNN(
            _recurrent(section, section.encoder_units, _seed(seed, _ENCODER)),
            depth=section.encoder_depth,
            bidirectional=True,
            residual=section.residual and section.encoder_depth > 1,
            return_sequences=True,
            name="encoder",
        )
        context_size = 2 * section.encoder_units
        self.attention = MemoryAttention(
            section.attention, section.attention_units, name="attention"
        )
        lowest = _recurrent(section, section.decoder_units, None).cell
        self.decoder_cell = AttentionCell(lowest, self.attention, context_size)
        self.decoder = AttentionRNN(
            self.decoder_cell,
            return_sequences=True,
            seed=_seed(seed, _DECODER),
            name="decoder",
        )
        self.upper = [
            _recurrent(section, section.decoder_units, _seed(seed, _OUTPUT + number))
            for number in range(1, section.decoder_depth)
        ]
        self.starts = [
            layers.Dense(units, "tanh", name=f"start_{number}")
            for number, units in enumerate(self.decoder_cell.state_sizes)
        ]
        self.readout = layers.Dense(size, "tanh", name="readout")
        self.copy_gate: Any = (
            layers.Dense(1, name="copy_gate") if section.copy_source else None
        )
        self.memory_noise = layers.Dropout(
            section.encoder_dropout, seed=_seed(seed, _MEMORY)
        )
        self.output_noise = layers.Dropout(
            section.output_dropout,
            noise_shape=(None, 1, None),
            seed=_seed(seed, _OUTPUT),
        )
        self.nll = keras.metrics.Mean(name="nll")

    def build(self, input_shape: Any = None) -> None:
        """All weights."""
        context_size = self.decoder_cell.context_size
        size, units = self.section.embedding_size, self.section.decoder_units
        self.target_embedding.build()
        self.source_embedding.build()
        self.encoder.build((None, None, size))
        self.decoder.build((None, None, size))
        for layer in self.upper:
            layer.build((None, None, units + context_size))
        for start in self.starts:
            start.build((None, context_size))
        self.readout.build((None, None, units + context_size + size))
        if self.copy_gate:
            self.copy_gate.build((None, size))
        if not self.section.tied_embeddings:
            self.output_embedding = self.add_weight(
                (self.target_size, size), name="output_embedding"
            )
        self.output_bias = self.add_weight(
            (self.target_size,), "zeros", name="output_bias"
        )
        self.built = True

    def call(
        self, inputs: Mapping[str, tf.Tensor], training: bool | None = False
    ) -> tf.Tensor | Decoded:
        memory, states = self.begin(inputs["source"], training)
        decoded = self.decode(inputs["target_in"], memory, states, training)
        return decoded if self.copy_gate else decoded.readouts

    def begin(
        self, source: tf.Tensor, training: bool | None = False
    ) -> tuple[AttentionMemory, list[tf.Tensor]]:
        """The encoded sources `[N, S]`, and the decoder's first states `[N, ...]`."""
        real = tf.not_equal(source, PADDING)
        embedded = self.source_words(
            self.source_embedding(source), source, training=training
        )
        values = self.encoder(embedded, mask=real, training=training)
        number = tf.reduce_sum(tf.cast(real, tf.float32), axis=1, keepdims=True)
        # The encoder puts out zeros at padding.
        mean = tf.reduce_sum(values, axis=1) / tf.maximum(number, 1.0)
        rows = tf.shape(source)[0]
        context = tf.zeros([rows, self.decoder_cell.context_size])
        upper = [
            state
            for layer in self.upper
            for state in layer.cell.get_initial_state(batch_size=rows)
        ]
        starts = [start(mean) for start in self.starts]
        read = self.memory_noise(values, training=training)
        return self.attention.memory(read, real), [*starts, context, *upper]

    def decode(
        self,
        target_in: tf.Tensor,
        memory: AttentionMemory,
        states: list[tf.Tensor],
        training: bool | None = False,
    ) -> Decoded:
        """Teacher forcing: the decoder over given pieces `[N, T]`."""
        embedded = self.target_words(
            self.target_embedding(target_in), target_in, training=training
        )
        of_cell = len(self.decoder_cell.state_size)
        outputs = self.decoder(
            embedded, memory, initial_state=states[:of_cell], training=training
        )
        hidden, contexts = self._apart(outputs)
        _, weights = self.attention(hidden, memory)
        for layer in self.upper:
            above = layer(tf.concat([hidden, contexts], -1), training=training)
            hidden = above + hidden if self.section.residual else above
        readouts = self.readout(tf.concat([hidden, contexts, embedded], -1))
        return Decoded(self.output_noise(readouts, training=training), weights)

    def step(
        self, memory: AttentionMemory, states: list[tf.Tensor], ids: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One step of decoding: readouts `[rows, R]` and the new states.

        Args:
            memory: Of `begin`.
            states: `[rows, ...]`; as many rows for each of the memory's.
            ids: int32 `[rows]`, the pieces before.
        """
        embedded = self.target_embedding(ids)
        of_cell = len(self.decoder_cell.state_size)
        with self.decoder_cell.attending_to(memory):
            outputs, new_states = self.decoder_cell(embedded, states[:of_cell])
        hidden, context = self._apart(outputs)
        rest = states[of_cell:]
        for layer in self.upper:
            of_layer = len(keras.tree.flatten(layer.cell.state_size))
            read = tf.concat([hidden, context], -1)
            above, above_states = layer.cell(read, rest[:of_layer])
            hidden = above + hidden if self.section.residual else above
            new_states += keras.tree.flatten(above_states)
            rest = rest[of_layer:]
        readout = self.readout(tf.concat([hidden, context, embedded], -1))
        return readout, new_states

    def attention_of(
        self, memory: AttentionMemory, states: list[tf.Tensor]
    ) -> tf.Tensor:
        """Weights `[rows, S]` of the step that gave these states."""
        rows = tf.shape(memory.keys)[0]
        queries = tf.reshape(states[0], [rows, -1, self.section.decoder_units])
        _, weights = self.attention(queries, memory)
        return tf.reshape(weights, [-1, tf.shape(memory.bias)[1]])

    def logits(
        self, readouts: tf.Tensor, projection: tf.Tensor | None = None
    ) -> tf.Tensor:
        """`[rows, V]` of readouts `[rows, R]`.

        Args:
            readouts: Of `call` or `step`.
            projection: `self.projection()`, where it is kept: few rows are multiplied
                with it faster than with the embeddings, which it is made from.
        """
        if projection is None:
            products = tf.matmul(readouts, self._output_embeddings, transpose_b=True)
        else:
            products = tf.matmul(readouts, projection)
        # In this form TensorFlow adds the bias while it multiplies.
        return tf.nn.bias_add(products, self.output_bias + self._never)

    def projection(self) -> tf.Tensor:
        """The output embeddings as they are multiplied with, `[R, V]`."""
        return tf.transpose(self._output_embeddings)

    def with_copies(
        self,
        logits: tf.Tensor,
        readouts: tf.Tensor,
        weights: tf.Tensor,
        source: tf.Tensor,
    ) -> tf.Tensor:
        """Log-probabilities `[rows, V]` of pieces that are made or copied.

        Args:
            logits: `[rows, V]`, of the readouts.
            readouts: `[rows, R]`.
            weights: Of attention, `[rows, S]`.
            source: int32 `[rows, S]`.
        """
        copyable, positions = self._copyable(weights, source)
        number = tf.shape(source)[0]
        rows = tf.repeat(tf.range(number)[:, tf.newaxis], tf.shape(source)[1], 1)
        gate = tf.sigmoid(self.copy_gate(readouts))
        mixed = tf.tensor_scatter_nd_add(
            gate * tf.nn.softmax(logits),
            tf.stack([rows, positions], -1),
            (1.0 - gate) * copyable,
        )
        logs = tf.math.log(tf.maximum(mixed, _LEAST_PROBABILITY))
        return logs + self._never - self._log_of_all(gate, copyable)

    def losses(
        self,
        readouts: tf.Tensor,
        ids: tf.Tensor,
        weights: tf.Tensor | None = None,
        source: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The smoothed loss and the negative log-likelihood of pieces `[rows]`.

        With smoothing s the loss is `(1 - s) nll + s mean_v(-log p_v)`, the mean over
        all pieces that may stand, of p without copies. It is computed as
        `nll + s (z_y - mean_v z_v)`: both terms are linear in the readout, so that
        nothing of the vocabulary's size is gone through for it.

        Args:
            readouts: `[rows, R]`.
            ids: int32 `[rows]`.
            weights: Of attention, `[rows, S]`, where the model copies.
            source: int32 `[rows, S]`, then.
        """
        made = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=ids, logits=self.logits(readouts)
        )
        nll = made
        if self.copy_gate:
            nll = self._mixed_nll(made, readouts, ids, weights, source)
        if not self.label_smoothing:
            return nll, nll
        embeddings, bias = self._output_embeddings, self.output_bias
        of_ids = tf.reduce_sum(readouts * tf.gather(embeddings, ids), -1)
        of_ids += tf.gather(bias, ids)
        mean = tf.linalg.matvec(readouts, tf.reduce_mean(embeddings[EOS:], 0))
        mean += tf.reduce_mean(bias[EOS:])
        smoothed = of_ids - mean
        if self.copy_gate:
            smoothed += made - nll
        return nll + self.label_smoothing * smoothed, nll

    def losses_at(
        self, decoded: Decoded, source: tf.Tensor, ids: tf.Tensor, real: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """`losses` of the pieces `[rows]` at positions `[rows, 2]` of targets."""
        readouts = tf.gather_nd(decoded.readouts, real)
        if not self.copy_gate:
            return self.losses(readouts, ids)
        return self.losses(
            readouts,
            ids,
            tf.gather_nd(decoded.weights, real),
            tf.gather(source, real[:, 0]),
        )

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """The mean loss of the real pieces, given what a call gives as `y_pred`."""
        real = tf.where(sample_weight > 0)
        decoded = y_pred if self.copy_gate else Decoded(y_pred, None)
        ids = tf.gather_nd(y, real)
        losses, nll = self.losses_at(decoded, x["source"], ids, real)
        self.nll.update_state(nll)
        return tf.reduce_mean(losses)

    def _mixed_nll(
        self,
        made: tf.Tensor,
        readouts: tf.Tensor,
        ids: tf.Tensor,
        weights: tf.Tensor,
        source: tf.Tensor,
    ) -> tf.Tensor:
        """Of pieces that are made, with the likelihood exp(-`made`), or copied."""
        copyable, _ = self._copyable(weights, source)
        logits = self.copy_gate(readouts)
        is_piece = tf.cast(source == ids[:, tf.newaxis], tf.float32)
        copied = tf.reduce_sum(copyable * is_piece, -1)
        logs = tf.stack(
            [
                tf.math.log_sigmoid(logits[:, 0]) - made,
                tf.math.log_sigmoid(-logits[:, 0])
                + tf.math.log(tf.maximum(copied, _LEAST_PROBABILITY)),
            ]
        )
        of_all = self._log_of_all(tf.sigmoid(logits), copyable)[:, 0]
        return of_all - tf.reduce_logsumexp(logs, 0)

    def _copyable(
        self, weights: tf.Tensor, source: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Weights, 0 where nothing can be copied, and pieces that can stand."""
        stands = (source >= EOS) & (source < self.target_size)
        return tf.where(stands, weights, 0.0), tf.where(stands, source, EOS)

    def _log_of_all(self, gate: tf.Tensor, copyable: tf.Tensor) -> tf.Tensor:
        """The log of the sum of what is made and copied, `[rows, 1]`."""
        return tf.math.log(
            gate + (1.0 - gate) * tf.reduce_sum(copyable, -1, keepdims=True)
        )

    @property
    def _never(self) -> tf.Tensor:
        """`[V]`, far below 0 for special tokens that no output holds."""
        return tf.pad(tf.fill([EOS], _NEVER), [[0, self.target_size - EOS]])

    @property
    def _output_embeddings(self) -> tf.Tensor:
        """`[V, R]`."""
        if self.section.tied_embeddings:
            rows = tf.convert_to_tensor(self.target_embedding.embeddings)
            return rows[: self.target_size]
        return tf.convert_to_tensor(self.output_embedding)

    def _apart(self, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Hidden states and contexts that the attending cell put out side by side."""
        units = self.section.decoder_units
        return outputs[..., :units], outputs[..., units:]


def build_model(
    configuration: SequenceToSequenceConfig, subwords: Subwords, name: str
) -> SequenceToSequenceModel:
    """The untrained model for these vocabularies."""
    model = SequenceToSequenceModel(
        configuration.model,
        subwords.source.vocabulary_size,
        subwords.target.vocabulary_size,
        joint=configuration.subwords.joint,
        label_smoothing=configuration.training.label_smoothing,
        seed=configuration.seed,
        name=name,
    )
    model.build()
    return model


def compile_model(
    model: keras.Model, configuration: SequenceToSequenceConfig, steps_per_epoch: int
) -> None:
    """Gives the model its optimizer; it has its loss itself."""
    model.compile(
        make_optimizer(configuration.training, steps_per_epoch),
        # Each shape of a batch would be compiled anew.
        jit_compile=False,
    )


# The upper layers' purposes count on from the last one.
_SOURCE_WORDS, _TARGET_WORDS, _ENCODER, _DECODER, _MEMORY, _OUTPUT = range(6)


def _seed(seed: int | None, purpose: int) -> int | None:
    """Another seed for each purpose."""
    if seed is None:
        return None
    return int(np.random.default_rng([seed, purpose]).integers(2**31))


def _embedding(number: int, size: int, name: str) -> layers.Embedding:
    return layers.Embedding(
        number, size, keras.initializers.RandomNormal(stddev=size**-0.5), name=name
    )


def _recurrent(section: ModelConfig, units: int, seed: int | None) -> Any:
    return recurrent_layer(
        section,
        units,
        dropout=section.input_dropout,
        return_sequences=True,
        seed=seed,
    )
