"""Concurrent requests: joined where that changes no answer, and only there."""

import concurrent.futures
import contextvars
import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from recurra.apps.serving.models import deadlines
from recurra.apps.serving.models.batching import ASKED_SECONDS, Joiner, Shares
from recurra.apps.serving.models.loading import LoadedModel
from recurra.apps.serving.models.signatures import DEFAULT_SIGNATURE as DEFAULT
from recurra.apps.serving.settings import Batching, Settings
from recurra.pipelines.cards import CARD_FILE, Answer, ModelCard

JOINED = ("serving_default", "mean", "words", "divided")
# Long enough that requests sent at once meet in one batch.
WAITS = {
    "delay_milliseconds": 50,
    "rows": 8,
    "models": ["half_plus_two", *map("kinds:{}".format, JOINED)],
}


@pytest.fixture(scope="module")
def patient(serving, documented_models):
    with serving(documented_models, batching=WAITS) as running:
        yield running


def at_once(server, bodies, model="kinds"):
    """The answers to requests that are sent at the same time."""
    with ThreadPoolExecutor(len(bodies)) as threads:
        answers = threads.map(
            lambda body: server.post(f"/v1/models/{model}:predict", body), bodies
        )
        return [json.loads(answer.text) for answer in answers]


def runs(server, model):
    """How many runs of a model there were, and of how many rows together."""
    lines = server.http.get("/metrics").text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    name = "recurra_serving_batch_rows"
    return tuple(
        float(values.get(f'{name}_{kind}{{model="{model}"}}', 0))
        for kind in ("count", "sum")
    )


def test_requests_are_joined_and_answered_as_alone(patient):
    generator = np.random.default_rng(0)
    bodies = [
        {"instances": generator.normal(size=(1 + number % 3, 2)).tolist()}
        for number in range(24)
    ]
    alone = [patient.post("/v1/models/kinds:predict", body).json() for body in bodies]
    runs_before, rows_before = runs(patient, "kinds")
    assert at_once(patient, bodies) == alone
    runs_after, rows_after = runs(patient, "kinds")
    assert rows_after - rows_before == 48
    assert runs_after - runs_before < 24


def test_requests_of_other_shapes_are_not_joined_with_each_other(patient):
    bodies = [
        {"signature_name": "mean", "instances": [[float(width)] * width]}
        for width in [*range(1, 13)] * 3
    ]
    answers = at_once(patient, bodies)
    assert answers == [{"predictions": [float(w)]} for w in [*range(1, 13)] * 3]


def test_an_output_that_other_rows_would_change_is_not_joined(patient):
    texts = ["one", "one two", "one two three four"] * 4
    bodies = [{"signature_name": "words", "instances": [text]} for text in texts]
    answers = at_once(patient, bodies)
    assert answers == [{"predictions": [text.split()]} for text in texts]


def test_more_rows_than_a_batch_has_run_alone(patient):
    x = np.arange(40.0).reshape(20, 2)
    (answer,) = at_once(patient, [{"inputs": x.tolist()}])
    assert np.array_equal(answer["outputs"], x * [1.0, 2.0])


def test_graphs_of_tensorflow_1_are_joined_too(patient):
    before = runs(patient, "half_plus_two")
    answers = at_once(
        patient, [{"instances": [float(n)]} for n in range(16)], "half_plus_two"
    )
    assert answers == [{"predictions": [n / 2 + 2]} for n in range(16)]
    after = runs(patient, "half_plus_two")
    assert after[1] - before[1] == 16
    assert after[0] - before[0] < 16


def test_a_bad_request_fails_alone(patient):
    """Also where the model itself refuses the batch that it is in."""
    good = {"signature_name": "divided", "instances": [2.0]}
    wrong = {"signature_name": "divided", "instances": [0.0]}
    answers = at_once(patient, [good, wrong] * 8)
    assert answers[::2] == [{"predictions": [0.5]}] * 8
    errors = [answer["error"] for answer in answers[1::2]]
    assert all("assertion failed" in error for error in errors), errors


def test_what_nobody_declares_is_not_joined(patient):
    before = runs(patient, "half_plus_three")
    bodies = [{"instances": [float(n)]} for n in range(16)]
    at_once(patient, bodies, "half_plus_three")
    after = runs(patient, "half_plus_three")
    assert (after[0] - before[0], after[1] - before[1]) == (16, 16)


