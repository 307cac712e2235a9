"""What the handlers of the page's events have in common."""

import contextlib
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeAlias

from ..errors import as_serving_error
from . import markup

# Programs ask the APIs, which stay as they are, and not the page.
PRIVATE: dict[str, Any] = {"api_visibility": "private"}

HtmlHandler: TypeAlias = Callable[..., Awaitable[str]]
GrowingHtmlHandler: TypeAlias = Callable[..., AsyncGenerator[str]]


def with_errors_shown(handler: HtmlHandler) -> HtmlHandler:
    """The handler, with an error as its answer where it raises one."""

    @functools.wraps(handler)
    async def answered(*values: Any) -> str:
        try:
            return await handler(*values)
        except Exception as error:
            return markup.refusal(as_serving_error(error).message)

    return answered


def with_errors_shown_behind(handler: GrowingHtmlHandler) -> GrowingHtmlHandler:
    """The same of a handler whose answer grows: the error stands behind the rest."""

    @functools.wraps(handler)
    async def answered(*values: Any) -> AsyncGenerator[str]:
        html = ""
        try:
            async with contextlib.aclosing(handler(*values)) as answers:
                async for html in answers:
                    yield html
        except Exception as error:
            yield html + markup.refusal(as_serving_error(error).message)

    return answered
