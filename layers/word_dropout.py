"""Word dropout: an embedding dropout that drops words, not positions or units."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from .regulariser import Tensor, checked_rate
from .seeds import SeedGenerator


@keras.saving.register_keras_serializable(package="recurra")
class WordDropout(keras.layers.Layer):
    """Drops word types from embedded sequences (Gal and Ghahramani 2016).

    For sequence `b` and each word `w` of the vocabulary one mask is drawn, 0 with
    probability `p` and `1 / (1 - p)` otherwise, and applied wherever `w` occurs in `b`

        y_bt = x_bt * z_b,w(b,t)

    This is dropout on rows of the embedding matrix, one mask per sequence. Only words
    that occur in a sequence need a draw, so memory and time grow with
    `batch * time` (times a logarithm for sorting) and not with the vocabulary; the
    masks are exact for ids of any size. At inference nothing is dropped.

    Source: Gal and Ghahramani, "A Theoretically Grounded Application of Dropout in
    Recurrent Neural Networks", https://arxiv.org/abs/1512.05287, section 4.2

    Args:
        rate: Share of word types to drop, in `[0, 1)`.
        seed: Integer seed, or `None` for a fresh one.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        embedded: `(batch, time, features)`.
        token_ids: Integers `(batch, time)`, the words that `embedded` stands for.
        training: Whether to drop.

    Output shape: that of `embedded`. A padding mask is passed on.

    Raises:
        ValueError: `rate` is outside `[0, 1)`, or `token_ids` are no integers.

    Example:

    >>> import keras
    >>> from recurra.layers import WordDropout
    >>> token_ids = keras.ops.array([[3, 7, 3, 1]])
    >>> embedded = keras.layers.Embedding(10, 4)(token_ids)
    >>> keras.ops.shape(WordDropout(0.5)(embedded, token_ids, training=True))
    (1, 4, 4)
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = checked_rate("rate", rate)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def draw_noise(self, token_ids: Tensor) -> Tensor:
        """Which tokens stay in one call in training mode: bool `(batch, time)`.

        Every such call draws its noise here and nowhere else.
        """
        # Sorted, equal ids stand together, so that they can be counted off: each word
        # takes the draw of its rank among the words of its sequence.
        order = ops.argsort(token_ids, axis=1)
        in_order = ops.take_along_axis(token_ids, order, axis=1)
        is_new_word = in_order[:, 1:] != in_order[:, :-1]
        rank_in_order = ops.pad(
            ops.cumsum(ops.cast(is_new_word, "int32"), axis=1), [[0, 0], [1, 0]]
        )
        rank = ops.take_along_axis(rank_in_order, ops.argsort(order, axis=1), axis=1)
        stays = (
            keras.random.uniform(
                ops.shape(token_ids), dtype="float32", seed=self.seed_generator
            )
            >= self.rate
        )
        return ops.take_along_axis(stays, rank, axis=1)

    def call(
        self, embedded: Tensor, token_ids: Tensor, training: bool | None = False
    ) -> Tensor:
        if "int" not in keras.backend.standardize_dtype(token_ids.dtype):
            raise ValueError(
                "`token_ids` must be the integer ids of the words that `embedded` "
                f"stands for. Received: token_ids of dtype {token_ids.dtype}"
            )
        if not training or not self.rate:
            return embedded
        stays = ops.cast(self.draw_noise(token_ids), self.compute_dtype)
        return embedded * ops.expand_dims(stays * (1 / (1 - self.rate)), axis=-1)

    def compute_output_shape(
        self, embedded_shape: tuple[int | None, ...], token_ids_shape: Any = None
    ) -> tuple[int | None, ...]:
        return embedded_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