@pytest.fixture(scope="module")
def carded(documented_models, tmp_path_factory):
    """A version whose card declares that the rows of `linear` are independent."""
    version = tmp_path_factory.mktemp("carded") / "1"
    shutil.copytree(documented_models / "kinds" / "1", version)
    (version / CARD_FILE).parent.mkdir()
    card = ModelCard(
        **{"name": "kinds", "version": 1, "created": "", "task": "any"},
        answer=Answer(kind="any"),
        inputs={},
        outputs={},
        independent_rows=["linear", "words"],
    )
    (version / CARD_FILE).write_text(card.model_dump_json())
    return version


JOINABLE = (
    *("linear", "mean", "several", "binary", "types", "divided", "wide", "every"),
    *("classify_examples", "regress_examples"),
)


@pytest.mark.parametrize(
    ("named", "joined"),
    [
        # `words` cannot be joined, whatever the card says: its columns depend on rows.
        ([], {"linear"}),
        (["kinds:mean", "other:types", "other"], {"linear", "mean"}),
        (["*"], {*JOINABLE, DEFAULT}),
    ],
)
def test_signatures_are_joined_that_the_card_or_the_settings_name(
    carded, named, joined
):
    settings = Settings(batching={"models": named})
    model = LoadedModel(carded, settings, lambda rows: None, "kinds")
    try:
        found = {name for name, each in model.signatures.items() if each.joins}
    finally:
        model.close()
    assert found == joined


class Slow:
    """Runs of a model that end when they are let."""

    def __init__(self):
        self.batches = []
        self.ends = threading.Semaphore(0)
        self.counted = []

    def __call__(self, fed):
        self.batches.append([array.tolist() for array in fed])
        assert self.ends.acquire(timeout=30)
        if any(not value for value in fed[0].flat):
            raise tf.errors.InvalidArgumentError(None, None, "a zero")
        return [fed[0] * 2, deadlines.current.get().left() * np.ones(len(fed[0]))]

    def joiner(self, **settings):
        return joiner_of(
            self, Batching(**{"threads": 1, **settings}), self.counted.append
        )


def joiner_of(run, settings, ran=lambda rows: None, model="model", shares=None):
    return Joiner(run, settings, ran, model, shares or Shares())


def column(*values):
    return [np.array(values)]


@pytest.fixture
def slow():
    return Slow()


