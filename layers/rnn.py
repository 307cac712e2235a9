"""The layer that runs a cell over time and draws the noise of its regularisers."""

from __future__ import annotations

import contextlib
import random
from typing import Any, NamedTuple

import keras
from keras import ops

from .regulariser import (
    CellNoise,
    CellRegulariser,
    Tensor,
    noise_at_hand,
    regularisers_within,
    takes_argument,
    wrappers_at_the_input,
)


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
        self.seed_generator = keras.random.SeedGenerator(
            _seed_of_direction(seed, go_backwards)
        )

    @property
    def regularisers(self) -> list[CellRegulariser]:
        """The regularisers that a step runs, outermost first."""
        return regularisers_within(self.cell)

    def draw_noise(self, batch_size: Any, timesteps: Any) -> list[CellNoise]:
        """Draws the noise of one call in training mode.

        Every such call draws its noise here and nowhere else, so whoever replaces or
        records this method has the very masks that the call used.

        Returns:
            For each of `regularisers` its noise; the names in it are described at
            the regulariser's own `draw_noise`.
        """
        return [
            regulariser.draw_noise(batch_size, timesteps, self.seed_generator)
            for regulariser in self.regularisers
        ]

    def call(
        self,
        sequences: Tensor,
        initial_state: list[Tensor] | None = None,
        mask: Tensor | None = None,
        training: bool | None = False,
    ) -> Any:
        # Outside the steps of a training call there is no noise, and none is missing.
        with noise_at_hand({}):
            return super().call(
                sequences, initial_state=initial_state, mask=mask, training=training
            )

    def inner_loop(
        self,
        sequences: Tensor,
        initial_state: list[Tensor],
        mask: Tensor | None,
        training: bool | None = False,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        regularisers = self.regularisers
        if not training or not regularisers:
            return self.loop_without_noise(sequences, initial_state, mask, training)

        batch_size, timesteps = ops.shape(sequences)[:2]
        noise = self.draw_noise(batch_size, timesteps)
        outermost = wrappers_at_the_input(self.cell)
        left_for_the_steps = list(noise)
        for index, wrapper in enumerate(outermost):
            sequences, left_for_the_steps[index] = wrapper.before_loop(
                sequences, noise[index]
            )

        arguments = (sequences, initial_state, mask, training)
        with contextlib.ExitStack() as during_loop:
            for regulariser, drawn in zip(regularisers, noise, strict=True):
                during_loop.enter_context(regulariser.during_loop(drawn))
            if all(part.is_empty for part in left_for_the_steps):
                last_output, outputs, states = self.loop_without_noise(*arguments)
            else:
                last_output, outputs, states = self.loop_with_noise(
                    *arguments, noise=left_for_the_steps
                )

        for wrapper, drawn in zip(outermost, noise, strict=False):
            at_outputs, at_last = self._noise_at_outputs(drawn, mask)
            outputs = wrapper.after_loop(outputs, at_outputs)
            last_output = wrapper.after_loop(last_output, at_last)
        return last_output, outputs, states

    def loop_without_noise(
        self,
        sequences: Tensor,
        initial_state: list[Tensor],
        mask: Tensor | None,
        training: bool | None = False,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs the steps where none of them is handed noise."""
        return super().inner_loop(
            sequences, initial_state, mask=mask, training=training
        )

    def loop_with_noise(
        self,
        sequences: Tensor,
        initial_state: list[Tensor],
        mask: Tensor | None,
        training: bool | None,
        noise: list[CellNoise],
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs the steps and hands each of `regularisers` its noise at each step."""
        steps = _NoisySteps(self.cell, self.regularisers, noise)
        # The loop of Keras, over inputs that bring their noise along.
        loop = keras.layers.RNN(
            steps,
            return_sequences=self.return_sequences,
            go_backwards=self.go_backwards,
            stateful=self.stateful,
            unroll=self.unroll,
            zero_output_for_mask=self.zero_output_for_mask,
            name=self.name,
            dtype=self.dtype_policy,
        )
        return loop.inner_loop(
            steps.inputs(sequences), initial_state, mask=mask, training=training
        )

    def _noise_at_outputs(
        self, noise: CellNoise, mask: Tensor | None
    ) -> tuple[CellNoise, CellNoise]:
        """The noise that acted at each output, and at the last output.

        Outputs stand in the order in which the loop ran. The output of a padded step
        repeats that of the step before it, hence with the noise of that step.
        """

        def at_outputs(drawn: Tensor) -> Tensor:
            drawn = ops.flip(drawn, axis=1) if self.go_backwards else drawn
            if mask is None:
                return drawn
            run = ops.flip(mask, axis=1) if self.go_backwards else mask
            return ops.take_along_axis(
                drawn, ops.expand_dims(_last_real_step(run), -1), axis=1
            )

        per_step = {name: at_outputs(drawn) for name, drawn in noise.per_step.items()}
        last = {name: drawn[:, -1] for name, drawn in per_step.items()}
        if not self.return_sequences:
            per_step = {name: drawn[:, -1:] for name, drawn in per_step.items()}
        return noise._replace(per_step=per_step), noise._replace(per_step=last)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


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


class _NoisySteps:
    """The cell as the loop sees it: takes the noise of a step and hands it out."""

    def __init__(
        self,
        cell: Any,
        regularisers: list[CellRegulariser],
        noise: list[CellNoise],
    ) -> None:
        self.cell = cell
        self.state_size = cell.state_size
        self._takes_training = takes_argument(cell, "training")
        self._per_sequence = {
            id(regulariser): drawn.per_sequence
            for regulariser, drawn in zip(regularisers, noise, strict=True)
        }
        self._per_step = [
            (id(regulariser), name, mask)
            for regulariser, drawn in zip(regularisers, noise, strict=True)
            for name, mask in drawn.per_step.items()
        ]

    def inputs(self, sequences: Tensor) -> Tensor | _StepInputs:
        masks = [mask for _, _, mask in self._per_step]
        if not masks:
            return sequences
        together = masks[0] if len(masks) == 1 else ops.concatenate(masks, axis=-1)
        return _StepInputs(sequences, together)

    def call(
        self, inputs: Tensor | _StepInputs, states: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        noise = {key: dict(masks) for key, masks in self._per_sequence.items()}
        if isinstance(inputs, _StepInputs):
            for (key, name, _), mask in zip(
                self._per_step, self._apart(inputs.noise), strict=True
            ):
                noise[key][name] = mask
            inputs = inputs.inputs
        arguments = {"training": True} if self._takes_training else {}
        with noise_at_hand(noise):
            return self.cell(inputs, states, **arguments)

    __call__ = call

    def _apart(self, together: Tensor) -> list[Tensor]:
        ends, end = [], 0
        for _, _, mask in self._per_step[:-1]:
            end += mask.shape[-1]
            ends.append(end)
        return ops.split(together, ends, axis=-1) if ends else [together]


def _last_real_step(mask: Tensor) -> Tensor:
    """For each step the last one up to it that is not padded; before any, the first."""
    steps = ops.arange(ops.shape(mask)[1])
    return ops.cast(
        ops.associative_scan(ops.maximum, ops.where(mask, steps, 0), axis=1), "int32"
    )


def _seed_of_direction(seed: int | None, go_backwards: bool) -> int | None:
    if seed is None or not go_backwards:
        return seed
    return random.Random(f"backwards {seed}").getrandbits(31)
