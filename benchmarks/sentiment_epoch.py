"""What batches bucketed by length buy: time per epoch and padded fraction.

Trains the same model, on the same texts, with the batches that the pipeline makes and
with every batch padded to the same maximum (the longest text that the recurrent branch
reads), epochs of both in turn in one process. Prints their padded fractions, the
median seconds per epoch and their ratio.

    python benchmarks/sentiment_epoch.py --data imdb_train.tsv.gz --rows 6000
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from recurra.pipelines.core.configuration import make_configuration
from recurra.pipelines.core.runs import Run
from recurra.pipelines.data.texts.labelled_texts import Split
from recurra.pipelines.sentiment.config import SentimentConfig
from recurra.pipelines.sentiment.preprocessing import PADDING
from recurra.pipelines.sentiment.task import SentimentTask


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="sample", help="as for recurra train")
    parser.add_argument("--rows", type=int, default=6000, help="training texts taken")
    parser.add_argument("--repeats", type=int, default=3, help="epochs of either kind")
    arguments = parser.parse_args()

    configuration = make_configuration(
        SentimentConfig, [("command line", {"data": {"spec": arguments.data}})]
    )
    data = SentimentTask.load(configuration)
    train = data.splits["train"]
    rows = np.random.default_rng(0).permutation(len(train))[: arguments.rows]
    data.splits["train"] = Split(train.texts[rows], train.labels[rows])
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", "sentiment", configuration, [])
        task = SentimentTask(configuration, run)
        task.fit_preprocessing(data)
        bucketed = task.data_module(data).training.of_epoch(0).cache()
        compare(task, bucketed, arguments.repeats)


def compare(task: SentimentTask, bucketed: tf.data.Dataset, repeats: int) -> None:
    """Trains on both kinds of batches in turn and prints the figures."""
    batch_size = task.configuration.training.batch_size
    maximum = max(features["tokens"].shape[1] for features, _ in bucketed)
    kinds = {
        "bucketed by length": bucketed,
        f"padded to {maximum}": padded_to(bucketed, maximum, batch_size),
    }
    keras.utils.set_random_seed(0)
    model = task.build()
    task.compile(model, int(bucketed.cardinality()))
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for repeat in range(repeats + 1):
        for name, batches in kinds.items():
            begun = time.perf_counter()
            model.fit(batches, shuffle=False, verbose=0)
            # The first round compiles and fills the caches.
            if repeat:
                seconds[name].append(time.perf_counter() - begun)
    for name, batches in kinds.items():
        print(
            f"{name:>20}: padded fraction {padded_fraction(batches):6.1%}, "
            f"{statistics.median(seconds[name]):7.2f} s per epoch "
            f"(of {', '.join(f'{value:.2f}' for value in seconds[name])})"
        )
    bucketed_time, padded_time = map(statistics.median, seconds.values())
    print(f"ratio: {padded_time / bucketed_time:.2f}")


def padded_to(
    batches: tf.data.Dataset, maximum: int, batch_size: int
) -> tf.data.Dataset:
    """The same rows in full batches of one length, as without any bucketing."""
    shapes = {
        name: [maximum, *spec.shape[2:]] if name != "ngrams" else [None]
        for name, spec in batches.element_spec[0].items()
    }
    rows = batches.unbatch().map(unpadded)
    return (
        rows.shuffle(100_000, seed=0, reshuffle_each_iteration=False)
        .padded_batch(batch_size, (shapes, []))
        .cache()
        .prefetch(tf.data.AUTOTUNE)
    )


def unpadded(features: dict[str, tf.Tensor], label: tf.Tensor) -> tuple:
    """The row without the padding that its bucket gave it."""
    length = tf.math.count_nonzero(features["tokens"] != PADDING)
    known = tf.math.count_nonzero(features.get("ngrams", [0]) != PADDING)
    return {
        name: values[:known] if name == "ngrams" else values[:length]
        for name, values in features.items()
    }, label


def padded_fraction(batches: tf.data.Dataset) -> float:
    """The part of all token positions that is padding."""
    positions = tokens = 0
    for features, _ in batches:
        positions += int(tf.size(features["tokens"]))
        tokens += int(tf.math.count_nonzero(features["tokens"] != PADDING))
    return 1.0 - tokens / positions


if __name__ == "__main__":
    main()
