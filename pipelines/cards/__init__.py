"""What an exported model says of itself. Needs pydantic and NumPy alone.

It is the only part of the pipelines that the server imports.
"""

from .answers import (
    BLANK,
    Answer,
    AnyAnswer,
    CardVariable,
    ContinuationAnswer,
    ForecastAnswer,
    LabelsAnswer,
    LabelSetsAnswer,
    NumberAnswer,
    TextAnswer,
    unfilled_blank,
)
from .model_card import (
    CARD_FILE,
    CardError,
    ModelCard,
    TensorCard,
    parse_card,
    read_card,
)
from .reading_plan import ColumnFinding, Finding, ReadingPlan

__all__ = [
    "BLANK",
    "CARD_FILE",
    "Answer",
    "AnyAnswer",
    "CardError",
    "CardVariable",
    "ContinuationAnswer",
    "ColumnFinding",
    "Finding",
    "ForecastAnswer",
    "LabelSetsAnswer",
    "LabelsAnswer",
    "ModelCard",
    "NumberAnswer",
    "ReadingPlan",
    "TensorCard",
    "TextAnswer",
    "parse_card",
    "read_card",
    "unfilled_blank",
]
