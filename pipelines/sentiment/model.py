"""The sentiment model: a recurrent member over tokens, simple ones over n-grams."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from recurra.layers import WordDropout

from ..core.training import make_optimizer
from ..recurrent import recurrent_layer
from .config import ModelConfig, Pooling, SentimentConfig, WideConfig
from .linear_members import LinearMember, load_linear_members
from .preprocessing import PADDING, load_ratios
from .targets import OneClass, Target

RECURRENT, WIDE = "recurrent", "wide"


def build_model(
    configuration: SentimentConfig, number_of_classes: int, assets: Path
) -> keras.Model:
    """The untrained model.

    Args:
        configuration: Sections `model` and `wide`.
        number_of_classes: C.
        assets: What `fit_preprocessing` wrote.

    Returns:
        A functional model that gives the logits of each branch, `[N, B, C]`, in the
        order of `branch_names`. It takes `tokens`, int32 `[N, L]`; with n-gram features
        `ngram_features`, float32 `[N, L, E]`, as `preprocessing.with_ratios` makes
        them; with branches of n-grams `ngrams`, int32 `[N, M]`. Short rows end in
        `PADDING`.
    """
    model, wide = configuration.model, configuration.wide
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    inputs = {"tokens": tokens}
    embedded = embedding_layer(model, assets)(tokens)
    size = model.embedding_size
    if model.ngram_features:
        ratios = load_ratios(assets)
        assert ratios is not None
        width = configuration.ngrams.longest * ratios.shape[-1]
        features = keras.Input((None, width), name="ngram_features")
        inputs["ngram_features"] = features
        features = layers.Dropout(model.ngram_feature_dropout)(features)
        embedded = layers.Concatenate(name="embedded")(
            [embedded, model.ngram_feature_scale * features]
        )
        size += width
    recurrent = recurrent_branch(model, size, number_of_classes)(
        {"tokens": tokens, "embedded": embedded}
    )
    linear = load_linear_members(assets).members
    ngrams = keras.Input((None,), dtype="int32", name="ngrams")
    branches = [recurrent]
    if wide.enabled:
        ratios = np.load(assets / "ngram_ratios.npy")[0]
        branches.append(NaiveBayesNgrams(ratios, wide, name=WIDE)(ngrams))
    branches += [LinearNgrams(linear[name], name=name)(ngrams) for name in linear]
    if len(branches) == 1:
        return keras.Model(inputs, ops.expand_dims(recurrent, 1))
    return keras.Model(inputs | {"ngrams": ngrams}, ops.stack(branches, axis=1))


def branch_names(configuration: SentimentConfig, assets: Path) -> list[str]:
    """The branches in their order: those that train together, then simple members."""
    trained = [RECURRENT, WIDE] if configuration.wide.enabled else [RECURRENT]
    return trained + list(load_linear_members(assets).members)


def compile_model(
    model: keras.Model,
    configuration: SentimentConfig,
    steps_per_epoch: int,
    class_weights: Sequence[float] | None = None,
    target: Target | None = None,
) -> None:
    """Gives the model its optimizer, its loss and the metrics `nll` and `accuracy`.

    The loss is the sum of the trained branches' negative log-likelihoods, so that
    either learns the task by itself, and `wide.joint_loss` times that of the sum of
    their logits. A joint loss alone would starve the recurrent branch, since the
    n-grams know the training part by heart after an epoch or two. The metrics are of
    the mean of the logits. Simple members, which are fitted before, count in neither.
    The weights of all are fitted on validation, see `mixing`.

    Args:
        model: As `build_model` makes it.
        configuration: Sections `wide` and `training`.
        steps_per_epoch: Batches of an epoch.
        class_weights: What a row of each class counts in the loss and in `nll`, `[C]`;
            one each if None.
        target: What a text gets; one class if None.
    """
    trained = 2 if configuration.wide.enabled else 1
    target = target or OneClass()

    def cross_entropy(labels: Any, logits: Any) -> Any:
        return target.cross_entropy(labels, logits, class_weights)

    def loss(labels: Any, logits: Any) -> Any:
        branches = [logits[:, branch] for branch in range(trained)]
        total = sum(cross_entropy(labels, branch) for branch in branches)
        if configuration.wide.joint_loss:
            joint = cross_entropy(labels, sum(branches))
            total += configuration.wide.joint_loss * joint
        return total

    def nll(labels: Any, logits: Any) -> Any:
        return cross_entropy(labels, ops.mean(logits[:, :trained], axis=1))

    def accuracy(labels: Any, logits: Any) -> Any:
        return target.right(labels, ops.mean(logits[:, :trained], axis=1))

    def nll_of(branch: int) -> Callable[[Any, Any], Any]:
        return lambda labels, logits: cross_entropy(labels, logits[:, branch])

    metrics: dict[str, Callable[[Any, Any], Any]] = {"nll": nll, "accuracy": accuracy}
    if configuration.wide.enabled:
        metrics |= {"recurrent_nll": nll_of(0), "wide_nll": nll_of(1)}
    model.compile(
        optimizer=make_optimizer(configuration.training, steps_per_epoch),
        loss=loss,
        metrics=[
            keras.metrics.MeanMetricWrapper(function, name=name)
            for name, function in metrics.items()
        ],
    )


def embedding_model(model: keras.Model) -> keras.Model:
    """From the inputs of the recurrent branch to the embedded tokens."""
    names = [name for name in model.input if name != "ngrams"]
    last = "embedded" if "ngram_features" in names else "word_vectors"
    inputs = {name: model.input[name] for name in names}
    return keras.Model(inputs, model.get_layer(last).output)


def embedding_layer(model: ModelConfig, assets: Path) -> layers.Embedding:
    """Word vectors that begin as `fit_preprocessing` wrote them."""
    vectors = np.load(assets / "word_vectors.npy")
    return layers.Embedding(
        len(vectors),
        model.embedding_size,
        embeddings_initializer=keras.initializers.Constant(vectors),
        name="word_vectors",
    )


def recurrent_branch(
    model: ModelConfig, size: int, number_of_classes: int
) -> keras.Model:
    """From embedded tokens, `[N, L, size]`, to logits.

    A model of its own, so that attributions can be computed from there on.
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    embedded = keras.Input((None, size), name="embedded")
    mask = ops.not_equal(tokens, PADDING)
    sequence: Any = embedded
    if model.word_dropout:
        sequence = WordDropout(model.word_dropout)(sequence, tokens)
    if model.input_dropout:
        # One mask for all steps of a text.
        shape = (None, 1, size)
        sequence = layers.Dropout(model.input_dropout, noise_shape=shape)(sequence)
    if model.convolution_filters:
        sequence, mask = _convolved(sequence, mask, model)
    for _ in range(model.depth):
        sequence = _recurrent_layer(model)(sequence, mask=mask)
    pooled = [_pooled(sequence, mask, how, model) for how in model.pooling]
    joined = pooled[0] if len(pooled) == 1 else layers.Concatenate()(pooled)
    joined = layers.Dropout(model.dropout)(joined)
    logits = layers.Dense(number_of_classes)(joined)
    return keras.Model({"tokens": tokens, "embedded": embedded}, logits, name=RECURRENT)


