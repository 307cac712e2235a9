"""Names that columns of labelled texts usually have, by `files.cells.fold_name`."""

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
