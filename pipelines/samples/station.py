"""The embedded sample: a station's record, generated from a small model of its air.

Columns and units are those of the public Jena record. The model, every ten minutes:

- Fronts pass. The strength of a front follows from that of the one before by a logistic
  map with a little noise, and the time to the next grows with the strength of the
  last: after a deep low the high lasts. So what comes next can be known from what was,
  but not by a linear rule.
- Before a front the pressure falls and the wind backs, then warm moist air comes with
  cloud and rain; with the front the wind veers and colder, drier air arrives, which the
  ground warms over days. Winter lows bring warmth and summer lows coolness, so the same
  pressure means other things in other seasons.
- The sun stands where it does at 51 degrees north. The temperature near the ground
  answers to it through the cloud, to clear calm nights by cooling (stronger where the
  air is dry, slowed down at the dew point), and to the wind by mixing.
- Humidity, vapour pressures, density and potential temperature follow by the usual
  formulas from temperature, dew point and pressure. Rain falls from fronts and, on warm
  moist summer afternoons, from showers.

A command in `benchmarks` prints how much there is to learn, and how much of it by no
linear rule.

On top comes what real records have: outages, -9999 where the anemometer froze, and a
row that was written twice. The clock shows standard time all year round.
"""

import functools
import math

import numpy as np
import pandas as pd

from ..core.errors import UserError
from ..data.series.measured_variables import variables_of
from ..data.series.raw_tables import RawTable
from ..data.series.resampling import resample

SAMPLE_YEARS = 3
SAMPLE_SEED = 20190101
SAMPLE_STEPS = {"10min": 600, "1h": 3600}
SENTINEL = -9999.0

_START = np.datetime64("2019-01-01T00:10:00", "s")
_STEP = 600
_STEPS_PER_HOUR = 6
_LATITUDE = math.radians(50.9)
_MEAN_PRESSURE = 989.0
_YEAR_HOURS = 8766.0
_DECIMALS = {"rho (g/m**3)": 1, "wd (deg)": 1, "rh (%)": 1}


def sample_table(step: str = "1h") -> RawTable:
    """The sample as raw rows, with its outages and sentinels.

    Args:
        step: ``1h`` or ``10min``.

    Raises:
        UserError: another step.
    """
    if step not in SAMPLE_STEPS:
        raise UserError(
            f"sample:{step}: expected sample:1h or sample:10min; "
            "for another step name data.step too"
        )
    clean = generate_record(SAMPLE_YEARS, SAMPLE_SEED)
    times = _START + np.arange(len(clean)) * np.timedelta64(_STEP, "s")
    if SAMPLE_STEPS[step] != _STEP:
        start, values = resample(
            int(_START.astype(int)),
            _STEP,
            clean.to_numpy(np.float32),
            [variable.rule for variable in variables_of(list(clean.columns))],
            SAMPLE_STEPS[step],
            min_fraction=0.5,
        )
        times = np.datetime64(start, "s") + np.arange(len(values)) * np.timedelta64(
            SAMPLE_STEPS[step], "s"
        )
        clean = pd.DataFrame(values, columns=clean.columns)
    frame = _with_faults(clean, times, SAMPLE_STEPS[step], SAMPLE_SEED)
    return RawTable(
        "sample",
        frame,
        np.arange(1, len(frame) + 1),
        (f"sample:{step}",),
        np.zeros(len(frame), np.int16),
    )


@functools.lru_cache(maxsize=2)
def generate_record(years: int, seed: int) -> pd.DataFrame:
    """Ten-minute values without faults; the same for the same years and seed."""
    generator = np.random.default_rng(seed)
    steps = round(years * 365.25 * 24) * _STEPS_PER_HOUR
    hours = (np.arange(steps) + 1) / _STEPS_PER_HOUR
    fronts = _fronts(hours[-1], generator)
    air = _air_masses(hours, fronts, generator)
    sun = _sun(hours)
    cloud = _cloud(hours, fronts, generator)
    wind, gusts, direction = _wind(hours, fronts, sun, generator)
    temperature = _temperature(air, sun, cloud, wind)
    pressure = _pressure(hours, fronts, generator)
    rain = _rain(hours, fronts, cloud, temperature, air["dew_point"], sun, generator)
    radiation = _clear_radiation(sun) * _transmission(cloud)
    return _as_columns(
        temperature, air["dew_point"], pressure, wind, gusts, direction, rain, radiation
    )


