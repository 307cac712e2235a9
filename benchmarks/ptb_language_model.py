"""That a recurrent regulariser regularises: word language models on the Penn Treebank.

Trains the same model, two LSTM layers of 200 units between an embedding and a softmax
over the 10,000 words, without a regulariser and with each of five, and prints the
perplexity on the validation and the test text. The epoch is chosen on the validation
text; the test text is read once, at the end. Rates are those of the papers or near
them and were not tuned.

    python benchmarks/ptb_language_model.py --data ptb.tar.gz
    python benchmarks/ptb_language_model.py --data ptb.tar.gz --quick
"""

import argparse
import math
import os
import tarfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from recurra.layers import LSTM, RNN, FeedForwardDropout, LSTMCell, WordDropout

UNITS, BATCH, TIMESTEPS = 200, 20, 35


def plain(last: bool) -> keras.layers.Layer:
    return LSTM(UNITS, **LAYER)


def feed_forward(last: bool) -> keras.layers.Layer:
    cell = FeedForwardDropout(LSTMCell(UNITS), 0.25, output_dropout=0.25 * last)
    return RNN(cell, **LAYER)


def variational(last: bool) -> keras.layers.Layer:
    return LSTM(
        UNITS, dropout=0.25, recurrent_dropout=0.25, output_dropout=0.25 * last, **LAYER
    )


def zoneout(last: bool) -> keras.layers.Layer:
    return LSTM(UNITS, zoneout_hidden=0.05, zoneout_cell=0.25, **LAYER)


def weight_drop(last: bool) -> keras.layers.Layer:
    return LSTM(
        UNITS, weight_dropout=0.5, dropout=0.25, output_dropout=0.25 * last, **LAYER
    )


LAYER = {"return_sequences": True, "stateful": True}
# Name, layer of either depth, rate of word dropout.
MODELS = {
    "none": (plain, 0.0),
    "feed-forward dropout (Zaremba)": (feed_forward, 0.0),
    "variational dropout (Gal)": (variational, 0.1),
    "zoneout (Krueger)": (zoneout, 0.0),
    "weight drop (Merity), masks on input and output": (weight_drop, 0.1),
}


def main() -> None:
    """Trains one model after the other and prints a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="archive with ptb.*.txt")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="text in the names of the models")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the training text, two epochs"
    )
    arguments = parser.parse_args()
    epochs = 2 if arguments.quick else arguments.epochs

    splits = read(Path(arguments.data))
    if arguments.quick:
        splits["train"] = splits["train"][: len(splits["train"]) // 10]
    words = max(int(ids.max()) for ids in splits.values()) + 1
    windows = {name: in_windows(ids) for name, ids in splits.items()}

    rows = []
    for name, (make_layer, word_dropout) in MODELS.items():
        if arguments.only not in name:
            continue
        keras.utils.set_random_seed(arguments.seed)
        model = language_model(make_layer, word_dropout, words)
        print(f"\n{name}: {model.count_params():,} weights", flush=True)
        rows.append((name, *trained(model, windows, epochs, arguments.learning_rate)))

    print(f"\n{'regulariser':48} {'best epoch':>10} {'validation':>10} {'test':>7} min")
    for name, epoch, validation, test, seconds in rows:
        print(
            f"{name:48} {epoch:10d} {validation:10.1f} {test:7.1f} {seconds / 60:.1f}"
        )


def read(archive: Path) -> dict[str, np.ndarray]:
    """Word ids of the three texts, a line's end being a word too."""
    texts = {}
    with tarfile.open(archive) as files:
        for member in files:
            for split in ("train", "valid", "test"):
                if member.name.endswith(f"ptb.{split}.txt"):
                    lines = files.extractfile(member).read().decode()
                    texts[split] = lines.replace("\n", " <eos> ").split()
    vocabulary = {word: i for i, word in enumerate(sorted(set(texts["train"])))}
    return {
        split: np.array([vocabulary[word] for word in words], "int32")
        for split, words in texts.items()
    }


def in_windows(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and next words, `(windows * BATCH, TIMESTEPS)`.

    The text is cut into BATCH streams side by side; row b of each window goes on where
    row b of the window before it stopped. What is left over at the end is left out.
    """
    windows = (len(ids) - 1) // (BATCH * TIMESTEPS)
    length = windows * TIMESTEPS

    def cut(from_: int) -> np.ndarray:
        streams = ids[from_ : from_ + BATCH * length].reshape(BATCH, length)
        return np.concatenate(np.split(streams, windows, axis=1))

    return cut(0), cut(1)


def language_model(make_layer: Any, word_dropout: float, words: int) -> keras.Model:
    """Embedding, two recurrent layers, softmax."""
    ids = keras.Input(batch_shape=(BATCH, TIMESTEPS), dtype="int32")
    x = keras.layers.Embedding(words, UNITS)(ids)
    if word_dropout:
        x = WordDropout(word_dropout)(x, ids)
    for last in (False, True):
        x = make_layer(last)(x)
    return keras.Model(ids, keras.layers.Dense(words)(x))


def trained(
    model: keras.Model,
    windows: dict[str, tuple[np.ndarray, np.ndarray]],
    epochs: int,
    learning_rate: float,
) -> tuple[int, float, float, float]:
    """Best epoch, its validation and test perplexity, and seconds of training."""
    steps = epochs * len(windows["train"][0]) // BATCH
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(learning_rate, steps), clipnorm=1.0
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    best_epoch, best, weights = 0, math.inf, model.get_weights()
    start = time.perf_counter()
    for epoch in range(1, epochs + 1):
        reset_states(model)
        history = model.fit(
            *windows["train"], batch_size=BATCH, shuffle=False, verbose=0
        )
        training = math.exp(history.history["loss"][0])
        validation = perplexity(model, *windows["valid"])
        if validation < best:
            best_epoch, best, weights = epoch, validation, model.get_weights()
        spent = time.perf_counter() - start
        print(
            f"  epoch {epoch}/{epochs}: training {training:.1f},"
            f" validation {validation:.1f}; {spent / 60:.1f} min,"
            f" {spent / 60 * (epochs / epoch - 1):.1f} min left",
            flush=True,
        )
    model.set_weights(weights)
    test = perplexity(model, *windows["test"])
    print(f"  epoch {best_epoch} is the best: test {test:.1f}", flush=True)
    return best_epoch, best, test, spent


def perplexity(model: keras.Model, inputs: np.ndarray, targets: np.ndarray) -> float:
    """Of the streams read from their beginning."""
    reset_states(model)
    return math.exp(model.evaluate(inputs, targets, batch_size=BATCH, verbose=0))


def reset_states(model: keras.Model) -> None:
    """Forgets what the recurrent layers have read."""
    for layer in model.layers:
        if isinstance(layer, RNN):
            layer.reset_state()


if __name__ == "__main__":
    main()
