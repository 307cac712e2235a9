"""Classify and Regress: tf.Example in, classes or values out."""

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    regression_pb2,
)

from ..errors import ServingError, invalid
from ..models.loading import LoadedModel
from ..models.signatures import DEFAULT_SIGNATURE, Arrays, Question, Signature, Work
from .json_values import decoded_base64, is_base64, json_type

CLASSIFY = tf.compat.v1.saved_model.signature_constants.CLASSIFY_METHOD_NAME
REGRESS = tf.compat.v1.saved_model.signature_constants.REGRESS_METHOD_NAME

LARGEST_INT64 = 2**63 - 1
LARGEST_FLOAT = float(np.finfo(np.float32).max)


def classify(
    model: LoadedModel, request: classification_pb2.ClassificationRequest
) -> Work[classification_pb2.ClassificationResponse]:
    """Answers a ClassificationRequest; the caller fills in name and version."""
    signature = _signature(model, request)
    answers, rows = yield from _run(signature, request.input)
    labels = _output(answers, "classes", "DT_STRING", rows)
    scores = _output(answers, "scores", "DT_FLOAT", rows)
    if labels is None and scores is None:
        raise ServingError(
            grpc.StatusCode.FAILED_PRECONDITION,
            "Expected classification signature outputs to contain at least one of "
            '"classes" or "scores"',
        )
    if labels is not None and scores is not None and labels.shape != scores.shape:
        raise invalid(
            "Tensors class and score should match in dim_size(1). Got "
            f"{labels.shape[1]} vs. {scores.shape[1]}"
        )
    response = classification_pb2.ClassificationResponse()
    response.model_spec.signature_name = signature.name
    for row in range(rows):
        classes = response.result.classifications.add().classes
        number = (scores if labels is None else labels).shape[1]  # type: ignore[union-attr]
        for place in range(number):
            one = classes.add()
            if labels is not None:
                one.label = labels[row, place].decode("utf-8", errors="replace")
            if scores is not None:
                one.score = float(scores[row, place])
    return response


def regress(
    model: LoadedModel, request: regression_pb2.RegressionRequest
) -> Work[regression_pb2.RegressionResponse]:
    """Answers a RegressionRequest; the caller fills in name and version."""
    signature = _signature(model, request)
    answers, rows = yield from _run(signature, request.input)
    values = answers.get("outputs")
    if values is None:
        raise ServingError(
            grpc.StatusCode.FAILED_PRECONDITION,
            'Expected regression signature outputs to contain "outputs"',
        )
    _check_type("output", values, "DT_FLOAT")
    if values.ndim and len(values) != rows:
        raise invalid(f"Expected output batch size to be {rows}. Got: {len(values)}")
    if values.shape not in ((rows,), (rows, 1)):
        raise invalid(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
            f"but got {list(values.shape)}"
        )
    response = regression_pb2.RegressionResponse()
    response.model_spec.signature_name = signature.name
    for value in values.ravel():
        response.result.regressions.add(value=float(value))
    return response


def multi_inference(
    model: LoadedModel, request: inference_pb2.MultiInferenceRequest
) -> Work[inference_pb2.MultiInferenceResponse]:
    """Answers several tasks on the same examples; the caller fills in the version."""
    response = inference_pb2.MultiInferenceResponse()
    seen = set()
    for task in request.tasks:
        spec = task.model_spec
        if spec.name != request.tasks[0].model_spec.name:
            raise invalid(
                "All ModelSpecs in a MultiInferenceRequest must access the same model "
                "name."
            )
        signature_name = spec.signature_name or DEFAULT_SIGNATURE
        if signature_name in seen:
            raise invalid(f"Duplicate evaluation of signature: {signature_name}")
        seen.add(signature_name)
        if task.method_name not in (CLASSIFY, REGRESS):
            raise ServingError(
                grpc.StatusCode.UNIMPLEMENTED,
                f"Unsupported signature method_name: {task.method_name}",
            )
    for task in request.tasks:
        one = response.results.add()
        one.model_spec.CopyFrom(task.model_spec)
        given = {"model_spec": task.model_spec, "input": request.input}
        if task.method_name == CLASSIFY:
            asked = classification_pb2.ClassificationRequest(**given)
            answer = yield from classify(model, asked)
            one.classification_result.CopyFrom(answer.result)
        else:
            asked = regression_pb2.RegressionRequest(**given)
            answer = yield from regress(model, asked)
            one.regression_result.CopyFrom(answer.result)
    return response


def _signature(model: LoadedModel, request: Any) -> Signature:
    """The signature, whatever method it is for: TensorFlow 2 writes no such name."""
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    if name not in model.definitions:
        raise invalid(f"No signature was found with the name: {name}")
    signature = model.signature(name)
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    return signature


