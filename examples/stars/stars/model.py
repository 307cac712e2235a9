"""A recurrent network from words to a number."""

from pathlib import Path

import keras

from recurra.pipelines.core.training import make_optimizer
from recurra.pipelines.recurrent import recurrent_layer

from .config import StarsConfig, TextConfig


def text_vectorization(
    text: TextConfig, vocabulary: Path
) -> keras.layers.TextVectorization:
    """From reviews to the numbers of their words, by a vocabulary, a word a line."""
    return keras.layers.TextVectorization(
        output_sequence_length=text.max_words,
        vocabulary=vocabulary.read_text(encoding="utf-8").splitlines(),
    )


def build_model(configuration: StarsConfig, words: int) -> keras.Model:
    """From word numbers `[N, W]`, 0 at padding, to stars `[N, 1]`."""
    model = configuration.model
    layer = recurrent_layer(model, model.units)
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int64"),
            keras.layers.Embedding(words, model.embedding_size, mask_zero=True),
            keras.layers.Bidirectional(layer),
            keras.layers.Dense(1),
        ]
    )


def compile_model(
    model: keras.Model, configuration: StarsConfig, steps_per_epoch: int
) -> None:
    """Mean squared error, with the mean absolute error beside it."""
    optimizer = make_optimizer(configuration.training, steps_per_epoch)
    model.compile(optimizer, loss="mse", metrics=["mae"])
