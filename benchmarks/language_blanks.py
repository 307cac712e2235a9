"""Blanks filled by counts, by a forward model and by both directions.

Leaves out words of a split one at a time, and prints how often each system finds the
word: by what stands before it alone, and judged by what follows too. Trains a model of
both directions, unless a finished run of one is given. Of all that is measured four
weights are fitted to 200 blanks of validation, which other draws may meet again.

    python benchmarks/language_blanks.py --data ptb --recipe ptb_words
    python benchmarks/language_blanks.py --run runs/ptb --split test
    python benchmarks/language_blanks.py --blanks 500
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from recurra.pipelines import open_run, train
from recurra.pipelines.core.workflow import open_trained
from recurra.pipelines.language.blank_scoring import BlankScorer, accuracy, draw_blanks
from recurra.pipelines.language.blanks import Blanks

BEFORE, BOTH_SIDES = np.array([1.0, 0, 0, 0]), np.array([1.0, 1, 0, 0])


def main() -> None:
    """Prints a row for each system."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a finished run of both directions")
    parser.add_argument("--data", default="sample")
    parser.add_argument("--recipe", default="sample")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--blanks", type=int, default=2_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.run or Path(folder) / "run"
        if arguments.run is None:
            train(
                "language",
                arguments.data,
                run=path,
                recipe=arguments.recipe,
                settings=["model.directions=both", *arguments.set],
            )
        measure(path, arguments.split, arguments.blanks)


def measure(path: Path, split: str, number: int) -> None:
    """Asks each system for the same blanks."""
    task, model = open_trained([open_run(path)])
    scorer, both = task.fitted_scorers(model)
    members = scorer.members
    module = task.data_module(task.load(task.configuration))
    drawn = draw_blanks(module.documents(split), module.units, number, seed=1)
    forward = BlankScorer(Blanks(members, None), module.units)
    fitted = members.weights.numpy()
    print(f"{len(drawn):,} blanks of {split}; weights {both.blanks.weights.numpy()}")
    print(f"{'system':42} {'top 1':>6} {'top 5':>6} {'s':>5}")
    rows = [(name, forward) for name in ("kneser_ney", "recurrent", "model")]
    for name, asks in [*rows, ("both directions", both)]:
        if name != "both directions" and name not in members.systems:
            continue
        weights = fitted.copy()
        # The first row is what answers.
        if name in members.systems:
            weights[0] = fitted[members.systems.index(name)]
        members.weights.assign(weights)
        begun = time.monotonic()
        asked = asks.ask(drawn)
        seconds = time.monotonic() - begun
        ways = {"before": BEFORE, "before and behind": BOTH_SIDES}
        if asks is both:
            ways = {"fitted": both.blanks.weights.numpy()}
        for way, of_features in ways.items():
            found = accuracy(asked, of_features)
            print(
                f"{name + ', ' + way:42} {found['top_1']:6.3f} {found['top_5']:6.3f} "
                f"{seconds:5.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
