"""The answer pages of the server's page. Needs the packages of the extra web."""

from collections.abc import Sequence

from ..serving.ui.answer_page import AnswerPage
from .continuation_page import ContinuationPage
from .forecast_page import ForecastPage
from .label_sets_page import LabelSetsPage
from .labels_page import LabelsPage
from .number_page import NumberPage
from .text_page import TextPage


def make_pages() -> Sequence[AnswerPage]:
    """A page for each kind of answer, to be built once."""
    return (
        LabelsPage(),
        LabelSetsPage(),
        NumberPage(),
        TextPage(),
        ContinuationPage(),
        ForecastPage(),
    )
