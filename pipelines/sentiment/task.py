"""Sentiment classification, as any classification of texts, fulfilling the contract."""

import dataclasses
import functools
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import keras
import numpy as np
import pandas

from ..core.configuration import Config
from ..core.ensembles import refuse_strangers
from ..core.errors import UserError
from ..core.files import read_json, write_json
from ..core.optional import of_baselines
from ..core.portable import Portable
from ..core.task import Servable, Task
from ..data.reading import PlanBuilder
from ..data.texts.labelled_texts import (
    LabelledTexts,
    load_evaluation_texts,
    load_labelled_texts,
)
from .baselines import Baseline, fit_baselines, rows_for_baselines
from .cli import TASK
from .config import LABEL_COLUMNS, DecisionConfig, SentimentConfig
from .data import TextDataModule
from .decisions import OBJECTIVES, ordered_values
from .ensemble import Ensemble
from .fit_preprocessing import fit_preprocessing
from .label_set_report import LabelSetResult
from .linear_members import load_linear_members
from .metrics import fit_branch_weights, fit_label_biases
from .mixing import fit_member_weights
from .model import branch_names, build_model, compile_model
from .preprocessing import RULES_FILE, Preprocessing, load_ratios
from .report import SentimentResult
from .serving import SentimentServing, portable
from .targets import Target, target_of

# The fields of `data` that say how labelled texts are loaded.
_LOADING = {
    "validation_fraction",
    "test_fraction",
    "test_data",
    "max_bad_fraction",
    "min_class_rows",
    "label_case",
}
# What runs have in common whose models are taken as one.
_SECTIONS = ("text", "model", "ngrams", "linear", "wide")
# Ratios of n-grams follow from these, but for those of folds, which the seed draws.
_ASSETS = (
    *("classes.json", "multi_label.json", "class_weights.json", RULES_FILE),
    *("vocabulary.txt", "ngrams.txt"),
)

# Texts that smaller weights are measured by.
_HELD_OUT = 200
# Texts that a baseline answers together.
_TOGETHER = 50_000

#: Of a run, or of several as one.
Trained: TypeAlias = keras.Model | Ensemble


