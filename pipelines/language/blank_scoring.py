"""How well blanks are filled: units of texts are left out and looked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ..core.serving_module import graph
from .blanks import CANDIDATES, FOLLOWING, Blanks, fit_weights_of_features
from .units import Units
from .vocabulary import BOUNDARY

# Units before a blank that are read.
_BEFORE = 200
# Units behind it, enough for either direction.
_BEHIND = 64
assert _BEHIND >= FOLLOWING


class Blank(NamedTuple):
    """A unit that is left out.

    Attributes:
        before, behind: The units around it.
        unit: That it is.
    """

    before: np.ndarray
    behind: np.ndarray
    unit: int


def draw_blanks(
    documents: Sequence[np.ndarray], units: Units, number: int, seed: int
) -> list[Blank]:
    """Units of documents, drawn without repetition, that could fill a blank."""
    begins = np.cumsum([0, *map(len, documents)])
    found = np.concatenate(
        [
            begin + np.flatnonzero(np.isin(document, units.fillers))
            for begin, document in zip(begins[:-1], documents, strict=True)
        ]
    )
    blanks = []
    for drawn in np.random.default_rng(seed).permutation(found)[:number]:
        row = int(np.searchsorted(begins, drawn, side="right")) - 1
        document, place = documents[row], int(drawn - begins[row])
        # What a text does not show cannot be looked at: its end.
        shown = len(document) - (document[-1] == BOUNDARY)
        blanks.append(
            Blank(
                document[max(0, place - _BEFORE) : place],
                document[place + 1 : min(shown, place + 1 + _BEHIND)],
                int(document[place]),
            )
        )
    return blanks


class Asked(NamedTuple):
    """What may fill a blank of which the unit is known.

    Attributes:
        ids: The candidates, `[K]`.
        features: As of `Candidates`, `[K, 4]`; -inf where one cannot be.
        unit: That stands there.
    """

    ids: np.ndarray
    features: np.ndarray
    unit: int


class BlankScorer:
    """Fills blanks of which the unit is known.

    Attributes:
        blanks: What fills in.

    Args:
        blanks: What fills in.
        units: Of the model.
    """

    def __init__(self, blanks: Blanks, units: Units):
        self.blanks = blanks
        self._can_be = tf.constant(np.isin(np.arange(units.size), units.fillers))
        ids = tf.TensorSpec([None], tf.int32)
        self._found = graph(self._candidates, [ids, ids])

    def ask(self, drawn: Sequence[Blank]) -> list[Asked]:
        """The candidates of each blank."""
        asked = []
        for blank in drawn:
            before = np.append([np.int32(BOUNDARY)], blank.before).astype(np.int32)
            behind = tf.constant(blank.behind, tf.int32)
            ids, features = self._found(tf.constant(before), behind)
            asked.append(Asked(ids.numpy(), features.numpy(), blank.unit))
        return asked

    def fit(self, drawn: Sequence[Blank]) -> np.ndarray:
        """The weights that make what stands there the likeliest; they are assigned."""
        asked = [each for each in self.ask(drawn) if each.unit in each.ids]
        weights = self.blanks.weights.numpy()
        if asked:
            weights = fit_weights_of_features(
                np.stack([each.features for each in asked]),
                np.array([np.flatnonzero(each.ids == each.unit)[0] for each in asked]),
            )
            self.blanks.weights.assign(weights)
        return weights

    def accuracy(self, drawn: Sequence[Blank]) -> dict[str, float]:
        """How often blanks are filled by what stood there."""
        return accuracy(self.ask(drawn), self.blanks.weights.numpy())

    def _candidates(
        self, before: tf.Tensor, behind: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        members = self.blanks.members
        state, _ = members.advance(
            members.begin(tf.constant(1)),
            before[None],
            tf.fill([1, tf.size(before)], True),
        )
        found = self.blanks.candidates(state, behind, self._can_be)
        return found.ids, tf.where(found.can_be[:, None], found.features, -np.inf)


def accuracy(asked: Sequence[Asked], weights: np.ndarray) -> dict[str, float]:
    """`blanks`, their number, and how often the unit is the best or one of five.

    Args:
        asked: The blanks.
        weights: Of the features.
    """
    places = []
    for ids, features, unit in asked:
        is_there = np.isfinite(features).all(axis=1)
        scores = np.where(is_there[:, None], features, 0.0) @ weights
        order = ids[np.argsort(np.where(is_there, -scores, np.inf), kind="stable")]
        place = np.flatnonzero(order == unit)
        places.append(int(place[0]) if len(place) else CANDIDATES)
    found = np.array(places)
    return {
        "blanks": len(found),
        "top_1": float((found < 1).mean()) if places else 0.0,
        "top_5": float((found < 5).mean()) if places else 0.0,
    }
