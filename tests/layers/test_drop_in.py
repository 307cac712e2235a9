"""Our layers in the place of Keras's: arguments, weights, configuration, life cycle."""

import inspect
import json
from functools import partial

import keras
import numpy as np
import pytest

from recurra.layers import (
    GRU,
    LSTM,
    RNN,
    CellRegulariser,
    ElementwiseCell,
    FeedForwardDropout,
    GRUCell,
    LinearCell,
    LSTMCell,
    MLSTMCell,
    Mogrifier,
    SLSTMCell,
    TemporalSkip,
    VanillaRNN,
    VanillaRNNCell,
    VariationalDropout,
    WeightDrop,
    WordDropout,
    Zoneout,
    recurrent_layer,
)

from .cases import (
    BATCH,
    FEATURES,
    PADDINGS,
    TIME,
    UNITS,
    LeakyCell,
    randomise,
    sequences,
    to_numpy,
)

PAIRS = [
    (VanillaRNN, keras.layers.SimpleRNN),
    (LSTM, keras.layers.LSTM),
    (GRU, keras.layers.GRU),
]
ALL_RATES = {
    VanillaRNN: {
        "dropout": 0.1,
        "recurrent_dropout": 0.2,
        "output_dropout": 0.3,
        "zoneout_hidden": 0.4,
        "weight_dropout": 0.2,
    },
    GRU: {
        "dropout": 0.1,
        "recurrent_dropout": 0.2,
        "output_dropout": 0.3,
        "tied_masks": False,
        "zoneout_hidden": 0.4,
        "weight_dropout": 0.2,
    },
    LSTM: {
        "dropout": 0.1,
        "recurrent_dropout": 0.2,
        "output_dropout": 0.3,
        "tied_masks": False,
        "zoneout_hidden": 0.4,
        "zoneout_cell": 0.5,
        "weight_dropout": 0.2,
    },
}
needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a feature of TensorFlow"
)


def assert_same(ours, theirs, atol=1e-6):
    for a, b in zip(keras.tree.flatten(ours), keras.tree.flatten(theirs), strict=True):
        np.testing.assert_allclose(to_numpy(a), to_numpy(b), atol=atol)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_takes_every_argument_of_keras_with_its_default(ours, theirs):
    of_ours = inspect.signature(ours).parameters
    of_theirs = inspect.signature(theirs).parameters
    assert [*of_ours][: len(of_theirs) - 1] == [*of_theirs][:-1]
    for name, parameter in of_theirs.items():
        assert of_ours[name].default == parameter.default
        assert of_ours[name].kind == parameter.kind


