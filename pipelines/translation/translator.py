"""Texts in, translations out, all in the graph: evaluated and served alike."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from .batches import shifted, with_end
from .config import DecodingSection
from .decoding import (
    Draws,
    Hypotheses,
    Penalties,
    Search,
    beam_search,
    sample,
)
from .diagnostics import Attention
from .ensemble import Ensemble, mean_of_logs
from .long_texts import separator, split_long
from .model import TranslationModel
from .subwords import PADDING, Pieces, Subwords

# Pieces of either side that pairs are scored by.
_LONGEST_SCORED = 1_000
# Pieces in a batch at most, so that long texts take no more memory than many; and the
# same of pieces of sources times those of translations, which attention is over.
_MOST_PIECES = 4_096
_MOST_ATTENDED = 262_144
# Hypotheses that n-best lists are made from, at least.
_LEAST_NBEST_BEAMS = 5
# Beyond these a draw is greedy, or of pieces that are all alike.
_TEMPERATURES = 1e-6, 1e3
# Seeds of two batches, of which each step takes another, are so far apart.
_STEPS_APART = 100_003

_TEXTS = tf.TensorSpec([None], tf.string)


class Translator:
    """Translates by one model, or by several as one.

    Several models with the same subwords make an ensemble: the probability of a piece
    is the mean of theirs.

    A text with more pieces than `longest` is split as `long_texts` tells, and the
    translations of its parts are joined. Texts of like length are decoded together,
    whatever order and number they come in.

    Args:
        models: Trained, one at least.
        subwords: Of all of them.
        decoding: How to search.
        longest: Pieces of a source that is translated as a whole.
        language: That is translated to.
    """

    def __init__(
        self,
        models: Sequence[TranslationModel],
        subwords: Subwords,
        decoding: DecodingSection,
        longest: int,
        language: str,
    ):
        self.models = list(models)
        self._subwords = subwords
        self._decoding = decoding
        self._longest = longest
        self._space = separator(language)
        self._scorer = Ensemble(self.models)

    def translate(self, texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
        """A translation of each text, and its score as of `decoding.Penalties`."""
        translations, scores = self._translate(tf.constant(list(texts), tf.string))
        return _strings(translations), scores.numpy()

    def nbest(self, texts: Sequence[str], number: int) -> list[list[str]]:
        """At most so many translations of each text, the best first."""
        found = self._nbest(tf.constant(list(texts), tf.string), number)
        return [_strings(row) for row in found[0]]

    def sample(
        self, texts: Sequence[str], temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """A translation of each text, drawn piece by piece."""
        return _strings(
            self._sample(
                tf.constant(list(texts), tf.string),
                tf.constant(temperature, tf.float32),
                tf.constant(seed),
            )[0]
        )

    def score(
        self, texts: Sequence[str], translations: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The log-probability of each given translation, and its number of pieces.

        The pieces include the end.
        """
        log_probabilities, pieces = self._score(
            tf.constant(list(texts), tf.string),
            tf.constant(list(translations), tf.string),
        )
        return log_probabilities.numpy(), pieces.numpy()

    def attend(self, texts: Sequence[str]) -> list[Attention]:
        """Where the models looked for each piece of each text's translation."""
        source, target, weights = self._attend(tf.constant(list(texts), tf.string))
        found = []
        for row in range(len(texts)):
            of_source, of_target = _strings(source[row]), _strings(target[row])
            width = len(of_source) - of_source.count("")
            height = len(of_target) - of_target.count("")
            found.append(
                Attention(
                    of_source[:width],
                    of_target[:height],
                    weights[row, :height, :width].numpy(),
                )
            )
        return found

    def translate_in_graph(self, text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Translations string `[N]` and scores float32 `[N]` of texts string `[N]`."""
        search = self._search(self._decoding.beam_size)
        translations, scores, _ = self._found(text, search)
        return translations[:, 0], scores[:, 0]

    def nbest_in_graph(
        self, text: tf.Tensor, number: tf.Tensor | int
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The best translations of texts string `[N]`, K of them, the best first.

        K is `number`, or as many beams as there are, if that is less. Where a text has
        fewer, the rest is "". The search is wider than that for one translation where
        `beam_size` is less than 5, so its best may be a better one. Different pieces
        can make the same translation, which then stands twice.

        Returns:
            Translations string, scores float32 and log-probabilities float32, all
            `[N, K]`.
        """
        beams = max(self._decoding.beam_size, _LEAST_NBEST_BEAMS)
        found = self._found(text, self._search(beams, wanted=beams))
        number = tf.clip_by_value(number, 1, beams)
        translations, scores, log_probabilities = (each[:, :number] for each in found)
        return translations, scores, log_probabilities

    def sample_in_graph(
        self, text: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Drawn translations string `[N]` with their scores float32 `[N]`.

        Args:
            text: string `[N]`.
            temperature: float32; below 1 the likely pieces get likelier. What is no
                number counts as 1, and what is 0 or less as next to 0.
            seed: int32 of the draws.
        """
        search = self._search(1)
        temperature = tf.where(tf.math.is_nan(temperature), 1.0, temperature)
        temperature = tf.clip_by_value(temperature, *_TEMPERATURES)

        def draw(source: tf.Tensor, limits: tf.Tensor, begin: tf.Tensor) -> Hypotheses:
            seeds = tf.stack([seed, begin * _STEPS_APART])
            return sample(
                self._scorer, source, limits, search, Draws(temperature, seeds)
            )

        translations, scores, _ = self._searched(text, draw)
        return translations[:, 0], scores[:, 0]

    def score_in_graph(
        self, text: tf.Tensor, translation: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What the models say of given translations.

        Sides of more than 1,000 pieces are cut off there.

        Returns:
            Log-probabilities float32 `[N]` and numbers of pieces int32 `[N]`, the end
            included.
        """
        source = self._subwords.source.encode(text)[:, :_LONGEST_SCORED]
        target = self._subwords.target.encode(translation)[:, :_LONGEST_SCORED]
        pieces = tf.cast(target.row_lengths(), tf.int32) + 1

        def scored(rows: tf.Tensor, begin: tf.Tensor) -> list[tf.Tensor]:
            return [
                self._log_probabilities(
                    _padded(tf.gather(source, rows)), _padded(tf.gather(target, rows))
                )
            ]

        (log_probabilities,) = self._in_batches(
            source.row_lengths() + target.row_lengths(),
            _MOST_PIECES,
            scored,
            [(tf.float32, [])],
        )
        return log_probabilities, pieces

    def attend_in_graph(
        self, text: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The attention of each text's translation.

        A text is not split here, but cut off after `longest` pieces.

        Returns:
            The pieces of the sources, string `[N, S]`, and of the translations,
            string `[N, T]`, the end included and "" behind it; the weights, float32
            `[N, T, S]`, 0 there.
        """
        ids = self._subwords.source.encode(text)[:, : self._longest]
        source, limits = _padded(ids), self._limits(ids)
        search = self._search(self._decoding.beam_size)
        # With the ends; of no texts there is no longest one.
        most = tf.reduce_max(tf.concat([limits, [0]], 0)) + 1

        def attended(rows: tf.Tensor, begin: tf.Tensor) -> list[tf.Tensor]:
            of_batch = _padded(tf.gather(ids, rows))
            found = self._best(of_batch, tf.gather(limits, rows), search)
            # Behind the signal of the beginning.
            target = found.ids[:, 0, 1:]
            weights = tf.add_n(
                [
                    model.decode(shifted(target), *model.begin(of_batch)).weights
                    for model in self.models
                ]
            ) / len(self.models)
            weights *= tf.cast(target != PADDING, tf.float32)[:, :, tf.newaxis]
            missing = most - tf.shape(target)[1]
            absent = tf.shape(source)[1] - tf.shape(of_batch)[1]
            return [
                tf.pad(target, [[0, 0], [0, missing]]),
                tf.pad(weights, [[0, 0], [0, missing], [0, absent]]),
            ]

        target, weights = self._in_batches(
            ids.row_lengths() * tf.cast(limits, tf.int64),
            _MOST_ATTENDED,
            attended,
            [(tf.int32, [None]), (tf.float32, [None, None])],
        )
        said = tf.reduce_sum(tf.cast(tf.reduce_any(target != PADDING, 0), tf.int32))
        return (
            _pieces(self._subwords.source, source),
            _pieces(self._subwords.target, target[:, :said]),
            weights[:, :said],
        )

    def variables(self) -> list[tf.Variable]:
        """All that the graphs read, with the models' present weights."""
        self._scorer.refresh()
        weights = [
            variable.value for model in self.models for variable in model.variables
        ]
        return [*weights, *self._scorer.projections]

    @functools.cached_property
    def _translate(self) -> Any:
        return self._traced(self.translate_in_graph, _TEXTS)

    @functools.cached_property
    def _nbest(self) -> Any:
        return self._traced(self.nbest_in_graph, _TEXTS, tf.TensorSpec([], tf.int32))

    @functools.cached_property
    def _sample(self) -> Any:
        return self._traced(
            self.sample_in_graph,
            _TEXTS,
            tf.TensorSpec([], tf.float32),
            tf.TensorSpec([], tf.int32),
        )

    @functools.cached_property
    def _score(self) -> Any:
        return self._traced(self.score_in_graph, _TEXTS, _TEXTS)

    @functools.cached_property
    def _attend(self) -> Any:
        return self._traced(self.attend_in_graph, _TEXTS)

    def _traced(self, function: Callable[..., Any], *specs: tf.TensorSpec) -> Any:
        """The function, with the models' weights as they are at each call."""
        # Without AutoGraph, which these graphs do not need and which writes files.
        traced = tf.function(function, input_signature=specs, autograph=False)

        def call(*arguments: tf.Tensor) -> Any:
            self._scorer.refresh()
            return traced(*arguments)

        return call

    def _search(self, beams: int, wanted: int = 1) -> Search:
        decoding = self._decoding
        return Search(
            beams,
            wanted,
            Penalties(decoding.length_penalty, decoding.coverage_penalty),
            decoding.no_repeat_ngram,
        )

    def _best(self, source: tf.Tensor, limits: tf.Tensor, search: Search) -> Hypotheses:
        find = sample if search.beams == 1 else beam_search
        return find(self._scorer, source, limits, search)

    def _found(self, text: tf.Tensor, search: Search) -> Any:
        return self._searched(
            text,
            lambda source, limits, begin: self._best(source, limits, search),
            search.beams,
        )

    def _searched(
        self, text: tf.Tensor, find: Callable[..., Hypotheses], beams: int = 1
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Translations, scores and log-probabilities `[N, K]` of texts `[N]`.

        `find` gives the hypotheses of a batch of sources, given their limits and the
        number of the batch's first row.
        """
        ids, owner = split_long(text, self._subwords.source, self._longest)
        limits = self._limits(ids)

        def searched(rows: tf.Tensor, begin: tf.Tensor) -> list[tf.Tensor]:
            found = find(_padded(tf.gather(ids, rows)), tf.gather(limits, rows), begin)
            flat = tf.reshape(found.ids, [-1, tf.shape(found.ids)[-1]])
            texts = self._subwords.target.decode(flat)
            return [
                tf.reshape(texts, [-1, beams]),
                found.scores,
                found.log_probabilities,
            ]

        translations, scores, log_probabilities = self._in_batches(
            ids.row_lengths(),
            _MOST_PIECES,
            searched,
            [(tf.string, [beams]), (tf.float32, [beams]), (tf.float32, [beams])],
        )
        number = tf.shape(text)[0]
        joined = tf.strings.reduce_join(
            tf.RaggedTensor.from_value_rowids(
                translations, owner, tf.cast(number, tf.int64)
            ),
            axis=1,
            separator=self._space,
        )
        return (
            tf.strings.strip(joined),
            tf.math.unsorted_segment_mean(scores, owner, number),
            tf.math.unsorted_segment_sum(log_probabilities, owner, number),
        )

    def _limits(self, ids: tf.RaggedTensor) -> tf.Tensor:
        """Pieces of a translation at most; none of a text without any."""
        pieces = tf.cast(ids.row_lengths(), tf.float32)
        most = tf.math.ceil(self._decoding.longest_share * pieces)
        most += float(self._decoding.longest_extra)
        return tf.cast(tf.where(pieces > 0, most, 0.0), tf.int32)

    def _in_batches(
        self,
        sizes: tf.Tensor,
        most: int,
        function: Callable[[tf.Tensor, tf.Tensor], list[tf.Tensor]],
        results: Sequence[tuple[tf.DType, list[int | None]]],
    ) -> list[tf.Tensor]:
        """What a function of rows says of all of them, in batches of like sizes.

        Args:
            sizes: int64 `[M]`, of which there may be none.
            most: That the largest size of a batch times its rows comes to, unless it
                has one row alone.
            function: Given numbers of rows `[n]` and how many rows came before, gives
                tensors `[n, ...]`.
            results: Types of these, and shapes of their rows.
        """
        number, together = tf.size(sizes), self._decoding.sentences_together
        # The largest first, when most memory is needed.
        order = tf.argsort(sizes, direction="DESCENDING", stable=True)
        arrays = [
            tf.TensorArray(
                kind,
                size=0,
                dynamic_size=True,
                infer_shape=False,
                element_shape=[None, *shape],
            )
            for kind, shape in results
        ]

        def body(batch: tf.Tensor, begin: tf.Tensor, arrays: list[Any]) -> Any:
            fit = most // tf.maximum(sizes[order[begin]], 1)
            rows = tf.cast(tf.clip_by_value(fit, 1, together), tf.int32)
            values = function(order[begin : begin + rows], begin)
            return (
                batch + 1,
                begin + rows,
                [
                    array.write(batch, value)
                    for array, value in zip(arrays, values, strict=True)
                ],
            )

        *_, arrays = tf.while_loop(
            lambda batch, begin, arrays: begin < number,
            body,
            (tf.constant(0), tf.constant(0), arrays),
            parallel_iterations=1,
        )
        back = tf.math.invert_permutation(order)
        return [
            tf.gather(tf.cond(number > 0, array.concat, lambda e=empty: e), back)
            for array, empty in zip(
                arrays,
                [
                    tf.zeros([0, *(size or 0 for size in shape)], kind)
                    for kind, shape in results
                ],
                strict=True,
            )
        ]

    def _log_probabilities(self, source: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Of targets `[N, T]` that end in `END`, float32 `[N]`."""
        real = tf.where(target != PADDING)
        ids = tf.gather_nd(target, real)
        of_models = []
        for model in self.models:
            decoded = model.decode(shifted(target), *model.begin(source))
            logits = model.logits(tf.gather_nd(decoded.readouts, real))
            of_models.append(
                -tf.nn.sparse_softmax_cross_entropy_with_logits(ids, logits)
            )
        return tf.math.segment_sum(mean_of_logs(of_models), real[:, 0])


def _padded(ids: tf.RaggedTensor) -> tf.Tensor:
    """`[n, positions]`, with the end behind each row."""
    return with_end(ids).to_tensor(PADDING)


def _pieces(vocabulary: Pieces, ids: tf.Tensor) -> tf.Tensor:
    return tf.where(ids == PADDING, "", vocabulary.pieces(ids))


def _strings(texts: tf.Tensor) -> list[str]:
    return [text.decode("utf-8") for text in texts.numpy()]
