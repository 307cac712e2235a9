"""Gradients of the layers against backpropagation through time in NumPy.

Of the loss of a recurrent layer whose output o_t is read out at every step

    y_t = o_t V        L = sum over t of |y_t - target_t|^2 / 2

In the names of the literature, delta_t = dL/da_t for the net input a_t of the gates;
`d_v` stands for dL/dv. Weights are U (of the input), W (of the hidden state) and b.
"""

import itertools
from typing import NamedTuple

import keras
import numpy as np
import pytest

from recurra.layers import GRU, LSTM, VanillaRNN
from recurra.layers.backpropagation import UNITS_TO_PAY_OFF, ManualBackpropagation

from .cases import (
    BATCH,
    FEATURES,
    PADDINGS,
    TIME,
    UNITS,
    masks_of,
    randomise,
    sequences,
)
from .differentiation import gradients, numerical_gradients
from .reference import Masks, sigmoid

TARGETS = 2


class StepGradients(NamedTuple):
    """What one step hands back of dL/d(its new states)."""

    inputs: np.ndarray
    states: list[np.ndarray]
    weights: list[np.ndarray]


def read(v, z, kernel, gates):
    """a = (z_k * v) K_k for each gate k, with a mask z of its own, if there is one."""
    return np.hstack(
        [
            (z_k * v) @ K_k
            for z_k, K_k in zip(
                masks_by_gate(z, gates), np.hsplit(kernel, gates), strict=True
            )
        ]
    )


def read_backward(delta, v, z, kernel, gates):
    """With delta = dL/da: dL/dv = sum over k of z_k * (delta_k K_k^T), and dL/dK."""
    d_v, d_kernel = 0, []
    for z_k, K_k, delta_k in zip(
        masks_by_gate(z, gates),
        np.hsplit(kernel, gates),
        np.hsplit(delta, gates),
        strict=True,
    ):
        d_v = d_v + z_k * (delta_k @ K_k.T)
        d_kernel.append((z_k * v).T @ delta_k)
    return d_v, np.hstack(d_kernel)


def masks_by_gate(z, gates):
    if z is None:
        return [1] * gates
    return [z] * gates if z.ndim == 2 else [z[:, gate] for gate in range(gates)]


class Vanilla:
    """h_t = tanh(a_t), a_t = x_t U + h_{t-1} W + b."""

    @staticmethod
    def step(weights, x, states, masks):
        U, W, b = weights
        (h,) = states
        return [np.tanh(read(x, masks.input, U, 1) + read(h, masks.state, W, 1) + b)]

    @staticmethod
    def step_backward(weights, x, states, masks, d_new_states):
        U, W, _ = weights
        (h,), (d_h_new,) = states, d_new_states
        (h_new,) = Vanilla.step(weights, x, states, masks)

        delta = d_h_new * (1 - h_new**2)

        d_x, d_U = read_backward(delta, x, masks.input, U, 1)
        d_h, d_W = read_backward(delta, h, masks.state, W, 1)
        return StepGradients(d_x, [d_h], [d_U, d_W, delta.sum(0)])


class LongShortTermMemory:
    """c_t = f * c_{t-1} + i * g, h_t = o * tanh(c_t)."""

    @staticmethod
    def gates(weights, x, h, masks):
        U, W, b = weights
        a = read(x, masks.input, U, 4) + read(h, masks.state, W, 4) + b
        a_i, a_f, a_g, a_o = np.hsplit(a, 4)
        return sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)

    @staticmethod
    def step(weights, x, states, masks):
        h, c = states
        i, f, g, o = LongShortTermMemory.gates(weights, x, h, masks)
        c_new = f * c + i * g
        return [o * np.tanh(c_new), c_new]

    @staticmethod
    def step_backward(weights, x, states, masks, d_new_states):
        U, W, _ = weights
        (h, c), (d_h_new, d_c_new) = states, d_new_states
        i, f, g, o = LongShortTermMemory.gates(weights, x, h, masks)
        tanh_c = np.tanh(f * c + i * g)

        d_c_new = d_c_new + d_h_new * o * (1 - tanh_c**2)
        delta_o = d_h_new * tanh_c * o * (1 - o)
        delta_f = d_c_new * c * f * (1 - f)
        delta_i = d_c_new * g * i * (1 - i)
        delta_g = d_c_new * i * (1 - g**2)
        delta = np.hstack([delta_i, delta_f, delta_g, delta_o])

        d_x, d_U = read_backward(delta, x, masks.input, U, 4)
        d_h, d_W = read_backward(delta, h, masks.state, W, 4)
        return StepGradients(d_x, [d_h, d_c_new * f], [d_U, d_W, delta.sum(0)])


