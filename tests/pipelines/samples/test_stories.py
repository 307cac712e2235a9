"""The generated tales."""

import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.samples.stories import sample_stories


def test_tales_are_the_same_for_the_same_seed():
    splits = sample_stories(100)
    assert splits == sample_stories(100)
    assert splits != sample_stories(100, seed=1)
    assert {name: len(texts) for name, texts in splits.items()} == {
        "train": 80,
        "validation": 10,
        "test": 10,
    }


def test_a_tale_keeps_to_its_beginning():
    for tale in sample_stories(50)["train"]:
        assert "{" not in tale
        name = tale.removeprefix("Once upon a time ").split()[0]
        first, *_, last = tale.splitlines()
        assert name in last
        thing = first.partition(" had a ")[2].partition(",")[0]
        assert thing in last


def test_numbers_out_of_range_are_refused():
    with pytest.raises(UserError, match="sample:3"):
        sample_stories(3)
