"""What an exported language model answers: signatures from raw strings."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import tensorflow as tf

from ..cards import BLANK
from ..core.portable import MODEL_GRAPH, NumberGraph, Portable
from ..core.serving_module import ServingModule, graph
from .blanks import CANDIDATES, Blanks
from .members import Members, State, WritingState
from .units import Units
from .vocabulary import BOUNDARY, UNKNOWN

_TEXT = tf.TensorSpec([None], tf.string, "text")
_COUNT = tf.TensorSpec([], tf.int32, "k")
_PROMPT = tf.TensorSpec([None], tf.string, "prompt")
_WRITING = (
    tf.TensorSpec([], tf.int32, "length"),
    tf.TensorSpec([], tf.float32, "temperature"),
    tf.TensorSpec([], tf.int32, "top_k"),
    tf.TensorSpec([], tf.float32, "top_p"),
    tf.TensorSpec([], tf.int32, "seed"),
)
_STOP = tf.TensorSpec([], tf.string, "stop")

# Units of a text that are read at once.
_BLOCK = 128


class _Draw(NamedTuple):
    """How units are drawn.

    A unit is drawn of `p^(1 / temperature)` among the `top_k` likeliest, all if 0, and
    of these among the likeliest that make up `top_p`; at temperature 0 it is the
    likeliest. A text depends on its prompt and the seed, whatever is written beside.
    """

    temperature: tf.Tensor
    top_k: tf.Tensor
    top_p: tf.Tensor
    seed: tf.Tensor
    way: tf.Tensor

    @classmethod
    def of(
        cls, temperature: tf.Tensor, top_k: tf.Tensor, top_p: tf.Tensor, seed: tf.Tensor
    ) -> _Draw:
        """One that knows its way: the likeliest; of all, as is or not; of the best."""
        of_all = tf.where(tf.equal(temperature, 1), 1, 2)
        way = tf.where((top_k <= 0) & (top_p >= 1), of_all, 3)
        way = tf.where(temperature <= 0, 0, way)
        return cls(temperature, top_k, top_p, seed, way)

    def unit(
        self, probabilities: tf.Tensor, step: tf.Tensor, offset: tf.Tensor
    ) -> tf.Tensor:
        """A unit for each row of probabilities `[N, V]`, int32 `[N]`.

        Args:
            probabilities: Of the units.
            step: Its number.
            offset: `[N]`, from 0 to 1: rows of other offsets draw otherwise.
        """
        drawn = tf.random.stateless_uniform([], tf.stack([self.seed, step])) + offset
        return tf.switch_case(
            self.way,
            [
                lambda: tf.argmax(probabilities, 1, tf.int32),
                lambda: _of_heights(probabilities, drawn % 1.0),
                lambda: _of_heights(self._powers(probabilities), drawn % 1.0),
                lambda: self._of_best(probabilities, drawn % 1.0),
            ],
        )

    def _powers(self, probabilities: tf.Tensor) -> tf.Tensor:
        highest = tf.reduce_max(probabilities, 1, keepdims=True)
        return tf.pow(
            tf.math.divide_no_nan(probabilities, highest), 1 / self.temperature
        )

    def _of_best(self, probabilities: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Sorts them, which takes longer."""
        size = tf.shape(probabilities)[1]
        kept = tf.where(self.top_k > 0, tf.minimum(self.top_k, size), size)
        best = tf.math.top_k(probabilities, kept)
        shares = best.values / tf.reduce_sum(best.values, -1, keepdims=True)
        # Rounded sums may end below 1, and what cannot come is drawn at no height.
        is_kept = (shares > 0) & (
            tf.cumsum(shares, axis=-1, exclusive=True) < self.top_p
        )
        scores = tf.math.log(shares) / tf.maximum(self.temperature, 1e-6)
        heights = tf.cumsum(tf.nn.softmax(tf.where(is_kept, scores, -1e30)), axis=-1)
        is_below = heights[:, :-1] <= drawn[:, None]
        place = tf.reduce_sum(tf.cast(is_below & is_kept[:, 1:], tf.int32), -1)
        return tf.gather(best.indices, place, batch_dims=1)


