"""From users' files to regular series: what is repaired is listed, the rest refused."""

import gzip
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.series.jena import jena_file
from recurra.pipelines.data.series.repairs import RepairKind
from recurra.pipelines.data.series.time_series import load_time_series, with_columns

SHARED = Path(__file__).parents[5] / "shared/data"
needs_shared_data = pytest.mark.skipif(not SHARED.is_dir(), reason="no benchmark data")


def write(path, content, encoding="utf-8"):
    data = content.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def hours(count, start="2020-01-01"):
    return pd.date_range(start, periods=count, freq="1h")


def plain_csv(count=48, start="2020-01-01"):
    lines = ["time,T (degC),rain (mm)"]
    for number, time in enumerate(hours(count, start)):
        lines.append(f"{time:%Y-%m-%d %H:%M},{10 + np.sin(number):.2f},{number % 3}")
    return lines


def load(tmp_path, lines, name="a.csv", **options):
    return load_time_series(write(tmp_path / name, "\n".join(lines) + "\n"), **options)


def kinds(series):
    return {repair.words: repair.count for repair in series.repairs}


def only(series):
    (station,) = series.stations
    return station


def test_a_clean_file_needs_no_repair(tmp_path):
    series = load(tmp_path, plain_csv())
    station = only(series)
    assert series.repairs == () and series.bad_rows == ()
    assert station.name == "a"
    assert station.start == np.datetime64("2020-01-01T00:00:00")
    assert station.step == np.timedelta64(3600, "s")
    assert station.values.shape == (48, 2) and station.values.dtype == np.float32
    assert station.values[1, 0] == np.float32(10.84)
    assert [(v.name, v.unit, v.rule) for v in series.variables] == [
        ("T", "degC", "mean"),
        ("rain", "mm", "sum"),
    ]
    assert station.times()[-1] == np.datetime64("2020-01-02T23:00:00")


def test_rows_out_of_order_are_sorted(tmp_path):
    lines = plain_csv()
    clean = only(load(tmp_path, lines)).values
    lines[5], lines[9] = lines[9], lines[5]
    series = load(tmp_path, lines)
    np.testing.assert_array_equal(only(series).values, clean)
    assert kinds(series) == {"row out of order": 4}


def test_equal_duplicates_are_merged(tmp_path):
    lines = plain_csv()
    clean = only(load(tmp_path, lines)).values
    lines.insert(7, lines[7])
    # The same time, with a value that the other lacks.
    lines.append(lines[20].rpartition(",")[0] + ",")
    series = load(tmp_path, lines)
    np.testing.assert_array_equal(only(series).values, clean)
    assert kinds(series)["duplicate time with equal values"] == 2


def test_of_contradicting_duplicates_the_last_stands(tmp_path):
    lines = [*plain_csv(), "2020-01-01 03:00,-5.5,"]
    series = load(tmp_path, lines)
    # It brings no rain, and the earlier row did.
    assert only(series).values[3].tolist() == [-5.5, 0.0]
    repair = next(
        each
        for each in series.repairs
        if each.kind is RepairKind.CONTRADICTING_DUPLICATE
    )
    assert repair.count == 1
    assert "2020-01-01 03:00:00" in repair.examples[0]
    assert "line 50" in repair.examples[0]


def test_gaps_are_left_missing(tmp_path):
    lines = plain_csv()
    del lines[11:14]
    series = load(tmp_path, lines)
    station = only(series)
    assert len(station) == 48
    assert np.isnan(station.values).all(axis=1).nonzero()[0].tolist() == [10, 11, 12]
    (gap,) = series.repairs
    assert (gap.kind, gap.count) == ("gap", 1)
    assert gap.examples == ("2020-01-01 09:00:00, 240 min to the next row",)