@pytest.mark.parametrize(
    ("arguments", "padding"),
    [
        ({}, "none"),
        ({}, "holes"),
        *(
            ({"return_sequences": True, "return_state": True}, name)
            for name in PADDINGS
        ),
        ({"go_backwards": True, "return_sequences": True}, "none"),
        ({"go_backwards": True, "return_sequences": True}, "right"),
        ({"unroll": True, "return_sequences": True}, "none"),
        ({"unroll": True, "return_sequences": True}, "holes"),
        ({"use_bias": False, "activation": None}, "none"),
        ({"use_bias": False, "activation": None}, "holes"),
        ({"return_sequences": True, "zero_output_for_mask": True}, "right"),
        ({"return_sequences": True, "zero_output_for_mask": True}, "left"),
    ],
    ids=lambda value: (
        " ".join(value) or "defaults" if isinstance(value, dict) else None
    ),
)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        *PAIRS,
        (partial(GRU, reset_after=False), partial(keras.layers.GRU, reset_after=False)),
    ],
)
def test_equals_keras_with_its_weights_both_ways(ours, theirs, arguments, padding):
    layer, keras_layer = ours(UNITS, **arguments), theirs(UNITS, **arguments)
    layer.build(sequences().shape)
    keras_layer.build(sequences().shape)
    assert [w.shape for w in layer.weights] == [w.shape for w in keras_layer.weights]
    padding = PADDINGS[padding]

    randomise(layer)
    keras_layer.set_weights(layer.get_weights())
    assert_same(
        layer(sequences(), mask=padding), keras_layer(sequences(), mask=padding)
    )
    randomise(keras_layer, seed=1)
    layer.set_weights(keras_layer.get_weights())
    assert_same(
        layer(sequences(), mask=padding, training=True),
        keras_layer(sequences(), mask=padding, training=True),
    )


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_starts_from_the_weights_that_keras_would(ours, theirs):
    initial = []
    for make in (ours, theirs):
        keras.utils.set_random_seed(3)
        layer = make(
            UNITS,
            kernel_initializer=keras.initializers.GlorotUniform(seed=1),
            recurrent_initializer=keras.initializers.Orthogonal(seed=2),
        )
        layer.build(sequences().shape)
        initial.append(layer.get_weights())
    for a, b in zip(*initial, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("make", [LSTM, GRU])
def test_implementation_is_kept_and_changes_no_number(make):
    outputs = []
    for implementation in (1, 2):
        layer = make(UNITS, implementation=implementation, dropout=0.5, seed=1)
        assert make.from_config(layer.get_config()).implementation == implementation
        layer.build(sequences().shape)
        randomise(layer)
        outputs.append(layer(sequences(), training=True))
    assert_same(*outputs)


@pytest.mark.parametrize("make", ALL_RATES)
def test_shorthand_is_wrapping(make):
    rates = ALL_RATES[make]
    short = make(UNITS, seed=1, **rates)
    cell = VariationalDropout(
        WeightDrop(short.plain_cell.__class__(UNITS), rates["weight_dropout"]),
        dropout=rates["dropout"],
        recurrent_dropout=rates["recurrent_dropout"],
        tied_masks=rates.get("tied_masks", True),
    )
    cell = Zoneout(cell, rates["zoneout_hidden"], rates.get("zoneout_cell", 0.0))
    cell = VariationalDropout(cell, output_dropout=rates["output_dropout"])
    long = RNN(cell, seed=1)
    short.build(sequences().shape)
    long.build(sequences().shape)
    randomise(short)
    long.set_weights(short.get_weights())
    for training in (True, True, False):
        assert_same(
            short(sequences(), training=training), long(sequences(), training=training)
        )


def test_no_rate_no_wrapper():
    assert type(LSTM(UNITS).cell) is LSTMCell
    assert type(GRU(UNITS).cell) is GRUCell
    assert type(VanillaRNN(UNITS).cell) is VanillaRNNCell


CONFIGURED = {
    "plain": lambda: LSTM(UNITS),
    "vanilla": lambda: VanillaRNN(
        UNITS, seed=3, activation="relu", bias_regularizer="l2", **ALL_RATES[VanillaRNN]
    ),
    "lstm": lambda: LSTM(
        UNITS,
        seed=3,
        use_cudnn=False,
        implementation=1,
        kernel_constraint="max_norm",
        activity_regularizer="l2",
        **ALL_RATES[LSTM],
    ),
    "gru": lambda: GRU(
        UNITS,
        seed=3,
        reset_after=False,
        use_cudnn=False,
        implementation=1,
        recurrent_regularizer="l2",
        **ALL_RATES[GRU],
    ),
    "normalised": lambda: GRU(UNITS, seed=3, layer_norm=True, **ALL_RATES[GRU]),
    "wrapped": lambda: RNN(
        VariationalDropout(
            Zoneout(keras.layers.LSTMCell(UNITS), 0.1, 0.2), output_dropout=0.3
        ),
        seed=3,
    ),
    "user's cell": lambda: RNN(
        WeightDrop(Zoneout(LeakyCell(UNITS), 0.1), 0.3, ("kernel",)), seed=3
    ),
    "stack": lambda: RNN(
        [
            Zoneout(LSTMCell(UNITS), 0.1),
            WeightDrop(GRUCell(UNITS), 0.3),
            VanillaRNNCell(UNITS, layer_norm=True),
        ],
        seed=3,
    ),
    "both directions": lambda: keras.layers.Bidirectional(
        LSTM(UNITS, seed=3, **ALL_RATES[LSTM])
    ),
}


@pytest.mark.parametrize("make", CONFIGURED.values(), ids=CONFIGURED)
def test_configuration_round_trip(make):
    layer = make()
    config = layer.get_config()
    again = type(layer).from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config


@pytest.mark.parametrize("make", CONFIGURED.values(), ids=CONFIGURED)
def test_saved_model_file(make, tmp_path):
    model = keras.Sequential([keras.Input((None, FEATURES)), make()])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert_same(model(sequences()), again(sequences()))


@needs_tensorflow
def test_exported_saved_model(tmp_path):
    import tensorflow as tf

    x = keras.Input((None, FEATURES))
    y = keras.layers.Masking()(x)
    y = keras.layers.Bidirectional(
        LSTM(UNITS, return_sequences=True, **ALL_RATES[LSTM])
    )(y)
    y = GRU(UNITS, return_sequences=True, **ALL_RATES[GRU])(y)
    model = keras.Model(x, LSTM(UNITS, layer_norm=True)(y))
    model.export(tmp_path, verbose=False)
    served = tf.saved_model.load(str(tmp_path))
    for shape in ((2, 5, FEATURES), (1, 9, FEATURES)):
        assert_same(
            served.serve(sequences(shape=shape)), model(sequences(shape=shape)), 1e-5
        )


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (VanillaRNN, {"dropout": 0.1, "zoneout_hidden": 0.1}),
        # No dropout: where all of three features are dropped in a sequence, each step
        # normalises zeros, and the gradient through time explodes.
        (LSTM, {"zoneout_cell": 0.1, "weight_dropout": 0.2, "layer_norm": True}),
        (GRU, {"dropout": 0.1, "weight_dropout": 0.2, "recurrent_dropout": 0.1}),
    ],
)
def test_fit_evaluate_predict(make, arguments):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((None, FEATURES)),
            keras.layers.Bidirectional(make(16, **arguments)),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.03), "mse")
    x = sequences(shape=(64, TIME, FEATURES))
    y = x[:, :, 0].sum(axis=1)
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, batch_size=32, epochs=15, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 0.6 * before
    assert model.predict(x, verbose=0).shape == (64, 1)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="compiles by XLA")
