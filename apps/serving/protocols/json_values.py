"""JSON as TensorFlow Serving reads and writes it: NaN and Infinity, binary values."""

import base64
import binascii
import json
from typing import Any

import orjson

from ..errors import invalid

# What RapidJSON, which TensorFlow Serving parses with, calls Python's findings.
_PARSE_ERRORS = {
    "Expecting value": "Invalid value.",
    "Extra data": "The document root must not be followed by other values.",
    "Expecting property name enclosed in double quotes": (
        "Missing a name for object member."
    ),
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Expecting ',' delimiter": (
        "Missing a comma or } after an object member, or a comma or ] after an array "
        "element."
    ),
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid control character at": "Invalid control character in string.",
}

LONGEST_SHOWN = 100


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        ServingError: If it is none.
    """
    if not body.strip():
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        # It knows neither NaN nor Infinity, and says less about what is wrong.
        document = _parse_leniently(body)
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {shown_value(document)} Is not object")
    return document


def _parse_leniently(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
        document = json.loads(text)
        # Escaped halves of surrogate pairs are no text, and Python alone lets them by.
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise invalid("JSON Parse error: Invalid encoding in string.") from None
    except json.JSONDecodeError as error:
        reason = _PARSE_ERRORS.get(error.msg, error.msg)
        raise invalid(f"JSON Parse error: {reason} at offset: {error.pos}") from None
    except RecursionError:
        raise invalid("JSON Parse error: The document is nested too deeply") from None
    except ValueError as error:
        # Python limits the digits of whole numbers.
        raise invalid(f"JSON Parse error: {error}") from None
    return document


def json_type(value: Any) -> str:
    """The type of a JSON value, as TensorFlow Serving names it."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return str(value)
    names = {
        dict: "Object",
        list: "Array",
        str: "String",
        int: "Number",
        float: "Number",
    }
    return names[type(value)]


def shown_value(value: Any) -> str:
    """A JSON value for an error's message, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def is_base64(value: Any) -> bool:
    """Whether it is a binary value: `{"b64": "..."}`."""
    return (
        isinstance(value, dict)
        and len(value) == 1
        and isinstance(value.get("b64"), str)
    )


def decoded_base64(value: dict[str, str], path: str) -> bytes:
    """The bytes of a binary value."""
    text = value["b64"].rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"Unable to base64 decode at {path}") from None
