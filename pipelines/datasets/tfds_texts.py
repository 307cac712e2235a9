"""Text classification sets of tensorflow-datasets, and what `data list` lists."""

import difflib
import socket
import urllib.request
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError
from .specs import DataSpec

#: What the spec ``tfds:`` without a name stands for.
DEFAULT_TFDS_NAME = "imdb_reviews"

# Where supervised_keys do not say, the text is the feature of the first of these names.
_USUAL_TEXT_FEATURES = ("text", "review", "sentence", "content")
_USUAL_LABEL_FEATURES = ("label", "sentiment", "target", "class")
_SPLIT_NAMES = ("train", "validation", "valid", "val", "dev", "test")
_BATCH = 1024
# Where tfds looks for a set that is already prepared, before it goes to the source.
_FIRST_HOST = "storage.googleapis.com"


@dataclass(frozen=True)
class TfdsTexts:
    """The labelled splits of a tfds set.

    Args:
        splits: for each of tfds's own split names the texts and the class numbers,
            ``int64[rows]``, -1 where tfds knows no label.
        classes: the class names, by number.
        text_feature, label_feature: the features used.
        features: all features of the set.
    """

    splits: dict[str, tuple[list[str], np.ndarray]]
    classes: tuple[str, ...]
    text_feature: str
    label_feature: str
    features: tuple[str, ...]


#: Specs of labelled texts. Any other tfds set with a text and a class works as well.
TEXT_SPECS = (
    DataSpec("sample", "embedded: 6,000 generated reviews, two classes, own splits"),
    DataSpec("FILE", "your .csv, .tsv, .jsonl (each also .gz) or .parquet"),
    DataSpec("FOLDER", "your train, validation and test files in one folder"),
    DataSpec("FOLDER", "your .txt files in class-named folders, or those per split"),
    DataSpec("tfds:imdb_reviews", "50,000 film reviews, two classes"),
    DataSpec(
        "tfds:yelp_polarity_reviews", "598,000 reviews of businesses, two classes"
    ),
    DataSpec("tfds:glue/sst2", "68,000 phrases of film reviews, two classes"),
    DataSpec("tfds:glue/cola", "10,000 sentences, grammatical or not"),
    DataSpec("tfds:movie_rationales", "2,000 long film reviews, two classes"),
    DataSpec("tfds:ag_news_subset", "128,000 news items, four subjects"),
    DataSpec(
        "tfds:trec",
        "6,000 questions by what they ask for (--label-column label-coarse)",
    ),
    DataSpec("tfds:NAME", "any text classification set of tensorflow-datasets"),
)


def read_tfds_texts(
    name: str, *, text_column: str | None = None, label_column: str | None = None
) -> TfdsTexts:
    """Loads a text classification set, downloading it the first time.

    The text is the feature given, or the set's supervised input, or the one text
    feature, or the one of a usual name; the label likewise, among the class labels.

    Args:
        name: as tensorflow-datasets takes it: ``imdb_reviews``, ``glue/sst2``,
            ``imdb_reviews/plain_text:1.0.0``.
        text_column: the text feature, where there are several.
        label_column: the class label feature, where there are several.

    Raises:
        UserError: there is no such set or configuration (the message names the nearest
            ones), it holds no text with a class, or it cannot be fetched.
    """
    import tensorflow_datasets as tfds

    builder = find_builder(name)
    features = builder.info.features
    text_feature = _feature(
        name,
        features,
        tfds.features.Text,
        text_column,
        "text",
        _supervised_key(builder, 0),
        _USUAL_TEXT_FEATURES,
    )
    label_feature = _feature(
        name,
        features,
        tfds.features.ClassLabel,
        label_column,
        "label",
        _supervised_key(builder, 1),
        _USUAL_LABEL_FEATURES,
    )
    fetch(builder, name)
    splits = {
        split: _read_split(builder, split, text_feature, label_feature)
        for split in builder.info.splits
        if split in _SPLIT_NAMES
    }
    return TfdsTexts(
        splits,
        tuple(features[label_feature].names),
        text_feature,
        label_feature,
        tuple(features),
    )


