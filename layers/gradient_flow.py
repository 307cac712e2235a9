"""How gradients flow through time: vanishing, exploding, or kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from .regulariser import Tensor, innermost_cell


class GradientFlow(NamedTuple):
    """What `gradient_flow` returns of one recurrent layer, as NumPy arrays.

    Attributes:
        layer: The layer's name.
        norms: `(lags,)`, the spectral norm of d h_T / d h_{T-k} over the lag k = 0, 1,
            ..., T - 1: how much a small change of the state k steps before the end may
            change the last one. Mean over the sequences.
        singular_values: `(lags, units)`, all singular values of the same Jacobians,
            the largest first. Mean over the sequences.
        kernel_norm: The spectral norm of the recurrent kernel, of several gates the
            largest; `None` where the cell has no such matrix.
        kernel_radius: The spectral radius likewise: the largest modulus of its
            eigenvalues.
    """

    layer: str
    norms: np.ndarray
    singular_values: np.ndarray
    kernel_norm: float | None
    kernel_radius: float | None

    @property
    def rate(self) -> float:
        """By what a step multiplies the norm, as the geometric mean over the lags.

        Well below 1 gradients vanish, well above 1 they explode.
        """
        lags = len(self.norms) - 1
        tiny = np.finfo("float64").tiny
        return float(max(self.norms[-1], tiny) ** (1 / lags)) if lags else 1.0


def gradient_flow(model: keras.layers.Layer, inputs: Tensor) -> list[GradientFlow]:
    """The Jacobians of the last state by the states before it (Pascanu et al. 2013).

        d h_T / d h_t = prod_{t < i <= T} d h_i / d h_{i-1}

    for all states of a cell together, at inference, so by expectations of zoneout and
    without other noise. A factor is found by differentiating one step of the cell, so
    the cost is that of `units` backward passes a step: meant for some sequences, not
    for a data set.

    Source: Pascanu, Mikolov and Bengio, "On the difficulty of training Recurrent Neural
    Networks", https://arxiv.org/abs/1211.5063

    Args:
        model: A recurrent layer, or `keras.layers.Bidirectional` with its two, or a
            `Sequential` or functional model with such layers in it, of which each is
            looked at in its turn. A layer that runs backwards has its last step at
            the beginning.
        inputs: Of the layer or model, with the batch as first axis, without padding.

    Returns:
        For each recurrent layer a `GradientFlow`, from the input to the output.

    Raises:
        ValueError: There is no recurrent layer, or one of a model gets an initial
            state, or the mask of a model leaves steps out.

    Example:

    >>> import keras
    >>> from recurra.layers import VanillaRNN, gradient_flow
    >>> (flow,) = gradient_flow(VanillaRNN(8), keras.ops.ones((2, 5, 3)))
    >>> flow.norms.shape, flow.singular_values.shape
    ((5,), (5, 8))
    """
    if directions := _directions(model):
        if not model.built:
            model.build(tuple(inputs.shape))
        sequences = ops.convert_to_tensor(inputs)
        return [_flow_through(each, sequences) for each in directions]
    layers = [layer for layer in getattr(model, "layers", ()) if _directions(layer)]
    if not layers:
        raise ValueError(
            "`gradient_flow` looks at recurrent layers: `keras.layers.RNN` and all "
            "that are one, as those of `recurra.layers`, and `Bidirectional` of them. "
            f"Received: {model}, which has none"
        )
    read = [_read_by(layer) for layer in layers]
    # Keras takes the only one out of its list.
    found = keras.tree.flatten(keras.Model(model.inputs, read)(inputs))
    found = keras.tree.pack_sequence_as(read, found)
    flows = []
    for layer, (sequences, *masks) in zip(layers, found, strict=True):
        if not all(ops.convert_to_numpy(mask).all() for mask in masks):
            raise ValueError(
                "`gradient_flow` takes sequences without padding. Received: inputs of "
                f"which the mask of `{layer.name}` leaves steps out"
            )
        flows += [_flow_through(each, sequences) for each in _directions(layer)]
    return flows


def _read_by(layer: keras.layers.Layer) -> list[Tensor]:
    """The sequences that a layer of a model reads, and their masks."""
    sequences, *others = keras.tree.flatten(layer.input)
    if any(other.dtype != "bool" for other in others):
        raise ValueError(
            "`gradient_flow` starts from states of zero. Received: a model whose "
            f"`{layer.name}` gets an initial state; call it with the layer and its "
            "sequences"
        )
    return [sequences, *others]


def _directions(layer: keras.layers.Layer) -> list[keras.layers.RNN]:
    """The layer, or those of both directions; empty if it is not recurrent."""
    layers = [layer]
    if isinstance(layer, keras.layers.Bidirectional):
        layers = [layer.forward_layer, layer.backward_layer]
    return [each for each in layers if isinstance(each, keras.layers.RNN)]


def _flow_through(layer: keras.layers.RNN, sequences: Tensor) -> GradientFlow:
    """By the chain rule from the last step back to the first."""
    sequences = ops.cast(sequences, layer.compute_dtype)
    if layer.go_backwards:
        sequences = ops.flip(sequences, axis=1)
    batch, timesteps = ops.shape(sequences)[:2]
    states = layer.cell.get_initial_state(batch_size=batch)
    factors = []
    for t in range(timesteps):
        states, jacobian = _jacobian_of_step(layer.cell, sequences[:, t], states)
        factors.append(jacobian)
    size = factors[0].shape[-1]
    product = np.broadcast_to(np.eye(size), (batch, size, size))
    singular_values = []
    for jacobian in [*reversed(factors[1:]), None]:
        singular_values.append(np.linalg.svd(product, compute_uv=False).mean(axis=0))
        product = product if jacobian is None else product @ jacobian
    values = np.stack(singular_values)
    return GradientFlow(layer.name, values[:, 0], values, *_of_kernel(layer.cell))


def _jacobian_of_step(
    cell: Any, inputs: Tensor, states: Any
) -> tuple[list[Tensor], np.ndarray]:
    """The new states, and `(batch, size, size)`, their derivatives by the old ones."""
    flat = keras.tree.flatten(states)
    shapes = [tuple(state.shape[1:]) for state in flat]
    sizes = [int(np.prod(shape)) for shape in shapes]
    ends = np.cumsum(sizes)[:-1]

    def step(joined: Tensor) -> Tensor:
        parts = ops.split(joined, ends, axis=-1) if len(ends) else [joined]
        parts = [
            ops.reshape(part, (-1, *shape))
            for part, shape in zip(parts, shapes, strict=True)
        ]
        _, new = cell(inputs, keras.tree.pack_sequence_as(states, parts))
        return _joined(keras.tree.flatten(new), sizes)

    joined = _joined(flat, sizes)
    new, of_units = _JACOBIANS[keras.backend.backend()](step, joined)
    parts = ops.split(ops.convert_to_tensor(new), ends, axis=-1) if len(ends) else [new]
    new_states = [
        ops.reshape(part, (-1, *shape))
        for part, shape in zip(parts, shapes, strict=True)
    ]
    jacobian = np.asarray(of_units, dtype="float64")
    return keras.tree.pack_sequence_as(states, new_states), jacobian


def _joined(states: list[Tensor], sizes: list[int]) -> Tensor:
    flat = [
        ops.reshape(state, (-1, size))
        for state, size in zip(states, sizes, strict=True)
    ]
    return flat[0] if len(flat) == 1 else ops.concatenate(flat, axis=-1)


def _by_tensorflow(step: Callable[[Tensor], Tensor], at: Tensor) -> tuple[Any, Any]:
    import tensorflow as tf

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(at)
        new = step(at)
    return new, tape.batch_jacobian(new, at, experimental_use_pfor=False)


def _by_jax(step: Callable[[Tensor], Tensor], at: Tensor) -> tuple[Any, Any]:
    import jax

    new, backwards = jax.vjp(step, at)
    rows = [
        backwards(jax.numpy.zeros_like(new).at[:, unit].set(1))[0]
        for unit in range(new.shape[-1])
    ]
    return new, jax.numpy.stack(rows, axis=1)


def _by_torch(step: Callable[[Tensor], Tensor], at: Tensor) -> tuple[Any, Any]:
    import torch

    at = at.detach().requires_grad_()
    new = step(at)
    rows = [
        torch.autograd.grad(new[:, unit].sum(), at, retain_graph=True)[0]
        for unit in range(new.shape[-1])
    ]
    return new.detach(), torch.stack(rows, dim=1).cpu()


_JACOBIANS = {"tensorflow": _by_tensorflow, "jax": _by_jax, "torch": _by_torch}


def _of_kernel(cell: Any) -> tuple[float | None, float | None]:
    """Norm and spectral radius of the recurrent kernel, the largest of the gates'."""
    kernel = getattr(innermost_cell(cell), "recurrent_kernel", None)
    if kernel is None or len(kernel.shape) != 2 or kernel.shape[1] % kernel.shape[0]:
        return None, None
    units, columns = kernel.shape
    gates = np.split(ops.convert_to_numpy(kernel), columns // units, axis=1)
    norms = [np.linalg.norm(gate, 2) for gate in gates]
    radii = [np.abs(np.linalg.eigvals(gate)).max() for gate in gates]
    return float(max(norms)), float(max(radii))
