"""What the layers named after their cell share: its arguments and the shorthand."""

from __future__ import annotations

from typing import Any, Literal

import keras

from .regulariser import Tensor, checked_rate, innermost_cell, wrappers_of
from .rnn import RNN, LoopInputs
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
                "keep: its one state is that of `zoneout_hidden`. Received: "
                f"zoneout_cell={kwargs['zoneout_cell']}"
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
        if use_cudnn is True and cell.layer_norm:
            raise ValueError(
                "`layer_norm` is not part of the recurrence that cuDNN runs. Pass "
                "`use_cudnn='auto'`. Received: use_cudnn=True, layer_norm=True"
            )
        super().__init__(cell, shorthand, **kwargs)
        self.use_cudnn = use_cudnn
        self._fused = _NotASublayer(self._with_own_cell())
        self.supports_jit = self._fused.layer.supports_jit

    def may_run_past_padding(self) -> bool:
        # Such a layer vouches for its masks, which cuDNN then reads itself.
        return self.use_cudnn is not True and super().may_run_past_padding()

    def loop(self, inputs: LoopInputs) -> tuple[Tensor, Tensor, list[Tensor]]:
        if not self._fused_may_run(inputs):
            if self.use_cudnn is True:
                self._refuse_cudnn()
            return super().loop(inputs)
        fused = self._fused.layer
        fused.go_backwards = inputs.go_backwards
        fused.return_sequences = inputs.every_output
        # Bidirectional sets these after construction.
        fused.use_cudnn = self.use_cudnn
        fused.zero_output_for_mask = self.zero_output_for_mask
        return fused.inner_loop(
            inputs.sequences,
            inputs.initial_state,
            mask=inputs.mask,
            training=inputs.training,
        )

    def _fused_may_run(self, inputs: LoopInputs) -> bool:
        is_plain = (
            not self.plain_cell.layer_norm
            and all(drawn.is_empty for drawn in inputs.noise)
            and not any(part.active_at_inference for part in wrappers_of(self.cell))
        )
        if self.use_cudnn is True:
            return is_plain
        # On a GPU nothing is faster; elsewhere manual backpropagation may be.
        may = is_plain and inputs.mask is None and not inputs.every_state
        return may and (self.manual_backpropagation(inputs) is None or _has_gpu())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "use_cudnn": self.use_cudnn}

    def _refuse_cudnn(self) -> None:
        raise ValueError(
            "`use_cudnn=True` needs a recurrence without noise: cuDNN runs neither "
            "zoneout nor masks on what single steps read, nor `layer_norm`. Pass "
            "`use_cudnn='auto'`. Received: use_cudnn=True, "
            + ", ".join(f"{name}={getattr(self, name)}" for name in self._shorthand)
        )

    def _with_own_cell(self) -> keras.layers.RNN:
        """The Keras layer of the same kind, running this layer's own cell."""
        layer = self.counterpart(
            **{name: getattr(self, name) for name in self.arguments_of_kernel},
            return_sequences=self.return_sequences,
            go_backwards=self.go_backwards,
            stateful=self.stateful,
            unroll=self.unroll,
            use_cudnn=self.use_cudnn,
            dtype=self.dtype_policy,
            name=self.name,
        )
        layer.cell = self.plain_cell
        return layer


class _NotASublayer:
    """Holds a layer out of Keras's sight, which would count its weights twice."""

    def __init__(self, layer: keras.layers.RNN) -> None:
        self.layer = layer


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


class NoSeedGenerator:
    """Keeps a cell of Keras from the seed generator that its own dropout would need.

    It would be one more variable of a layer, and nothing draws from it.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "seed_generator":
            super().__setattr__(name, value)


def without_dropout(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a cell without those of Keras's dropout within the cell.

    Raises:
        ValueError: One of them asks for dropout.
    """
    for name in ("dropout", "recurrent_dropout"):
        if arguments.get(name):
            raise ValueError(
                f"A cell draws no noise itself, so it takes no `{name}`: wrap it in "
                f"`VariationalDropout(cell, {name}=...)`, or give the rate to the "
                f"layer. Received: {name}={arguments[name]}"
            )
    left_out = ("dropout", "recurrent_dropout", "seed")
    return {name: value for name, value in arguments.items() if name not in left_out}
