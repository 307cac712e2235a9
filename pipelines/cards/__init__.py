"""What an exported model says of itself. Needs pydantic and NumPy alone.

It is the only part of the pipelines that the server imports.
"""

from .answers import (
    Answer,
    AnyAnswer,
    CardVariable,
    ForecastAnswer,
    LabelsAnswer,
    NumberAnswer,
    TextAnswer,
)
from .model_card import (
    CARD_FILE,
    CardError,
    ModelCard,
    TensorCard,
    parse_card,
    read_card,
)

__all__ = [
    "CARD_FILE",
    "Answer",
    "AnyAnswer",
    "CardError",
    "CardVariable",
    "ForecastAnswer",
    "LabelsAnswer",
    "ModelCard",
    "NumberAnswer",
    "TensorCard",
    "TextAnswer",
    "parse_card",
    "read_card",
]