def test_a_clock_shift_is_moved_back(tmp_path):
    lines = plain_csv()
    clean = only(load(tmp_path, lines)).values
    for row in range(30, 36):
        lines[row] = lines[row].replace(":00,", ":07,")
    lines[20] = lines[20].replace(":00,", ":01,")
    series = load(tmp_path, lines)
    np.testing.assert_array_equal(only(series).values, clean)
    assert kinds(series) == {"time beside the grid": 1, "clock shift": 1}
    assert "6 rows from 2020-01-02 05:07:00 by -7 min" in str(series.repairs[-1])


def test_a_clock_that_jitters(tmp_path):
    generator = np.random.default_rng(0)
    lines = ["time,T"]
    for number, time in enumerate(hours(500)):
        seconds = int(generator.integers(-40, 41)) + 1800
        lines.append(f"{time + pd.Timedelta(seconds=seconds)},{number}")
    series = load(tmp_path, lines)
    station = only(series)
    assert station.step == np.timedelta64(3600, "s")
    assert station.start == np.datetime64("2020-01-01T00:30:00")
    np.testing.assert_array_equal(station.values[:, 0], np.arange(500))


def test_times_without_a_step_are_refused(tmp_path):
    generator = np.random.default_rng(0)
    offsets = np.sort(generator.integers(0, 10_000_000, 300))
    times = pd.Timestamp("2020-01-01") + pd.to_timedelta(offsets, unit="s")
    with pytest.raises(UserError, match="rows a regular step apart were expected"):
        load(tmp_path, ["time,T", *(f"{time},1" for time in times)])


def test_a_clock_set_to_another_time_for_long_is_put_up_with(tmp_path):
    times = hours(100).union(hours(100, "2020-01-10 00:30"))
    lines = ["time,T", *(f"{time},{row}" for row, time in enumerate(times))]
    series = load(tmp_path, lines)
    assert kinds(series) == {"clock shift": 1, "gap": 1}
    station = only(series)
    assert np.isfinite(station.values).sum() == 200
    # Half-way between two steps a value goes to the later one.
    assert station.times()[-1] == np.datetime64("2020-01-14T04:00:00")


def test_daylight_saving_that_nobody_named_is_hinted_at(tmp_path):
    utc = pd.date_range("2020-09-01", periods=100 * 24, freq="1h", tz="UTC")
    wall = utc.tz_convert("Europe/Berlin").strftime("%Y-%m-%d %H:%M")
    lines = ["time,T", *(f"{time},{row}" for row, time in enumerate(wall))]
    series = load(tmp_path, lines)
    assert "name data.time_zone" in " ".join(map(str, series.repairs))
    named = load(tmp_path, lines, time_zone="Europe/Berlin")
    assert named.repairs == ()
    assert only(named).start == np.datetime64("2020-09-01T00:00:00")


def test_sentinels_words_and_text_become_missing(tmp_path):
    lines = ["time,T,p"]
    words = ["-9999", "-999", "NA", "", "cold", "-9999.0", "inf", "1e300"]
    for number, time in enumerate(hours(200)):
        value = words[number] if number < len(words) else "7.5"
        lines.append(f"{time},{value},{1000 + number}")
    series = load(tmp_path, lines)
    assert np.isnan(only(series).values[:, 0]).sum() == 8
    assert kinds(series) == {
        "missing value in T": 2,
        "text among numbers in T": 3,
        "sentinel -9999 in T": 2,
        "sentinel -999 in T": 1,
    }
    text = next(
        each for each in series.repairs if each.kind is RepairKind.TEXT_AMONG_NUMBERS
    )
    assert "line 6: 'cold'" in text.examples[0]


