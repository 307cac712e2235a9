"""The layers under Keras's own tools: LoRA, quantisation, KerasTuner."""

import keras
import numpy as np
import pytest

import recurra.layers

VOCABULARY, TEXTS, TOKENS = 30, 32, 7


def classifier(recurrent_layer):
    """A compiled classifier of texts."""
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(VOCABULARY, 8, mask_zero=True),
            recurrent_layer,
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


@pytest.fixture
def texts():
    """Token ids, and labels: whether token 1 is among them."""
    tokens = np.random.default_rng(0).integers(1, VOCABULARY, (TEXTS, TOKENS))
    tokens[: TEXTS // 2, 3] = 1
    tokens[::2, 5:] = 0
    return tokens, (tokens == 1).any(axis=1).astype("int32")


RECURRENT = {
    "zoneout": lambda: recurra.layers.LSTM(
        8, zoneout_hidden=0.1, recurrent_dropout=0.2, weight_dropout=0.1, seed=0
    ),
    "deep": lambda: recurra.layers.DeepRNN(
        [recurra.layers.GRU(8, return_sequences=True), recurra.layers.MinGRU(8)]
    ),
}


@pytest.mark.parametrize("layer", RECURRENT)
def test_lora_trains_what_it_adds(layer, texts):
    """Beside recurrent layers that stay as they were."""
    model = classifier(RECURRENT[layer]())
    model.fit(*texts, verbose=0)
    answers = model.predict(texts[0], verbose=0)
    embedding, recurrent, hidden, _ = model.layers
    recurrent.trainable = False
    for adapted in (embedding, hidden):
        adapted.enable_lora(2)
    np.testing.assert_allclose(model.predict(texts[0], verbose=0), answers, atol=1e-6)
    model.compile("adam", "sparse_categorical_crossentropy")
    kept = recurrent.get_weights(), keras.ops.convert_to_numpy(hidden._kernel)
    model.fit(*texts, verbose=0)
    for before, after in zip(kept[0], recurrent.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(kept[1], keras.ops.convert_to_numpy(hidden._kernel))
    assert np.abs(model.predict(texts[0], verbose=0) - answers).max() > 1e-4


@pytest.mark.parametrize("layer", RECURRENT)
@pytest.mark.filterwarnings(
    "ignore"
)  # Keras names the layers that it leaves as they are.
def test_quantised_models_answer_nearly_the_same(layer, texts, tmp_path):
    """And are saved and loaded: what is around recurrent layers has 8 bits."""
    model = classifier(RECURRENT[layer]())
    model.fit(*texts, epochs=3, verbose=0)
    answers = model.predict(texts[0], verbose=0)
    model.quantize("int8")
    quantised = model.predict(texts[0], verbose=0)
    assert 0 < np.abs(quantised - answers).max() < 0.02
    assert "int8" in {variable.dtype for variable in model.variables}
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(texts[0], verbose=0), quantised, atol=1e-6)


def test_keras_tuner_looks_for_their_rates(texts, tmp_path):
    keras_tuner = pytest.importorskip("keras_tuner")

    def build(choices):
        return classifier(
            recurra.layers.LSTM(
                choices.Int("units", 4, 8, step=4),
                zoneout_cell=choices.Float("zoneout_cell", 0.1, 0.3),
                seed=0,
            )
        )

    tuner = keras_tuner.RandomSearch(
        build, "val_loss", max_trials=2, seed=0, directory=tmp_path, project_name="all"
    )
    tuner.search(*texts, validation_data=texts, verbose=0)
    (best,) = tuner.get_best_hyperparameters()
    (model,) = tuner.get_best_models()
    recurrent = model.layers[1]
    assert recurrent.units == best["units"]
    assert recurrent.get_config()["zoneout_cell"] == best["zoneout_cell"]
    trial = tuner.oracle.get_best_trials()[0]
    assert model.evaluate(*texts, verbose=0) == pytest.approx(trial.score, abs=1e-4)
