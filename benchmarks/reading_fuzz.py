"""That times written in any usual way are read as what they are, or a person is told.

Hypothesis writes columns of times: in any order of day, month and year, with any
separator, names of months in four languages, two-digit years, 12-hour clocks, clocks in
a column of their own, offsets, numbers; newest first, with gaps, with midnights written
as 24:00 or as bare dates. Each is read, and what comes out is what was written, or a
refusal, or a warning that names the key which decides; anything else is an error.

    python benchmarks/reading_fuzz.py
    python benchmarks/reading_fuzz.py --examples 100000 --seed 1
"""

import argparse
import datetime
import logging
from collections import Counter
from dataclasses import dataclass

import hypothesis
import numpy as np
import pandas as pd
from hypothesis import strategies as st

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.reading import PlanBuilder
from recurra.pipelines.data.series.repairs import RepairLog
from recurra.pipelines.data.series.time_stamps import (
    TimeSource,
    decide_times,
    find_time_columns,
    read_stamps,
)

_MONTHS = {
    "en": "January February March April May June July August September October "
    "November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November "
    "Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre "
    "décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre "
    "noviembre diciembre",
}
_SHORT = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "de": "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "es": "ene feb mar abr may jun jul ago sep oct nov dic",
}
_STEPS = ["1min", "10min", "15min", "30min", "1h", "3h", "6h", "12h", "1D", "7D", "B"]
_COARSE = ["MS", "ME", "QS", "QE", "YS"]
_DAY = datetime.timedelta(days=1)
_OFFSETS = {"+02:00": 7200, "-0330": -12_600}
_WHOLE_DAYS = ("1D", "7D", "B")


@dataclass(frozen=True)
class WrittenTimes:
    """A table with times, and what they are.

    Attributes:
        form: How they are written, for people.
        columns: Text by column.
        seconds: Of each row, since 1970: in UTC where offsets say so.
    """

    form: str
    columns: dict[str, list[str]]
    seconds: np.ndarray

    def __repr__(self) -> str:
        first = [
            tuple(values[row] for values in self.columns.values())
            for row in range(min(3, len(self.seconds)))
        ]
        return f"{self.form} x {len(self.seconds)}: {first}"


