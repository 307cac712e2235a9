"""What decides how a file is read: the user, training, or the file, in this order."""

import pytest

from recurra.pipelines.cards import ReadingPlan
from recurra.pipelines.data.reading import Decision, PlanBuilder

KEPT = ReadingPlan.model_validate(
    {"findings": [{"key": "delimiter", "value": ";", "evidence": "the header"}]}
)
COMMA = Decision(",", "3 in the header", alternative="; stands there once")


def test_the_file_decides_where_nothing_else_does():
    builder = PlanBuilder({"delimiter": None})
    assert builder.decide("delimiter", lambda: COMMA) == ","
    (finding,) = builder.plan().findings
    assert finding.evidence == "3 in the header"
    assert finding.alternative == "; stands there once"
    assert builder.plan().values() == {"delimiter": ","}


def test_what_is_given_stands():
    builder = PlanBuilder({"delimiter": "|"}, KEPT)
    assert builder.decide("delimiter", lambda: pytest.fail("asked the file")) == "|"
    assert builder.plan().findings[0].evidence == "given"


def test_what_training_found_stands_where_it_fits():
    builder = PlanBuilder({}, KEPT)
    assert builder.decide("delimiter", lambda: pytest.fail("asked the file")) == ";"
    assert not builder.plan().warnings


def test_a_contradiction_is_said_once_and_the_file_decides(caplog):
    builder = PlanBuilder({}, KEPT)
    for _ in range(2):
        value = builder.decide(
            "delimiter", lambda: COMMA, fits=lambda value: False, file="new.csv"
        )
        assert value == ","
    (line,) = builder.plan().warnings
    assert line == (
        "new.csv: data.delimiter is ',' here (3 in the header) and ';' in training"
    )
    assert [record.message for record in caplog.records] == [line]


def test_the_first_file_decides_for_later_data():
    builder = PlanBuilder()
    builder.decide("delimiter", lambda: COMMA)
    assert builder.decide("delimiter", lambda: Decision(";", "the header")) == ";"
    assert builder.plan().values() == {"delimiter": ","}


def test_the_last_word_on_a_column_stands():
    builder = PlanBuilder()
    builder.column("T", "variable", "numbers")
    builder.column("T", "ignored", "text")
    (column,) = builder.plan().columns
    assert column.role == "ignored"
