"""Texts to predict on, some together. Imports no pandas, which takes long."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

# A model sorts so many texts by their length.
_ROWS = 1024


class TextRows(NamedTuple):
    """Some rows: their texts, and the table that they stand in, if they do in one."""

    texts: list[str]
    frame: "pd.DataFrame | None" = None

    @property
    def rows(self) -> "pd.DataFrame":
        """The table; of the texts alone, where they stand in none."""
        if self.frame is not None:
            return self.frame
        import pandas as pd

        return pd.DataFrame({"text": self.texts}, dtype=object)


def in_turn(
    texts: Sequence[str], frame: "pd.DataFrame | None" = None
) -> Iterator[TextRows]:
    """The texts, so many together as a model sorts by length.

    Args:
        texts: One for each row.
        frame: The rows, if they stand in a table.
    """
    for begin in range(0, len(texts), _ROWS):
        part = slice(begin, begin + _ROWS)
        yield TextRows(
            [_valid(text) for text in texts[part]],
            None if frame is None else frame.iloc[part],
        )


def _valid(text: str) -> str:
    """As UTF-8 has it: JSON can hold halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode("utf-8")