class GatedResetAfter:
    """h_t = z * h_{t-1} + (1 - z) * g, g = tanh(x_t U_g + b_g + r * q).

    q = h_{t-1} W_g + d_g is what the candidate would read of the state, were it not for
    the reset gate.
    """

    @staticmethod
    def gates(weights, x, h, masks):
        U, W, (b, d) = weights
        from_x = read(x, masks.input, U, 3) + b
        from_h = read(h, masks.state, W, 3) + d
        z, r, _ = np.hsplit(sigmoid(from_x + from_h), 3)
        q = np.hsplit(from_h, 3)[2]
        g = np.tanh(np.hsplit(from_x, 3)[2] + r * q)
        return z, r, q, g

    @staticmethod
    def step(weights, x, states, masks):
        (h,) = states
        z, _, _, g = GatedResetAfter.gates(weights, x, h, masks)
        return [z * h + (1 - z) * g]

    @staticmethod
    def step_backward(weights, x, states, masks, d_new_states):
        U, W, _ = weights
        (h,), (d_h_new,) = states, d_new_states
        z, r, q, g = GatedResetAfter.gates(weights, x, h, masks)

        delta_g = d_h_new * (1 - z) * (1 - g**2)
        delta_z = d_h_new * (h - g) * z * (1 - z)
        delta_r = delta_g * q * r * (1 - r)
        delta = np.hstack([delta_z, delta_r, delta_g])
        # The candidate reads the state through the reset gate.
        delta_of_state = np.hstack([delta_z, delta_r, delta_g * r])

        d_x, d_U = read_backward(delta, x, masks.input, U, 3)
        d_h, d_W = read_backward(delta_of_state, h, masks.state, W, 3)
        d_biases = np.stack([delta.sum(0), delta_of_state.sum(0)])
        return StepGradients(d_x, [d_h + d_h_new * z], [d_U, d_W, d_biases])


class GatedResetBefore:
    """h_t = z * h_{t-1} + (1 - z) * g, g = tanh(x_t U_g + (r * h_{t-1}) W_g + b_g)."""

    @staticmethod
    def of_gates_and_candidate(W, masks):
        """W, and the mask of what it reads, for z and r and for g."""
        units = len(W)
        z_mask = masks.state
        is_untied = z_mask is not None and z_mask.ndim == 3
        both, candidate = (
            (z_mask[:, :2], z_mask[:, 2]) if is_untied else (z_mask, z_mask)
        )
        return (W[:, : 2 * units], both), (W[:, 2 * units :], candidate)

    @staticmethod
    def gates(weights, x, h, masks):
        U, W, b = weights
        (W_zr, mask_zr), (W_g, mask_g) = GatedResetBefore.of_gates_and_candidate(
            W, masks
        )
        a_z, a_r, a_g = np.hsplit(read(x, masks.input, U, 3) + b, 3)
        h_z, h_r = np.hsplit(read(h, mask_zr, W_zr, 2), 2)
        z, r = sigmoid(a_z + h_z), sigmoid(a_r + h_r)
        return z, r, np.tanh(a_g + read(r * h, mask_g, W_g, 1))

    @staticmethod
    def step(weights, x, states, masks):
        (h,) = states
        z, _, g = GatedResetBefore.gates(weights, x, h, masks)
        return [z * h + (1 - z) * g]

    @staticmethod
    def step_backward(weights, x, states, masks, d_new_states):
        U, W, _ = weights
        (W_zr, mask_zr), (W_g, mask_g) = GatedResetBefore.of_gates_and_candidate(
            W, masks
        )
        (h,), (d_h_new,) = states, d_new_states
        z, r, g = GatedResetBefore.gates(weights, x, h, masks)

        delta_g = d_h_new * (1 - z) * (1 - g**2)
        d_reset_state, d_W_g = read_backward(delta_g, r * h, mask_g, W_g, 1)
        delta_z = d_h_new * (h - g) * z * (1 - z)
        delta_r = d_reset_state * h * r * (1 - r)
        delta = np.hstack([delta_z, delta_r, delta_g])

        d_x, d_U = read_backward(delta, x, masks.input, U, 3)
        d_h, d_W_zr = read_backward(np.hstack([delta_z, delta_r]), h, mask_zr, W_zr, 2)
        d_h = d_h + d_reset_state * r + d_h_new * z
        d_W = np.hstack([d_W_zr, d_W_g])
        return StepGradients(d_x, [d_h], [d_U, d_W, delta.sum(0)])


