"""Files as public sources write them are read right, or by the option they name."""

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.data.series.time_series import load_time_series

HOURS = pd.date_range("2020-03-01", periods=24 * 20, freq="h")
DAYS = pd.date_range("2020-01-01", periods=120, freq="D")
TEMPERATURE = np.round(8 + 6 * np.sin(np.arange(480) * 2 * np.pi / 24), 1)
RAIN = np.where(np.arange(480) % 7 == 0, 0.4, 0.0)
BEARING = (350 + 20 * (np.arange(480) % 2)) % 360


@pytest.fixture
def load(tmp_path):
    """A function of a file's name and lines: the series."""

    def load_lines(name, lines, **options):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return load_time_series(str(path), **options)

    return load_lines


def values(series, name):
    names = [variable.name for variable in series.variables]
    return series.stations[0].values[:, names.index(name)]


def variable(series, name):
    return next(each for each in series.variables if each.name == name)


def same(found, expected):
    np.testing.assert_allclose(found, np.asarray(expected, float), rtol=1e-5)


def test_open_meteo(load):
    lines = [
        "latitude,longitude,elevation,utc_offset_seconds,timezone,timezone_abbreviation",
        "52.52,13.419998,38.0,0,GMT,GMT",
        "",
        "time,temperature_2m (°C),precipitation (mm),wind_direction_10m (°),"
        "precipitation_probability (%)",
    ]
    for row, time in enumerate(HOURS):
        lines.append(
            f"{time:%Y-%m-%dT%H:%M},{TEMPERATURE[row]},{RAIN[row]:.2f},{BEARING[row]},"
            f"{row % 101}"
        )
    series = load("open-meteo.csv", lines)
    assert series.stations[0].start == np.datetime64("2020-03-01T00:00:00")
    same(values(series, "temperature_2m"), TEMPERATURE)
    kinds = [each.kind for each in series.variables]
    assert kinds == ["number", "amount", "direction", "percentage"]
    assert [each.rule for each in series.variables] == [
        "mean",
        "sum",
        "circular",
        "mean",
    ]


@pytest.mark.parametrize("has_header", [True, False])
def test_meteostat(load, has_header):
    header = "date,hour,temp,dwpt,rhum,prcp,snow,wdir,wspd,wpgt,pres,tsun,coco"
    lines = [header] if has_header else []
    for row, time in enumerate(HOURS):
        lines.append(
            f"{time:%Y-%m-%d},{time.hour},{TEMPERATURE[row]},1.0,80,{RAIN[row]},,"
            f"{BEARING[row]},9.4,,1013.2,,{row % 5}"
        )
    series = load("10384.csv", lines)
    station = series.stations[0]
    assert station.start == np.datetime64("2020-03-01T00:00:00")
    assert len(station) == 480
    if has_header:
        same(values(series, "temp"), TEMPERATURE)
        assert variable(series, "prcp").kind == "amount"
        assert variable(series, "wdir").kind == "direction"
        ignored = [
            each.column
            for each in series.reading_plan.columns
            if each.role == "ignored"
        ]
        assert ignored == ["snow", "wpgt", "tsun"]
    else:
        same(values(series, "3"), TEMPERATURE)


def test_isd_lite(load):
    lines = []
    for row, time in enumerate(HOURS):
        lines.append(
            f"{time:%Y %m %d %H}{TEMPERATURE[row] * 10:6.0f}{-9999:6}{10132:6}"
            f"{BEARING[row]:6}{31:6}{row % 9:6}{-9999:6}{-9999:6}"
        )
    series = load("037720-99999-2020.txt", lines)
    assert series.stations[0].start == np.datetime64("2020-03-01T00:00:00")
    same(values(series, "5"), np.round(TEMPERATURE * 10))
    (line,) = series.reading_plan.warnings
    assert "5, 6, 7, 9, 11, 12 are in tenths of a unit" in line
    scaled = load("037720-99999-2020.txt", lines, units={"5": "0.1 degC to degC"})
    same(values(scaled, "5"), TEMPERATURE)
    assert not scaled.reading_plan.warnings


