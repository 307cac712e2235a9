"""Reviews with their stars: texts whose labels are numbers."""

from dataclasses import replace

import numpy as np

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.texts.labelled_texts import (
    LabelledTexts,
    load_labelled_texts,
)

from .config import StarsDataConfig


def load_reviews(
    data: StarsDataConfig, seed: int, only_test: bool = False
) -> LabelledTexts:
    """The reviews, with splits carved; or, for a test, with every row in it.

    Raises:
        UserError: They cannot be read, or a label is no number.
    """
    reviews = load_labelled_texts(
        data.spec,
        text_column=data.text_column,
        label_column=data.stars_column,
        validation_fraction=0 if only_test else data.validation_fraction,
        test_fraction=0 if only_test else data.test_fraction,
        seed=seed,
    )
    try:
        [float(name) for name in reviews.classes]
    except ValueError as error:
        raise UserError(f"{data.spec}, {data.stars_column}: {error}") from None
    if only_test:
        test = reviews.splits.get("test", reviews.splits["train"])
        reviews = replace(reviews, splits={"test": test})
    return reviews


def rows_of(reviews: LabelledTexts, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The texts and the stars of a split, `[N]` each."""
    stars = np.array([float(name) for name in reviews.classes], np.float32)
    rows = reviews.splits[split]
    return np.asarray(rows.texts), stars[rows.labels]
