"""The model: against the equations in NumPy, and against itself step by step."""

import keras
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_text")

from recurra.pipelines.sequence_to_sequence.config import ModelConfig  # noqa: E402
from recurra.pipelines.sequence_to_sequence.model import SequenceToSequenceModel  # noqa: E402
from recurra.pipelines.sequence_to_sequence.subwords import BOS, EOS, PADDING  # noqa: E402

VOCABULARY = 20
SMALL = {
    "embedding_size": 5,
    "encoder_units": 6,
    "decoder_units": 7,
    "attention_units": 4,
    "input_dropout": 0.0,
    "output_dropout": 0.0,
}
SOURCE = np.array([[5, 9, 4, EOS, 0], [7, 8, 6, 5, EOS], [11, EOS, 0, 0, 0]], np.int32)
TARGET = np.array([[5, 7, EOS, 0], [12, 6, 7, EOS], [EOS, 0, 0, 0]], np.int32)
TARGET_IN = np.array([[BOS, 5, 7, 0], [BOS, 12, 6, 7], [BOS, 0, 0, 0]], np.int32)
INPUTS = {"source": tf.constant(SOURCE), "target_in": tf.constant(TARGET_IN)}


def built(*, joint=True, label_smoothing=0.0, **options):
    section = ModelConfig(**{**SMALL, **options})
    model = SequenceToSequenceModel(
        section, VOCABULARY + 3, VOCABULARY, joint=joint,
        label_smoothing=label_smoothing, seed=3,
    )  # fmt: skip
    model.build()
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(generator.normal(size=variable.shape) * 0.6)
    return model


