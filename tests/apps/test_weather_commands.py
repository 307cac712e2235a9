"""The weather task by the command line, on files as messy as users' are."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recurra.apps.main import run as run_command
from recurra.pipelines.core.runs import Run
from recurra.pipelines.data.files.tables import read_table

HOURS, LEADS = 400, 6
BASELINES = ["recurrent", "repeat_last", "seasonal_naive", "climatology", "ridge"]
SMALL = [
    *("--set", "data.history=24", "--set", f"data.horizon={LEADS}"),
    *("--set", "model.units=4", "--set", "model.head_units=4"),
    *("--set", "forecast.quantiles=[0.1, 0.9]", "--set", "training.epochs=1"),
]


def clean(hours=HOURS):
    """Lines of a file; the line of a row is its number, the header's is 0."""
    rng = np.random.default_rng(0)
    times = pd.date_range("2021-03-01", periods=hours, freq="h")
    cycle = 6 * np.sin(2 * np.pi * times.hour / 24)
    temperature = 10 + cycle + rng.normal(size=hours)
    pressure = 990 + rng.normal(size=hours).cumsum() / 5
    rows = zip(times, temperature, pressure, strict=True)
    return ["time,T (degC),p (mbar)"] + [
        f"{time:%Y-%m-%d %H:%M},{one:.2f},{other:.1f}" for time, one, other in rows
    ]


def out_of_order(lines):
    lines[40], lines[44] = lines[44], lines[40]


def duplicated(lines):
    lines.insert(60, lines[60])


def contradicting(lines):
    lines.insert(60, lines[60].rpartition(",")[0] + ",1.0")


def with_a_gap(lines):
    del lines[200:210]


def with_sentinels(lines):
    lines[90] = lines[90].rpartition(",")[0] + ",-9999"
    lines[91] = lines[91].rpartition(",")[0] + ",NA"


def with_other_separators(lines):
    lines[120] = lines[120].replace(",", ";")
    lines[121] = lines[121].replace(",", "\t")


def with_a_column_of_text(lines):
    lines[:] = [
        line.replace(",", ",fair," if row else ",sky,", 1)
        for row, line in enumerate(lines)
    ]


def with_text_among_numbers(lines):
    lines[130] = lines[130].rpartition(",")[0] + ",broken"


def with_a_shifted_clock(lines):
    for row in range(250, 256):
        lines[row] = lines[row].replace(":00,", ":07,")


def with_a_reset_clock(lines):
    lines[300] = "1970-01-01" + lines[300][10:]


def with_an_unreadable_time(lines):
    lines[140] = "yesterday" + lines[140][16:]


def with_a_line_that_is_none(lines):
    lines[150] = "a line that is none"


def with_daylight_saving(lines):
    utc = pd.date_range("2021-10-20", periods=len(lines) - 1, freq="h", tz="UTC")
    for row, time in enumerate(utc.tz_convert("Europe/Berlin"), 1):
        lines[row] = f"{time:%Y-%m-%d %H:%M}" + lines[row][16:]


# What a file has wrong, and how the repair is listed.
REPAIRED = {
    out_of_order: "4 x row out of order: sorted (a.csv, line 42;",
    duplicated: "1 x duplicate time with equal values: merged (2021-03-03 11:00:00",
    contradicting: "1 x duplicate time with contradicting values: the last in the",
    with_a_gap: "1 x gap: 10 steps left missing, the longest gaps first (2021-03-09",
    with_sentinels: "1 x sentinel -9999 in p (mbar): made missing (a.csv, line 91)",
    with_other_separators: "2 x row with another separator than the header: read",
    with_a_column_of_text: "1 x column without numbers: left out (sky: text such as",
    with_text_among_numbers: "1 x text among numbers in p (mbar): made missing (a.csv,",
    with_a_shifted_clock: "1 x clock shift: moved to the nearest step (6 rows from",
    with_a_reset_clock: "1 x time far from all others: row left out (a.csv, line 301",
    with_an_unreadable_time: "1 x unreadable time: row left out, it is a word (a.csv",
    with_a_line_that_is_none: "1 x row that cannot be read: left out (a.csv, line 151",
    with_daylight_saving: "if the clock follows daylight saving, name data.time_zone",
}


# In one file all but daylight saving; -9999 and NA are two kinds.
KINDS = len(REPAIRED)


