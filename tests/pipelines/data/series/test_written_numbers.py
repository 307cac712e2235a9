"""What is written in any usual form is read as it was meant, or a warning says it."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.reading import PlanBuilder
from recurra.pipelines.data.series.column_formats import column_formats
from recurra.pipelines.data.series.measured_values import read_values
from recurra.pipelines.data.series.raw_tables import RawTable
from recurra.pipelines.data.series.repairs import RepairLog

MARKS = st.sampled_from(
    [(".", ","), (".", ""), (",", "."), (",", ""), (".", " "), (",", "\u2009")]
    + [(".", "'"), (",", "\u00a0"), (".", "_"), (",", "\u2019")]
)
MISSING = st.sampled_from(["", "NA", "M", "-", "---", "null", "#N/A"])
UNITS = st.sampled_from(["", " °C", "%", " km/h"])


def write(number, digits, decimal, group, strips):
    """A number with so many digits, as a spreadsheet or a logger has it."""
    text = f"{number:,.{digits}f}" if group else f"{number:.{digits}f}"
    if strips and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace(",", "\0").replace(".", decimal).replace("\0", group)


def read(words, plan):
    frame = pd.DataFrame({"x": words}, dtype=object)
    table = RawTable(
        "a", frame, np.arange(len(frame)), ("a.csv",), np.zeros(len(frame), np.int16)
    )
    formats = column_formats([table], ["x"], plan)
    values, _ = read_values(
        table,
        formats,
        RepairLog("a"),
        needed={"x"},
        sentinels={},
        max_bad_fraction=0.0,
    )
    return values[:, 0]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    numbers=st.lists(st.floats(-2e6, 2e6), min_size=3, max_size=40),
    digits=st.integers(0, 4),
    marks=MARKS,
    strips=st.booleans(),
    missing=st.lists(MISSING, max_size=3),
    unit=UNITS,
)
def test_numbers_are_read_as_they_were_written(
    numbers, digits, marks, strips, missing, unit
):
    rounded = [float(f"{number:.{digits}f}") for number in numbers]
    written = [write(number, digits, *marks, strips) for number in rounded]
    words = [word + unit for word in written] + missing
    plan = PlanBuilder()
    try:
        found = read(words, plan)
    except UserError:
        return
    expected = np.array(rounded + [np.nan] * len(missing))
    if not plan.plan().warnings:
        np.testing.assert_allclose(found, expected)
    # With its key given, any file is read.
    told = read(words, PlanBuilder({"decimal": marks[0]}))
    np.testing.assert_allclose(told, expected)
