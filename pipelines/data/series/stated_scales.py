"""Columns of tenths: what the lines above a header, or a known format, say of them."""

import re
from collections.abc import Sequence
from pathlib import Path

from ..files.tables import read_lines
from ..reading import PlanBuilder

_STATED = re.compile(r"[#\s]*(?P<name>[\w.]+)\s*[:=](?P<text>.*\b0[.,]1\b.*)")
# NOAA ISD-Lite has no header; these of its columns are in tenths.
_ISD_LITE = re.compile(r"\d{6}-\d{5}-\d{4}")
_ISD_LITE_TENTHS = ("5", "6", "7", "9", "11", "12")


def warn_of_scales(path: Path, columns: Sequence[str], plan: PlanBuilder) -> None:
    """Warns of columns that are said to be in tenths, and are read as they stand.

    Args:
        path: of the file.
        columns: of its table.
        plan: knows the lines above the header, and takes the warning.
    """
    if plan.given("units") or plan.kept("step"):
        return
    if _ISD_LITE.match(path.name) and set(_ISD_LITE_TENTHS) <= set(columns):
        _warn(
            path, _ISD_LITE_TENTHS, "NOAA ISD-Lite has tenths of °C, hPa, m/s, mm", plan
        )
        return
    above = int(plan.plan().values().get("skip_rows") or 0)
    stated = {
        found["name"]: found["text"].strip()
        for line in (read_lines(path).lines[:above] if above else ())
        if (found := _STATED.fullmatch(line)) and found["name"] in columns
    }
    if stated:
        name, text = next(iter(stated.items()))
        _warn(path, list(stated), f"above the header stands {name}: {text[:60]}", plan)


def _warn(path: Path, names: Sequence[str], since: str, plan: PlanBuilder) -> None:
    plan.warn(
        f"{path}: {', '.join(names)} are in tenths of a unit ({since}), and are read "
        "as they stand; data.units scales, as in "
        f"\"{{'{names[0]}': '0.1 degC to degC'}}\""
    )
