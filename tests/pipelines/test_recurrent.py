"""The cells that every task's recurrent section offers."""

from typing import get_args

import keras
import pydantic
import pytest

from recurra.pipelines.recurrent import (
    CELLS,
    CellName,
    RecurrentConfig,
    recurrent_cell,
    recurrent_layer,
)


def test_the_table_has_every_name():
    assert set(CELLS) == set(get_args(CellName))


@pytest.mark.parametrize("name", CELLS)
def test_layer_and_cell_have_the_same_weights(name):
    rates = dict.fromkeys(set(CELLS[name].takes) - {"layer_norm"}, 0.1)
    config = RecurrentConfig(cell=name, **rates)
    layer = recurrent_layer(config, 4, dropout=0.1, output_dropout=0.1, seed=1)
    outputs = layer(keras.ops.ones((2, 3, 5)), training=True)
    cell = recurrent_cell(config, 4)
    cell.build((2, 5))
    cell.set_weights(layer.get_weights())
    state = cell.get_initial_state(batch_size=2)
    output, _ = cell(keras.ops.ones((2, 5)), state)
    assert outputs.shape == output.shape == (2, 4)


def test_what_a_cell_does_not_take_is_refused():
    with pytest.raises(pydantic.ValidationError, match="recurrent_dropout: not for a "):
        RecurrentConfig(cell="min_gru", recurrent_dropout=0.1)