@pytest.mark.parametrize(
    ("make", "arguments"), [(LSTM, {}), (GRU, {"layer_norm": True})]
)
def test_compiled_by_xla(make, arguments):
    layer = make(UNITS, seed=1, **ALL_RATES[make], **arguments)
    model = keras.Sequential([keras.Input((TIME, FEATURES)), layer])
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=True)
    x, y = sequences(), np.ones((BATCH, UNITS))
    assert len({model.train_on_batch(x, y) for _ in range(3)}) == 3
    expected = np.mean((to_numpy(layer(x)) - y) ** 2)
    np.testing.assert_allclose(model.test_on_batch(x, y), expected, rtol=1e-5)


@pytest.mark.parametrize("make", CONFIGURED.values(), ids=CONFIGURED)
def test_noise_differs_between_training_steps(make):
    """Fitting with nothing to learn from: the loss moves by the noise alone."""
    layer = make()
    model = keras.Sequential([keras.Input((None, FEATURES)), layer])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x, y = sequences(), np.ones((BATCH, *model.output_shape[1:]))
    losses = {model.train_on_batch(x, y) for _ in range(3)}
    is_random = not isinstance(layer, LSTM) or layer.cell is not layer.plain_cell
    assert len(losses) == (3 if is_random else 1)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
@pytest.mark.parametrize(
    ("make", "arguments"),
    [(LSTM, {}), (GRU, {"reset_after": False}), (GRU, {"layer_norm": True})],
)
def test_dtype_policies(make, arguments, policy):
    arguments = {"return_sequences": True, **ALL_RATES[make], **arguments}
    layer = make(UNITS, dtype=policy, **arguments)
    policy = keras.dtype_policies.get(policy)
    outputs = layer(sequences(), mask=PADDINGS["right"], training=True)
    if keras.backend.backend() == "jax" and policy.name == "float64":
        pytest.skip("JAX computes in float32 unless told otherwise")
    assert keras.backend.standardize_dtype(outputs.dtype) == policy.compute_dtype
    assert all(weight.dtype == policy.variable_dtype for weight in layer.weights)
    # Of nearly equal summed inputs normalisation would blow up what is rounded.
    randomise(layer)
    single = make(UNITS, **arguments)
    single.build(sequences().shape)
    single.set_weights(layer.get_weights())
    for padding in ("none", "holes"):
        np.testing.assert_allclose(
            to_numpy(
                keras.ops.cast(layer(sequences(), mask=PADDINGS[padding]), "float32")
            ),
            to_numpy(single(sequences(), mask=PADDINGS[padding])),
            atol=0.05,
        )


