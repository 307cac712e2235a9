"""The memory that much data takes: reading it, and training on it for some steps.

Writes generated data, begins to train on them, stops after some steps, and prints for
each stage the highest memory of the process, the time, and the rows per second.

    python benchmarks/memory.py sentiment --rows 5_000_000
    python benchmarks/memory.py translation --rows 10_000_000
    python benchmarks/memory.py weather --rows 10_000_000
    python benchmarks/memory.py sentiment --rows 300_000 --set training.epochs=1 --whole

With `--whole` training goes on to its end, and what follows it is measured too: the
baselines and the evaluation. `--data FOLDER` keeps the data for another time. Of long
texts this is measured by `language_memory.py`.
"""

import argparse
import contextlib
import logging
import multiprocessing
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from recurra.pipelines import train
from recurra.pipelines.core.errors import Interrupted

WORDS, TOGETHER = 30_000, 100_000


class Stages:
    """Prints what each stage took; a new one begins with each line of the log."""

    def __init__(self, rows: int):
        self._rows = rows
        self.begin("before")

    def begin(self, name: str) -> None:
        """Ends the stage before, if there is one, and begins another."""
        if hasattr(self, "_name"):
            seconds = time.monotonic() - self._began
            print(
                f"{self._name:48} {peak():5.2f} GB {seconds:7.1f} s "
                f"{self._rows / seconds:12,.0f} rows/s",
                flush=True,
            )
        # Linux forgets the peak, so that the next one is that of the stage alone.
        Path("/proc/self/clear_refs").write_text("5")
        self._name, self._began = name, time.monotonic()


class ByLog(logging.Handler):
    """Begins a stage with each line that says that one begins."""

    def __init__(self, stages: Stages):
        super().__init__()
        self._stages = stages

    def emit(self, record: logging.LogRecord) -> None:
        """Begins it."""
        line = record.getMessage()
        if re.match(r"Reading|Fitting|Training|Evaluating", line):
            self._stages.begin(line[:48])
        else:
            print(f"    {line}")


class StopAfter:
    """Stops training after so many steps, as Ctrl-C does."""

    def __init__(self, steps: int | None, stages: Stages):
        self._steps = steps
        self._stages = stages

    def epoch_started(self, epoch: int, epochs: int, step: int, steps: int) -> None:
        """Begins its stage."""
        self._stages.begin(f"epoch {epoch + 1} of {steps:,} steps")

    def step_done(self, step: int, loss: float) -> None:
        """Stops at the last one."""
        if step == self._steps:
            os.kill(os.getpid(), signal.SIGINT)

    def epoch_ended(self, row: dict, best: bool) -> None:
        """Training goes on, or what follows it."""


def peak() -> float:
    """The highest memory of the process since it was last forgotten, in GB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1e6


def sentences(rows: int, seed: int) -> Iterator[list[str]]:
    """Sentences of about ten words by Zipf's law, many together."""
    generator = np.random.default_rng(seed)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    words = np.array(
        [
            "".join(generator.choice(syllables, 1 + int(np.log10(1 + number))))
            + "".join(generator.choice(list("lmnrst"), number % 3))
            for number in range(WORDS)
        ]
    )
    chances = np.cumsum(1 / np.arange(1, WORDS + 1))
    chances /= chances[-1]
    for begin in range(0, rows, TOGETHER):
        number = min(TOGETHER, rows - begin)
        lengths = generator.integers(5, 16, number)
        drawn = words[np.searchsorted(chances, generator.random(lengths.sum()))]
        parts = np.split(drawn, np.cumsum(lengths)[:-1])
        yield [" ".join(part) for part in parts]


def write_reviews(folder: Path, rows: int) -> Path:
    """A CSV file of texts that a word of theirs makes good or bad."""
    generator = np.random.default_rng(1)
    path = folder / "reviews.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        for texts in sentences(rows, 0):
            ends = np.array([" buuh,bad\n", " bravo,good\n"])
            drawn = ends[generator.integers(0, 2, len(texts))]
            file.writelines(map("".join, zip(texts, drawn, strict=True)))
    return path


def write_pairs(folder: Path, rows: int) -> Path:
    """Parallel text whose target is the source spelt otherwise, in another order."""
    with (
        (folder / "train.en").open("w", encoding="utf-8") as source,
        (folder / "train.de").open("w", encoding="utf-8") as target,
    ):
        for texts in sentences(rows, 0):
            source.writelines(f"{text}\n" for text in texts)
            target.writelines(
                " ".join(reversed(text.replace("a", "u").split())) + "\n"
                for text in texts
            )
    return folder


def write_series(folder: Path, rows: int) -> Path:
    """A Parquet file of one variable at every minute: days, and noise upon noise."""
    generator = np.random.default_rng(0)
    path = folder / "series.parquet"
    schema = pa.schema([("time", pa.timestamp("s")), ("value", pa.float32())])
    start = np.datetime64("1901-01-01T00:00:00").astype(np.int64)
    with pa.parquet.ParquetWriter(path, schema) as writer:
        for begin in range(0, rows, 1_000_000):
            minutes = np.arange(begin, min(begin + 1_000_000, rows))
            noise = generator.standard_normal(len(minutes))
            values = 10 * np.sin(2 * np.pi * minutes / 1440) + noise
            times = pa.array(start + 60 * minutes, pa.timestamp("s"))
            columns = [times, pa.array(values.astype(np.float32))]
            writer.write_table(pa.table(columns, schema))
    return path


WRITERS: dict[str, Callable[[Path, int], Path]] = {
    "sentiment": write_reviews,
    "translation": write_pairs,
    "weather": write_series,
}
SETTINGS = {"translation": ["data.source=en", "data.target=de"]}


def main() -> None:
    """Prints what the data take."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=WRITERS)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--whole", action="store_true", help="to the end of training")
    parser.add_argument("--data", type=Path, help="folder that keeps the data")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.data or Path(temporary) / "data"
        written = folder / f"{arguments.task}-{arguments.rows}"
        if not written.is_dir():
            written.mkdir(parents=True)
            # What this takes is none of the pipeline's.
            writer = WRITERS[arguments.task], (written, arguments.rows)
            process = multiprocessing.Process(target=writer[0], args=writer[1])
            process.start()
            process.join()
        files = list(written.iterdir())
        stages = Stages(arguments.rows)
        logger = logging.getLogger("recurra")
        logger.addHandler(ByLog(stages))
        logger.setLevel(logging.INFO)
        with contextlib.suppress(Interrupted):
            train(
                arguments.task,
                str(files[0] if len(files) == 1 else written),
                run=Path(temporary) / "run",
                settings=[*SETTINGS.get(arguments.task, []), *arguments.set],
                progress=StopAfter(
                    None if arguments.whole else arguments.steps, stages
                ),
            )
        stages.begin("end")


if __name__ == "__main__":
    main()
