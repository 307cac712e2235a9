"""The layer that runs a cell over time and draws the noise of its regularisers."""

from __future__ import annotations

import contextlib
import itertools
import math
import random
import types
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import keras
from keras import ops

from .backpropagation import ManualBackpropagation
from .elementwise_cell import ElementwiseCell, LinearCell, products_given
from .linear_recurrence import linear_recurrence
from .padding import Padding, may_run_past_padding
from .regulariser import (
    CellNoise,
    CellRegulariser,
    NoiseMaker,
    Tensor,
    answer_of,
    at_steps,
    current_noise,
    has_flat_states,
    innermost_cell,
    noise_makers_within,
    takes_argument,
    wrappers_at_the_input,
    wrappers_of,
)
from .seeds import SeedGenerator
from .zoneout import Zoneout


@dataclass(frozen=True)
class LoopInputs:
    """What one run of the loop takes.

    Attributes:
        sequences, initial_state, mask, training: As for `RNN.inner_loop`.
        noise: For each of `RNN.regularisers` what is left for the steps.
        go_backwards: Whether to run from the last step to the first.
        every_output: Whether the loop returns every output, or the last one alone.
        every_state: Whether it returns the states after every step.
        are_products: Whether the sequences are the products of the cell.
    """

    sequences: Tensor
    initial_state: list[Tensor]
    mask: Tensor | None
    training: bool | None
    noise: list[CellNoise]
    go_backwards: bool
    every_output: bool
    every_state: bool = False
    are_products: bool = False


