"""TensorFlow Serving's REST API: status, metadata, predict, classify, regress.

Beyond it, `generate` lets a model write behind a text, also as it comes.
"""

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import unquote

from google.protobuf import json_format
from tensorflow_serving.apis import classification_pb2, regression_pb2

from ..errors import invalid
from ..models import writing
from ..models.folders import as_version
from ..models.loading import LoadedModel
from ..models.signatures import Question, Work
from . import describing, examples, json_tensors, json_values
from .http import Answer, Api, Request

# As in model_servers/http_rest_api_util.cc.
_RUN = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
    r":(classify|regress|predict|generate)",
    re.IGNORECASE,
)
_READ = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:/versions/(\d+)|/labels/([^/:]+))?(?:/(metadata))?",
    re.IGNORECASE,
)


class RestApi(Api):
    """Answers what is below `/v1`."""

    async def __call__(self, request: Request) -> Answer | None:
        """Answers one request."""
        if request.verb == "POST" and (match := _RUN.fullmatch(request.path)):
            request.method = match[4].lower()
            run = self._generate if request.method == "generate" else self._run
            async with self.bodies.of(request) as body:
                return await run(request, body, *match.groups())
        if request.verb == "GET" and (match := _READ.fullmatch(request.path)):
            return self._read(*match.groups())
        raise invalid(f"Malformed request: {request.verb} {request.path}")

    async def _run(
        self,
        request: Request,
        body: bytes,
        name: str,
        number: str | None,
        label: str | None,
        method: str,
    ) -> Answer:
        spec = _spec(name, number, label)
        async with self.runner.admitted(spec[0]):
            version = self.repository.find(*spec)
            request.model = version.model
            work = partial(_METHODS[method.lower()], body)
            return Answer(await self.runner.answer(version, work, len(body)))

    async def _generate(
        self,
        request: Request,
        body: bytes,
        name: str,
        number: str | None,
        label: str | None,
        method: str,
    ) -> Answer | None:
        spec = _spec(name, number, label)
        async with self.runner.admitted(spec[0]), request.watched() as check_client:
            version = self.repository.find(*spec)
            request.model = version.model
            asked = _asked_to_write(body)
            stream = asked.pop("stream")
            pieces = self.runner.pieces(version, partial(_written, asked))
            written = []
            async with contextlib.aclosing(pieces):
                async for piece in pieces:
                    check_client()
                    if stream:
                        await request.events.send({"text": piece})
                    else:
                        written.append(piece)
            if stream:
                await request.events.send({}, "end")
                return None
            text = "".join(written)
            return Answer(json.dumps({"text": text}, ensure_ascii=False).encode())

    def _read(
        self,
        name: str | None,
        number: str | None,
        label: str | None,
        metadata: str | None,
    ) -> Answer:
        if name is None:
            raise invalid("Missing model name in request.")
        spec = _spec(name, number, label)
        if metadata:
            response = describing.metadata(self.repository.find(*spec))
            return _json(_metadata_form(response))
        return _json(_message(describing.status(self.repository.status(*spec))))


def _spec(
    name: str, number: str | None, label: str | None
) -> tuple[str, int | None, str | None]:
    version = None if number is None else as_version(number)
    if number is not None and version is None:
        raise invalid(f"Failed to convert version: {number[:100]} to numeric.")
    return (
        unquote(name),
        version,
        None if label is None else unquote(label),
    )


def _predict(body: bytes, model: LoadedModel) -> Work[bytes]:
    document = json_values.parse(body)
    signature = model.signature(json_tensors.signature_name(document))
    arrays, in_rows = json_tensors.arrays_of(document, signature)
    answers = yield Question(signature, arrays)
    return (json_tensors.predictions if in_rows else json_tensors.outputs)(answers)


def _asked_to_write(body: bytes) -> dict[str, Any]:
    """The `prompt`, whether to `stream`, and the options of a request to write."""
    document = {"stream": False, **json_values.parse(body)}
    kinds = {"prompt": (str, "a text"), "stream": (bool, "true or false")}
    for name, (kind, what) in kinds.items():
        if not isinstance(document.get(name), kind):
            raise invalid(f"{name}: expected {what}")
    return document


def _written(asked: dict[str, Any], model: LoadedModel) -> Iterator[str]:
    options = {name: value for name, value in asked.items() if name != "prompt"}
    return writing.write(model, asked["prompt"], options)


def _classify(body: bytes, model: LoadedModel) -> Work[bytes]:
    request = classification_pb2.ClassificationRequest()
    examples.fill_from_json(request, json_values.parse(body))
    result = (yield from examples.classify(model, request)).result
    return json_tensors.dump_with_tokens(
        {
            "results": [
                [[one.label, json_tensors.shortest(one.score)] for one in each.classes]
                for each in result.classifications
            ]
        }
    )


def _regress(body: bytes, model: LoadedModel) -> Work[bytes]:
    request = regression_pb2.RegressionRequest()
    examples.fill_from_json(request, json_values.parse(body))
    result = (yield from examples.regress(model, request)).result
    return json_tensors.dump_with_tokens(
        {"results": [json_tensors.shortest(each.value) for each in result.regressions]}
    )


_METHODS: dict[str, Callable[[bytes, LoadedModel], Work[bytes]]] = {
    "predict": _predict,
    "classify": _classify,
    "regress": _regress,
}


def _message(message: Any) -> dict[str, Any]:
    return json_format.MessageToDict(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )


def _metadata_form(response: Any) -> dict[str, Any]:
    """Without the type names of what is packed in it, as TensorFlow Serving has it."""
    return {
        "model_spec": _message(response.model_spec),
        "metadata": {"signature_def": _message(describing.unpacked(response))},
    }


def _json(document: Any) -> Answer:
    return Answer(json.dumps(document, indent=1, ensure_ascii=False).encode())
