"""What the graph does around the forecasting model, without TensorFlow."""

import datetime
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.errors import UserError
from ..core.portable import MODEL_GRAPH, Arrays, Graph, Signature

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class PortableServing:
    """From the time of a history's last row to seconds since 1970-01-01.

    All else, from raw units to raw units, is in the model.

    Args:
        settings: Is empty.
        arrays: There are none.
        graphs: Of them `model`.
    """

    text_input = ""

    def __init__(
        self, settings: Mapping[str, Any], arrays: Arrays, graphs: Mapping[str, Graph]
    ):
        self._graph = graphs[MODEL_GRAPH]

    def signatures(self) -> dict[str, Signature]:
        """`serving_default` alone."""
        return {"serving_default": self._forecast}

    def _forecast(self, raw: Mapping[str, Any]) -> Arrays:
        values = {name: np.asarray(raw[name]) for name in raw if name != "start"}
        times = [_seconds(time) for time in raw["start"]]
        return self._graph({**values, "seconds": np.array(times, np.int64)})


def _seconds(time: str | bytes) -> int:
    text = time.decode() if isinstance(time, bytes) else time
    try:
        moment = datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        raise UserError(
            f"start: expected ISO times such as 2016-12-31T23:50:00; received {text!r}"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return (moment.replace(microsecond=0) - _EPOCH) // datetime.timedelta(seconds=1)