@pytest.mark.parametrize("make", ALL_RATES)
def test_layer_normalisation_is_exact_where_half_precision_overflows(make):
    single, half = (
        make(UNITS, layer_norm=True, dtype=policy)
        for policy in ("float32", "mixed_float16")
    )
    # Summed inputs whose squares are beyond float16.
    x = 1000 * sequences()
    for layer in (single, half):
        layer.build(x.shape)
        randomise(layer)
    np.testing.assert_allclose(
        to_numpy(keras.ops.cast(half(x), "float32")), to_numpy(single(x)), atol=5e-3
    )


@pytest.mark.parametrize("name", ["recurrent_dropout", "zoneout_hidden", "units"])
def test_what_the_cell_was_made_with_cannot_be_set(name):
    layer = LSTM(UNITS, recurrent_dropout=0.1)
    with pytest.raises(AttributeError, match=name):
        setattr(layer, name, 0.9)
    assert layer.get_config()["recurrent_dropout"] == 0.1


def test_masks_as_a_column():
    mask = PADDINGS["right"]
    layer = LSTM(UNITS)
    np.testing.assert_array_equal(
        to_numpy(layer(sequences(), mask=mask[..., None])),
        to_numpy(layer(sequences(), mask=mask)),
    )


@pytest.mark.parametrize("merge_mode", ["concat", "sum", None])
def test_bidirectional_with_padding_and_noise(merge_mode):
    both = keras.layers.Bidirectional(
        LSTM(UNITS, return_sequences=True, **ALL_RATES[LSTM]), merge_mode=merge_mode
    )
    outputs = keras.tree.flatten(
        both(sequences(), mask=PADDINGS["right"], training=True)
    )
    for output in outputs:
        padded = to_numpy(output)[~PADDINGS["right"]]
        np.testing.assert_array_equal(padded, np.zeros_like(padded))


@pytest.mark.parametrize("make", ALL_RATES)
def test_padding_is_never_read_whatever_the_noise_says(make):
    layer = make(UNITS, return_state=True, **ALL_RATES[make])
    layer.build(sequences().shape)
    noise = layer.draw_noise(BATCH, TIME)
    layer.draw_noise = lambda *_: noise
    padding = PADDINGS["holes"]
    junk = np.where(padding[..., None], sequences(), 1e3).astype("float32")
    assert_same(
        layer(sequences(), mask=padding, training=True),
        layer(junk, mask=padding, training=True),
    )


def test_symbolic_shapes():
    x = keras.Input((None, FEATURES))
    outputs = LSTM(UNITS, return_sequences=True, return_state=True, **ALL_RATES[LSTM])(
        x
    )
    assert [output.shape for output in outputs] == [
        (None, None, UNITS),
        (None, UNITS),
        (None, UNITS),
    ]


