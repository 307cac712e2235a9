"""Properties of the layers over shapes, arguments, paddings and combinations."""

import json
import os
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
    DeepRNN,
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
from recurra.layers.backpropagation import UNITS_TO_PAY_OFF

from . import reference
from .cases import LeakyCell, masks_of, randomise, to_numpy

# JAX compiles every operation for every shape.
COMPILES = keras.backend.backend() == "jax"
EXAMPLES = 4 if COMPILES else 8
for_all = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[
        hypothesis.Phase.explicit,
        hypothesis.Phase.generate,
        hypothesis.Phase.shrink,
    ],
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)

# Our layer, Keras's, and the arguments that both take.
COUNTERPARTS = {
    "vanilla": (VanillaRNN, keras.layers.SimpleRNN, {}),
    "lstm": (LSTM, keras.layers.LSTM, {}),
    "gru": (GRU, keras.layers.GRU, {}),
    "gru, reset before": (GRU, keras.layers.GRU, {"reset_after": False}),
}
LAYERS = {
    "vanilla": (VanillaRNN, VanillaRNNCell),
    "lstm": (LSTM, LSTMCell),
    "gru": (GRU, GRUCell),
}
EQUATIONS = {
    "vanilla": reference.vanilla_step,
    "lstm": reference.lstm_step,
    "gru": reference.gru_step,
    "gru, reset before": reference.gru_reset_before_step,
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
POLICIES = ["float32"]
if "ONEDNN_MAX_CPU_ISA" not in os.environ:  # See tests/conftest.py.
    POLICIES += ["mixed_bfloat16", "mixed_float16"]


@pytest.fixture(scope="module", autouse=True)
def larger_layers_have_manual_backpropagation():
    """Of the sizes drawn here the larger ones take the way of large layers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(UNITS_TO_PAY_OFF, keras.backend.backend(), 3)
        yield


class Recipe(NamedTuple):
    """How to make a layer; making it again gives an equal one."""

    make: type
    arguments: dict
    # By cell of a stack: the cell and the regularisers around it, from the inside out.
    cells: tuple = ()

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
    has_initial_state: bool = False

    @property
    def sequences(self):
        return self.random(self.shape)

    def initial_state(self, layer):
        if not self.has_initial_state:
            return None

        def of_size(size):
            if isinstance(size, int):
                return self.random((self.shape[0], size))
            return [of_size(part) for part in size]

        states = of_size(layer.cell.state_size)
        return states if isinstance(states, list) else [states]

    def random(self, shape):
        return np.random.default_rng(self.seed).normal(size=shape).astype("float32")


sizes = st.sampled_from([2, 4]) if COMPILES else st.integers(1, 4)
batch_sizes = st.sampled_from([0, 3]) if COMPILES else st.integers(0, 4)
timesteps = st.just(5) if COMPILES else st.integers(1, 6)
rates = st.sampled_from([0.0, 0.3, 0.6])


@st.composite
def batches(draw, smallest=0, is_padded=None):
    """Padded ones and others, unless told which."""
    batch_size = draw(batch_sizes.filter(lambda size: size >= smallest))
    shape = (batch_size, draw(timesteps), draw(sizes))
    if is_padded is None:
        is_padded = draw(st.booleans())
    mask = draw(arrays.arrays(bool, shape[:2])) if is_padded else None
    return Batch(draw(st.integers(0, 99)), shape, mask, draw(st.booleans()))


@st.composite
def arguments_of_cell(draw, cell):
    """Arguments of a cell, or of the layer named after it."""
    arguments = {"units": draw(sizes)}
    if cell is not LeakyCell:
        # Padding is run in another way where states may grow without bound.
        arguments["activation"] = draw(st.sampled_from(["tanh", "tanh", "linear"]))
        arguments["use_bias"] = draw(st.booleans())
    if cell in (VanillaRNNCell, LSTMCell, GRUCell):
        arguments["layer_norm"] = draw(st.booleans())
    if cell in (GRUCell, keras.layers.GRUCell):
        arguments["reset_after"] = draw(st.booleans())
    return arguments


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


REGULARISERS = {
    VariationalDropout: st.fixed_dictionaries(
        {
            "dropout": rates,
            "recurrent_dropout": rates,
            "output_dropout": rates,
            "tied_masks": st.booleans(),
        }
    ),
    FeedForwardDropout: st.fixed_dictionaries(
        {"dropout": rates, "output_dropout": rates}
    ),
    WeightDrop: st.fixed_dictionaries({"rate": rates, "weights": st.just(["kernel"])}),
    Zoneout: st.fixed_dictionaries({"zoneout_hidden": rates, "zoneout_cell": rates}),
    TemporalSkip: st.fixed_dictionaries({"steps": st.integers(2, 3)}),
}


@st.composite
def wrapped_cells(draw):
    """A cell in regularisers that leave each other their sense."""
    make = draw(st.sampled_from(list(CELLS)))
    tied_masks = "gates" not in CELLS[make] or draw(st.booleans())
    read = {"dropout": draw(rates), "recurrent_dropout": draw(rates)}
    kept = {"zoneout_hidden": draw(rates)}
    if "cell state" in CELLS[make]:
        kept["zoneout_cell"] = draw(rates)
    skip = (TemporalSkip, {"steps": draw(st.integers(2, 3))})
    around = [
        (WeightDrop, {"rate": draw(rates), "weights": ["kernel"]}),
        *([skip] if tied_masks else []),
        (VariationalDropout, {**read, "tied_masks": tied_masks}),
        (FeedForwardDropout, {"dropout": draw(rates)}),
        (Zoneout, kept),
        skip,
        draw(
            st.sampled_from(
                [
                    (VariationalDropout, {"output_dropout": draw(rates)}),
                    (FeedForwardDropout, {"output_dropout": draw(rates)}),
                ]
            )
        ),
    ]
    chosen = [part for part in around if draw(st.booleans())]
    return [(make, draw(arguments_of_cell(make))), *chosen]


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
        kind, (make, cell) = draw(st.sampled_from(list(LAYERS.items())))
        of_cell = draw(arguments_of_cell(cell))
        return Recipe(make, {**arguments, **of_cell, **draw(rates_of(kind))})
    cells = draw(st.lists(wrapped_cells(), min_size=1, max_size=2))
    return Recipe(RNN, arguments, tuple(cells))


@st.composite
def composers(draw):
    """A function that makes `DeepRNN` or `Bidirectional` of regularised layers."""
    recipes = []
    for kind in draw(st.lists(st.sampled_from(list(LAYERS)), min_size=1, max_size=2)):
        make, cell = LAYERS[kind]
        arguments = {**draw(arguments_of_cell(cell)), **draw(rates_of(kind))}
        recipes.append(Recipe(make, {**arguments, "seed": len(recipes)}))
    merge_mode = draw(st.sampled_from(["concat", "sum"]))
    return_sequences = draw(st.booleans())
    if draw(st.booleans()):
        recipe = recipes[0]
        return lambda: keras.layers.Bidirectional(
            recipe.layer(return_sequences=return_sequences), merge_mode=merge_mode
        )
    bidirectional, depth = draw(st.booleans()), draw(st.integers(1, 2))
    return lambda: DeepRNN(
        recipes[0].layer() if depth > 1 else [recipe.layer() for recipe in recipes],
        depth=depth if depth > 1 else None,
        bidirectional=bidirectional,
        merge_mode=merge_mode,
        return_sequences=return_sequences,
    )


def built(recipe, batch, **arguments):
    cells = [parts[0][0] for parts in recipe.cells]
    # Keras's own cell cannot, on TensorFlow.
    hypothesis.assume(batch.shape[0] or keras.layers.LSTMCell not in cells)
    layer = recipe.layer(**arguments)
    layer.build(batch.shape)
    randomise(layer)
    return layer


def fix_noise(layer, batch):
    noise = layer.draw_noise(*batch.shape[:2])
    layer.draw_noise = lambda *_: noise
    return noise


def run(layer, batch, training=False, **changes):
    """One call, with some changes to the arguments that the batch gives."""
    arguments = {
        "sequences": batch.sequences,
        "mask": batch.mask,
        "initial_state": batch.initial_state(layer),
        "training": training,
        **changes,
    }
    return layer(arguments.pop("sequences"), **arguments)


def assert_same(ours, theirs, atol=1e-5):
    for a, b in zip(keras.tree.flatten(ours), keras.tree.flatten(theirs), strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        np.testing.assert_allclose(to_numpy(a), to_numpy(b), rtol=0, atol=atol)


def specs_of(result):
    return [
        (tuple(tensor.shape), keras.backend.standardize_dtype(tensor.dtype))
        for tensor in keras.tree.flatten(result)
    ]


def reversed_in_time(noise):
    return [
        CellNoise(
            drawn.per_sequence,
            {name: keras.ops.flip(mask, 1) for name, mask in drawn.per_step.items()},
        )
        for drawn in noise
    ]


def of_row(noise, regularisers, row, steps):
    """Of the noise of a batch, that of some steps of one row."""
    return [
        CellNoise(
            # Weight drop draws one mask for all rows.
            per_sequence=drawn.per_sequence
            if regulariser.shares_noise
            else {
                name: keras.ops.convert_to_tensor(to_numpy(mask)[row : row + 1])
                for name, mask in drawn.per_sequence.items()
            },
            per_step={
                name: keras.ops.convert_to_tensor(to_numpy(mask)[row : row + 1, steps])
                for name, mask in drawn.per_step.items()
            },
        )
        for drawn, regulariser in zip(noise, regularisers, strict=True)
    ]


@for_all
@hypothesis.given(data=st.data(), batch=batches(smallest=1), arguments=runs)
@pytest.mark.parametrize("kind", COUNTERPARTS)
def test_equals_keras_where_nothing_is_random(kind, data, batch, arguments):
    ours, theirs, of_kind = COUNTERPARTS[kind]
    arguments |= {"units": data.draw(sizes), **of_kind}
    dropouts = data.draw(rates_of(kind))
    # At inference zoneout is its expectation, which Keras has not.
    dropouts = {k: v for k, v in dropouts.items() if not k.startswith("zoneout")}
    layer = ours(**arguments, **dropouts)
    # Unrolling changes no number, but Keras's own unrolled loop knows fewer masks.
    counterpart = theirs(**{**arguments, "unroll": False})
    layer.build(batch.shape)
    counterpart.build(batch.shape)
    randomise(layer)
    counterpart.set_weights(layer.get_weights())
    if batch.mask is not None:
        # On JAX, Keras puts out the initial state before the first real step.
        batch = batch._replace(has_initial_state=False)
    draws_nothing = not any(dropouts[name] for name in dropouts if "dropout" in name)
    assert_same(
        run(layer, batch, training=draws_nothing),
        run(counterpart, batch, training=draws_nothing),
    )


@for_all
@hypothesis.given(data=st.data(), batch=batches(smallest=1), arguments=runs)
@pytest.mark.parametrize("kind", COUNTERPARTS)
def test_equals_the_equations_with_the_masks_drawn(kind, data, batch, arguments):
    make, _, of_kind = COUNTERPARTS[kind]
    arguments |= {"units": data.draw(sizes), **of_kind, **data.draw(rates_of(kind))}
    arguments |= {"zero_output_for_mask": False, "layer_norm": data.draw(st.booleans())}
    layer = built(Recipe(make, arguments), batch, return_state=True)
    noise = fix_noise(layer, batch)
    outputs, *states = run(layer, batch, training=True)

    units = keras.tree.flatten(layer.cell.state_size)
    initial_state = batch.initial_state(layer) or [
        np.zeros((batch.shape[0], size)) for size in units
    ]
    equations = (
        EQUATIONS[kind],
        layer.get_weights(),
        batch.sequences,
        initial_state,
        masks_of(noise),
    )
    order = {"padding": batch.mask, "backwards": layer.go_backwards}
    expected, expected_states = reference.run(*equations, **order)
    atol = reference.tolerance(*equations, **order)
    assert_same(outputs, expected if layer.return_sequences else expected[:, -1], atol)
    assert_same(states, expected_states, atol)


@for_all
@hypothesis.given(
    data=st.data(),
    batch=batches(),
    arguments=runs,
    policy=st.sampled_from(POLICIES),
    training=st.booleans(),
)
@pytest.mark.parametrize("kind", COUNTERPARTS)
def test_shapes_and_dtypes_are_those_of_keras(
    kind, data, batch, arguments, policy, training
):
    ours, theirs, of_kind = COUNTERPARTS[kind]
    arguments |= {"units": data.draw(sizes), "dtype": policy, **of_kind}
    layer = ours(**arguments, **data.draw(rates_of(kind)))
    symbolic = keras.KerasTensor(batch.shape)
    expected = specs_of(theirs(**arguments)(symbolic))
    assert specs_of(layer(symbolic)) == expected
    assert specs_of(run(layer, batch, training)) == expected


@for_all
@hypothesis.given(recipe=recipes(), batch=batches(), training=st.booleans())
def test_shapes_are_known_beforehand(recipe, batch, training):
    layer = built(recipe, batch)
    found = specs_of(run(layer, batch, training))
    assert specs_of(layer(keras.KerasTensor(batch.shape))) == found
    shapes = keras.tree.flatten(layer.compute_output_shape(batch.shape))
    assert shapes == [size for shape, _ in found for size in shape]


@for_all
@hypothesis.given(recipe=recipes(), batch=batches(), training=st.booleans())
def test_a_mask_that_keeps_everything_is_no_mask(recipe, batch, training):
    layer = built(recipe, batch)
    fix_noise(layer, batch)
    everything = np.ones(batch.shape[:2], bool)
    assert_same(
        run(layer, batch, training, mask=None),
        run(layer, batch, training, mask=everything),
    )


@for_all
@hypothesis.given(
    recipe=recipes(), batch=batches(is_padded=True), training=st.booleans()
)
@hypothesis.example(
    recipe=Recipe(LSTM, {"units": 2}),
    batch=Batch(0, (2, 3, 2), np.zeros((2, 3), bool)),
    training=True,
)
@pytest.mark.parametrize("junk", [1e4, np.nan])
def test_padding_is_never_read(recipe, batch, training, junk):
    layer = built(recipe, batch)
    fix_noise(layer, batch)
    polluted = np.where(batch.mask[..., None], batch.sequences, np.float32(junk))
    assert_same(
        run(layer, batch, training), run(layer, batch, training, sequences=polluted)
    )


@for_all
@hypothesis.given(
    recipe=recipes(),
    batch=batches(is_padded=True, smallest=1),
    training=st.booleans(),
    data=st.data(),
)
def test_a_row_gives_what_its_real_steps_alone_would(recipe, batch, training, data):
    row = data.draw(st.integers(0, batch.shape[0] - 1))
    steps = batch.mask[row]
    hypothesis.assume(steps.any())
    layer = built(recipe, batch, return_sequences=True, return_state=True)
    noise = fix_noise(layer, batch)
    outputs, *states = run(layer, batch, training)

    def of_that_row(states):
        return states and keras.tree.map_structure(lambda s: s[row : row + 1], states)

    layer.draw_noise = lambda *_: of_row(noise, layer.regularisers, row, steps)
    alone, *states_alone = run(
        layer,
        batch,
        training,
        sequences=batch.sequences[row : row + 1, steps],
        mask=None,
        initial_state=of_that_row(batch.initial_state(layer)),
    )
    in_order_of_the_loop = steps[::-1] if layer.go_backwards else steps
    assert_same(to_numpy(outputs)[row : row + 1, in_order_of_the_loop], alone)
    assert_same(of_that_row(states), states_alone)


@for_all
@hypothesis.given(recipe=recipes(), batch=batches(), training=st.booleans())
def test_unrolling_changes_nothing(recipe, batch, training):
    rolled, unrolled = (built(recipe, batch, unroll=unroll) for unroll in (False, True))
    noise = fix_noise(rolled, batch)
    unrolled.draw_noise = lambda *_: noise
    assert_same(run(rolled, batch, training), run(unrolled, batch, training))


@for_all
@hypothesis.given(recipe=recipes(), batch=batches(), training=st.booleans())
def test_backwards_is_forwards_over_the_reversed_sequence(recipe, batch, training):
    forwards, backwards = (
        built(recipe, batch, go_backwards=go_backwards)
        for go_backwards in (False, True)
    )
    noise = reversed_in_time(fix_noise(backwards, batch))
    forwards.draw_noise = lambda *_: noise
    assert_same(
        run(
            forwards,
            batch,
            training,
            sequences=batch.sequences[:, ::-1],
            mask=None if batch.mask is None else batch.mask[:, ::-1],
        ),
        run(backwards, batch, training),
    )


@for_all
@hypothesis.given(recipe=recipes(), batch=batches(smallest=1), data=st.data())
def test_stateful_parts_are_the_whole(recipe, batch, data):
    batch = batch._replace(has_initial_state=False)
    arguments = {"go_backwards": False, "return_sequences": True, "return_state": True}
    whole = built(recipe, batch, **arguments)
    stateful = built(recipe, batch, **arguments, stateful=True)
    outputs, *states = run(whole, batch)

    middle = data.draw(st.integers(1, batch.shape[1]))
    parts = [
        run(
            stateful,
            batch,
            sequences=batch.sequences[:, steps],
            mask=None if batch.mask is None else batch.mask[:, steps],
        )
        for steps in (slice(middle), slice(middle, None))
        if batch.sequences[:, steps].size
    ]
    assert_same(parts[-1][1:], states)
    real = np.ones(batch.shape[:2], bool) if batch.mask is None else batch.mask
    together = np.concatenate([to_numpy(part[0]) for part in parts], axis=1)
    assert_same(together[real], to_numpy(outputs)[real])

    stateful.reset_state()
    assert_same(run(stateful, batch), [outputs, *states])


@for_all
@hypothesis.given(recipe=recipes(), batch=batches())
def test_same_seed_same_numbers(recipe, batch):
    layer, other = built(recipe, batch), built(recipe, batch)
    for _ in range(2):
        assert_same(run(layer, batch, training=True), run(other, batch, training=True))


@for_all
@hypothesis.given(recipe=recipes(), batch=batches())
def test_configuration_says_everything(recipe, batch):
    layer = built(recipe, batch)
    config = json.dumps(layer.get_config())
    again = type(layer).from_config(json.loads(config))
    assert json.dumps(again.get_config()) == config
    again.build(batch.shape)
    again.set_weights(layer.get_weights())
    for training in (False, True):
        assert_same(run(layer, batch, training), run(again, batch, training))


@hypothesis.settings(for_all, max_examples=EXAMPLES // 2)
@hypothesis.given(
    make=composers(), batch=batches(is_padded=True), training=st.booleans()
)
def test_composers(make, batch, training):
    """Equal ones draw the same noise; one is made of the configuration of another,
    and one has other values where there is padding."""
    layer = make()
    layers = [layer, make(), type(layer).from_config(layer.get_config())]
    polluted = np.where(batch.mask[..., None], batch.sequences, np.float32(1e4))
    outputs = []
    for layer, sequences in zip(
        layers, [batch.sequences, polluted, batch.sequences], strict=True
    ):
        layer.build(batch.shape)
        randomise(layer)
        outputs.append(layer(sequences, mask=batch.mask, training=training))
    assert_same(outputs[1], outputs[0])
    assert_same(outputs[2], outputs[0])
    assert specs_of(layer(keras.KerasTensor(batch.shape))) == specs_of(outputs[0])


@for_all
@hypothesis.given(
    cell=st.sampled_from(list(CELLS)),
    batch=batches(smallest=1),
    training=st.booleans(),
    data=st.data(),
)
def test_any_nesting_runs_or_is_refused_with_the_reason(cell, batch, training, data):
    parts = [(cell, {"units": data.draw(sizes)})]
    try:
        for _ in range(data.draw(st.integers(1, 3))):
            regulariser = data.draw(st.sampled_from(list(REGULARISERS)))
            parts += [(regulariser, data.draw(REGULARISERS[regulariser]))]
            cell_of(parts)
    except ValueError as refusal:
        assert " Received: " in str(refusal)
        return
    layer = built(Recipe(RNN, {"return_sequences": True}, (parts,)), batch)
    outputs = run(layer, batch, training)
    assert np.isfinite(to_numpy(outputs)).all()
