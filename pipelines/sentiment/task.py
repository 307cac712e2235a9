"""Sentiment classification, as any classification of texts, fulfilling the contract."""

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import pandas

from ..datasets.labelled_texts import (
    LabelledTexts,
    Split,
    load_evaluation_texts,
    load_labelled_texts,
)
from ..files import read_json, write_json
from ..task import Evaluation, Servable, Task
from .baselines import Baseline, fit_baselines
from .batches import PreparedTexts
from .config import SentimentConfiguration
from .learning import learn_preprocessing
from .metrics import (
    bootstrap_intervals,
    classification_metrics,
    confusion_matrix,
    fit_branch_weights,
    softmax,
)
from .model import RECURRENT, WIDE, build_model, compile_model
from .preprocessing import Preprocessing, evidence_of
from .report import write_sentiment_report
from .serving import SentimentServing

EXAMPLES = (
    "I expected little and was happy to be wrong: not a dull minute in it.",
    "The first half was fine, but what came after it ruined the evening.",
)


class SentimentTask(Task[SentimentConfiguration, LabelledTexts, PreparedTexts]):
    """Texts in two or more classes."""

    name: ClassVar[str] = "sentiment"
    configuration_class: ClassVar[type] = SentimentConfiguration
    recipes: ClassVar[Path] = Path(__file__).parent / "recipes"
    monitor: ClassVar[str] = "val_nll"

    @classmethod
    def load(cls, configuration: SentimentConfiguration) -> LabelledTexts:
        options = configuration.data.model_dump()
        return load_labelled_texts(
            options.pop("spec"), seed=configuration.seed, **options
        )

    def load_test(self, spec: str, **columns: str | None) -> LabelledTexts:
        own = self.configuration.data
        split, bad_rows = load_evaluation_texts(
            spec,
            classes=self.classes,
            text_column=columns.get("text_column") or own.text_column,
            label_column=columns.get("label_column") or own.label_column,
            max_bad_share=own.max_bad_share,
        )
        return LabelledTexts(
            spec=spec,
            classes=self.classes,
            splits={"test": split},
            columns={},
            bad_rows=bad_rows,
            duplicates={},
        )

    def facts(self, data: LabelledTexts) -> dict[str, Any]:
        return {
            "spec": data.spec,
            "classes": list(data.classes),
            "columns": dict(data.columns),
            "rows": {
                name: dict(
                    zip(
                        data.classes,
                        _class_counts(split, len(data.classes)),
                        strict=True,
                    )
                )
                for name, split in data.splits.items()
            },
            "sha256": {name: _sha256(split) for name, split in data.splits.items()},
            "duplicates": dict(data.duplicates),
            "bad_rows": [vars(row) for row in data.bad_rows],
        }

    def splits(self, data: LabelledTexts) -> Sequence[str]:
        return list(data.splits)

    def learn(self, data: LabelledTexts) -> None:
        learn_preprocessing(
            self.configuration,
            data.splits["train"],
            len(data.classes),
            self.run.assets,
        )
        write_json(self.run.assets / "classes.json", list(data.classes))

    def build(self) -> keras.Model:
        return build_model(self.configuration, len(self.classes), self.run.assets)

    def compile(self, model: keras.Model, steps_per_epoch: int) -> None:
        compile_model(model, self.configuration, steps_per_epoch)

    def prepare(self, data: LabelledTexts) -> PreparedTexts:
        return PreparedTexts(
            data,
            self._preprocessing,
            self.run.assets,
            self.configuration.training.batch_size,
            self.configuration.seed,
        )

    def calibrate(self, model: keras.Model, prepared: PreparedTexts) -> None:
        labels = prepared.data.splits["validation"].labels
        branches = self._branch_logits(model, prepared, "validation")
        weights = fit_branch_weights(branches, labels)
        write_json(self._calibration_file, {"branch_weights": weights.tolist()})
        write_json(self.run.padding, {"padded_share": prepared.training.padded_share()})

    def fit_baselines(self, prepared: PreparedTexts) -> dict[str, Baseline]:
        train = prepared.data.splits["train"]
        return fit_baselines(
            train.texts.tolist(),
            train.labels,
            len(prepared.data.classes),
            self.configuration.seed,
        )

    def evaluate(
        self, model: keras.Model, prepared: PreparedTexts, split: str
    ) -> Evaluation:
        data = prepared.data
        rows = data.splits[split]
        texts, labels = rows.texts.tolist(), rows.labels
        branches = self._branch_logits(model, prepared, split)
        logits = np.einsum("nbc,b->nc", branches, self.branch_weights)
        probabilities = softmax(logits)
        # The weights add up to the inverse of the temperature.
        temperature = 1.0 / sum(self.branch_weights)
        uncalibrated = softmax(temperature * logits)
        answers = {"model": probabilities} | {
            name: baseline.probabilities(texts)
            for name, baseline in self.kept_baselines().items()
        }
        metrics = {
            name: classification_metrics(labels, answer)
            for name, answer in answers.items()
        }
        intervals = {
            name: bootstrap_intervals(labels, answer, seed=self.configuration.seed)
            for name, answer in answers.items()
        }
        baselines = {name: metrics[name] for name in answers if name != "model"}
        return Evaluation(
            data=data.spec,
            split=split,
            model=metrics["model"],
            baselines=baselines,
            further={
                "rows": len(labels),
                "bad_rows": [str(row) for row in data.bad_rows],
                "padded_share": read_json(self.run.padding)["padded_share"],
                "classes": list(data.classes),
                "intervals": intervals,
                "temperature": temperature,
                "branch_weights": self.branch_weights,
                "branches": self._branch_metrics(branches, labels),
                "uncalibrated": classification_metrics(labels, uncalibrated),
                "confusion_matrix": confusion_matrix(labels, probabilities).tolist(),
            },
            predictions=_predictions(rows, probabilities, data.classes),
            write_report=functools.partial(
                write_sentiment_report,
                data=data.spec,
                split=split,
                classes=data.classes,
                texts=texts,
                labels=labels,
                probabilities=probabilities,
                uncalibrated_probabilities=uncalibrated,
                temperature=temperature,
                lengths=prepared.evaluation(split).lengths(),
                metrics=metrics["model"],
                intervals=intervals["model"],
                baselines=baselines,
                baseline_intervals=intervals,
                class_counts={
                    name: _class_counts(part, len(data.classes))
                    for name, part in data.splits.items()
                },
                facts={
                    "columns": dict(data.columns),
                    "texts that stand in two splits": dict(data.duplicates),
                    "padded share": read_json(self.run.padding)["padded_share"],
                },
                configuration=self.configuration.model_dump(mode="json"),
                history=self._reported_history(),
                bad_rows=[str(row) for row in data.bad_rows],
            ),
        )

    def servable(self, model: keras.Model) -> Servable:
        serving = SentimentServing(
            model,
            self._preprocessing,
            self._evidence,
            self.classes,
            self.branch_weights,
        )
        texts = {"text": np.array(EXAMPLES, object)}
        return Servable(
            module=serving,
            signatures={
                "serving_default": serving.classify,
                "explain": serving.explain,
            },
            card={
                "task": self.name,
                "inputs": {"text": {"dtype": "string", "shape": ["N"]}},
                "outputs": {
                    "label": {"dtype": "string", "shape": ["N"]},
                    "score": {"dtype": "float32", "shape": ["N"]},
                    "probabilities": {
                        "dtype": "float32",
                        "shape": ["N", len(self.classes)],
                    },
                },
                "classes": list(self.classes),
                "branch_weights": self.branch_weights,
                "training_data": read_json(self.run.data),
                "metrics": read_json(self.run.metrics),
                "configuration": self.configuration.model_dump(mode="json"),
            },
            examples={"serving_default": texts, "explain": texts},
        )

    @functools.cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the model's logits."""
        return tuple(read_json(self.run.assets / "classes.json"))

    @property
    def _evidence(self) -> np.ndarray | None:
        """What n-grams tell by all training texts, `[1 + n-grams, E]`."""
        path = self.run.assets / "ngram_ratios.npy"
        return evidence_of(np.load(path)[0]) if path.is_file() else None

    @property
    def branch_weights(self) -> list[float]:
        """What each branch's logits are multiplied by, as found on validation."""
        return read_json(self._calibration_file)["branch_weights"]

    @property
    def _calibration_file(self) -> Path:
        return self.run.assets / "calibration.json"

    @functools.cached_property
    def _preprocessing(self) -> Preprocessing:
        return Preprocessing(self.configuration, self.run.assets)

    def _branch_logits(
        self, model: keras.Model, prepared: PreparedTexts, split: str
    ) -> np.ndarray:
        """float32 `[N, B, C]`, in the order of the split."""
        evaluation = prepared.evaluation(split)
        batches = [
            model.predict_on_batch(features) for features, _ in evaluation.batches
        ]
        return evaluation.in_split_order(np.concatenate(batches))

    def _branch_metrics(
        self, branches: np.ndarray, labels: np.ndarray
    ) -> dict[str, dict[str, float]]:
        """What each branch would do alone."""
        return {
            name: classification_metrics(labels, softmax(logits))
            for name, logits in zip(
                (RECURRENT, WIDE), branches.swapaxes(0, 1), strict=False
            )
        }

    def _reported_history(self) -> pandas.DataFrame:
        """The history with the joint likelihood for a loss, without the branches'."""
        history = pandas.read_csv(self.run.history)
        return history.drop(columns=["loss", "val_loss"]).rename(
            columns={"nll": "loss", "val_nll": "val_loss"}
        )


def _sha256(split: Split) -> str:
    """Tells whether texts or labels are still what they were."""
    digest = hashlib.sha256(split.labels.tobytes())
    for text in split.texts:
        digest.update(text.encode("utf-8") + b"\0")
    return digest.hexdigest()


def _class_counts(split: Split, number_of_classes: int) -> list[int]:
    return np.bincount(split.labels, minlength=number_of_classes).tolist()


def _predictions(
    split: Split, probabilities: np.ndarray, classes: Sequence[str]
) -> pandas.DataFrame:
    names = np.array(classes, object)
    predicted = probabilities.argmax(axis=1)
    return pandas.DataFrame(
        {
            "text": split.texts,
            "label": names[split.labels],
            "predicted": names[predicted],
            **{
                f"probability_{name}": probabilities[:, index]
                for index, name in enumerate(classes)
            },
        }
    )
