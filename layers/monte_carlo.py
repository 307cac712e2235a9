"""Monte-Carlo dropout: mean and spread of predictions made with the noise left on."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import keras
from keras import ops

from .regulariser import Tensor

# Attributes of layers of Keras that make noise; at 0 they make none.
_RATES_OF_KERAS = ("rate", "stddev", "dropout", "recurrent_dropout")


class MonteCarlo(NamedTuple):
    """What `monte_carlo` returns.

    Attributes:
        mean: Of the output over all passes, in the structure of the output.
        spread: Its standard deviation over the passes, likewise.
    """

    mean: Any
    spread: Any


def monte_carlo(
    model: keras.layers.Layer,
    inputs: Any,
    passes: int,
    passes_at_once: int | None = None,
    **arguments: Any,
) -> MonteCarlo:
    """Predicts by many passes with noise left on (Gal and Ghahramani 2016).

        mean   = 1/K sum_k f(x, noise_k)
        spread = sqrt(1/K sum_k (f(x, noise_k) - mean)^2)

    with `K = passes` and noise drawn anew for each pass. The mean is the prediction of
    the Bayesian model that a network trained with dropout approximates, the spread
    tells how sure the network is of it: the wider, the further the networks that the
    noise picks out disagree. It leaves out the noise of the data themselves.

    All passes run in one batch, in which the inputs stand `K` times. They run with
    `training=True`, so whatever is random in training is random here, data
    augmentation within the model included. What would be changed by such a call is
    refused. For speed, call it within `tf.function`.

    Source: Gal and Ghahramani, "Dropout as a Bayesian Approximation: Representing
    Model Uncertainty in Deep Learning", https://arxiv.org/abs/1506.02142; for
    recurrent networks, "A Theoretically Grounded Application of Dropout in Recurrent
    Neural Networks", https://arxiv.org/abs/1512.05287

    Args:
        model: A model or layer.
        inputs: Its inputs, `(batch, ...)`, nested as it takes them.
        passes: Integer of at least 2, `K`.
        passes_at_once: How many passes make up one batch, for want of memory. Default:
            all of them; 1 where noise is shared by all sequences of a batch, as
            `WeightDrop` does, since the passes of one batch would share it too. A
            layer of your own says so by an attribute `shares_noise`, and by
            `makes_noise` that it makes noise at all.
        **arguments: Further arguments of the call, such as `initial_state`, or `mask`,
            which is not taken from what another layer attached to `inputs`. Tensors
            among them have the batch as first axis.

    Returns:
        `MonteCarlo(mean, spread)`, each in the structure of the model's output, and in
        float32 where that is of less precision.

    Raises:
        TypeError: `model` is no Keras model or layer.
        ValueError: A number of passes makes no sense, or the model has a part that
            training mode changes, or that would mix the passes of a batch.

    Example:

    >>> import keras
    >>> from recurra.layers import LSTM, monte_carlo
    >>> layer = LSTM(8, dropout=0.2, recurrent_dropout=0.3)
    >>> mean, spread = monte_carlo(layer, keras.ops.ones((2, 5, 3)), passes=10)
    >>> keras.ops.shape(mean), keras.ops.shape(spread)
    ((2, 8), (2, 8))
    """
    if not isinstance(model, keras.layers.Layer):
        raise TypeError(
            f"`model` must be a Keras model or layer. Received: {type(model).__name__}"
        )
    _check_count("passes", passes, at_least=2)
    layers = _layers_within(model)
    for layer in layers:
        _refuse_what_training_changes(layer)
    if not any(_makes_noise(layer) for layer in layers):
        warnings.warn(
            "Nothing in the model makes noise, so all passes are equal and the spread "
            "is zero: give some layer a rate of dropout.",
            stacklevel=2,
        )
    passes_at_once = _checked_passes_at_once(passes_at_once, passes, layers)
    batch_size = _batch_size(inputs)

    outputs: Any = None
    moments: list[_Moments] = []
    for first in range(0, passes, passes_at_once):
        now = min(passes_at_once, passes - first)
        outputs = model(
            _repeated(inputs, now), training=True, **_repeated(arguments, now)
        )
        of_batch = [
            _Moments.of(_by_pass(output, now, batch_size), now)
            for output in keras.tree.flatten(outputs)
        ]
        moments = _joined(moments, of_batch) if moments else of_batch
    return MonteCarlo(
        mean=keras.tree.pack_sequence_as(outputs, [part.mean for part in moments]),
        spread=keras.tree.pack_sequence_as(outputs, [part.spread for part in moments]),
    )


class _Moments(NamedTuple):
    """Of an output of some passes the mean, and summed squares of what is off it."""

    mean: Tensor
    squares: Tensor
    passes: int

    @classmethod
    def of(cls, values: Tensor, passes: int) -> _Moments:
        mean = ops.mean(values, axis=0)
        return cls(mean, ops.sum(ops.square(values - mean), axis=0), passes)

    def joined_by(self, other: _Moments) -> _Moments:
        """Those of the passes of both (Chan, Golub and LeVeque 1983)."""
        passes = self.passes + other.passes
        apart = other.mean - self.mean
        return _Moments(
            self.mean + apart * (other.passes / passes),
            self.squares
            + other.squares
            + ops.square(apart) * (self.passes * other.passes / passes),
            passes,
        )

    @property
    def spread(self) -> Tensor:
        return ops.sqrt(self.squares / self.passes)


def _joined(before: list[_Moments], now: list[_Moments]) -> list[_Moments]:
    return [one.joined_by(other) for one, other in zip(before, now, strict=True)]


def _repeated(nested: Any, times: int) -> Any:
    """Everything with a first axis, that axis `times` as long."""
    return keras.tree.map_structure(
        lambda leaf: (
            ops.tile(leaf, (times, *[1] * (len(leaf.shape) - 1)))
            if len(getattr(leaf, "shape", ()))
            else leaf
        ),
        nested,
    )


def _batch_size(inputs: Any) -> Any:
    for leaf in keras.tree.flatten(inputs):
        if not len(getattr(leaf, "shape", ())):
            raise ValueError(
                "`inputs` must be arrays or tensors with the batch as first axis, "
                f"nested as the model takes them. Received: {leaf!r} among them"
            )
    return ops.shape(keras.tree.flatten(inputs)[0])[0]


def _by_pass(output: Tensor, passes: int, batch_size: Any) -> Tensor:
    """`(passes, batch, ...)`, precise enough to add up."""
    precise = keras.backend.result_type(output.dtype, "float32")
    return ops.reshape(
        ops.cast(output, precise), (passes, batch_size, *ops.shape(output)[1:])
    )


def _layers_within(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The layer and all layers in it, however deep."""
    found: list[keras.layers.Layer] = []
    seen: set[int] = set()
    left: list[Any] = [layer]
    while left:
        part = left.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, keras.layers.Layer):
            found.append(part)
            left += vars(part).values()
        elif isinstance(part, dict):
            left += part.values()
        elif isinstance(part, (list, tuple, set)):
            left += part
    return found


