"""What all regularisers of a cell share: the wrapping, and the noise of a call."""

from __future__ import annotations

import contextlib
import contextvars
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
from keras import ops

Tensor = Any


class CellNoise(NamedTuple):
    """The noise of one regulariser for one call of the layer that runs it.

    Attributes:
        per_sequence: By name, what is drawn once per sequence and held over time,
            `[batch, ...]`; of `WeightDrop`, in the shape of the weight, for all.
        per_step: By name, what is drawn anew at each step, bool
            `[batch, time, units]`.
    """

    per_sequence: dict[str, Tensor]
    per_step: dict[str, Tensor]

    @property
    def is_empty(self) -> bool:
        return not self.per_sequence and not self.per_step


class StepNoise(NamedTuple):
    """The noise that manual backpropagation applies within a step.

    Attributes:
        state_mask: `(batch, units)`, multiplied with what the gates read of the hidden
            state, or `None`. The state that is carried on is not masked.
        keeps: By the number of a state, bool `(batch, time, units)`, true where the
            state keeps its previous value.
    """

    state_mask: Tensor | None = None
    keeps: Mapping[int, Tensor] = MappingProxyType({})


def at_steps(noise: CellNoise, of: Callable[[Tensor], Tensor]) -> CellNoise:
    """The noise with that of the steps as `of` makes it, `(batch, time, ...)` alike."""
    return noise._replace(
        per_step={name: of(drawn) for name, drawn in noise.per_step.items()}
    )


# Noise reaches a regulariser beside the inputs and states, not among them, so that any
# cell may stand between it and the layer, and no cell's signature has to know of noise.
# It is set within the step that uses it, hence within the trace that uses it. A context
# variable keeps threads that run one layer at once apart.
_current_noise: contextvars.ContextVar[
    Mapping[NoiseMaker, Mapping[str, Tensor]] | None
] = contextvars.ContextVar("recurra_current_noise", default=None)


@contextlib.contextmanager
def current_noise(
    noise: Mapping[NoiseMaker, Mapping[str, Tensor]],
) -> Iterator[None]:
    """Hands regularisers the noise of the cell calls made within."""
    token = _current_noise.set(noise)
    try:
        yield
    finally:
        _current_noise.reset(token)


def checked_rate(name: str, rate: float) -> float:
    """`rate` as a float; `ValueError` where it is not a number in `[0, 1)`."""
    is_number = isinstance(rate, (int, float)) and not isinstance(rate, bool)
    if not is_number or not 0 <= rate < 1:
        raise ValueError(f"`{name}` must be a number in [0, 1). Received: {rate!r}")
    return float(rate)


def draw_dropout_mask(
    shape: tuple[Any, ...], rate: float, dtype: str, seed: keras.random.SeedGenerator
) -> Tensor:
    """A mask that is 0 with probability `rate` and `1 / (1 - rate)` otherwise."""
    kept = draw_events(shape, 1 - rate, seed)
    return ops.cast(kept, dtype) * ops.cast(1 / (1 - rate), dtype)


