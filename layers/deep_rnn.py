"""Deep recurrent networks: recurrent layers on top of each other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
from keras import ops

from .padding import Padding
from .regulariser import Tensor

_MERGED = {
    "concat": lambda forward, backward: ops.concatenate([forward, backward], axis=-1),
    "sum": lambda forward, backward: forward + backward,
    "ave": lambda forward, backward: (forward + backward) / 2,
    "mul": lambda forward, backward: forward * backward,
}


@keras.saving.register_keras_serializable(package="recurra")
class DeepRNN(keras.layers.Layer):
    """Stacks recurrent layers, in one or both directions, with residual connections.

        y^0_t = x_t
        y^l_t = layer_l(y^{l-1})_t                in one direction
        y^l_t = [forward_l(y^{l-1})_t, backward_l(y^{l-1})_t]    in both
        y^l_t = ... + y^{l-1}_t                   residual, where the widths are equal

    Each level is a recurrent layer with weights, regularisers and noise of its own,
    and uses its fused kernel where it would alone. The layers given are patterns: new
    ones are made from their configuration, as `keras.layers.Bidirectional` does.

    One layer is repeated `depth` times. A seed in it, of noise or of an initializer,
    counts for the lowest level; each further level, and each backward layer, gets
    another one that follows from it, so none share masks and all are reproducible. In
    a list, each layer keeps its seed. With `go_backwards` all get others.

    A residual connection stands where input and output of a level are equally wide
    (Wu et al. 2016): usually everywhere but at the lowest level. There is no
    projection to make them fit.

    Padded steps change no state and are read by no level. The output of a padded step
    repeats that of the step before it, residual connection and all, and is zero before
    the first real step. With both directions or `zero_output_for_mask` it is zero.

    Without `return_sequences` the output is that of the last real step; in both
    directions, that of the last step each direction took, which is the first in time
    for the backward one. Residual connections are taken from the same steps.

    Source: Graves, Mohamed and Hinton, "Speech Recognition with Deep Recurrent Neural
    Networks", https://arxiv.org/abs/1303.5778; Wu et al., "Google's Neural Machine
    Translation System", https://arxiv.org/abs/1609.08144 (residual connections)

    Args:
        layers: A recurrent layer, of this package or any `keras.layers.RNN`, that is
            repeated `depth` times; or a list of such layers, lowest first, in which
            `keras.layers.Bidirectional` may stand around some. Their
            `return_sequences` is of no effect. They must not be built.
        depth: Positive integer, how often one layer is repeated. May be left out for
            a list, whose length it is.
        bidirectional: Whether every level runs in both directions. Default: `False`.
        residual: Whether the input of a level is added to its output where both are
            equally wide. Default: `False`.
        merge_mode: How a level joins its directions: `"concat"` (default), `"sum"`,
            `"ave"` or `"mul"`.
        return_sequences: Whether to return the outputs of all steps. Default: `False`.
        return_state: Whether to return the last states too. Default: `False`.
        go_backwards: Whether to run the whole stack over the reversed sequence, and
            return the reversed output. For `keras.layers.Bidirectional` around this
            layer: two stacks that meet at the top alone. Default: `False`.
        stateful: As for `keras.layers.RNN`, for all levels. Default: `False`.
        zero_output_for_mask: Whether the output of padded steps is zero, where
            sequences are returned. Default: `False`.
        **kwargs: As for `keras.layers.Layer`. `dtype` is that of the highest layer,
            unless given.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: Flat list of initial states: those of the lowest level first,
            forward before backward. Default: zeros.
        mask: Boolean `(batch, time)`, false at padded steps.
        training: Whether to draw noise.

    Output shape: `(batch, width)`, with `return_sequences` `(batch, time, width)`,
    where `width` is the units of the highest level, twice that where directions are
    concatenated; with `return_state` followed by the last states of all levels, in
    the order of `initial_state`.

    Raises:
        TypeError: `layers` are no recurrent layers.
        ValueError: An argument of a layer that is set here for all, a built layer,
            `depth` or `merge_mode` that make no sense, `bidirectional` around layers
            that are or with `go_backwards`; `residual` where no widths are equal, or
            where no last step can be told.

    Example:

    >>> import keras
    >>> from recurra.layers import LSTM, DeepRNN
    >>> encoder = DeepRNN(
    ...     LSTM(8, recurrent_dropout=0.2), depth=3, bidirectional=True, residual=True
    ... )
    >>> keras.ops.shape(encoder(keras.ops.ones((2, 5, 4)), training=True))
    (2, 16)
    >>> graded = DeepRNN([LSTM(16, dropout=0.1), LSTM(8, dropout=0.4)])
    >>> keras.ops.shape(graded(keras.ops.ones((2, 5, 4)), training=True))
    (2, 8)
    """

    def __init__(
        self,
        layers: Any,
        depth: int | None = None,
        bidirectional: bool = False,
        residual: bool = False,
        merge_mode: str = "concat",
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        if bidirectional and go_backwards:
            raise ValueError(
                "A bidirectional stack goes backwards as it is: leave out one of the "
                "two. Received: bidirectional=True, go_backwards=True"
            )
        patterns = [
            _pattern_of_level(layer, bidirectional, merge_mode)
            for layer in _one_layer_per_level(layers, depth)
        ]
        kwargs.setdefault("dtype", patterns[-1].forward.dtype_policy)
        super().__init__(**kwargs)
        self.depth = len(patterns)
        self.bidirectional = bidirectional
        self.residual = residual
        self.merge_mode = merge_mode
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.zero_output_for_mask = zero_output_for_mask
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(ndim=3)
        self._given = _Configuration(keras.saving.serialize_keras_object(layers))

        is_repeated = isinstance(layers, keras.layers.Layer)
        self.levels = []
        for number, pattern in enumerate(patterns):
            seeds_for = [f"repetition {number}"] if is_repeated and number else []
            seeds_for += ["stack backwards"] if go_backwards else []
            is_top = number == self.depth - 1
            self.levels.append(
                Level(
                    pattern,
                    seeds_for,
                    # The last step of a residual sum is taken of the sum.
                    return_sequences=return_sequences or residual or not is_top,
                    return_state=return_state,
                    stateful=stateful,
                    name=f"level_{number}",
                )
            )
        if residual and not return_sequences:
            self._refuse_if_no_last_step_can_be_told()

    @property
    def states(self) -> list[Any] | None:
        """The states kept between calls, in the order of `initial_state`."""
        if not (self.stateful and self.built):
            return None
        return [
            state
            for layer in self._layers_in_order()
            for state in keras.tree.flatten(layer.states)
        ]

    def reset_state(self) -> None:
        """Sets the states kept between calls to zero."""
        for layer in self._layers_in_order():
            layer.reset_state()

    def reset_states(self) -> None:
        """`reset_state`, which has both names in Keras."""
        self.reset_state()

    def build(
        self,
        sequences_shape: tuple[int | None, ...],
        initial_state_shape: Any = None,
    ) -> None:
        *batch_and_time, width = sequences_shape
        widths = [width]
        for level in self.levels:
            level.build((*batch_and_time, widths[-1]))
            widths.append(level.width)
            level.is_residual = self.residual and widths[-1] == widths[-2]
        if self.residual and not any(level.is_residual for level in self.levels):
            raise ValueError(
                "`residual=True` adds the input of a level to its output where both "
                "are equally wide, and here they are nowhere. Give a level as many "
                "units as the one below it (half of them where directions are "
                "concatenated). Received: widths "
                + " -> ".join(str(width) for width in widths)
            )

    def call(
        self,
        sequences: Tensor,
        initial_state: list[Tensor] | None = None,
        mask: Tensor | None = None,
        training: bool | None = False,
    ) -> Any:
        if mask is not None:
            mask = ops.cast(mask, "bool")
        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
            mask = None if mask is None else ops.flip(mask, axis=1)

        outputs, last_states = sequences, []
        states_by_level = self._states_by_level(initial_state)
        for level, states in zip(self.levels, states_by_level, strict=True):
            below = outputs
            outputs, states = level.run(below, states, mask, training)
            last_states += states
            if level.is_residual:
                outputs = outputs + ops.cast(below, outputs.dtype)

        outputs = ops.cast(self._at_steps_to_return(outputs, mask), self.compute_dtype)
        last_states = [ops.cast(state, self.compute_dtype) for state in last_states]
        return (outputs, *last_states) if self.return_state else outputs

    def compute_output_shape(
        self,
        sequences_shape: tuple[int | None, ...],
        initial_state_shape: Any = None,
    ) -> Any:
        batch, time, _ = sequences_shape
        width = self.levels[-1].width
        shape = (batch, time, width) if self.return_sequences else (batch, width)
        if not self.return_state:
            return shape
        return shape, *(
            (batch, units)
            for layer in self._layers_in_order()
            for units in keras.tree.flatten(layer.state_size)
        )

    def compute_mask(self, sequences: Tensor, mask: Tensor | None) -> Any:
        mask = mask if self.return_sequences else None
        if mask is not None and self.go_backwards:
            mask = ops.flip(mask, axis=1)
        if not self.return_state:
            return mask
        return [mask] + [None] * self._number_of_states()

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "layers": self._given.layers,
            "depth": self.depth,
            "bidirectional": self.bidirectional,
            "residual": self.residual,
            "merge_mode": self.merge_mode,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "zero_output_for_mask": self.zero_output_for_mask,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> DeepRNN:
        config = dict(config)
        layers = keras.saving.deserialize_keras_object(
            config.pop("layers"), custom_objects=custom_objects
        )
        return cls(layers, **config)

    def _layers_in_order(self) -> list[keras.layers.RNN]:
        return [layer for level in self.levels for layer in level.layers]

    def _number_of_states(self) -> int:
        return sum(
            len(keras.tree.flatten(layer.state_size))
            for layer in self._layers_in_order()
        )

    def _states_by_level(self, flat: Any) -> list[list[Any]]:
        """For each layer of each level its initial states, structured as it wants."""
        if flat is None:
            return [[None] * len(level.layers) for level in self.levels]
        flat = keras.tree.flatten(flat)
        if len(flat) != self._number_of_states():
            raise ValueError(
                f"`initial_state` must hold {self._number_of_states()} states: those "
                "of the lowest level first, forward before backward. Received: "
                f"{len(flat)} states"
            )
        states = iter(flat)
        return [
            [_structured(layer.state_size, states) for layer in level.layers]
            for level in self.levels
        ]

    def _at_steps_to_return(self, outputs: Tensor, mask: Tensor | None) -> Tensor:
        if not self.return_sequences:
            return self.levels[-1].last_of(outputs, mask) if self.residual else outputs
        if mask is None:
            return outputs
        if self.zero_output_for_mask or any(
            level.is_bidirectional for level in self.levels
        ):
            return ops.where(ops.expand_dims(mask, -1), outputs, 0)
        return _repeated_at_padding(outputs, mask) if self.residual else outputs

    def _refuse_if_no_last_step_can_be_told(self) -> None:
        top = self.levels[-1]
        if top.is_bidirectional and top.merge_mode != "concat":
            raise ValueError(
                "Directions end at different steps, and a residual connection to their "
                f"{top.merge_mode!r} stands at one. Pass return_sequences=True, or "
                'merge_mode="concat". Received: residual=True, '
                f"return_sequences=False, merge_mode={top.merge_mode!r}"
            )


class Level(keras.layers.Layer):
    """One level of `DeepRNN`: a recurrent layer, or two that go opposite ways.

    Args:
        pattern: What the level is made from.
        seeds_for: What the seeds in the pattern are derived for; empty to keep them.
        return_sequences, return_state, stateful: As for `DeepRNN`.
        name: Of the level.
    """

    def __init__(
        self,
        pattern: _Pattern,
        seeds_for: list[str],
        return_sequences: bool,
        return_state: bool,
        stateful: bool,
        name: str,
    ) -> None:
        super().__init__(name=name, dtype=pattern.forward.dtype_policy)
        arguments = {
            "return_sequences": return_sequences,
            "return_state": return_state,
            "stateful": stateful,
            "zero_output_for_mask": False,
        }
        self.forward_layer = _renewed(pattern.forward, seeds_for, **arguments)
        self.backward_layer = None
        if pattern.backward is not None:
            self.backward_layer = _renewed(
                pattern.backward,
                [*seeds_for, "backward"],
                go_backwards=True,
                name="backward_" + pattern.backward.name.removeprefix("backward_"),
                **arguments,
            )
        self.merge_mode = pattern.merge_mode
        self.is_residual = False

    @property
    def layers(self) -> list[keras.layers.RNN]:
        """Its layers, in the order of their states."""
        if self.backward_layer is None:
            return [self.forward_layer]
        return [self.forward_layer, self.backward_layer]

    @property
    def is_bidirectional(self) -> bool:
        return self.backward_layer is not None

    @property
    def width(self) -> int:
        """Features of the output."""
        widths = [_width(layer) for layer in self.layers]
        return sum(widths) if self.merge_mode == "concat" else widths[0]

    def build(self, sequences_shape: tuple[int | None, ...]) -> None:
        for layer in self.layers:
            layer.build(sequences_shape)

    def run(
        self,
        sequences: Tensor,
        initial_states: list[Any],
        mask: Tensor | None,
        training: bool | None,
    ) -> tuple[Tensor, list[Tensor]]:
        """The output, in the order of time, and flat the last states if returned."""
        outputs, states = [], []
        for layer, initial_state in zip(self.layers, initial_states, strict=True):
            returned = layer(
                sequences, initial_state=initial_state, mask=mask, training=training
            )
            output, *last_states = returned if layer.return_state else [returned]
            if layer.go_backwards and layer.return_sequences:
                output = ops.flip(output, axis=1)
            outputs.append(output)
            states += keras.tree.flatten(last_states)
        if self.is_bidirectional:
            return _MERGED[self.merge_mode](*outputs), states
        return outputs[0], states

    def last_of(self, outputs: Tensor, mask: Tensor | None) -> Tensor:
        """Of outputs in the order of time, those at which each direction ended."""
        if not self.is_bidirectional:
            return _last_real(outputs, mask)
        forward, backward = ops.split(outputs, [_width(self.forward_layer)], axis=-1)
        backward = ops.flip(backward, axis=1)
        mask_backward = None if mask is None else ops.flip(mask, axis=1)
        return ops.concatenate(
            [_last_real(forward, mask), _last_real(backward, mask_backward)], axis=-1
        )


class _Pattern(NamedTuple):
    """The layers that a level is made after."""

    forward: keras.layers.RNN
    backward: keras.layers.RNN | None
    merge_mode: str


class _Configuration:
    """Holds a configuration as it is: Keras wraps the containers of a layer."""

    def __init__(self, layers: Any) -> None:
        self.layers = layers


def _one_layer_per_level(layers: Any, depth: int | None) -> list[Any]:
    if not isinstance(layers, (list, tuple)):
        if not isinstance(depth, int) or isinstance(depth, bool) or depth < 1:
            raise ValueError(
                "`depth` must be a positive integer: how often the layer is repeated. "
                f"Received: depth={depth!r} for layers={layers}"
            )
        return [layers] * depth
    if not layers or depth not in (None, len(layers)):
        raise ValueError(
            "`layers` must be one layer and `depth` how often it is repeated, or a "
            "list of at least one layer, whose length is the depth. Received: a list "
            f"of {len(layers)} and depth={depth!r}"
        )
    if len({id(layer) for layer in layers}) < len(layers):
        raise ValueError(
            "Every level has weights of its own, so no layer may stand in the list "
            "twice. To repeat one, give it alone and `depth`. Received: "
            f"layers={list(layers)}"
        )
    return list(layers)


def _pattern_of_level(layer: Any, bidirectional: bool, merge_mode: Any) -> _Pattern:
    set_by_stack = ["return_state", "stateful", "go_backwards"]
    if isinstance(layer, keras.layers.Bidirectional):
        if bidirectional:
            raise ValueError(
                "`bidirectional=True` runs every level in both directions, and this "
                f"one does so already: leave out one of the two. Received: {layer}"
            )
        pattern = _Pattern(layer.forward_layer, layer.backward_layer, layer.merge_mode)
    else:
        pattern = _Pattern(layer, layer if bidirectional else None, merge_mode)
        set_by_stack.append("zero_output_for_mask")

    if not isinstance(pattern.forward, keras.layers.RNN):
        raise TypeError(
            "`DeepRNN` stacks recurrent layers, such as `recurra.layers.LSTM`, or "
            "`recurra.layers.RNN(cell)` for a cell. Received: "
            f"{pattern.forward}"
        )
    if layer.built:
        raise ValueError(
            "The layers of `DeepRNN` are patterns for new ones, which would not have "
            "the weights of a built layer. Give it layers that are not built, and "
            f"their weights to the stack by `set_weights`. Received: {layer}"
        )
    for name in set_by_stack:
        if getattr(pattern.forward, name):
            raise ValueError(
                f"`{name}` holds for the whole stack: give it to `DeepRNN` and not to "
                f"a layer in it. Received: {layer} with {name}=True"
            )
    if pattern.merge_mode not in _MERGED:
        raise ValueError(
            f"`merge_mode` must be one of {', '.join(map(repr, _MERGED))}, since the "
            "next level reads one sequence. Received: "
            f"merge_mode={pattern.merge_mode!r}"
        )
    return pattern


def _renewed(
    pattern: keras.layers.RNN, seeds_for: list[str], **arguments: Any
) -> keras.layers.RNN:
    """A new layer of the same configuration, but for arguments and seeds."""
    config = _with_seeds_for(" ".join(seeds_for), pattern.get_config())
    layer = type(pattern).from_config({**config, **arguments})
    if hasattr(pattern, "use_cudnn"):
        # Keras leaves it out of the configuration.
        layer.use_cudnn = pattern.use_cudnn
    return layer


def _with_seeds_for(purpose: str, config: Any) -> Any:
    """The configuration with each seed in it replaced by one derived for a purpose."""
    if not purpose:
        return config
    if isinstance(config, dict):
        return {
            name: random.Random(f"{purpose} {value}").getrandbits(31)
            if name == "seed" and isinstance(value, int)
            else _with_seeds_for(purpose, value)
            for name, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return [_with_seeds_for(purpose, value) for value in config]
    return config


def _width(layer: keras.layers.RNN) -> int:
    shape = layer.compute_output_shape((None, None, None))
    return (shape[0] if layer.return_state else shape)[-1]


def _structured(state_size: Any, flat: Iterator[Tensor]) -> Any:
    """The next of the flat states, nested in lists as the sizes are."""
    if isinstance(state_size, int):
        return next(flat)
    return [_structured(size, flat) for size in state_size]


def _last_real(outputs: Tensor, mask: Tensor | None) -> Tensor:
    """Of `(batch, time, width)` the last step that is not padded; zeros without any."""
    return (outputs if mask is None else _repeated_at_padding(outputs, mask))[:, -1]


def _repeated_at_padding(outputs: Tensor, mask: Tensor) -> Tensor:
    """Each padded step with the output of the real step before it; zeros before any."""
    padding = Padding(mask, go_backwards=False)
    return padding.held(padding.real_steps_first(outputs))
