"""The recurrences of today in three tasks: what each reaches, and its time.

Trains the recurrent member of each task with every cell in turn, all else as it is, and
prints the best epoch's value on validation with the seconds of an epoch, which are the
median of all but the first.

    python benchmarks/recurrences.py
    python benchmarks/recurrences.py --only lstm min_gru --seeds 3
    python benchmarks/recurrences.py \\
        --language tinyshakespeare.txt --weather jena_hourly.npz

Without data of yours it takes the embedded samples.
"""

import argparse
import csv
import os
import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple, get_args

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from recurra.pipelines import train
from recurra.pipelines.recurrent import CellName


class Task(NamedTuple):
    """How a task is trained.

    Attributes:
        recipe: For the embedded sample, and for the data that it was made for.
        column: Of the history, what is reported.
        settings: Put over the recipe: such that every cell takes them.
    """

    recipe: str
    column: str
    settings: tuple[str, ...]


# Weather has its recurrent member alone, and no noise that some cells refuse.
TASKS = {
    "sentiment": Task("sample", "val_nll", ("training.epochs=3",)),
    "language": Task("tiny_shakespeare", "val_nll", ("training.epochs=3",)),
    "weather": Task(
        "jena_24h", "val_mae", ("training.epochs=4", "model.recurrent_dropout=0")
    ),
}


def main() -> None:
    """Prints a row for each cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentiment", default="sample", metavar="DATA")
    parser.add_argument("--language", default="sample", metavar="DATA")
    parser.add_argument("--weather", default="sample", metavar="DATA")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument(
        "--only", nargs="+", choices=get_args(CellName), default=get_args(CellName)
    )
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    tasks = {name: getattr(arguments, name) for name in arguments.tasks}
    print("| cell |", " | ".join(f"{name}, s an epoch" for name in tasks), "|")
    print("|---|" + "---|" * len(tasks))
    for cell in arguments.only:
        rows = [
            measured(name, data, cell, arguments.seeds) for name, data in tasks.items()
        ]
        print(f"| `{cell}` |", " | ".join(rows), "|", flush=True)


def measured(name: str, data: str, cell: str, seeds: int) -> str:
    """The best values on validation, one for each seed, and the time of an epoch."""
    values, seconds = [], []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            recipe = TASKS[name].recipe
            keras.backend.clear_session()
            train(
                name,
                data,
                run=run,
                recipe="sample" if data.startswith("sample") else recipe,
                settings=[f"model.cell={cell}", f"seed={seed}", *TASKS[name].settings],
                progress=False,
            )
            with (run / "history.csv").open() as file:
                history = list(csv.DictReader(file))
        values.append(min(float(row[TASKS[name].column]) for row in history))
        seconds += [float(row["seconds"]) for row in history[1:]]
    shown = " ".join(f"{value:.4f}" for value in values)
    return f"{shown}, {statistics.median(seconds):.1f} s"


if __name__ == "__main__":
    main()