def _convolved(sequence: Any, mask: Any, model: ModelConfig) -> tuple[Any, Any]:
    """A convolution, and the largest value of every `stride` steps, with their mask.

    Padding is zero before and after the convolution, as what lies beyond the end is,
    so how much of it there is changes nothing.
    """
    valid = ops.cast(ops.expand_dims(mask, -1), sequence.dtype)
    sequence = layers.Conv1D(
        model.convolution_filters,
        model.convolution_width,
        padding="same",
        activation="relu",
    )(sequence * valid)
    if model.stride == 1:
        return sequence * valid, mask
    # No value is below zero, so more zeros on the right make no maximum.
    sequence = ops.pad(sequence * valid, [[0, 0], [0, model.stride - 1], [0, 0]])
    return layers.MaxPooling1D(model.stride)(sequence), mask[:, :: model.stride]


def _recurrent_layer(model: ModelConfig) -> keras.layers.Layer:
    layer = recurrent_layer(
        model, model.units, return_sequences=True, output_dropout=model.output_dropout
    )
    return layers.Bidirectional(layer) if model.bidirectional else layer


def _pooled(sequence: Any, mask: Any, how: Pooling, model: ModelConfig) -> Any:
    """One vector of the valid steps of `(N, L, D)`; every row has at least one."""
    column = ops.expand_dims(mask, -1)
    if how == "max":
        return ops.max(ops.where(column, sequence, -math.inf), axis=1)
    if how == "mean":
        return ops.sum(sequence * _mean_weights(mask, sequence.dtype), axis=1)
    if how == "attention":
        # A bias would move all scores alike and so change no weight.
        hidden = layers.Dense(sequence.shape[-1], "tanh")(sequence)
        score = layers.Dense(1, use_bias=False)(hidden)
        weights = ops.softmax(ops.where(column, score, -math.inf), axis=1)
        return ops.sum(sequence * weights, axis=1)
    forward = sequence[:, :, : model.units]
    last = ops.sum(forward * _last_step(mask, sequence.dtype), axis=1)
    if not model.bidirectional:
        return last
    # The backward layer has read the whole text when it is at the first token.
    return ops.concatenate([last, sequence[:, 0, model.units :]], axis=-1)