def test_gsod(load):
    lines = ['"STATION","DATE","LATITUDE","NAME","TEMP","WDSP","MXSPD","GUST","PRCP"']
    for row, time in enumerate(DAYS):
        gust = 999.9 if row % 3 else 25.1 + row / 10
        lines.append(
            f'"72503014732","{time:%Y-%m-%d}","40.77","LA GUARDIA AIRPORT, NY US",'
            f'"{30 + row / 10:.1f}","{5 + row % 7}.1","{9 + row % 7}.9","{gust:.1f}",'
            f'" 0.0{row % 4}"'
        )
    series = load("72503014732.csv", lines)
    assert len(series.stations[0]) == 120
    assert variable(series, "WDSP").kind == "magnitude"
    assert variable(series, "PRCP").rule == "sum"
    (line,) = series.reading_plan.warnings
    assert """data.sentinels="{'GUST': [999.9]}" makes them missing""" in line
    chosen = load("72503014732.csv", lines, sentinels={"GUST": [999.9]})
    assert np.isnan(values(chosen, "GUST")).sum() == 80


def test_iem_asos(load):
    lines = ["#DEBUG: Format Typ    -> onlycomma", "#DEBUG: Time Period    -> 2020"]
    lines.append("station,valid,tmpf,drct,sknt,p01i,vsby,skyc1,metar")
    for row, time in enumerate(HOURS):
        temperature = "M" if row % 7 == 0 else f"{TEMPERATURE[row]:.2f}"
        rain = "T" if row % 9 == 0 else "0.00"
        lines.append(
            f"LGA,{time:%Y-%m-%d %H:51},{temperature},{BEARING[row]}.00,8.00,{rain},"
            f"10.00,FEW,KLGA {time:%d%H}51Z 31008KT 10SM FEW050"
        )
    series = load("asos.csv", lines)
    assert np.isnan(values(series, "tmpf")).sum() == 69
    same(values(series, "p01i"), np.zeros(480))
    assert variable(series, "drct").rule == "circular"
    assert variable(series, "p01i").rule == "sum"


def test_knmi(load):
    lines = [
        "# BRON: KONINKLIJK NEDERLANDS METEOROLOGISCH INSTITUUT (KNMI)",
        "# Opmerking: door stationsverplaatsingen zijn deze tijdreeksen inhomogeen",
        "#",
        "# DD        : Windrichting (in graden)",
        "# T         : Temperatuur (in 0.1 graden Celsius) op 1.50 m hoogte",
        "# RH        : Uursom van de neerslag (in 0.1 mm) (-1 voor <0.05 mm)",
        "#",
        "# STN,YYYYMMDD,   HH,   DD,   FH,    T,   RH",
        "",
    ]
    for row, time in enumerate(HOURS):
        date, hour = f"{time:%Y%m%d}", time.hour + 1
        bearing = 990 if row % 40 == 0 else BEARING[row]
        lines.append(
            f"  260,{date},{hour:5},{bearing:5},   30,{TEMPERATURE[row] * 10:5.0f},"
            f"{row % 5 - 1:5}"
        )
    series = load("uurgeg_260.txt", lines)
    station = series.stations[0]
    assert station.start == np.datetime64("2020-03-01T01:00:00")
    assert len(station) == 480
    same(values(series, "T"), np.round(TEMPERATURE * 10))
    assert variable(series, "DD").kind == "direction"
    assert np.isnan(values(series, "DD")).sum() == 12
    line = series.reading_plan.warnings[-1]
    assert "T, RH are in tenths of a unit" in line and "data.units scales" in line


