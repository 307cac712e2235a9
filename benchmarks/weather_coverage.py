"""What the 80 % interval covers by thirds of the lead time, and errors of directions.

    python benchmarks/weather_coverage.py RUN

RUN is a trained run of weather. The figures are those of its test part: read from its
metrics.json, which `recurra train` wrote.
"""

import argparse
import json
from pathlib import Path

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    series = json.loads((run / "assets" / "series.json").read_text(encoding="utf-8"))
    thirds = np.array_split(metrics["by_lead"]["coverage_80"], 3)
    print("covered by thirds of the lead time:", *(f"{t.mean():.3f}" for t in thirds))
    targets = [series["variables"][each] for each in series["shape"]["targets"]]
    for number, variable in enumerate(targets):
        found = metrics["by_variable"][variable["name"]]
        line = f"{variable['name']}: covered {found['coverage_80']:.3f}"
        if variable["kind"] == "direction":
            naive = series["naive_errors"][number]
            line += f", MAE round the circle {found['mae']:.1f}"
            line += f", seasonal naive in training {naive:.1f}"
        print(line)


if __name__ == "__main__":
    main()
