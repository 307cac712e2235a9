"""What windows cost in memory and time: 420,000 rows, and ten times that.

Each size runs in a process of its own: it makes series of that many rows and 14
variables, goes once through the shuffled batches of an epoch, or as many of them as
asked for, and prints the peak of the resident memory and how many windows a second were
gathered. The series stand in memory twice, as the caller's array and as TensorFlow's;
what windows take on top of that is the last figure, and hardly grows with their number,
since a window is a number and not a copy.

    python benchmarks/weather_windows.py
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

ROWS = 420_000
VARIABLES = 14
HISTORY, HORIZON, BATCH = 120, 24, 256


def main() -> None:
    """Measures each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=1600, help="of each epoch")
    parser.add_argument("--rows", type=int, help="measure this size alone, here")
    arguments = parser.parse_args()
    if arguments.rows is not None:
        measure(arguments.rows, arguments.batches)
        return
    for rows in (ROWS, 10 * ROWS):
        command = [sys.executable, __file__, "--rows", str(rows)]
        subprocess.run([*command, "--batches", str(arguments.batches)], check=True)


def measure(rows: int, batches: int) -> None:
    """Prints the figures of one size."""
    import numpy as np
    import tensorflow as tf

    from recurra.pipelines.data.series.measured_variables import variables_of
    from recurra.pipelines.data.series.time_series import StationSeries, TimeSeries
    from recurra.pipelines.weather.scaling import fit_scaling
    from recurra.pipelines.weather.windows import WindowShape, WindowSource

    # TensorFlow's own start is no part of what is measured.
    list(tf.data.Dataset.range(2).map(lambda number: number + 1))
    empty = resident_mebibytes()
    values = np.random.default_rng(0).standard_normal((rows, VARIABLES), np.float32)
    start, step = np.datetime64("2009-01-01", "s"), np.timedelta64(600, "s")
    station = StationSeries("a", start, step, values)
    variables = variables_of([f"v{number}" for number in range(VARIABLES)])
    series = TimeSeries("benchmark", variables, (station,), (), (), rows)
    scaling = fit_scaling([values])
    shape = WindowShape(HISTORY, HORIZON, 1, targets=(0,))
    source = WindowSource(series, scaling, shape)
    windows = source.windows([{"train": (0, rows)}], "train")
    begun = time.perf_counter()
    seen = 0
    for features, _, _ in windows.shuffled(BATCH, seed=0, epoch=0).take(batches):
        seen += len(features["history"])
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    twice = 2 * values.nbytes / 2**20
    print(
        f"{rows:>9,} rows, {len(windows):>9,} windows: peak {peak:5,.0f} MiB = "
        f"{empty:.0f} of TensorFlow + {twice:.0f} of the series twice "
        f"+ {peak - empty - twice:.0f} of windows; "
        f"{seen:,} windows at {seen / seconds:,.0f} per second",
        flush=True,
    )


def resident_mebibytes() -> float:
    """Of this process, now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
