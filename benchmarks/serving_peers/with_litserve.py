"""LitServe: one worker, which joins the requests that wait.

python benchmarks/serving_peers/with_litserve.py FOLDER PORT
"""

import sys
from typing import Any

import litserve


class Api(litserve.LitAPI):
    """The model in the worker."""

    def __init__(self, folder: str):
        super().__init__(max_batch_size=32, batch_timeout=0.005)
        self._folder = folder

    def setup(self, device: str) -> None:
        """Loads the model."""
        import tensorflow as tf

        self._constant = tf.constant
        self._signature = tf.saved_model.load(self._folder).signatures[
            "serving_default"
        ]

    def decode_request(self, request: dict[str, Any]) -> str:
        """The text of a request."""
        return request["instances"][0]

    def batch(self, inputs: list[str]) -> list[str]:
        """The texts of the requests."""
        return inputs

    def predict(self, texts: list[str]) -> Any:
        """The probabilities of the texts."""
        return self._signature(text=self._constant(texts))["probabilities"].numpy()

    def unbatch(self, output: Any) -> list[Any]:
        """The probabilities of each request."""
        return list(output)

    def encode_response(self, output: Any) -> dict[str, Any]:
        """The answer to a request."""
        return {"predictions": [output.tolist()]}


if __name__ == "__main__":
    folder, port = sys.argv[1:]
    litserve.LitServer(Api(folder), accelerator="cpu", timeout=60).run(
        host="127.0.0.1", port=int(port), log_level="error", generate_client_file=False
    )
