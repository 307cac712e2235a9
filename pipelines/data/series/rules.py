"""What the configuration of time series may say; imports nothing that takes time."""

from typing import Literal

#: How steps are put together into a coarser one.
Rule = Literal["mean", "sum", "circular", "max", "min", "last"]

#: Numbers that stand for a missing value, where the user names no others.
USUAL_SENTINELS = (-9999.0, -999.0)
