"""What an exported sentiment model answers: signatures from raw strings."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..core.portable import MODEL_GRAPH, NumberGraph, Portable
from ..core.serving_module import ServingModule, graph
from .decisions import HALF
from .ensemble import Ensemble
from .integrated_gradients import integrated_gradients
from .model import RECURRENT, embedding_model
from .preprocessing import PADDING, Preprocessing, ngram_begins, with_ratios


class SentimentServing(ServingModule):
    """Raw strings in, labels and calibrated probabilities out.

    Args:
        ensemble: Of the trained models.
        preprocessing: What they were trained with.
        ratios: Of the n-grams, counted on all training texts, `[1 + n-grams, E]`; None
            if the models use none.
        classes: The names of the classes.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        preprocessing: Preprocessing,
        ratios: np.ndarray | None,
        classes: Sequence[str],
    ):
        models = ensemble.models
        super().__init__(
            "sentiment",
            [variable for model in models for variable in model.variables],
            models=models,
            embeds=[embedding_model(model) for model in models],
        )
        self._preprocessing = preprocessing
        # A variable, since a constant would swell the graph.
        self._ratios = None if ratios is None else tf.Variable(ratios, trainable=False)
        self._classes = tf.constant(list(classes), tf.string)
        self._branches = list(ensemble.branches)
        self._target = ensemble.target
        self._thresholds = ensemble.thresholds
        self._branch_weights = tf.constant(
            np.reshape(ensemble.all_weights, ensemble.weights.shape), tf.float32
        )
        self._bias = ensemble.bias

    def signatures(self) -> dict[str, Any]:
        """Of `serving_default`, which classifies, and `explain`, which attributes."""
        signature = [tf.TensorSpec([None], tf.string, "text")]
        return {
            "serving_default": graph(self._classify, signature),
            "explain": graph(self._explain, signature),
        }

    def _classify(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """The class of each text, or its labels.

        Args:
            text: string `[N]`; any bytes.

        Returns:
            `probabilities`, float32 `[N, C]`, in the order of the classes. Of one class
            `label`, string `[N]`, and `score`, float32 `[N]`, its probability. Of
            several `labels`, string `[N, C]`, "" behind the last one of a text with
            fewer, and `chosen`, bool `[N, C]`.
        """
        tokens = self._preprocessing.tokens(_at_least_one(text))
        logits = self._logits(self._features(tokens))[: tf.shape(text)[0]]
        return self._target.answers(logits, self._classes, self._thresholds)

    def _explain(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """What the tokens contribute to the class that the text gets.

        The attributed quantity is the calibrated logit of that class less the mean of
        the other classes' logits; where a text may have several labels, the logit of
        the label that is furthest above its threshold, or least below it. An n-gram's
        part of it is shared equally by its tokens, and by its occurrences where it
        stands more than once. The recurrent branch's part comes from integrated
        gradients, from zero vectors to what the tokens bring: word vectors and ratios
        of the n-grams that begin there. The attributions of a text add up to the
        quantity, less its value at those zero vectors and without known n-grams, up to
        what `integrated_gradients` tolerates.

        Args:
            text: string `[N]`; any bytes.

        Returns:
            `tokens`, string `[N, T]`, "" after the last token of a shorter text, and
            `attributions`, float32 `[N, T]`, 0 there; and where a text may have several
            labels `label`, string `[N]`, the explained one.
        """
        tokens = self._preprocessing.tokens(_at_least_one(text))
        features = self._features(tokens)
        margins = self._target.margins(self._logits(features), self._thresholds)
        direction = self._target.explained(margins)
        flat = tf.zeros_like(tokens.flat_values, tf.float32)
        for number, model in enumerate(self.untracked.models):
            weights = tf.unstack(self._branch_weights[number])
            flat += self._recurrent_attributions(
                number, tokens, features, weights[0] * direction
            )
            for name, weight in zip(self._branches[1:], weights[1:], strict=True):
                flat += self._ngram_attributions(
                    model.get_layer(name), tokens, features, weight * direction
                )
        attributions = tokens.with_flat_values(flat)
        asked = tf.shape(text)[0]
        explained = {
            "tokens": tokens.to_tensor("")[:asked],
            "attributions": attributions.to_tensor(0.0)[:asked],
        }
        if self._target.several:
            label = tf.gather(self._classes, tf.argmax(direction, axis=-1))
            explained["label"] = label[:asked]
        return explained

    def _features(self, tokens: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        """What the model takes."""
        ragged = self._preprocessing.features(tokens)
        padded = {name: ids.to_tensor(PADDING) for name, ids in ragged.items()}
        return padded if self._ratios is None else with_ratios(padded, self._ratios)

    def _logits(self, features: dict[str, tf.Tensor]) -> tf.Tensor:
        """The branches' logits in their weighted sum, with the bias, `[N, C]`."""
        branches = [model(features, training=False) for model in self.untracked.models]
        logits = tf.einsum("knbc,kb->nc", tf.stack(branches), self._branch_weights)
        return _with_bias(logits, self._bias)

    def _recurrent_attributions(
        self,
        number: int,
        tokens: tf.RaggedTensor,
        features: dict[str, tf.Tensor],
        direction: tf.Tensor,
    ) -> tf.Tensor:
        """The part of a model's recurrent branch, for the flat values of `tokens`."""
        embedded = self.untracked.embeds[number](
            {name: values for name, values in features.items() if name != "ngrams"}
        )
        branch = self.untracked.models[number].get_layer(RECURRENT)

        def explained(rows: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
            inputs = {"tokens": tf.gather(features["tokens"], rows), "embedded": points}
            logits = branch(inputs, training=False)
            return tf.reduce_sum(logits * tf.gather(direction, rows), axis=-1)

        parts = tf.boolean_mask(
            integrated_gradients(explained, embedded), features["tokens"] != PADDING
        )
        read = self._preprocessing.read_by_recurrent(tokens).flat_values
        return tf.scatter_nd(tf.where(read), parts, tf.shape(read, tf.int64))

    def _ngram_attributions(
        self,
        branch: keras.Layer,
        tokens: tf.RaggedTensor,
        features: dict[str, tf.Tensor],
        direction: tf.Tensor,
    ) -> tf.Tensor:
        """The part of a branch of n-grams, for the flat values of `tokens`."""
        direction *= branch.scale(features["ngrams"])
        total = tf.zeros_like(tokens.flat_values, tf.float32)
        for width in self._preprocessing.widths:
            ids = self._preprocessing.ngram_ids(tokens, width)
            row = ids.value_rowids()
            parts = branch.contributions(ids.flat_values)
            part = tf.reduce_sum(parts * tf.gather(direction, row), axis=-1)
            part /= tf.cast(_occurrences(ids), tf.float32) * width
            begin = ngram_begins(ids, tokens)
            for offset in range(width):
                total = tf.tensor_scatter_nd_add(
                    total, (begin + offset)[:, tf.newaxis], part
                )
        return total


def portable(
    ensemble: Ensemble,
    preprocessing: Preprocessing,
    ratios: np.ndarray | None,
    classes: Sequence[str],
) -> Portable:
    """The same of ids alone: from what the model takes to `probabilities`."""
    settings, arrays = preprocessing.portable()
    widths = len(settings["widths"])
    signature = [tf.TensorSpec([None, None], tf.int32, "tokens")]
    if settings["ngram_features"] and widths:
        spec = tf.TensorSpec([None, None, widths], tf.int32, "ngram_features")
        signature.append(spec)
    if settings["ngrams"] and widths:
        signature.append(tf.TensorSpec([None, None], tf.int32, "ngrams"))

    def probabilities(*ids: tf.Tensor) -> dict[str, tf.Tensor]:
        names = [spec.name for spec in signature]
        features = dict(zip(names, ids, strict=True))
        if ratios is not None:
            features = with_ratios(features, tf.constant(ratios))
        branches = tf.concat(
            [model(features, training=False) for model in ensemble.models], 1
        )
        weights = tf.constant(ensemble.all_weights, tf.float32)
        logits = tf.einsum("nbc,b->nc", branches, weights)
        logits = _with_bias(logits, ensemble.bias)
        return {"probabilities": ensemble.target.probabilities_in_graph(logits)}

    settings["classes"] = list(classes)
    settings["thresholds"] = ensemble.thresholds or [1.0] * len(classes)
    if ensemble.target.several:
        settings["thresholds"] = ensemble.thresholds or [HALF] * len(classes)
        settings["several"] = True
    graphs = {MODEL_GRAPH: NumberGraph(probabilities, signature)}
    return Portable(graphs, settings, arrays)


def _with_bias(logits: tf.Tensor, bias: np.ndarray | None) -> tf.Tensor:
    return logits if bias is None else logits + tf.constant(bias, tf.float32)


def _at_least_one(text: tf.Tensor) -> tf.Tensor:
    """The texts, or an empty one for none: not all operations bear an empty batch."""
    missing = tf.maximum(0, 1 - tf.shape(text)[0])
    return tf.concat([text, tf.fill([missing], "")], 0)


def _occurrences(ids: tf.RaggedTensor) -> tf.Tensor:
    """How often the ids of the flat values stand in their rows."""
    row = ids.value_rowids()
    flat = tf.cast(ids.flat_values, tf.int64)
    span = tf.reduce_max(tf.concat([flat, [0]], 0)) + 1
    _, index, count = tf.unique_with_counts(row * span + flat, tf.int64)
    return tf.gather(count, index)
