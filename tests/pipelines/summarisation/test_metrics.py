"""ROUGE against the package rouge-score, and against counts by hand."""

import numpy as np
import pytest

pytest.importorskip("rouge_score")

from rouge_score.rouge_scorer import RougeScorer  # noqa: E402
from rouge_score.scoring import BootstrapAggregator  # noqa: E402

from recurra.pipelines.summarisation.metrics import SummaryMeasures  # noqa: E402

REFERENCES = ["Fire at Oakley mill, two hurt", "Ash beat Oak 3 to 1", "Nothing"]
SUMMARIES = ["Two hurt in fire of the Oakley mills", "Oak beat Ash 3 to 1", ""]


def scores(language, summaries, references):
    measures = SummaryMeasures(language)
    return measures.scores(measures.count(summaries, references))


def test_english_scores_are_those_of_rouge_score():
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    aggregator = BootstrapAggregator()
    for reference, summary in zip(REFERENCES, SUMMARIES, strict=True):
        aggregator.add_scores(scorer.score(reference, summary))
    found = scores("en-GB", SUMMARIES, [REFERENCES])
    for kind, score in aggregator.aggregate().items():
        # Its middle is a mean over resamples.
        assert found[kind] == pytest.approx(100 * score.mid.fmeasure, abs=2)
        of_texts = [
            scorer.score(reference, summary)[kind].fmeasure
            for reference, summary in zip(REFERENCES, SUMMARIES, strict=True)
        ]
        assert found[kind] == pytest.approx(100 * np.mean(of_texts))
    assert found["exact_match"] == 0


def test_scores_by_hand():
    # Of three and four words two are shared, in their order; and one pair of words.
    found = scores("de", ["Der Zug hält"], [["der Zug steht heute"]])
    assert found["rouge1"] == pytest.approx(
        100 * 2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4)
    )
    assert found["rouge2"] == pytest.approx(
        100 * 2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3)
    )
    assert found["rougeL"] == found["rouge1"]


@pytest.mark.parametrize(
    ("language", "text"),
    [("ru", "Пожар в городе, двое ранены"), ("zh", "火灾两人受伤"), ("el", "Φωτιά")],
)
def test_letters_of_other_scripts_count(language, text):
    assert scores(language, [text], [[text]])["rouge1"] == 100
    assert scores(language, ["abc"], [[text]])["rouge1"] == 0


def test_of_several_references_the_nearest_counts():
    streams = [["a b c d", "x"], ["a b", None]]
    found = scores("de", ["a b", "x"], streams)
    assert (found["rouge1"], found["exact_match"]) == (100, 1)


def test_details_say_how_long_summaries_are():
    measures = SummaryMeasures("en")
    counts = {"model": measures.count(["a b c", "d"], [["a b", "d e"]])}
    details = measures.details([["a b", "d e"]], counts)
    assert details["length_ratio"] == {"model": 1.0}
    assert "stemmed English" in details["signature"]
