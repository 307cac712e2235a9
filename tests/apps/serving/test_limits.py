"""Limits: what is beyond them is refused, and the server goes on."""

import gzip
import threading

import grpc
import pytest
import served_models
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

ONE = {"instances": [1.0]}
FAST = "/v1/models/fast:predict"
SLOW = "/v1/models/slow:predict"
# Of 64 x 64 matrices: longer than any time that is allowed below.
ROUNDS = 10_000_000


@pytest.fixture(scope="module")
def models(scaled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("limited")
    served_models.put(scaled[1], folder / "fast" / "1")
    served_models.write_scaled(folder / "slow" / "1", 1, rounds=ROUNDS)
    return folder


def test_a_body_beyond_the_limit(serving, models):
    with serving(models, limits={"body_megabytes": 0.01}) as server:
        many = {"instances": [1.0] * 5000}
        said = server.post(FAST, many)
        assert said.status_code == 413
        assert said.json() == {"error": "The body is longer than 10485 bytes"}

        def in_parts():
            for _ in range(20):
                yield b" " * 1000

        assert server.http.post(FAST, content=in_parts()).status_code == 413
        bomb = gzip.compress(b" " * 1_000_000)
        zipped = server.post(FAST, bomb, headers={"content-encoding": "gzip"})
        assert zipped.status_code == 413
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "fast"
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0] * 5000))
        with pytest.raises(grpc.RpcError) as raised:
            server.predictions.Predict(request, 30)
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert server.post(FAST, ONE).json() == {"predictions": [1.0]}


def test_rows_beyond_the_limit(serving, models):
    with serving(models, limits={"rows": 3}) as server:
        answer = server.post(FAST, {"instances": [1.0] * 4})
        assert answer.status_code == 413
        assert answer.json() == {"error": "Input x has 4 rows; expected at most 3"}
        assert server.post(FAST, {"instances": [1.0] * 3}).status_code == 200


def test_time_beyond_the_limit_and_too_many_at_once(serving, models):
    with serving(models, limits={"seconds": 2.0, "requests": 3}) as server:
        slow = []
        threads = [
            threading.Thread(target=lambda: slow.append(server.post(SLOW, ONE)))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        queue = 'recurra_serving_queue_length{model="slow",version="1"} 3.0'
        server.until(lambda: queue in server.http.get("/metrics").text)
        refused = server.post(FAST, ONE)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "1"
        assert "as many as are allowed" in refused.json()["error"]
        for thread in threads:
            thread.join()
        assert [answer.status_code for answer in slow] == [504] * 3
        assert slow[0].json() == {"error": "Timed out after 2 s"}
        # TensorFlow gives up too, and the threads serve others again.
        server.until(lambda: server.post(FAST, ONE).status_code == 200)


def test_a_deadline_of_a_grpc_client(serving, models):
    with serving(models, limits={"seconds": 2.0}) as server:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "slow"
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
        with pytest.raises(grpc.RpcError) as raised:
            server.predictions.Predict(request, 0.3)
        assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        request.model_spec.name = "fast"
        assert server.predictions.Predict(request, 30).outputs["y"].float_val == [1.0]


def test_a_full_queue_of_batches(serving, models):
    batching = {"rows": 1, "queued_batches": 1, "threads": 1}
    with serving(models, batching=batching, limits={"seconds": 2.0}) as server:
        refused = []

        def send():
            while not refused:
                answer = server.post(SLOW, ONE)
                assert answer.status_code in (429, 504)
                if answer.status_code == 429:
                    refused.append(answer)

        threads = [threading.Thread(target=send) for _ in range(6)]
        for thread in threads:
            thread.start()
        server.until(lambda: refused)
        for thread in threads:
            thread.join()
        assert refused[0].json() == {"error": "The queue of the model is full"}
        assert refused[0].headers["retry-after"] == "1"