class _Fronts:
    """When fronts pass, in hours, and how strong they are, from 0 to 1."""

    def __init__(self, hours: np.ndarray, strengths: np.ndarray):
        self.hours = hours
        self.strengths = strengths

    def around(self, hours: np.ndarray) -> tuple[np.ndarray, ...]:
        """Hours since the last front and to the next, and the strength of either."""
        next_one = np.searchsorted(self.hours, hours, side="right")
        last = next_one - 1
        return (
            hours - self.hours[last],
            self.hours[next_one] - hours,
            self.strengths[last],
            self.strengths[next_one],
        )


def _fronts(end: float, generator: np.random.Generator) -> _Fronts:
    hours, strengths = [-60.0], [0.4]
    while hours[-1] < end + 300:
        last = strengths[-1]
        strength = 3.75 * last * (1 - last) + 0.02 * generator.standard_normal()
        hours.append(hours[-1] + 34 + 80 * last + 2.5 * generator.standard_normal())
        strengths.append(float(np.clip(strength, 0.1, 0.96)))
    return _Fronts(np.array(hours), np.array(strengths))


def _season(hours: np.ndarray) -> np.ndarray:
    """From -1 in mid January to 1 in mid July."""
    return -np.cos(2 * np.pi * (hours - 20 * 24) / _YEAR_HOURS)


def _noise(
    steps: int, hours: float, size: float, generator: np.random.Generator
) -> np.ndarray:
    """Noise of this standard deviation that forgets within so many hours."""
    from scipy.signal import lfilter

    keep = math.exp(-1 / (hours * _STEPS_PER_HOUR))
    shocks = generator.standard_normal(steps) * size * math.sqrt(1 - keep**2)
    shocks[0] = generator.standard_normal() * size
    return np.asarray(lfilter([1.0], [1.0, -keep], shocks))


def _step_up(values: np.ndarray, width: float) -> np.ndarray:
    """From 0 below zero to 1 above it."""
    return 0.5 * (1 + np.tanh(values / width))


def _air_masses(
    hours: np.ndarray, fronts: _Fronts, generator: np.random.Generator
) -> dict[str, np.ndarray]:
    """Temperature and dew point of the air that is carried along."""
    since, to, last, next_one = fronts.around(hours)
    season = _season(hours)
    warm = (6.0 - 4.0 * season) * next_one * _step_up(15 - to, 4)
    # What the front took away comes back over days; the warm sector ends with it.
    behind = np.exp(-since / 40)
    cold = -(4.0 + 5.5 * season) * last * behind
    fading = (6.0 - 4.0 * season) * last * np.exp(-since / 1.5)
    moist = 4.0 * next_one * _step_up(14 - to, 4) - 4.5 * last * behind
    moist += 4.0 * last * np.exp(-since / 2.5)
    mean = 9.3 + 9.2 * _season(hours - 4 * 24)
    temperature = mean + warm + cold + fading
    temperature += _noise(len(hours), 60, 0.9, generator)
    dew_point = mean - 4.6 + 0.75 * (warm + fading + cold) + 0.6 * moist
    dew_point += _noise(len(hours), 40, 0.8, generator)
    return {"temperature": temperature, "dew_point": dew_point}


def _sun(hours: np.ndarray) -> np.ndarray:
    """The sine of the sun's height."""
    days = hours / 24
    declination = np.deg2rad(-23.44) * np.cos(2 * np.pi * (days + 10) / 365.25)
    hour_angle = 2 * np.pi * (hours % 24 - 12.3) / 24
    return np.sin(_LATITUDE) * np.sin(declination) + np.cos(_LATITUDE) * np.cos(
        declination
    ) * np.cos(hour_angle)


