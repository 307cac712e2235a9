"""Sizes and latencies of one run's model in every format that it can be exported in.

python benchmarks/formats.py RUN [TEXT]

Prints a Markdown table: the size of the version's folder; of single requests, each of
one row and after a warm-up, the median and the 95th percentile of the processor time,
which other work on the machine changes little; and the largest difference from what the
SavedModel answers.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from recurra.pipelines import UserError, export, open_run
from recurra.pipelines.cards import ForecastAnswer
from recurra.pipelines.core.exported_model import ExportedModel
from recurra.pipelines.core.versions import MODEL_FILES

REQUESTS = 200


def inputs_of(model: ExportedModel, text: str) -> dict[str, Any]:
    """One row for the default signature."""
    answer = model.answer
    if not isinstance(answer, ForecastAnswer):
        (name,) = model.card.inputs
        return {name: [text]}
    inputs: dict[str, Any] = {"start": np.array([b"2021-03-01T00:00:00"], object)}
    for name, tensor in model.card.inputs.items():
        if name != "start":
            sizes = [1 if isinstance(size, str) else size for size in tensor.shape]
            inputs[name] = np.ones(sizes, tensor.dtype)
    return inputs


def milliseconds(model: ExportedModel, inputs: dict[str, Any]) -> list[float]:
    """Of each request, after a tenth of them that do not count."""
    taken = []
    for number in range(REQUESTS + REQUESTS // 10):
        begun = time.process_time()
        model.run(inputs)
        if number >= REQUESTS // 10:
            taken.append(1000 * (time.process_time() - begun))
    return taken


def main(run: str, text: str = "Not a dull minute in it.") -> None:
    with tempfile.TemporaryDirectory() as folder:
        head = "| format | megabytes | median, ms | 95 % are below, ms "
        print(head + "| largest difference |")
        print("|---|---|---|---|---|")
        inputs: dict[str, Any] = {}
        expected: Any = None
        for name in MODEL_FILES:
            try:
                model = export([open_run(run)], Path(folder) / name, format=name)
            except UserError as error:
                print(f"| {name} | {error} | | | |")
                continue
            inputs = inputs or inputs_of(model, text)
            found = {
                key: value
                for key, value in model.run(inputs).items()
                if value.dtype != object and value.dtype.kind == "f"
            }
            expected = expected or found
            apart = max(float(abs(found[key] - expected[key]).max()) for key in found)
            size = sum(path.stat().st_size for path in model.folder.rglob("*")) / 1e6
            taken = milliseconds(model, inputs)
            high = statistics.quantiles(taken, n=20)[-1]
            median = statistics.median(taken)
            print(f"| {name} | {size:.2f} | {median:.2f} | {high:.2f} | {apart:.1e} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
