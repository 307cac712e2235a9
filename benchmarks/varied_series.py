"""The mix and its members on series of many kinds, with the defaults.

Generated series (loads with holidays, walks, amounts that are mostly 0, counts, daily
and monthly ones, many stations, gaps, directions), those that statsmodels brings where
it is installed, and with --data the hourly record of Jena. Of each set a line: the
error of the mix and of each member on the test part, in standard deviations of the
training part, as the mean over seeds, and of the mix its spread over the seeds and what
its 80 % interval covers. "to best" is the mix beside the member that is best on the
part that is shown.

    python benchmarks/varied_series.py
    python benchmarks/varied_series.py --only load --seeds 0 1 2 --split validation
    python benchmarks/varied_series.py --set model.dropout=0.2 --set training.epochs=20
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recurra.pipelines import train

MEMBERS = ("recurrent", "ridge", "seasonal_naive", "climatology", "repeat_last")
START = "2019-01-01"

Made = tuple[pd.DataFrame, Mapping[str, Any]]


def main() -> None:
    """Prints a line for each set as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="SET", help=", ".join(SETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--split", choices=["test", "validation"], default="test")
    parser.add_argument("--data", type=Path, help="jena_hourly.npz, one more set")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", type=Path, help="file for the metrics of all runs")
    arguments = parser.parse_args()
    sets = dict(SETS)
    if arguments.data:
        sets["jena"] = lambda: jena(arguments.data)
    rows = []
    print(header(), flush=True)
    for name in arguments.only or sets:
        try:
            frame, settings = sets[name]()
        except ImportError as error:
            print(f"{name:<14} left out: {error}; pip install 'recurra[bench]'")
            continue
        begun = time.process_time()
        runs = [
            metrics_of(frame, settings, arguments.set, seed, arguments.split)
            for seed in arguments.seeds
        ]
        seconds = (time.process_time() - begun) / len(runs)
        print(line(name, runs, seconds), flush=True)
        rows += [{"set": name, **run} for run in runs]
    print(summary(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows), encoding="utf-8")


def metrics_of(
    frame: pd.DataFrame | str,
    settings: Mapping[str, Any],
    further: list[str],
    seed: int,
    split: str,
) -> dict[str, Any]:
    """Of a run with the defaults but for what the set needs."""
    keys = [f"{key}={value}" for key, value in settings.items()]
    with tempfile.TemporaryDirectory() as folder:
        run = train(
            "weather",
            data=frame,
            run=Path(folder) / "run",
            progress=False,
            settings=[*keys, *further, f"seed={seed}"],
        )
        metrics = run.metrics
    part = metrics if split == "test" else metrics["validation"]
    return {"seed": seed, "model": part["model"], **part["baselines"]}


def header() -> str:
    columns = ["mix", "spread", *(name.replace("_", " ") for name in MEMBERS)]
    shown = "".join(f"{each:>15}" for each in columns)
    return f"{'set':<14}{shown}{'to best':>10}{'80 % covers':>13}{'seconds':>9}"


def line(name: str, runs: list[dict[str, Any]], seconds: float) -> str:
    """Means over the seeds, the spread of the mix, and the mix beside its best."""
    mix = errors_of(runs, "model")
    members = {each: errors_of(runs, each).mean() for each in MEMBERS}
    best = np.nanmin(list(members.values()))
    spread = mix.std(ddof=1) if len(mix) > 1 else np.nan
    columns = [mix.mean(), spread, *members.values()]
    shown = "".join(f"{each:>15.4f}" for each in columns)
    covered = np.mean([run["model"]["coverage_80"] for run in runs])
    beside = f"{100 * (mix.mean() / best - 1):+.1f} %"
    return f"{name:<14}{shown}{beside:>10}{100 * covered:>11.1f} %{seconds:>9.0f}"


def summary(rows: list[dict[str, Any]]) -> str:
    """Over all sets the geometric means of the error beside that of the best member."""
    ratios = {
        name: [
            run[name]["mae_standardised"]
            / min(run[each]["mae_standardised"] for each in MEMBERS if each in run)
            for run in rows
            if name in run
        ]
        for name in ("model", *MEMBERS)
    }
    shown = ", ".join(
        f"{'mix' if name == 'model' else name} {np.exp(np.mean(np.log(each))):.4f}"
        for name, each in ratios.items()
        if each
    )
    return f"error as a multiple of the best member's, geometric mean: {shown}"


def errors_of(runs: list[dict[str, Any]], name: str) -> np.ndarray:
    """Standardised MAE of each run, NaN where there is no such member."""
    return np.array([run.get(name, {}).get("mae_standardised", np.nan) for run in runs])


def frame_of(
    values: Mapping[str, np.ndarray], frequency: str = "h", start: str = START
) -> pd.DataFrame:
    rows = len(next(iter(values.values())))
    times = pd.date_range(start, periods=rows, freq=frequency)
    return pd.DataFrame({"time": times, **values})


def lasting(rng: np.random.Generator, rows: int, keeps: float) -> np.ndarray:
    """An autoregression of the first order, of unit variance."""
    noise = rng.normal(size=rows) * np.sqrt(1 - keeps**2)
    values = np.zeros(rows)
    for step in range(1, rows):
        values[step] = keeps * values[step - 1] + noise[step]
    return values


def load() -> Made:
    """Hourly, with trend, days of the week, holidays and a tie to the temperature."""
    rng = np.random.default_rng(1)
    times = pd.date_range(START, periods=24 * 250, freq="h")
    hour, rows = times.hour.to_numpy(), len(times)
    free = (times.dayofweek >= 5) | np.isin(times.dayofyear, rng.integers(1, 250, 8))
    day = np.exp(-(((hour - 10) / 4) ** 2)) + 1.2 * np.exp(-(((hour - 19) / 3) ** 2))
    season = np.cos(2 * np.pi * (times.dayofyear - 20) / 365)
    temperature = 10 - 9 * season + 3 * lasting(rng, rows, 0.98)
    temperature += 4 * np.sin(2 * np.pi * (hour - 9) / 24)
    demand = 50 + 0.002 * np.arange(rows) + 20 * day * np.where(free, 0.6, 1.0)
    demand += 0.05 * (temperature - 16) ** 2 + 2 * lasting(rng, rows, 0.9)
    return frame_of({"load": demand, "temperature": temperature}), {
        "data.targets": '["load"]'
    }


def transformer() -> Made:
    """Hourly load whose level drifts, and the oil temperature that follows slowly."""
    rng = np.random.default_rng(2)
    rows = 24 * 300
    hour = np.arange(rows) % 24
    level = np.cumsum(rng.normal(size=rows)) * 0.06
    day = np.sin(2 * np.pi * (hour - 8) / 24) + 0.5 * np.sin(4 * np.pi * hour / 24)
    burden = 10 + level + 3 * day * (1 + 0.3 * lasting(rng, rows, 0.99))
    burden += 1.5 * lasting(rng, rows, 0.7)
    season = 8 * np.sin(2 * np.pi * np.arange(rows) / 24 / 200)
    oil = np.zeros(rows)
    for step in range(1, rows):
        oil[step] = 0.97 * oil[step - 1] + 0.03 * (0.15 * burden[step] ** 2)
    oil += 20 + season + 0.5 * lasting(rng, rows, 0.9)
    return frame_of({"load": burden, "oil": oil}), {}


def walk() -> Made:
    """Every hour, a random walk with a day and an outlier now and then."""
    rng = np.random.default_rng(3)
    rows = 24 * 200
    values = np.cumsum(rng.normal(size=rows))
    values += 5 * np.sin(2 * np.pi * np.arange(rows) / 24)
    values += (rng.random(rows) < 0.01) * rng.normal(scale=15, size=rows)
    return frame_of({"value": values}), {}


def intermittent() -> Made:
    """Hourly amounts that are mostly 0, in spells, as of rain."""
    rng = np.random.default_rng(4)
    rows = 24 * 200
    state = lasting(rng, rows, 0.95) + 0.5 * np.sin(2 * np.pi * np.arange(rows) / 24)
    amount = np.where(state > 1.2, rng.gamma(0.8, 2, rows) * (state - 1.2), 0.0)
    humidity = 70 + 12 * np.roll(state, -2) + rng.normal(scale=3, size=rows)
    frame = {"rain (mm)": amount.round(1), "humidity": humidity.round()}
    return frame_of(frame), {"data.targets": '["rain"]'}


def counts() -> Made:
    """Daily counts of three shops, by the week, with actions."""
    rng = np.random.default_rng(5)
    rows = 900
    values = {}
    for shop in range(3):
        week = np.tile(rng.uniform(0.5, 1.6, 7), rows // 7 + 1)[:rows]
        rate = (5 + 8 * shop) * week * np.exp(0.3 * lasting(rng, rows, 0.95))
        rate *= np.where(rng.random(rows) < 0.03, 2.0, 1.0)
        values[f"shop {shop}"] = rng.poisson(rate)
    return frame_of(values, "D"), {"data.history": 56, "data.horizon": 14}


def daily() -> Made:
    """Ten years of days with a year and what lasts for a week."""
    rng = np.random.default_rng(6)
    rows = 3650
    year = np.cos(2 * np.pi * (np.arange(rows) - 20) / 365.25)
    low = 10 - 9 * year + 3.5 * lasting(rng, rows, 0.8) * (1 + 0.3 * year)
    high = low + 6 - 2 * year + np.abs(rng.normal(size=rows)) * 2
    return frame_of({"low": low, "high": high}, "D", "2010-01-01"), {
        "data.history": 30,
        "data.horizon": 7,
    }


def monthly() -> Made:
    """Fifteen years of months: growth, a year, and few rows."""
    rng = np.random.default_rng(7)
    rows = 180
    year = 1 + 0.2 * np.sin(2 * np.pi * np.arange(rows) / 12)
    growth = 100 * np.exp(0.005 * np.arange(rows) + 0.05 * lasting(rng, rows, 0.9))
    values = growth * year * np.exp(0.03 * rng.normal(size=rows))
    return frame_of({"passengers": values}, "MS", "2005-01-01"), {
        "data.history": 24,
        "data.horizon": 6,
    }


def stations() -> Made:
    """Twenty stations, hourly, that differ in level and size of the day."""
    rng = np.random.default_rng(8)
    frames = []
    for number in range(20):
        rows = 24 * 40
        hour = np.arange(rows) % 24
        day = rng.uniform(2, 8) * np.sin(2 * np.pi * (hour - rng.integers(7, 11)) / 24)
        front = 4 * lasting(rng, rows, 0.98)
        values = rng.normal(10, 5) + front + day * (1 - 0.08 * front)
        frame = frame_of({"T": values + 0.5 * rng.normal(size=rows)})
        frames.append(frame.assign(station=f"s{number:02}"))
    settings = {"data.station_column": "station", "data.history": 48}
    return pd.concat(frames), settings


def gaps() -> Made:
    """Hourly, a fifth missing and outages of days."""
    rng = np.random.default_rng(9)
    rows = 24 * 250
    hour = np.arange(rows) % 24
    values = 15 + 6 * np.sin(2 * np.pi * (hour - 9) / 24) + 4 * lasting(rng, rows, 0.97)
    other = 0.5 * np.roll(values, -3) + rng.normal(size=rows)
    is_out = rng.random(rows) < 0.2
    for begin in rng.integers(0, rows, 12):
        is_out[begin : begin + int(rng.integers(12, 96))] = True
    frame = frame_of({"value": np.where(is_out, np.nan, values), "other": other})
    return frame, {"data.targets": '["value"]'}


def wind() -> Made:
    """Hourly direction and speed of a wind that turns with the day."""
    rng = np.random.default_rng(10)
    rows = 24 * 200
    angle = 2 * np.pi * np.arange(rows) / 24
    east = 3 * lasting(rng, rows, 0.98) + 1.5 * np.sin(angle)
    north = 3 * lasting(rng, rows, 0.98) + 1.5 * np.cos(angle) + 1
    frame = {
        "wind_direction (deg)": (np.degrees(np.arctan2(east, north)) % 360).round(),
        "wind_speed (m/s)": np.hypot(east, north),
    }
    return frame_of(frame), {}


def chaos() -> Made:
    """The equation of Mackey and Glass (1977), sampled, with noise: not linear."""
    rng = np.random.default_rng(11)
    delay, rows = 170, 5000
    values = np.full(rows * 10 + delay, 1.2)
    for step in range(delay, len(values) - 1):
        past = values[step - delay]
        growth = 0.2 * past / (1 + past**10)
        values[step + 1] = values[step] + 0.1 * (growth - 0.1 * values[step])
    series = values[delay::10][:rows] + 0.02 * rng.normal(size=rows)
    return frame_of({"x": series}, "10min"), {"data.history": 60, "data.horizon": 24}


def carbon_dioxide() -> Made:
    """Weekly at Mauna Loa, 1958 to 2001, with gaps."""
    from statsmodels.datasets import co2

    frame = co2.load_pandas().data.rename_axis("time").reset_index()
    return frame, {"data.history": 60, "data.horizon": 12}


def sunspots() -> Made:
    """Yearly, 1900 to 2008: few rows."""
    from statsmodels.datasets import sunspots as data

    values = data.load_pandas().data["SUNACTIVITY"].to_numpy()[200:]
    return frame_of({"activity": values}, "YS", "1900-01-01"), {
        "data.history": 22,
        "data.horizon": 5,
    }


def jena(path: Path) -> tuple[str, Mapping[str, Any]]:
    """Eight years, hourly, six variables, a window in six."""
    return str(path), {"data.stride": 6, "data.evaluation_stride": 5}


SETS: dict[str, Callable[[], Any]] = {
    each.__name__: each
    for each in (
        *(load, transformer, walk, intermittent, counts, daily, monthly),
        *(stations, gaps, wind, chaos, carbon_dioxide, sunspots),
    )
}


if __name__ == "__main__":
    main()
