"""What the layers named after their cell share: its arguments and the shorthand."""

from __future__ import annotations

import inspect
import re
from typing import Any, Literal

import keras
from keras import ops

from .regulariser import (
    CellNoise,
    NoiseMaker,
    Tensor,
    checked_rate,
    draw_dropout_mask,
    innermost_cell,
    wrappers_of,
)
from .rnn import RNN, LoopInputs
from .seeds import SeedGenerator
from .variational_dropout import VariationalDropout
from .weight_drop import WeightDrop
from .zoneout import Zoneout


class CellAttribute:
    """An attribute of a layer that is its cell's attribute of the same name."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        return self if layer is None else getattr(layer.plain_cell, self.name)

    def __set__(self, layer: Any, value: Any) -> None:
        raise AttributeError(
            f"`{self.name}` belongs to the layer's cell: set `plain_cell.{self.name}`"
        )


class RecurrentLayer(RNN):
    """Base of the layers named after their cell, such as `LSTM`.

    Such a layer takes the arguments of its cell, and rates and switches as shorthand
    for regularisers around the cell: `regularised` says which.

    Args:
        cell: The bare cell.
        shorthand: Keyword arguments of `regularised`; attributes of the layer too.
        **kwargs: As for `RNN`.
    """

    def __init__(
        self, cell: keras.layers.Layer, shorthand: dict[str, Any], **kwargs: Any
    ) -> None:
        if "zoneout_cell" in kwargs:
            raise ValueError(
                f"`{type(self).__name__}` has no cell state that `zoneout_cell` could "
                f"keep by itself. Received: zoneout_cell={kwargs['zoneout_cell']}"
            )
        super().__init__(regularised(cell, **shorthand), **kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)
        for name, value in shorthand.items():
            setattr(self, name, value)
        self._shorthand = tuple(shorthand)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__.get("_shorthand", ()):
            raise AttributeError(
                f"`{name}` is of the regularisers that the layer was made with: make "
                "another layer"
            )
        super().__setattr__(name, value)

    @property
    def plain_cell(self) -> Any:
        """The cell that holds the weights, without the regularisers around it."""
        return innermost_cell(self.cell)

    def get_config(self) -> dict[str, Any]:
        of_cell = self.plain_cell.get_config()
        of_layer = super().get_config()
        del of_layer["cell"]
        return {
            **of_cell,
            **of_layer,
            **{name: getattr(self, name) for name in self._shorthand},
            "activity_regularizer": keras.regularizers.serialize(
                self.activity_regularizer
            ),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> RecurrentLayer:
        return cls(**config)


class LayerOfCell(RecurrentLayer):
    """Base of the layers that take the arguments of their cell as they are.

    A subclass says by `cell_class` which cell it runs, and by `rates` which arguments
    of `regularised` it takes.

    Args:
        units: Of the cell.
        **arguments: Those of the cell, the rates, and those of `RNN`.
    """

    units = CellAttribute()

    cell_class: type[keras.layers.Layer]
    rates: tuple[str, ...]

    def __init__(self, units: int, **arguments: Any) -> None:
        cell_class = self.cell_class
        shorthand = {name: arguments.pop(name, 0.0) for name in self.rates}
        of_cell = {
            name: arguments.pop(name)
            for name in _arguments_of(cell_class)
            if name in arguments
        }
        cell = cell_class(
            units,
            **of_cell,
            dtype=arguments.get("dtype"),
            trainable=arguments.get("trainable", True),
            name=f"{_snake_case(type(self).__name__)}_cell",
        )
        super().__init__(cell, shorthand, **arguments)


def _arguments_of(cell_class: type) -> list[str]:
    """The names of a cell's own arguments, but for `units`."""
    return [
        name
        for base in cell_class.__mro__
        if base not in keras.layers.Layer.__mro__ and "__init__" in vars(base)
        for name, parameter in inspect.signature(
            vars(base)["__init__"]
        ).parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        and name not in ("self", "units")
    ]


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


