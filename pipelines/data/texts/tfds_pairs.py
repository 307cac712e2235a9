"""Sentence pairs of tensorflow-datasets."""

from collections.abc import Iterator
from typing import Any

from ...core.errors import UserError
from ..sources import Spec
from ..splits import refuse_split_column, split_of_name
from .languages import find_languages
from .pair_rows import PairRows, PairSource, Sides, add_pair
from .tfds_texts import fetch, find_builder

_BATCH = 1024


def read_tfds_pairs(spec: Spec, sides: Sides) -> PairSource:
    """Loads a set of sentence pairs, downloading it the first time.

    Of a set in which not every example is in every language, those are taken that are
    in both.

    Args:
        spec: its argument as tensorflow-datasets takes it:
            ``ted_hrlr_translate/pt_to_en``.
        sides: the languages to take.

    Raises:
        UserError: there is no such set or configuration (the message names the nearest
            ones), it does not have the two languages, or it cannot be fetched.
    """
    import tensorflow_datasets as tfds

    refuse_split_column(sides.plan, str(spec))
    name = spec.argument
    if not name:
        raise UserError(f"{spec}: name a set of tensorflow-datasets, as in tfds:NAME")
    builder = find_builder(name)
    features = builder.info.features
    # Of a set in any number of languages one feature holds the texts of all of them.
    variable = next(
        (key for key, feature in features.items() if hasattr(feature, "languages")),
        None,
    )
    known = list(features if variable is None else features[variable].languages)
    found = [
        side or next((name for name in usual if name in known), None)
        for side, usual in zip(
            find_languages(known, sides.source, sides.target),
            sides.columns if variable is None else ((), ()),
            strict=True,
        )
    ]
    names = [
        _checked(name, known, *each)
        for each in zip(found, (sides.source, sides.target), strict=True)
    ]
    if variable is None and not all(
        isinstance(features[language], tfds.features.Text) for language in names
    ):
        raise UserError(f"tfds:{name}: {' or '.join(names)} is no text")
    fetch(builder, name)
    pairs = PairSource()
    for tfds_split in builder.info.splits:
        split = split_of_name(tfds_split)
        if split is None:
            continue
        rows = pairs.splits.setdefault(split, PairRows())
        examples = _examples(builder, tfds_split, variable, names)
        for line, pair in enumerate(examples, start=1):
            add_pair(rows, pairs.bad_rows, *pair, (f"{spec}/{tfds_split}", line))
    return pairs


def _checked(name: str, known: list[str], found: str | None, language: str) -> str:
    if found is None:
        raise UserError(
            f"tfds:{name}: has no texts in {language!r}; it has "
            f"{', '.join(sorted(known)[:60])}; choose by --source and --target"
        )
    return found


def _examples(
    builder: Any, split: str, variable: str | None, names: list[str]
) -> Iterator[tuple[str, str]]:
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def pair(example: Any) -> tuple[Any, ...]:
        if variable is None:
            return tuple(example[name] for name in names)
        versions = dict(example[variable])
        languages = versions.pop("language")
        (texts,) = versions.values()
        return tuple(
            tf.strings.reduce_join(tf.boolean_mask(texts, languages == name))
            for name in names
        )

    # Other features may be of any shape; only these two are batched.
    examples = builder.as_dataset(split=split).map(pair)
    for batch in tfds.as_numpy(examples.batch(_BATCH)):
        for source, target in zip(*batch, strict=True):
            if variable is None or (source and target):
                yield _decoded(source), _decoded(target)


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", errors="replace")
