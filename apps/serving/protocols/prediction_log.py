"""Requests as TensorFlow Serving logs them: a model's warm-up requests are such."""

from ..models.warmup import Answers
from . import examples, tensor_protos

# By the field of a PredictionLog.
ANSWERS: Answers = {
    "predict_log": tensor_protos.predict,
    "classify_log": examples.classify,
    "regress_log": examples.regress,
    "multi_inference_log": examples.multi_inference,
}
