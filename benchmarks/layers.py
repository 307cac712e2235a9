"""What our recurrent layers cost beside Keras's: time of a training step and of an
answer, peak memory.

A training step is the forward pass and the gradients of the inputs and of all weights,
compiled (a graph on TensorFlow, `jax.jit` on JAX; torch runs as it is). All layers of
one shape run in one process in turn, again and again; a ratio is the median, over the
rounds, of a layer's time divided by its peer's in the same round. The noise is drawn
within the step. Where torch is installed, torch.nn.LSTM stands beside them.

    python benchmarks/layers.py
    python benchmarks/layers.py --inference
    KERAS_BACKEND=jax python benchmarks/layers.py --rounds 5
    python benchmarks/layers.py --memory

What automatic differentiation takes, or manual backpropagation below the threshold of
the backend, show by using the latter from so many units on:

    python benchmarks/layers.py --manual-from 100000 \\
        --shape 64x100x128x128 --shape 64x100x256x256
"""

import argparse
import importlib.util
import math
import multiprocessing
import os
import platform
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from recurra.layers import (
    GRU,
    LSTM,
    MLSTM,
    RGLRU,
    SLSTM,
    SRU,
    IndRNN,
    MinGRU,
    MinLSTM,
    VanillaRNN,
    backpropagation,
)

# Batch, time, input features, units.
Shape = tuple[int, ...]
MakeStep = Callable[["Contestant", Shape], Callable[[], None]]
SHAPES = ((64, 200, 128, 128), (256, 120, 14, 32), (64, 25, 256, 512))
# One sequence: a step behind a state, and a hundred steps.
INFERENCE_SHAPES = tuple(
    (1, timesteps, *sizes)
    for timesteps in (1, 100)
    for sizes in ((128, 128), (256, 512))
)
VARIATIONAL = {"dropout": 0.3, "recurrent_dropout": 0.3}
ZONEOUT = {"zoneout_hidden": 0.05, "zoneout_cell": 0.5}


class Contestant(NamedTuple):
    """A layer class with its arguments, and whether its batch is padded.

    The class is `None` for torch.nn.LSTM, which every backend has beside it.
    """

    make: Any
    arguments: dict[str, Any] = {}
    is_padded: bool = False


CONTESTANTS = {
    "keras LSTM": Contestant(keras.layers.LSTM),
    "keras GRU": Contestant(keras.layers.GRU),
    "keras SimpleRNN": Contestant(keras.layers.SimpleRNN),
    "keras LSTM, dropout and recurrent_dropout": Contestant(
        keras.layers.LSTM, VARIATIONAL
    ),
    "keras LSTM, padded": Contestant(keras.layers.LSTM, is_padded=True),
    "torch.nn.LSTM": Contestant(None),
    "LSTM": Contestant(LSTM),
    "GRU": Contestant(GRU),
    "VanillaRNN": Contestant(VanillaRNN),
    "LSTM, variational input, state and output": Contestant(
        LSTM, {**VARIATIONAL, "output_dropout": 0.3}
    ),
    "LSTM, zoneout of h and c": Contestant(LSTM, ZONEOUT),
    "LSTM, weight drop": Contestant(LSTM, {"weight_dropout": 0.5}),
    "MinGRU": Contestant(MinGRU),
    "MinLSTM": Contestant(MinLSTM),
    "RGLRU": Contestant(RGLRU),
    "IndRNN": Contestant(IndRNN),
    "SRU": Contestant(SRU),
    "SLSTM": Contestant(SLSTM, {"heads": 4}),
    "MLSTM": Contestant(MLSTM, {"heads": 4}),
    "LSTM, padded": Contestant(LSTM, is_padded=True),
    "GRU, padded": Contestant(GRU, is_padded=True),
    "LSTM, zoneout of h and c, padded": Contestant(LSTM, ZONEOUT, is_padded=True),
}

# Layer, its peer, and the ratio to stay under on TensorFlow on a CPU, where one is set.
COMPARISONS = (
    ("LSTM", "keras LSTM", 0.80),
    ("GRU", "keras GRU", 0.80),
    ("VanillaRNN", "keras SimpleRNN", 1.02),
    (
        "LSTM, variational input, state and output",
        "keras LSTM, dropout and recurrent_dropout",
        0.60,
    ),
    ("LSTM, variational input, state and output", "keras LSTM", 0.85),
    ("LSTM, zoneout of h and c", "keras LSTM", 0.90),
    ("LSTM, weight drop", "keras LSTM", 0.80),
    ("MinGRU", "LSTM", 0.50),
    ("MinLSTM", "LSTM", None),
    ("RGLRU", "LSTM", 0.50),
    ("IndRNN", "LSTM", None),
    ("SRU", "LSTM", None),
    ("SLSTM", "LSTM", None),
    ("MLSTM", "LSTM", None),
    ("LSTM, padded", "LSTM", 1.05),
    ("GRU, padded", "GRU", None),
    ("LSTM, zoneout of h and c, padded", "LSTM, zoneout of h and c", None),
    ("keras LSTM, padded", "keras LSTM", None),
    ("LSTM", "torch.nn.LSTM", None),
)
INFERENCE_COMPARISONS = (
    ("LSTM", "keras LSTM", 1.0),
    ("GRU", "keras GRU", 1.0),
    ("VanillaRNN", "keras SimpleRNN", 1.0),
    ("LSTM, zoneout of h and c", "keras LSTM", None),
    ("MinGRU", "keras LSTM", None),
    ("RGLRU", "keras LSTM", None),
    ("LSTM", "torch.nn.LSTM", None),
)

