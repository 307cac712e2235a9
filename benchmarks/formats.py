"""Sizes and latencies of one run's model in every format that it can be exported in.

python benchmarks/formats.py RUN [TEXT]

Prints a Markdown table, with a row for each format and type of weights: the size of the
version's folder; of single requests of the default signature, each of one row and after
a warm-up, the median and the 95th percentile of the processor time, which other work on
the machine changes little; the processor time of `recurra predict` as a whole, of a
text; and how far the answers are from the SavedModel's: the largest difference, and of
smaller weights, over the rows that the export measures, the mean one as a fraction of
the spread of the answers, and how many texts are others.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from recurra.pipelines import UserError, export, open_run
from recurra.pipelines.cards import ForecastAnswer
from recurra.pipelines.core.exported_model import ExportedModel
from recurra.pipelines.core.portable_weights import WEIGHTS
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


def first_answer(model: ExportedModel, text: str) -> str:
    """The seconds of a command that answers one text, or "" where it takes none."""
    if isinstance(model.answer, ForecastAnswer):
        return ""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "from recurra.apps.main import main; main()"]
    asked = ["predict", str(model.folder), text]
    subprocess.run([*command, *asked], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{taken:.2f}"


def main(run: str, text: str = "Not a dull minute in it.") -> None:
    with tempfile.TemporaryDirectory() as folder:
        head = "| format | weights | megabytes | median, ms | 95 % are below, ms "
        print(head + "| first answer, s | beside the SavedModel |")
        print("|---|---|---|---|---|---|---|")
        inputs: dict[str, Any] = {}
        expected: Any = None
        kinds = [("savedmodel", WEIGHTS[0])]
        kinds += [
            (format, weights)
            for format in MODEL_FILES
            for weights in WEIGHTS
            if format != "savedmodel"
        ]
        for format, weights in kinds:
            to = Path(folder) / format / weights
            try:
                model = export([open_run(run)], to, format=format, weights=weights)
            except UserError as error:
                print(f"| {format} | {weights} | {error} | | | | |")
                continue
            inputs = inputs or inputs_of(model, text)
            found = {
                key: value
                for key, value in model.run(inputs).items()
                if value.dtype != object and value.dtype.kind == "f"
            }
            expected = expected or found
            apart = max(float(abs(found[key] - expected[key]).max()) for key in found)
            beside = f"{apart:.1e}"
            if lost := model.card.details.get("weights"):
                beside = f"{100 * max(lost['of_spread'].values()):.2g} % of the spread"
                for name, changed in lost["changed"].items():
                    beside += f", {changed} of {lost['rows']} {name}s"
            size = sum(path.stat().st_size for path in model.folder.rglob("*")) / 1e6
            taken = milliseconds(model, inputs)
            high = statistics.quantiles(taken, n=20)[-1]
            median = statistics.median(taken)
            first = first_answer(model, text)
            print(
                f"| {format} | {weights} | {size:.2f} | {median:.2f} | {high:.2f} "
                f"| {first} | {beside} |",
                flush=True,
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
