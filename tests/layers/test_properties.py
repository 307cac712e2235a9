"""Properties of the layers over shapes, arguments, paddings and combinations."""

import json
from typing import NamedTuple

import hypothesis
import hypothesis.extra.numpy as arrays
import keras
import numpy as np
import pytest
from hypothesis import strategies as st

from recurra.layers import (
    GRU,
    LSTM,
    RNN,
    CellNoise,
    FeedForwardDropout,
    GRUCell,
    LSTMCell,
    TemporalSkip,
    VanillaRNN,
    VanillaRNNCell,
    VariationalDropout,
    WeightDrop,
    Zoneout,
)

from .cases import LeakyCell, randomise, to_numpy

# JAX compiles each example anew.
EXAMPLES = {"tensorflow": 25, "torch": 25, "jax": 8}[keras.backend.backend()]
for_all = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)

# Our layer, Keras's, and the arguments that both take.
COUNTERPARTS = {
    "vanilla": (VanillaRNN, keras.layers.SimpleRNN, {}),
    "lstm": (LSTM, keras.layers.LSTM, {}),
    "gru": (GRU, keras.layers.GRU, {}),
    "gru, reset before": (GRU, keras.layers.GRU, {"reset_after": False}),
}
# Cells, and whether they have a cell state and gates to be masked one by one.
CELLS = {
    VanillaRNNCell: set(),
    LSTMCell: {"cell state", "gates"},
    GRUCell: {"gates"},
    keras.layers.SimpleRNNCell: set(),
    keras.layers.LSTMCell: {"cell state"},
    keras.layers.GRUCell: set(),
    LeakyCell: set(),
}
POLICIES = ["float32", "mixed_bfloat16", "mixed_float16", "float64"]


class Recipe(NamedTuple):
    """How to make a layer; making it again gives an equal one."""

    make: type
    arguments: dict
    # By cell of a stack: the cell and the regularisers around it, from the inside out.
    cells: list = []

    def layer(self, **arguments):
        cells = [cell_of(parts) for parts in self.cells]
        arguments = {**self.arguments, **arguments}
        if not cells:
            return self.make(**arguments)
        return self.make(cells if len(cells) > 1 else cells[0], **arguments)


def cell_of(parts):
    (make, arguments), *regularisers = parts
    cell = make(**arguments)
    for regulariser, of_regulariser in regularisers:
        cell = regulariser(cell, **of_regulariser)
    return cell


class Batch(NamedTuple):
    seed: int
    shape: tuple
    mask: np.ndarray | None

    @property
    def sequences(self):
        values = np.random.default_rng(self.seed).normal(size=self.shape)
        return values.astype("float32")


sizes = st.integers(1, 4)
rates = st.sampled_from([0.0, 0.3, 0.6])


@st.composite
def batches(draw, masks=True, smallest=0):
    shape = (draw(st.integers(smallest, 4)), draw(st.integers(1, 6)), draw(sizes))
    mask = arrays.arrays(bool, shape[:2])
    if masks == "always":
        return Batch(draw(st.integers(0, 99)), shape, draw(mask))
    return Batch(
        draw(st.integers(0, 99)), shape, draw(st.none() | mask) if masks else None
    )


@st.composite
def rates_of(draw, kind):
    """Arguments that regularise the layer named after its cell."""
    names = ["dropout", "recurrent_dropout", "output_dropout", "zoneout_hidden"]
    names += ["weight_dropout"]
    if kind == "lstm":
        names += ["zoneout_cell"]
    arguments = {name: draw(rates) for name in names}
    if kind != "vanilla":
        arguments["tied_masks"] = draw(st.booleans())
    return arguments


@st.composite
def wrapped_cells(draw):
    """A cell in some of the regularisers, in an order that makes sense."""
    cell = draw(st.sampled_from(list(CELLS)))
    has = CELLS[cell]
    skip = (TemporalSkip, {"steps": draw(st.integers(2, 3))})
    outermost = draw(st.sampled_from([VariationalDropout, FeedForwardDropout]))
    regularisers = [
        (WeightDrop, {"rate": draw(rates)}) if cell is not LeakyCell else None,
        skip,
        (
            VariationalDropout,
            {
                "dropout": draw(rates),
                "recurrent_dropout": draw(rates),
                "tied_masks": "gates" not in has or draw(st.booleans()),
            },
        ),
        (FeedForwardDropout, {"dropout": draw(rates)}),
        (
            Zoneout,
            {
                "zoneout_hidden": draw(rates),
                "zoneout_cell": draw(rates) if "cell state" in has else 0.0,
            },
        ),
        skip,
        (outermost, {"output_dropout": draw(rates)}),
    ]
    number = len(regularisers)
    chosen = draw(st.lists(st.booleans(), min_size=number, max_size=number))
    around = [
        regulariser
        for regulariser, is_chosen in zip(regularisers, chosen, strict=True)
        if is_chosen and regulariser is not None
    ]
    return [(cell, {"units": draw(sizes)}), *around]


runs = st.fixed_dictionaries(
    {
        "return_sequences": st.booleans(),
        "return_state": st.booleans(),
        "go_backwards": st.booleans(),
        "unroll": st.booleans(),
        "zero_output_for_mask": st.booleans(),
    }
)


@st.composite
def recipes(draw):
    """Any regularised layer: named after its cell, or around one cell or several."""
    arguments = {**draw(runs), "seed": draw(st.integers(0, 9))}
    if draw(st.booleans()):
        kind = draw(st.sampled_from(list(COUNTERPARTS)))
        make, _, of_kind = COUNTERPARTS[kind]
        arguments |= {"units": draw(sizes), **of_kind, **draw(rates_of(kind))}
        return Recipe(make, arguments)
    cells = draw(st.lists(wrapped_cells(), min_size=1, max_size=2))
    return Recipe(RNN, arguments, cells)


def built(recipe, batch, **arguments):
    layer = recipe.layer(**arguments)
    layer.build(batch.shape)
    randomise(layer)
    return layer


def fix_noise(layer, batch):
    noise = layer.draw_noise(*batch.shape[:2])
    layer.draw_noise = lambda *_: noise
    return noise


def values_of(result):
    return [to_numpy(tensor) for tensor in keras.tree.flatten(result)]


def assert_same(ours, theirs, atol=1e-5):
    for a, b in zip(values_of(ours), values_of(theirs), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(
            a.astype("float64"), b.astype("float64"), rtol=0, atol=atol
        )


def dtypes_of(result):
    return [
        keras.backend.standardize_dtype(tensor.dtype)
        for tensor in keras.tree.flatten(result)
    ]


@for_all
@hypothesis.given(data=st.data(), batch=batches(), arguments=runs)
@pytest.mark.parametrize("kind", COUNTERPARTS)
def test_equals_keras_where_nothing_is_random(kind, data, batch, arguments):
    ours, theirs, of_kind = COUNTERPARTS[kind]
    units = data.draw(sizes)
    dropouts = data.draw(rates_of(kind))
    dropouts = {k: v for k, v in dropouts.items() if "zoneout" not in k}
    training = not any(dropouts.get(name) for name in dropouts if name != "tied_masks")
    layer = ours(units, **of_kind, **arguments, **dropouts)
    # Unrolling changes no number, but Keras's own unrolled loop knows fewer masks.
    counterpart = theirs(units, **of_kind, **{**arguments, "unroll": False})
    layer.build(batch.shape)
    counterpart.build(batch.shape)
    randomise(layer)
    counterpart.set_weights(layer.get_weights())
    call = {"mask": batch.mask, "training": training}
    assert_same(layer(batch.sequences, **call), counterpart(batch.sequences, **call))