def test_weights_are_counted_once():
    layer = LSTM(UNITS)
    layer(sequences())
    assert len(layer.weights) == 3
    assert layer.count_params() == 4 * UNITS * (FEATURES + UNITS + 1)
    layer.trainable = False
    assert layer.trainable_weights == []


@pytest.mark.parametrize("batch", [0, 1])
@pytest.mark.parametrize("make", ALL_RATES)
def test_small_batches(make, batch):
    for layer in (make(UNITS), make(UNITS, layer_norm=True, **ALL_RATES[make])):
        for mask in (None, np.ones((batch, TIME), bool)):
            x = sequences(shape=(batch, TIME, FEATURES))
            assert layer(x, mask=mask, training=True).shape == (batch, UNITS)
            assert layer(x, mask=mask).shape == (batch, UNITS)


@pytest.mark.parametrize("make", ALL_RATES)
def test_time_distributed(make):
    layer = make(UNITS, seed=1, layer_norm=True, **ALL_RATES[make])
    x = sequences(shape=(BATCH, 2, TIME, FEATURES))
    outputs = keras.layers.TimeDistributed(layer)(x)
    for index in range(2):
        assert_same(outputs[:, index], layer(x[:, index]))
    assert keras.layers.TimeDistributed(layer)(x, training=True).shape == outputs.shape


@pytest.mark.parametrize(
    ("rates", "padding", "in_training", "at_inference"),
    [
        ({}, "none", True, True),
        ({"dropout": 0.5, "output_dropout": 0.5}, "none", True, True),
        ({"weight_dropout": 0.5}, "none", True, True),
        ({"recurrent_dropout": 0.5}, "none", False, True),
        ({"dropout": 0.5, "tied_masks": False}, "none", False, True),
        ({"zoneout_hidden": 0.5}, "none", False, False),
        ({"layer_norm": True}, "none", False, False),
        ({}, "right", True, True),
    ],
)
@pytest.mark.parametrize(
    ("make", "counterpart"), [(LSTM, keras.layers.LSTM), (GRU, keras.layers.GRU)]
)
def test_where_the_fused_kernel_is_open(
    make, counterpart, rates, padding, in_training, at_inference, automatic, monkeypatch
):
    # Elsewhere torch alone has such a kernel.
    monkeypatch.setattr(recurrent_layer, "_has_gpu", lambda: True)
    layer = make(UNITS, **rates)
    layer.build(sequences().shape)
    entered = []
    enter = counterpart.inner_loop
    monkeypatch.setattr(
        counterpart,
        "inner_loop",
        lambda self, *args, **kwargs: (
            entered.append(self) or enter(self, *args, **kwargs)
        ),
    )
    for training, expected in ((True, in_training), (False, at_inference)):
        entered.clear()
        layer(sequences(), mask=PADDINGS[padding], training=training)
        assert bool(entered) == expected


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("make", ALL_RATES)
def test_products_with_the_inputs_come_before_the_loop(make, padding, monkeypatch):
    layer = make(UNITS, return_sequences=True)
    layer.build(sequences().shape)
    randomise(layer)
    cell_class = type(layer.cell)
    shapes, form = [], cell_class.products
    monkeypatch.setattr(
        cell_class,
        "products",
        lambda self, inputs: shapes.append(tuple(inputs.shape)) or form(self, inputs),
    )
    found = layer(sequences(), mask=PADDINGS[padding])
    # torch has a kernel for some of them.
    if keras.backend.backend() != "torch":
        assert shapes == [(BATCH, TIME, FEATURES)]
    monkeypatch.setattr(recurrent_layer.RNN, "forms_products", lambda *_: False)
    assert_same(found, layer(sequences(), mask=PADDINGS[padding]))


