"""A plain FastAPI handler that calls the signature.

python benchmarks/serving_peers/with_fastapi.py FOLDER PORT
"""

import sys
from typing import Any

import fastapi
import pydantic
import tensorflow as tf
import uvicorn

folder, port = sys.argv[1:]
signature = tf.saved_model.load(folder).signatures["serving_default"]
app = fastapi.FastAPI()


class Texts(pydantic.BaseModel):
    """As in TensorFlow Serving's row format."""

    instances: list[str]


@app.post("/predict")
def predict(texts: Texts) -> dict[str, Any]:
    """Runs in one of FastAPI's threads."""
    answers = signature(text=tf.constant(texts.instances))
    return {"predictions": answers["probabilities"].numpy().tolist()}


uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error", access_log=False)
