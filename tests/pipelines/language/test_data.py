"""Streams of units, and the states that are carried along them."""

import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.data.texts.documents import Documents
from recurra.pipelines.language import data
from recurra.pipelines.language.config import LanguageTrainingConfig
from recurra.pipelines.language.data import StreamDataModule

from .conftest import TEXT


def _module(units, apart, cache=None, **keys):
    texts = TEXT.splitlines()
    documents = Documents("test", {"train": texts * 3, "validation": texts})
    training = LanguageTrainingConfig(batch_size=2, timesteps=7, **keys)
    return StreamDataModule(documents, units, training, cache, apart=apart, seed=0)


def _joined(batches):
    """Inputs and targets of each row, one after the other, without padding."""
    batches = list(batches)
    inputs = np.concatenate([x["ids"] for x, _, _ in batches], axis=1)
    targets, weights = (
        np.concatenate([batch[part] for batch in batches], axis=1) for part in (1, 2)
    )
    real = weights.ravel() > 0
    return inputs.ravel()[real], targets.ravel()[real]


@pytest.mark.parametrize("jitter", [0, 3])
def test_batches_go_on_where_the_ones_before_stopped(units, jitter):
    module = _module(units, apart=False, cut_jitter=jitter)
    (stream,) = module.documents("train")
    batches = list(module.training_batches(0))
    assert len(batches) == int(module.training_batches(0).cardinality())
    inputs, targets = _joined(batches)
    assert targets.tolist() == stream.tolist()
    assert inputs.tolist() == [0, *stream[:-1]]
    carried = [x["carry"].numpy().tolist() for x, _, _ in batches]
    assert carried == [[0, 0], *[[1, 1]] * (len(batches) - 1)]


def test_an_epoch_has_its_own_order_and_cuts(units):
    module = _module(units, apart=True, cut_jitter=3)

    def lengths(epoch):
        return [y.shape[1] for _, y, _ in module.training_batches(epoch)]

    assert lengths(1) == lengths(1)
    assert len({tuple(lengths(epoch)) for epoch in range(4)}) > 1
    streams = [_joined(module.training_batches(epoch))[1] for epoch in range(4)]
    assert len({tuple(stream) for stream in streams}) > 1
    assert len({tuple(sorted(stream)) for stream in streams}) == 1
    assert (streams[0] == 0).sum() == 6, "a boundary ends each text"


@pytest.mark.parametrize("apart", [False, True])
def test_units_of_a_long_split_are_mapped_from_a_file(
    units, tmp_path, monkeypatch, apart
):
    expected = _module(units, apart)
    for split in ("train", "validation"):
        expected.documents(split)
    monkeypatch.setattr(data, "_IN_MEMORY", 0)
    cache = tmp_path / "cache"
    for _ in range(2):
        module = _module(units, apart, cache)
        for split in ("train", "validation"):
            found = module.documents(split)
            assert [each.tolist() for each in found] == [
                each.tolist() for each in expected.documents(split)
            ]
            assert isinstance(found[0], np.memmap)
        assert len(list(cache.iterdir())) == 4
    for found, batch in zip(
        module.training_batches(1), expected.training_batches(1), strict=True
    ):
        assert found[1].numpy().tolist() == batch[1].numpy().tolist()


def test_states_are_carried_over_batches(members, units):
    model = members.model
    module = _module(units, apart=False)
    batches = list(module.validation_batches())
    outputs = tf.concat([model(x) for x, _, _ in batches], 1)
    ids = tf.concat([x["ids"] for x, _, _ in batches], 1)
    states = [tf.zeros([2, size]) for size in model.state_sizes]
    expected, after = model.read(ids, states)
    np.testing.assert_allclose(outputs, model.readouts(expected), atol=1e-5)
    for kept, state in zip(model.carried, after, strict=True):
        np.testing.assert_allclose(kept, state, atol=1e-5)
    # What came before is forgotten at the beginning of a stream.
    np.testing.assert_allclose(model(batches[0][0]), outputs[:, :7], atol=1e-5)
