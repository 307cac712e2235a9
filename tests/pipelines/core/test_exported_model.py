"""What an exported model writes as it comes, and what it is asked by."""

import numpy as np
import pytest

from recurra.pipelines.cards import ContinuationAnswer
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.core.exported_model import ExportedModel


class Card:
    answer = ContinuationAnswer(units="bytes", vocabulary_size=9)


class Written(ExportedModel):
    """Its graph gives these pieces."""

    def __init__(self, *pieces):
        self.folder, self.card = "model", Card()
        self._pieces = [*pieces, b""]

    def run(self, inputs, signature="serving_default"):
        zeros = np.zeros(1, np.float32)
        if signature == "begin":
            return {"typed": [b""], "state": zeros, "offset": zeros}
        number = inputs["first"]
        assert inputs["behind"] == [b"by" + b"".join(self._pieces[:number])]
        is_over = [number + 1 == len(self._pieces)]
        return {"text": [self._pieces[number]], "state": zeros, "is_over": is_over}


def test_characters_come_whole():
    model = Written(b"f", b"\xc3", b"\xbc", b"r")
    assert list(model.write("by")) == ["f", "\u00fc", "r"]
    assert list(model.write("by", length=2)) == ["f", "\ufffd"]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([b"a", b"E", b"N", b"D", b"b"], "a"),
        ([b"a END b"], "a "),
        ([b"a", b"E", b"N"], "aEN"),
        ([b"ENEND"], "EN"),
    ],
)
def test_nothing_of_the_stop_is_given(pieces, expected):
    assert "".join(Written(*pieces).write("by", stop="END")) == expected


@pytest.mark.parametrize(
    "option",
    [
        {"temprature": 1},
        {"temperature": -1.0},
        {"length": 0},
        {"top_k": -1},
        {"top_p": 90.0},
        {"seed": 2**31},
    ],
)
def test_options_that_cannot_be_are_refused(option):
    with pytest.raises(UserError, match=f"{min(option)}: .*; received"):
        next(Written(b"a").write("by", **option))
    with pytest.raises(UserError, match=min(option)):
        Written(b"a").predict(["by"], **option)
