"""tensorflow-datasets: loaded from a mock, and refused in words that help."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.core.registry import definitions
from recurra.pipelines.data.sources import LABELLED_TEXTS, read
from recurra.pipelines.data.texts.labelled_rows import TextColumns
from recurra.pipelines.data.texts.labelled_texts import (
    load_evaluation_texts,
    load_labelled_texts,
)

EXAMPLES = 40


def mocked_examples(builder: Any, split: str, **_: Any) -> Any:
    """Texts that name their split and number; labels in turn, or -1 where hidden."""
    import tensorflow as tf

    classes = builder.info.features["label"].num_classes
    text = next(
        name
        for name, feature in builder.info.features.items()
        if isinstance(feature, tfds.features.Text)
    )

    def examples() -> Iterator[dict[str, Any]]:
        for number in range(EXAMPLES):
            hidden = split == "unsupervised" or (
                builder.name == "glue" and split == "test"
            )
            yield {
                text: f"{split} número {number}".encode(),
                "label": -1 if hidden else number % classes,
            }

    signature = {
        text: tf.TensorSpec((), tf.string),
        "label": tf.TensorSpec((), tf.int64),
    }
    return tf.data.Dataset.from_generator(examples, output_signature=signature)


@pytest.fixture
def mocked(tmp_path: Path, write_tfds_info: Any) -> Iterator[None]:
    write_tfds_info(
        tmp_path,
        "imdb_reviews/plain_text",
        "1.0.0",
        ["train", "test", "unsupervised"],
        EXAMPLES,
    )
    write_tfds_info(
        tmp_path, "glue/sst2", "2.0.0", ["train", "validation", "test"], EXAMPLES
    )
    with tfds.testing.mock_data(data_dir=str(tmp_path), as_dataset_fn=mocked_examples):
        yield


@pytest.mark.parametrize("spec", ["tfds:imdb_reviews", "tfds:", "tfds"])
def test_imdb_reviews_is_what_tfds_means(mocked: None, spec: str) -> None:
    texts = load_labelled_texts(spec)
    assert texts.classes == ("neg", "pos")
    assert texts.columns == {"text": "text", "label": "label", "group": None}
    sizes = {name: len(split) for name, split in texts.splits.items()}
    assert sizes == {"train": 36, "validation": 4, "test": EXAMPLES}
    test = texts.splits["test"]
    assert test.texts.tolist() == [f"test número {n}" for n in range(EXAMPLES)]
    np.testing.assert_array_equal(test.labels, np.arange(EXAMPLES) % 2)


def test_split_with_hidden_labels_is_left_out(mocked: None) -> None:
    texts = load_labelled_texts("tfds:glue/sst2", test_fraction=0)
    assert texts.columns["text"] == "sentence"
    assert texts.classes == ("negative", "positive")
    assert {name: len(split) for name, split in texts.splits.items()} == {
        "train": EXAMPLES,
        "validation": EXAMPLES,
    }
    assert texts.bad_rows == ()


def test_evaluation_takes_the_test_split(mocked: None) -> None:
    split, _ = load_evaluation_texts("tfds:imdb_reviews", classes=["pos", "neg"])
    assert split.texts[0] == "test número 0"
    assert split.labels.tolist() == [1, 0] * (EXAMPLES // 2)


def test_random_examples_of_the_mock(tmp_path: Path, write_tfds_info: Any) -> None:
    splits = ["train", "test"]
    write_tfds_info(tmp_path, "imdb_reviews/plain_text", "1.0.0", splits, EXAMPLES)
    with tfds.testing.mock_data(num_examples=30, data_dir=str(tmp_path)):
        source = read("tfds:imdb_reviews", LABELLED_TEXTS, TextColumns())
    assert source.classes == ("neg", "pos")
    assert source.available_columns == ("text", "label")
    for split in ("train", "test"):
        rows = source.splits[split]
        assert len(rows.texts) == len(rows.labels) == 30
        assert all(isinstance(text, str) for text in rows.texts)
        assert set(rows.labels) <= {"neg", "pos"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("tfds:imdb_reveiws", "no set of this name; did you mean imdb_reviews"),
        ("tfds:qqqqqqqqqqq", "no set of this name"),
        ("tfds:glue/sst3", "glue has no configuration 'sst3'; did you mean sst2"),
        ("tfds:mnist", "has no Text feature; its features are image .Image., label"),
        ("tfds:sentiment140", "has no ClassLabel feature"),
        ("tfds:trec", "label-coarse and label-fine could each be the label"),
    ],
)
def test_sets_that_are_refused(spec: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        load_labelled_texts(spec)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_features_can_be_given() -> None:
    with pytest.raises(UserError, match="no Text feature 'headline' for --text-column"):
        load_labelled_texts("tfds:ag_news_subset", text_column="headline")
    with pytest.raises(UserError, match="--group-column x"):
        load_labelled_texts("tfds:ag_news_subset", group_column="x")


def no_network(*_: Any, **__: Any) -> None:
    raise socket.gaierror(-2, "Name or service not known")


def test_no_network_says_how_to_bring_the_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    for proxy in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
        monkeypatch.delenv(proxy.upper(), raising=False)
    with pytest.raises(UserError) as error:
        load_labelled_texts("tfds:yelp_polarity_reviews")
    message = str(error.value)
    assert message.startswith("tfds:yelp_polarity_reviews: cannot be downloaded")
    assert "give their file or folder instead" in message
    assert "yelp_polarity_reviews/0.2.0" in message
    assert "\n" not in message


def test_download_that_breaks_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def break_off(*_: Any, **__: Any) -> None:
        raise ConnectionError("Max retries exceeded\nwith a second line")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", break_off)
    with pytest.raises(UserError, match="Max retries exceeded\\); either") as error:
        load_labelled_texts("tfds:yelp_polarity_reviews")
    assert "\n" not in str(error.value)


def test_listed_sets_exist_with_text_and_class() -> None:
    lines = [
        line
        for definition in definitions()
        if definition.content == LABELLED_TEXTS
        for line in definition.listed_specs()
    ]
    assert lines
    for line in lines:
        kind, _, name = line.spec.partition(":")
        if kind != "tfds" or name == "NAME":
            continue
        features = tfds.builder(name).info.features.values()
        kinds = {type(feature) for feature in features}
        assert {tfds.features.Text, tfds.features.ClassLabel} <= kinds, name