clock: Callable[[], float] = time.perf_counter


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.15, help="of one timing")
    parser.add_argument("--only", default="", help="text in the names of the layers")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="of the whole process, where other work shares the machine",
    )
    parser.add_argument(
        "--shape",
        dest="shapes",
        type=shape_of,
        action="append",
        metavar="BATCHxTIMExINPUTxUNITS",
        help="such as 64x100x256x256; may be given again (default: "
        + ", ".join(map(name_of, SHAPES))
        + "; with --inference "
        + ", ".join(map(name_of, INFERENCE_SHAPES))
        + ")",
    )
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--manual-from",
        type=int,
        metavar="UNITS",
        help="use manual backpropagation from so many units on, faster or not",
    )
    way.add_argument("--memory", action="store_true", help="peak memory, no times")
    way.add_argument(
        "--inference", action="store_true", help="answers, no steps of training"
    )
    arguments = parser.parse_args()
    global clock
    clock = time.process_time if arguments.processor_time else time.perf_counter
    is_training = not arguments.inference
    has_torch = importlib.util.find_spec("torch") is not None
    comparisons = [
        row
        for row in (COMPARISONS if is_training else INFERENCE_COMPARISONS)
        if arguments.only in row[0] and (has_torch or row[1] != "torch.nn.LSTM")
    ]
    shapes = arguments.shapes or list(SHAPES if is_training else INFERENCE_SHAPES)
    if arguments.manual_from is not None:
        backpropagation.UNITS_TO_PAY_OFF[keras.backend.backend()] = (
            arguments.manual_from
        )

    print(
        f"{keras.backend.backend()}, Keras {keras.__version__}, "
        f"{os.cpu_count()} cores, {platform.machine()}\n"
    )
    if arguments.memory:
        print_memory(comparisons, shapes)
    else:
        make_step = training_step if is_training else inference_step
        print_ratios(
            comparisons, shapes, make_step, arguments.rounds, arguments.seconds
        )


def shape_of(text: str) -> Shape:
    """The shape that `name_of` gives this name."""
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){3}", text):
        raise argparse.ArgumentTypeError(
            f"expected BATCHxTIMExINPUTxUNITS, such as 64x100x256x256; received {text}"
        )
    return tuple(map(int, text.split("x")))


def name_of(shape: Shape) -> str:
    """Such as 64x100x256x256."""
    return "x".join(map(str, shape))


def print_ratios(
    comparisons: list[Any],
    shapes: list[Shape],
    make_step: MakeStep,
    rounds: int,
    seconds: float,
) -> None:
    """One row a comparison: a ratio for each shape, and their geometric mean."""
    names = dict.fromkeys(name for row in comparisons for name in row[:2])
    times = {}
    for shape in shapes:
        steps = {name: make_step(CONTESTANTS[name], shape) for name in names}
        times[shape] = interleaved(steps, rounds, seconds)
        print(f"\nmilliseconds per step at {' x '.join(map(str, shape))}")
        for name, measured in times[shape].items():
            print(f"  {name:45} {1e3 * statistics.median(measured):8.2f}")
    print(
        f"\n{'layer':43} {'beside':42} "
        + " ".join(f"{name_of(shape):>15}" for shape in shapes)
        + "    mean  bar"
    )
    for name, peer, bar in comparisons:
        ratios = [
            statistics.median(a / b for a, b in zip(of[name], of[peer], strict=True))
            for of in times.values()
        ]
        print(
            f"{name:43} {peer:42} "
            + " ".join(f"{ratio:15.3f}" for ratio in ratios)
            + f" {statistics.geometric_mean(ratios):7.3f}  {bar or ''}"
        )


