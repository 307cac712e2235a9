"""What is told of translations: metrics.json, predictions.csv and the report."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas

from ..datasets.sentence_pairs import SentencePairs
from ..task import Evaluation, TaskSection
from .diagnostics import Attention
from .metrics import (
    bleu_by_length,
    bleu_details,
    bootstrap_intervals,
    metrics_signatures,
    sentence_scores,
    translation_metrics,
)
from .report import write_translation_report
from .words import count_words

#: The key of the model among the systems.
MODEL = "model"


def make_evaluation(
    systems: Mapping[str, Sequence[str]],
    data: SentencePairs,
    split: str,
    *,
    perplexity: float,
    scores: Sequence[float],
    attentions: Sequence[Attention],
    configuration: TaskSection,
    history: pandas.DataFrame,
    facts: Mapping[str, Any],
) -> Evaluation:
    """Judges translations, in the form that every task has.

    Args:
        systems: By name the translations of the split's sources, in their order:
            "model", and the baselines.
        data: The pairs.
        split: The name of the split.
        perplexity: The model's for a target piece.
        scores: What the model says of each of its translations.
        attentions: Of the split's first sentences, as many as are to be pictured.
        configuration: Of the run.
        history: A row per epoch.
        facts: What else there is to say of the data, by a name for people or nested:
            `describe_subwords`, padded share, and so on.
    """
    pairs, language = data.splits[split], data.target
    sources, references = pairs.source.tolist(), [pairs.target.tolist()]
    metrics = {
        name: translation_metrics(texts, references, language)
        for name, texts in systems.items()
    }
    metrics[MODEL]["perplexity"] = perplexity
    baselines = {name: each for name, each in metrics.items() if name != MODEL}
    intervals = {
        name: bootstrap_intervals(texts, references, language, seed=configuration.seed)
        for name, texts in systems.items()
    }
    details = {
        name: bleu_details(texts, references, language)
        for name, texts in systems.items()
    }
    signatures = metrics_signatures(len(references), language)
    by_length = bleu_by_length(
        np.array([count_words(text) for text in sources]),
        systems,
        references,
        language,
    )
    of_sentences = sentence_scores(systems[MODEL], references, language)
    predictions = pandas.DataFrame(
        {
            "source": sources,
            "reference": references[0],
            "translation": systems[MODEL],
            "score": scores,
            **of_sentences,
        }
    )
    return Evaluation(
        data=data.spec,
        split=split,
        model=metrics[MODEL],
        baselines=baselines,
        further={
            "source": data.source,
            "target": data.target,
            "pairs": len(pairs),
            "signatures": signatures,
            "intervals": intervals,
            "bleu_details": details,
            "bleu_by_length": by_length.to_dict("records"),
            "checks": asdict(data.checks),
            "bad_rows": [str(row) for row in data.bad_rows],
            "facts": facts,
        },
        predictions=predictions,
        write_report=functools.partial(
            write_translation_report,
            data=data,
            split=split,
            metrics=metrics,
            intervals=intervals,
            details=details,
            signatures=signatures,
            by_length=by_length,
            predictions=predictions,
            attentions=attentions,
            facts=facts,
            configuration=configuration.model_dump(mode="json"),
            history=history,
        ),
    )
