"""The model: against the equations in NumPy, and against itself step by step."""

import keras
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_text")

from recurra.layers import RNN  # noqa: E402
from recurra.pipelines.translation import attention_loop  # noqa: E402
from recurra.pipelines.translation.attention import Attention  # noqa: E402
from recurra.pipelines.translation.config import ModelSection  # noqa: E402
from recurra.pipelines.translation.model import TranslationModel  # noqa: E402
from recurra.pipelines.translation.subwords import BEGIN, END, PADDING  # noqa: E402

VOCABULARY = 20
SMALL = {
    "embedding_size": 5,
    "encoder_units": 6,
    "decoder_units": 7,
    "attention_units": 4,
    "input_dropout": 0.0,
    "output_dropout": 0.0,
}
SOURCE = np.array([[5, 9, 4, END, 0], [7, 8, 6, 5, END], [11, END, 0, 0, 0]], np.int32)
TARGET = np.array([[5, 7, END, 0], [12, 6, 7, END], [END, 0, 0, 0]], np.int32)
TARGET_IN = np.array([[BEGIN, 5, 7, 0], [BEGIN, 12, 6, 7], [BEGIN, 0, 0, 0]], np.int32)
INPUTS = {"source": tf.constant(SOURCE), "target_in": tf.constant(TARGET_IN)}


def built(*, joint=True, label_smoothing=0.0, **options):
    section = ModelSection(**{**SMALL, **options})
    model = TranslationModel(
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


@pytest.mark.parametrize("kind", ["additive", "dot", "general"])
def test_attention_is_that_of_the_papers(kind):
    generator = np.random.default_rng(1)
    attention = Attention(kind, 4)
    attention.build(7, 7)
    for weight in attention.weights:
        weight.assign(generator.normal(size=weight.shape))
    values = generator.normal(size=(2, 5, 7)).astype("float32")
    queries = generator.normal(size=(2, 3, 7)).astype("float32")
    real = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], bool)
    contexts, weights = attention(queries, attention.memory(values, tf.constant(real)))
    for row in range(2):
        for number, query in enumerate(queries[row]):
            of_row = values[row, real[row]]
            if kind == "additive":
                w_q, w_k, b, v = (weight.numpy() for weight in attention.weights)
                energies = np.tanh(query @ w_q + of_row @ w_k + b) @ v[:, 0]
            elif kind == "general":
                energies = of_row @ (query @ attention.weights[0].numpy())
            else:
                energies = of_row @ query
            expected = softmax(energies)
            got = weights[row, number].numpy()
            np.testing.assert_allclose(got[: len(expected)], expected, rtol=1e-4)
            assert (got[len(expected) :] == 0).all()
            np.testing.assert_allclose(
                contexts[row, number], expected @ of_row, rtol=1e-4, atol=1e-5
            )


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
    ids = np.array([BEGIN, 5, 6], np.int32)
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
        energies = np.tanh((state @ w_q)[:, None] + values @ w_k + b_k) @ v[:, 0]
        weights = softmax(np.where(SOURCE != PADDING, energies, -np.inf))
        context = (weights[:, None] @ values)[:, 0]
        expected = np.tanh(
            np.concatenate([state, context, embedded], 1) @ model.readout.kernel.numpy()
            + model.readout.bias.numpy()
        )
        np.testing.assert_allclose(readout, expected, rtol=1e-3, atol=1e-5)
        logits = readout @ embeddings[:VOCABULARY].T + model.output_bias.numpy()
        got = model.logits(readout).numpy()
        np.testing.assert_allclose(got[:, END:], logits[:, END:], rtol=1e-3, atol=1e-5)
        assert (got[:, :END] < -1e8).all()
        ids = got.argmax(1).astype("int32")