def _clear_radiation(sun: np.ndarray) -> np.ndarray:
    return 1080 * np.maximum(sun, 0.0) ** 1.2


def _transmission(cloud: np.ndarray) -> np.ndarray:
    return 1 - 0.76 * cloud**3


def _cloud(
    hours: np.ndarray, fronts: _Fronts, generator: np.random.Generator
) -> np.ndarray:
    since, to, last, next_one = fronts.around(hours)
    season = _season(hours)
    frontal = 4.5 * (0.4 + next_one) * _step_up(16 - to, 4)
    frontal += 4.0 * (0.4 + last) * np.exp(-since / 4)
    # Highs are sunny in summer; in winter fog and stratus lie under them.
    high = _step_up(since - 24, 8) * _step_up(to - 24, 8)
    stratus = high * np.where(season < -0.3, 2.2, -1.8)
    level = -0.9 + frontal + stratus + _noise(len(hours), 6, 1.0, generator)
    return 1 / (1 + np.exp(-level))


def _wind(
    hours: np.ndarray, fronts: _Fronts, sun: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Speed, gusts and direction: backing before a front and veering with it."""
    since, to, last, next_one = fronts.around(hours)
    speed = 0.9 + 4.2 * next_one * np.exp(-to / 9) + 4.8 * last * np.exp(-since / 7)
    speed += 1.1 * np.maximum(sun, 0.0)
    speed *= np.exp(_noise(len(hours), 2, 0.28, generator))
    speed *= np.exp(0.15 * generator.standard_normal(len(hours)))
    gusts = speed * (1.45 + 0.2 * np.abs(generator.standard_normal(len(hours)))) + 0.2
    # 310 behind a front, over north and east to 110, and 200 ahead of the next.
    direction = 310 + 160 * _step_up(since - 30, 14) + 90 * _step_up(14 - to, 5)
    direction += _noise(len(hours), 5, 18, generator)
    unsteady = 35 / (0.5 + speed)
    direction += unsteady * generator.standard_normal(len(hours))
    return speed, gusts, direction % 360


def _pressure(
    hours: np.ndarray, fronts: _Fronts, generator: np.random.Generator
) -> np.ndarray:
    since, to, last, next_one = fronts.around(hours)
    low = 24 * np.maximum(next_one * np.exp(-to / 16), last * np.exp(-since / 11))
    high = 13 * last * _step_up(since - 20, 10) * _step_up(to - 26, 10)
    tide = 0.5 * np.cos(4 * np.pi * (hours - 10) / 24)
    mean = _MEAN_PRESSURE + 4 + tide
    return mean - low + high + _noise(len(hours), 30, 1.2, generator)


def _temperature(
    air: dict[str, np.ndarray], sun: np.ndarray, cloud: np.ndarray, wind: np.ndarray
) -> np.ndarray:
    """Near the ground: the air's, and what sun and clear nights add to it."""
    heating = 0.0052 * _clear_radiation(sun) * _transmission(cloud)
    dryness = np.clip(air["temperature"] - air["dew_point"], 0.0, 12.0)
    cooling = (1 - 0.85 * cloud**2) * (0.75 + 0.06 * dryness)
    # Hours within which the difference to the air above is mixed away.
    mixing = 1 / (1.8 + 5.5 / (1 + 0.5 * wind))
    excess = 0.0
    temperature = np.empty_like(sun)
    hour = 1 / _STEPS_PER_HOUR
    rows = zip(
        air["temperature"].tolist(),
        air["dew_point"].tolist(),
        heating.tolist(),
        cooling.tolist(),
        mixing.tolist(),
        strict=True,
    )
    for row, (aloft, dew_point, gain, loss, mixed) in enumerate(rows):
        # Dew and fog give their heat back.
        if aloft + excess < dew_point + 0.3:
            loss *= 0.25
        excess += hour * (gain - loss - mixed * excess)
        temperature[row] = aloft + excess
    return temperature


def _rain(
    hours: np.ndarray,
    fronts: _Fronts,
    cloud: np.ndarray,
    temperature: np.ndarray,
    dew_point: np.ndarray,
    sun: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """Millimetres in each ten minutes."""
    since, to, last, next_one = fronts.around(hours)
    steady = 0.16 * next_one**1.5 * np.exp(-to / 6) + 0.35 * last**1.5 * np.exp(
        -since / 2
    )
    wet = generator.random(len(hours)) < np.clip((cloud - 0.55) / 0.35, 0, 1)
    frontal = steady * wet * generator.gamma(1.2, 1.0, len(hours))
    unstable = (temperature > 19) & (dew_point > 11.5) & (sun > 0.1)
    # A shower lasts about half an hour.
    begins = unstable & (generator.random(len(hours)) < 0.012)
    showers = np.convolve(begins, [1.0, 0.8, 0.4])[: len(hours)]
    return frontal + showers * generator.gamma(1.5, 0.7, len(hours))


def _vapour_pressure(temperature: np.ndarray) -> np.ndarray:
    """Magnus's formula over water, in mbar."""
    return 6.1078 * np.exp(17.08085 * temperature / (234.175 + temperature))


def _as_columns(
    temperature: np.ndarray,
    air_dew_point: np.ndarray,
    pressure: np.ndarray,
    wind: np.ndarray,
    gusts: np.ndarray,
    direction: np.ndarray,
    rain: np.ndarray,
    radiation: np.ndarray,
) -> pd.DataFrame:
    dew_point = np.minimum(air_dew_point, temperature - 0.1)
    most = _vapour_pressure(temperature)
    actual = _vapour_pressure(dew_point)
    kelvin = temperature + 273.15
    virtual = kelvin / (1 - 0.378 * actual / pressure)
    columns = {
        "p (mbar)": pressure,
        "T (degC)": temperature,
        "Tpot (K)": kelvin * (1000 / pressure) ** 0.286,
        "Tdew (degC)": dew_point,
        "rh (%)": 100 * actual / most,
        "VPmax (mbar)": most,
        "VPact (mbar)": actual,
        "VPdef (mbar)": most - actual,
        "sh (g/kg)": 622 * actual / (pressure - 0.378 * actual),
        "H2OC (mmol/mol)": 1000 * actual / pressure,
        "rho (g/m**3)": 100_000 * pressure / (287.05 * virtual),
        "wv (m/s)": wind,
        "max. wv (m/s)": gusts,
        "wd (deg)": direction,
        "rain (mm)": rain,
        "SWDR (W/m²)": radiation,
    }
    return pd.DataFrame(
        {name: np.round(each, _DECIMALS.get(name, 2)) for name, each in columns.items()}
    )


def _with_faults(
    clean: pd.DataFrame, times: np.ndarray, step: int, seed: int
) -> pd.DataFrame:
    """Outages, -9999 of a frozen anemometer, and one row twice."""
    generator = np.random.default_rng(seed + 1)
    frame = clean.copy()
    frame.insert(0, "Date Time", times)
    cold = np.flatnonzero(clean["T (degC)"].to_numpy() < -1.0)
    for begin in generator.choice(cold, 20):
        end = begin + int(generator.integers(2, 14) * 3600 / step)
        # Labels of the rows; `end` itself is frozen too.
        frame.loc[begin:end, ["wv (m/s)", "max. wv (m/s)"]] = SENTINEL
    out = np.zeros(len(frame), dtype=bool)
    for begin in generator.integers(100, len(frame) - 2000, 9):
        out[begin : begin + int(generator.integers(2, 40) * 3600 / step)] = True
    # Each row after the outages once, and one of the first year twice.
    rows = np.flatnonzero(~out)
    rows = np.insert(rows, 5001, rows[5000])
    return frame.iloc[rows].reset_index(drop=True)