def test_dwd(load):
    lines = ["STATIONS_ID;MESS_DATUM;QN_9;TT_TU;RF_TU;eor"]
    for row, time in enumerate(HOURS):
        temperature = "-999" if row == 30 else f"{TEMPERATURE[row]:.1f}"
        lines.append(f"        433;{time:%Y%m%d%H};    3;{temperature:>6};  81.0;eor")
    series = load("produkt_tu_stunde_00433.txt", lines)
    station = series.stations[0]
    assert station.start == np.datetime64("2020-03-01T00:00:00")
    assert np.isnan(values(series, "TT_TU")).sum() == 1
    assert "eor" not in [each.name for each in series.variables]


def test_uci_air_quality(load):
    lines = ["Date;Time;CO(GT);PT08.S1(CO);T;RH;AH;;"]
    for row, time in enumerate(HOURS):
        gas = "-200" if row % 6 == 0 else f"{2 + row % 9 / 10:.1f}".replace(".", ",")
        temperature = f"{TEMPERATURE[row]:.1f}".replace(".", ",")
        lines.append(
            f"{time:%d/%m/%Y};{time:%H.%M.%S};{gas};{1360 + row % 50};{temperature};"
            f"48,9;0,{7578 + row};;"
        )
    series = load("AirQualityUCI.csv", lines)
    station = series.stations[0]
    assert station.start == np.datetime64("2020-03-01T00:00:00")
    same(values(series, "T"), TEMPERATURE)
    assert variable(series, "RH").kind == "percentage"
    (line,) = series.reading_plan.warnings
    assert "-200 in CO" in line and "data.sentinels=" in line
    chosen = load("AirQualityUCI.csv", lines, sentinels=[-200])
    assert np.isnan(values(chosen, "CO")).sum() == 80


def test_davis_weatherlink(load):
    lines = [
        "\t\tTemp\tHi\tLow\tOut\tWind\tWind\tRain",
        "Date\tTime\tOut\tTemp\tTemp\tHum\tSpeed\tDir\t(mm)",
    ]
    points = ("N", "NNE", "---", "NNW")
    for row, time in enumerate(HOURS):
        clock = f"{time:%I:%M}{'a' if time.hour < 12 else 'p'}".lstrip("0")
        warm = TEMPERATURE[row]
        lines.append(
            f"{time:%d/%m/%y}\t{clock}\t{warm}\t{warm + 1:.1f}\t{warm - 1:.1f}\t80\t"
            f"3.0\t{points[row % 4]}\t{RAIN[row]}"
        )
    series = load("davis.txt", lines)
    station = series.stations[0]
    assert station.start == np.datetime64("2020-03-01T00:00:00")
    assert len(station) == 480
    by_kind = {each.kind: each.name for each in series.variables}
    assert np.isnan(values(series, by_kind["direction"])).sum() == 120
    assert {each.rule for each in series.variables} == {
        *("mean", "max", "min", "circular", "sum")
    }


def test_home_assistant(load):
    lines = ["entity_id,state,last_changed"]
    for row, time in enumerate(HOURS[:240]):
        lines.append(
            f"sensor.attic_temperature,{TEMPERATURE[row]},{time:%Y-%m-%dT%H:%M:%S}.123Z"
        )
        state = "unavailable" if row % 50 == 0 else 40 + row % 9
        late = time + pd.Timedelta(minutes=7 * (row % 8))
        lines.append(f"sensor.attic_humidity,{state},{late:%Y-%m-%dT%H:%M:%S}.456Z")
    series = load("history.csv", lines, step="1h")
    assert [station.name for station in series.stations] == ["history"]
    assert {each.name for each in series.variables} == {
        *("sensor.attic_humidity", "sensor.attic_temperature")
    }
    assert variable(series, "sensor.attic_humidity").kind == "percentage"


def test_ett(load):
    lines = ["date,HUFL,HULL,OT"]
    for row, time in enumerate(HOURS):
        lines.append(f"{time:%Y-%m-%d %H:%M:%S},{5.827 + row},{2.009},{30.531}")
    series = load("ETTh1.csv", lines)
    assert [each.name for each in series.variables] == ["HUFL", "HULL", "OT"]
    same(values(series, "HUFL"), 5.827 + np.arange(480))
    assert not series.reading_plan.warnings and not series.repairs


