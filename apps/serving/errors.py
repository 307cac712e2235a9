"""What a client reads of a failed request."""

import logging
import re

import grpc
import tensorflow as tf

logger = logging.getLogger("recurra.serving")

# How TensorFlow says in which node of which function something failed.
_NODE = re.compile(r"\{\{(?:function_)?node [^}]*\}\}")

_CODES = {code.value[0]: code for code in grpc.StatusCode}

# As TensorFlow Serving maps them, in model_servers/http_server.cc.
_HTTP_STATUS = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}


class ServingError(Exception):
    """A request that is answered with an error.

    Args:
        code: Of gRPC; REST answers with the HTTP status that TensorFlow Serving maps
            it to.
        message: What the client reads.
        http_status: Where HTTP has a better one than that.
    """

    def __init__(
        self, code: grpc.StatusCode, message: str, http_status: int | None = None
    ):
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status or _HTTP_STATUS.get(code, 500)


def invalid(message: str) -> ServingError:
    """The request is wrong."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """What the request names is not there."""
    return ServingError(grpc.StatusCode.NOT_FOUND, message)


def too_large(message: str) -> ServingError:
    """The request is beyond a limit on its size."""
    return ServingError(grpc.StatusCode.RESOURCE_EXHAUSTED, message, http_status=413)


def too_many(message: str) -> ServingError:
    """The server is busy; the same request may pass later."""
    return ServingError(grpc.StatusCode.RESOURCE_EXHAUSTED, message)


def timed_out(seconds: float) -> ServingError:
    """The request took longer than is allowed."""
    return ServingError(
        grpc.StatusCode.DEADLINE_EXCEEDED, f"Timed out after {seconds:g} s"
    )


def gone() -> ServingError:
    """Nobody waits for the answer any more."""
    return ServingError(grpc.StatusCode.CANCELLED, "The client went away")


def as_serving_error(error: Exception) -> ServingError:
    """The answer to any exception; what is no client's business goes to the log."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        code = _CODES.get(error.error_code, grpc.StatusCode.UNKNOWN)
        return ServingError(code, first_line(error))
    logger.error("A request failed", exc_info=error)
    return ServingError(
        grpc.StatusCode.INTERNAL, "Internal error; the server's log has the reason"
    )


def first_line(error: BaseException) -> str:
    """What the error says, without the traces that TensorFlow appends to it."""
    text = error.message if isinstance(error, tf.errors.OpError) else str(error)
    lines = (_NODE.sub("", line).strip() for line in (text or "").splitlines())
    said = (line for line in lines if line and line != "Graph execution error:")
    return next(said, type(error).__name__)
