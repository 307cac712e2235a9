"""Labelled texts of tensorflow-datasets."""

import difflib
import socket
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

from ...core.errors import UserError
from ..sources import Spec
from ..splits import refuse_split_column, split_called
from .labelled_rows import (
    LABEL_SET_KEYS,
    TEXT_COLUMNS,
    LabelledRows,
    LabelledSource,
    TextColumns,
    add_row,
)

#: What the spec ``tfds`` without a name stands for.
DEFAULT_TFDS_NAME = "imdb_reviews"

_BATCH = 1024
# Where tfds looks for a set that is already prepared, before it goes to the source.
_FIRST_HOST = "storage.googleapis.com"


def read_tfds_texts(spec: Spec, columns: TextColumns) -> LabelledSource:
    """Loads a text classification set, downloading it the first time.

    The text is the feature given, or the set's supervised input, or the one text
    feature, or the one of a usual name; the label likewise, among the class labels.

    Args:
        spec: its argument as tensorflow-datasets takes it: ``imdb_reviews``,
            ``glue/sst2``, ``imdb_reviews/plain_text:1.0.0``.
        columns: the features of the text and of the class label, where there are
            several.

    Raises:
        UserError: there is no such set or configuration (the message names the nearest
            ones), it holds no text with a class, or it cannot be fetched.
    """
    import tensorflow_datasets as tfds

    columns.refuse(str(spec), "group")
    columns.refuse_label_sets(str(spec), *LABEL_SET_KEYS)
    refuse_split_column(columns.plan, str(spec))
    name = spec.argument or DEFAULT_TFDS_NAME
    builder = find_builder(name)
    features = builder.info.features
    text_feature = _feature(
        name,
        features,
        tfds.features.Text,
        columns.text,
        "text",
        _supervised_key(builder, 0),
        TEXT_COLUMNS,
    )
    label_feature = _feature(
        name,
        features,
        tfds.features.ClassLabel,
        columns.label,
        "label",
        _supervised_key(builder, 1),
        columns.usual_labels,
    )
    fetch(builder, name)
    classes = tuple(features[label_feature].names)
    source = LabelledSource(
        classes=classes,
        columns={"text": text_feature, "label": label_feature, "group": None},
        available_columns=tuple(features),
    )
    for tfds_split in builder.info.splits:
        split = split_called(tfds_split)
        if split is None:
            continue
        examples = list(_examples(builder, tfds_split, text_feature, label_feature))
        if all(label < 0 for _, label in examples):
            continue  # tfds writes -1 for a label that is kept secret or unknown.
        rows = source.splits.setdefault(split, LabelledRows())
        for number, (text, label) in enumerate(examples, start=1):
            class_name = classes[label] if label >= 0 else None
            location = (f"tfds:{name}/{tfds_split}", number)
            add_row(rows, source.bad_rows, text, class_name, None, location)
    if "train" not in source.splits:
        there = ", ".join(filter(split_called, builder.info.splits))
        raise UserError(f"{spec}: has no train split; it has {there}")
    return source


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
    usual: Sequence[str],
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


def _examples(
    builder: Any, split: str, text_feature: str, label_feature: str
) -> Iterator[tuple[str, int]]:
    import tensorflow_datasets as tfds

    # Other features may be of any shape; only these two are batched.
    examples = builder.as_dataset(split=split).map(
        lambda example: (example[text_feature], example[label_feature])
    )
    for texts, labels in tfds.as_numpy(examples.batch(_BATCH)):
        for text, label in zip(texts, labels.tolist(), strict=True):
            yield text.decode("utf-8", errors="replace"), label