def test_sentinels_may_be_kept(tmp_path):
    lines = plain_csv()
    lines[4] = "2020-01-01 03:00,-9999,NA"
    series = load(tmp_path, lines, keep_sentinels=True)
    value = only(series).values[3]
    assert value[0] == -9999 and np.isnan(value[1])
    chosen = load(tmp_path, lines, sentinels=[10.0])
    assert kinds(chosen)["sentinel among other values 10 in T (degC)"] == 1


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("3,25", 3.25),
        ("-3,25", -3.25),
        (",5", 0.5),
        ("1.013,25", 1013.25),
        ("1 013,25", 1013.25),
        ("1,013.25", 1013.25),
        ("1.5", 1.5),
        ("2,5e1", 25.0),
    ],
)
def test_decimal_commas(tmp_path, written, value):
    lines = ["time;T"] + [f"{time};{written}" for time in hours(5)]
    series = load(tmp_path, lines)
    assert only(series).values[:, 0].tolist() == [value] * 5


def test_thousands_in_a_column_with_decimal_points(tmp_path):
    values = ["998.5", "1,013", "1,002.5", "999.1"]
    rows = zip(hours(4), values, strict=True)
    lines = ["time;p"] + [f"{time};{value}" for time, value in rows]
    expected = np.array([998.5, 1013.0, 1002.5, 999.1], np.float32)
    np.testing.assert_array_equal(only(load(tmp_path, lines)).values[:, 0], expected)


def test_a_column_of_text_is_left_out_and_listed(tmp_path):
    lines = [
        f"{line},{'sunny' if row else 'sky'}" for row, line in enumerate(plain_csv())
    ]
    series = load(tmp_path, lines)
    assert [variable.name for variable in series.variables] == ["T", "rain"]
    assert series.repairs[0].examples == ("sky: text such as 'sunny'",)
    with pytest.raises(UserError, match=r"'sky' holds text such as 'sunny'; numbers"):
        load(tmp_path, lines, needed=["sky"])


def test_rows_with_another_separator_are_read(tmp_path):
    lines = plain_csv()
    clean = only(load(tmp_path, lines)).values
    lines[3] = lines[3].replace(",", ";")
    lines[8] = lines[8].replace(",", "\t")
    series = load(tmp_path, lines)
    np.testing.assert_array_equal(only(series).values, clean)
    assert kinds(series) == {"row with another separator than the header": 2}


@pytest.mark.parametrize(
    ("encoding", "line_end"),
    [("utf-8", "\n"), ("utf-16", "\r\n"), ("cp1252", "\n"), ("utf-8", "\r")],
)
def test_a_rescued_row_is_decoded_as_all_others_are(tmp_path, encoding, line_end):
    lines = plain_csv()
    lines[0] = lines[0].replace("degC", "°C")
    clean = only(load(tmp_path, lines)).values
    lines[5] = lines[5].replace(",", ";")
    path = tmp_path / "b.csv"
    path.write_bytes(line_end.join(lines).encode(encoding))
    series = load_time_series(str(path))
    np.testing.assert_array_equal(only(series).values, clean)
    (repair,) = series.repairs
    assert repair.kind is RepairKind.OTHER_SEPARATOR
    assert repair.examples == (f"{path}, line 6",)


def test_latin_1(tmp_path):
    text = "\n".join(plain_csv()).replace("degC", "°C")
    path = write(tmp_path / "a.csv.gz", text, "latin-1")
    assert load_time_series(path).variables[0].unit == "°C"


def messy(count=400):
    """Out of order, duplicates, a gap, sentinels, separators mixed, text."""
    lines = ["Date Time;T (degC);p (mbar);sky"]
    for number, time in enumerate(hours(count)):
        temperature = f"{5 + number % 7},{number % 10}"
        lines.append(f"{time:%d.%m.%Y %H:%M:%S};{temperature};{990 + number / 8};fair")
    lines[40], lines[44] = lines[44], lines[40]
    lines.insert(60, lines[60])
    lines[90] = lines[90].replace(";5,", ";-9999;").replace(";6,", ";NA;")
    lines[91] = lines[91].partition(";")[0] + ";-9999;NA;fair"
    lines[120] = "05.01.2020 22:00:00,5.5,1000.25,fair"
    lines[130] = "a line that is none"
    lines[131] = "yesterday;1,0;1000;fair"
    del lines[200:210]
    return lines


