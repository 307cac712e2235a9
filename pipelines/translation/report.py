"""The report of a translation model: how good, where worst, where it looks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from ..datasets.sentence_pairs import SentencePairs
from ..reporting import Metric, Report, Scores, flattened, shortened
from ..training_section import add_training
from .data_section import add_data
from .diagnostics import Attention, NgramCount, count_ngrams
from .figures import (
    describe_attention,
    draw_attention,
    draw_bleu_by_length,
    pieces_are_drawable,
)

METRICS = (
    Metric("bleu", "BLEU", digits=2),
    Metric("chrf", "chrF", digits=2),
    Metric("bleu_lc_tok", "BLEU, lower case", digits=2),
    Metric("exact_match", "Exact match"),
    Metric("perplexity", "Perplexity", higher_is_better=False, digits=2),
)
BASELINE_NAMES = {
    "copy": "Copy of the source",
    "lexicon": "Word by word (IBM model 1)",
}

_MODEL = "model"
_SAMPLES = 8
_WORST = 12
_PICTURES = 8
# Pictures of more pieces than this are shown only where there are no others.
_READABLE_PIECES = 24
_NGRAMS = 12
_EXCERPT_LENGTH = 500
_LEARNING_CURVES = {
    "loss": "Loss",
    "nll": "Negative log-likelihood of a piece",
    "bleu": "BLEU",
}


def write_translation_report(
    directory: Path,
    *,
    data: SentencePairs,
    split: str,
    metrics: Mapping[str, Mapping[str, float]],
    intervals: Mapping[str, Mapping[str, tuple[float, float]]],
    details: Mapping[str, Mapping[str, Any]],
    signatures: Mapping[str, str],
    by_length: pandas.DataFrame,
    predictions: pandas.DataFrame,
    attentions: Sequence[Attention],
    facts: Mapping[str, Any],
    configuration: Mapping[str, Any],
    history: pandas.DataFrame | None = None,
) -> None:
    """Writes `report.html` and `figures/` into the directory.

    Args:
        directory: For example a run's.
        data: The pairs.
        split: The name of the split that is reported.
        metrics: By system, "model" and the baselines, as of `translation_metrics`.
        intervals: By system, as of `bootstrap_intervals`.
        details: By system, as of `bleu_details`.
        signatures: As of `metrics_signatures`.
        by_length: As of `bleu_by_length`.
        predictions: Of the model, a row per pair with `source`, `reference`,
            `translation`, `score`, and `bleu` and `chrf` of the sentence.
        attentions: Of the first rows; those that are small enough to be read are shown.
        facts: What else there is to say of the data, by a name for people or nested.
        configuration: As in config.yaml, nested.
        history: A row per epoch with `epoch` and, as far as there, `seconds`, and
            `loss`, `val_loss`, `val_bleu` and so on.
    """
    report = Report(
        f"Translation {data.source} to {data.target}: {data.spec}",
        _summary(data.spec, split, len(predictions), metrics, intervals),
    )
    _add_results(report, metrics, intervals, details, signatures)
    _add_lengths(report, by_length)
    _add_samples(report, predictions)
    _add_attention(report, attentions, predictions)
    _add_worst(report, predictions)
    _add_ngrams(report, predictions, data.target)
    if history is not None and len(history):
        add_training(report, history, _LEARNING_CURVES)
    add_data(report, data, facts)
    report.section("Configuration")
    report.key_values("", flattened(configuration))
    report.write(directory)


def _summary(
    spec: str,
    split: str,
    pairs: int,
    metrics: Mapping[str, Mapping[str, float]],
    intervals: Mapping[str, Mapping[str, tuple[float, float]]],
) -> str:
    own = metrics[_MODEL]["bleu"]
    lower, upper = intervals[_MODEL]["bleu"]
    told = (
        f"On {pairs:,} pairs ({split} of {spec}) the model has {own:.1f} BLEU "
        f"(95 % interval {lower:.1f} to {upper:.1f})"
    )
    others = {name: each["bleu"] for name, each in metrics.items() if name != _MODEL}
    if not others:
        return told + "."
    best = max(others, key=lambda name: others[name])
    difference = own - others[best]
    return (
        f"{told}; the best baseline, {_system_name(best)}, has {others[best]:.1f}: "
        f"{abs(difference):.1f} points {'above' if difference >= 0 else 'below'} it."
    )


def _add_results(
    report: Report,
    metrics: Mapping[str, Mapping[str, float]],
    intervals: Mapping[str, Mapping[str, tuple[float, float]]],
    details: Mapping[str, Mapping[str, Any]],
    signatures: Mapping[str, str],
) -> None:
    report.section("Results")
    report.metrics_table(
        "Model and baselines",
        METRICS,
        [
            Scores(_system_name(name), each, intervals[name], is_own=name == _MODEL)
            for name, each in metrics.items()
        ],
    )
    report.text(
        "BLEU and chrF are by sacreBLEU, of detokenised text. BLEU in lower case is "
        "the form that most papers on small sets report. Exact match is the share of "
        "translations that are equal to their reference. Perplexity is that of a "
        "piece of the reference, its end included; it compares only models with the "
        "same pieces. The intervals are by bootstrap over sentences."
    )
    headings = {metric.key: metric.heading for metric in METRICS}
    report.key_values(
        "Signatures", {headings[name]: each for name, each in signatures.items()}
    )
    report.table(
        "What BLEU is made of",
        [
            "System",
            *(f"{length}-grams, %" for length in (1, 2, 3, 4)),
            "Brevity penalty",
            "Length ratio",
        ],
        [
            [
                _system_name(name),
                *(f"{share:.1f}" for share in each["precisions"]),
                f"{each['brevity_penalty']:.3f}",
                f"{each['length_ratio']:.3f}",
            ]
            for name, each in details.items()
        ],
        note="The share of the n-grams that stand in the reference, and the tokens of "
        "the translations for each of the references.",
    )


def _add_lengths(report: Report, by_length: pandas.DataFrame) -> None:
    report.section("By length of the source")
    systems = {
        _system_name(str(name)): by_length[name].tolist()
        for name in by_length
        if name not in ("shortest", "longest", "pairs")
    }
    lengths = [
        f"{shortest:,}"
        if shortest == longest
        else f"{shortest:,}\N{EN DASH}{longest:,}"
        for shortest, longest in zip(
            by_length["shortest"], by_length["longest"], strict=True
        )
    ]
    report.figure(
        "BLEU by length",
        draw_bleu_by_length(lengths, systems),
        "Pairs sorted by the words of their source, in parts of about equal size.",
        name="bleu_by_length",
        description="BLEU by words of the source; the table has the numbers.",
    )
    report.table(
        "BLEU by words of the source",
        ["Words", "Pairs", *systems],
        [
            [length, int(pairs), *(f"{value:.2f}" for value in values)]
            for length, pairs, *values in zip(
                lengths, by_length["pairs"], *systems.values(), strict=True
            )
        ],
    )


def _add_samples(report: Report, predictions: pandas.DataFrame) -> None:
    report.section("Samples")
    report.text("Pairs spread evenly over the split, not chosen.")
    rows = np.linspace(0, len(predictions) - 1, _SAMPLES).round().astype(int)
    report.excerpts("", [_excerpt(predictions, int(row)) for row in np.unique(rows)])


def _add_attention(
    report: Report, attentions: Sequence[Attention], predictions: pandas.DataFrame
) -> None:
    # An empty sentence has nothing to be looked at.
    drawn = [row for row, each in enumerate(attentions) if each.weights.size]
    readable = [
        row for row in drawn if max(attentions[row].weights.shape) <= _READABLE_PIECES
    ]
    shown = (readable or drawn[:1])[:_PICTURES]
    if not shown:
        return
    report.section("Attention")
    report.text(
        "Where the model looked in the source (columns) while it said each piece of "
        "its translation (rows): the darker, the more. ▁ is the space before a word."
    )
    for row in shown:
        attention = attentions[row]
        caption = shortened(predictions["source"].iloc[row], _EXCERPT_LENGTH)
        if not pieces_are_drawable(attention):
            caption += (
                f" Columns: {_listed(attention.source_pieces)}. "
                f"Rows: {_listed(attention.target_pieces)}."
            )
        report.figure(
            f"Row {row + 1:,}",
            draw_attention(attention),
            caption,
            name=f"attention_{row + 1}",
            description=describe_attention(attention),
        )


def _add_worst(report: Report, predictions: pandas.DataFrame) -> None:
    report.section("Worst sentences")
    report.text(
        "The translations with the lowest chrF against their reference. Some may be as "
        "good as the reference, in other words, or the reference may be wrong."
    )
    worst = predictions["chrf"].to_numpy().argsort(kind="stable")[:_WORST]
    report.excerpts("", [_excerpt(predictions, int(row)) for row in worst])


def _add_ngrams(report: Report, predictions: pandas.DataFrame, language: str) -> None:
    counts = count_ngrams(
        predictions["translation"].tolist(),
        predictions["reference"].tolist(),
        language,
    )
    parts = {
        "Said too often": [each for each in counts if each.surplus > 0],
        "Said too seldom": [each for each in counts[::-1] if each.surplus < 0],
    }
    if not any(parts.values()):
        return
    report.section("Words said too often and too seldom")
    for heading, part in parts.items():
        if part:
            report.table(
                heading,
                ["Words", "Translations", "References", "Difference"],
                [_ngram_row(each) for each in part[:_NGRAMS]],
            )


def _ngram_row(count: NgramCount) -> list[object]:
    return [count.ngram, count.translations, count.references, f"{count.surplus:+,}"]


def _excerpt(predictions: pandas.DataFrame, row: int) -> tuple[str, str]:
    """A row's line of scores, and its three texts, a line each."""
    of_row = predictions.iloc[row]
    line = (
        f"Row {row + 1:,}: chrF {of_row['chrf']:.1f}, BLEU {of_row['bleu']:.1f}, "
        f"score {of_row['score']:.3f}"
    )
    texts = (
        f"{name.capitalize()}: {shortened(of_row[name], _EXCERPT_LENGTH)}"
        for name in ("source", "reference", "translation")
    )
    return line, "\n".join(texts)


def _listed(pieces: Sequence[str]) -> str:
    return ", ".join(f"{number} {piece}" for number, piece in enumerate(pieces, 1))


def _system_name(name: str) -> str:
    if name == _MODEL:
        return "This model"
    return BASELINE_NAMES.get(name, name.replace("_", " "))
