"""Which pairs are trained on, as a section of a configuration. Imports nothing slow."""

from typing import Literal

from pydantic import Field

from ...core.configuration import Config

Duplicates = Literal["keep", "pairs", "sources"]


class PairRulesConfig(Config):
    """Which pairs are not trained on. Validation and test pairs all stay."""

    min_characters: int = Field(1, ge=1, description="that each side has")
    max_characters: int = Field(1_000, ge=1, description="that each side has")
    max_length_ratio: float = Field(
        3.0,
        gt=1,
        description="how many times longer or shorter than usual of these languages "
        "the target is for its source, 10 characters added to both",
    )
    drop_identical: bool = Field(True, description="pairs whose sides are equal")
    duplicates: Duplicates = Field(
        "pairs", description="dropped after the first: equal pairs, or equal sources"
    )
    seen_in_evaluation: Duplicates = Field(
        "pairs",
        description="dropped: pairs, or sources, that validation or test have too, "
        "case aside",
    )
