"""The evaluation of translations and its report, whatever script they are in."""

import json
import re

import numpy as np
import pandas
import pytest

from recurra.pipelines.datasets.sentence_pairs import load_sentence_pairs
from recurra.pipelines.task import TaskSection
from recurra.pipelines.translation.baselines import fit_baselines
from recurra.pipelines.translation.config import SubwordsSection
from recurra.pipelines.translation.diagnostics import (
    Attention,
    count_ngrams,
    describe_subwords,
)
from recurra.pipelines.translation.metrics import (
    bootstrap_intervals,
    translation_metrics,
)
from recurra.pipelines.translation.results import make_evaluation
from recurra.pipelines.translation.subwords import Subwords, learn_subwords
from recurra.pipelines.translation.words import count_words

SCRIPT = "<script>alert(1)</script>"
HISTORY = pandas.DataFrame(
    {
        "epoch": [1, 2, 3],
        "seconds": [10.0, 9.0, 8.0],
        "loss": [3.0, 2.0, 1.0],
        "val_loss": [3.1, 2.2, 1.9],
        "val_bleu": [5.0, 20.0, 30.0],
    }
)

pytestmark = pytest.mark.filterwarnings("error:.*:UserWarning")


@pytest.fixture(scope="module")
def sample():
    return load_sentence_pairs("sample:900", source="en", target="de")


def attention(source, target):
    weights = np.full((len(target), len(source)), 1 / len(source), np.float32)
    return Attention(source, target, weights)


def evaluate(data, split="test", translate=None, **options):
    """Of a model that says the reference but for its last word."""
    pairs = data.splits[split]
    translate = translate or (lambda text: text.rpartition(" ")[0])
    systems = {"model": [translate(text) for text in pairs.target]}
    if "train" in data.splits:
        baselines = fit_baselines(data.splits["train"], 0)
        for name, baseline in baselines.items():
            systems[name] = baseline.translate(pairs.source.tolist())
    options = {
        "perplexity": 3.5,
        "scores": [-0.5] * len(pairs),
        "attentions": [attention(["▁A", "▁b", "</s>"], ["▁X", "</s>"])] * 3,
        "configuration": TaskSection(),
        "history": HISTORY,
        "facts": {},
    } | options
    return make_evaluation(systems, data, split, **options)


def page_of(evaluation, directory):
    evaluation.write_report(directory)
    return (directory / "report.html").read_text(encoding="utf-8")


def headings(page):
    return re.findall(r"<h2[^>]*>([^<]*)</h2>", page)


def test_evaluation_has_the_metrics_of_each_system(sample):
    evaluation = evaluate(sample)
    pairs = sample.splits["test"]
    said = [text.rpartition(" ")[0] for text in pairs.target]
    own = translation_metrics(said, [pairs.target.tolist()], "de")
    assert evaluation.model == own | {"perplexity": 3.5}
    assert list(evaluation.baselines) == ["copy", "lexicon"]
    for scores in evaluation.baselines.values():
        assert scores.keys() == own.keys()
    intervals = bootstrap_intervals(said, [pairs.target.tolist()], "de", seed=0)
    assert evaluation.further["intervals"]["model"] == intervals


def test_evaluation_is_json_as_every_task_has_it(sample):
    told = json.loads(json.dumps(evaluate(sample).as_json("translation")))
    assert list(told)[:5] == ["task", "data", "split", "model", "baselines"]
    assert (told["data"], told["split"], told["pairs"]) == ("sample:900", "test", 50)
    assert "case:mixed" in told["signatures"]["bleu"]
    assert sum(part["pairs"] for part in told["bleu_by_length"]) == 50
    assert told["bleu_details"]["model"]["length_ratio"] < 1
    assert told["checks"]["found"]["test"]["empty side"] == 0


def test_predictions_are_the_rows_of_the_split(sample):
    predictions = evaluate(sample).predictions
    assert list(predictions) == [
        "source", "reference", "translation", "score", "bleu", "chrf",
    ]  # fmt: skip
    assert predictions["source"].tolist() == sample.splits["test"].source.tolist()
    assert predictions["score"].tolist() == [-0.5] * 50


def test_report_has_every_section_and_needs_no_other_file(sample, tmp_path):
    facts = {"padded share": 0.07, "subwords": {"source": {"vocabulary": 900}}}
    page = page_of(evaluate(sample, facts=facts), tmp_path)
    assert headings(page) == [
        "Results",
        "By length of the source",
        "Samples",
        "Attention",
        "Worst sentences",
        "Words said too often and too seldom",
        "Training",
        "Data",
        "Configuration",
    ]
    assert "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp" in page
    assert "Word by word (IBM model 1)" in page
    assert "subwords.source.vocabulary" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    names = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert names == {
        "bleu_by_length",
        "attention_1",
        "attention_2",
        "attention_3",
        "learning_curve_loss",
        "learning_curve_bleu",
        "sentence_lengths",
    }


