"""States kept between calls: carried on, trained through, and reset."""

import keras
import numpy as np
import pytest

from recurra.layers import GRU, LSTM, VanillaRNN

from .cases import BATCH, UNITS, sequences, to_numpy
from .differentiation import gradients


@pytest.mark.parametrize("rates", [{}, {"zoneout_hidden": 0.3, "zoneout_cell": 0.2}])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_stateful_continues_where_it_stopped(policy, rates):
    if keras.backend.backend() == "torch" and policy != "float32":
        pytest.skip("Keras on torch assigns such a state to a cast copy of it")
    x = sequences()
    stateful = LSTM(UNITS, stateful=True, dtype=policy, **rates)
    whole = LSTM(UNITS, dtype=policy, **rates)
    stateful.build(x.shape)
    whole.build(x.shape)
    whole.set_weights(stateful.get_weights())
    stateful(x[:, :3])
    continued = stateful(x[:, 3:])
    np.testing.assert_allclose(
        to_numpy(keras.ops.cast(continued, "float32")),
        to_numpy(keras.ops.cast(whole(x), "float32")),
        atol=1e-5 if policy == "float32" else 0.05,
    )
    stateful.reset_state()
    assert all(not to_numpy(state).any() for state in stateful.states)
    stateful(x, training=True)
    assert any(to_numpy(state).any() for state in stateful.states)


@pytest.mark.parametrize("rates", [{}, {"dropout": 0.2, "recurrent_dropout": 0.2}])
@pytest.mark.parametrize("make", [VanillaRNN, LSTM, GRU])
def test_stateful_trains(make, rates):
    x = sequences()
    inputs = keras.Input(batch_shape=x.shape)
    layer = make(UNITS, stateful=True, return_sequences=True, **rates)
    model = keras.Model(inputs, make(1, stateful=True)(layer(inputs)))
    model.compile("adam", "mse")
    before = [weight.copy() for weight in model.get_weights()]
    model.fit(x, np.ones((len(x), 1)), batch_size=len(x), epochs=3, verbose=0)
    assert all(
        (new != old).any() for new, old in zip(model.get_weights(), before, strict=True)
    )
    assert all(to_numpy(state).any() for state in layer.states)


def test_gradients_from_the_states_of_the_layer():
    class FromStates(LSTM):
        def call(self, sequences, mask=None, training=False):
            return super().call(sequences, self.states, mask, training)

    x = sequences()
    layer = FromStates(UNITS, stateful=True)
    layer.build(x.shape)
    for gradient in gradients(layer, x, None, np.ones((BATCH, UNITS), "float32")):
        assert np.abs(to_numpy(gradient)).max() > 0


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="fit carries it there")
def test_what_fit_on_jax_does_to_the_states():
    x = sequences()
    layer = GRU(UNITS, stateful=True)
    model = keras.Sequential([layer])
    output = layer(x)
    model.compile("sgd", "mse")
    model.fit(x, to_numpy(output), batch_size=len(x), verbose=0)
    assert np.isfinite(to_numpy(output)).all()

    class Resets(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            layer.reset_state()

    # The second of two batches is within the epoch.
    twice, targets = (np.concatenate([each, each]) for each in (x, to_numpy(output)))
    with pytest.raises(RuntimeError, match="where an epoch begins or ends"):
        model.fit(twice, targets, batch_size=len(x), callbacks=[Resets()])
