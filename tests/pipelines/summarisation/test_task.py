"""Articles from users' files, baselines, and a run on a few generated articles."""

import json

import pandas
import pytest

pytest.importorskip("rouge_score")
pytest.importorskip("tensorflow_text")

from recurra.pipelines import train  # noqa: E402
from recurra.pipelines.core.configuration import make_configuration  # noqa: E402
from recurra.pipelines.core.errors import UserError  # noqa: E402
from recurra.pipelines.samples.news import sample_news  # noqa: E402
from recurra.pipelines.summarisation.baselines import LeadBaseline  # noqa: E402
from recurra.pipelines.summarisation.config import SummarisationConfig  # noqa: E402
from recurra.pipelines.summarisation.task import SummarisationTask  # noqa: E402

ARTICLES, SUMMARIES = sample_news(60)["train"]
SMALL = [
    *("subwords.vocabulary_size=380", "subwords.max_source_pieces=30"),
    *("model.embedding_size=8", "model.encoder_units=6", "model.decoder_units=8"),
    *("model.attention_units=5", "decoding.beam_size=1", "training.epochs=1"),
]


def load(spec, **data):
    values = {"spec": str(spec), "max_bad_fraction": 0.5, **data}
    return SummarisationTask.load(
        make_configuration(SummarisationConfig, [("test", {"data": values})])
    )


@pytest.mark.parametrize(
    "names",
    [
        ("article", "summary"),
        ("document", "headline"),
        ("text", "title"),
        ("Article", "Highlights"),
        ("dialogue", "summary"),
    ],
)
def test_columns_are_found_by_their_usual_names(tmp_path, names, caplog):
    frame = pandas.DataFrame(
        {"id": range(len(ARTICLES)), names[1]: SUMMARIES, names[0]: ARTICLES}
    )
    frame.to_csv(tmp_path / "news.csv", index=False)
    data = load(tmp_path / "news.csv")
    texts = [text for split in data.splits.values() for text in split.source]
    assert sorted(texts) == sorted(ARTICLES)
    assert "longer than the articles" not in caplog.text


def test_summaries_that_are_longer_than_articles_are_told(tmp_path, caplog):
    frame = pandas.DataFrame({"a": SUMMARIES, "b": ARTICLES})
    frame.to_csv(tmp_path / "news.csv", index=False)
    load(tmp_path / "news.csv")
    assert "is longer than the articles" in caplog.text
    load(tmp_path / "news.csv", source_column="b", target_column="a")
    assert caplog.text.count("is longer than the articles") == 1


def test_lines_of_json_and_parallel_files_are_read(tmp_path):
    rows = [
        {"document": article, "summary": summary}
        for article, summary in zip(ARTICLES, SUMMARIES, strict=True)
    ]
    (tmp_path / "news.jsonl").write_text("\n".join(map(json.dumps, rows)))
    folder = tmp_path / "corpus"
    folder.mkdir()
    for ending, texts in (("article", ARTICLES), ("summary", SUMMARIES)):
        (folder / f"train.{ending}").write_text("\n".join(texts))
    for spec in (tmp_path / "news.jsonl", folder):
        data = load(spec)
        assert sum(map(len, data.splits.values())) == len(ARTICLES)


def test_the_lead_is_the_first_sentences():
    text = "It rained. Mr. Bell of Oak Inc. came at 5.30 p.m. on foot. He left! Why?"
    assert LeadBaseline(1, " ").summarise([text, "", "no end"]) == [
        "It rained.", "", "no end",
    ]  # fmt: skip
    assert LeadBaseline(3, " ").summarise([text])[0].endswith("He left!")
    assert LeadBaseline(1, "").summarise(["火灾。两人受伤。"]) == ["火灾。"]


def test_names_of_the_test_stand_in_no_other_split():
    splits = sample_news(400)
    words = {
        split: {word.strip(".,") for text in texts for word in text.split()}
        for split, (texts, _) in splits.items()
    }
    names = {word for word in words["test"] - words["train"] if word[:1].isupper()}
    assert len(names) > 20
    # A summary says nothing that is not in its article, but for the verb.
    for article, summary in zip(*splits["test"], strict=True):
        capitals = {
            word.strip(",") for word in summary.split()[1:] if word[0].isupper()
        }
        assert all(word in article for word in capitals)


def test_a_run_is_measured_beside_the_leads(tmp_path):
    run = train("summarisation", "sample:60", run=tmp_path / "run", settings=SMALL)
    metrics = run.metrics
    assert {"rouge1", "rouge2", "rougeL"} <= metrics["model"].keys()
    assert set(metrics["baselines"]) == {"lead_1", "lead_3"}
    assert metrics["length_ratio"]["lead_3"] > metrics["length_ratio"]["lead_1"] > 1
    predictions = pandas.read_csv(run.predictions_file, keep_default_na=False)
    assert {"source", "reference", "summary", "rougeL"} <= set(predictions.columns)


def test_a_text_of_which_the_end_is_not_read_is_not_parted():
    with pytest.raises(UserError, match="max_source_pieces needs decoding.split"):
        make_configuration(
            SummarisationConfig, [("test", {"decoding": {"split": "lines"}})]
        )
