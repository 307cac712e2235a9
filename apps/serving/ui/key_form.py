"""How a browser gives an API key: asked for by a form, kept in a cookie."""

import http.cookies
from collections.abc import Callable
from html import escape
from urllib.parse import parse_qs, quote, unquote

from ..errors import ServingError
from ..protocols.http import Answer, Request, Send, send_answer

PAGE = "/ui"
# Where the form sends the key.
KEY_PATH = f"{PAGE}/key"

COOKIE = "recurra_key"
MOST_BYTES = 4096

_FORM = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Try the models</title>
<style>
:root {{ color-scheme: light dark; font-family: system-ui, sans-serif; }}
body {{ max-width: 24rem; margin: 15vh auto 0; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; }}
label, input, button {{ display: block; width: 100%; box-sizing: border-box; font: inherit; }}
input, button {{ margin-top: .5rem; padding: .6rem; border-radius: .4rem; border: 1px solid #9ca3af; }}
button {{ margin-top: 1rem; border: 0; background: #2563eb; color: #fff; }}
p {{ padding: .6rem .8rem; border-left: 4px solid #dc2626; background: rgb(220 38 38 / .1); }}
</style>
<h1>Try the models</h1>
{message}
<form method="post" action="{path}">
<label for="key">This server asks for an API key.</label>
<input id="key" name="key" type="password" autocomplete="current-password" required autofocus>
<button>Continue</button>
</form>
"""  # noqa: E501


def key_of_cookie(header: str) -> str:
    """The key in a Cookie header, or ""."""
    try:
        cookie = http.cookies.SimpleCookie(header).get(COOKIE)
    except http.cookies.CookieError:
        return ""
    return unquote(cookie.value) if cookie else ""


async def answer_without_key(
    request: Request, is_key: Callable[[str], bool], send: Send
) -> None:
    """Asks for a key, or takes the one that the form has sent."""
    if request.verb == "POST" and request.path == KEY_PATH:
        key = await _given(request)
        if is_key(key):
            # No script reads it, no other site makes a browser send it, and it ends
            # with the browser.
            cookie = f"{COOKIE}={quote(key, safe='')}; Path={PAGE}"
            headers = [
                (b"set-cookie", f"{cookie}; HttpOnly; SameSite=Strict".encode()),
                (b"location", f"{PAGE}/".encode()),
            ]
            await send_answer(send, Answer(b"", 303, "text/plain"), headers)
            return
        await send_answer(send, _form("This key is not one of the server's."), [])
        return
    await send_answer(send, _form(""), [])


async def _given(request: Request) -> str:
    try:
        body = await request.body(MOST_BYTES)
    except ServingError:
        return ""
    fields = parse_qs(body.decode("utf-8", errors="replace"))
    return fields.get("key", [""])[0].strip()


def _form(message: str) -> Answer:
    shown = f'<p role="alert">{escape(message)}</p>' if message else ""
    html = _FORM.format(message=shown, path=KEY_PATH)
    return Answer(html.encode(), 401, "text/html; charset=utf-8")
