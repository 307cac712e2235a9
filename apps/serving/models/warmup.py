"""The requests that come with a model, answered before it is served."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from ..errors import as_serving_error, first_line
from .loading import LoadedModel, LoadError
from .signatures import DEFAULT_SIGNATURE, Work, answered

WARMUP_REQUESTS = Path("assets.extra") / "tf_serving_warmup_requests"
MOST_WARMUP_REQUESTS = 1000

# By the field of a PredictionLog, the function that answers such a request.
Answers: TypeAlias = Mapping[str, Callable[[LoadedModel, Any], Work[Any]]]


def warm_up(model: LoadedModel, folder: Path, answers: Answers) -> None:
    """Answers the requests that come with a model, so that no client waits.

    The first request of each signature is kept as its example.

    Args:
        model: Just loaded.
        folder: The version's folder.
        answers: By the protocols that the requests are written in. Requests of other
            kinds are left out.

    Raises:
        LoadError: If the requests cannot be read, or one fails.
    """
    for number, log in enumerate(_read_logs(folder)):
        kind = log.WhichOneof("log_type")
        if kind not in answers:
            continue
        request = getattr(log, kind).request
        try:
            answered(answers[kind](model, request))
        except Exception as error:
            reason = as_serving_error(error).message
            raise LoadError(f"Warm-up request {number} failed: {reason}") from error
        # Those of several tasks have no signature of their own.
        if "model_spec" in request.DESCRIPTOR.fields_by_name:
            examples = model.examples if kind == "predict_log" else model.tf_examples
            name = request.model_spec.signature_name or DEFAULT_SIGNATURE
            examples.setdefault(name, request)


def _read_logs(folder: Path) -> Iterator[prediction_log_pb2.PredictionLog]:
    path = folder / WARMUP_REQUESTS
    if not path.is_file():
        return
    records = tf.data.TFRecordDataset(str(path)).take(MOST_WARMUP_REQUESTS)
    try:
        for record in records.as_numpy_iterator():
            yield prediction_log_pb2.PredictionLog.FromString(record)
    except (tf.errors.OpError, DecodeError) as error:
        raise LoadError(f"{WARMUP_REQUESTS}: {first_line(error)}") from error
