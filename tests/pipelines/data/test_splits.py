"""Names of splits, their order, and fractions of rows."""

import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.files.tables import BadRow
from recurra.pipelines.data.splits import (
    check_bad_fraction,
    check_fractions,
    in_order,
    split_called,
    split_of_name,
)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("Train_2", "train"),
        ("validation", "validation"),
        ("valid", "validation"),
        ("dev.1", "validation"),
        ("test", "test"),
        ("test.2016.flickr", "test_2016_flickr"),
        ("Test.2016", "test_2016"),
        ("valley", None),
        ("trained", None),
        ("news", None),
    ],
)
def test_split_that_a_name_begins_with(name, split):
    assert split_of_name(name) == split


def test_split_of_exactly_this_name():
    assert [split_called(name) for name in ("DEV", "val", "val_2", "test_2")] == [
        "validation",
        "validation",
        None,
        None,
    ]


def test_order():
    assert in_order(["test_b", "validation", "test_a", "test", "train"]) == [
        *("train", "validation", "test", "test_a", "test_b")
    ]


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ((-0.1, 0.1), "validation_fraction: -0.1 was given"),
        ((0.1, 1.5), "test_fraction: 1.5 was given"),
        ((0.5, 0.5), "together they must be below 1"),
    ],
)
def test_fractions_that_leave_nothing(fractions, message):
    check_fractions(0.5, 0.4)
    with pytest.raises(UserError, match=message):
        check_fractions(*fractions)


def test_bad_rows():
    bad = [BadRow("a.csv", 2, "empty text"), BadRow("a.csv", 9, "no label")]
    check_bad_fraction("a.csv", bad, rows=20, max_bad_fraction=0.1)
    with pytest.raises(UserError, match="line 2: empty text; 2 of 20 rows of a.csv"):
        check_bad_fraction("a.csv", bad, rows=20, max_bad_fraction=0.09)
    with pytest.raises(UserError, match="not one of the 2 rows"):
        check_bad_fraction("a.csv", bad, rows=2, max_bad_fraction=1.0)
    with pytest.raises(UserError, match="max_bad_fraction: 2 was given"):
        check_bad_fraction("a.csv", bad, rows=20, max_bad_fraction=2)
