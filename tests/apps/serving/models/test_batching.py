"""Concurrent requests: joined where that changes no answer, and only there."""

import functools
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from recurra.apps.serving.models.loading import LoadedModel
from recurra.apps.serving.models.signatures import DEFAULT_SIGNATURE as DEFAULT
from recurra.apps.serving.settings import Settings
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
        # A model answers before it is ready to join.
        for model, inputs in (("kinds", [[1.0, 2.0]]), ("half_plus_two", [1.0])):
            body = {"instances": inputs}
            running.until(functools.partial(meet, running, body, model))
        yield running


def meet(server, body, model):
    before, _ = runs(server, model)
    at_once(server, [body] * 8, model)
    return runs(server, model)[0] - before < 8


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


def test_a_model_answers_before_it_joins(documented_models):
    """Loading is done before requests can be joined, which takes as long again."""
    batches = []
    settings = Settings(batching=WAITS)
    folder = documented_models / "half_plus_two" / "00000123"
    model = LoadedModel(folder, settings, batches.append, "half_plus_two")
    try:
        signature = model.signature("")

        def answers():
            with ThreadPoolExecutor(8) as threads:
                x = [{"x": np.float32([n])} for n in range(8)]
                return [
                    float(answer["y"][0]) for answer in threads.map(signature.run, x)
                ]

        assert model.joins_later
        assert answers() == [n / 2 + 2 for n in range(8)]
        assert batches == [1] * 8
        batches.clear()
        model.start_joining()
        assert not model.joins_later
        assert answers() == [n / 2 + 2 for n in range(8)]
        assert sum(batches) == 8
        assert len(batches) < 8
    finally:
        model.close()
