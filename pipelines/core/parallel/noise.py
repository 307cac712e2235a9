"""Noise that belongs to rows, and not to workers.

Whatever Keras draws on TensorFlow is a function of a seed and a shape, and the seeds
take the same course in all workers. So a worker draws the noise of the whole batch and
keeps that of its rows: the numbers that one process would have given them.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import tensorflow as tf


class Rows(NamedTuple):
    """The rows `begin` to `begin + mine` of a batch of `all`; int32 scalars."""

    begin: tf.Tensor
    mine: tf.Tensor
    all: tf.Tensor


# What Keras's layers and `keras.random` draw by, and what has no rows to be cut to.
_BY_SHAPE = ("stateless_uniform", "stateless_normal", "stateless_truncated_normal")
_REFUSED = ("stateless_binomial", "stateless_categorical", "stateless_gamma")
_NOT_BY_ROW = "cannot be cut into that of the rows of a batch; train by one worker"


@contextlib.contextmanager
def noise_of(rows: Rows) -> Iterator[None]:
    """Within, what a model draws for its batch is the noise of these rows.

    A draw is by row where its first dimension is not known when the graph is made, as
    that of a batch is not: a mask of weights has a known one, and is drawn as ever.
    Rows may be folded into a dimension with what belongs to each, as by a reshape to
    `(-1, features)`.
    """
    with contextlib.ExitStack() as replaced:
        for name in _BY_SHAPE:
            draw = functools.partial(_draw, getattr(tf.random, name), rows)
            replaced.enter_context(_replaced(tf.random, name, draw))
        for name in _REFUSED:
            refuse = functools.partial(_refuse, name)
            replaced.enter_context(_replaced(tf.random, name, refuse))
        dropout = functools.partial(
            _dropout, tf.nn.experimental.stateless_dropout, rows
        )
        replaced.enter_context(
            _replaced(tf.nn.experimental, "stateless_dropout", dropout)
        )
        yield


def _draw(draw: Callable[..., tf.Tensor], rows: Rows, shape: Any, **how: Any) -> Any:
    shape = tf.convert_to_tensor(shape, tf.int32)
    known = tf.zeros(shape).shape
    if known.is_fully_defined() or known[:1] == [1]:
        return draw(shape=shape, **how)
    if known[:1].is_fully_defined():
        raise NotImplementedError(f"noise of shape {known}: {_NOT_BY_ROW}")
    of_each = shape[0] // rows.mine
    whole = tf.concat([[of_each * rows.all], shape[1:]], 0)
    with tf.control_dependencies(
        [
            tf.debugging.assert_equal(
                of_each * rows.mine,
                shape[0],
                _NOT_BY_ROW,
            )
        ]
    ):
        begin = of_each * rows.begin
    return draw(shape=whole, **how)[begin : begin + shape[0]]


def _dropout(
    dropout: Callable[..., tf.Tensor],
    rows: Rows,
    x: tf.Tensor,
    rate: float,
    seed: tf.Tensor,
    noise_shape: Any = None,
) -> tf.Tensor:
    def mask(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return dropout(tf.ones(shape, x.dtype), rate=rate, seed=seed)

    shape = tf.shape(x) if noise_shape is None else noise_shape
    return x * _draw(mask, rows, shape, seed=seed)


def _refuse(name: str, *arguments: Any, **further: Any) -> Any:
    raise NotImplementedError(f"noise by tf.random.{name}: {_NOT_BY_ROW}")


@contextlib.contextmanager
def _replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    kept = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, kept)