@st.composite
def times(draw: st.DrawFn, steps: list[str]) -> list[datetime.datetime]:
    """Of a series, on the clock of the station; with gaps, and in either direction."""
    first = draw(
        st.datetimes(
            datetime.datetime(1971, 1, 1),
            datetime.datetime(2060, 1, 1),
            allow_imaginary=False,
        )
    )
    rows = draw(st.integers(2, 120))
    step = draw(st.sampled_from(steps))
    start = pd.Timestamp(first).floor("1min" if step not in _WHOLE_DAYS else "1D")
    if step in _COARSE:
        start = start.normalize()
    every = list(pd.date_range(start, periods=rows, freq=step))
    missing = draw(st.sets(st.integers(1, max(1, rows - 1)), max_size=rows // 20))
    kept = [each for row, each in enumerate(every) if row not in missing]
    if draw(st.booleans()):
        kept.reverse()
    return [each.to_pydatetime() for each in kept]


@st.composite
def written_times(draw: st.DrawFn) -> WrittenTimes:
    """A table of times in one of all forms."""
    return draw(
        st.one_of(
            _dates_and_clocks(), _dates_and_clocks(), _packed(), _numbers(), _periods()
        )
    )


@st.composite
def _dates(draw: st.DrawFn) -> tuple[str, str]:
    """How a date is written: as strftime has it, and the language of its month."""
    order = draw(st.sampled_from(["dmY", "mdY", "Ymd", "dmy", "mdy", "ymd"]))
    separator = draw(st.sampled_from(["/", ".", "-", " "]))
    month = draw(st.sampled_from(["m", "m", "-m", "b", "B"]))
    day = draw(st.sampled_from(["d", "-d"])) if month == "-m" else "d"
    language = draw(st.sampled_from(sorted(_MONTHS)))
    parts = {"d": f"%{day}", "m": f"%{month}", "Y": "%Y", "y": "%y"}
    if month in ("b", "B") and order == "mdY" and separator == " ":
        return f"{parts['m']} {parts['d']}, %Y", language
    return separator.join(parts[part] for part in order), language


@st.composite
def _clocks(draw: st.DrawFn) -> str:
    return draw(
        st.sampled_from(
            ["%H:%M", "%H:%M:%S", "%-H:%M", "%I:%M %p", "%I:%M:%S %p", "%-I:%M%p"]
        )
    )


@st.composite
def _dates_and_clocks(draw: st.DrawFn) -> WrittenTimes:
    date, language = draw(_dates())
    clock = draw(st.one_of(st.none(), _clocks()))
    moments = draw(times(list(_WHOLE_DAYS) if clock is None else _STEPS))
    seconds = _seconds(moments)
    if clock is None:
        text = [_text(each, date, language) for each in moments]
        return WrittenTimes(date, {"time": text}, seconds)
    if draw(st.booleans()):
        return _joined(draw, moments, seconds, date, clock, language)
    clock = draw(st.sampled_from([clock, "%H.%M.%S", "%H%M", "%H"]))
    if clock == "%H" and any(each.minute for each in moments):
        clock = "%H%M"
    columns = {
        "Date": [_text(each, date, language) for each in moments],
        "Time" if clock != "%H" else "Hour": [each.strftime(clock) for each in moments],
    }
    return WrittenTimes(f"{date} | {clock}", columns, seconds)


def _joined(
    draw: st.DrawFn,
    moments: list[datetime.datetime],
    seconds: np.ndarray,
    date: str,
    clock: str,
    language: str,
) -> WrittenTimes:
    between = draw(st.sampled_from([" ", " ", ", ", "T"]))
    zone = draw(st.sampled_from(["", "", "", "Z", "+02:00", "-0330", " UTC"]))
    form = f"{date}{between}{clock}{zone}"
    form = draw(st.sampled_from([form, form, form, f"{clock} {date}"]))
    text = [_text(each, form, language) for each in moments]
    midnight = draw(st.sampled_from(["", "", "24", "bare"]))
    if midnight == "bare" and form == f"{date}{between}{clock}":
        form += ", midnights as dates"
        text = [
            _text(each, date, language) if _is_midnight(each) else written
            for each, written in zip(moments, text, strict=True)
        ]
    elif midnight == "24" and "%H:" in clock:
        late = form.replace("%H", "24")
        form += ", midnights as 24:00"
        text = [
            _text(each - _DAY, late, language) if _is_midnight(each) else written
            for each, written in zip(moments, text, strict=True)
        ]
    offset = _OFFSETS.get(zone, 0) if zone in form else 0
    return WrittenTimes(form, {"time": text}, seconds - offset)


@st.composite
def _packed(draw: st.DrawFn) -> WrittenTimes:
    form = draw(
        st.sampled_from(
            [
                "%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S", "%Y%m%dT%H%MZ",
                "%Y%m%d %H:%M", "%Y%m%d_%H%M", "%Y%m%dT%H%M%S", "%y%m%d%H%M",
                "%d%m%Y %H:%M", "%d%b%Y %H:%M", "%d%b%Y:%H:%M:%S", "%d%m%Y%H%M",
                "%y%m%d", "%Y%j", "%Y-%j", "%Y-%jT%H:%M", "%G-W%V-%u", "%c",
                "%a, %d %b %Y %H:%M:%S", "%A %d %B %Y %H:%M",
            ]
        )
    )  # fmt: skip
    if "%H" not in form and form != "%c":
        steps = list(_WHOLE_DAYS)
    elif "%M" not in form and form != "%c":
        steps = ["1h", "3h", "6h"]
    else:
        steps = _STEPS
    moments = draw(times(steps))
    if steps[0] == "1h":
        moments = [each.replace(minute=0) for each in moments]
    text = [each.strftime(form) for each in moments]
    return WrittenTimes(form, {"time": text}, _seconds(moments))


@st.composite
def _numbers(draw: st.DrawFn) -> WrittenTimes:
    moments = draw(times(_STEPS))
    seconds = _seconds(moments)
    form = draw(st.sampled_from(["s", "ms", "us", "ns", "excel", "s.0"]))
    if form == "excel":
        text = [f"{second / 86_400 + 25_569:.8f}" for second in seconds]
    elif form == "s.0":
        text = [f"{second}.0" for second in seconds]
    else:
        scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[form]
        text = [str(second * scale) for second in seconds]
    return WrittenTimes(form, {"time": text}, seconds)


@st.composite
def _periods(draw: st.DrawFn) -> WrittenTimes:
    form = draw(
        st.sampled_from(["%Y-%m", "%m/%Y", "%b %Y", "%B %Y", "%Y%m", "Q", "%Y"])
    )
    moments = draw(times(["YS" if form == "%Y" else "QS" if form == "Q" else "MS"]))
    if form == "Q":
        text = [f"{each.year}Q{(each.month + 2) // 3}" for each in moments]
    else:
        text = [each.strftime(form) for each in moments]
    return WrittenTimes(form, {"date": text}, _seconds(moments))


def _is_midnight(moment: datetime.datetime) -> bool:
    return (moment.hour, moment.minute) == (0, 0)


def _text(moment: datetime.datetime, form: str, language: str) -> str:
    for directive, names in (("%B", _MONTHS), ("%b", _SHORT)):
        form = form.replace(directive, names[language].split()[moment.month - 1])
    return moment.strftime(form)


def _seconds(moments: list[datetime.datetime]) -> np.ndarray:
    return pd.DatetimeIndex(moments).to_numpy("datetime64[s]").astype(np.int64)


def outcome(written: WrittenTimes) -> str:
    """What becomes of a table: "read", "refused", "told" or "wrong"."""
    frame = pd.DataFrame(written.columns | {"x": "1.5"})
    plan = PlanBuilder()
    try:
        columns = find_time_columns(frame, None, "a.csv")
        rules = decide_times([TimeSource(frame, columns, "a.csv")], plan)
        stamps = read_stamps(frame, columns, None, RepairLog("a"), "a.csv", rules=rules)
    except UserError:
        return "refused"
    if (stamps == written.seconds).all():
        return "read"
    return "told" if plan.plan().warnings else "wrong"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.getLogger("recurra").setLevel(logging.ERROR)
    counts: Counter[str] = Counter()
    refused: Counter[str] = Counter()

    @hypothesis.seed(arguments.seed)
    @hypothesis.settings(
        max_examples=arguments.examples,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(written_times())
    def read(written: WrittenTimes) -> None:
        result = outcome(written)
        counts[result] += 1
        if result == "refused":
            refused[written.form] += 1
        if result == "wrong":
            print("wrong:", written)

    read()
    total = sum(counts.values())
    print(f"{total} tables of times")
    for result in ("read", "told", "refused", "wrong"):
        print(f"{result:8} {counts[result]:7}  {counts[result] / total:.2%}")
    for form, count in refused.most_common(10):
        print(f"refused: {form} ({count})")
    raise SystemExit(counts["wrong"] > 0)


if __name__ == "__main__":
    main()
