"""Texts in, outputs out, all in the graph: evaluated and served alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.errors import UserError
from ..core.portable import MODEL_GRAPH, NumberGraph, Portable
from ..core.serving_module import graph
from .batches import is_scored, shifted, with_end
from .config import DecodingConfig, Splitting
from .decoding import (
    Draws,
    Hypotheses,
    Penalties,
    Search,
    beam_search,
    sample,
)
from .ensemble import Ensemble, mean_of_logs
from .glossary import Glossary
from .long_texts import join_texts, separator, split_texts
from .model import SequenceToSequenceModel
from .portable import STEP_GRAPH
from .subwords import PADDING, Pieces, Subwords

#: What a text that is made is called among the tensors.
OUTPUT = "output"

# Pieces of either side that pairs are scored by.
_LONGEST_SCORED = 1_000
# Pieces in a batch at most, so that long texts take no more memory than many; and the
# same of pieces of sources times those of outputs, which attention is over.
_MOST_PIECES = 4_096
_MOST_ATTENDED = 262_144
# Hypotheses that n-best lists are made from, at least.
_LEAST_NBEST_BEAMS = 5
# The same of outputs that must have terms, since hypotheses with some of the terms take
# the place of those with others.
_LEAST_GLOSSARY_BEAMS = 10
# Beyond these a draw is greedy, or of pieces that are all alike.
_TEMPERATURES = 1e-6, 1e3
# Seeds of two batches, of which each step takes another, are so far apart.
_STEPS_APART = 100_003

_TEXTS = tf.TensorSpec([None], tf.string)


@dataclasses.dataclass(frozen=True)
class Alignment:
    """Where a model looked while it said each piece of an output.

    Attributes:
        source_pieces: `S` of them.
        target_pieces: `T` of them.
        weights: Of attention, float32 `[T, S]`; each row adds up to 1.
    """

    source_pieces: Sequence[str]
    target_pieces: Sequence[str]
    weights: np.ndarray


class Generator:
    """Makes texts of texts by one model, or by several as one.

    Several models with the same subwords make an ensemble: the probability of a piece
    is the mean of theirs.

    A text is read line by line, and a line with more pieces than `longest` in parts, as
    `long_texts` says. Texts of like length are decoded together, whatever order and
    number they come in.

    Args:
        models: Trained, one at least.
        subwords: Of all of them.
        decoding: How to search.
        longest: Pieces of a source that is read as a whole.
        language: Of the outputs.
        splitting: Of texts, where `decoding` leaves that open.
    """

    def __init__(
        self,
        models: Sequence[SequenceToSequenceModel],
        subwords: Subwords,
        decoding: DecodingConfig,
        longest: int,
        language: str,
        splitting: Splitting = "sentences",
    ):
        self.models = list(models)
        self._subwords = subwords
        self._decoding = decoding
        self._longest = longest
        self._glossary = (
            Glossary(decoding.glossary, subwords) if decoding.glossary else None
        )
        self._space = separator(language)
        self._splitting: Splitting = decoding.split or splitting
        self._scorer = Ensemble(self.models)
        number, temperature = tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)
        self._generate = self._graph(self.generate_in_graph, _TEXTS)
        self._nbest = self._graph(self.nbest_in_graph, _TEXTS, number)
        self._sample = self._graph(self.sample_in_graph, _TEXTS, temperature, number)
        self._score = self._graph(self.score_in_graph, _TEXTS, _TEXTS)
        self._attend = self._graph(self.attend_in_graph, _TEXTS)

    def generate(self, texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
        """An output of each text, and its score as of `decoding.Penalties`."""
        found = self._generate(tf.constant(list(texts), tf.string))
        return _strings(found[OUTPUT]), found["score"].numpy()

    def nbest(self, texts: Sequence[str], number: int) -> list[list[str]]:
        """At most so many outputs of each text, the best first."""
        found = self._nbest(tf.constant(list(texts), tf.string), number)
        return [_strings(row) for row in found[OUTPUT]]

    def sample(
        self, texts: Sequence[str], temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """An output of each text, drawn piece by piece."""
        found = self._sample(
            tf.constant(list(texts), tf.string),
            tf.constant(temperature, tf.float32),
            tf.constant(seed),
        )
        return _strings(found[OUTPUT])

    def score(
        self, texts: Sequence[str], outputs: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The log-probability of each given output, and its number of pieces.

        The pieces include the end.
        """
        found = self._score(
            tf.constant(list(texts), tf.string),
            tf.constant(list(outputs), tf.string),
        )
        return found["log_probability"].numpy(), found["pieces"].numpy()

    def align(self, texts: Sequence[str]) -> list[Alignment]:
        """Where the models looked for each piece of each text's output."""
        found = self._attend(tf.constant(list(texts), tf.string))
        alignments = []
        for row, weights in enumerate(found["weights"].numpy()):
            source, target = (
                [piece for piece in _strings(found[name][row]) if piece]
                for name in ("source_pieces", "target_pieces")
            )
            shown = weights[: len(target), : len(source)]
            alignments.append(Alignment(source, target, shown))
        return alignments

    # The graphs of a served model, from strings of any bytes.

    def generate_in_graph(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """`output`, string `[N]`, and `score`, float32 `[N]`.

        The score is what outputs are ranked by: the log-probability with the
        penalties of `decoding.Penalties`; the mean over the parts of a text that was
        split, and 0 of an empty one.
        """
        found = self._found(text, self._search(self._decoding.beam_size))
        return {OUTPUT: found[0][:, 0], "score": found[1][:, 0]}

    def nbest_in_graph(self, text: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """The best outputs, K of them, the best first.

        K is `k`, or as many beams as there are, if that is less. Where a text has
        fewer, the rest is "". The search is wider than that for one output where
        `beam_size` is less than 5, so its best may be a better one. Different pieces
        can make the same output, which then stands twice.

        Returns:
            `output`, string, `score` and `log_probability`, float32, all `[N, K]`.
        """
        beams = max(self._decoding.beam_size, _LEAST_NBEST_BEAMS)
        found = self._found(text, self._search(beams, wanted=beams))
        names = (OUTPUT, "score", "log_probability")
        number = tf.clip_by_value(k, 1, beams)
        return {
            name: values[:, :number] for name, values in zip(names, found, strict=True)
        }

    def sample_in_graph(
        self, text: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """As `generate_in_graph`, with pieces drawn; a seed always draws the same.

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

        outputs, scores, _ = self._searched(text, draw)
        return {OUTPUT: outputs[:, 0], "score": scores[:, 0]}

    def score_in_graph(
        self, text: tf.Tensor, output: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """What the models say of given outputs.

        Sides of more than 1,000 pieces are cut off there. Another number of texts than
        of outputs is an error of the graph.

        Returns:
            `log_probability` float32 `[N]`, the sum over the output's pieces and
            its end; `pieces` int32 `[N]`, their number. Neither counts pieces that the
            vocabulary does not have.
        """
        tf.debugging.assert_equal(
            tf.size(text),
            tf.size(output),
            "score: give as many outputs as texts",
        )
        source = self._subwords.source.encode(text)[:, :_LONGEST_SCORED]
        target = self._subwords.target.encode(output)[:, :_LONGEST_SCORED]
        pieces = tf.reduce_sum(tf.cast(is_scored(target), tf.int32), axis=1) + 1

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
        return {"log_probability": log_probabilities, "pieces": pieces}

    def attend_in_graph(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Where each piece of the output comes from.

        A text is not split here, but cut off after `longest` pieces.

        Returns:
            `source_pieces`, string `[N, S]`, and `target_pieces`, string `[N, T]`, the
            end included and "" behind it; `weights`, float32 `[N, T, S]`, 0 there.
        """
        ids = self._subwords.source.encode(text)[:, : self._longest]
        source, limits = _padded(ids), self._limits(ids)
        search = self._search(self._decoding.beam_size)
        # With the ends; of no texts there is no longest one.
        most = tf.reduce_max(tf.concat([limits, [0]], 0)) + 1

        def attended(rows: tf.Tensor, begin: tf.Tensor) -> list[tf.Tensor]:
            of_batch = _padded(tf.gather(ids, rows))
            found = self._best(of_batch, tf.gather(limits, rows), search)
            # Behind the token of the beginning.
            target = found.ids[:, 0, 1:]
            weights = tf.add_n(
                [
                    model.decode(shifted(target), *begin(of_batch)).weights
                    for model, begin in zip(
                        self.models, self._scorer.begins, strict=True
                    )
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
        return {
            "source_pieces": _pieces(self._subwords.source, source),
            "target_pieces": _pieces(self._subwords.target, target[:, :said]),
            "weights": weights[:, :said],
        }

    def portable(self, output: str) -> Portable:
        """Encoder and step as graphs of numbers, and what is done around them.

        Args:
            output: What a text that is made is called.

        Raises:
            UserError: If there is a glossary, which no search outside of TensorFlow
                keeps to.
        """
        if self._glossary is not None:
            raise UserError(
                "decoding.glossary: the search of such a model has none; export a "
                "SavedModel, or set decoding.glossary=null"
            )
        source = tf.TensorSpec([None, None], tf.int32, "source")

        def begun(source: tf.Tensor) -> Any:
            # LiteRT does not convert calls of the graphs of several models.
            memories, states = zip(
                *(model.begin(source) for model in self.models), strict=True
            )
            return list(memories), list(states)

        self._scorer.refresh()
        specs = graph(begun, [source]).get_concrete_function().structured_outputs
        names = [
            f"{name}_{number:02}"
            for name, nest in zip(("memory", "state"), specs, strict=True)
            for number, _ in enumerate(tf.nest.flatten(nest))
        ]
        of_states = [name for name in names if name.startswith("state")]

        def begin(source: tf.Tensor) -> dict[str, tf.Tensor]:
            return dict(zip(names, tf.nest.flatten(begun(source)), strict=True))

        def step(
            ids: tf.Tensor, source: tf.Tensor, *tensors: tf.Tensor
        ) -> dict[str, tf.Tensor]:
            attended, states = tf.nest.pack_sequence_as(specs, tensors)
            memory = [(each, source) for each in attended]
            scores, after = self._scorer.step(memory, states, ids)
            return {
                "log_probabilities": tf.nn.log_softmax(scores),
                "attention": self._scorer.attention(memory, after),
                **{
                    f"new_{name}": tensor
                    for name, tensor in zip(
                        of_states, tf.nest.flatten(after), strict=True
                    )
                },
            }

        of_step = [
            tf.TensorSpec([None, *spec.shape[1:]], spec.dtype, name)
            for name, spec in zip(names, tf.nest.flatten(specs), strict=True)
        ]
        ids = tf.TensorSpec([None], tf.int32, "ids")
        decoding = self._decoding
        settings = {
            "output": output,
            "search": {
                "beams": decoding.beam_size,
                "length_penalty": decoding.length_penalty,
                "coverage_penalty": decoding.coverage_penalty,
                "no_repeat_ngram": decoding.no_repeat_ngram,
            },
            "longest": self._longest,
            "max_source_pieces": self._subwords.source.longest,
            "splitting": self._splitting,
            "space": self._space,
            "max_length_ratio": decoding.max_length_ratio,
            "longest_extra": decoding.longest_extra,
        }
        return Portable(
            {
                MODEL_GRAPH: NumberGraph(begin, [source]),
                STEP_GRAPH: NumberGraph(step, [ids, source, *of_step]),
            },
            settings,
            {
                "source": np.frombuffer(self._subwords.source.model, np.uint8),
                "target": np.frombuffer(self._subwords.target.model, np.uint8),
            },
        )

    def variables(self) -> list[tf.Variable]:
        """All that the graphs read, with the models' present weights."""
        self._scorer.refresh()
        weights = [
            variable.value for model in self.models for variable in model.variables
        ]
        return [*weights, *self._scorer.projections]

    def _graph(self, function: Callable[..., Any], *specs: tf.TensorSpec) -> Any:
        """The function as a graph that has the models' weights of each call."""
        traced = graph(function, specs)

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
        found = find(self._scorer, source, limits, search)
        if self._glossary is None:
            return found
        terms = self._glossary.required(source)
        rows = tf.where(tf.reduce_any(terms.pieces != PADDING, [1, 2]))
        wide = dataclasses.replace(
            search, beams=max(search.beams, _LEAST_GLOSSARY_BEAMS)
        )

        def with_terms() -> Hypotheses:
            of_rows = beam_search(
                self._scorer,
                tf.gather_nd(source, rows),
                tf.gather_nd(limits, rows),
                wide,
                terms._replace(pieces=tf.gather_nd(terms.pieces, rows)),
            )
            positions = tf.maximum(tf.shape(found.ids)[2], tf.shape(of_rows.ids)[2])
            ids, ids_of_rows = (
                tf.pad(each, [[0, 0], [0, 0], [0, positions - tf.shape(each)[2]]])
                for each in (found.ids, of_rows.ids)
            )
            return tf.nest.map_structure(
                lambda every, some: tf.tensor_scatter_nd_update(
                    every, rows, some[:, : search.beams]
                ),
                found._replace(ids=ids),
                of_rows._replace(ids=ids_of_rows),
            )

        return tf.cond(tf.size(rows) > 0, with_terms, lambda: found)

    def _found(self, text: tf.Tensor, search: Search) -> Any:
        return self._searched(
            text,
            lambda source, limits, begin: self._best(source, limits, search),
            search.beams,
        )

    def _searched(
        self, text: tf.Tensor, find: Callable[..., Hypotheses], beams: int = 1
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Outputs, scores and log-probabilities `[N, K]` of texts `[N]`.

        `find` gives the hypotheses of a batch of sources, given their limits and the
        number of the batch's first row.
        """
        parts = split_texts(text, self._subwords.source, self._longest, self._splitting)
        ids = parts.ids
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

        outputs, scores, log_probabilities = self._in_batches(
            ids.row_lengths(),
            _MOST_PIECES,
            searched,
            [(tf.string, [beams]), (tf.float32, [beams]), (tf.float32, [beams])],
        )
        number = tf.shape(text)[0]
        owner = tf.gather(parts.text, parts.line)
        return (
            join_texts(outputs, parts, number, self._space),
            tf.math.unsorted_segment_mean(scores, owner, number),
            tf.math.unsorted_segment_sum(log_probabilities, owner, number),
        )

    def _limits(self, ids: tf.RaggedTensor) -> tf.Tensor:
        """Pieces of an output at most; none of a text without any."""
        pieces = tf.cast(ids.row_lengths(), tf.float32)
        most = tf.math.ceil(self._decoding.max_length_ratio * pieces)
        most += float(self._decoding.longest_extra)
        limits = tf.cast(tf.where(pieces > 0, most, 0.0), tf.int32)
        if self._glossary is not None:
            terms = self._glossary.required(ids).pieces
            limits += tf.math.count_nonzero(terms, [1, 2], dtype=tf.int32)
        return limits

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
        number, together = tf.size(sizes), self._decoding.decode_batch_size
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
        """Of targets `[N, T]` that end in `EOS`, float32 `[N]`."""
        real = tf.where(is_scored(target))
        ids = tf.gather_nd(target, real)
        of_models = []
        for model, begin in zip(self.models, self._scorer.begins, strict=True):
            decoded = model.decode(shifted(target), *begin(source))
            _, nll = model.losses_at(decoded, source, ids, real)
            of_models.append(-nll)
        return tf.math.segment_sum(mean_of_logs(of_models), real[:, 0])


def _padded(ids: tf.RaggedTensor) -> tf.Tensor:
    """`[n, positions]`, with the end behind each row."""
    return with_end(ids).to_tensor(PADDING)


def _pieces(vocabulary: Pieces, ids: tf.Tensor) -> tf.Tensor:
    return tf.where(ids == PADDING, "", vocabulary.pieces(ids))


def _strings(texts: tf.Tensor) -> list[str]:
    return [text.decode("utf-8") for text in texts.numpy()]
