"""Training speed and memory: 336 steps in, 96 out, an LSTM of 64 units per variable.

What is counted are channel-windows: a window of one variable, since the weights are
shared and each variable of a window is a sequence of its own. The recurrence reads
segments of 24 steps, as the recipes of long horizons do, or with `--segment 1` step by
step. Every step of training is taken as `recurra train` takes it: windows gathered,
shuffled, forward, backward, optimizer. Prints the median of some rounds, and the peak
of the resident memory, TensorFlow's own included.

    python benchmarks/weather_training.py
    python benchmarks/weather_training.py --segment 1
"""

import argparse
import resource
import statistics
import time

from recurra.pipelines.core.configuration import make_configuration
from recurra.pipelines.weather.config import WeatherConfig
from recurra.pipelines.weather.data import WindowDataModule, load_weather_data
from recurra.pipelines.weather.model import build_model, compile_model


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="sample:10min", help="as for recurra train")
    parser.add_argument("--segment", type=int, default=24, help="steps read at once")
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=64, help="windows")
    parser.add_argument("--precision", default="float32", help="or bfloat16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=40, help="of a round")
    arguments = parser.parse_args()

    configuration = make_configuration(
        WeatherConfig,
        [
            (
                "command line",
                {
                    "data": {"spec": arguments.data, "history": 336, "horizon": 96},
                    "model": {
                        "kind": "segments",
                        "cell": "lstm",
                        "units": arguments.units,
                        "segment": arguments.segment,
                        "precision": arguments.precision,
                    },
                    "forecast": {"quantiles": []},
                    "training": {"batch_size": arguments.batch_size},
                },
            )
        ],
    )
    data = load_weather_data(configuration.data)
    windows = WindowDataModule(
        data, data.fit_scaling(), configuration.data, arguments.batch_size, seed=0
    )
    model = build_model(configuration, data.shape, len(data.series.variables))
    compile_model(model, configuration, steps_per_epoch=len(windows.training))
    channels = len(data.shape.targets) * arguments.batch_size
    rates = []
    for number in range(1 + arguments.rounds):
        batches = windows.training_batches(number).take(arguments.batches)
        begun = time.perf_counter()
        model.fit(batches, verbose=0)
        rates.append(channels * arguments.batches / (time.perf_counter() - begun))
    # The first round traces.
    rounds = ", ".join(f"{rate:,.0f}" for rate in rates[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"segments of {arguments.segment}, {arguments.precision}, "
        f"{len(data.shape.targets)} variables: {statistics.median(rates[1:]):,.0f} "
        f"channel-windows/s (of {rounds}); peak {peak:,.0f} MiB"
    )


if __name__ == "__main__":
    main()