def _makes_noise(layer: keras.layers.Layer) -> bool:
    if hasattr(layer, "makes_noise"):
        return layer.makes_noise
    rates = [getattr(layer, name, None) for name in _RATES_OF_KERAS]
    rates = [rate for rate in rates if isinstance(rate, (int, float))]
    if rates:
        return any(rates)
    return any(
        isinstance(part, keras.random.SeedGenerator) for part in vars(layer).values()
    )


def _shares_noise(layer: keras.layers.Layer) -> bool:
    """Whether all rows of a batch get the same noise of the layer."""
    if hasattr(layer, "shares_noise"):
        return layer.shares_noise
    noise_shape = getattr(layer, "noise_shape", None) or (None,)
    return noise_shape[0] == 1


def _checked_passes_at_once(
    passes_at_once: int | None, passes: int, layers: list[keras.layers.Layer]
) -> int:
    sharing = [layer for layer in layers if _shares_noise(layer)]
    if passes_at_once is None:
        return 1 if sharing else passes
    _check_count("passes_at_once", passes_at_once, at_least=1)
    if sharing and passes_at_once > 1:
        raise ValueError(
            "All rows of a batch share the noise of some layers, so passes in one "
            "batch would not differ by it. Leave out `passes_at_once`, or pass 1. "
            f"Received: passes_at_once={passes_at_once} for a model with {sharing[0]}"
        )
    return passes_at_once


def _refuse_what_training_changes(layer: keras.layers.Layer) -> None:
    if getattr(layer, "stateful", False):
        raise ValueError(
            "A stateful layer would carry the state of one pass on into the next, and "
            "keeps states for a batch of one size. Use the same layer with "
            f"stateful=False. Received: a model with {layer}"
        )
    if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
        raise ValueError(
            "In training mode, which the noise needs, batch normalisation uses and "
            "changes the statistics of the batch at hand. Set its `trainable` to "
            "False, then it uses those it has learnt. Received: a model with "
            f"{layer}"
        )
    if isinstance(layer, keras.layers.SpectralNormalization):
        raise ValueError(
            "In training mode, which the noise needs, spectral normalisation changes "
            "the weights of the layer within. Received: a model with "
            f"{layer}"
        )


def _check_count(name: str, count: Any, at_least: int) -> None:
    if not isinstance(count, int) or isinstance(count, bool) or count < at_least:
        raise ValueError(
            f"`{name}` must be an integer of at least {at_least}. Received: "
            f"{name}={count!r}"
        )
