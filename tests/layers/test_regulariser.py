"""What all regularisers share: which cells they take, and the order they act in."""

import numpy as np

from recurra.layers import RNN, CellRegulariser, LSTMCell, Zoneout

from .cases import UNITS, LeakyCell, sequences, to_numpy


def test_cells_may_name_their_arguments_as_they_like():
    class Leaky(LeakyCell):
        def call(self, x, state):
            return super().call(x, state)

    x = sequences()
    expected, got = (
        RNN(Zoneout(cell(UNITS), 0.2), seed=1) for cell in (LeakyCell, Leaky)
    )
    expected.build(x.shape)
    got.build(x.shape)
    got.set_weights(expected.get_weights())
    np.testing.assert_array_equal(
        to_numpy(got(x, training=True)), to_numpy(expected(x, training=True))
    )


def test_what_follows_the_loop_goes_from_the_inside_out():
    class Scaled(CellRegulariser):
        def call(self, inputs, states, training=False):
            return self.run_cell(inputs, states, training)

        def after_loop(self, outputs, noise):
            return outputs * 2

    class Shifted(Scaled):
        def after_loop(self, outputs, noise):
            return outputs + 1

    x, cell = sequences(), LSTMCell(UNITS)
    plain = to_numpy(RNN(cell)(x))
    np.testing.assert_allclose(
        to_numpy(RNN(Scaled(Shifted(cell)))(x)), (plain + 1) * 2, rtol=1e-6
    )
