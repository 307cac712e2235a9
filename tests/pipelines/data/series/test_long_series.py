"""Long series are read in little memory, and come to the same to the last bit."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data import byte_store
from recurra.pipelines.data.files.streams import FileStream
from recurra.pipelines.data.large_arrays import large_array
from recurra.pipelines.data.series import column_findings
from recurra.pipelines.data.series.time_series import load_time_series

# More than are looked at together.
ROWS = 70_000


def even(rows=ROWS, unit="ms"):
    generator = np.random.default_rng(0)
    times = np.datetime64("2001-03-05T00:00:00") + 60 * np.arange(rows)
    values = 10 * np.sin(2 * np.pi * np.arange(rows) / 1440)
    values += generator.standard_normal(rows)
    return pd.DataFrame(
        {
            "time": times.astype(f"datetime64[{unit}]"),
            "temperature (degC)": values.astype(np.float32),
        }
    )


def without(share):
    rows = even()
    kept = np.random.default_rng(1).random(len(rows)) > share
    return rows[kept].reset_index(drop=True)


def with_duplicates():
    rows = even()
    again = rows.sample(50, random_state=1)
    again.iloc[:10, 1] += 1
    return pd.concat([rows, again], ignore_index=True)


def unsorted():
    order = np.arange(ROWS)
    order[65_500:65_600] = order[65_500:65_600][::-1]
    return even().iloc[order].reset_index(drop=True)


def missing():
    rows = even()
    rows.iloc[::97, 1] = np.nan
    rows.iloc[5:20, 1] = np.inf
    rows.iloc[::501, 1] = -999.0
    rows.iloc[::701, 1] = np.float32(999.9)
    rows.loc[[3, 66_000], "time"] = pd.NaT
    return rows


def columns():
    generator = np.random.default_rng(2)
    rows = even()
    rows["wind direction (deg)"] = generator.integers(0, 360, ROWS).astype(float)
    rows.iloc[::5001, 2] = 990
    rows["rain (mm)"] = np.cumsum(generator.random(ROWS)).astype(np.float32)
    rows["snow (cm)"] = np.where(np.arange(ROWS) % 900, generator.random(ROWS), -200)
    rows["id"] = np.arange(ROWS, dtype=float)
    rows["count"] = generator.integers(0, 9, ROWS)
    rows["sky"] = pd.Categorical(np.where(np.arange(ROWS) % 7, "clear", "cloud"))
    rows["empty"] = np.nan
    return rows


def counter():
    rises = np.random.default_rng(3).random(ROWS) * 0.01
    return even().assign(**{"energy (kWh)": 1e9 + np.cumsum(rises)})


def stations():
    names = np.repeat(["north", "south"], [ROWS // 2, ROWS - ROWS // 2])
    return pd.concat([even()[: ROWS // 2], even()[: ROWS - ROWS // 2]]).assign(
        station=names
    )


def in_zone(zone):
    rows = even()
    rows["time"] = rows["time"].dt.tz_localize("UTC").dt.tz_convert(zone)
    return rows


def fractions():
    rows = even()
    rows["time"] += pd.to_timedelta(np.arange(ROWS) % 900, unit="ms")
    return rows


VARIANTS = {
    "even": even,
    "nanoseconds": lambda: even(unit="ns"),
    "gaps": lambda: without(0.01),
    "a long gap": lambda: pd.concat([even()[:30_000], even()[50_000:]]),
    "duplicates": with_duplicates,
    "unsorted": unsorted,
    "missing": missing,
    "columns": columns,
    "counter": counter,
    "stations": stations,
    "UTC": lambda: in_zone("UTC"),
    "Berlin": lambda: in_zone("Europe/Berlin"),
    "fractions of seconds": fractions,
    "an index of times": lambda: even().set_index("time"),
    "an index without a name": lambda: even().set_index("time").rename_axis(None),
}


def read(path, **reading):
    """What is read, all of it, or why nothing is."""
    try:
        series = load_time_series(str(path), max_bad_fraction=0.5, **reading)
    except UserError as error:
        return str(error)
    values = [(each.values.dtype, each.values.tobytes()) for each in series.stations]
    times = [each.times().tolist() for each in series.stations]
    return series.as_dict(), series.reading_plan, values, times


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    "reading", [{}, {"step": "10min"}, {"rows_are_steps": True}, {"time_zone": "UTC"}]
)
def test_it_is_read_as_a_short_one(tmp_path, monkeypatch, variant, reading):
    path = tmp_path / "series.parquet"
    VARIANTS[variant]().to_parquet(path, row_group_size=30_000)
    short = read(path, **reading)
    monkeypatch.setattr(byte_store, "MOST_IN_MEMORY", 0)
    assert read(path, **reading) == short


def test_files_of_many_row_groups_are_let_go_of(tmp_path):
    table = pa.table({"x": np.random.default_rng(0).random(400_000)})
    pa.parquet.write_table(table, tmp_path / "a.parquet", row_group_size=10_000)
    before = pa.total_allocated_bytes()
    most = max(
        pa.total_allocated_bytes() for _ in FileStream(tmp_path / "a.parquet").tables()
    )
    assert most - before < table.nbytes / 4


def test_an_array_without_space_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(byte_store, "MOST_IN_MEMORY", 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="nowhere: cannot be written .*TMPDIR"):
        large_array(8, np.float32)


@pytest.mark.parametrize("seed", range(20))
def test_float32_is_refused_where_half_of_the_changes_are_lost(seed):
    generator = np.random.default_rng(seed)
    rows = int(generator.integers(2, 9))
    column = 2.0**20 + generator.integers(-3, 4, rows) / 4
    column[generator.random(rows) < 0.2] = np.nan
    present = column[np.isfinite(column)]
    sizes = np.abs(np.diff(present))
    sizes = sizes[sizes > 0]
    rounding = np.spacing(np.float32(np.abs(present).max(initial=0)))
    expected = len(sizes) > 0 and rounding > 0.25 * np.median(sizes)
    assert column_findings.loses_steps(column[:, None]) == expected
