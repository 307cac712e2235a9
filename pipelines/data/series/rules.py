"""What the configuration of time series may say; imports nothing that takes time."""

from collections.abc import Collection, Mapping
from typing import Literal

#: How steps are put together into a coarser one.
Rule = Literal["mean", "sum", "circular", "max", "min", "last"]

#: What a variable is: any number; a direction in degrees on the circle; an amount of a
#: step (rain, a count) and a magnitude (wind speed, a rate), neither below 0 and both
#: often 0; a percentage, 0 to 100; a state that holds until the next.
Kind = Literal["number", "direction", "amount", "magnitude", "percentage", "state"]

#: Numbers that stand for a missing value, where the user names no others.
USUAL_SENTINELS = (-9999.0, -999.0)

#: Such numbers, for all columns, or by column.
Sentinels = Collection[float] | Mapping[str, Collection[float]]
