"""The result of an evaluation and its report, whatever script they are in."""

import json
import re

import numpy as np
import pandas
import pytest

pytest.importorskip("tensorflow_text")

from recurra.pipelines.core.optional import collect_failures  # noqa: E402
from recurra.pipelines.core.task_config import TaskConfig  # noqa: E402
from recurra.pipelines.data.texts.sentence_pairs import (  # noqa: E402
    load_sentence_pairs,
)
from recurra.pipelines.reporting.frame import write_report  # noqa: E402
from recurra.pipelines.sequence_to_sequence.generator import Alignment  # noqa: E402
from recurra.pipelines.sequence_to_sequence.report import (  # noqa: E402
    SequenceToSequenceResult,
    Wording,
)
from recurra.pipelines.translation.baselines import fit_baselines  # noqa: E402
from recurra.pipelines.translation.metrics import TranslationMeasures  # noqa: E402
from recurra.pipelines.translation.task import BASELINE_NAMES  # noqa: E402

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
WORDING = Wording("Translation", "translation", "translations", BASELINE_NAMES)
SUBWORDS = {"source": {"vocabulary": 900}}

pytestmark = pytest.mark.filterwarnings("error:.*:UserWarning")


@pytest.fixture(scope="module")
def sample():
    return load_sentence_pairs("sample:900", source="en", target="de")


def without_the_last_word(text):
    return text.rpartition(" ")[0]


def alignment(source, target):
    weights = np.full((len(target), len(source)), 1 / len(source), np.float32)
    return Alignment(source, target, weights)


SHORT = alignment(["▁A", "▁b", "</s>"], ["▁X", "</s>"])


def evaluate(
    data, translate=without_the_last_word, alignments=(SHORT,) * 3, measure="bleu"
):
    """Of a model that gives the reference, changed."""
    pairs = data.splits["test"]
    baselines = {}
    if "train" in data.splits:
        baselines = {
            name: baseline.translate(pairs.source.tolist())
            for name, baseline in fit_baselines(data.splits["train"], 0).items()
        }
    return SequenceToSequenceResult(
        data,
        "test",
        WORDING,
        TranslationMeasures(data.target),
        pairs.source.tolist(),
        [[target] for target in pairs.target],
        [translate(text) for text in pairs.target],
        baselines,
        scores=[-0.5] * len(pairs),
        perplexity=3.5,
        align=lambda: alignments,
        describe_subwords=lambda: SUBWORDS,
        padded_fraction=0.07,
        seed=0,
        measure=measure,
    )


def page_of(result, folder, history=HISTORY):
    folder.mkdir(exist_ok=True)
    if history is not None:
        history.to_csv(folder / "history.csv", index=False)
    write_report(result, folder, TaskConfig(), folder / "history.csv")
    return (folder / "report.html").read_text(encoding="utf-8")


def headings(page):
    return re.findall(r"<h2[^>]*>([^<]*)</h2>", page)


def test_the_summary_names_the_measure_that_chose(sample):
    result = evaluate(sample, measure="wer")
    errors, copied = (
        100 * scores["wer"] for scores in (result.model, result.baselines["copy"])
    )
    summary = result.report_content().summary
    assert f"has {errors:.1f} % word errors" in summary
    assert errors < copied
    assert summary.endswith("points below it.")
    # It is no metric of the table.
    assert "BLEU" in evaluate(sample, measure="val_loss").report_content().summary


def test_a_result_has_the_metrics_of_each_system(sample):
    result = evaluate(sample)
    pairs = sample.splits["test"]
    said = [without_the_last_word(text) for text in pairs.target]
    measures = TranslationMeasures("de")
    counts = measures.count(said, [pairs.target.tolist()])
    expected = measures.scores(counts)
    assert result.model == expected | {"perplexity": 3.5}
    assert list(result.baselines) == ["copy", "lexicon"]
    for scores in result.baselines.values():
        assert scores.keys() == expected.keys()
    intervals = measures.intervals({"model": counts}, seed=0)["model"]
    for name, interval in result.intervals["model"].items():
        assert interval == pytest.approx(intervals[name])


def test_metrics_alone_ask_for_nothing_else(sample):
    def ask():
        raise AssertionError("computed for metrics alone")

    result = evaluate(sample)
    result.align = result._describe_subwords = ask
    result.metrics()
    lazy = {"intervals", "of_measures", "by_length", "subwords"}
    assert not lazy & vars(result).keys()


