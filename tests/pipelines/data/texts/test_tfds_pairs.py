"""Translation sets of tensorflow-datasets, with mocked content."""

import pytest

pytest.importorskip("tensorflow")
import tensorflow as tf  # noqa: E402
import tensorflow_datasets as tfds  # noqa: E402

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.texts.sentence_pairs import load_sentence_pairs

EXAMPLES = 30
PLAIN = "ted_hrlr_translate/pt_to_en"
# Not every example is in every language.
VARIABLE = "ted_multi_translate"


def mocked_examples(builder, split, **_):
    """Texts that name their language, split and number; every third has no German."""
    if builder.name == PLAIN.partition("/")[0]:
        return tf.data.Dataset.range(EXAMPLES).map(
            lambda number: {
                language: language + f" {split} " + tf.strings.as_string(number)
                for language in ("pt", "en")
            }
        )

    def translations(number):
        languages = tf.where(
            number % 3 == 0, tf.constant(["en", "fr"]), tf.constant(["de", "en"])
        )
        texts = languages + f" {split} " + tf.strings.as_string(number)
        return {"translations": {"language": languages, "translation": texts}}

    return tf.data.Dataset.range(EXAMPLES).map(translations)


@pytest.fixture
def mocked(tmp_path, write_tfds_info):
    splits = ["train", "validation", "test"]
    write_tfds_info(tmp_path, PLAIN, "1.0.0", splits, EXAMPLES)
    write_tfds_info(tmp_path, VARIABLE, "1.1.0", splits, EXAMPLES)
    with tfds.testing.mock_data(data_dir=str(tmp_path), as_dataset_fn=mocked_examples):
        yield


def test_a_set_of_two_languages_in_either_direction(mocked):
    for source, target in (("pt", "en"), ("en", "pt-BR")):
        pairs = load_sentence_pairs(f"tfds:{PLAIN}", source=source, target=target)
        assert {name: len(split) for name, split in pairs.splits.items()} == {
            "train": EXAMPLES,
            "validation": EXAMPLES,
            "test": EXAMPLES,
        }
        test = pairs.splits["test"]
        assert test.source[7] == f"{source} test 7"
        assert test.target[7] == f"{target[:2]} test 7"


def test_of_a_set_in_many_languages_what_is_in_both(mocked):
    pairs = load_sentence_pairs(f"tfds:{VARIABLE}", source="en", target="de")
    numbers = [number for number in range(EXAMPLES) if number % 3]
    test = pairs.splits["test"]
    assert test.source.tolist() == [f"en test {number}" for number in numbers]
    assert test.target.tolist() == [f"de test {number}" for number in numbers]


def test_languages_that_are_not_there_are_named(mocked):
    with pytest.raises(UserError, match="no texts in 'de'; it has en, pt; choose by"):
        load_sentence_pairs(f"tfds:{PLAIN}", source="en", target="de")