def test_a_messy_file_is_repaired_with_every_repair_listed(tmp_path):
    series = load(tmp_path, messy())
    station = only(series)
    assert len(station) == 400
    assert [variable.name for variable in series.variables] == ["T", "p"]
    listed = kinds(series)
    assert set(listed) == {
        "row that cannot be read",
        "row with another separator than the header",
        "column without numbers",
        "unreadable time",
        "missing value in p (mbar)",
        "decimal comma in T (degC)",
        "sentinel -9999 in T (degC)",
        "row out of order",
        "duplicate time with equal values",
        "gap",
    }
    # Nothing is silently dropped: each row is a step, or is in the list.
    steps = (~np.isnan(station.values).all(axis=1)).sum()
    gone = 1 + 1 + 1  # a line that is none, an unreadable time, a duplicate
    all_missing = 1
    assert steps + all_missing + gone == series.rows
    assert series.bad_rows[0].line == 131
    json.dumps(series.as_dict())


def test_too_many_bad_rows_are_refused_in_one_line(tmp_path):
    lines = plain_csv()
    for row in range(10, 20):
        lines[row] = "soon" + lines[row][16:]
    with pytest.raises(UserError) as caught:
        load(tmp_path, lines)
    message = str(caught.value)
    assert "\n" not in message
    assert "10 of 48 rows are bad (20.8%; at most 5.0%" in message
    assert "unreadable time (" in message and "line 11" in message
    assert len(load(tmp_path, lines, max_bad_fraction=0.3).repairs) == 2


def test_too_many_rows_that_cannot_be_read_are_refused(tmp_path):
    lines = plain_csv()
    lines[10:14] = ["a line that is none"] * 4
    with pytest.raises(UserError, match="line 11: .*; 4 of 48 rows of .* be used"):
        load(tmp_path, lines)
    # Those of a file of many stations are not held against the first of them.
    rows = [f"{time},{name},1" for name in "abcdefgh" for time in hours(8)]
    broken = ["time,station,T", *rows, "nothing", "nothing"]
    assert len(load(tmp_path, broken, station_column="station").stations) == 8


def test_too_much_text_in_a_column_is_refused(tmp_path):
    lines = plain_csv()
    for row in range(10, 16):
        lines[row] = lines[row].rpartition(",")[0] + ",wet"
    with pytest.raises(UserError, match=r"line 11: 6 of 48 values .* 'rain \(mm\)'"):
        load(tmp_path, lines)


def test_stations_mixed_up_in_one_file_are_found_out(tmp_path):
    lines = plain_csv() + [line.replace(",1", ",2") for line in plain_csv()[1:]]
    with pytest.raises(UserError, match="name their column by --station-column"):
        load(tmp_path, lines)


def test_a_reset_clock_does_not_stretch_the_series(tmp_path):
    lines = plain_csv()
    lines[30] = "1970-01-01 00:00,3.0,0"
    series = load(tmp_path, lines)
    assert len(only(series)) == 48
    assert kinds(series)["time far from all others"] == 1


def test_a_station_column_parts_the_rows(tmp_path):
    lines = ["station,time,T"]
    for number, time in enumerate(hours(40)):
        lines.append(f"north,{time},{number}")
        if number >= 10:
            lines.append(f"south,{time},{-number}")
    series = load(tmp_path, lines, station_column="station")
    assert [station.name for station in series.stations] == ["north", "south"]
    north, south = series.stations
    assert (len(north), len(south)) == (40, 30)
    assert south.values[0, 0] == -10
    assert south.start == np.datetime64("2020-01-01T10:00:00")
    with pytest.raises(UserError, match="no column 'place' for --station-column"):
        load(tmp_path, lines, station_column="place")


