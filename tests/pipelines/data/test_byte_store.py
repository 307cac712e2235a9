"""Bytes and rows of numbers that go to a file when they are many."""

import numpy as np
import pytest

from recurra.pipelines.data import byte_store
from recurra.pipelines.data.byte_store import ByteStore
from recurra.pipelines.data.ragged_store import RaggedStore


@pytest.fixture(params=["in memory", "in a file"])
def kept(request, monkeypatch):
    if request.param == "in a file":
        monkeypatch.setattr(byte_store, "MOST_IN_MEMORY", 10)


@pytest.mark.usefixtures("kept")
def test_bytes_are_read_as_they_were_written():
    store, whole = ByteStore(), b""
    for number in range(20):
        part = bytes([number]) * number
        store.append(part)
        whole += part
    assert len(store) == len(whole)
    for begin in range(len(whole)):
        for end in (begin, begin + 1, begin + 30, len(whole)):
            end = min(end, len(whole))
            assert store.read(begin, end) == whole[begin:end]


def test_what_is_beyond_the_memory_leaves_no_file_behind(monkeypatch, tmp_path):
    monkeypatch.setattr(byte_store, "MOST_IN_MEMORY", 10)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    store = ByteStore()
    store.append(b"0" * 100)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("width", [0, 2])
def test_rows_are_gathered_in_any_order(width):
    generator = np.random.default_rng(0)
    lengths = generator.integers(0, 5, 30)
    shape = (width,) if width else ()
    rows = [generator.integers(0, 99, (length, *shape)) for length in lengths]
    store = RaggedStore(width)
    for begin in (0, 10, 20):
        part = rows[begin : begin + 10]
        store.append(np.concatenate(part), lengths[begin : begin + 10])
    assert len(store) == 30
    np.testing.assert_array_equal(store.lengths(), lengths)
    chosen = generator.permutation(30)[:12]
    values, found = store.gather(chosen)
    np.testing.assert_array_equal(values, np.concatenate([rows[row] for row in chosen]))
    np.testing.assert_array_equal(found, lengths[chosen])
    padded = store.padded(chosen, padding=-1)
    assert padded.shape == (12, lengths[chosen].max(), *shape)
    for row, values in zip(chosen, padded, strict=True):
        np.testing.assert_array_equal(values[: lengths[row]], rows[row])
        assert (values[lengths[row] :] == -1).all()
    assert store.padded(chosen, 0, 9).shape[1] == 9
