"""Ray Serve: one replica, which joins the requests that wait.

python benchmarks/serving_peers/with_ray.py FOLDER PORT
"""

import sys
import time
from typing import Any

import ray
from ray import serve
from starlette.requests import Request


@serve.deployment(max_ongoing_requests=128)
class Predictor:
    """The model in its replica."""

    def __init__(self, folder: str) -> None:
        import tensorflow as tf

        self._constant = tf.constant
        self._signature = tf.saved_model.load(folder).signatures["serving_default"]

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.005)
    async def predict(self, texts: list[str]) -> list[list[float]]:
        """The probabilities of the texts."""
        answers = self._signature(text=self._constant(texts))
        return answers["probabilities"].numpy().tolist()

    async def __call__(self, request: Request) -> dict[str, Any]:
        """Answers a request."""
        (text,) = (await request.json())["instances"]
        return {"predictions": [await self.predict(text)]}


if __name__ == "__main__":
    folder, port = sys.argv[1:]
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(port)})
    serve.run(Predictor.bind(folder), route_prefix="/predict")
    while True:
        time.sleep(1)