def test_a_folder_has_a_station_in_each_file(tmp_path):
    write(tmp_path / "north.csv", "\n".join(plain_csv()))
    write(
        tmp_path / "south.tsv.gz",
        "\n".join(
            line.replace(",", "\t").replace("rain", "hail") for line in plain_csv(30)
        ),
    )
    (tmp_path / "notes.txt").write_text("not a station")
    series = load_time_series(str(tmp_path))
    assert [station.name for station in series.stations] == ["north", "south"]
    assert [v.name for v in series.variables] == ["T", "rain", "hail"]
    assert np.isnan(series.stations[0].values[:, 2]).all()
    assert {repair.examples for repair in series.repairs} == {
        ("hail (mm)",),
        ("rain (mm)",),
    }


def test_stations_of_different_steps_need_a_common_one(tmp_path):
    write(tmp_path / "north.csv", "\n".join(plain_csv()))
    frame = pd.DataFrame(
        {"time": pd.date_range("2020-01-01", periods=90, freq="10min"), "T (degC)": 1.0}
    )
    frame.to_parquet(tmp_path / "south.parquet")
    with pytest.raises(UserError, match="different steps .* common one by data.step"):
        load_time_series(str(tmp_path))
    series = load_time_series(str(tmp_path), step="1h")
    assert [len(station) for station in series.stations] == [48, 16]


def test_parquet_with_its_times_as_the_index(tmp_path):
    frame = pd.DataFrame({"T": np.arange(30.0)}, index=hours(30))
    frame.to_parquet(tmp_path / "a.parquet")
    station = only(load_time_series(str(tmp_path / "a.parquet")))
    assert station.start == np.datetime64("2020-01-01") and len(station) == 30


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_one_name_of_two_columns(suffix, tmp_path):
    frame = pd.DataFrame({"time": hours(30), "time ": hours(30), "T": np.arange(30.0)})
    path = tmp_path / f"a{suffix}"
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    elif suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True, date_format="iso")
    else:
        frame.to_parquet(path)
    with pytest.raises(UserError, match="names the column 'time' 2 times"):
        load_time_series(str(path))


def test_npz(tmp_path):
    values = np.arange(60.0).reshape(30, 2)
    values[4, 1], values[5, 1] = np.inf, 1e300
    path = tmp_path / "a.npz"
    np.savez(path, X=values, dates=hours(30).to_numpy(), cols=["T (degC)", "p"])
    series = load_time_series(str(path))
    assert [variable.name for variable in series.variables] == ["T", "p"]
    assert only(series).values[2].tolist() == [4.0, 5.0]
    assert kinds(series) == {"infinite value in p": 2}
    columns = tmp_path / "b.npz"
    np.savez(columns, time=hours(30).to_numpy(), T=values[:, 0])
    assert only(load_time_series(str(columns))).values.shape == (30, 1)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"X": np.zeros((5, 2))}, "no array of 5 times"),
        ({"X": np.zeros((5, 2)), "Y": np.zeros((5, 2))}, "could each be the values"),
        ({"a": np.zeros(5), "b": np.zeros(6)}, "arrays of one length"),
    ],
)
def test_npz_of_another_form_is_refused(tmp_path, arrays, said):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=said):
        load_time_series(str(tmp_path / "a.npz"))


def test_a_broken_npz_is_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK nothing")
    with pytest.raises(UserError, match="not a readable npz file"):
        load_time_series(str(tmp_path / "a.npz"))


def test_resampling_by_rules(tmp_path):
    series = load(tmp_path, plain_csv(), step="1D", resample_rules={"T": "max"})
    station = only(series)
    # The day that ends at midnight of the first has one row of 24.
    assert np.isnan(station.values[0]).all()
    assert station.start == np.datetime64("2020-01-01")
    assert station.values[1].tolist() == [np.float32(10.99), 24.0]