def find_builder(name: str) -> Any:
    """The tfds builder of this name; raises UserError that names the nearest ones."""
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name)
    except tfds.core.DatasetNotFoundError:
        known = tfds.list_builders(with_community_datasets=False)
        raise UserError(
            f"tfds:{name}: tensorflow-datasets has no set of this name"
            f"{_nearest(name.partition('/')[0], known)}"
        ) from None
    except ValueError as error:
        set_name, _, config = name.partition("/")
        configs = list(tfds.builder_cls(set_name).builder_configs)
        if not config or config.partition(":")[0] in configs:
            reason = str(error).partition("\n")[0][:200]
            raise UserError(f"tfds:{name}: {reason}") from None
        raise UserError(
            f"tfds:{name}: {set_name} has no configuration {config!r}"
            f"{_nearest(config, configs)}"
        ) from None


def _nearest(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(nearest)}?" if nearest else ""


def _supervised_key(builder: Any, position: int) -> str | None:
    keys = builder.info.supervised_keys
    return keys[position] if keys and isinstance(keys[position], str) else None


def _feature(
    name: str,
    features: Any,
    kind: type,
    asked: str | None,
    role: str,
    supervised: str | None,
    usual: tuple[str, ...],
) -> str:
    of_kind = [key for key, feature in features.items() if isinstance(feature, kind)]
    there = ", ".join(
        f"{key} ({type(feature).__name__})" for key, feature in features.items()
    )
    if asked is not None:
        if asked not in of_kind:
            raise UserError(
                f"tfds:{name}: no {kind.__name__} feature {asked!r} for "
                f"--{role}-column; its features are {there}"
            )
        return asked
    if not of_kind:
        raise UserError(
            f"tfds:{name}: not a text classification set: it has no "
            f"{kind.__name__} feature; its features are {there}"
        )
    if supervised in of_kind:
        return str(supervised)
    for key in [*usual, *(of_kind if len(of_kind) == 1 else [])]:
        if key in of_kind:
            return key
    raise UserError(
        f"tfds:{name}: {' and '.join(of_kind)} could each be the {role}; choose by "
        f"--{role}-column"
    )


def fetch(builder: Any, name: str) -> None:
    """Downloads and prepares the set where that is not done; else raises UserError."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    try:
        if not builder.is_prepared():
            _resolve_download_host()
        builder.download_and_prepare()
    except (
        OSError,
        tf.errors.OpError,
        tfds.download.DownloadError,
        AssertionError,  # tfds: "the dataset requires manual download".
    ) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise UserError(
            f"tfds:{name}: cannot be downloaded ({reason}); either bring the data by "
            f"hand and give their file or folder instead of tfds:{name}, or copy the "
            f"set, prepared on another machine, to {builder.data_dir}"
        ) from error


def _resolve_download_host() -> None:
    """Raises OSError at once where there is no network: tfds tries for minutes."""
    # Behind a proxy names need not resolve here.
    if not urllib.request.getproxies():
        socket.getaddrinfo(_FIRST_HOST, 443)


def _read_split(
    builder: Any, split: str, text_feature: str, label_feature: str
) -> tuple[list[str], np.ndarray]:
    import tensorflow_datasets as tfds

    # Other features may be of any shape; only these two are batched.
    examples = builder.as_dataset(split=split).map(
        lambda example: (example[text_feature], example[label_feature])
    )
    texts: list[str] = []
    labels: list[np.ndarray] = [np.zeros(0, dtype=np.int64)]
    for batch_of_texts, batch_of_labels in tfds.as_numpy(examples.batch(_BATCH)):
        texts += [text.decode("utf-8", errors="replace") for text in batch_of_texts]
        labels.append(batch_of_labels.astype(np.int64))
    return texts, np.concatenate(labels)