def test_newest_first(load):
    lines = ["time,T"]
    for row, time in reversed(list(enumerate(HOURS))):
        lines.append(f"{time:%Y-%m-%d %H:%M},{TEMPERATURE[row]}")
    same(values(load("newest.csv", lines), "T"), TEMPERATURE)


def write_years(folder, first, second):
    folder.mkdir()
    for name, times in ((first, HOURS[:240]), (second, HOURS[240:])):
        lines = ["time,T", *(f"{time:%Y-%m-%d %H:%M},{time.hour}" for time in times)]
        (folder / name).write_text("\n".join(lines) + "\n")
    return str(folder)


def test_yearly_files_of_one_station_are_joined_and_that_is_told(tmp_path):
    folder = write_years(tmp_path / "years", "lga-2019.csv", "lga-2020.csv")
    series = load_time_series(folder)
    (station,) = series.stations
    assert (station.name, len(station)) == ("lga", 480)
    same(station.values[:, 0], [time.hour for time in HOURS])
    (line,) = series.reading_plan.warnings
    assert "2 files of equal columns" in line and "data.join_files=false" in line
    apart = load_time_series(folder, join_files=False)
    assert [each.name for each in apart.stations] == ["lga-2019", "lga-2020"]


def test_files_of_other_names_or_of_the_same_times_are_stations(tmp_path):
    named = load_time_series(write_years(tmp_path / "named", "north.csv", "south.csv"))
    assert [each.name for each in named.stations] == ["north", "south"]
    folder = tmp_path / "same"
    write_years(folder, "a-2019.csv", "a-2020.csv")
    (folder / "a-2020.csv").write_text((folder / "a-2019.csv").read_text())
    assert len(load_time_series(str(folder)).stations) == 2


def test_stations_mixed_in_one_file_are_parted_by_the_column_that_says_so(load):
    lines = ["time,station,T"]
    for row, time in enumerate(HOURS):
        lines += [f"{time},A,{TEMPERATURE[row]}", f"{time},B,{-TEMPERATURE[row]}"]
    series = load("both.csv", lines)
    assert [each.name for each in series.stations] == ["A", "B"]
    same(series.stations[1].values[:, 0], -TEMPERATURE)
    assert "'station' is taken for stations" in series.reading_plan.warnings[0]


def test_a_column_called_number_sign_is_no_comment(tmp_path):
    path = tmp_path / "hobo.csv"
    rows = "".join(f"{i},01/13/24 {i:02d}:00:00,{20 + i}\n" for i in range(1, 10))
    path.write_text(
        '"Plot Title: Attic"\n"#","Date Time, GMT+01:00","Temp, °C (LGR S/N: 1)"\n'
        + rows
    )

    series = load_time_series(str(path))

    assert [(each.name, each.unit) for each in series.variables] == [("Temp", "°C")]
    assert len(series.stations[0]) == 9


def test_names_and_units_of_buoys_are_both_comments(tmp_path):
    path = tmp_path / "buoy.txt"
    path.write_text(
        "#YY  MM DD hh mm WDIR WSPD WVHT PRES ATMP\n"
        "#yr  mo dy hr mn degT m/s     m  hPa degC\n"
        + "".join(f"2024 01 13 {h:02d} 50 {h} {h}.5 1 990 5.5\n" for h in range(20))
    )

    series = load_time_series(str(path))

    assert [(each.name, each.unit) for each in series.variables] == [
        ("WDIR", "degT"),
        ("WSPD", "m/s"),
        ("WVHT", "m"),
        ("PRES", "hPa"),
        ("ATMP", "degC"),
    ]
    assert series.stations[0].start == np.datetime64("2024-01-13T00:50:00")


