"""What summaries are compared with: how the articles begin."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..sequence_to_sequence.long_texts import sentences_of

#: By the name of a baseline how many sentences it takes.
BASELINES = {"lead_1": 1, "lead_3": 3}


@dataclass(frozen=True)
class LeadBaseline:
    """Answers the first sentences of an article, the usual rival in news.

    Attributes:
        sentences: How many.
        separator: What stands between them.
    """

    sentences: int
    separator: str

    def summarise(self, texts: Sequence[str]) -> list[str]:
        """The beginning of each text."""
        return [
            self.separator.join(sentences[: self.sentences])
            for sentences in sentences_of(texts)
        ]
