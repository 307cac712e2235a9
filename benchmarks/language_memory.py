"""The memory that a long text takes: reading it, and training a language model of it.

Writes a text of generated words by Zipf's law, begins to train on it, stops after some
steps, and prints the highest memory of the process and where the time went.

    python benchmarks/language_memory.py --megabytes 500
    python benchmarks/language_memory.py --megabytes 100 --units characters
"""

import argparse
import os
import resource
import signal
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from recurra.pipelines import train
from recurra.pipelines.core.errors import Interrupted

WORDS, LINE = 50_000, 12


class StopAfter:
    """Stops training after so many steps, as Ctrl-C does."""

    def __init__(self, steps: int):
        self._steps = steps
        self.began = self.ended = 0.0

    def epoch_started(self, epoch: int, epochs: int, step: int, steps: int) -> None:
        """Notes when."""
        print(f"reading took {time.monotonic() - BEGAN:.0f} s, {peak():.2f} GB")
        print(f"an epoch has {steps:,} steps", flush=True)
        self.began = time.monotonic()

    def step_done(self, step: int, loss: float) -> None:
        """Stops at the last one."""
        if step == self._steps:
            self.ended = time.monotonic()
            os.kill(os.getpid(), signal.SIGINT)

    def epoch_ended(self, row: dict, best: bool) -> None:
        """Training is stopped before."""


def write_text(path: Path, megabytes: int) -> None:
    """Words of syllables, the frequent ones short, in lines of equal numbers."""
    generator = np.random.default_rng(0)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    words = np.array(
        [
            "".join(generator.choice(syllables, 1 + int(np.log10(1 + number))))
            + str(number % 10)
            for number in range(WORDS)
        ]
    )
    chances = 1 / np.arange(1, WORDS + 1)
    chances /= chances.sum()
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < megabytes * 1_000_000:
            drawn = words[generator.choice(WORDS, (10_000, LINE), p=chances)]
            file.writelines(" ".join(line) + ".\n" for line in drawn)


def peak() -> float:
    """The highest memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Prints what one text takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--units", default="words")
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        write_text(text, arguments.megabytes)
        size = text.stat().st_size / 1e6
        print(f"{size:.0f} MB of text; {peak():.2f} GB before", flush=True)
        global BEGAN
        BEGAN = time.monotonic()
        stop = StopAfter(arguments.steps)
        settings = [f"units.kind={arguments.units}", "data.documents=together"]
        settings += ["data.validation_fraction=0.001", "data.test_fraction=0.001"]
        try:
            train(
                "language",
                str(text),
                run=Path(folder) / "run",
                settings=settings,
                progress=stop,
            )
        except Interrupted:
            seconds = stop.ended - stop.began
            print(f"{arguments.steps} steps took {seconds:.0f} s")
            print(f"highest memory: {peak():.2f} GB")


BEGAN = 0.0
if __name__ == "__main__":
    main()
