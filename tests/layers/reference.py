"""The papers' equations in plain NumPy loops, written apart from the layers.

Weights are lists in the order of Keras: kernel, recurrent kernel, bias. Those of layer
normalisation follow where there are any, and then a step normalises.
"""

from dataclasses import dataclass

import numpy as np


@dataclass
class Masks:
    """The masks of one call; None where there is none.

    Attributes:
        input: Variational, (batch, features), or per gate (batch, gates, features).
        state: Variational, (batch, units), or per gate (batch, gates, units).
        output: Variational, (batch, units).
        hidden: Zoneout of the hidden state, (batch, time, units); 1 keeps the state.
        cell: Zoneout of the cell state, (batch, time, units); 1 keeps the state.
        kernel, recurrent_kernel: Weight drop, of the shape of the weight.
    """

    input: np.ndarray | None = None
    state: np.ndarray | None = None
    output: np.ndarray | None = None
    hidden: np.ndarray | None = None
    cell: np.ndarray | None = None
    kernel: np.ndarray | None = None
    recurrent_kernel: np.ndarray | None = None


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def masked(values, mask, gate=None):
    if mask is None:
        return values
    return values * (mask if mask.ndim == 2 else mask[:, gate])


def by_gates(values, mask, kernel, gates):
    """What each gate sums up: masked values times its columns of the kernel."""
    return [
        masked(values, mask, gate) @ columns
        for gate, columns in enumerate(np.split(kernel, gates, axis=1))
    ]


def layer_normalised(v, gain, bias=0.0):
    mean = v.mean(axis=-1, keepdims=True)
    variance = ((v - mean) ** 2).mean(axis=-1, keepdims=True)
    return gain * (v - mean) / np.sqrt(variance + 1e-5) + bias


def vanilla_step(weights, x, states, masks):
    kernel, recurrent_kernel, bias, *norm = weights
    (h,) = states
    a = masked(x, masks.input) @ kernel + masked(h, masks.state) @ recurrent_kernel
    if norm:
        a = layer_normalised(a, *norm)
    return [np.tanh(a + bias)]


def lstm_step(weights, x, states, masks):
    kernel, recurrent_kernel, bias, *norm = weights
    h, c = states
    from_x = np.hstack(by_gates(x, masks.input, kernel, 4))
    from_h = np.hstack(by_gates(h, masks.state, recurrent_kernel, 4))
    if norm:
        gain_x, bias_x, gain_h, bias_h, gain_c, bias_c = norm
        from_x = layer_normalised(from_x, gain_x, bias_x)
        from_h = layer_normalised(from_h, gain_h, bias_h)
    i, f, g, o = np.split(from_x + from_h + bias, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    let_out = layer_normalised(c, gain_c, bias_c) if norm else c
    return [sigmoid(o) * np.tanh(let_out), c]


def gru_step(weights, x, states, masks):
    """Reset after the product; masks meet what a kernel is multiplied with."""
    kernel, recurrent_kernel, (input_bias, recurrent_bias), *norm = weights
    (h,) = states
    z_x, r_x, g_x = by_gates(x, masks.input, kernel, 3)
    z_h, r_h, g_h = by_gates(h, masks.state, recurrent_kernel, 3)
    if norm:
        gain_x, bias_x, gain_h, bias_h = norm
        z_x, r_x, g_x = gru_normalised(z_x, r_x, g_x, gain_x, bias_x)
        z_h, r_h, g_h = gru_normalised(z_h, r_h, g_h, gain_h, bias_h)
    z_b, r_b, g_b = np.split(input_bias, 3)
    z_d, r_d, g_d = np.split(recurrent_bias, 3)
    z = sigmoid(z_x + z_b + z_h + z_d)
    r = sigmoid(r_x + r_b + r_h + r_d)
    return [z * h + (1 - z) * np.tanh(g_x + g_b + r * (g_h + g_d))]


def gru_reset_before_step(weights, x, states, masks):
    kernel, recurrent_kernel, bias, *norm = weights
    (h,) = states
    z_x, r_x, g_x = by_gates(x, masks.input, kernel, 3)
    z_h, r_h, _ = by_gates(h, masks.state, recurrent_kernel, 3)
    z_b, r_b, g_b = np.split(bias, 3)
    if norm:
        gain_x, bias_x, gain_h, bias_h = norm
        z_x, r_x, g_x = gru_normalised(z_x, r_x, g_x, gain_x, bias_x)
        # Of what the candidate reads, nothing is known before r is.
        z_h, r_h, _ = gru_normalised(z_h, r_h, z_h, gain_h, bias_h)
    z, r = sigmoid(z_x + z_b + z_h), sigmoid(r_x + r_b + r_h)
    g_h = by_gates(r * h, masks.state, recurrent_kernel, 3)[2]
    if norm:
        _, _, g_h = gru_normalised(z_h, r_h, g_h, gain_h, bias_h)
    return [z * h + (1 - z) * np.tanh(g_x + g_b + g_h)]


def gru_normalised(z, r, g, gain, bias):
    """The two gates as one vector, the candidate as another."""
    units = g.shape[-1]
    gates = layer_normalised(np.hstack([z, r]), gain[: 2 * units], bias[: 2 * units])
    g = layer_normalised(g, gain[2 * units :], bias[2 * units :])
    return gates[:, :units], gates[:, units:], g


def keras_gru_step(weights, x, states, masks):
    """A GRU that is handed its state masked already, and carries that on."""
    (h,) = states
    return gru_step(weights, masked(x, masks.input), [masked(h, masks.state)], Masks())


def leaky_step(weights, x, states, masks):
    """The cell of five lines that the tests bring along."""
    (kernel,) = weights
    (h,) = states
    return [0.5 * masked(h, masks.state) + masked(x, masks.input) @ kernel]


def run(step, weights, inputs, states, masks, *, padding=None, backwards=False):
    """The outputs at all steps, in the order run, and the last states."""
    batch, time, _ = inputs.shape
    dropped = (masks.kernel, masks.recurrent_kernel, *[None] * len(weights))
    weights = [
        weight if mask is None else weight * mask
        for weight, mask in zip(weights, dropped, strict=False)
    ]
    output = np.zeros_like(states[0])
    outputs = []
    for t in reversed(range(time)) if backwards else range(time):
        new = step(weights, inputs[:, t], states, masks)
        for number, keeps in enumerate((masks.hidden, masks.cell)):
            if keeps is not None:
                d = keeps if np.isscalar(keeps) else keeps[:, t]
                new[number] = d * states[number] + (1 - d) * new[number]
        new_output = masked(new[0], masks.output).copy()
        for row in range(batch):
            if padding is not None and not padding[row, t]:
                for new_state, state in zip(new, states, strict=True):
                    new_state[row] = state[row]
                new_output[row] = output[row]
        states, output = new, new_output
        outputs.append(output)
    return np.stack(outputs, axis=1), states
