"""Cells, paddings and recordings that several tests of the layers use."""

from functools import partial

import keras
import numpy as np

from recurra.layers import (
    GRUCell,
    IndRNNCell,
    LinearCell,
    LSTMCell,
    MinGRUCell,
    MinLSTMCell,
    MLSTMCell,
    RGLRUCell,
    SLSTMCell,
    SRUCell,
    VanillaRNNCell,
    VariationalDropout,
    WeightDrop,
    Zoneout,
)
from recurra.layers.regulariser import innermost_cell

from . import reference

BATCH, TIME, FEATURES, UNITS = 5, 7, 3, 4


@keras.saving.register_keras_serializable(package="recurra_tests")
class LeakyCell(keras.layers.Layer):
    """A cell as a user writes it."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units))

    def call(self, inputs, states):
        output = 0.5 * states[0] + keras.ops.matmul(inputs, self.kernel)
        return output, [output]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


CELLS = {
    "vanilla": (VanillaRNNCell, reference.vanilla_step),
    "lstm": (LSTMCell, reference.lstm_step),
    "projected lstm with peepholes": (
        lambda units: LSTMCell(units + 2, peephole=True, projection_units=units),
        reference.projected_lstm_step,
    ),
    "gru": (GRUCell, reference.gru_step),
    "gru, reset before": (
        partial(GRUCell, reset_after=False),
        reference.gru_reset_before_step,
    ),
    "normalised vanilla": (
        partial(VanillaRNNCell, layer_norm=True),
        reference.vanilla_step,
    ),
    "normalised lstm": (partial(LSTMCell, layer_norm=True), reference.lstm_step),
    "normalised gru": (partial(GRUCell, layer_norm=True), reference.gru_step),
    "normalised gru, reset before": (
        partial(GRUCell, layer_norm=True, reset_after=False),
        reference.gru_reset_before_step,
    ),
    "keras simple rnn": (keras.layers.SimpleRNNCell, reference.vanilla_step),
    "keras lstm": (keras.layers.LSTMCell, reference.lstm_step),
    "keras gru": (keras.layers.GRUCell, reference.keras_gru_step),
    "min gru": (MinGRUCell, reference.min_gru_step),
    "min lstm": (MinLSTMCell, reference.min_lstm_step),
    "rg-lru": (RGLRUCell, reference.rg_lru_step),
    "ind rnn": (IndRNNCell, reference.ind_rnn_step),
    "sru": (SRUCell, reference.sru_step),
    "slstm": (partial(SLSTMCell, heads=2), reference.slstm_step),
    "mlstm": (partial(MLSTMCell, heads=2), reference.mlstm_step),
    "user": (LeakyCell, reference.leaky_step),
}


def weight_dropped(cell):
    has_one = not isinstance(cell, (LeakyCell, LinearCell, MLSTMCell))
    kernel = "recurrent_kernel" if has_one else "kernel"
    return WeightDrop(cell, 0.3, (kernel,))


def zoneout_rates(cell):
    kept = getattr(cell, "zoneout_states", ("hidden", "cell"))
    has_cell_state = not isinstance(cell.state_size, int)
    return (
        0.3 if "hidden" in kept else 0.0,
        0.4 if "cell" in kept and has_cell_state else 0.0,
    )


def zoned_out(cell):
    return Zoneout(cell, *zoneout_rates(innermost_cell(cell)))


def state_rate(cell):
    return 0.4 if getattr(cell, "reads_state", True) else 0.0


def variational(cell):
    return VariationalDropout(cell, 0.3, state_rate(cell), 0.2)


def all_together(cell):
    masked = VariationalDropout(weight_dropped(cell), 0.3, state_rate(cell))
    inner = zoned_out(masked)
    return VariationalDropout(inner, output_dropout=0.2)


REGULARISED = {
    "bare": lambda cell: cell,
    "weight drop": weight_dropped,
    "zoneout": zoned_out,
    "variational": variational,
    "all": all_together,
}


PADDINGS = {
    "none": None,
    "right": np.arange(TIME) < np.array([[7], [5], [3], [1], [0]]),
    "left": np.arange(TIME) >= np.array([[0], [2], [4], [6], [7]]),
    "holes": np.array(
        [
            [1, 0, 1, 0, 1, 0, 1],
            [0, 1, 1, 0, 0, 1, 0],
            [0, 0, 0, 0, 0, 0, 0],
            [1, 1, 1, 1, 1, 1, 1],
            [0, 0, 0, 1, 0, 0, 0],
        ],
        dtype=bool,
    ),
}


def sequences(seed=0, shape=(BATCH, TIME, FEATURES)):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def randomise(layer, seed=0):
    """Gives a built layer weights that hide no term, as zeros of a bias would."""
    random = np.random.default_rng(seed)
    layer.set_weights(
        [random.normal(size=w.shape, scale=0.5) for w in layer.get_weights()]
    )


def record_noise(layer):
    """The list that will hold the noise of each call of the layer."""
    recorded = []
    draw = layer.draw_noise

    def draw_and_record(*arguments):
        recorded.append(draw(*arguments))
        return recorded[-1]

    layer.draw_noise = draw_and_record
    return recorded


def with_one_noise(layer):
    noise = layer.draw_noise(BATCH, TIME)
    layer.draw_noise = lambda *_: noise


def masks_of(noise):
    """What was drawn for one call, in the form of the reference."""
    masks = reference.Masks()
    for drawn in noise:
        for name, mask in {**drawn.per_sequence, **drawn.per_step}.items():
            assert getattr(masks, name) is None
            setattr(masks, name, to_numpy(mask).astype("float64"))
    return masks


def to_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def zeros(cell):
    sizes = [cell.state_size] if isinstance(cell.state_size, int) else cell.state_size
    return [np.zeros((BATCH, size)) for size in sizes]


def reversed_in_time(values):
    return None if values is None else values[:, ::-1]


def assert_close(found, expected, atol=1e-5):
    found = keras.tree.flatten(found)
    for each, of_reference in zip(found, keras.tree.flatten(expected), strict=True):
        np.testing.assert_allclose(
            to_numpy(each), to_numpy(of_reference), atol=atol, rtol=0
        )
