"""Losses that are no accidents: rows left out that have something in common.

A few bad rows are tolerated. Where all of them are of one kind (every midnight, one
station, every 24th row) a rule of reading is wrong, and the share does not matter.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ...core.errors import UserError

_FEWEST = 3
_FEWEST_PERIODIC = 5
# Of the rows of a kind that must be lost for the kind to be the reason.
_MOST = 0.9


def check_pattern(
    lost: np.ndarray,
    *,
    where: str,
    what: str,
    kinds: Mapping[str, np.ndarray],
    advice: str = "mend the file",
) -> None:
    """Refuses losses that share a property.

    Args:
        lost: Which rows are, bool `[rows]`.
        where: The file, for the error.
        what: What is wrong with the rows: "have no time that can be read".
        kinds: By words ("of the station", "written like"), what each row is of that
            kind, `[rows]`; None or an empty text is of none.
        advice: What to do.

    Raises:
        UserError: All lost rows are of one kind and most rows of it are lost, or they
            are a fixed number of rows apart.
    """
    rows = np.flatnonzero(lost)
    if not _FEWEST <= len(rows) < len(lost):
        return
    line = f"{where}: {len(rows)} of {len(lost)} rows {what}, and not by accident:"
    for words, values in kinds.items():
        first = values[rows[0]]
        if first is None or pd.isna(first) or first == "":
            continue
        same = np.asarray(values == first)
        if same[rows].all() and len(rows) >= _MOST * same.sum() and not same.all():
            raise UserError(f"{line} all are {words} {str(first)!r}; {advice}")
    apart = np.unique(np.diff(rows))
    if len(rows) >= _FEWEST_PERIODIC and len(apart) == 1 and apart[0] > 1:
        raise UserError(
            f"{line} every {apart[0]}th row, from row {rows[0] + 1}; {advice}"
        )