CELLS = [
    {"cell": "gru"},
    {"cell": "lstm"},
    {"cell": "gru", "input_dropout": 0.3, "state_dropout": 0.2},
    {"cell": "lstm", "input_dropout": 0.3, "zoneout_hidden": 0.2, "zoneout_cell": 0.4},
    {"cell": "lstm", "input_dropout": 0.3, "state_dropout": 0.2},
    {"cell": "gru", "state_dropout": 0.2, "zoneout_hidden": 0.3},
    {"cell": "gru", "attention": "general", "encoder_dropout": 0.4},
    {"cell": "lstm", "attention": "dot", "decoder_units": 12},
    {"cell": "lstm", "layer_norm": True},
]
DEEP = [
    {"cell": "lstm", "decoder_depth": 3, "encoder_depth": 2, "zoneout_hidden": 0.3},
    {"cell": "gru", "decoder_depth": 2, "residual": False, "tied_embeddings": False},
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


@pytest.mark.parametrize("options", CELLS)
def test_the_gradient_written_out_is_that_of_automatic_differentiation(
    options, monkeypatch
):
    def loss_and_gradients():
        model = built(**options, label_smoothing=0.1)
        with tf.GradientTape() as tape:
            readouts = model(INPUTS, training=True)
            loss = model.compute_loss(
                INPUTS, tf.constant(TARGET), readouts,
                tf.constant((TARGET != PADDING).astype("float32")),
            )  # fmt: skip
        return loss, tape.gradient(loss, model.trainable_variables)

    parts_of, written_out = attention_loop._parts_of, []
    monkeypatch.setattr(
        attention_loop,
        "_parts_of",
        lambda *given: written_out.append(parts_of(*given)) or written_out[-1],
    )
    loss, gradients = loss_and_gradients()
    # Normalised layers alone are left to automatic differentiation.
    assert [part is None for part in written_out] == [bool(options.get("layer_norm"))]
    monkeypatch.setattr(attention_loop.AttentionRNN, "loop", RNN.loop)
    expected_loss, expected = loss_and_gradients()
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-5)
    for one, other in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(
            tf.convert_to_tensor(one), tf.convert_to_tensor(other), 1e-3, 1e-5
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
    logits = model.logits(readouts).numpy()[:, END:].astype("float64")
    logs = np.log(softmax(logits))
    own = logs[np.arange(6), ids - END]
    np.testing.assert_allclose(nll, -own, rtol=1e-4)
    np.testing.assert_allclose(losses, -0.7 * own - 0.3 * logs.mean(1), rtol=1e-4)


def test_the_loss_counts_real_pieces_alone():
    model = built()
    readouts = model(INPUTS)
    weights = (TARGET != PADDING).astype("float32")
    loss = model.compute_loss(INPUTS, tf.constant(TARGET), readouts, weights)
    logits = model.logits(tf.reshape(readouts, [-1, 5])).numpy()[:, END:]
    logs = np.log(softmax(logits.astype("float64"))).reshape(3, 4, -1)
    picked = np.take_along_axis(logs, np.maximum(TARGET - END, 0)[..., None], 2)[..., 0]
    np.testing.assert_allclose(loss, -(picked * weights).sum() / weights.sum(), 1e-4)


@pytest.mark.parametrize(
    "joint, tied, tables",
    [
        (True, True, [(20, 5)]),
        (False, True, [(13, 5), (20, 5)]),
        (True, False, [(13, 5), (13, 5), (20, 5)]),
    ],
)
def test_embeddings_are_tied_as_asked_for(joint, tied, tables):
    section = ModelSection(**SMALL, tied_embeddings=tied)
    model = TranslationModel(section, 20, 13, joint=joint)
    model.build()
    shapes = [tuple(weight.shape) for weight in model.trainable_variables]
    assert sorted(shape for shape in shapes if shape[0] in (13, 20)) == [
        (13,),
        *tables,
    ]
    # Only what the target has may stand in a translation.
    assert model.logits(tf.zeros([2, 5])).shape == (2, 13)
    assert model.projection().shape == (5, 13)


def test_a_model_learns_to_copy():
    keras.utils.set_random_seed(1)
    model = TranslationModel(
        ModelSection(**{**SMALL, "decoder_units": 24, "encoder_units": 16}),
        VOCABULARY, VOCABULARY, joint=True, seed=1,
    )  # fmt: skip
    model.build()
    model.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    pieces = np.random.default_rng(2).integers(4, VOCABULARY, (256, 4)).astype("int32")
    end = np.full((256, 1), END, np.int32)
    target = np.concatenate([pieces, end], 1)
    before = np.concatenate([np.full((256, 1), BEGIN, np.int32), pieces], 1)
    history = model.fit(
        {"source": target, "target_in": before}, target,
        sample_weight=np.ones(target.shape, "float32"), batch_size=32, epochs=12,
        verbose=0,
    ).history  # fmt: skip
    assert history["nll"][-1] < 0.5 * history["nll"][0]
