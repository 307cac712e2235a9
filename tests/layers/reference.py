"""The papers' equations in plain NumPy loops, written apart from the layers.

Weights are lists in the order of Keras: kernel, recurrent kernel, bias.
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
    """

    input: np.ndarray | None = None
    state: np.ndarray | None = None
    output: np.ndarray | None = None
    hidden: np.ndarray | None = None
    cell: np.ndarray | None = None


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def masked(values, mask, gate=None):
    if mask is None:
        return values
    return values * (mask if mask.ndim == 2 else mask[:, gate])


def vanilla_step(weights, x, states, masks):
    kernel, recurrent_kernel, bias = weights
    (h,) = states
    x, h = masked(x, masks.input), masked(h, masks.state)
    return [np.tanh(x @ kernel + h @ recurrent_kernel + bias)]


def lstm_step(weights, x, states, masks):
    kernel, recurrent_kernel, bias = weights
    h, c = states
    units = h.shape[-1]

    def gate(number):
        columns = slice(number * units, (number + 1) * units)
        return (
            masked(x, masks.input, number) @ kernel[:, columns]
            + masked(h, masks.state, number) @ recurrent_kernel[:, columns]
            + bias[columns]
        )

    i, f, o = sigmoid(gate(0)), sigmoid(gate(1)), sigmoid(gate(3))
    c = f * c + i * np.tanh(gate(2))
    return [o * np.tanh(c), c]


def gru_step(weights, x, states, masks):
    """Reset after the product, as Keras has it by default; the mask meets h first."""
    kernel, recurrent_kernel, (input_bias, recurrent_bias) = weights
    (h,) = states
    x, h = masked(x, masks.input), masked(h, masks.state)
    z_x, r_x, g_x = np.split(x @ kernel + input_bias, 3, axis=-1)
    z_h, r_h, g_h = np.split(h @ recurrent_kernel + recurrent_bias, 3, axis=-1)
    z, r = sigmoid(z_x + z_h), sigmoid(r_x + r_h)
    return [z * h + (1 - z) * np.tanh(g_x + r * g_h)]


def leaky_step(weights, x, states, masks):
    """The cell of five lines that the tests bring along."""
    (kernel,) = weights
    (h,) = states
    return [0.5 * masked(h, masks.state) + masked(x, masks.input) @ kernel]


def run(step, weights, inputs, states, masks, *, padding=None, backwards=False):
    """The outputs at all steps, in the order run, and the last states."""
    batch, time, _ = inputs.shape
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
