"""Speed of a language model beside the same model by torch.nn.LSTM.

Training: truncated backpropagation with the state carried over batches, as `recurra
train` takes its steps, and as a loop of torch takes them. Writing: the exported model's
`generate`, which draws from the mixture of network, counts and cache, beside torch's
network alone, unit by unit. Each runs in a process of its own on two threads, in turn;
printed are medians over the rounds. torch: pip install torch==2.13.0.

    python benchmarks/language_speed.py
    python benchmarks/language_speed.py --only words --rounds 1
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

THREADS = 2
# Of a round; the first ones make graphs and fill caches.
STEPS, FIRST_STEPS = 60, 20
WRITTEN = 200
PROMPTS = (1, 64)


class Setting(NamedTuple):
    """A language model and its training, as of a recipe.

    Attributes:
        units: What a text consists of.
        vocabulary: How many of them there are.
        embedding: Its size.
        width: Units of a layer.
        depth: Layers.
        rows: Of a batch.
        timesteps: Of a batch.
        order: Of the counts.
        cache: Units that it holds.
    """

    units: str
    vocabulary: int
    embedding: int
    width: int
    depth: int
    rows: int
    timesteps: int
    order: int
    cache: int


SETTINGS = {
    # tiny_shakespeare and ptb_words.
    "characters": Setting("characters", 60, 64, 256, 1, 64, 100, 8, 0),
    "words": Setting("words", 10_000, 200, 200, 2, 20, 20, 5, 500),
}


def text_of(setting: Setting, seed: int = 0) -> str:
    """A text of one epoch, whose units are drawn by Zipf's law."""
    generator = np.random.default_rng(seed)
    number = (STEPS + FIRST_STEPS + 2) * setting.rows * setting.timesteps
    chances = 1 / np.arange(1, setting.vocabulary + 1)
    drawn = generator.choice(setting.vocabulary, number, p=chances / chances.sum())
    if setting.units == "characters":
        letters = [chr(0x100 + each) for each in range(setting.vocabulary)]
        return "".join(letters[each] for each in drawn)
    # Each is there once at least.
    drawn[: setting.vocabulary] = generator.permutation(setting.vocabulary)
    return " ".join(f"w{each}" for each in drawn)


class Clock:
    """The seconds of each step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._last = 0.0

    def epoch_started(self, epoch: int, epochs: int, step: int, steps: int) -> None:
        """Begins."""
        self._last = time.perf_counter()

    def step_done(self, step: int, loss: float) -> None:
        """Notes how long it took."""
        now = time.perf_counter()
        self.seconds.append(now - self._last)
        self._last = now

    def epoch_ended(self, row: dict, best: bool) -> None:
        """There is one epoch."""


def with_recurra(setting: Setting, folder: Path) -> Iterator[tuple[str, float]]:
    """Units per second of training and of writing."""
    import tensorflow as tf

    from recurra.pipelines import export, train

    text = folder / "text.txt"
    text.write_text(text_of(setting), encoding="utf-8")
    settings = {
        **{"data.documents": "together", "data.split_by": "position"},
        **{"data.validation_fraction": 0.01, "data.test_fraction": 0},
        **{"units.kind": setting.units, "model.cell": "lstm"},
        **{"model.embedding_size": setting.embedding, "model.units": setting.width},
        **{"model.depth": setting.depth, "model.tied_embeddings": "false"},
        **{"training.batch_size": setting.rows, "training.epochs": 1},
        **{"training.timesteps": setting.timesteps, "training.cut_jitter": 0},
        **{"counts.order": setting.order, "counts.cache_size": setting.cache},
    }
    clock = Clock()
    run = train(
        "language",
        str(text),
        run=folder / "run",
        settings=[f"{key}={value}" for key, value in settings.items()],
        progress=clock,
    )
    yield "training", rate_of(setting, clock.seconds)
    version = export([run.path], to=folder / "models", name="language").folder
    generate = tf.saved_model.load(str(version)).signatures["generate"]

    begin = text_of(setting)[:20]

    def write(prompts: int, length: int) -> None:
        generate(
            prompt=tf.constant([begin] * prompts),
            length=tf.constant(length),
            temperature=tf.constant(1.0),
            top_k=tf.constant(0),
            top_p=tf.constant(1.0),
            seed=tf.constant(0),
            stop=tf.constant(""),
        )

    yield from writing_rates(write)


def with_torch(setting: Setting, folder: Path) -> Iterator[tuple[str, float]]:
    """Likewise."""
    import torch

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(setting.vocabulary, setting.embedding)
            self.lstm = torch.nn.LSTM(
                setting.embedding, setting.width, setting.depth, batch_first=True
            )
            self.output = torch.nn.Linear(setting.width, setting.vocabulary)

        def forward(self, ids: Any, state: Any) -> Any:
            outputs, state = self.lstm(self.embedding(ids), state)
            return self.output(outputs), state

    model = Model()
    optimizer = torch.optim.Adam(model.parameters())
    generator = np.random.default_rng(0)
    size = (setting.rows, setting.timesteps + 1)
    state, seconds = None, []
    for _ in range(STEPS + FIRST_STEPS):
        begun = time.perf_counter()
        ids = torch.from_numpy(generator.integers(0, setting.vocabulary, size))
        logits, state = model(ids[:, :-1], state)
        state = tuple(each.detach() for each in state)
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), ids[:, 1:].flatten()
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
        seconds.append(time.perf_counter() - begun)
    yield "training", rate_of(setting, seconds)

    @torch.no_grad()
    def write(prompts: int, length: int) -> None:
        ids, state = torch.zeros([prompts, 20], dtype=torch.int64), None
        for _ in range(length):
            logits, state = model(ids, state)
            ids = torch.multinomial(torch.softmax(logits[:, -1], -1), 1)

    yield from writing_rates(write)


def rate_of(setting: Setting, seconds: list[float]) -> float:
    """Units per second of a median step."""
    step = statistics.median(seconds[FIRST_STEPS : FIRST_STEPS + STEPS])
    return setting.rows * setting.timesteps / step


def writing_rates(write: Callable[[int, int], None]) -> Iterator[tuple[str, float]]:
    """Units per second of writing, for each number of prompts."""
    for prompts in PROMPTS:
        write(prompts, 8)
        begun = time.perf_counter()
        write(prompts, WRITTEN)
        seconds = time.perf_counter() - begun
        yield f"writing {prompts} at once", prompts * WRITTEN / seconds


def measured(
    by: Callable[[Setting, Path], Iterator[tuple[str, float]]], setting: Setting
) -> dict[str, float]:
    """What one of them prints, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        rates = by(setting, Path(folder))
        return dict(rates)


def main() -> None:
    """Measures in turn, and prints the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=SETTINGS)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    spawned = multiprocessing.get_context("spawn")
    for name, setting in SETTINGS.items():
        if arguments.only not in (None, name):
            continue
        rates: dict[str, dict[str, list[float]]] = {"recurra": {}, "torch": {}}
        for _ in range(arguments.rounds):
            for by, function in (("recurra", with_recurra), ("torch", with_torch)):
                with spawned.Pool(1) as pool:
                    found = pool.apply(measured, (function, setting))
                for what, rate in found.items():
                    rates[by].setdefault(what, []).append(rate)
        for what in rates["recurra"]:
            ours, torch = (
                statistics.median(rates[by][what]) for by in ("recurra", "torch")
            )
            print(
                f"{name}, {what}: {ours:,.0f} units/s, torch {torch:,.0f}: "
                f"{ours / torch:.2f} times",
                flush=True,
            )


if __name__ == "__main__":
    main()