class SentimentTask(Task[SentimentConfig, LabelledTexts, TextDataModule]):
    """Texts in two or more classes, of which each has one, or any number."""

    definition = TASK
    monitor: ClassVar[str] = "val_nll"
    overridable: ClassVar[Collection[str]] = ("decision",)
    _calibrated: "_Calibrated | None" = None

    @classmethod
    def load(cls, configuration: SentimentConfig) -> LabelledTexts:
        data = configuration.data
        texts = load_labelled_texts(
            data.spec,
            usual_labels=LABEL_COLUMNS,
            takes_several=True,
            seed=configuration.split_seed,
            plan=PlanBuilder(data.model_dump()),
            **data.model_dump(include=_LOADING),
        )
        # What the keys say of classes is refused before a run is made.
        _weights_of_classes(configuration, texts)
        _values_of(texts, data.ordered)
        given = configuration.decision.thresholds
        if isinstance(given, dict):
            target_of(texts.multi_label).given_thresholds(given, texts.classes)
        return texts

    @classmethod
    def sized(
        cls, configuration: SentimentConfig, data: LabelledTexts
    ) -> SentimentConfig:
        return configuration.sized(len(data.splits["train"]))

    def load_test(self, spec: str, **options: Any) -> LabelledTexts:
        trained, kept = self.configuration.data, self.run.reading_plan
        given = {"multi_label": trained.multi_label}
        if not kept:
            # A run of before there were plans has the columns that it was given.
            given |= trained.model_dump(include={"text_column", "label_column"})
        plan = PlanBuilder(given | options, kept)
        split, bad_rows = load_evaluation_texts(
            spec,
            classes=self.classes,
            multi_label=self.target.several,
            usual_labels=LABEL_COLUMNS,
            max_bad_fraction=trained.max_bad_fraction,
            plan=plan,
        )
        return LabelledTexts(
            spec=spec,
            classes=self.classes,
            splits={"test": split},
            columns={},
            bad_rows=bad_rows,
            duplicates={},
            reading_plan=plan.plan(),
        )

    def fit_preprocessing(self, data: LabelledTexts) -> None:
        weights = _weights_of_classes(self.configuration, data)
        fit_preprocessing(
            self.configuration,
            data.splits["train"],
            len(data.classes),
            self.run.assets,
            weights,
        )
        write_json(self._weights_file, weights)
        write_json(self.run.assets / "classes.json", list(data.classes))
        if data.multi_label:
            write_json(self._multi_label_file, True)

    def build(self) -> keras.Model:
        return build_model(self.configuration, len(self.classes), self.run.assets)

    def compile(self, model: keras.Model, steps_per_epoch: int) -> None:
        compile_model(
            model,
            self.configuration,
            steps_per_epoch,
            self._class_weights,
            self.target,
        )

    def data_module(self, data: LabelledTexts) -> TextDataModule:
        return TextDataModule(
            data,
            self._preprocessing,
            self.run.assets,
            self.configuration.training.batch_size,
            self.configuration.seed,
        )

    def after_training(self, model: keras.Model, data_module: TextDataModule) -> None:
        splits = data_module.data.splits
        labels = splits["validation"].labels
        branches = self._branch_logits([model], data_module, "validation")
        self._calibrated = _Calibrated(model, data_module, branches)
        counts = self._class_weights
        weights = fit_member_weights(
            branches,
            labels,
            trained=2 if self.configuration.wide.enabled else 1,
            texts=len(splits["train"]),
            simple_weights=load_linear_members(self.run.assets).weights,
            prior=self.configuration.linear.prior,
            class_weights=counts,
        )
        logits = np.einsum("nbc,b->nc", branches, weights)
        alone = np.array(
            [
                float(fit_branch_weights(branches[:, [b]], labels, counts=counts)[0])
                for b in range(branches.shape[1])
            ]
        )
        calibration: dict[str, Any] = {
            "branch_weights": weights.tolist(),
            "weights_alone": alone.tolist(),
        }
        if self.target.several:
            fit = functools.partial(fit_label_biases, labels=labels, counts=counts)
            bias = fit(logits)
            logits = logits + bias
            each = (alone[:, None] * branches).swapaxes(0, 1)
            calibration["label_biases"] = bias.tolist()
            calibration["biases_alone"] = [fit(of).tolist() for of in each]
        probabilities = self.target.probabilities(logits)
        calibration |= {
            "thresholds": {
                objective: self.target.tune_thresholds(labels, probabilities, objective)
                for objective in OBJECTIVES
            },
        }
        write_json(self._calibration_file, calibration)
        write_json(
            self.run.padding_file,
            {"padded_fraction": data_module.training.padded_fraction()},
        )

    def fit_baselines(self, data_module: TextDataModule) -> dict[str, Baseline]:
        train = data_module.data.splits["train"]
        rows = rows_for_baselines(train.texts.sizes(), self.configuration.seed)
        if len(rows) < len(train):
            write_json(self._baseline_rows_file, {"rows": len(rows)})
        return fit_baselines(
            train.texts[rows].tolist(),
            train.labels[rows],
            len(data_module.data.classes),
            self.configuration.seed,
            class_weights=self._class_weights,
        )

    def evaluate(
        self,
        model: Trained,
        data_module: TextDataModule,
        split: str,
        options: Config,
    ) -> SentimentResult:
        data, ensemble = data_module.data, self._as_ensemble(model)
        known = self._calibrated
        if known and split == "validation" and known.is_of(model, data_module):
            branches = known.branches
        else:
            branches = self._branch_logits(ensemble.models, data_module, split)
        texts = data.splits[split].texts
        baselines = of_baselines(
            self.kept_baselines(),
            lambda baseline: np.concatenate(
                [baseline.probabilities(part) for part in texts.parts(_TOGETHER)]
            ),
        )
        kind = LabelSetResult if self.target.several else SentimentResult
        return kind(
            data,
            split,
            dict(zip(ensemble.all_branches, branches.swapaxes(0, 1), strict=True)),
            ensemble.all_weights,
            self._members_alone(ensemble, branches),
            baselines,
            lengths=data_module.evaluation(split).lengths,
            thresholds=ensemble.thresholds,
            values=_values_of(data, self.configuration.data.ordered),
            padded_fraction=self.run.padded_fraction,
            seed=self.configuration.seed,
            baseline_rows=self._baseline_rows,
            bias=ensemble.bias,
        )

    def ensemble(
        self,
        models: Sequence[keras.Model],
        others: "Sequence[SentimentTask]",  # type: ignore[override]
    ) -> Ensemble:
        refuse_strangers(self, others, sections=_SECTIONS, assets=_ASSETS)
        tasks = [self, *others]
        decision = self.configuration.decision
        tuned = [task._thresholds(decision) or [] for task in tasks]
        thresholds = np.mean(tuned, axis=0).tolist()
        return Ensemble(
            tuple(task.run.name for task in tasks),
            tuple(models),
            tuple(self._branch_names),
            np.array([task.branch_weights for task in tasks]),
            thresholds or None,
            self.target,
            np.array([task._label_biases for task in tasks])
            if self.target.several
            else None,
        )

    def servable(self, model: Trained) -> Servable:
        ensemble = self._as_ensemble(model)
        serving = SentimentServing(
            ensemble, self._preprocessing, self._ratios, self.classes
        )
        texts = {"text": np.array(TASK.examples, object)}
        return Servable(
            module=serving,
            signatures=serving.signatures(),
            answer=self.target.answer(self.classes, ensemble.thresholds),
            examples={"serving_default": texts, "explain": texts},
            details={
                "branches": ensemble.all_branches,
                "branch_weights": ensemble.all_weights,
            },
            independent_rows=["serving_default", "explain"],
        )

    def portable(self, model: Trained) -> Portable:
        ensemble = self._as_ensemble(model)
        return portable(ensemble, self._preprocessing, self._ratios, self.classes)

    def held_out_inputs(self) -> dict[str, Any]:
        rows = pandas.read_csv(self.run.predictions_file, keep_default_na=False)
        return {"text": rows["text"][:_HELD_OUT].astype(str).to_numpy(object)}

    def _as_ensemble(self, model: Trained) -> Ensemble:
        return model if isinstance(model, Ensemble) else self.ensemble([model], [])

    @functools.cached_property
    def _ratios(self) -> np.ndarray | None:
        """Of the n-grams, counted on all training texts."""
        ratios = load_ratios(self.run.assets)
        return None if ratios is None else ratios[0]

    @functools.cached_property
    def target(self) -> Target:
        """What a text gets: one class, or any labels."""
        return target_of(self._multi_label_file.is_file())

    @functools.cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the model's logits."""
        return tuple(read_json(self.run.assets / "classes.json"))

    @property
    def _branch_names(self) -> list[str]:
        return branch_names(self.configuration, self.run.assets)

    @property
    def branch_weights(self) -> list[float]:
        """The factors of the branches' logits in their sum, fitted on validation."""
        return read_json(self._calibration_file)["branch_weights"]

    @property
    def _label_biases(self) -> list[float]:
        """What is added to the sum for each label, fitted on validation."""
        return read_json(self._calibration_file)["label_biases"]

    @property
    def thresholds(self) -> list[float] | None:
        """The thresholds of the classes, `[C]`; None where the most probable is taken.

        Raises:
            UserError: They name no class, or were not tuned when the run was trained.
        """
        return self._thresholds(self.configuration.decision)

    def _thresholds(self, decision: DecisionConfig) -> list[float] | None:
        if isinstance(decision.thresholds, dict):
            return self.target.given_thresholds(decision.thresholds, self.classes)
        if decision.thresholds == "none":
            return None
        tuned = read_json(self._calibration_file).get("thresholds")
        if tuned is None:
            raise UserError(
                f"decision.thresholds: {self.run.path} was trained when none were "
                "tuned; give a number by class, or train anew"
            )
        return tuned[decision.tuned_for]

    def _members_alone(
        self, ensemble: Ensemble, branches: np.ndarray
    ) -> dict[str, np.ndarray]:
        """By name the probabilities of each member, if there are several, `[N, C]`."""
        runs = len(ensemble.runs)
        if runs > 1:
            logits = np.split(branches, runs, axis=1)
            mixes = map(np.einsum, ["nbc,b->nc"] * runs, logits, ensemble.weights)
            if ensemble.biases is not None:
                mixes = map(np.add, mixes, ensemble.biases)
            answers = map(self.target.probabilities, mixes)
            return dict(zip(ensemble.runs, answers, strict=True))
        names = self._branch_names
        if len(names) == 1:
            return {}
        # Runs of before there were simple members calibrated none by itself.
        calibration = read_json(self._calibration_file)
        weights = calibration.get("weights_alone") or [1.0] * len(names)
        biases = calibration.get("biases_alone") or [0.0] * len(names)
        return {
            name: self.target.probabilities(weight * logits + np.asarray(bias))
            for name, weight, bias, logits in zip(
                names, weights, biases, branches.swapaxes(0, 1), strict=True
            )
        }

    @functools.cached_property
    def _class_weights(self) -> list[float] | None:
        """What a row of each class counts; runs of before there were such have none."""
        file = self._weights_file
        return read_json(file) if file.is_file() else None

    @property
    def _baseline_rows(self) -> int | None:
        """How many training texts the baselines were fitted to, where not to all."""
        file = self._baseline_rows_file
        return read_json(file)["rows"] if file.is_file() else None

    @property
    def _baseline_rows_file(self) -> Path:
        return self.run.assets / "baseline_rows.json"

    @property
    def _multi_label_file(self) -> Path:
        """There where texts may have several labels."""
        return self.run.assets / "multi_label.json"

    @property
    def _weights_file(self) -> Path:
        return self.run.assets / "class_weights.json"

    @property
    def _calibration_file(self) -> Path:
        return self.run.assets / "calibration.json"

    @functools.cached_property
    def _preprocessing(self) -> Preprocessing:
        return Preprocessing(self.configuration, self.run.assets)

    def _branch_logits(
        self, models: Sequence[keras.Model], data_module: TextDataModule, split: str
    ) -> np.ndarray:
        """float32 `[N, K * B, C]`, in the order of the split."""
        evaluation = data_module.evaluation(split)
        batches = [
            np.concatenate([model.predict_on_batch(features) for model in models], 1)
            for features, _ in evaluation.batches
        ]
        return evaluation.in_split_order(np.concatenate(batches))


@dataclasses.dataclass(frozen=True)
class _Calibrated:
    """Logits on validation, which are asked for twice."""

    model: keras.Model
    data_module: TextDataModule
    branches: np.ndarray

    def is_of(self, model: Trained, data_module: TextDataModule) -> bool:
        return self.model is model and self.data_module is data_module


def _weights_of_classes(
    configuration: SentimentConfig, texts: LabelledTexts
) -> list[float] | None:
    return target_of(texts.multi_label).class_weights(
        configuration.training.class_weight,
        texts.classes,
        texts.splits["train"].labels,
    )


def _values_of(texts: LabelledTexts, ordered: bool | None) -> np.ndarray | None:
    """The values of ordered classes, `[C]`.

    Raises:
        UserError: Classes are said to be in order, and cannot be.
    """
    if not texts.multi_label:
        return ordered_values(texts.classes, ordered)
    if ordered:
        raise UserError(
            "data.ordered: several labels of a text have no order; leave the key out"
        )
    return None
