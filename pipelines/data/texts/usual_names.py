"""Names that columns usually have, of labelled texts by `files.cells.fold_name`."""

from collections.abc import Sequence
from typing import TypeAlias

#: In order of preference: without case, space, and what joins words.
TEXT_COLUMNS = (
    *("text", "review", "sentence", "content", "reviewtext", "reviewbody", "body"),
    *(
        "comment",
        "commenttext",
        "tweet",
        "tweettext",
        "message",
        "document",
        "question",
    ),
    *("utterance", "query", "post", "description", "article", "phrase", "headline"),
    *("sms", "summary", "title", "v2"),
)
LABEL_COLUMNS = (
    *("label", "target", "class", "labels", "category", "classindex", "classname"),
    *("stars", "overall", "rating", "score", "starrating", "polarity", "intent"),
    *("emotion", "topic", "v1"),
)

#: Names of columns for the two sides of pairs, each in order of preference.
SideColumns: TypeAlias = tuple[Sequence[str], Sequence[str]]
#: Those that are no language, whatever their case.
SIDE_COLUMNS: SideColumns = (
    ("source", "src"),
    ("target", "tgt", "trg", "reference", "ref"),
)