class FusedRecurrentLayer(RecurrentLayer):
    """Base of the layers whose Keras counterpart has a fused kernel.

    A subclass says by `counterpart` which Keras layer reaches the kernel, and by
    `arguments_of_kernel` what of the cell the kernel has to know.

    Args:
        cell, shorthand: As for `RecurrentLayer`.
        use_cudnn: `"auto"`, `True` or `False`.
        **kwargs: As for `RNN`.
    """

    counterpart: type[keras.layers.RNN]
    # Of the cell, what makes its recurrence another than the kernel's.
    beyond_kernel: tuple[str, ...] = ("layer_norm",)
    arguments_of_kernel: tuple[str, ...] = (
        "units",
        "activation",
        "recurrent_activation",
        "use_bias",
    )

    def __init__(
        self,
        cell: keras.layers.Layer,
        shorthand: dict[str, Any],
        use_cudnn: bool | Literal["auto"] = "auto",
        **kwargs: Any,
    ) -> None:
        beyond = {name: getattr(cell, name) for name in self.beyond_kernel}
        if use_cudnn is True and any(beyond.values()):
            raise ValueError(
                f"{', '.join(f'`{name}`' for name in beyond)} are not part of the "
                "recurrence that cuDNN runs. Pass `use_cudnn='auto'`. Received: "
                f"use_cudnn=True, "
                + ", ".join(f"{name}={value}" for name, value in beyond.items())
            )
        super().__init__(cell, shorthand, **kwargs)
        self.use_cudnn = use_cudnn
        self._fused = _FusedLayers(self)
        self.supports_jit = self._fused.that_runs().supports_jit

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        super().build(sequences_shape, initial_state_shape)
        self._fused.make()

    def may_run_past_padding(self) -> bool:
        # Such a layer vouches for its masks, which cuDNN then reads itself.
        return self.use_cudnn is not True and super().may_run_past_padding()

    def loop(self, inputs: LoopInputs) -> tuple[Tensor, Tensor, list[Tensor]]:
        if not self._fused_may_run(inputs):
            if self.use_cudnn is True:
                self._refuse_cudnn()
            return super().loop(inputs)
        fused = self._fused.that_runs(inputs.go_backwards, inputs.every_output)
        return fused.inner_loop(
            inputs.sequences,
            inputs.initial_state,
            mask=inputs.mask,
            training=inputs.training,
        )

    def _fused_may_run(self, inputs: LoopInputs) -> bool:
        is_plain = (
            not any(getattr(self.plain_cell, name) for name in self.beyond_kernel)
            and all(drawn.is_empty for drawn in inputs.noise)
            and not any(part.active_at_inference for part in wrappers_of(self.cell))
        )
        if self.use_cudnn is True:
            return is_plain
        # On a GPU nothing is faster. Elsewhere torch alone has a kernel, and manual
        # backpropagation, or products before the loop, may be faster.
        may = is_plain and inputs.mask is None and not inputs.every_state
        if not may or _has_gpu():
            return may
        has_kernel = keras.backend.backend() == "torch"
        return self.manual_backpropagation(inputs) is None and (
            has_kernel or not self.forms_products(inputs)
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "use_cudnn": self.use_cudnn}

    def _refuse_cudnn(self) -> None:
        raise ValueError(
            "`use_cudnn=True` needs a recurrence without noise: cuDNN runs neither "
            "zoneout nor masks on what single steps read, nor `layer_norm`. Pass "
            "`use_cudnn='auto'`. Received: use_cudnn=True, "
            + ", ".join(f"{name}={getattr(self, name)}" for name in self._shorthand)
        )


class _FusedLayers:
    """The Keras layers of the same kind that run a layer's own cell.

    Out of Keras's sight, which would count the weights twice. Each is made once and
    then stays as it is, since threads share it, `torch.compile` makes none, and
    TensorFlow traces a function twice that makes one.
    """

    def __init__(self, layer: FusedRecurrentLayer) -> None:
        self._layer = layer
        self._made: dict[Any, keras.layers.RNN] = {}
        self.make()

    def make(self) -> None:
        """Makes what runs the layer as it is set now."""
        for go_backwards in (False, True):
            for return_sequences in (False, True):
                self.that_runs(go_backwards, return_sequences)

    def that_runs(
        self, go_backwards: bool = False, return_sequences: bool = False
    ) -> keras.layers.RNN:
        of = self._layer
        # Bidirectional sets these after construction.
        set_later = {
            "use_cudnn": of.use_cudnn,
            "zero_output_for_mask": of.zero_output_for_mask,
        }
        key = (go_backwards, return_sequences, *set_later.values())
        if key not in self._made:
            made = of.counterpart(
                **{name: getattr(of, name) for name in of.arguments_of_kernel},
                return_sequences=return_sequences,
                go_backwards=go_backwards,
                stateful=of.stateful,
                unroll=of.unroll,
                dtype=of.dtype_policy,
                name=of.name,
                **set_later,
            )
            made.cell = of.plain_cell
            self._made[key] = made
        return self._made[key]


def _has_gpu() -> bool:
    # Keras cannot say on torch; there backpropagation is never manual.
    if keras.backend.backend() == "torch":
        return False
    # Without a type: asked for GPUs where there are none, JAX raises an error.
    return not all("cpu" in name.lower() for name in keras.distribution.list_devices())