def _run(signature: Signature, given: input_pb2.Input) -> Work[tuple[Arrays, int]]:
    examples = _serialized(given)
    if not examples:
        raise invalid("Input is empty.")
    (name,) = signature.inputs
    answers = yield Question(signature, {name: np.array(examples, object)})
    return answers, len(examples)


def _serialized(given: input_pb2.Input) -> list[bytes]:
    if given.WhichOneof("kind") != "example_list_with_context":
        return [each.SerializeToString() for each in given.example_list.examples]
    with_context = given.example_list_with_context
    examples = []
    for each in with_context.examples:
        example = tf.train.Example()
        example.CopyFrom(each)
        # Appended, not merged: a feature of both would have the values of both.
        for name, feature in with_context.context.features.feature.items():
            example.features.feature[name].CopyFrom(feature)
        examples.append(example.SerializeToString())
    return examples


def _output(answers: Arrays, name: str, kind: str, rows: int) -> np.ndarray | None:
    """An output of a row of values for each example; None if there is none."""
    values = answers.get(name)
    if values is None:
        return None
    _check_type(name, values, kind)
    if values.ndim != 2:
        raise invalid(
            "Expected Tensor shape: [batch_size num_classes] but got "
            f"{list(values.shape)}"
        )
    if len(values) != rows:
        raise invalid(
            f"Expected {name} output batch size of {rows}. Got: {len(values)}"
        )
    return values


def _check_type(name: str, values: np.ndarray, kind: str) -> None:
    """Refuses what are no strings, or no real numbers."""
    if values.dtype.kind not in ("O" if kind == "DT_STRING" else "biufV"):
        got = "string" if values.dtype == object else values.dtype
        raise invalid(f"Expected {name} Tensor of {kind}. Got: {got}")


def fill_from_json(request: Any, body: Mapping[str, Any]) -> None:
    """Fills a ClassificationRequest or RegressionRequest from its JSON form.

    Raises:
        ServingError: If the JSON has another form; the path of the place is named.
    """
    name = body.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid("'signature_name' key must be a string value.")
    request.model_spec.signature_name = name
    filled = request.input.example_list.examples
    if "context" in body:
        with_context = request.input.example_list_with_context
        _fill_example(with_context.context, body["context"], "context")
        filled = with_context.examples
    examples = body.get("examples")
    if "examples" not in body:
        raise invalid("Key 'examples' is expected and was not found")
    if not isinstance(examples, list):
        raise invalid("Expecting 'examples' value to be an list/array")
    if not examples:
        raise invalid("'examples' value is an empty array")
    for number, example in enumerate(examples):
        _fill_example(filled.add(), example, f"examples[{number}]")


def to_json(request: Any) -> list[dict[str, Any]]:
    """The examples of a ClassificationRequest or RegressionRequest, as JSON has them.

    What their context gives to all of them stands in each.
    """
    return [
        {
            name: [
                {"b64": base64.b64encode(value).decode()}
                if isinstance(value, bytes)
                else value
                for value in getattr(feature, feature.WhichOneof("kind")).value
            ]
            for name, feature in sorted(
                tf.train.Example.FromString(each).features.feature.items()
            )
            if feature.WhichOneof("kind")
        }
        for each in _serialized(request.input)
    ]


def _fill_example(example: tf.train.Example, value: Any, path: str) -> None:
    if not isinstance(value, dict):
        raise invalid(
            f"Example must be JSON object but got JSON {json_type(value)} at {path}"
        )
    for name, content in value.items():
        values = content if isinstance(content, list) else [content]
        _fill_feature(example.features.feature[name], values, name, f"{path}.{name}")


def _fill_feature(
    feature: tf.train.Feature, values: Sequence[Any], name: str, path: str
) -> None:
    kinds: list[str] = []
    for value in values:
        if isinstance(value, bool | int):
            if value > LARGEST_INT64:
                raise invalid(
                    f"Feature: {name} has uint64 element. Only int64 is supported."
                )
            if value < -LARGEST_INT64 - 1:
                raise invalid(f"Feature: {name} has an element beyond int64 at {path}")
            kinds.append("int64")
            feature.int64_list.value.append(int(value))
        elif isinstance(value, float):
            kinds.append("float")
            if LARGEST_FLOAT < abs(value) < math.inf:
                raise invalid(
                    f"Cannot convert JSON value: {value} to float without loss of "
                    f"precision.: {path}"
                )
            feature.float_list.value.append(value)
        elif isinstance(value, str):
            kinds.append("bytes")
            feature.bytes_list.value.append(value.encode())
        elif is_base64(value):
            kinds.append("bytes")
            feature.bytes_list.value.append(decoded_base64(value, path))
        else:
            raise invalid(
                f"Feature: {name} has element with unexpected JSON type: "
                f"{json_type(value)} at {path}"
            )
        if kinds[-1] != kinds[0]:
            raise invalid(
                f"Unexpected element type in feature: {name} expecting type: "
                f"{kinds[0]} at {path}"
            )
