"""Translation sets of tensorflow-datasets, and what `data list` lists of them."""

from typing import Any

from ..errors import UserError
from .languages import find_language
from .specs import DataSpec
from .tfds_texts import fetch, find_builder

_BATCH = 1024

#: Specs of sentence pairs. Any other tfds set with the two languages works as well.
PAIR_SPECS = (
    DataSpec("sample", "embedded: 18,000 generated English-German pairs, own splits"),
    DataSpec("FOLDER", "your train.en, train.de, val.*, test*.*, each also .gz"),
    DataSpec("FOLDER", "your train, validation and test tables in one folder"),
    DataSpec("FILE", "your .tsv, .txt, .csv, .jsonl, .tmx (each also .gz), .parquet"),
    DataSpec("tfds:ted_hrlr_translate/pt_to_en", "55,000 pairs of talks"),
    DataSpec("tfds:ted_multi_translate", "talks in 59 languages, any two of them"),
    DataSpec("tfds:wmt14_translate/de-en", "4.5 million pairs of parliament and news"),
    DataSpec("tfds:wmt16_translate/ro-en", "610,000 pairs of parliament and news"),
    DataSpec("tfds:para_crawl/ende", "16 million pairs of the web"),
    DataSpec("tfds:NAME", "any translation set of tensorflow-datasets"),
)


def read_tfds_pairs(
    name: str, *, source: str, target: str
) -> dict[str, tuple[list[str], list[str]]]:
    """Loads a translation set, downloading it the first time.

    Args:
        name: as tensorflow-datasets takes it: ``ted_hrlr_translate/pt_to_en``.
        source, target: its languages to take.

    Returns:
        For each of tfds's own split names the sources and the targets. Of a set in
        which not every example is in every language, those that are in both.

    Raises:
        UserError: there is no such set or configuration (the message names the nearest
            ones), it does not have the two languages, or it cannot be fetched.
    """
    import tensorflow_datasets as tfds

    builder = find_builder(name)
    features = builder.info.features
    variable = [
        key
        for key, feature in features.items()
        if isinstance(feature, tfds.features.TranslationVariableLanguages)
    ]
    known = list(features[variable[0]].languages if variable else features)
    names = [_found(name, known, source), _found(name, known, target)]
    if not variable and not all(
        isinstance(features[each], tfds.features.Text) for each in names
    ):
        raise UserError(f"tfds:{name}: {' or '.join(names)} is no text")
    fetch(builder, name)
    key = variable[0] if variable else None
    return {
        split: _read_split(builder, split, key, names) for split in builder.info.splits
    }


def _found(name: str, known: list[str], language: str) -> str:
    found = find_language(known, language)
    if found is None:
        raise UserError(
            f"tfds:{name}: has no texts in {language!r}; it has "
            f"{', '.join(sorted(known)[:60])}; choose by --source and --target"
        )
    return found


def _read_split(
    builder: Any, split: str, variable: str | None, names: list[str]
) -> tuple[list[str], list[str]]:
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def pair(example: Any) -> tuple[Any, ...]:
        if variable is None:
            return tuple(example[name] for name in names)
        versions = example[variable]
        return tuple(
            tf.strings.reduce_join(
                tf.boolean_mask(versions["translation"], versions["language"] == name)
            )
            for name in names
        )

    # Other features may be of any shape; only these two are batched.
    examples = builder.as_dataset(split=split).map(pair)
    sides: tuple[list[str], list[str]] = ([], [])
    for batch in tfds.as_numpy(examples.batch(_BATCH)):
        for side, texts in zip(sides, batch, strict=True):
            side += [text.decode("utf-8", errors="replace") for text in texts]
    if variable is None:
        return sides
    both = [pair for pair in zip(*sides, strict=True) if all(pair)]
    return [pair[0] for pair in both], [pair[1] for pair in both]
