"""What Griffe does not know of docstrings: examples by doctest, Keras's headings."""

import re
from typing import Any

import griffe

_GROUPED = re.compile(r"(?m)^( *(?:\w+, )*\w+,)\n +(?=(?:\w+, )*\w+[,:])")
_CALL_ARGUMENTS = re.compile(r"(?m)^Call arguments:$")
_EXAMPLE = re.compile(r"(?m)^(?:Example:\n+)?(?P<code> *>>> .*\n?(?:.+\n?)*)")


class Docstrings(griffe.Extension):
    """Makes docstrings such that the Google style of Griffe reads all of them."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrites the docstring, if the object has one."""
        if obj.docstring is not None:
            obj.docstring.value = readable(obj.docstring.value)


def readable(docstring: str) -> str:
    """The docstring with parameters joined, call arguments titled, examples fenced."""
    while (joined := _GROUPED.sub(r"\1 ", docstring)) != docstring:
        docstring = joined
    docstring = _CALL_ARGUMENTS.sub("Other args: Call arguments", docstring)
    return _EXAMPLE.sub(
        lambda match: f"```pycon\n{match['code'].rstrip()}\n```\n", docstring
    )