def wait_until(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


def waiting(slow, joiner, *requests):
    """Futures of requests, which wait while a first one runs."""
    first = joiner.submit(column(-1))
    wait_until(lambda: slow.batches)
    return first, [joiner.submit(column(*values)) for values in requests]


def doubled(future):
    return future.result(30)[0].tolist()


def test_those_that_wait_are_joined_in_their_order(slow):
    joiner = slow.joiner(rows=4)
    first, others = waiting(slow, joiner, [1, 2], [3], [4, 5], [6])
    slow.ends.release(4)
    assert [doubled(each) for each in others] == [[2, 4], [6], [8, 10], [12]]
    assert doubled(first) == [-2]
    # A request is not split, and none overtakes it.
    assert slow.batches == [[[-1]], [[1, 2, 3]], [[4, 5, 6]]]
    wait_until(lambda: slow.counted == [1, 3, 3])
    joiner.close()


def test_the_oldest_shape_is_next(slow):
    joiner = slow.joiner()
    first, (one,) = waiting(slow, joiner, [1])
    wide = joiner.submit([np.ones((1, 2))])
    two = joiner.submit(column(2))
    slow.ends.release(3)
    assert [doubled(each) for each in (one, two, wide)] == [[2], [4], [[2.0, 2.0]]]
    assert slow.batches == [[[-1]], [[1, 2]], [[[1.0, 1.0]]]]
    joiner.close()


def test_one_that_nobody_waits_for_is_not_run(slow):
    joiner = slow.joiner()
    first, (gone, other) = waiting(slow, joiner, [1], [2])
    assert gone.cancel()
    slow.ends.release(2)
    assert doubled(other) == [4]
    assert slow.batches == [[[-1]], [[2]]]
    # And one alone leaves the others as they were.
    first, (gone,) = waiting(slow, joiner, [1])
    assert gone.cancel()
    slow.ends.release(2)
    assert doubled(first) == [-2]
    assert doubled(joiner.submit(column(5))) == [10]
    joiner.close()


def test_those_of_a_batch_that_fails_are_run_again_alone(slow):
    joiner = slow.joiner()
    first, (good, bad) = waiting(slow, joiner, [1], [0])
    slow.ends.release(4)
    assert doubled(good) == [2]
    with pytest.raises(tf.errors.InvalidArgumentError, match="a zero"):
        bad.result(30)
    assert slow.batches == [[[-1]], [[1, 0]], [[1]], [[0]]]
    joiner.close()


def test_answers_that_are_no_rows_of_their_batch_are_asked_for_alone():
    """Such as of a signature that the settings name wrongly."""
    answers = joined_by(lambda fed: [fed[0].sum(keepdims=True)])
    assert [each.result()[0].tolist() for each in answers] == [[1], [2], [3]]


def test_an_error_that_is_not_tensorflows_goes_to_all():
    answers = joined_by(lambda fed: 1 / 0)
    assert [type(each.exception()) for each in answers] == [ZeroDivisionError] * 3


def joined_by(run):
    """Futures of three requests, two of them joined; they are done."""
    begun, go_on = threading.Event(), threading.Event()

    def patient(fed):
        begun.set()
        assert go_on.wait(30)
        return run(fed)

    joiner = joiner_of(patient, Batching(threads=1))
    futures = [joiner.submit(column(1))]
    assert begun.wait(30)
    futures += [joiner.submit(column(number)) for number in (2, 3)]
    go_on.set()
    concurrent.futures.wait(futures, 30)
    joiner.close()
    return futures


def test_a_batch_has_the_time_of_the_most_patient(slow):
    joiner = slow.joiner()
    first, _ = waiting(slow, joiner)
    futures = []
    for seconds in (100.0, 10.0):
        context = contextvars.copy_context()
        context.run(deadlines.current.set, deadlines.Deadline.after(seconds))
        futures.append(context.run(joiner.submit, column(seconds)))
    slow.ends.release(2)
    left = [future.result(30)[1][0] for future in futures]
    assert left == pytest.approx([100.0, 100.0], abs=30)
    joiner.close()


def test_no_request_waits_where_no_other_runs():
    """Not even for a moment, unless requests were joined just now."""
    settings = Batching(delay_milliseconds=60_000)
    joiner = joiner_of(lambda fed: fed, settings)
    for number in range(3):
        assert joiner.submit(column(number)).result(30)[0].tolist() == [number]
    joiner.close()


def test_models_that_are_asked_share_the_threads(monkeypatch):
    """And one that is not leaves its share to the others a moment later."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    shares = Shares()
    shares.ask("one")
    assert shares.of("one", 8) == 8
    for name in ("two", "three"):
        shares.ask(name)
    assert [shares.of(name, 8) for name in ("one", "two", "three")] == [2, 2, 2]
    assert shares.of("one", 2) == 1
    now[0] += ASKED_SECONDS / 2
    shares.ask("one")
    now[0] += ASKED_SECONDS / 2
    assert shares.of("one", 8) == 8


def test_beside_another_model_batches_leave_it_threads():
    shares, long, short = Shares(), Slow(), Slow()
    of_long = joiner_of(long, Batching(threads=2, rows=1), model="long", shares=shares)
    of_short = joiner_of(short, Batching(threads=2), model="short", shares=shares)
    alone = [of_long.submit(column(number)) for number in (1, 2)]
    wait_until(lambda: len(long.batches) == 2)
    asked = of_short.submit(column(1))
    others = [of_long.submit(column(number)) for number in (3, 4)]
    long.ends.release()
    wait_until(lambda: sum(each.done() for each in alone) == 1)
    assert len(long.batches) == 2
    long.ends.release()
    wait_until(lambda: len(long.batches) == 3)
    short.ends.release()
    long.ends.release(2)
    assert [doubled(each) for each in (asked, *alone)] == [[2], [2], [4]]
    assert [doubled(each) for each in others] == [[6], [8]]
    of_long.close()
    of_short.close()