def _of_heights(likelihoods: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
    """Units drawn by likelihoods `[N, V]`, given heights `[N]` from 0 to 1."""
    heights = tf.cumsum(likelihoods, axis=1)
    # The first one above it: never one that cannot come.
    is_above = heights > drawn[:, None] * heights[:, -1:]
    return tf.argmax(is_above, 1, tf.int32)


class LanguageServing(ServingModule):
    """Raw strings in, texts and probabilities out.

    Args:
        members: The trained model.
        units: Of its vocabulary.
        blanks: That fills in, by the same model.
        ends: Whether texts of training ended, so that those that are written do.
    """

    def __init__(self, members: Members, units: Units, blanks: Blanks, *, ends: bool):
        super().__init__(
            "language", members.model.variables, members=members, blanks=blanks
        )
        # Tracked, since the graphs read their tables.
        self._units = units
        # With the members', which they judge by.
        self._kept += blanks.variables
        self._ends = ends

    def signatures(self) -> dict[str, Any]:
        """The graphs to export, by name."""
        state = tf.TensorSpec([None, self.state_size], tf.float32, "state")
        return {
            "serving_default": graph(self._score, [_TEXT]),
            "next": graph(self._next, [_TEXT, _COUNT]),
            "generate": self._generate_graph,
            "fill": graph(self._fill, [_TEXT, _COUNT]),
            "step": graph(self._step, [tf.TensorSpec([None], tf.int32, "ids"), state]),
            "begin": graph(self._begin, [_PROMPT]),
            "write": graph(
                self._write,
                [
                    tf.TensorSpec([None], tf.string, "behind"),
                    tf.TensorSpec([None], tf.string, "typed"),
                    tf.TensorSpec([None], tf.float32, "offset"),
                    state,
                    tf.TensorSpec([], tf.int32, "first"),
                    *_WRITING,
                ],
            ),
        }

    def portable(self) -> Portable:
        """The network as a graph of numbers, and what is done around it."""
        members, model = self._members, self._members.model
        sizes = model.state_sizes
        signature = [
            tf.TensorSpec([None], tf.int32, "ids"),
            *(
                tf.TensorSpec([None, size], tf.float32, f"state_{number:02}")
                for number, size in enumerate(sizes)
            ),
        ]

        def step(ids: tf.Tensor, *states: tf.Tensor) -> dict[str, tf.Tensor]:
            outputs, after = model.step(ids, states)
            # Other names than of inputs: tf2onnx takes the same for the same tensor.
            names = [f"new_{spec.name}" for spec in signature[1:]]
            logits = model.logits(model.readouts(outputs))
            return {
                "log_probabilities": tf.nn.log_softmax(logits),
                "outputs": outputs,
                **dict(zip(names, after, strict=True)),
            }

        units, arrays = self._units.portable()
        if members.counts is not None:
            arrays |= members.counts.arrays()
        settings = {
            "units": units,
            "ends": self._ends,
            "members": {
                "state_sizes": sizes,
                "width": model.section.units,
                "order": 0 if members.counts is None else members.counts.order,
                "cache_size": members.cache_size,
                "flatness": float(members.flatness.numpy()),
                "weights": members.weights.numpy()[0].tolist(),
            },
        }
        return Portable({MODEL_GRAPH: NumberGraph(step, signature)}, settings, arrays)

    def sample(self, number: int, length: int, temperature: float) -> list[str]:
        """Texts that are written from the beginning, each by a seed of its own."""
        texts = [
            self._generate_graph(
                tf.constant([""]),
                tf.constant(length),
                tf.constant(temperature),
                tf.constant(0),
                tf.constant(1.0),
                tf.constant(seed),
                tf.constant(""),
            )["text"]
            for seed in range(number)
        ]
        return [text.numpy()[0].decode("utf-8", "replace") for text in texts]

    @functools.cached_property
    def _generate_graph(self) -> Any:
        # Tracing takes seconds: once for all that is written.
        return graph(self._generate, [_PROMPT, *_WRITING, _STOP])

    @property
    def state_size(self) -> int:
        """Numbers of a text's state, as `step` takes and gives it."""
        specs = tf.nest.flatten(self._members.state_spec)
        return sum(spec.shape[1:].num_elements() for spec in specs)

    @property
    def _members(self) -> Members:
        return self.untracked.members

    @property
    def _blanks(self) -> Blanks:
        return self.untracked.blanks

    def _score(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        ids = self._units.encode(text)
        _, scores = self._read(self._begun(tf.shape(text)[0]), ids)
        return {
            "log_probability": scores,
            "units": tf.cast(ids.row_lengths(), tf.int32),
        }

    def _next(self, text: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        state, _ = self._read(
            self._begun(tf.shape(text)[0]), self._units.encode(text), scored=False
        )
        best = tf.math.top_k(
            self._members.next(state), tf.clip_by_value(k, 1, self._units.size)
        )
        return {"unit": self._units.shown(best.indices), "probability": best.values}

    def _step(self, ids: tf.Tensor, state: tf.Tensor) -> dict[str, tf.Tensor]:
        after, _ = self._members.advance(
            self._unpacked(state), ids[:, None], tf.fill([tf.shape(ids)[0], 1], True)
        )
        return {
            "probabilities": self._members.next(after),
            "state": self._packed(after),
        }

    def _generate(
        self,
        prompt: tf.Tensor,
        length: tf.Tensor,
        temperature: tf.Tensor,
        top_k: tf.Tensor,
        top_p: tf.Tensor,
        seed: tf.Tensor,
        stop: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        state, typed = self._prompted(prompt)
        draw = _Draw.of(temperature, top_k, top_p, seed)
        text, _, _ = self._written(
            prompt, typed, _offset(prompt), state, tf.constant(0), length, draw, stop
        )
        before_stop = tf.strings.reduce_join(_parts(text, stop)[:, :1], axis=-1)
        return {"text": tf.where(stop == b"", text, before_stop)}

    def _begin(self, prompt: tf.Tensor) -> dict[str, tf.Tensor]:
        state, typed = self._prompted(prompt)
        return {
            "state": self._packed(state),
            "typed": typed,
            "offset": _offset(prompt),
        }

    def _write(
        self,
        behind: tf.Tensor,
        typed: tf.Tensor,
        offset: tf.Tensor,
        state: tf.Tensor,
        first: tf.Tensor,
        length: tf.Tensor,
        temperature: tf.Tensor,
        top_k: tf.Tensor,
        top_p: tf.Tensor,
        seed: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        draw = _Draw.of(temperature, top_k, top_p, seed)
        text, is_over, after = self._written(
            behind,
            typed,
            offset,
            self._unpacked(state),
            first,
            length,
            draw,
            tf.constant(""),
        )
        return {"text": text, "is_over": is_over, "state": self._packed(after)}

    def _prompted(self, prompt: tf.Tensor) -> tuple[State, tf.Tensor]:
        """The state after prompts, and what is typed of a unit that is to go on."""
        ids, typed = self._units.without_broken_end(prompt)
        state, _ = self._read(self._begun(tf.shape(prompt)[0]), ids, scored=False)
        return state, typed

    def _written(
        self,
        behind: tf.Tensor,
        typed: tf.Tensor,
        offset: tf.Tensor,
        state: State,
        first: tf.Tensor,
        length: tf.Tensor,
        draw: _Draw,
        stop: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, State]:
        """What is written behind texts `[N]`, whether it has ended, and the state then.

        Args:
            behind: The texts, of which the end alone matters.
            typed: The beginning of the first unit, where that is given.
            offset: Of the draws, by text.
            state: After the texts, without what is typed.
            first: So many units were written before.
            length: Units to write at most.
            draw: How units are drawn.
            stop: A text that ends a row, unless it is empty.
        """
        # Unknown is no text, and without a boundary in training nothing ends.
        never = [UNKNOWN] if self._ends else [UNKNOWN, BOUNDARY]
        can_be = tf.constant([unit not in never for unit in range(self._units.size)])
        is_first = (typed == b"")[:, None] | self._units.completing(typed)

        def go_on(step: tf.Tensor, is_over: tf.Tensor, *others: Any) -> tf.Tensor:
            return (step < length) & ~tf.reduce_all(is_over)

        def write(
            step: tf.Tensor, is_over: tf.Tensor, text: tf.Tensor, state: WritingState
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, WritingState]:
            is_open = can_be & (is_first | (step > 0))
            probabilities = tf.where(is_open, self._members.following(state), 0.0)
            unit = draw.unit(probabilities, first + step, offset)
            is_over |= unit == BOUNDARY
            letters = self._units.texts_of(unit)
            written = tf.where(
                (typed == b"") | (step > 0),
                self._units.join(letters[:, None], tf.strings.join([behind, text])),
                _without_beginning(letters, tf.strings.length(typed)),
            )
            text = tf.strings.join([text, tf.where(is_over, "", written)])
            is_over |= tf.cond(
                tf.equal(stop, b""),
                lambda: tf.zeros_like(is_over),
                lambda: _parts(text, stop).row_lengths() > 1,
            )
            return step + 1, is_over, text, self._members.write(state, unit)

        rows = tf.shape(behind)[0]
        variables = (
            *(tf.constant(0), tf.fill([rows], False), tf.fill([rows], "")),
            self._members.begin_writing(state),
        )
        _, is_over, text, written = tf.while_loop(
            go_on, write, variables, shape_invariants=_shapes(variables)
        )
        return text, is_over, self._members.end_writing(written)

    def _fill(self, text: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        parts = _parts(text, tf.constant(BLANK))
        blanks = tf.cast(parts.bounding_shape(1), tf.int32) - 1
        k = tf.clip_by_value(k, 1, min(CANDIDATES, self._units.size))

        def fill(row: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return self._filled(row, blanks, k)

        filling, probability = tf.map_fn(
            fill,
            parts,
            fn_output_signature=(
                tf.TensorSpec([None, None], tf.string),
                tf.TensorSpec([None, None], tf.float32),
            ),
        )
        return {"filling": filling, "probability": probability}

    def _filled(
        self, parts: tf.Tensor, blanks: tf.Tensor, k: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The fillings between parts of a text, string and float32 `[blanks, k]`.

        They are judged as `Blanks` says, by what stands behind up to the next blank. A
        blank is filled by its best candidate before the next one. What cannot be is ""
        with probability 0.
        """
        own = tf.size(parts) - 1
        units = self._units
        first = units.between(parts[0], tf.constant(True), tf.equal(own, 0))
        state, _ = self._read(
            self._begun(1), tf.RaggedTensor.from_tensor(first.ids[None]), scored=False
        )

        def fill(
            number: tf.Tensor,
            state: State,
            begin: tf.Tensor,
            mark: tf.Tensor,
            texts: tf.Tensor,
            shares: tf.Tensor,
        ) -> tuple[Any, ...]:
            behind = units.between(
                parts[number + 1], tf.constant(False), tf.equal(number + 1, own)
            )
            candidates = self._blanks.candidates(
                state, behind.ids, units.fitting(mark, begin, behind.end)
            )
            best = tf.math.top_k(self._blanks.probabilities(candidates), k)
            filled = tf.gather(candidates.ids, best.indices)
            written = tf.concat([filled[:1], behind.ids], 0)
            after, _ = self._read(
                state, tf.RaggedTensor.from_tensor(written[None]), scored=False
            )
            shown = tf.where(
                best.values > 0, units.filling(filled, begin, behind.end), ""
            )
            return (
                number + 1,
                after,
                behind.begin,
                behind.mark,
                tf.concat([texts, shown[None]], 0),
                tf.concat([shares, best.values[None]], 0),
            )

        nothing = tf.fill([0, k], ""), tf.zeros([0, k])
        variables = tf.constant(0), state, first.begin, first.mark, *nothing
        _, _, _, _, texts, shares = tf.while_loop(
            lambda number, *others: number < own,
            fill,
            variables,
            shape_invariants=_shapes(variables),
        )
        missing = [[0, blanks - own], [0, 0]]
        return tf.pad(texts, missing), tf.pad(shares, missing)

    def _begun(self, rows: tf.Tensor) -> State:
        """The state of so many texts after the boundary that they begin with."""
        return self._members.advance(
            self._members.begin(rows),
            tf.fill([rows, 1], BOUNDARY),
            tf.fill([rows, 1], True),
        )[0]

    def _read(
        self, state: State, ids: tf.RaggedTensor, scored: bool = True
    ) -> tuple[State, tf.Tensor]:
        """The state after units, and their log-probability `[N]`, a block at a time."""
        lengths = tf.cast(ids.row_lengths(), tf.int32)
        dense = ids.to_tensor(BOUNDARY)
        steps = tf.shape(dense)[1]

        def read(
            begin: tf.Tensor, state: State, total: tf.Tensor
        ) -> tuple[tf.Tensor, State, tf.Tensor]:
            block = dense[:, begin : begin + _BLOCK]
            places = begin + tf.range(tf.shape(block)[1])
            is_real = places[None] < lengths[:, None]
            after, before = self._members.advance(state, block, is_real)
            if scored:
                scores = self._members.mixed(
                    self._members.log_probabilities(state, before, block)
                )
                total += tf.reduce_sum(tf.where(is_real, scores, 0.0), 1)
            return begin + _BLOCK, after, total

        variables = tf.constant(0), state, tf.zeros([tf.shape(dense)[0]])
        _, state, total = tf.while_loop(
            lambda begin, *others: begin < steps,
            read,
            variables,
            shape_invariants=_shapes(variables),
        )
        return state, total

    def _packed(self, state: State) -> tf.Tensor:
        """The state as numbers, `[N, state_size]`."""
        rows = tf.shape(state.output)[0]
        return tf.concat(
            [
                tf.reshape(tf.cast(tensor, tf.float32), [rows, -1])
                for tensor in tf.nest.flatten(state)
            ],
            1,
        )

    def _unpacked(self, numbers: tf.Tensor) -> State:
        rows = tf.shape(numbers)[0]
        spec = self._members.state_spec
        specs = tf.nest.flatten(spec)
        sizes = [each.shape[1:].num_elements() for each in specs]
        return tf.nest.pack_sequence_as(
            spec,
            [
                tf.cast(tf.reshape(part, [rows, *each.shape[1:]]), each.dtype)
                for part, each in zip(tf.split(numbers, sizes, 1), specs, strict=True)
            ],
        )


def _shapes(variables: Any) -> Any:
    """Shapes with any number of rows, for loops."""
    return tf.nest.map_structure(
        lambda tensor: (
            tf.TensorShape([None, *tensor.shape[1:]])
            if tensor.shape.rank
            else tensor.shape
        ),
        variables,
    )


def _parts(text: tf.Tensor, stop: tf.Tensor) -> tf.RaggedTensor:
    return tf.strings.split(text, stop)


def _offset(prompts: tf.Tensor) -> tf.Tensor:
    """A number from 0 to 1 for each prompt, by its letters."""
    buckets = 1 << 20
    return (
        tf.cast(tf.strings.to_hash_bucket_fast(prompts, buckets), tf.float32) / buckets
    )


def _without_beginning(texts: tf.Tensor, bytes_: tf.Tensor) -> tf.Tensor:
    begin = tf.minimum(bytes_, tf.strings.length(texts))
    return tf.strings.substr(texts, begin, tf.fill(tf.shape(texts), 1 << 30))
