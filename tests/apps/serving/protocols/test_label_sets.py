"""Texts of several labels, or none, by every protocol: names in rows of like length."""

import answer_models
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

TEXTS = ["good and bad", "neither", "good"]
LABELS = [["bad", "good"], ["", ""], ["good", ""]]
CHOSEN = [[True, True, False], [False, False, False], [False, True, False]]


@pytest.fixture(scope="module")
def topics(serving, tmp_path_factory):
    """A server of one model."""
    folder = tmp_path_factory.mktemp("served")
    answer_models.write_label_sets(folder / "topics" / "1")
    with serving(folder) as running:
        running.until(lambda: running.states("topics") == {1: "AVAILABLE"})
        yield running


def test_rest(topics):
    path = "/v1/models/topics:predict"
    outputs = topics.post(path, {"inputs": TEXTS}).json()["outputs"]
    assert outputs["labels"] == LABELS
    assert outputs["chosen"] == CHOSEN
    np.testing.assert_allclose(outputs["probabilities"][2], [0.25, 0.75, 0.0001])
    # Without any label among the texts a row has no place for one.
    (row,) = topics.post(path, {"instances": ["neither"]}).json()["predictions"]
    assert row["labels"] == []
    assert row["chosen"] == CHOSEN[1]


def test_grpc(topics):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "topics"
    for texts, labels in ((TEXTS, LABELS), (["neither"], [[]])):
        request.inputs["text"].CopyFrom(tf.make_tensor_proto(texts))
        outputs = topics.predictions.Predict(request, 30).outputs
        found = tf.make_ndarray(outputs["labels"])
        assert found.shape == np.shape(labels)
        assert [[name.decode() for name in row] for row in found] == labels
        assert tf.make_ndarray(outputs["chosen"]).shape == (len(texts), 3)


def test_the_open_inference_protocol(topics):
    text = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["neither"]}
    answer = topics.post("/v2/models/topics/infer", {"inputs": [text]}).json()
    outputs = {each["name"]: each for each in answer["outputs"]}
    assert (outputs["labels"]["shape"], outputs["labels"]["data"]) == ([1, 0], [])
    assert outputs["chosen"]["data"] == CHOSEN[1]


def test_the_description_names_the_labels(topics):
    described = topics.http.get("/openapi.json").text
    assert "Labels: bad, good, never." in described


def test_there_are_no_classes_to_rank(topics):
    body = {"examples": [{"text": "good"}]}
    answer = topics.post("/v1/models/topics:classify", body)
    assert answer.status_code == 400
    assert '"classes" or "scores"' in answer.json()["error"].replace("\\", "")