def write(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that the command is called in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a file that has all that can be mended at once."""
    home = tmp_path_factory.mktemp("weather")
    lines = clean()
    with_a_column_of_text(lines)
    # Those that move rows last.
    for spoil in reversed(REPAIRED):
        if spoil not in (with_daylight_saving, with_a_column_of_text):
            spoil(lines)
    write(home / "messy.csv", lines)
    return home


@pytest.fixture(scope="module")
def run(home):
    """A run on that file; not to be changed."""
    arguments = ["train", "weather", "--data", str(home / "messy.csv"), *SMALL]
    assert run_command([*arguments, "--target", "T", "--run", str(home / "run")]) == 0
    return Run.open(home / "run")


@pytest.fixture(scope="module")
def model(home, run):
    """The folder of its exported model; not to be changed."""
    assert run_command(["export", str(run.path), "--to", str(home / "models")]) == 0
    return home / "models" / "run"


@pytest.mark.parametrize("spoil", REPAIRED, ids=lambda spoil: spoil.__name__)
def test_each_repair_is_listed(recurra, folder, spoil):
    lines = clean()
    spoil(lines)
    write(folder / "a.csv", lines)
    ended = recurra("data", "show", "a.csv", "--task", "weather")
    assert ended.status == 0, ended.messages
    assert f"a.csv: {len(lines) - 1} rows\n" in ended.output
    assert sum(REPAIRED[spoil] in line for line in ended.output.splitlines()) == 1


def test_a_clean_file_as_text_and_as_json(recurra, folder):
    write(folder / "a.csv", clean())
    ended = recurra("data", "show", "a.csv", "--task", "weather")
    for part in ("2021-03-01 00:00", "2021-03-17 15:00", "degC", "mbar", "400"):
        assert part in ended.output
    assert "repairs: 0\nbad rows: 0\n" in ended.output
    ended = recurra("data", "show", "a.csv", "--task", "weather", "--json")
    shown = json.loads(ended.output)
    (station,) = shown["stations"]
    assert (shown["rows"], shown["step_seconds"], shown["repairs"]) == (400, 3600, [])
    assert station["missing"] == {"T": 0, "p": 0}
    assert [variable["unit"] for variable in shown["variables"]] == ["degC", "mbar"]


def test_columns_are_named_and_stations_parted(recurra, folder):
    lines = ["site,at,when,T"]
    for number, time in enumerate(pd.date_range("2021-03-01", periods=50, freq="h")):
        lines += [f"{site},{time},{time},{number}" for site in ("north", "süd")]
    write(folder / "a.csv", lines)
    columns = ("--time-column", "at", "--station-column", "site")
    ended = recurra("data", "show", "a.csv", "--task", "weather", *columns, "--json")
    assert ended.status == 0, ended.messages
    stations = json.loads(ended.output)["stations"]
    assert [station["name"] for station in stations] == ["north", "süd"]


def test_training_on_a_messy_file_lists_every_repair(recurra, home, run):
    listed = json.loads(run.metadata_file.read_text("utf-8"))["repairs"]
    ended = recurra("data", "show", home / "messy.csv", "--task", "weather", "--json")
    assert json.loads(ended.output)["repairs"] == listed
    kinds = {repair["kind"] for repair in listed}
    assert len(kinds) == KINDS, kinds
    report = run.report.read_text("utf-8")
    assert all(kind in report for kind in kinds)


def test_evaluate_says_what_the_run_said(recurra, run, tmp_path):
    file = tmp_path / "metrics.json"
    ended = recurra("evaluate", run.path, "--json", file, "--backtest", 3)
    assert ended.status == 0, ended.messages
    assert "mae by stretch of time" in ended.output
    found, expected = json.loads(file.read_text("utf-8")), run.metrics
    assert list(found["baselines"]) == BASELINES
    assert found["model"] == pytest.approx(expected["model"], rel=1e-3, abs=1e-3)
    for name in BASELINES:
        assert found["baselines"][name] == pytest.approx(
            expected["baselines"][name], rel=1e-3, abs=1e-3
        )
        assert name.split("_")[0] in ended.output
    assert len(found["backtest"]) == 3


def test_evaluate_on_another_file(recurra, run, folder):
    lines = clean(100)
    lines[0] = lines[0].replace("time", "when")
    write(folder / "new.csv", lines)
    asked = ("--data", "new.csv", "--time-column", "when", "--json", "m.json")
    ended = recurra("evaluate", run.path, *asked)
    assert ended.status == 0, ended.messages
    metrics = json.loads(Path("m.json").read_text("utf-8"))
    assert metrics["windows"] == 100 - 24 - LEADS + 1


def test_predict_writes_what_it_prints_as_json(recurra, home, model, folder):
    ended = recurra("predict", model, "--file", home / "messy.csv")
    assert ended.status == 0, ended.messages
    assert ended.output == "messy-forecast.csv\nmessy-forecast.png\n"
    # What was mended is shown, but not among the results.
    assert ended.messages.count("repaired: ") == KINDS
    table = pd.read_csv("messy-forecast.csv")
    assert table["lead_steps"].tolist() == list(range(1, LEADS + 1))
    assert table["time"].iloc[0] == "2021-03-17 16:00:00"
    assert np.isfinite(table[["forecast", "quantile_0.1", "quantile_0.9"]]).all(None)
    ended = recurra("predict", model, "--file", home / "messy.csv", "--json")
    rows = json.loads(ended.output)
    assert [row["time"] for row in rows] == table["time"].tolist()
    forecasts = [row["forecast"] for row in rows]
    np.testing.assert_allclose(forecasts, table["forecast"], rtol=1e-6)
    for to in ("next.csv.gz", "all.jsonl", "other.parquet"):
        ended = recurra("predict", model, "--file", home / "messy.csv", "--to", to)
        assert ended.output == f"{to}\n{to.partition('.')[0]}.png\n", ended.messages
        again = read_table(Path(to)).frame["forecast"].astype(float)
        np.testing.assert_allclose(again, table["forecast"], rtol=1e-6)


def data_of_training(monkeypatch):
    """A list that gets the data which each training is to begin with."""
    loaded = []

    def train(task_class, configuration, path, **options):
        loaded.append(task_class.load(configuration))
        raise KeyboardInterrupt

    monkeypatch.setattr("recurra.pipelines.core.workflow.train", train)
    return loaded


def test_a_time_zone_makes_one_clock_of_daylight_saving(recurra, folder, monkeypatch):
    """Seen in the data that training would be given."""
    loaded = data_of_training(monkeypatch)
    lines = clean()
    with_daylight_saving(lines)
    write(folder / "a.csv", lines)
    zone = ("--set", "data.time_zone=Europe/Berlin")
    assert recurra("train", "weather", "--data", "a.csv", *zone).status == 130
    (data,) = loaded
    assert data.series.repairs == ()
    assert len(data.series.stations[0]) == HOURS


def test_splits_by_date(recurra, folder, monkeypatch):
    """Seen in the data that training would be given."""
    loaded = data_of_training(monkeypatch)
    write(folder / "a.csv", clean())
    config = folder / "mine.yaml"
    config.write_text("data: {split: {validation_from: 2021-03-10}}\n")
    dates = ("--config", config, "--set", "data.split.test_from=2021-03-12T12:00")
    ended = recurra("train", "weather", "--data", "a.csv", *dates)
    assert ended.status == 130, ended.messages
    assert loaded[0].spans[0] == {
        "train": (0, 9 * 24),
        "validation": (9 * 24, 11 * 24 + 12),
        "test": (11 * 24 + 12, HOURS),
    }


def assert_refused(ended, *parts):
    assert ended.status == 2, ended.messages
    assert ended.output == ""
    said = [
        line
        for line in ended.messages.splitlines()
        if not line.startswith(("Reading ", "Fitting ", "repaired: "))
    ]
    assert len(said) == 1, ended.messages
    assert said[0].startswith("recurra: error: ")
    for part in parts:
        assert part in said[0]


def stations_mixed_up(lines):
    lines += [line.replace(",99", ",98") for line in lines[1:]]


def half_text(lines):
    for row in range(10, 100):
        lines[row] = lines[row].rpartition(",")[0] + ",wet"


def irregular(lines):
    minutes = np.random.default_rng(0).integers(0, 60, len(lines))
    for row in range(1, len(lines)):
        lines[row] = lines[row].replace(":00,", f":{minutes[row]:02},")


def without_times(lines):
    lines[:] = [line.partition(",")[2] for line in lines]


def cut_short(lines):
    del lines[20:]


# How a file is spoilt: the options of the command, and what its message says.
REFUSED = {
    "stations mixed up": (stations_mixed_up, [], ["--station-column"]),
    "text": (half_text, [], ["90 of 400 values", "'p (mbar)'"]),
    "no step": (irregular, [], ["rows a regular step apart were expected"]),
    "no times": (without_times, [], ["a.csv", "--time-column"]),
    "no such time": (None, ["--time-column", "when"], ["'when'", "--time-column"]),
    "no such target": (None, ["--target", "snow"], ["'snow'", "T, p"]),
    "no such station": (None, ["--station-column", "site"], ["'site'"]),
    "a target of text": (
        with_a_column_of_text,
        ["--target", "sky"],
        ["'sky' holds text such as 'fair'"],
    ),
    "no such file": (None, ["--data", "b.csv"], ["b.csv: no such file"]),
    "a wrong split": (None, ["--set", "data.split.test=0.9"], ["add up to 1"]),
    "a wrong date": (
        None,
        [
            *("--set", "data.split.validation_from=soon"),
            *("--set", "data.split.test_from=later"),
        ],
        ["data.split.validation_from: 'soon' is no date"],
    ),
    "a wrong zone": (None, ["--set", "data.time_zone=Berlin"], ["data.time_zone"]),
    "a wrong step": (None, ["--set", "data.step=often"], ["data.step"]),
}


@pytest.mark.parametrize("spoil, options, parts", REFUSED.values(), ids=REFUSED)
def test_wrong_data_are_refused_in_one_line(recurra, folder, spoil, options, parts):
    lines = clean()
    if spoil:
        spoil(lines)
    write(folder / "a.csv", lines)
    before = sorted(folder.rglob("*"))
    options = options if "--data" in options else ["--data", "a.csv", *options]
    ended = recurra("train", "weather", *SMALL, "--run", "run", *options)
    assert_refused(ended, *parts)
    assert sorted(folder.rglob("*")) == before


def test_a_file_that_is_too_short_leaves_no_run(recurra, folder):
    lines = clean()
    cut_short(lines)
    write(folder / "a.csv", lines)
    ended = recurra("train", "weather", *SMALL, "--run", "run", "--data", "a.csv")
    assert_refused(ended, "a.csv: the train part has no window", "24 + 6 steps")
    assert not Path("run").exists()


# Options of `data show`, and what its message says.
UNSHOWN = {
    "no such task": (["--task", "tides"], ["tides: no such task", "weather"]),
    "no such time": (["--task", "weather", "--time-column", "when"], ["'when'"]),
}


@pytest.mark.parametrize("options, parts", UNSHOWN.values(), ids=UNSHOWN)
def test_what_cannot_be_shown(recurra, folder, options, parts):
    write(folder / "a.csv", clean())
    assert_refused(recurra("data", "show", "a.csv", *options), *parts)


# Arguments behind the model, and what the message says.
UNPREDICTED = {
    "a text": (["mild"], ["this model needs recent measurements by --file"]),
    "nothing": ([], ["--file"]),
    "no such file": (["--file", "b.csv"], ["b.csv: no such file"]),
    "a file in the way": (
        ["--file", "a.csv", "--to", "a.csv"],
        ["a.csv: exists already", "--to"],
    ),
    "a picture": (["--file", "a.csv", "--to", "b.png"], ["--to", ".csv"]),
    "both": (["--file", "a.csv", "--to", "b.csv", "--json"], ["--to", "--json"]),
    "a missing column": (["--file", "p.csv"], ["needs the columns T (degC)"]),
    "no such time": (["--file", "a.csv", "--time-column", "when"], ["'when'"]),
}


@pytest.mark.parametrize("arguments, parts", UNPREDICTED.values(), ids=UNPREDICTED)
def test_what_cannot_be_forecast_from(recurra, folder, model, arguments, parts):
    write(folder / "a.csv", clean(48))
    rows = (line.split(",") for line in clean(48))
    write(folder / "p.csv", [f"{time},{pressure}" for time, _, pressure in rows])
    before = sorted(folder.rglob("*"))
    assert_refused(recurra("predict", model, *arguments), *parts)
    assert sorted(folder.rglob("*")) == before


# Arguments behind the run, and what the message says.
UNEVALUATED = {
    "too short": (["--data", "short.csv"], ["short.csv: the test part has no window"]),
    "a missing column": (["--data", "p.csv"], ["needs the columns T (degC)"]),
    "one stretch": (["--backtest", "1"], ["backtest", "2"]),
    "no such split": (["--split", "dev"], ["--split dev: there are train, validation"]),
}


@pytest.mark.parametrize("arguments, parts", UNEVALUATED.values(), ids=UNEVALUATED)
def test_what_cannot_be_evaluated(recurra, folder, run, arguments, parts):
    write(folder / "short.csv", clean(20))
    rows = (line.split(",") for line in clean(48))
    write(folder / "p.csv", [f"{time},{pressure}" for time, _, pressure in rows])
    assert_refused(recurra("evaluate", run.path, *arguments), *parts)


# Commands, and an option of labelled texts that each refuses.
FOREIGN = {
    "train": (["train", "weather"], "--text-column"),
    "show": (["data", "show", "sample", "--task", "weather"], "--label-column"),
    "evaluate": (["evaluate", "{run}"], "--label-column"),
    "predict": (["predict", "{model}", "--file", "a.csv"], "--text-column"),
}


@pytest.mark.parametrize("arguments, option", FOREIGN.values(), ids=FOREIGN)
def test_options_for_texts_are_none_here(recurra, run, model, arguments, option):
    paths = {"run": run.path, "model": model}
    ended = recurra(*(part.format(**paths) for part in arguments), option, "T")
    assert ended.status == 2
    assert f"No such option: {option}" in ended.messages


def test_options_are_those_of_the_task(recurra, folder):
    (folder / "texts.csv").write_text("text,label\nLovely soup.,good\n")
    for arguments in (["data", "show", "texts.csv"], ["train", "sentiment"]):
        for option in ("--time-column", "--station-column", "--target"):
            ended = recurra(*arguments, option, "a")
            assert ended.status == 2
            assert f"No such option: {option}" in ended.messages
