"""What counting alone gives: Kneser-Ney on the words of the Penn Treebank.

    python benchmarks/language_counts.py --data ptb.tar.gz

An archive with ptb.train.txt and ptb.test.txt; the end of a line is a word.
"""

import argparse
import math
import os
import tarfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from recurra.pipelines.language.kneser_ney import KneserNey, KneserNeyGraph


def main() -> None:
    """Prints a row for each order."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="archive with ptb.*.txt")
    parser.add_argument("--orders", type=int, nargs="*", default=[1, 2, 3, 4, 5])
    arguments = parser.parse_args()
    texts = {}
    with tarfile.open(arguments.data) as files:
        for member in files:
            for split in ("train", "test"):
                if member.name.endswith(f"ptb.{split}.txt"):
                    lines = files.extractfile(member).read().decode()
                    texts[split] = lines.replace("\n", " <eos> ").split()
    numbers = {word: 1 + i for i, word in enumerate(sorted(set(texts["train"])))}
    train, test = (
        np.array([numbers[word] for word in texts[split]], np.int32)
        for split in ("train", "test")
    )
    print(f"{len(train):,} words to count, {len(test):,} to predict")
    print(f"{'order':>5} {'n-grams':>10} {'test perplexity':>16} {'seconds':>8}")
    for order in arguments.orders:
        start = time.perf_counter()
        model = KneserNey.fit([train], len(numbers) + 1, order)
        before = tf.zeros([1, order - 1], tf.int32)
        found = KneserNeyGraph(model).probabilities(before, tf.constant(test[None]))
        perplexity = math.exp(-np.log(found.numpy()).mean())
        seconds = time.perf_counter() - start
        n_grams = sum(len(level.keys) for level in model.levels)
        print(f"{order:5d} {n_grams:10,d} {perplexity:16.2f} {seconds:8.1f}")


if __name__ == "__main__":
    main()