@pytest.mark.parametrize(
    ("header", "first", "start"),
    [
        ("Datum;von;bis;kWh", 0, "2024-01-13T00:00:00"),
        ("DATE;START TIME;END TIME;USAGE (kWh)", 0, "2024-01-13T00:00:00"),
        ("DeliveryDate;HourEnding;Flag;MW", 1, "2024-01-13T01:00:00"),
    ],
)
def test_hours_of_intervals_are_clock_times_where_dates_repeat(
    tmp_path, header, first, start
):
    path = tmp_path / "meter.csv"
    hours = range(first, first + 24)
    rows = [
        f"2024-01-{day};{h:02d}:00;{(h + 1) % 24:02d}:00;{h}.5\n"
        for day in (13, 14)
        for h in hours
    ]
    path.write_text(f"{header}\n" + "".join(rows))

    (station,) = load_time_series(str(path)).stations

    assert (str(station.start), len(station)) == (start, 48)
    assert station.values[:, 0].tolist() == [h + 0.5 for _ in (13, 14) for h in hours]


def test_a_line_that_tells_excel_the_delimiter_is_no_header(load):
    lines = ["sep=;", "T;Datum"] + [f"{d},5;{d}.01.2024" for d in range(13, 30)]
    series = load("excel.csv", lines)
    assert [each.column for each in series.variables] == ["T"]


def test_a_number_beside_days_without_a_header_is_no_hour(load):
    lines = ["2024-01-01,1,2", "2024-01-02,2,3", "2024-01-03,2,4"]
    series = load("days.csv", lines)
    assert series.stations[0].values.tolist() == [[1, 2], [2, 3], [2, 4]]
    assert series.stations[0].start == np.datetime64("2024-01-01T00:00:00")


def test_a_line_among_the_rows_that_names_other_columns_is_told(load, caplog):
    def rows(month):
        return [f"2024-{month:02d}-{d:02d},{d},1" for d in range(1, 29)]

    load("again.csv", ["date,a,b", *rows(1), "date,a,b", *rows(2)])
    assert "names the columns again" not in caplog.text
    load("other.csv", ["date,a,b", *rows(1), "date,b,a", *rows(2)])
    assert "line 30 names the columns again" in caplog.text


def test_stations_of_a_long_form_stay_apart_and_units_are_of_variables(load):
    lines = ["location,date,parameter,value,unit"] + [
        f"{place},2024-01-{d},{name},{d + shift},{unit}"
        for d in range(13, 30)
        for place, shift in (("A", 0), ("B", 100))
        for name, unit in (("no2", "µg/m³"), ("co", "mg/m³"))
    ]
    series = load("openaq.csv", lines)
    assert [(each.name, each.unit) for each in series.variables] == [
        ("co", "mg/m³"),
        ("no2", "µg/m³"),
    ]
    first = {each.name: each.values[0].tolist() for each in series.stations}
    assert first == {"A": [13, 13], "B": [113, 113]}


def test_values_of_a_long_form_that_fall_on_one_another_are_told(load, caplog):
    lines = ["host,date,metric,value,unit"] + [
        f"{host},2024-01-{d},cpu,{d + host},{'%' if d < 20 else 'ms'}"
        for d in range(13, 30)
        for host in (1, 2)
    ]
    load("long.csv", lines)
    assert "17 values have the time and metric of another" in caplog.text
    assert "cpu is in '%' and in 'ms'" in caplog.text


def test_months_and_hours_side_by_side_are_told(load, caplog):
    months = pd.date_range("2020-01-01", periods=12, freq="MS").strftime("%b")
    years = [f"{year}," + ",".join("1" * 12) for year in range(2000, 2020)]
    load("months.csv", ["Year," + ",".join(months), *years])
    assert "the months Jan to Dec stand side by side" in caplog.text
    days = [f"2020-01-{day}," + ",".join("1" * 24) for day in range(10, 30)]
    load("hours.csv", ["Date," + ",".join(f"H{h}" for h in range(1, 25)), *days])
    assert "the hours H1 to H24 stand side by side" in caplog.text
    days = [f"2020-01-{day},1,2,3,4" for day in range(10, 30)]
    load("clocks.csv", ["Date,00:00,06:00,12:00,18:00", *days])
    assert "the clock times 00:00 to 18:00 stand side by side" in caplog.text
