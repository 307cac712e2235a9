"""Pieces of HTML that every page needs. What comes from outside is escaped."""

from html import escape


def refusal(message: str) -> str:
    """Why there is no answer."""
    return f'<p class="refusal" role="alert">{escape(message)}</p>'


def note(text: str) -> str:
    """What explains an answer."""
    return f'<p class="note">{escape(text)}</p>'
