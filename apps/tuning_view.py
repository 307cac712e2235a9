"""What the command line shows of a search for a configuration."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
import rich.console

from recurra.pipelines.data.description import DescriptionTable

from .console import as_table, output, say

if TYPE_CHECKING:
    from recurra.pipelines.core.tuning import Tuning

_SHOWN = 10


class TrialLines:
    """A line for each trial that has ended.

    Args:
        console: Where they are shown.
        trials: So many there are to be.
    """

    def __init__(self, console: rich.console.Console, trials: int):
        self._console, self._trials = console, trials

    def __call__(
        self, number: int, state: str, value: float | None, values: Mapping[str, Any]
    ) -> None:
        shown = ", ".join(f"{key} {_cell(each)}" for key, each in values.items())
        result = state if state != "complete" else _cell(value)
        self._console.print(
            f"trial {number} (of {self._trials}): {result} at {shown}",
            markup=False,
            soft_wrap=True,
        )


def print_search(tuning: "Tuning") -> None:
    """The best trials, whether they are better than what was given, and the files."""
    if not tuning.best_file.is_file():
        say("No trial has come to its end.")
        return
    table = pd.read_csv(tuning.trials_file, keep_default_na=True)
    rows = [[_cell(each) for each in row] for row in table.head(_SHOWN).to_numpy()]
    output.print(as_table(DescriptionTable(list(table.columns), rows)))
    done = table[table["state"] == "complete"]
    best, value = done["trial"].iloc[0], done[tuning.monitor].iloc[0]
    line = f"Best: trial {best} with {tuning.monitor} {_cell(value)} on validation"
    given = done[done["as_given"]][tuning.monitor]
    if done["as_given"].iloc[0]:
        line += "; no trial is better than the configuration as it was given"
    elif len(given):
        line += f"; the configuration as it was given has {_cell(given.iloc[0])}"
    say(f"{line}.")
    say(f"Train with: recurra train {tuning.task} --config {tuning.best_file}")
    say(f"Table: {tuning.trials_file}, picture: {tuning.figure}")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return str(value)
