"""Cells whose matrix products do not depend on the state."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from .regulariser import Tensor

# The cell whose inputs are its products already, within the step that runs it.
_has_products: contextvars.ContextVar[Any] = contextvars.ContextVar(
    "recurra_has_products", default=None
)


@contextlib.contextmanager
def products_given(cell: Any) -> Iterator[None]:
    """Within it, what `cell` gets as inputs are its products."""
    token = _has_products.set(cell)
    try:
        yield
    finally:
        _has_products.reset(token)


def has_products(cell: Any) -> bool:
    """Whether what `cell` gets as inputs are its products."""
    return _has_products.get() is cell


class ElementwiseCell(keras.layers.Layer):
    """Base of the cells whose products with the input are formed before the loop.

        q_t = products(x_t)    h_t, states_t = step(q_t, states_{t-1})

    A subclass defines both methods: what needs no state, and what does, which is best
    done element by element. `recurra.layers.RNN` then forms the products of all steps
    at once, before the loop; alone, a step forms its own. That holds for the very class
    that defines `products`.

    Args:
        units: Positive integer, size of the states.
        use_bias: Whether the gates have a bias.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
        kernel_constraint, bias_constraint: As for `keras.layers.LSTMCell`.
        **kwargs: As for `keras.layers.Layer`.

    Raises:
        ValueError: `units` is no positive integer.

    Example: a state that a gate of the input squares.

    >>> import keras
    >>> from recurra.layers import RNN, ElementwiseCell
    >>> class SquaringCell(ElementwiseCell):
    ...     blocks = 1  # of columns of the kernel
    ...
    ...     def products(self, inputs):
    ...         return keras.ops.sigmoid(self.summed(inputs))
    ...
    ...     def step(self, products, states, state_mask=None):
    ...         state = products * (1 - states[0] ** 2)
    ...         return state, [state]
    >>> keras.ops.shape(RNN(SquaringCell(8))(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    blocks: int
    state_size: Any

    def __init__(
        self,
        units: int,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(units, int) or isinstance(units, bool) or units < 1:
            raise ValueError(
                f"`units` must be a positive integer. Received: units={units!r}"
            )
        self.units = self.state_size = self.output_size = units
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_kernel("kernel", input_shape[-1], self.blocks)
        self.add_further_weights()
        self.bias = self.add_bias(self.blocks) if self.use_bias else None

    def add_kernel(
        self, name: str, features: int | None, blocks: int
    ) -> keras.Variable:
        """A kernel `(features, blocks * units)`."""
        return self.add_weight(
            shape=(features, blocks * self.units),
            name=name,
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )

    def add_bias(self, blocks: int) -> keras.Variable:
        """A bias `(blocks * units,)`."""
        return self.add_weight(
            shape=(blocks * self.units,),
            name="bias",
            initializer=self.bias_initializer,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
        )

    def add_further_weights(self) -> None:
        """Adds those between kernel and bias. Default: none."""

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        return [ops.zeros((batch_size, self.units), dtype=self.compute_dtype)]

    def products(self, inputs: Tensor) -> Tensor:
        """`(..., size)` of inputs `(..., features)`: all that needs no state."""
        raise NotImplementedError

    def step(
        self, products: Tensor, states: list[Tensor], state_mask: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Output and new states. `state_mask` falls on what the gates read."""
        raise NotImplementedError

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool | None = False
    ) -> tuple[Tensor, list[Tensor]]:
        return self.step(self.products_of(inputs), states)

    def products_of(self, inputs: Tensor) -> Tensor:
        """The products, formed here unless the inputs are the products already."""
        return inputs if has_products(self) else self.products(inputs)

    def summed(self, inputs: Tensor) -> Tensor:
        """inputs times `kernel`, plus `bias`."""
        summed = ops.matmul(inputs, self.kernel)
        return summed if self.bias is None else summed + self.bias

    def get_config(self) -> dict[str, Any]:
        serialised = {
            name: module.serialize(getattr(self, name))
            for module, names in (
                (keras.initializers, ("kernel_initializer", "bias_initializer")),
                (keras.regularizers, ("kernel_regularizer", "bias_regularizer")),
                (keras.constraints, ("kernel_constraint", "bias_constraint")),
            )
            for name in names
        }
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            **serialised,
        }


class LinearCell(ElementwiseCell):
    """Base of the cells that are linear in their one state.

        h_t = a_t * h_{t-1} + b_t    with a_t, b_t = coefficients(x_t)

    with a_t in [0, 1]. A subclass defines `coefficients`, and
    `products = LinearCell.products`. `recurra.layers.RNN` then runs
    `linear_recurrence`, zoneout included, in the dtype of the coefficients.

    Args:
        **kwargs: As for `ElementwiseCell`.

    Example: an exponential moving average of a projection.

    >>> import keras
    >>> from recurra.layers import RNN, LinearCell
    >>> class AverageCell(LinearCell):
    ...     blocks = 1
    ...     products = LinearCell.products
    ...
    ...     def coefficients(self, inputs):
    ...         summed = self.summed(inputs)
    ...         return keras.ops.full_like(summed, 0.9), 0.1 * summed
    >>> keras.ops.shape(RNN(AverageCell(8))(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    # No weight is multiplied with the state, so a mask on it would only forget.
    reads_state = False

    def coefficients(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """a and b, `(..., units)` each, of inputs `(..., features)`."""
        raise NotImplementedError

    def products(self, inputs: Tensor) -> Tensor:
        return ops.concatenate(self.coefficients(inputs), axis=-1)

    def step(
        self, products: Tensor, states: list[Tensor], state_mask: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        decay, addend = ops.split(products, 2, axis=-1)
        state = decay * ops.cast(states[0], decay.dtype) + addend
        state = ops.cast(state, states[0].dtype)
        return state, [state]