def softmax(values):
    shares = np.exp(values - values.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def test_a_step_of_the_decoder_follows_the_equations():
    model = built()
    memory, states = model.begin(INPUTS["source"])
    state, context = (each.numpy() for each in states)
    values, embeddings = (
        memory.values.numpy(),
        model.target_embedding.embeddings.numpy(),
    )
    start = model.starts[0]
    lengths = (SOURCE != PADDING).sum(1)[:, None]
    np.testing.assert_allclose(
        state,
        np.tanh(values.sum(1) / lengths @ start.kernel.numpy() + start.bias.numpy()),
        rtol=1e-4,
        atol=1e-5,
    )
    cell = model.decoder_cell.cell
    u, w, (b, d) = (weight.numpy() for weight in cell.weights)
    ids = np.array([BOS, 5, 6], np.int32)
    for _ in range(3):
        readout, states = model.step(memory, states, tf.constant(ids))
        embedded = embeddings[ids]
        of_input = np.concatenate([embedded, context], 1) @ u + b
        of_state = state @ w + d
        z, r, g = np.split(of_input, 3, 1)
        hz, hr, hg = np.split(of_state, 3, 1)
        z, r = sigmoid(z + hz), sigmoid(r + hr)
        state = z * state + (1 - z) * np.tanh(g + r * hg)
        w_q, w_k, b_k, v = (weight.numpy() for weight in model.attention.weights)
        scores = np.tanh((state @ w_q)[:, None] + values @ w_k + b_k) @ v[:, 0]
        weights = softmax(np.where(SOURCE != PADDING, scores, -np.inf))
        context = (weights[:, None] @ values)[:, 0]
        expected = np.tanh(
            np.concatenate([state, context, embedded], 1) @ model.readout.kernel.numpy()
            + model.readout.bias.numpy()
        )
        np.testing.assert_allclose(readout, expected, rtol=1e-3, atol=1e-5)
        logits = readout @ embeddings[:VOCABULARY].T + model.output_bias.numpy()
        got = model.logits(readout).numpy()
        np.testing.assert_allclose(got[:, EOS:], logits[:, EOS:], rtol=1e-3, atol=1e-5)
        assert (got[:, :EOS] < -1e8).all()
        ids = got.argmax(1).astype("int32")


CELLS = [
    {"cell": "gru"},
    {"cell": "lstm"},
    {"cell": "gru", "input_dropout": 0.3, "recurrent_dropout": 0.2},
    {"cell": "lstm", "input_dropout": 0.3, "zoneout_hidden": 0.2, "zoneout_cell": 0.4},
    {"cell": "lstm", "input_dropout": 0.3, "recurrent_dropout": 0.2},
    {"cell": "gru", "recurrent_dropout": 0.2, "zoneout_hidden": 0.3},
    {"cell": "gru", "attention": "general", "encoder_dropout": 0.4},
    {"cell": "lstm", "attention": "dot", "decoder_units": 12},
    {"cell": "lstm", "layer_norm": True},
]
DEEP = [
    {"cell": "lstm", "decoder_depth": 3, "encoder_depth": 2, "zoneout_hidden": 0.3},
    {"cell": "gru", "decoder_depth": 2, "residual": False, "tied_embeddings": False},
    {"cell": "vanilla", "decoder_depth": 2, "recurrent_dropout": 0.2},
    {"cell": "lstm", "weight_dropout": 0.3, "zoneout_cell": 0.2},
]


@pytest.mark.parametrize("options", CELLS + DEEP)
def test_step_by_step_is_what_teacher_forcing_computes(options):
    model = built(**options)
    memory, states = model.begin(INPUTS["source"])
    decoded = model.decode(INPUTS["target_in"], memory, states)
    for time in range(TARGET_IN.shape[1]):
        readout, states = model.step(memory, states, INPUTS["target_in"][:, time])
        np.testing.assert_allclose(
            readout, decoded.readouts[:, time], rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(
            model.attention_of(memory, states), decoded.weights[:, time], atol=1e-5
        )


def test_padding_changes_nothing():
    model = built(cell="lstm", encoder_depth=2)
    together = model(INPUTS).numpy()
    for row in range(3):
        source = SOURCE[row : row + 1, : (SOURCE[row] != PADDING).sum()]
        target = TARGET_IN[row : row + 1, : (TARGET_IN[row] != PADDING).sum()]
        alone = model({"source": tf.constant(source), "target_in": tf.constant(target)})
        np.testing.assert_allclose(
            alone[0], together[row, : target.shape[1]], rtol=1e-4, atol=1e-5
        )


def test_the_loss_is_smoothed_over_all_pieces_that_may_stand():
    model = built(label_smoothing=0.3)
    readouts = tf.random.stateless_normal([6, 5], [1, 2])
    ids = np.array([3, 4, 5, 19, 7, 3])
    losses, nll = model.losses(readouts, tf.constant(ids, tf.int32))
    logits = model.logits(readouts).numpy()[:, EOS:].astype("float64")
    logs = np.log(softmax(logits))
    own = logs[np.arange(6), ids - EOS]
    np.testing.assert_allclose(nll, -own, rtol=1e-4)
    np.testing.assert_allclose(losses, -0.7 * own - 0.3 * logs.mean(1), rtol=1e-4)


def test_the_loss_counts_real_pieces_alone():
    model = built()
    readouts = model(INPUTS)
    weights = (TARGET != PADDING).astype("float32")
    loss = model.compute_loss(INPUTS, tf.constant(TARGET), readouts, weights)
    logits = model.logits(tf.reshape(readouts, [-1, 5])).numpy()[:, EOS:]
    logs = np.log(softmax(logits.astype("float64"))).reshape(3, 4, -1)
    picked = np.take_along_axis(logs, np.maximum(TARGET - EOS, 0)[..., None], 2)[..., 0]
    np.testing.assert_allclose(loss, -(picked * weights).sum() / weights.sum(), 1e-4)


def test_a_piece_is_made_or_copied():
    model = built(copy_source=True, label_smoothing=0.3)
    # One is unknown, and one the target does not use.
    source = np.array([[5, 9, 5, EOS, 0], [1, 22, 6, 4, EOS], [11, EOS, 0, 0, 0]])
    source = tf.constant(source, tf.int32)
    inputs = {**INPUTS, "source": source}
    decoded = model(inputs)
    rows, (gate_kernel, gate_bias) = range(3), model.copy_gate.get_weights()
    readouts, weights = (each[:, 1].numpy().astype("float64") for each in decoded)
    logits = model.logits(readouts.astype("float32")).numpy().astype("float64")
    gate = sigmoid(readouts @ gate_kernel + gate_bias)
    expected = gate * softmax(logits)
    for row in rows:
        for position, piece in enumerate(source[row].numpy()):
            if EOS <= piece < VOCABULARY:
                expected[row, piece] += (1 - gate[row, 0]) * weights[row, position]
    expected /= expected.sum(1, keepdims=True)
    assert (expected[1].sum() - 1) < 1e-6
    got = model.with_copies(
        model.logits(decoded.readouts[:, 1]),
        decoded.readouts[:, 1],
        decoded.weights[:, 1],
        source,
    ).numpy()
    np.testing.assert_allclose(
        got[:, EOS:], np.log(expected[:, EOS:]), rtol=1e-3, atol=1e-4
    )
    assert (got[:, :EOS] < -1e8).all()
    ids = np.array([5, 6, 11])
    at = tf.constant([[row, 1] for row in rows], tf.int64)
    losses, nll = model.losses_at(decoded, source, tf.constant(ids, tf.int32), at)
    own = np.log(expected[rows, ids])
    np.testing.assert_allclose(nll, -own, rtol=1e-3)
    made = np.log(softmax(logits[:, EOS:])).mean(1)
    np.testing.assert_allclose(losses, -0.7 * own - 0.3 * made, rtol=1e-3)


@pytest.mark.parametrize(
    "joint, tied, tables",
    [
        (True, True, [(20, 5)]),
        (False, True, [(13, 5), (20, 5)]),
        (True, False, [(13, 5), (13, 5), (20, 5)]),
    ],
)
def test_embeddings_are_tied_as_asked_for(joint, tied, tables):
    section = ModelConfig(**SMALL, tied_embeddings=tied)
    model = SequenceToSequenceModel(section, 20, 13, joint=joint)
    model.build()
    shapes = [tuple(weight.shape) for weight in model.trainable_variables]
    assert sorted(shape for shape in shapes if shape[0] in (13, 20)) == [
        (13,),
        *tables,
    ]
    # Only what the target has may stand in a translation.
    assert model.logits(tf.zeros([2, 5])).shape == (2, 13)
    assert model.projection().shape == (5, 13)


@pytest.mark.parametrize("copy_source", [False, True])
def test_a_model_learns_to_copy(copy_source):
    keras.utils.set_random_seed(1)
    sizes = {"decoder_units": 24, "encoder_units": 16, "copy_source": copy_source}
    model = SequenceToSequenceModel(
        ModelConfig(**{**SMALL, **sizes}),
        VOCABULARY, VOCABULARY, joint=True, seed=1,
    )  # fmt: skip
    model.build()
    model.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    pieces = np.random.default_rng(2).integers(4, VOCABULARY, (256, 4)).astype("int32")
    end = np.full((256, 1), EOS, np.int32)
    target = np.concatenate([pieces, end], 1)
    before = np.concatenate([np.full((256, 1), BOS, np.int32), pieces], 1)
    history = model.fit(
        {"source": target, "target_in": before}, target,
        sample_weight=np.ones(target.shape, "float32"), batch_size=32, epochs=12,
        verbose=0,
    ).history  # fmt: skip
    assert history["nll"][-1] < 0.5 * history["nll"][0]