def test_a_result_is_json_as_every_task_has_it(sample):
    values = json.loads(json.dumps(evaluate(sample).as_json("translation")))
    assert list(values)[:5] == ["task", "data", "split", "model", "baselines"]
    assert (values["data"], values["split"]) == ("sample:900", "test")
    assert values["pairs"] == 50
    assert "case:mixed" in values["signatures"]["bleu"]
    assert sum(part["pairs"] for part in values["bleu_by_length"]) == 50
    assert values["bleu_details"]["model"]["length_ratio"] < 1
    assert values["checks"]["found"]["test"]["empty side"] == 0
    assert values["subwords"] == SUBWORDS


def test_predictions_are_the_rows_of_the_split(sample):
    predictions = evaluate(sample).predictions()
    assert list(predictions) == [
        "source", "reference", "translation", "score", "bleu", "chrf",
    ]  # fmt: skip
    assert predictions["source"].tolist() == sample.splits["test"].source.tolist()
    assert predictions["score"].tolist() == [-0.5] * 50


def test_a_report_has_every_section_its_summary_and_no_other_file(sample, tmp_path):
    result = evaluate(sample)
    page = page_of(result, tmp_path)
    assert headings(page) == [
        "Results",
        "By length of the source",
        "Samples",
        "Attention",
        "Worst translations",
        "Words said too often and too seldom",
        "Training",
        "Data",
        "Configuration",
    ]
    assert "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp" in page
    assert "Word by word (IBM model 1)" in page
    assert "subwords.source.vocabulary" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    bleu, best = result.model["bleu"], result.baselines["lexicon"]["bleu"]
    (summary,) = re.findall(r'<p class="summary">([^<]*)</p>', page)
    assert f"On 50 pairs (test of sample:900) the model has {bleu:.1f} BLEU" in summary
    assert f"has {best:.1f}: {bleu - best:.1f} points above it" in summary
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


def test_figures_that_cannot_be_drawn_end_no_section(sample, monkeypatch, tmp_path):
    monkeypatch.setattr("recurra.pipelines.reporting.page.Figure", None)
    with collect_failures() as failed:
        page_of(evaluate(sample), tmp_path)
    assert len(failed) == 7
    assert {name.partition(" ")[0] for name in failed} == {"figure"}


def test_long_alignments_are_passed_over_and_the_worst_sentence_is_first(
    sample, tmp_path
):
    target = sample.splits["test"].target
    long = alignment([f"▁{number}" for number in range(60)], ["</s>"] * 50)
    result = evaluate(
        sample, lambda text: "###" if text == target[7] else text, [long, SHORT]
    )
    page = page_of(result, tmp_path)
    worst = page.partition("Worst translations</h2>")[2]
    line = re.search(r'<p class="line">([^<]*)</p>', worst)[1]
    assert line == "Row 8: BLEU 0.0, chrF 0.0, score -0.500"
    assert "Translation: ###" in worst
    assert not (tmp_path / "figures" / "attention_1.png").exists()
    assert (tmp_path / "figures" / "attention_2.png").exists()


def test_small_test_data_alone_in_other_scripts(tmp_path):
    (tmp_path / "test.ar").write_text(f"الكلب نائم\n{SCRIPT}\n", encoding="utf-8")
    (tmp_path / "test.zh").write_text("狗在睡觉。\n\n", encoding="utf-8")
    (tmp_path / "train.ar").write_text("a\nb\n", encoding="utf-8")
    (tmp_path / "train.zh").write_text("一\n二\n", encoding="utf-8")
    data = load_sentence_pairs(
        str(tmp_path), source="ar", target="zh", validation_fraction=0
    )
    del data.splits["train"]
    # The first is long, and drawn since there is no other.
    alignments = [
        alignment(["▁الكلب", *(["▁$x_1$"] * 30), "</s>"], ["狗", "</s>"]),
        Alignment([], ["</s>"], np.zeros((1, 0), np.float32)),
    ]
    page = page_of(evaluate(data, str, alignments), tmp_path / "run", history=None)
    assert SCRIPT not in page
    assert "tok:zh" in page
    assert "Training" not in headings(page)
    names = {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
    assert names == {"bleu_by_length", "attention_1", "sentence_lengths"}


def test_bad_rows_and_what_was_left_out_are_listed(tmp_path):
    lines = [f"sentence {n}\tSatz {n}" for n in range(30)]
    lines += ["same\tsame", "no tab", "\tleer", lines[0]]
    (tmp_path / "a.tsv").write_text("\n".join(lines), encoding="utf-8")
    data = load_sentence_pairs(
        str(tmp_path / "a.tsv"),
        source="en",
        target="de",
        test_fraction=0.2,
        max_bad_fraction=0.5,
    )
    page = page_of(evaluate(data), tmp_path / "run")
    assert "Rows that could not be used: 1" in page
    assert "line 32: no tab in it" in page
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
    assert "Identical sides 1" in text
    assert "Empty side 1" in text
    assert "Duplicates 1" in text
