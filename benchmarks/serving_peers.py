"""Other ways to serve the same SavedModel, as their own documentation has them.

    python benchmarks/serving_peers.py KIND FOLDER PORT

KIND is fastapi, litserve or ray. Each takes and gives what TensorFlow Serving's predict
does: `{"instances": [text, ...]}` and `{"predictions": [[probability, ...], ...]}`.
"""

import sys
from typing import Any

ROWS_TOGETHER = 32


def run_fastapi(folder: str, port: int) -> None:
    """A plain handler that calls the signature. Its threads are FastAPI's."""
    import fastapi
    import pydantic
    import tensorflow as tf
    import uvicorn

    signature = tf.saved_model.load(folder).signatures["serving_default"]
    app = fastapi.FastAPI()

    class Texts(pydantic.BaseModel):
        instances: list[str]

    @app.post("/predict")
    def predict(texts: Texts) -> dict[str, Any]:
        answers = signature(text=tf.constant(texts.instances))
        return {"predictions": answers["probabilities"].numpy().tolist()}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def run_litserve(folder: str, port: int) -> None:
    """One worker, which joins the requests that wait."""
    import litserve
    import tensorflow as tf

    class Api(litserve.LitAPI):
        def setup(self, device: str) -> None:
            self.signature = tf.saved_model.load(folder).signatures["serving_default"]

        def decode_request(self, request: dict[str, Any]) -> str:
            return request["instances"][0]

        def batch(self, inputs: list[str]) -> list[str]:
            return inputs

        def predict(self, texts: list[str]) -> Any:
            given = [texts] if isinstance(texts, str) else texts
            return self.signature(text=tf.constant(given))["probabilities"].numpy()

        def unbatch(self, output: Any) -> list[Any]:
            return list(output)

        def encode_response(self, output: Any) -> dict[str, Any]:
            return {"predictions": [output.tolist()]}

    api = Api(max_batch_size=ROWS_TOGETHER, batch_timeout=0.005)
    server = litserve.LitServer(api, accelerator="cpu", timeout=60)
    server.run(
        host="127.0.0.1", port=port, log_level="error", generate_client_file=False
    )


def run_ray(folder: str, port: int) -> None:
    """One replica, which joins the requests that wait."""
    import time

    import ray
    from ray import serve
    from starlette.requests import Request

    @serve.deployment(max_ongoing_requests=128)
    class Predictor:
        def __init__(self) -> None:
            import tensorflow as tf

            self.constant = tf.constant
            self.signature = tf.saved_model.load(folder).signatures["serving_default"]

        @serve.batch(max_batch_size=ROWS_TOGETHER, batch_wait_timeout_s=0.005)
        async def predict(self, texts: list[str]) -> list[list[float]]:
            answers = self.signature(text=self.constant(texts))
            return answers["probabilities"].numpy().tolist()

        async def __call__(self, request: Request) -> dict[str, Any]:
            (text,) = (await request.json())["instances"]
            return {"predictions": [await self.predict(text)]}

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(Predictor.bind(), route_prefix="/predict")
    while True:
        time.sleep(1)


if __name__ == "__main__":
    kind, folder, port = sys.argv[1:]
    {"fastapi": run_fastapi, "litserve": run_litserve, "ray": run_ray}[kind](
        folder, int(port)
    )