@keras.saving.register_keras_serializable(package="recurra")
class RNN(keras.layers.RNN):
    """Runs any cell over time, as `keras.layers.RNN`, and draws the noise it needs.

        h_t = cell(x_t, h_{t-1})

    All noise of the regularisers around the cell (`Zoneout`, `VariationalDropout`) is
    drawn before the loop, in training mode alone, anew at every call. So it differs
    between steps where it should, on every backend, and a fixed `seed` gives a fixed
    sequence of calls. A padded step changes no state, whatever the noise says. The
    noise of a step belongs to the time index of its input, also with `go_backwards`.

    Args:
        cell: Any Keras cell, or a list of cells to stack. A regulariser is a cell.
        return_sequences, return_state, go_backwards, stateful, unroll,
        zero_output_for_mask: As for `keras.layers.RNN`.
        seed: Integer seed of the noise, or `None` for a fresh one. A layer that goes
            backwards draws from another stream than one that goes forwards, so the
            two directions of `keras.layers.Bidirectional` never share masks.
        **kwargs: As for `keras.layers.RNN`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: List of initial states, `(batch, units)` each. Default: zeros.
        mask: Boolean `(batch, time)`, false at padded steps.
        training: Whether to draw noise.

    Output shape: `(batch, units)`, with `return_sequences` `(batch, time, units)`;
    with `return_state` followed by the last states, `(batch, units)` each.

    Raises:
        ValueError: As `keras.layers.RNN` does, such as for a stateful layer whose batch
            size is not fixed.

    Example:

    >>> import keras
    >>> from recurra.layers import RNN, Zoneout
    >>> layer = RNN(Zoneout(keras.layers.GRUCell(8), zoneout_hidden=0.1), seed=1)
    >>> keras.ops.shape(layer(keras.ops.ones((2, 5, 3)), training=True))
    (2, 8)
    """

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            zero_output_for_mask=zero_output_for_mask,
            **kwargs,
        )
        self.seed = seed
        self.seed_generator = None
        if any(isinstance(part, CellRegulariser) for part in self.regularisers):
            self.seed_generator = SeedGenerator(_seed_of_direction(seed, go_backwards))

    @property
    def regularisers(self) -> list[NoiseMaker]:
        """The regularisers that a step runs, outermost first, then the cell itself
        where it has rates of its own."""
        return noise_makers_within(self.cell)

    def __dir__(self) -> list[str]:
        """Without what leads past `cell` to the layers in it: Keras saves by these."""
        others = ("plain_cell", "regularisers")
        return [name for name in super().__dir__() if name not in others]

    @property
    def makes_noise(self) -> bool:
        """Whether two calls in training mode differ by the noise of `regularisers`."""
        return any(regulariser.makes_noise for regulariser in self.regularisers)

    def draw_noise(self, batch_size: Any, timesteps: Any) -> list[CellNoise]:
        """Draws the noise of one call in training mode.

        Every such call draws its noise here and nowhere else, so whoever replaces or
        records this method has the very masks that the call used.

        Returns:
            For each of `regularisers` its noise; its `draw_noise` describes the names
            in it.
        """
        return [
            regulariser.draw_noise(batch_size, timesteps, self.seed_generator)
            for regulariser in self.regularisers
        ]

    @property
    def variables(self) -> list[keras.Variable]:
        """On JAX also the states kept between calls: `fit` carries variables alone.

        They are no weights.
        """
        if keras.backend.backend() != "jax" or self.states is None:
            return super().variables
        return [*super().variables, *keras.tree.flatten(self.states)]

    def reset_state(self) -> None:
        """Sets the states kept between calls to zero, also those of a stack.

        Raises:
            RuntimeError: On JAX within an epoch, when `fit` holds the states.
        """
        if self.states is None:
            return
        for state in keras.tree.flatten(self.states):
            try:
                zeros = ops.zeros_like(state.value)
            except TypeError:
                raise RuntimeError(
                    f"`{self.name}.reset_state()` on JAX within an epoch, when the "
                    "training loop holds the states: reset them where an epoch begins "
                    "or ends"
                ) from None
            state.assign(zeros)

    def compute_output_shape(
        self,
        sequences_shape: tuple[int | None, ...],
        initial_state_shape: Any = None,
    ) -> Any:
        if not isinstance(self.cell, CellRegulariser) or has_flat_states(self.cell):
            return super().compute_output_shape(sequences_shape, initial_state_shape)
        batch, time, *_ = sequences_shape
        steps = (batch, time) if self.return_sequences else (batch,)
        output_shape = (*steps, *self.cell.output_shape)
        if not self.return_state:
            return output_shape
        return output_shape, *((batch, *shape) for shape in self.cell.state_shapes)

    def call(
        self,
        sequences: Tensor,
        initial_state: list[Tensor] | None = None,
        mask: Tensor | None = None,
        training: bool | None = False,
    ) -> Any:
        if self.stateful:
            # Torch overwrites the states at the end of the call and needs what they
            # were for the gradients.
            initial_state = self.states if initial_state is None else initial_state
            initial_state = keras.tree.map_structure(ops.copy, initial_state)
        # Outside the steps of a training call there is no noise, and none is missing.
        with current_noise({}):
            outputs = super().call(
                sequences, initial_state=initial_state, mask=mask, training=training
            )
        # On JAX `fit` gives away what it carries, the states that are kept.
        return keras.tree.map_structure(ops.copy, outputs) if self.stateful else outputs

    def inner_loop(
        self,
        sequences: Tensor,
        initial_state: list[Tensor],
        mask: Tensor | None,
        training: bool | None = False,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        if mask is not None and mask.ndim == 3:
            mask = ops.squeeze(mask, axis=-1)
        regularisers = self.regularisers
        if training and regularisers:
            noise = self.draw_noise(*ops.shape(sequences)[:2])
        else:
            noise = [CellNoise(per_sequence={}, per_step={})] * len(regularisers)
        outermost = wrappers_at_the_input(self.cell)
        left_for_the_steps = list(noise)
        for index, wrapper in enumerate(outermost):
            sequences, left_for_the_steps[index] = wrapper.before_loop(
                sequences, noise[index]
            )

        inputs = LoopInputs(
            sequences,
            initial_state,
            mask,
            training,
            left_for_the_steps,
            go_backwards=self.go_backwards,
            every_output=self.return_sequences,
        )
        with contextlib.ExitStack() as during_loop:
            for regulariser, drawn in zip(regularisers, noise, strict=True):
                during_loop.enter_context(regulariser.during_loop(drawn))
            if mask is not None and self.may_run_past_padding():
                last_output, outputs, states = self._loop_past_padding(inputs)
            else:
                last_output, outputs, states = self.loop(inputs)

        for wrapper, drawn in reversed([*zip(outermost, noise, strict=False)]):
            if not wrapper.acts_after_loop:
                continue
            at_outputs, at_last = self._noise_at_outputs(drawn, mask)
            outputs = wrapper.after_loop(outputs, at_outputs)
            last_output = wrapper.after_loop(last_output, at_last)
        return last_output, outputs, states

    def may_run_past_padding(self) -> bool:
        """Whether padded sequences may be run with their real steps first."""
        return may_run_past_padding(self.cell) and has_flat_states(self.cell)

    def loop(self, inputs: LoopInputs) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs the steps and hands each of `regularisers` its noise at each step.

        Returns:
            The last output; the outputs in the order in which the steps ran; the last
            states, or with `every_state` those after each step in that order.
        """
        if inputs.go_backwards:
            # Keras's loop mixes up the outputs of a mask when it turns back itself.
            inputs = replace(
                inputs,
                sequences=_flipped(inputs.sequences),
                mask=_flipped(inputs.mask),
                noise=[at_steps(drawn, _flipped) for drawn in inputs.noise],
                go_backwards=False,
            )
        manual = self.manual_backpropagation(inputs)
        if manual is not None:
            wants_states = inputs.every_state or self.return_state or self.stateful
            return _run_through(
                manual.run(inputs.sequences, inputs.initial_state, wants_states), inputs
            )
        inner = innermost_cell(self.cell)
        if self.forms_products(inputs):
            coefficients = self._linear_coefficients(inputs)
            if coefficients is not None:
                (initial,) = inputs.initial_state
                dtype = coefficients[0].dtype
                states = linear_recurrence(*coefficients, ops.cast(initial, dtype))
                return _run_through([ops.cast(states, initial.dtype)], inputs)
            products = inner.products(inputs.sequences)
            if answer_of(inner, "all_steps") and self._steps_are_bare(inputs):
                outputs, states = inner.all_steps(products, inputs.initial_state)
                every_output = outputs if inputs.every_output else outputs[:, -1:]
                return outputs[:, -1], every_output, states
            inputs = replace(inputs, sequences=products, are_products=True)
        return self._loop_of_keras(inputs)

    def manual_backpropagation(
        self, inputs: LoopInputs
    ) -> ManualBackpropagation | None:
        """The recurrence with manual backpropagation, where that is faster."""
        if not inputs.training or inputs.mask is not None or self.unroll:
            return None
        return ManualBackpropagation.if_faster(
            self.cell, inputs.noise, self.compute_dtype
        )

    def forms_products(self, inputs: LoopInputs) -> bool:
        """Whether the products with the inputs are formed before the loop.

        In training too of an `ElementwiseCell`, which has no others; of another cell at
        inference alone, since manual backpropagation forms them itself.
        """
        inner = innermost_cell(self.cell)
        return (
            answer_of(inner, "products") is not None
            and (isinstance(inner, ElementwiseCell) or not inputs.training)
            and self._inputs_reach_the_cell(inputs)
        )

    def _inputs_reach_the_cell(self, inputs: LoopInputs) -> bool:
        """Whether the innermost cell reads the sequences as the loop gets them."""
        wrappers = wrappers_of(self.cell)
        return (
            innermost_cell(self.cell).compute_dtype == self.compute_dtype
            and all(
                wrapper.passes_inputs_through and answer_of(wrapper, "step_noise")
                for wrapper in wrappers
            )
            and all(
                drawn.is_empty or wrapper.step_noise(drawn) is not None
                for wrapper, drawn in zip(wrappers, inputs.noise, strict=True)
            )
        )

    def _steps_are_bare(self, inputs: LoopInputs) -> bool:
        """Whether nothing but the cell acts, on a known number of steps."""
        return (
            inputs.mask is None
            and not inputs.every_state
            and inputs.sequences.shape[1] is not None
            and all(drawn.is_empty for drawn in inputs.noise)
            and not any(part.active_at_inference for part in wrappers_of(self.cell))
        )

    def _linear_coefficients(self, inputs: LoopInputs) -> tuple[Tensor, Tensor] | None:
        """Those of `linear_recurrence`, if that is what the steps do."""
        inner = innermost_cell(self.cell)
        if not isinstance(inner, LinearCell) or inputs.mask is not None or self.unroll:
            return None
        decays, addends = inner.coefficients(inputs.sequences)
        for wrapper, drawn in zip(wrappers_of(self.cell), inputs.noise, strict=True):
            if isinstance(wrapper, Zoneout):
                decays, addends = wrapper.zoned_out_coefficients(decays, addends, drawn)
            elif wrapper.active_at_inference or not drawn.is_empty:
                return None
        return decays, addends

    def _loop_of_keras(self, inputs: LoopInputs) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The loop of Keras, over inputs that bring their noise along."""
        # There Keras repeats the first state at a padded step, and not the output.
        repeats_state = keras.backend.backend() == "jax" and inputs.mask is not None
        mask = inputs.mask
        if repeats_state:
            # And it looks at the mask as if states had one dimension.
            ranks = (state.ndim for state in keras.tree.flatten(inputs.initial_state))
            mask = ops.expand_dims(mask, [*range(2, max(ranks) + 1)])
        steps = _Steps(
            self.cell,
            self.regularisers,
            inputs.noise,
            inputs.training,
            inputs.every_state,
            inputs.are_products,
        )
        # The loop of Keras, over what it reads of a layer. A layer made for each call
        # would be beyond `torch.compile`, and a shared one beyond threads.
        layer = types.SimpleNamespace(
            cell=steps,
            return_sequences=inputs.every_output or inputs.every_state or repeats_state,
            go_backwards=False,
            stateful=self.stateful,
            unroll=self.unroll,
            # What is repeated may have another size, in a stack.
            zero_output_for_mask=self.zero_output_for_mask or repeats_state,
        )
        last_output, outputs, states = keras.layers.RNN.inner_loop(
            layer,
            steps.inputs(inputs.sequences),
            inputs.initial_state,
            mask=mask,
            training=inputs.training,
        )
        if inputs.every_state:
            outputs, *states = steps.outputs_and_states(outputs)
            last_output = outputs[:, -1]
        elif repeats_state:
            padding = Padding(inputs.mask, go_backwards=False)
            outputs = padding.held(
                padding.real_steps_first(outputs), self.zero_output_for_mask
            )
            last_output = outputs[:, -1]
            outputs = outputs if inputs.every_output else outputs[:, -1:]
        return last_output, outputs, states

    def _loop_past_padding(
        self, inputs: LoopInputs
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """As `loop`, with the real steps first and no look at the mask in the steps."""
        padding = Padding(inputs.mask, inputs.go_backwards)
        wants_states = self.return_state or self.stateful
        _, outputs, states = self.loop(
            replace(
                inputs,
                sequences=padding.real_steps_first(inputs.sequences),
                mask=None,
                noise=[
                    at_steps(drawn, padding.real_steps_first) for drawn in inputs.noise
                ],
                go_backwards=False,
                every_output=True,
                every_state=wants_states,
            )
        )
        if wants_states:
            states = [
                padding.at_last_real_step(state, otherwise=initial)
                for state, initial in zip(states, inputs.initial_state, strict=True)
            ]
        outputs = padding.held(outputs, self.zero_output_for_mask)
        last_output = outputs[:, -1]
        outputs = outputs if inputs.every_output else outputs[:, -1:]
        return last_output, outputs, states

    def _noise_at_outputs(
        self, noise: CellNoise, mask: Tensor | None
    ) -> tuple[CellNoise, CellNoise]:
        """The noise that acted at each output, and at the last output.

        Outputs stand in the order in which the loop ran. The output of a padded step
        repeats that of the step before it, hence with the noise of that step.
        """
        if not noise.per_step:
            return noise, noise
        if mask is not None:
            padding = Padding(mask, self.go_backwards)
            noise = at_steps(noise, lambda x: padding.held(padding.real_steps_first(x)))
        elif self.go_backwards:
            noise = at_steps(noise, _flipped)
        last = at_steps(noise, lambda x: x[:, -1])
        if not self.return_sequences:
            noise = at_steps(noise, lambda x: x[:, -1:])
        return noise, last

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


def _run_through(
    states: list[Tensor], inputs: LoopInputs
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """What a loop returns, from the states of all steps, whose first is the output."""
    last_states = [state[:, -1] for state in states]
    outputs = states[0] if inputs.every_output else states[0][:, -1:]
    return last_states[0], outputs, states if inputs.every_state else last_states


class _StepInputs(NamedTuple):
    """What the loop slices over time: the inputs and all noise drawn per step.

    Flat, and the noise in one tensor, as an unrolled loop takes no deeper structure.
    """

    inputs: Tensor
    noise: Tensor

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Of the inputs: Keras reads the number of steps from here."""
        return self.inputs.shape


class _Steps:
    """The cell as the loop sees it: takes the noise of a step and hands it out.

    With `puts_out_states` a step's output is followed by its states.
    """

    def __init__(
        self,
        cell: Any,
        regularisers: list[NoiseMaker],
        noise: list[CellNoise],
        training: bool | None,
        puts_out_states: bool,
        are_products: bool,
    ) -> None:
        self.cell = cell
        self.state_size = cell.state_size
        self._arguments = (
            {"training": training} if takes_argument(cell, "training") else {}
        )
        self._puts_out_states = puts_out_states
        self._has_products = innermost_cell(cell) if are_products else None
        self._per_sequence = {
            regulariser: drawn.per_sequence
            for regulariser, drawn in zip(regularisers, noise, strict=True)
        }
        self._per_step = [
            (regulariser, name, mask)
            for regulariser, drawn in zip(regularisers, noise, strict=True)
            for name, mask in drawn.per_step.items()
        ]
        self._shapes = [tuple(mask.shape[2:]) for _, _, mask in self._per_step]

    def inputs(self, sequences: Tensor) -> Tensor | _StepInputs:
        """What the loop is to run over."""
        masks = [
            mask if mask.ndim == 3 else ops.reshape(mask, (*ops.shape(mask)[:2], -1))
            for _, _, mask in self._per_step
        ]
        if not masks:
            return sequences
        together = masks[0] if len(masks) == 1 else ops.concatenate(masks, axis=-1)
        return _StepInputs(sequences, together)

    def call(
        self, inputs: Tensor | _StepInputs, states: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        noise = {
            regulariser: dict(masks)
            for regulariser, masks in self._per_sequence.items()
        }
        if isinstance(inputs, _StepInputs):
            flat = _apart(inputs.noise, [math.prod(shape) for shape in self._shapes])
            for (regulariser, name, _), mask, shape in zip(
                self._per_step, flat, self._shapes, strict=True
            ):
                noise[regulariser][name] = (
                    mask if len(shape) == 1 else ops.reshape(mask, (-1, *shape))
                )
            inputs = inputs.inputs
        with current_noise(noise), products_given(self._has_products):
            output, states = self.cell(inputs, states, **self._arguments)
        if self._puts_out_states:
            output = ops.concatenate([output, *keras.tree.flatten(states)], axis=-1)
        return output, states

    __call__ = call

    def outputs_and_states(self, together: Tensor) -> list[Tensor]:
        """Of all steps, what the steps put out with `puts_out_states`."""
        states = keras.tree.flatten(self.state_size)
        return _apart(together, [together.shape[-1] - sum(states), *states])


def _flipped(values: Tensor | None) -> Tensor | None:
    """`(batch, time, ...)` from the last step to the first."""
    return None if values is None else ops.flip(values, axis=1)


def _apart(together: Tensor, widths: list[int]) -> list[Tensor]:
    """The parts of these widths that stand side by side in the last axis."""
    ends = list(itertools.accumulate(widths))[:-1]
    return ops.split(together, ends, axis=-1) if ends else [together]


def _seed_of_direction(seed: int | None, go_backwards: bool) -> int | None:
    if seed is None or not go_backwards:
        return seed
    return random.Random(f"backwards {seed}").getrandbits(31)
