"""That tables written in any usual way are read as what they are, or a person is told.

Hypothesis writes columns of times: in any order of day, month and year, with any
separator, names of months in four languages, two-digit years, 12-hour clocks, clocks in
a column of their own, offsets, numbers; newest first, with gaps, with midnights written
as 24:00 or as bare dates. Whole tables have columns of values beside such times, with
decimal and thousands signs, units in the header or below it, words for missing values,
comments, repeated headers, columns that stand twice, in any delimiter and encoding.
Each is read, and what comes out is what was written, or a refusal, or a warning that
names the key which decides; anything else is an error.

    python benchmarks/reading_fuzz.py
    python benchmarks/reading_fuzz.py --times --examples 100000 --seed 1
"""

import argparse
import csv
import datetime
import io
import logging
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pandas as pd
from hypothesis import strategies as st

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.reading import PlanBuilder
from recurra.pipelines.data.series.repairs import RepairLog
from recurra.pipelines.data.series.time_series import load_time_series
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


@dataclass(frozen=True)
class WrittenTable:
    """A file with times and values, and what they are.

    Attributes:
        times: How the times are written, and what they are.
        form: How the rest is written, for people.
        suffix: Of the file.
        data: Its bytes.
        values: Of each row, by column, `[rows]`, NaN where missing.
    """

    times: WrittenTimes
    form: str
    suffix: str
    data: bytes
    values: dict[str, np.ndarray]

    def __repr__(self) -> str:
        return f"{self.times.form} | {self.form}: {self.data[:300]!r}"


@st.composite
def written_tables(draw: st.DrawFn) -> WrittenTable:
    """A table of values beside times in one of all forms."""
    times = draw(written_times())
    rows = len(times.seconds)
    delimiter = draw(st.sampled_from([",", ",", ";", "\t", "|"]))
    # As people and programs have them: a decimal comma stands beside a comma seldom.
    decimal = draw(st.sampled_from([".", ","] if delimiter != "," else [".", ".", ","]))
    other = "," if decimal == "." else "."
    thousands = draw(st.sampled_from(["", "", other, " ", "'"]))
    missing = draw(
        st.sampled_from(["", "NA", "NaN", "-", "null", "-9999", "n/a", "---"])
    )
    fraction = draw(st.sampled_from([0.0, 0.0, 0.2, 0.6]))
    header, units, values, cells = [], [], {}, []
    names = ["T", "p", "flow", "x1", "Luftdruck", "sales", "humidity"]
    for name in draw(
        st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)
    ):
        numbers, written = _values(draw, rows, decimal, thousands)
        is_missing = [draw(st.floats(0, 1)) < fraction for _ in range(rows)]
        header.append(name)
        units.append(draw(st.sampled_from(["", "", "°C", "hPa", "m³/h", "%"])))
        values[name] = np.where(is_missing, np.nan, numbers)
        cells.append(
            [
                missing if absent else cell
                for absent, cell in zip(is_missing, written, strict=True)
            ]
        )
    place = draw(st.sampled_from(["none", "behind", "below"]))
    lines = [[*times.columns, *header]]
    if place == "behind":
        pairs = zip(header, units, strict=True)
        lines = [[*times.columns, *(f"{n} ({u})" if u else n for n, u in pairs)]]
    elif place == "below" and all(units):
        lines.append([*("" for _ in times.columns), *units])
    if draw(st.sampled_from([False] * 19 + [True])):
        # A column that stands twice, with other values.
        lines = [[*line, line[-1]] for line in lines]
        cells.append(cells[-1][::-1])
    table = [list(row) for row in zip(*times.columns.values(), *cells, strict=True)]
    again = draw(st.sampled_from([0, 0, 0, rows // 2]))
    if again:
        table = [*table[:again], *lines, *table[again:]]
    above = draw(
        st.sampled_from(["", "", "# Station A, 12 m\n# raw\n", "Station A\n\n"])
    )
    text = above + _delimited([*lines, *table], delimiter)
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    form = f"{delimiter!r} {decimal!r} {thousands!r} {missing!r} {place} {encoding}"
    return WrittenTable(
        times,
        form + (", header again" if again else ""),
        ".tsv" if delimiter == "\t" else ".csv",
        text.replace("\n", end).encode(encoding),
        values,
    )


def _values(
    draw: st.DrawFn, rows: int, decimal: str, thousands: str
) -> tuple[list[float], list[str]]:
    """Numbers of a column, and how they are written."""
    places = draw(st.sampled_from([0, 1, 1, 2, 3]))
    most = draw(st.sampled_from([9, 90, 4_000, 3_000_000]))
    least = draw(st.sampled_from([0, -most]))
    start = draw(st.integers(least * 10**places, most * 10**places))
    jump = draw(st.integers(1, 997 * 10**places))
    span = (most - least) * 10**places + 1
    whole = [(start - least + row * jump) % span + least for row in range(rows)]
    numbers = [each / 10**places for each in whole]
    written = [
        f"{each:,.{places}f}".translate({44: thousands, 46: decimal})
        for each in numbers
    ]
    return numbers, written


def _delimited(rows: list[list[str]], delimiter: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue()


def table_outcome(written: WrittenTable) -> str:
    """What becomes of a file: "read", "refused", "told" or "wrong"."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"station{written.suffix}"
        path.write_bytes(written.data)
        try:
            series = load_time_series(str(path))
        except UserError:
            return "refused"
    (station,) = series.stations
    steps = station.times().astype(np.int64)
    order = np.argsort(written.times.seconds)
    seconds = written.times.seconds[order]
    found = np.searchsorted(steps, seconds).clip(0, len(steps) - 1)
    is_read = bool((steps[found] == seconds).all())
    read = [variable.name for variable in series.variables]
    columns = dict(zip(read, station.values.T, strict=True))
    for name, values in written.values.items():
        if name not in columns:
            is_read = is_read and bool(np.isnan(values).all())
        elif is_read:
            same = np.isclose(
                columns[name][found],
                values[order],
                rtol=1e-6,
                atol=1e-6,
                equal_nan=True,
            )
            is_read = bool(same.all())
    if is_read:
        return "read"
    return "told" if series.reading_plan.warnings else "wrong"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--times", action="store_true", help="columns of times alone")
    parser.add_argument("--tables", action="store_true", help="whole tables alone")
    arguments = parser.parse_args()
    logging.getLogger("recurra").setLevel(logging.ERROR)
    wrong = 0
    if not arguments.tables:
        wrong += run("times", written_times(), outcome, arguments)
    if not arguments.times:
        wrong += run("whole tables", written_tables(), table_outcome, arguments)
    raise SystemExit(wrong > 0)


def run(
    what: str,
    written: st.SearchStrategy,
    outcome_of: Callable[[Any], str],
    arguments: argparse.Namespace,
) -> int:
    """Prints what becomes of so many examples, and returns how many are wrong."""
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
    @hypothesis.given(written)
    def read(example: Any) -> None:
        result = outcome_of(example)
        counts[result] += 1
        if result == "refused":
            refused[example.form] += 1
        if result == "wrong":
            print("wrong:", example)

    read()
    total = sum(counts.values())
    print(f"{total} {what}")
    for result in ("read", "told", "refused", "wrong"):
        print(f"{result:8} {counts[result]:7}  {counts[result] / total:.2%}")
    for form, count in refused.most_common(10):
        print(f"refused: {form} ({count})")
    return counts["wrong"]


if __name__ == "__main__":
    main()