def test_the_columns_of_a_model_are_found_again(tmp_path):
    series = load(tmp_path, plain_csv())
    again = with_columns(series, ["rain [mm]", "T"])
    assert [variable.name for variable in again.variables] == ["rain", "T"]
    first, second = only(series).values, only(again).values
    np.testing.assert_array_equal(second, first[:, ::-1])
    with pytest.raises(UserError, match=r"needs the columns p \(mbar\); there are T"):
        with_columns(series, ["T (degC)", "p (mbar)"])


def test_a_counter_of_rows_is_no_variable(tmp_path):
    lines = [f"{row or ''},{line}" for row, line in enumerate(plain_csv())]
    series = load(tmp_path, lines)
    assert [variable.name for variable in series.variables] == ["T", "rain"]
    assert kinds(series) == {"counter of rows": 1}


def test_rows_as_steps(tmp_path):
    lines = plain_csv()
    lines.insert(7, lines[7])
    del lines[20:25]
    series = load(tmp_path, lines, rows_are_steps=True)
    station = only(series)
    assert len(station) == len(lines) - 1
    assert not np.isnan(station.values).any()
    assert station.times()[7] == station.times()[6]
    assert kinds(series) == {"irregular step": 2}
    with pytest.raises(UserError, match="cannot be resampled"):
        load(tmp_path, lines, rows_are_steps=True, step="2h")


def test_files_without_a_series_are_refused(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_time_series(str(tmp_path / "none.csv"))
    with pytest.raises(UserError, match="no file of a station in this folder"):
        load_time_series(str(tmp_path))
    with pytest.raises(UserError, match="fewer than two different times"):
        load(tmp_path, plain_csv(1))
    with pytest.raises(UserError, match="no column of numbers beside the time"):
        load(tmp_path, ["time,sky", "2020-01-01,a", "2020-01-02,b"])
    with pytest.raises(UserError, match="sample:2h: expected sample:1h"):
        load_time_series("sample:2h")


def test_jena_is_fetched_once_and_unpacked(tmp_path):
    lines = ['"Date Time","p (mbar)","T (degC)","wv (m/s)"']
    for number, time in enumerate(
        pd.date_range("2009-01-01 00:10", periods=50, freq="10min")
    ):
        lines.append(f"{time:%d.%m.%Y %H:%M:%S},996.52,{-8 + number / 10:.2f},-9999.00")
    archive = tmp_path / "jena_climate_2009_2016.csv.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("jena_climate_2009_2016.csv", "\n".join(lines))
    address = archive.as_uri()
    path = jena_file(address, tmp_path / "kept")
    archive.unlink()
    assert jena_file(address, tmp_path / "kept") == path
    series = load_time_series(str(path))
    station = only(series)
    assert station.start == np.datetime64("2009-01-01T00:10:00")
    assert station.values.shape == (50, 3)
    assert kinds(series) == {"sentinel -9999 in wv (m/s)": 50}


def test_jena_that_cannot_be_fetched_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="jena: cannot be downloaded .* by hand"):
        jena_file((tmp_path / "absent.zip").as_uri(), tmp_path / "kept")
    shutil.copy(__file__, tmp_path / "broken.csv.zip")
    with pytest.raises(UserError, match="not a whole zip archive"):
        jena_file((tmp_path / "broken.csv.zip").as_uri(), tmp_path / "kept")


@needs_shared_data
def test_the_long_horizon_benchmark_file():
    series = load_time_series(str(SHARED / "weather_ltsf_2020.csv.gz"))
    listed = {repair.words: repair for repair in series.repairs}
    assert listed["duplicate time with equal values"].count == 1
    assert listed["gap"].count == 1
    assert "100 min to the next row" in listed["gap"].examples[0]
    sentinels = [each for each in series.repairs if each.kind is RepairKind.SENTINEL]
    assert [each.count for each in sentinels] == [1, 30, 50]
    assert series.rows == 52_696 and len(only(series)) == 366 * 144
    units = {variable.name: variable.unit for variable in series.variables}
    assert units["PAR"] == "µmol/m²/s" and len(units) == 21
