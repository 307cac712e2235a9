"""The embedded samples: data that this project generates itself, as sources."""

from ..data.sources import (
    LABELLED_TEXTS,
    PLAIN_TEXTS,
    SENTENCE_PAIRS,
    SUMMARIES,
    TIME_SERIES,
    Source,
    register,
)
from ..data.specs import DataSpec

_READERS = "recurra.pipelines.samples.readers"

register(
    Source(
        "sample",
        LABELLED_TEXTS,
        f"{_READERS}:read_reviews",
        [
            DataSpec(
                "sample",
                "embedded: 6,000 generated reviews, two classes, own splits",
            )
        ],
    )
)
register(
    Source(
        "sample",
        SENTENCE_PAIRS,
        f"{_READERS}:read_pairs",
        [
            DataSpec(
                "sample",
                "embedded: 18,000 generated English-German pairs, own splits",
            )
        ],
    )
)
register(
    Source(
        "sample",
        TIME_SERIES,
        f"{_READERS}:read_station",
        [
            DataSpec(
                "sample", "embedded: three years of one generated station, hourly"
            ),
            DataSpec("sample:10min", "the same every ten minutes"),
        ],
    )
)
register(
    Source(
        "sample",
        PLAIN_TEXTS,
        f"{_READERS}:read_stories",
        [DataSpec("sample", "embedded: 800 generated tales, own splits")],
    )
)
register(
    Source(
        "sample",
        SUMMARIES,
        f"{_READERS}:read_news",
        [DataSpec("sample", "embedded: 3,000 generated articles, own splits")],
    )
)