@pytest.mark.parametrize("make", [LSTM, GRU])
@pytest.mark.parametrize("rates", [{"recurrent_dropout": 0.1}, {"zoneout_hidden": 0.1}])
def test_required_cudnn_is_refused_where_noise_acts_within_the_recurrence(make, rates):
    layer = make(UNITS, use_cudnn=True, **rates)
    with pytest.raises(ValueError, match=r"use_cudnn.* Received: use_cudnn=True"):
        layer(sequences(), training=True)


def lstm_cell():
    return LSTMCell(UNITS)


REFUSED = {
    "rate of one": lambda: LSTM(UNITS, dropout=1.0),
    "negative rate": lambda: LSTM(UNITS, zoneout_cell=-0.1),
    "rate as text": lambda: VanillaRNN(UNITS, zoneout_hidden="0.1"),
    "nan": lambda: Zoneout(lstm_cell(), float("nan")),
    "no cell state": lambda: Zoneout(keras.layers.GRUCell(UNITS), 0.1, 0.1),
    "memory without its scale": lambda: Zoneout(MLSTMCell(UNITS), 0.1),
    "cell state without its scale": lambda: Zoneout(SLSTMCell(UNITS), 0.0, 0.1),
    "zoneout around a gated state": lambda: Mogrifier(Zoneout(lstm_cell(), 0.1)),
    "dropout in the cell": lambda: LSTMCell(UNITS, dropout=1.5),
    "recurrent dropout in the cell": lambda: GRUCell(UNITS, recurrent_dropout=1.0),
    "layer normalisation by cuDNN": lambda: GRU(UNITS, layer_norm=True, use_cudnn=True),
    "dropout in Keras's cell": lambda: Zoneout(
        keras.layers.GRUCell(UNITS, recurrent_dropout=0.1), 0.1
    ),
    "untied without gates": lambda: VariationalDropout(
        keras.layers.LSTMCell(UNITS), 0.1, tied_masks=False
    ),
    "state mask around zoneout": lambda: VariationalDropout(
        Zoneout(lstm_cell(), 0.1), recurrent_dropout=0.1
    ),
    "state mask that cannot reach the gates": lambda: VariationalDropout(
        FeedForwardDropout(GRUCell(UNITS), 0.1), recurrent_dropout=0.1
    ),
    "state mask around a skip": lambda: VariationalDropout(
        TemporalSkip(GRUCell(UNITS), 3), recurrent_dropout=0.1
    ),
    "zoneout of the cell state that a GRU has not": lambda: GRU(
        UNITS, zoneout_cell=0.1
    ),
    "output mask within zoneout": lambda: Zoneout(
        VariationalDropout(lstm_cell(), output_dropout=0.1), 0.1
    ),
}
NO_CELLS = {
    "a number": lambda: Zoneout(3, 0.1),
    "a Dense layer": lambda: Zoneout(keras.layers.Dense(3), 0.1),
    "a layer that runs a cell": lambda: VariationalDropout(LSTM(UNITS), 0.1),
    "a stack": lambda: Zoneout(keras.layers.StackedRNNCells([lstm_cell()]), 0.1),
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_refused_values(make):
    with pytest.raises(ValueError, match=r" Received: "):
        make()


@pytest.mark.parametrize("make", NO_CELLS.values(), ids=NO_CELLS)
def test_refused_cells(make):
    with pytest.raises(TypeError, match=r" Received: cell="):
        make()


def test_every_public_class_is_registered_under_its_name():
    import recurra.layers

    layers = [
        public
        for public in map(recurra.layers.__dict__.get, recurra.layers.__all__)
        if isinstance(public, type) and issubclass(public, keras.layers.Layer)
    ]
    assert WordDropout in layers
    for public in layers:
        # Bases are nobody's layer.
        if public not in (CellRegulariser, ElementwiseCell, LinearCell):
            name = keras.saving.get_registered_name(public)
            assert name == f"recurra>{public.__name__}"
