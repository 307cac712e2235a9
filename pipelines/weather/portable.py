"""What the graph does around the forecasting model, without TensorFlow."""

import datetime
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.errors import UserError

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class PortablePreprocessing:
    """From the time of a history's last row to seconds since 1970-01-01.

    All else, from raw units to raw units, is in the model.

    Args:
        settings: Is empty.
        arrays: There are none.
    """

    text_input = ""

    def __init__(self, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]):
        pass

    def inputs(self, raw: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """`history` and `known_future` as they are, and `seconds`, int64 `[N]`."""
        values = {name: np.asarray(raw[name]) for name in raw if name != "start"}
        times = [_seconds(time) for time in raw["start"]]
        return {**values, "seconds": np.array(times, np.int64)}

    def outputs(self, given: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """As they are: `forecast`, and `quantiles` if there are any."""
        return given


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