class Problem(NamedTuple):
    """A layer's call: what the gradients are by, and what is held fixed."""

    inputs: np.ndarray
    initial_states: list[np.ndarray]
    output_matrix: np.ndarray
    weights: list[np.ndarray]
    targets: np.ndarray
    masks: Masks
    padding: np.ndarray | None

    def is_real(self, t):
        """1 where step t is read, 0 where it is padding."""
        return 1 if self.padding is None else self.padding[:, t, None].astype(float)

    def kept(self, t):
        """By state, the share that step t keeps: by zoneout, or all at padding."""
        shares = [
            0 if d is None else d[:, t] for d in (self.masks.hidden, self.masks.cell)
        ]
        real = self.is_real(t)
        return [real * d + (1 - real) for d in shares[: len(self.initial_states)]]

    @property
    def output_mask(self):
        return 1 if self.masks.output is None else self.masks.output

    @property
    def weight_masks(self):
        """By weight, what it is multiplied with: 1, or the mask of weight drop."""
        dropped = (self.masks.kernel, self.masks.recurrent_kernel)
        masks = [1 if mask is None else mask for mask in dropped]
        return masks + [1] * (len(self.weights) - len(masks))

    @property
    def weights_read(self):
        return [m * w for m, w in zip(self.weight_masks, self.weights, strict=True)]


def forward(cell, problem):
    """The states before each step and after the last, and the outputs of the steps."""
    states, outputs = [problem.initial_states], []
    weights = problem.weights_read
    output = 0 * problem.initial_states[0]
    for t in range(problem.inputs.shape[1]):
        new_states = cell.step(weights, problem.inputs[:, t], states[-1], problem.masks)
        states.append(
            [
                kept * state + (1 - kept) * new_state
                for kept, state, new_state in zip(
                    problem.kept(t), states[-1], new_states, strict=True
                )
            ]
        )
        real = problem.is_real(t)
        output = real * states[-1][0] * problem.output_mask + (1 - real) * output
        outputs.append(output)
    return states, outputs


def loss(cell, problem):
    _, outputs = forward(cell, problem)
    return sum(
        np.sum((o_t @ problem.output_matrix - problem.targets[:, t]) ** 2) / 2
        for t, o_t in enumerate(outputs)
    )


def backpropagation_through_time(cell, problem):
    """dL by inputs, initial states, V and weights, from the last step to the first."""
    V = problem.output_matrix
    states, outputs = forward(cell, problem)
    weights = problem.weights_read
    d_inputs, d_V = np.zeros_like(problem.inputs), np.zeros_like(V)
    d_weights = [np.zeros_like(weight) for weight in problem.weights]
    d_states = [np.zeros_like(state) for state in problem.initial_states]
    d_repeated_output = 0
    for t in reversed(range(problem.inputs.shape[1])):
        error = outputs[t] @ V - problem.targets[:, t]
        d_V += outputs[t].T @ error

        # A padded step puts out once more what the step before it put out.
        real = problem.is_real(t)
        d_output = error @ V.T + d_repeated_output
        d_repeated_output = (1 - real) * d_output
        d_states[0] = d_states[0] + real * d_output * problem.output_mask

        kept = problem.kept(t)
        of_step = cell.step_backward(
            weights,
            problem.inputs[:, t],
            states[t],
            problem.masks,
            [(1 - k) * d for k, d in zip(kept, d_states, strict=True)],
        )
        d_states = [
            k * d + of_state
            for k, d, of_state in zip(kept, d_states, of_step.states, strict=True)
        ]
        d_inputs[:, t] = of_step.inputs
        for total, of_weight in zip(d_weights, of_step.weights, strict=True):
            total += of_weight
    d_weights = [m * d for m, d in zip(problem.weight_masks, d_weights, strict=True)]
    return [d_inputs, *d_states, d_V, *d_weights]


class SquaredErrors(keras.layers.Layer):
    """A recurrent layer, read out at every step, and its squared errors.

    The initial states are weights, so that gradients by them are found as well.
    """

    def __init__(self, recurrent, targets, **kwargs):
        super().__init__(dtype=recurrent.dtype_policy, **kwargs)
        self.supports_masking = True
        self.recurrent = recurrent
        self.targets = keras.ops.convert_to_tensor(targets)

    def build(self, input_shape):
        sizes = keras.tree.flatten(self.recurrent.cell.state_size)
        self.initial_states = [self.add_weight(shape=(BATCH, size)) for size in sizes]
        self.output_matrix = self.add_weight(shape=(UNITS, TARGETS))
        self.recurrent.build(input_shape)

    def call(self, inputs, mask=None, training=False):
        outputs = self.recurrent(
            inputs,
            initial_state=[
                keras.ops.convert_to_tensor(state) for state in self.initial_states
            ],
            mask=mask,
            training=training,
        )
        errors = keras.ops.matmul(outputs, self.output_matrix) - self.targets
        return keras.ops.square(errors) / 2


