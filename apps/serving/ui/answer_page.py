"""What the page needs of a kind of answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from ..models.loading import LoadedModel
from .asking import Asker

if TYPE_CHECKING:
    # For its types alone: a server without the page does not need it.
    import gradio as gr
    from gradio.blocks import Block

# New values of components. Those that are left out stay as they are.
Updates: TypeAlias = "dict[Block, Any]"


class Shown(NamedTuple):
    """What the page shows: a model's name, its version and its kind of answer."""

    model: str
    version: int
    kind: str


class Choice(NamedTuple):
    """The components that hold what a person has chosen; inputs of events.

    Attributes:
        model: The chosen model's name.
        shown: A `Shown`, or None while no model is served.
    """

    model: gr.Dropdown
    shown: gr.State


class AnswerPage(Protocol):
    """A page for the models of one kind of answer. It owns its components."""

    @property
    def kind(self) -> str:
        """The kind of answer; no two pages have the same."""

    def fits(self, model: LoadedModel) -> bool:
        """Whether the model gives such answers, by its card and its signatures."""

    def build(self, asker: Asker, choice: Choice) -> Sequence[gr.Component]:
        """Adds the components, and wires them to their answers.

        Called once, before the page is filled, and within the page's `gr.Blocks`.

        Args:
            asker: Puts questions to the models.
            choice: The chosen model.

        Returns:
            The components that `filled` may change.
        """

    def filled(self, model: LoadedModel) -> Updates:
        """The components' values for a model that was chosen just now.

        Args:
            model: One that fits.
        """


# Makes the pages of one server. It is called where a page is built: its imports may
# take seconds, and need packages that a server without the page does not have.
PageFactory: TypeAlias = Callable[[], Sequence[AnswerPage]]


def no_pages() -> Sequence[AnswerPage]:
    """No page for any kind of answer: every model has the form."""
    return ()
