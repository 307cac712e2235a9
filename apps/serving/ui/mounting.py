"""Mounts the page in the server, where the packages of its extra are installed."""

import asyncio
import contextlib
import importlib.resources
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import fastapi
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from ..protocols.http import Receive, Scope, Send
from .answer_page import PageFactory
from .asking import Asker
from .key_form import PAGE
from .uploads import UploadLimits

# A browser asks nobody but this server, whatever gradio's files name.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)

SYSTEM_FONTS = ("system-ui", "sans-serif")
SYSTEM_MONOSPACE = ("ui-monospace", "monospace")


@contextlib.asynccontextmanager
async def mounted(
    app: fastapi.FastAPI,
    asker: Asker,
    pages: PageFactory,
    most_bytes: int,
) -> AsyncIterator[asyncio.Event]:
    """The page at `/ui` within the context; gives what ends its open connections.

    Without its packages, `/ui` says which extra brings them.

    Args:
        app: To mount it in.
        asker: Puts the page's questions to the models.
        pages: Makes the pages of kinds of answers.
        most_bytes: Of an uploaded file.
    """
    # Nobody learns of this server or its users.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import gradio as gr

        from .page import build

        answer_pages = pages()
    except ModuleNotFoundError as error:
        _say_what_is_missing(app, error)
        yield asyncio.Event()
        return
    with tempfile.TemporaryDirectory(prefix="recurra-ui-") as folder:
        # Where gradio keeps uploaded files; it reads this as the page is built.
        os.environ["GRADIO_TEMP_DIR"] = folder
        gr.mount_gradio_app(
            app,
            build(asker, answer_pages),
            PAGE,
            app_kwargs={
                "middleware": [
                    Middleware(_Policy),
                    Middleware(
                        UploadLimits, folder=Path(folder), most_bytes=most_bytes
                    ),
                ]
            },
            css=importlib.resources.files(__package__)
            .joinpath("page.css")
            .read_text(encoding="utf-8"),
            theme=gr.themes.Default(
                primary_hue="blue", font=SYSTEM_FONTS, font_mono=SYSTEM_MONOSPACE
            ).set(
                # Gradio's own are too pale to be read by everybody (WCAG 1.4.3).
                body_text_color_subdued="*neutral_600",
                button_primary_background_fill="*primary_600",
                button_primary_background_fill_hover="*primary_700",
                button_primary_border_color="*primary_600",
            ),
            footer_links=[],
            run_history=False,
            show_error=False,
            max_file_size=most_bytes,
            ssr_mode=False,
            enable_monitoring=False,
            pwa=False,
            mcp_server=False,
        )
        page: Any = app.router.routes[-1]
        async with app.router.lifespan_context(app):
            yield page.app.stop_event


def _say_what_is_missing(app: fastapi.FastAPI, error: ModuleNotFoundError) -> None:
    message = (
        f"This page needs {error.name}, which is not installed; the extra web brings "
        "it: pip install 'recurra[web]'\n"
    )
    app.router.routes.append(
        Route(PAGE, lambda request: PlainTextResponse(message, 501))
    )


class _Policy:
    """ASGI middleware that says where a browser may ask."""

    def __init__(self, app: Any):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-security-policy"] = POLICY
                headers["referrer-policy"] = "no-referrer"
            await send(message)

        await self._app(scope, receive, with_policy)