def _mean_weights(mask: Any, dtype: str) -> Any:
    """Equal weights of the true steps, `(N, L, 1)`, that sum to one."""
    ones = ops.cast(ops.expand_dims(mask, -1), dtype)
    return ones / ops.sum(ones, axis=1, keepdims=True)


def _last_step(mask: Any, dtype: str) -> Any:
    """One at the last true step and zero elsewhere, `(N, L, 1)`."""
    count = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    # Not `==`, which compares symbolic tensors by identity.
    is_whole = ops.equal(count, ops.max(count, axis=1, keepdims=True))
    last = ops.logical_and(mask, is_whole)
    return ops.cast(ops.expand_dims(last, -1), dtype)


@keras.saving.register_keras_serializable(package="recurra")
class NaiveBayesNgrams(layers.Layer):
    """Logits from the n-grams that stand in a text (Wang and Manning 2012).

    z_c = b_c + a sum_g w_gc r_gc / sqrt(m)

    over the m known n-grams g of the text, with r the naive Bayes log-count ratios,
    which stay as they are, and w, b learned from zero. Scaling by r lets an n-gram
    that says little about the class move little; dividing by sqrt(m) keeps long texts
    from being certain only by their length. The rate a makes w, one of very many
    sparse weights, learn as much faster than the rest of the model.

    Args:
        ratios: float32 `[1 + n-grams, classes]`, row 0 zero (padding).
        wide: `rate`, and `dropout` of n-grams in training.

    Call arguments:
        ngrams: int32 `[N, M]`, `PADDING` at the end of short rows.
        training: Whether n-grams are dropped.

    Output shape: `[N, classes]`.
    """

    def __init__(self, ratios: np.ndarray, wide: WideConfig, **kwargs: Any):
        super().__init__(**kwargs)
        rows, classes = ratios.shape
        self._ratios = self.add_weight(
            shape=ratios.shape,
            initializer=keras.initializers.Constant(ratios),
            trainable=False,
            name="ratios",
        )
        self._weights = self.add_weight(
            shape=(rows, classes), initializer="zeros", name="weights"
        )
        self._bias = self.add_weight(shape=(classes,), initializer="zeros", name="bias")
        self._rate = wide.rate
        self._dropout = layers.Dropout(wide.dropout)

    def call(self, ngrams: Any, training: bool = False) -> Any:
        parts = self._dropout(self.contributions(ngrams), training=training)
        return self._bias + ops.sum(parts, axis=1) * self.scale(ngrams)

    def scale(self, ngrams: Any) -> Any:
        """What the sum of the contributions is multiplied by, `[N, 1]`."""
        known = ops.cast(ngrams != PADDING, self._weights.dtype)
        return ops.rsqrt(ops.maximum(ops.sum(known, axis=1, keepdims=True), 1.0))

    def contributions(self, ngrams: Any) -> Any:
        """a w r of the n-grams, `[..., classes]`."""
        weights = ops.take(self._weights, ngrams, axis=0)
        return self._rate * weights * ops.take(self._ratios, ngrams, axis=0)


@keras.saving.register_keras_serializable(package="recurra")
class LinearNgrams(layers.Layer):
    """Logits of a simple member, fitted by itself: see `linear_members`.

    Args:
        member: What was fitted.

    Call arguments:
        ngrams: int32 `[N, M]`, `PADDING` at the end of short rows.

    Output shape: `[N, classes]`.
    """

    def __init__(self, member: LinearMember, **kwargs: Any):
        super().__init__(trainable=False, **kwargs)
        self._scores, self._squares, self._bias = (
            self.add_weight(
                shape=values.shape,
                initializer=keras.initializers.Constant(values),
                trainable=False,
                name=name,
            )
            for name, values in vars(member).items()
        )

    def call(self, ngrams: Any) -> Any:
        return self._bias + ops.sum(self.contributions(ngrams), 1) * self.scale(ngrams)

    def scale(self, ngrams: Any) -> Any:
        """What the sum of the contributions is multiplied by, `[N, 1]`."""
        squares = ops.sum(ops.take(self._squares, ngrams, axis=0), 1, keepdims=True)
        # A text without any known n-gram has no contribution either.
        return ops.rsqrt(ops.maximum(squares, 1.0))

    def contributions(self, ngrams: Any) -> Any:
        """v of the n-grams, `[..., classes]`."""
        return ops.take(self._scores, ngrams, axis=0)
