"""Texts that are no Python objects, used as an array of them is."""

import numpy as np
import pytest

from recurra.pipelines.data import byte_store
from recurra.pipelines.data.texts.stored_texts import Texts, TextStore

TEXTS = [f"text {number} " + "ü漢😀"[: number % 4] * number for number in range(50)]


@pytest.fixture(params=["in memory", "in a file"])
def texts(request, monkeypatch):
    if request.param == "in a file":
        monkeypatch.setattr(byte_store, "MOST_IN_MEMORY", 100)
    return Texts.of(TEXTS)


def test_texts_are_what_was_stored(texts):
    assert len(texts) == len(TEXTS)
    assert list(texts) == texts.tolist() == TEXTS
    assert [texts[row] for row in (0, 7, -1, np.int64(3))] == [
        TEXTS[row] for row in (0, 7, -1, 3)
    ]
    array = np.asarray(texts)
    assert array.dtype == object
    assert array.tolist() == TEXTS
    with pytest.raises(IndexError):
        texts[50]


@pytest.mark.parametrize(
    "rows",
    [
        slice(3, 20, 4),
        np.arange(49, -1, -1),
        np.array([40, 2, 2, 41]),
        np.array([0, 49]),
        np.arange(50) % 3 == 1,
        np.zeros(0, np.int64),
    ],
    ids=["slice", "backwards", "again", "far apart", "bools", "none"],
)
def test_some_are_chosen_as_of_an_array(texts, rows):
    expected = np.array(TEXTS, object)
    some = texts[rows]
    assert some.tolist() == expected[rows].tolist()
    # And some of these.
    assert some[1:].tolist() == expected[rows][1:].tolist()
    assert some.lengths().tolist() == [len(text) for text in expected[rows]]
    assert some.sizes().tolist() == [len(text.encode()) for text in expected[rows]]


def test_parts_are_lists_in_order(texts):
    parts = list(texts[10:].parts(15))
    assert [len(part) for part in parts] == [15, 15, 10]
    assert sum(parts, []) == TEXTS[10:]


def test_a_store_is_appended_to_as_a_list_is():
    store = TextStore(["a"])
    store.append("b")
    store += ["c", "d"]
    assert list(store) == ["a", "b", "c", "d"]
    assert store[1] == "b"
    assert store[2:].tolist() == ["c", "d"]
    assert not TextStore()
    with pytest.raises(UnicodeEncodeError):
        store.append("\ud800")