def regularised(
    cell: keras.layers.Layer,
    *,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    output_dropout: float = 0.0,
    tied_masks: bool = True,
    zoneout_hidden: float = 0.0,
    zoneout_cell: float = 0.0,
    weight_dropout: float = 0.0,
) -> keras.layers.Layer:
    """The cell in the regularisers that the arguments ask for, and no others.

    From the inside out: dropped weights, masks on input and state, zoneout, mask on
    the output. So zoneout keeps the state itself, and what it puts out is masked.
    """
    rates = {
        "dropout": dropout,
        "recurrent_dropout": recurrent_dropout,
        "output_dropout": output_dropout,
        "zoneout_hidden": zoneout_hidden,
        "zoneout_cell": zoneout_cell,
        "weight_dropout": weight_dropout,
    }
    for name, rate in rates.items():
        checked_rate(name, rate)
    if weight_dropout:
        cell = WeightDrop(cell, weight_dropout)
    masks_around_zoneout = bool(zoneout_hidden or zoneout_cell) and output_dropout
    if dropout or recurrent_dropout or (output_dropout and not masks_around_zoneout):
        cell = VariationalDropout(
            cell,
            dropout,
            recurrent_dropout,
            0.0 if masks_around_zoneout else output_dropout,
            tied_masks,
        )
    if zoneout_hidden or zoneout_cell:
        cell = Zoneout(cell, zoneout_hidden, zoneout_cell)
    if masks_around_zoneout:
        cell = VariationalDropout(cell, output_dropout=output_dropout)
    return cell


class CellDropout(NoiseMaker):
    """Lets a cell of Keras have `dropout` and `recurrent_dropout` of its own.

    Keras's cells draw their masks when they are first called, and keep them until the
    layer resets them. Here the layer that runs the cell draws them before the loop, as
    those of a regulariser; from the cell's own `seed`, as Keras's do.

    Args:
        *args, **kwargs: Those of the cell.
        dropout, recurrent_dropout: Rates in `[0, 1)`.
        seed: Integer seed of the masks, or `None` for a fresh one.
    """

    dropout: float
    recurrent_dropout: float
    seed_generator: keras.random.SeedGenerator
    kernel: Any
    state_size: Any
    compute_dtype: str

    def __init__(
        self,
        *args: Any,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        of_dropout: dict[str, Any] = {
            "dropout": checked_rate("dropout", dropout),
            "recurrent_dropout": checked_rate("recurrent_dropout", recurrent_dropout),
            "seed": seed,
        }
        super().__init__(*args, **of_dropout, **kwargs)
        if self.makes_noise:
            super().__setattr__("seed_generator", SeedGenerator(seed))

    def __setattr__(self, name: str, value: Any) -> None:
        # That of Keras would be one more variable of a cell that draws nothing.
        if name != "seed_generator":
            super().__setattr__(name, value)

    @property
    def makes_noise(self) -> bool:
        return bool(self.dropout or self.recurrent_dropout)

    def draw_noise(
        self, batch_size: Any, timesteps: Any, seed: keras.random.SeedGenerator
    ) -> CellNoise:
        """`per_sequence` masks `input` and `state`, scaled already.

        `(batch, features)` and `(batch, units)`.
        """
        sizes_and_rates = {
            "input": (self.kernel.shape[0], self.dropout),
            "state": (keras.tree.flatten(self.state_size)[0], self.recurrent_dropout),
        }
        masks = {
            name: draw_dropout_mask(
                (batch_size, size), rate, self.compute_dtype, self.seed_generator
            )
            for name, (size, rate) in sizes_and_rates.items()
            if rate
        }
        return CellNoise(per_sequence=masks, per_step={})

    def masks_of_this_step(
        self,
        training: bool | None,
        input_mask: Tensor | None = None,
        state_mask: Tensor | None = None,
    ) -> tuple[Tensor | None, Tensor | None]:
        """The masks that the cell was given, times its own."""
        own = self.noise_of_this_step(training) if self.makes_noise else {}
        return (
            _times(input_mask, own.get("input")),
            _times(state_mask, own.get("state")),
        )

    # What Keras would draw before the loop.
    def get_dropout_mask(self, step_input: Tensor) -> None:
        return None

    def get_recurrent_dropout_mask(self, step_input: Tensor) -> None:
        return None


def _times(mask: Tensor | None, own: Tensor | None) -> Tensor | None:
    if mask is None or own is None:
        return own if mask is None else mask
    return mask * (own if mask.ndim == own.ndim else ops.expand_dims(own, 1))