LAYERS = {
    "vanilla": (VanillaRNN, {}, Vanilla),
    "lstm": (LSTM, {}, LongShortTermMemory),
    "gru, reset after": (GRU, {"reset_after": True}, GatedResetAfter),
    "gru, reset before": (GRU, {"reset_after": False}, GatedResetBefore),
}
TIED = {"dropout": 0.3, "recurrent_dropout": 0.4, "output_dropout": 0.2}
ZONEOUT = {"zoneout_hidden": 0.3}
WEIGHT_DROP = {"weight_dropout": 0.3}
REGULARISED = {
    "plain": {},
    "tied masks": TIED,
    "untied masks": {**TIED, "tied_masks": False},
    "zoneout": ZONEOUT,
    "weight drop": WEIGHT_DROP,
    "all": {**TIED, **ZONEOUT, **WEIGHT_DROP},
}


def arguments_of(kind, regularised):
    arguments = {**LAYERS[kind][1], **REGULARISED[regularised]}
    if kind == "lstm" and "zoneout_hidden" in arguments:
        arguments["zoneout_cell"] = 0.4
    return arguments


def problem_of(kind, regularised, padding, dtype):
    """A layer with fixed noise in a model of squared errors, and the same in NumPy."""
    layer = LAYERS[kind][0](
        UNITS, return_sequences=True, dtype=dtype, **arguments_of(kind, regularised)
    )
    targets = sequences(1, (BATCH, TIME, TARGETS)).astype(dtype)
    model = SquaredErrors(layer, targets)
    model.build((BATCH, TIME, FEATURES))
    randomise(model)
    noise = layer.draw_noise(BATCH, TIME)
    layer.draw_noise = lambda *_: noise

    values = [np.asarray(weight, "float64") for weight in model.get_weights()]
    *initial_states, output_matrix = values[:-3]
    problem = Problem(
        inputs=sequences().astype("float64"),
        initial_states=initial_states,
        output_matrix=output_matrix,
        weights=values[-3:],
        targets=targets.astype("float64"),
        masks=masks_of(noise),
        padding=PADDINGS[padding],
    )
    return model, problem


# Except on TensorFlow, Keras multiplies matrices of float64 in single precision.
DTYPE = "float64" if keras.backend.backend() == "tensorflow" else "float32"
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}[DTYPE]
CASES = [
    *itertools.product(LAYERS, ["plain", "all"], ["none", "right", "holes"]),
    *itertools.product(LAYERS, ["tied masks", "weight drop"], ["none", "holes"]),
    *itertools.product(LAYERS, ["zoneout"], ["holes"]),
    *itertools.product([*LAYERS][1:], ["untied masks"], ["none", "holes"]),
]


def assert_gradients_are_those_of_the_equations(kind, regularised, padding):
    model, problem = problem_of(kind, regularised, padding, DTYPE)
    found = gradients(
        model,
        problem.inputs.astype(DTYPE),
        problem.padding,
        np.ones((BATCH, TIME, TARGETS), DTYPE),
    )
    expected = backpropagation_through_time(LAYERS[kind][2], problem)
    for of_layer, of_equations in zip(found, expected, strict=True):
        assert of_layer.dtype == DTYPE
        scale = max(1, np.abs(of_equations).max())
        np.testing.assert_allclose(
            of_layer, of_equations, rtol=0, atol=TOLERANCE * scale
        )


@pytest.mark.parametrize(("kind", "regularised", "padding"), CASES)
def test_automatic_differentiation(kind, regularised, padding, automatic):
    assert_gradients_are_those_of_the_equations(kind, regularised, padding)


@pytest.mark.parametrize("padding", ["none", "holes"])
@pytest.mark.parametrize("regularised", ["plain", "all"])
@pytest.mark.parametrize("kind", ["vanilla", "lstm", "gru, reset after"])
def test_manual_backpropagation(kind, regularised, padding, monkeypatch):
    """The way back that large layers take, here taken by small ones."""
    monkeypatch.setitem(UNITS_TO_PAY_OFF, keras.backend.backend(), 1)
    runs = []
    run = ManualBackpropagation.run
    monkeypatch.setattr(
        ManualBackpropagation,
        "run",
        lambda *args, **kwargs: runs.append(1) or run(*args, **kwargs),
    )
    assert_gradients_are_those_of_the_equations(kind, regularised, padding)
    assert runs


@pytest.mark.parametrize("padding", ["none", "right", "holes"])
@pytest.mark.parametrize("regularised", ["plain", "all"])
@pytest.mark.parametrize("kind", LAYERS)
def test_equations_against_numerical_differences(kind, regularised, padding):
    _, problem = problem_of(kind, regularised, padding, "float32")
    cell = LAYERS[kind][2]
    numerical = numerical_gradients(
        lambda: loss(cell, problem),
        [
            problem.inputs,
            *problem.initial_states,
            problem.output_matrix,
            *problem.weights,
        ],
    )
    found = backpropagation_through_time(cell, problem)
    for of_equations, by_differences in zip(found, numerical, strict=True):
        np.testing.assert_allclose(of_equations, by_differences, rtol=1e-6, atol=1e-6)