def interleaved(
    steps: dict[str, Callable[[], None]], rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Seconds per step of each contestant in each round."""
    calls = {}
    for name, step in steps.items():
        step()
        calls[name] = max(1, math.ceil(seconds / timed(step, 2)))
    measured: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            measured[name].append(timed(step, calls[name]))
    return measured


def timed(step: Callable[[], None], calls: int) -> float:
    """Seconds per call."""
    start = clock()
    for _ in range(calls):
        step()
    return (clock() - start) / calls


def training_step(contestant: Contestant, shape: Shape) -> Callable[[], None]:
    """A call that runs one training step to its end."""
    batch, timesteps, features, units = shape
    random = np.random.default_rng(0)
    x = random.normal(size=(batch, timesteps, features)).astype("float32")
    mask = None
    if contestant.is_padded:
        lengths = random.integers(timesteps // 4, timesteps + 1, size=(batch, 1))
        mask = np.arange(timesteps) < lengths
    direction = random.normal(size=(batch, timesteps, units)).astype("float32")
    if contestant.make is None:
        return torch_lstm_step(x, direction)
    layer = contestant.make(units, return_sequences=True, **contestant.arguments)
    layer.build(x.shape)
    of_backend = {
        "tensorflow": tensorflow_step,
        "jax": jax_step,
        "torch": torch_step,
    }
    return of_backend[keras.backend.backend()](layer, x, mask, direction)


def tensorflow_step(layer: Any, x: Any, mask: Any, direction: Any) -> Any:
    import tensorflow as tf

    x, direction = tf.constant(x), tf.constant(direction)
    mask = None if mask is None else tf.constant(mask)

    @tf.function
    def step(x: Any, direction: Any, mask: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, mask=mask, training=True) * direction)
        return tape.gradient(loss, [x, *layer.trainable_variables])

    return lambda: step(x, direction, mask)[-1].numpy()


def jax_step(layer: Any, x: Any, mask: Any, direction: Any) -> Any:
    import jax

    def loss(x: Any, weights: Any, others: Any) -> Any:
        outputs, others = layer.stateless_call(
            weights, others, x, mask=mask, training=True
        )
        return (outputs * direction).sum(), others

    gradient = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))
    weights = [v.value for v in layer.trainable_variables]
    others = [v.value for v in layer.non_trainable_variables]
    x = jax.numpy.asarray(x)
    return lambda: jax.block_until_ready(gradient(x, weights, others))


def torch_step(layer: Any, x: Any, mask: Any, direction: Any) -> Any:
    import torch

    x, direction = torch.tensor(x, requires_grad=True), torch.tensor(direction)
    mask = None if mask is None else torch.tensor(mask)
    weights = [v.value for v in layer.trainable_variables]

    def step() -> None:
        loss = (layer(x, mask=mask, training=True) * direction).sum()
        torch.autograd.grad(loss, [x, *weights])

    return step


def torch_lstm_step(x: Any, direction: Any) -> Any:
    import torch

    layer = torch.nn.LSTM(x.shape[-1], direction.shape[-1], batch_first=True)
    x, direction = torch.tensor(x, requires_grad=True), torch.tensor(direction)

    def step() -> None:
        loss = (layer(x)[0] * direction).sum()
        torch.autograd.grad(loss, [x, *layer.parameters()])

    return step


def inference_step(contestant: Contestant, shape: Shape) -> Callable[[], None]:
    """A call that goes on from a state, to its end: the last output and the states."""
    batch, *_, units = shape
    x = np.random.default_rng(0).normal(size=shape[:3]).astype("float32")
    if contestant.make is None:
        return torch_lstm_answer(x, units)
    layer = contestant.make(units, return_state=True, **contestant.arguments)
    layer.build(x.shape)
    states = layer.get_initial_state(batch)
    of_backend = {
        "tensorflow": tensorflow_answer,
        "jax": jax_answer,
        "torch": torch_answer,
    }
    return of_backend[keras.backend.backend()](layer, x, states)


def tensorflow_answer(layer: Any, x: Any, states: Any) -> Any:
    import tensorflow as tf

    call = tf.function(lambda x, states: layer(x, initial_state=states, training=False))
    x = tf.constant(x)
    return lambda: call(x, states)[0].numpy()


def jax_answer(layer: Any, x: Any, states: Any) -> Any:
    import jax

    weights = [v.value for v in layer.trainable_variables]
    others = [v.value for v in layer.non_trainable_variables]
    call = jax.jit(
        lambda x, states: layer.stateless_call(
            weights, others, x, initial_state=states, training=False
        )[0]
    )
    x = jax.numpy.asarray(x)
    return lambda: jax.block_until_ready(call(x, states))


def torch_answer(layer: Any, x: Any, states: Any) -> Any:
    import torch

    x = torch.tensor(x)

    @torch.no_grad()
    def call() -> None:
        layer(x, initial_state=states, training=False)

    return call


def torch_lstm_answer(x: Any, units: int) -> Any:
    import torch

    layer = torch.nn.LSTM(x.shape[-1], units, batch_first=True)
    x = torch.tensor(x)
    states = (torch.zeros(1, len(x), units), torch.zeros(1, len(x), units))

    @torch.no_grad()
    def call() -> None:
        layer(x, states)

    return call


def print_memory(comparisons: list[Any], shapes: list[Shape]) -> None:
    """Peak memory of twenty steps of each layer, each in a process of its own."""
    names = dict.fromkeys(name for row in comparisons for name in row[:2])
    spawn = multiprocessing.get_context("spawn")
    for shape in shapes:
        print(f"\nMiB above the idle process at {' x '.join(map(str, shape))}")
        for name in names:
            with spawn.Pool(1) as pool:
                peak = pool.apply(peak_memory, (name, shape))
            print(f"  {name:45} {peak:8.0f}", flush=True)


def peak_memory(name: str, shape: Shape) -> float:
    """MiB that twenty steps of the layer add to the peak of this process."""
    idle = peak_of_process()
    step = training_step(CONTESTANTS[name], shape)
    for _ in range(20):
        step()
    return peak_of_process() - idle


def peak_of_process() -> float:
    """MiB, the largest resident set so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