def draw_events(
    shape: tuple[Any, ...], rate: float, seed: keras.random.SeedGenerator
) -> Tensor:
    """A mask of bool that is true with probability `rate`, exact to 2^-16.

    Drawing takes most of the time that noise takes, and gives 32 bits at once, which
    are enough for two elements.
    """
    *others, size = shape
    bits = keras.random.randint(
        (*others, (size + 1) // 2), -(2**31), 2**31 - 1, dtype="int32", seed=seed
    )
    halves = ops.view(bits, "int16")[..., :size]
    events = min(max(round(rate * 2**16), 1), 2**16 - 1)
    return halves < events - 2**15


def takes_argument(cell: Any, name: str) -> bool:
    """Whether the cell's `call` names the argument."""
    return name in inspect.signature(cell.call).parameters


def answer_of(cell: Any, name: str) -> Any:
    """The attribute by which a cell's class answers for its `call`, or `None`.

    An inherited attribute is no answer: a subclass may step otherwise.
    """
    return getattr(cell, name, None) if name in vars(type(cell)) else None


class NoiseMaker:
    """Base of what makes noise within a cell's steps, for the layer that runs it.

    That layer draws the noise before the loop, by `draw_noise`, and hands it out at
    each step.
    """

    @property
    def makes_noise(self) -> bool:
        """Whether two calls in training mode differ."""
        raise NotImplementedError

    @property
    def shares_noise(self) -> bool:
        """Whether all sequences of a batch get the same noise."""
        return False

    def draw_noise(
        self, batch_size: Any, timesteps: Any, seed: keras.random.SeedGenerator
    ) -> CellNoise:
        """Draws what one call in training mode needs. Default: nothing."""
        return CellNoise(per_sequence={}, per_step={})

    def during_loop(self, noise: CellNoise) -> contextlib.AbstractContextManager[Any]:
        """A context for the whole loop, entered once before it, whatever runs it."""
        return contextlib.nullcontext()

    def noise_of_this_step(self, training: bool | None) -> Mapping[str, Tensor]:
        """The noise handed out for the step being run; empty where there is none.

        Raises:
            ValueError: In training mode, where nothing hands out noise.
        """
        noise = _current_noise.get()
        if noise is None:
            if training:
                raise ValueError(
                    f"`{type(self).__name__}` draws no noise itself: it is drawn "
                    "before the loop by the layer that runs the cell. Run the cell by "
                    "`recurra.layers.RNN`. Received: a call in training mode from "
                    "elsewhere, such as `keras.layers.RNN`."
                )
            return {}
        return noise.get(self, {})


class CellRegulariser(NoiseMaker, keras.layers.Layer):
    """Base of the layers that wrap a cell and regularise its recurrence.

    A regulariser is a cell itself: it has the state of the cell it wraps, and may be
    wrapped again. `recurra.layers.RNN` draws its noise before the loop, by
    `draw_noise`, and hands it out at each step; a regulariser draws nothing itself.
    Without noise (at inference) its step is whatever the method prescribes then.

    A subclass defines `draw_noise` and `call`. What it can do to all steps at once,
    outside the recurrence, goes into `before_loop` and `after_loop`, what holds for
    the whole loop into `during_loop`.

    Without further definitions a regulariser runs in the way that is always right. It
    permits faster ways by two answers, which count only where the class itself
    defines them: a subclass, whose `call` may differ, answers anew.

    - `keeps_states_bounded = True`: a cell with bounded states has bounded states in
      this regulariser too. Then padded sequences run without a choice at each step.
    - `step_noise`: what `call` does, as manual backpropagation applies it.

    Args:
        cell: Any Keras cell: a layer with `call(inputs, states)` and `state_size`.
        **kwargs: As for `keras.layers.Layer`. `dtype` is the cell's, unless given.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous states, `(batch, units)` or of any further
            dimensions each.
        training: Whether the layer that runs the cell is in training mode.

    Returns of a call: output `(batch, units)` and the list of new states.

    Raises:
        TypeError: `cell` is no cell, or a stack of cells.
        ValueError: `cell` draws dropout masks itself.

    Example: units of the hidden state are reset to zero at random.

    >>> import keras
    >>> from recurra.layers import RNN, CellNoise, CellRegulariser, LSTMCell
    >>> class RandomReset(CellRegulariser):
    ...     def draw_noise(self, batch_size, timesteps, seed):
    ...         shape = (batch_size, timesteps, self.state_sizes[0])
    ...         reset = keras.random.uniform(shape, seed=seed) < 0.1
    ...         return CellNoise(per_sequence={}, per_step={"reset": reset})
    ...
    ...     def call(self, inputs, states, training=False):
    ...         output, new_states = self.run_cell(inputs, states, training)
    ...         reset = self.noise_of_this_step(training).get("reset")
    ...         if reset is not None:
    ...             new_states[0] = keras.ops.where(reset, 0.0, new_states[0])
    ...         return output, new_states
    >>> layer = RNN(RandomReset(LSTMCell(8)))
    >>> keras.ops.shape(layer(keras.ops.ones((2, 5, 3)), training=True))
    (2, 8)
    """

    # Whether the wrapped cell reads the inputs as they come.
    passes_inputs_through = True
    keeps_states_bounded = False
    _has_level_in_file = True

    def __init__(self, cell: keras.layers.Layer, **kwargs: Any) -> None:
        _refuse_what_cannot_be_wrapped(type(self).__name__, cell)
        kwargs.setdefault("dtype", cell.dtype_policy)
        super().__init__(**kwargs)
        self.cell = cell
        self.state_size = cell.state_size
        self.output_size = getattr(cell, "output_size", None) or self.state_sizes[0]

    @property
    def state_sizes(self) -> list[int]:
        """Units of each state of the cell."""
        size = self.cell.state_size
        return [size] if isinstance(size, int) else list(size)

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        """The shape of each state of the cell, without the batch.

        Such as `(units,)`; of some cells, as those of `keras.layers.ConvLSTM2D`, it is
        known once they are built.
        """
        return shapes_of_states(self)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """That of the output, without the batch: by `output_size`, or as a state's."""
        size = self.output_size
        if isinstance(size, int):
            return (size,) if size > 0 else self.state_shapes[0]
        return tuple(size)

    @property
    def active_at_inference(self) -> bool:
        """Whether a step without noise differs from a step of the bare cell."""
        return False

    @property
    def makes_noise(self) -> bool:
        """Whether two calls in training mode differ. Default: if it draws noise."""
        return type(self).draw_noise is not NoiseMaker.draw_noise

    @property
    def acts_after_loop(self) -> bool:
        """Whether `after_loop` does anything."""
        return type(self).after_loop is not CellRegulariser.after_loop

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.input_size = input_shape[-1]
        self.shape_of_inputs = tuple(input_shape[1:])
        if not self.cell.built:
            # Beside this layer, not within it: the paths of weights name no wrapper.
            outer = (self.path or "").rpartition("/")[0]
            above, _, name = outer.rpartition("/")
            with (
                keras.name_scope(name, override_parent=above)
                if outer
                else contextlib.nullcontext()
            ):
                self.cell.build(input_shape)
            self.cell.built = True

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        if hasattr(self.cell, "get_initial_state"):
            states = self.cell.get_initial_state(batch_size=batch_size)
            return list(states) if keras.tree.is_nested(states) else [states]
        return [
            ops.zeros((batch_size, size), dtype=self.compute_dtype)
            for size in self.state_sizes
        ]

    def before_loop(
        self, sequences: Tensor, noise: CellNoise
    ) -> tuple[Tensor, CellNoise]:
        """Does to `[batch, time, features]` at once what needs no recurrence.

        Returns the sequences and the noise that is left for the steps. Called where
        the layer's input is this regulariser's input.
        """
        return sequences, noise

    def after_loop(self, outputs: Tensor, noise: CellNoise) -> Tensor:
        """As `before_loop`, for outputs `[batch, units]` or `[batch, time, units]`.

        What `noise` has per step stands at the outputs already: `[batch, ...]` or
        `[batch, time, ...]`, in the order in which the loop ran.
        """
        return outputs

    def step_noise(self, noise: CellNoise) -> StepNoise | None:
        """All that a step in training mode does with the noise that `before_loop` left.

        `StepNoise()` where it does nothing; `None` (default) where it does what
        `StepNoise` cannot express, so that the steps run one by one.
        """
        return None

    def run_cell(
        self,
        inputs: Tensor,
        states: list[Tensor],
        training: bool | None,
        **arguments: Tensor,
    ) -> tuple[Tensor, list[Tensor]]:
        """One step of the wrapped cell; the new states always as a list."""
        if takes_argument(self.cell, "training"):
            arguments["training"] = training
        output, new_states = self.cell(inputs, states, **arguments)
        if not keras.tree.is_nested(new_states):
            new_states = [new_states]
        return output, list(new_states)

    def save_own_variables(self, store: Any) -> None:
        """Saves the cell's weights in the place of this layer, if it has no others."""
        self._has_level_in_file = not self._weights_are_those_of_cell()
        if self._has_level_in_file:
            super().save_own_variables(store)
        else:
            self.cell.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        # Files of version 0.1 have a level for every wrapper, with nothing in it.
        in_this_place = self._weights_are_those_of_cell() and len(store.keys())
        self._has_level_in_file = not in_this_place
        if self._has_level_in_file:
            super().load_own_variables(store)
        else:
            self.cell.load_own_variables(store)

    def __dir__(self) -> list[str]:
        """Keras saves and loads the layers that it finds here."""
        names = super().__dir__()
        if self._has_level_in_file:
            return list(names)
        return [name for name in names if name != "cell"]

    def _weights_are_those_of_cell(self) -> bool:
        """Whether all of them are the cell's own, and not of layers within it."""
        of_cell: dict[str, Any] = {}
        self.cell.save_own_variables(of_cell)
        return len(of_cell) == len(self.weights)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "cell": keras.saving.serialize_keras_object(self.cell),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> CellRegulariser:
        config = dict(config)
        cell = keras.saving.deserialize_keras_object(
            config.pop("cell"), custom_objects=custom_objects
        )
        return cls(cell, **config)


def shapes_of_states(cell: Any) -> list[tuple[int, ...]]:
    """The shape of each state of a cell, without the batch.

    Raises:
        AttributeError: The cell knows it once it is built, and it is not.
    """
    if hasattr(cell, "get_initial_state"):
        states = keras.tree.flatten(cell.get_initial_state(batch_size=1))
        return [tuple(state.shape[1:]) for state in states]
    return [(size,) for size in keras.tree.flatten(cell.state_size)]


def has_flat_states(cell: Any) -> bool:
    """Whether every state of a cell is `(batch, units)`, as its `state_size` says."""
    sizes = keras.tree.flatten(cell.state_size)
    return min(sizes) > 0 and shapes_of_states(cell) == [(size,) for size in sizes]


def refuse_other_than_flat_states(wrapper: str, cell: Any) -> None:
    """`ValueError` where the states have more dimensions than `wrapper` can read."""
    if not has_flat_states(cell):
        raise ValueError(
            f"`{wrapper}` joins the hidden state to the input of the cell, so both "
            "must be `(batch, units)`. Received: a cell with states of more "
            f"dimensions, cell={cell}"
        )


def wrappers_of(cell: Any) -> list[CellRegulariser]:
    """The regularisers around a cell, outermost first."""
    wrappers = []
    while isinstance(cell, CellRegulariser):
        wrappers.append(cell)
        cell = cell.cell
    return wrappers


def wrappers_at_the_input(cell: Any) -> list[CellRegulariser]:
    """Of `wrappers_of` the outermost ones whose input is that of the layer."""
    wrappers = wrappers_of(cell)
    for index, wrapper in enumerate(wrappers):
        if not wrapper.passes_inputs_through:
            return wrappers[: index + 1]
    return wrappers


def innermost_cell(cell: Any) -> Any:
    """The cell itself, without the regularisers around it."""
    wrappers = wrappers_of(cell)
    return wrappers[-1].cell if wrappers else cell


def noise_makers_within(cell: Any) -> list[NoiseMaker]:
    """What makes noise in one step of the cell, also within a stack: the regularisers
    around a cell, outermost first, and the cell where it has rates of its own."""
    within = innermost_cell(cell)
    stacked = within.cells if isinstance(within, keras.layers.StackedRNNCells) else ()
    has_rates = isinstance(within, NoiseMaker) and within.makes_noise
    return [
        *wrappers_of(cell),
        *([within] if has_rates else []),
        *(maker for part in stacked for maker in noise_makers_within(part)),
    ]


def _takes_states(cell: keras.layers.Layer) -> bool:
    """Whether the cell's `call` takes a second argument, by whatever name."""
    try:
        inspect.signature(cell.call).bind(None, None)
    except TypeError:
        return False
    return True


def _refuse_what_cannot_be_wrapped(wrapper: str, cell: Any) -> None:
    if isinstance(cell, keras.layers.RNN):
        raise TypeError(
            f"`{wrapper}` wraps a cell, not the layer that runs it: wrap the layer's "
            f"cell and run that by `recurra.layers.RNN`. Received: cell={cell}"
        )
    if not (
        isinstance(cell, keras.layers.Layer)
        and hasattr(cell, "state_size")
        and _takes_states(cell)
    ):
        raise TypeError(
            f"`{wrapper}` wraps a Keras cell: a `keras.layers.Layer` with a method "
            f"`call(inputs, states)` and an attribute `state_size`. Received: "
            f"cell={cell}"
        )
    if isinstance(cell, keras.layers.StackedRNNCells):
        raise TypeError(
            f"`{wrapper}` wraps single cells, since each cell of a stack has a state "
            "of its own: wrap the cells one by one and stack the wrapped ones. "
            f"Received: cell={cell}"
        )
    draws_itself = not isinstance(cell, NoiseMaker) and any(
        getattr(cell, name, 0.0) for name in ("dropout", "recurrent_dropout")
    )
    if draws_itself:
        raise ValueError(
            f"`{wrapper}` wraps cells that draw nothing themselves: a mask drawn "
            "within the loop is the same at every step on JAX. Give the rates to "
            "`VariationalDropout` instead of the cell. Received: a cell with "
            f"dropout={cell.dropout}, recurrent_dropout={cell.recurrent_dropout}"
        )