def test_summary_tells_model_interval_and_best_baseline(sample, tmp_path):
    evaluation = evaluate(sample)
    page = page_of(evaluation, tmp_path)
    own = evaluation.model["bleu"]
    best = evaluation.baselines["lexicon"]["bleu"]
    (summary,) = re.findall(r'<p class="summary">([^<]*)</p>', page)
    assert f"On 50 pairs (test of sample:900) the model has {own:.1f} BLEU" in summary
    assert f"has {best:.1f}: {own - best:.1f} points above it" in summary


def test_the_worst_sentence_stands_first(sample, tmp_path):
    target = sample.splits["test"].target
    page = page_of(
        evaluate(sample, translate=lambda text: "###" if text == target[7] else text),
        tmp_path,
    )
    worst = page.partition("Worst sentences</h2>")[2]
    line = re.search(r'<p class="line">([^<]*)</p>', worst)[1]
    assert line == "Row 8: chrF 0.0, BLEU 0.0, score -0.500"
    assert "Translation: ###" in worst


def test_small_test_data_alone_in_other_scripts(tmp_path):
    (tmp_path / "test.ar").write_text(f"الكلب نائم\n{SCRIPT}\n", encoding="utf-8")
    (tmp_path / "test.zh").write_text("狗在睡觉。\n\n", encoding="utf-8")
    (tmp_path / "train.ar").write_text("a\nb\n", encoding="utf-8")
    (tmp_path / "train.zh").write_text("一\n二\n", encoding="utf-8")
    data = load_sentence_pairs(
        str(tmp_path), source="ar", target="zh", validation_share=0
    )
    del data.splits["train"]
    attentions = [
        attention(["▁الكلب", "▁$x_1$", "</s>"], ["狗", "</s>"]),
        Attention([], ["</s>"], np.zeros((1, 0), np.float32)),
    ]
    page = page_of(
        evaluate(data, attentions=attentions, history=None, translate=str),
        tmp_path / "run",
    )
    assert SCRIPT not in page
    assert "tok:zh" in page
    assert "Training" not in headings(page)
    names = {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
    assert names == {"bleu_by_length", "attention_1", "sentence_lengths"}


def test_long_attention_is_drawn_only_where_there_is_no_other(sample, tmp_path):
    long = attention([f"▁{number}" for number in range(60)], ["</s>"] * 50)
    short = attention(["▁a", "</s>"], ["▁b", "</s>"])
    page_of(evaluate(sample, attentions=[long, short]), tmp_path / "both")
    assert not (tmp_path / "both/figures/attention_1.png").exists()
    assert (tmp_path / "both/figures/attention_2.png").exists()
    page_of(evaluate(sample, attentions=[long, long]), tmp_path / "long")
    assert (tmp_path / "long/figures/attention_1.png").exists()
    assert not (tmp_path / "long/figures/attention_2.png").exists()


def test_bad_rows_and_what_was_left_out_are_told(tmp_path):
    lines = [f"sentence {n}\tSatz {n}" for n in range(30)]
    lines += ["same\tsame", "no tab", "\tleer", lines[0]]
    (tmp_path / "a.tsv").write_text("\n".join(lines), encoding="utf-8")
    data = load_sentence_pairs(
        str(tmp_path / "a.tsv"),
        source="en",
        target="de",
        test_share=0.2,
        max_bad_share=0.5,
    )
    page = page_of(evaluate(data), tmp_path / "run")
    assert "Rows that could not be used: 1" in page
    assert "line 32: no tab in it" in page
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
    assert "Identical sides 1" in text
    assert "Empty side 1" in text
    assert "Duplicates 1" in text


def test_ngrams_are_counted_from_too_often_to_too_seldom():
    counts = count_ngrams(["a a b", "a."], ["a b c", "a."], "en")
    assert [(each.ngram, each.surplus) for each in counts if each.surplus] == [
        ("a", 1),
        ("a a", 1),
        ("b c", -1),
        ("c", -1),
    ]
    assert next(each for each in counts if each.ngram == "a .").references == 1


def test_subwords_are_described(sample, tmp_path):
    train = sample.splits["train"]
    section = SubwordsSection(vocabulary_size=600)
    learn_subwords(section, train.source, train.target, tmp_path, 0)
    subwords = Subwords(tmp_path)
    described = describe_subwords(subwords, sample.splits["test"])
    assert described["source"]["vocabulary"] == subwords.source.vocabulary_size
    pieces = subwords.target.encode(sample.splits["test"].target.tolist())
    assert described["target"]["pieces"]["100"] == int(max(pieces.row_lengths()))
    words = sum(map(count_words, sample.splits["test"].target))
    ratio = len(pieces.flat_values) / words
    assert described["target"]["pieces_per_word"] == pytest.approx(ratio)
    assert described["source"]["spelt_share"] == 0
