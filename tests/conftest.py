"""One small trained run, its export, and a stop of training, for all tests.

What a fixture needs is imported when it is asked for, so that the tests of the layers
run where TensorFlow is not.
"""

import csv
import functools
import gc
import os
import random
import re
import signal

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # There is a process for each core: threads of one would wait for those of another.
    os.environ.update(TF_NUM_INTRAOP_THREADS="1", OMP_NUM_THREADS="1")

# Files that take half a minute and more, beside those that share a trained run.
LONG = {
    *("test_contract.py", "test_drop_in.py", "test_examples.py", "test_processes.py"),
    *("test_properties.py", "test_training.py", "test_translator.py"),
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Gives a file to one process, since its tests share models.

    So are all files that share a trained run. (With pytest 9.2 the groups of
    `--dist loadgroup` of pytest-xdist 3.8 stay without effect.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return "with a run" if _has_run(config.rootpath / file) else file

    return ByFile(config, log)


@functools.cache
def _has_run(path):
    """Whether a file asks for the trained run or its export."""
    return re.search(r"\bsentiment_(run|model)\b", path.read_text("utf-8")) is not None


def pytest_collection_modifyitems(items):
    """Puts first what takes long, and leaves out what this process cannot run."""
    items.sort(key=lambda item: not _has_run(item.path) and item.path.name not in LONG)
    # TensorFlow asks the processor, and not the variable, what oneDNN can do with
    # bfloat16 and float16, and crashes where it cannot.
    if "ONEDNN_MAX_CPU_ISA" in os.environ:
        for item in items:
            if "float16" in item.nodeid:
                item.add_marker(pytest.mark.skip(reason="oneDNN is held back"))


@pytest.fixture(scope="module", autouse=True)
def _quick_collection():
    """Sets aside what a file of tests leaves behind.

    TensorFlow never frees a graph that has a custom gradient. A full collection would
    walk those of all earlier files, which takes seconds.
    """
    yield
    gc.collect()
    gc.freeze()


SUBJECTS = ("soup", "film", "hotel", "novel", "phone", "garden", "concert", "lamp")
SENTENCES = (
    "The {subject} was {manner} {quality}.",
    "I found the {subject} {manner} {quality}, and so did my sister.",
    "What a {quality} {subject}!",
    "Of all we saw that week, the {subject} was the {manner} {quality} part<br />.",
)
MANNERS = ("quite", "really", "truly", "rather")
QUALITIES = {
    "good": ("lovely", "superb", "charming", "delightful"),
    "bad": ("awful", "dreadful", "clumsy", "tedious"),
}


def _write_reviews(path, rows=120, seed=0, **columns):
    """A CSV file of made-up sentences, each with the label "good" or "bad"."""
    generator = random.Random(seed)
    labels = sorted(QUALITIES)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([columns.get("text", "text"), columns.get("label", "label")])
        for row in range(rows):
            label = labels[row % len(labels)]
            text = generator.choice(SENTENCES).format(
                subject=generator.choice(SUBJECTS),
                manner=generator.choice(MANNERS),
                quality=generator.choice(QUALITIES[label]),
            )
            writer.writerow([text, label])
    return path


def _small_configuration(spec, **values):
    from recurra.pipelines.core.configuration import make_configuration, merge
    from recurra.pipelines.sentiment.config import SentimentConfig

    small = {
        "data": {"spec": str(spec), "validation_fraction": 0.2, "test_fraction": 0.2},
        "model": {"embedding_size": 8, "units": 4, "bidirectional": False},
        "training": {"epochs": 2, "batch_size": 16},
    }
    return make_configuration(SentimentConfig, [("test", merge(small, values))])


@pytest.fixture(scope="session")
def write_reviews():
    """A function of path, rows, seed and names of the columns `text` and `label`."""
    return _write_reviews


@pytest.fixture(scope="session")
def small_configuration():
    """A function of a spec, and of sections: a model that trains within seconds."""
    return _small_configuration


@pytest.fixture(scope="session")
def reviews_csv(tmp_path_factory):
    """The file that `sentiment_run` is trained on; not to be changed."""
    return _write_reviews(tmp_path_factory.mktemp("data") / "reviews.csv")


@pytest.fixture(scope="session")
def sentiment_run(tmp_path_factory, reviews_csv):
    """A finished run; not to be changed."""
    from recurra.pipelines.core import workflow
    from recurra.pipelines.sentiment.task import SentimentTask

    path = tmp_path_factory.mktemp("runs") / "reviews"
    command = ["recurra", "train", "sentiment"]
    configuration = _small_configuration(reviews_csv)
    return workflow.train(SentimentTask, configuration, path, command=command)


@pytest.fixture(scope="session")
def sentiment_model(tmp_path_factory, sentiment_run):
    """The folder of the version that the run was exported as; not to be changed."""
    from recurra.pipelines.core import exporting

    models = tmp_path_factory.mktemp("models")
    return exporting.export_runs([sentiment_run], models, "reviews")


@pytest.fixture(scope="session")
def change_weights():
    """A function of a run: its best weights are changed, by up to a tenth."""
    import h5py
    import numpy as np

    def change(run):
        generator = np.random.default_rng(0)

        def changed(name, value):
            if isinstance(value, h5py.Dataset) and value.dtype.kind == "f":
                factors = generator.uniform(0.9, 1.1, value.shape)
                value[...] = value[()] * factors

        with h5py.File(run.checkpoints / "best.weights.h5", "a") as file:
            file.visititems(changed)

    return change


class StopAt:
    """Asks training to stop at a step of an epoch, as Ctrl-C does."""

    def __init__(self, epoch, step):
        self._at = (epoch, step)
        self._epoch = 0

    def epoch_started(self, epoch, epochs, step, steps):
        self._epoch = epoch

    def step_done(self, step, loss):
        if (self._epoch, step) == self._at:
            os.kill(os.getpid(), signal.SIGINT)

    def epoch_ended(self, row, best):
        """Nothing is to be done then."""


@pytest.fixture(scope="session")
def stop_at():
    return StopAt
