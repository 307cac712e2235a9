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


def projected_lstm_step(weights, x, states, masks):
    kernel, recurrent_kernel, bias, (p_i, p_f, p_o), projection = weights
    h, c = states
    from_x = np.hstack(by_gates(x, masks.input, kernel, 4))
    from_h = np.hstack(by_gates(h, masks.state, recurrent_kernel, 4))
    i, f, g, o = np.split(from_x + from_h + bias, 4, axis=-1)
    new_c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(g)
    return [(sigmoid(o + p_o * new_c) * np.tanh(new_c)) @ projection, new_c]


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


def min_gru_step(weights, x, states, masks):
    kernel, bias = weights
    z, g = np.split(masked(x, masks.input) @ kernel + bias, 2, axis=-1)
    return [(1 - sigmoid(z)) * states[0] + sigmoid(z) * g]


def min_lstm_step(weights, x, states, masks):
    kernel, bias = weights
    f, i, g = np.split(masked(x, masks.input) @ kernel + bias, 3, axis=-1)
    f, i = sigmoid(f), sigmoid(i)
    return [f / (f + i) * states[0] + i / (f + i) * g]


def rg_lru_step(weights, x, states, masks):
    kernel, gate_kernel, decay, bias = weights
    v = masked(x, masks.input) @ kernel
    r, i = np.split(sigmoid(v @ gate_kernel + bias), 2, axis=-1)
    a = sigmoid(decay) ** (8 * r)
    return [a * states[0] + np.sqrt(1 - a**2) * (i * v)]


def ind_rnn_step(weights, x, states, masks):
    kernel, recurrent_kernel, bias = weights
    h = masked(states[0], masks.state)
    a = masked(x, masks.input) @ kernel + recurrent_kernel * h + bias
    return [np.maximum(a, 0)]


def sru_step(weights, x, states, masks):
    kernel, recurrent_kernel, bias = weights
    (c,) = states
    x = masked(x, masks.input)
    read = masked(c, masks.state)
    f_x, r_x, candidate, *passed = np.split(
        x @ kernel, kernel.shape[1] // c.shape[1], 1
    )
    (v_f, v_r), (b_f, b_r) = np.split(recurrent_kernel, 2), np.split(bias, 2)
    f, r = sigmoid(f_x + v_f * read + b_f), sigmoid(r_x + v_r * read + b_r)
    c = f * c + (1 - f) * candidate
    return r * c + (1 - r) * (passed[0] if passed else x), [c]


def slstm_step(weights, x, states, masks, heads=2):
    """The cell state and the normaliser as the paper has them, times exp(m)."""
    kernel, recurrent_kernel, bias = weights
    h, c, n, m = states
    read = np.split(masked(h, masks.state), heads, axis=-1)
    # (heads, batch, 4, units of a head), then gate by gate.
    from_h = [
        np.split(r @ w, 4, axis=-1) for r, w in zip(read, recurrent_kernel, strict=True)
    ]
    from_h = np.hstack([np.hstack(of_gate) for of_gate in zip(*from_h, strict=True)])
    i, f, z, o = np.split(masked(x, masks.input) @ kernel + from_h + bias, 4, axis=-1)
    new_m = np.where(n == 0, i, np.maximum(np.log(sigmoid(f)) + m, i))
    c = sigmoid(f) * (c * np.exp(m)) + np.exp(i) * np.tanh(z)
    n = sigmoid(f) * (n * np.exp(m)) + np.exp(i)
    return [sigmoid(o) * c / n, c / np.exp(new_m), n / np.exp(new_m), new_m]


def mlstm_step(weights, x, states, masks, heads=2):
    """Row by row and head by head, by memories that are not scaled."""
    kernel, bias, gate_kernel, gate_bias = weights
    x = masked(x, masks.input)
    C, n, m = (state.copy() for state in states)
    rows, units = n.shape
    d = units // heads
    q, k, v, o = np.split(x @ kernel, 4, axis=-1)
    q, k, v, o = np.hstack([q, k / np.sqrt(d), v, o]).reshape(rows, 4, units).transpose(
        1, 0, 2
    ) + bias.reshape(4, 1, units)
    i, f = np.split(x @ gate_kernel + gate_bias, 2, axis=-1)
    h = np.zeros((rows, units))
    C = C.reshape(rows, heads, d, d)
    for row, head in np.ndindex(rows, heads):
        part = slice(head * d, (head + 1) * d)
        is_fresh = not n[row, part].any() and not C[row, head].any()
        kept = sigmoid(f[row, head]) * np.exp(m[row, head])
        taken = np.exp(i[row, head])
        memory = kept * C[row, head] + taken * np.outer(v[row, part], k[row, part])
        norm = kept * n[row, part] + taken * k[row, part]
        of_query = abs(norm @ q[row, part])
        h[row, part] = memory @ q[row, part] / max(of_query, 1)
        longer = -np.inf if is_fresh else np.log(kept)
        m[row, head] = max(longer, i[row, head])
        C[row, head] = memory / np.exp(m[row, head])
        n[row, part] = norm / np.exp(m[row, head])
    return sigmoid(o) * h, [C.reshape(rows, -1), n, m]


def mogrified_lstm_step(weights, x, states, masks):
    """Three rounds around an LSTM; its own weights come first."""
    q_1, r_2, q_3, *of_cell = weights
    h, c = states
    x, h = masked(x, masks.input), masked(h, masks.state)
    x = 2 * sigmoid(h @ q_1) * x
    h = 2 * sigmoid(x @ r_2) * h
    x = 2 * sigmoid(h @ q_3) * x
    return lstm_step(of_cell, x, [h, c], Masks())


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
    output, outputs = None, []
    for t in reversed(range(time)) if backwards else range(time):
        new = step(weights, inputs[:, t], states, masks)
        # Of most cells the output is the first state, as zoneout leaves it.
        own_output, new = new if isinstance(new, tuple) else (None, new)
        for number, keeps in enumerate((masks.hidden, masks.cell)):
            if keeps is not None:
                d = keeps if np.isscalar(keeps) else keeps[:, t]
                new[number] = d * states[number] + (1 - d) * new[number]
        new_output = new[0] if own_output is None else own_output
        new_output = masked(new_output, masks.output).copy()
        output = np.zeros_like(new_output) if output is None else output
        for row in range(batch):
            if padding is not None and not padding[row, t]:
                for new_state, state in zip(new, states, strict=True):
                    new_state[row] = state[row]
                new_output[row] = output[row]
        states, output = new, new_output
        outputs.append(output)
    return np.stack(outputs, axis=1), states


def tolerance(step, weights, inputs, *rest, **named):
    """By how much single precision may miss the equations, whatever was drawn.

    A recurrence magnifies rounding by as much as its weights and masks make it, so
    next to 1e-5 this allows what some nudges of weights and inputs by a millionth,
    sixteen roundings, change in the equations themselves.
    """
    signs = np.random.default_rng(0)

    def outputs(nudge):
        nudged = [
            np.asarray(array, "float64")
            * (1 + nudge * signs.choice([-1, 1], np.shape(array)))
            for array in (inputs, *weights)
        ]
        return run(step, nudged[1:], nudged[0], *rest, **named)[0]

    exact = outputs(0)
    return 1e-5 + max(np.abs(outputs(1e-6) - exact).max(initial=0) for _ in range(3))
