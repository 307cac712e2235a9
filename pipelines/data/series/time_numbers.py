"""Times that are numbers: of seconds since 1970, of days in a spreadsheet."""

import numpy as np
import pandas as pd

from .time_text import NO_STAMP, Moments

#: Of one second, by the name that `data.time_format` has for it.
EPOCHS = {"epoch_s": 1, "epoch_ms": 10**3, "epoch_us": 10**6, "epoch_ns": 10**9}
#: Days since 1899-12-30, as spreadsheets count them.
EXCEL = "excel"

_ENOUGH = 0.8
# 1973 and 2200; in days of a spreadsheet 1954 and 2119.
_EARLIEST, _LATEST = 1e8, 7_258_118_400.0
_FIRST_DAY, _LAST_DAY = 20_000, 80_000
_EXCEL_EPOCH = -25_569
_LOST_DIGITS = r"^\d(?:[.,]\d{1,8})?[eE]\+?\d+$"
# Seconds by which a stamp of few digits misses its minute, and one of all its second.
_FEW_DIGITS, _ALL_DIGITS = 6.0, 1e-3


def read_numbers(
    values: pd.Series, name: str | None = None
) -> tuple[str, Moments] | None:
    """What the numbers count, by their size, and the times that they are.

    Args:
        values: Numbers, or text of them.
        name: One of `EPOCHS` or `EXCEL`; decided by the size if left out.

    Returns:
        None where most are no numbers of a usual size.
    """
    numbers = _numeric(values)
    exact = numbers.to_numpy(np.float64, na_value=np.nan)
    if name is None:
        name = _name(exact)
        if name is None:
            return None
    if name == EXCEL:
        return name, _excel(exact)
    return name, _epoch(numbers, exact, EPOCHS[name])


def _numeric(values: pd.Series) -> pd.Series:
    """Numbers, with a decimal comma too; none where digits were lost."""
    if pd.api.types.is_numeric_dtype(values):
        return values
    text = values.astype("string").str.strip()
    text = text.str.replace(r"^(\d+),(\d+)$", r"\1.\2", regex=True)
    # "2.01501E+11" was a longer number before a spreadsheet wrote it.
    lost = text.str.contains(_LOST_DIGITS, regex=True, na=False)
    return pd.to_numeric(text.mask(lost), errors="coerce")


def _name(exact: np.ndarray) -> str | None:
    present = exact[np.isfinite(exact)]
    if len(present) < _ENOUGH * len(exact) or not len(present):
        return None
    for name, scale in EPOCHS.items():
        inside = (present / scale > _EARLIEST) & (present / scale < _LATEST)
        if inside.mean() > _ENOUGH:
            return name
    inside = (present >= _FIRST_DAY) & (present <= _LAST_DAY)
    return EXCEL if inside.mean() > 0.95 else None


def _epoch(numbers: pd.Series, exact: np.ndarray, scale: int) -> Moments:
    good = np.isfinite(exact)
    if pd.api.types.is_integer_dtype(numbers) and not numbers.isna().any():
        # A float has no room for nanoseconds.
        whole = numbers.to_numpy(np.int64)
        seconds, rest = np.divmod(whole, scale)
        nanoseconds = rest * (10**9 // scale)
    else:
        scaled = np.where(good, exact, 0.0) / scale
        seconds = np.floor(scaled).astype(np.int64)
        nanoseconds = np.round((scaled - seconds) * 1e6).astype(np.int64) * 1_000
    good &= (seconds > _EARLIEST) & (seconds < _LATEST)
    # Seconds since 1970 are counted in UTC.
    return Moments(
        np.where(good, seconds, NO_STAMP),
        np.where(good, nanoseconds, 0),
        np.where(good, 0, NO_STAMP),
    )


def _excel(exact: np.ndarray) -> Moments:
    good = (exact >= 1) & (exact <= _LAST_DAY)
    written = np.where(good, exact + _EXCEL_EPOCH, 0.0) * 86_400
    seconds, minutes = np.round(written), np.round(written / 60) * 60
    was_rounded = (np.abs(written - seconds) > _ALL_DIGITS).any()
    if was_rounded and (np.abs(written - minutes) <= _FEW_DIGITS).all():
        seconds = minutes
    stamps = np.where(good, seconds.astype(np.int64), NO_STAMP)
    none = Moments.none(len(exact))
    return Moments(stamps, none.nanoseconds, none.offsets)
