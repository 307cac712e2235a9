"""Language modelling, fulfilling the contract of a task."""

import functools
from collections.abc import Collection
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from ..cards import ContinuationAnswer
from ..core.files import read_json, write_json
from ..core.portable import Portable
from ..core.runs import Run
from ..core.task import Servable, Task
from ..data.texts.documents import Documents, load_documents
from .baselines import KNESER_NEY, UNIGRAM, fit_baselines
from .blank_scoring import BlankScorer, draw_blanks
from .blanks import Blanks
from .cli import TASK
from .config import READING, LanguageConfig
from .data import Batch, StreamDataModule
from .members import CACHE, RECURRENT, Members, fit_weights, system_scores
from .model import LanguageModel, build_model, compile_model
from .report import LanguageResult
from .scoring import Scorer
from .serving import LanguageServing
from .units import Units, fit_units, read_units

# Of the cache's attention, from which validation chooses.
_FLATNESS = (0.05, 0.1, 0.2, 0.4, 0.8)
# Blanks that the weights of both directions are fitted to, and that are measured.
_FITTING_BLANKS, _MEASURED_BLANKS = 200, 200
# Characters of a text that warms a model up.
_EXAMPLE = 40
# Texts that smaller weights are measured by, and characters of each.
_HELD_OUT, _HELD_OUT_LENGTH = 50, 500
# Of each temperature in the report.
_SAMPLES = 2


class LanguageTask(Task[LanguageConfig, Documents, StreamDataModule]):
    """The next unit of a text."""

    definition = TASK
    monitor: ClassVar[str] = "val_nll"
    overridable: ClassVar[Collection[str]] = ("writing",)

    def __init__(self, configuration: LanguageConfig, run: Run):
        super().__init__(configuration, run)
        self._scorers: list[tuple[LanguageModel, Scorer, BlankScorer]] = []

    @classmethod
    def load(cls, configuration: LanguageConfig) -> Documents:
        data = configuration.data
        return load_documents(
            data.spec,
            validation_fraction=data.validation_fraction,
            test_fraction=data.test_fraction,
            split_by=data.split_by,
            max_bad_fraction=data.max_bad_fraction,
            seed=configuration.split_seed,
            reading=data.reading,
        )

    def load_test(self, spec: str, **options: Any) -> Documents:
        data = load_documents(
            spec,
            validation_fraction=0,
            test_fraction=0,
            max_bad_fraction=self.configuration.data.max_bad_fraction,
            reading={key: options[key] for key in READING if key in options},
            kept=self.run.reading_plan,
        )
        return data.as_test()

    def fit_preprocessing(self, data: Documents) -> None:
        fit_units(self.configuration.units, data.splits["train"], self.run.assets)

    def build(self) -> LanguageModel:
        return build_model(self.configuration, self._units.size)

    def compile(self, model: keras.Model, steps_per_epoch: int) -> None:
        compile_model(model, self.configuration, steps_per_epoch)

    def data_module(self, data: Documents) -> StreamDataModule:
        return StreamDataModule(
            data,
            self._units,
            self.configuration.training,
            self.run.path / "cache",
            apart=self._apart,
            seed=self.configuration.seed,
        )

    def after_training(
        self, model: LanguageModel, data_module: StreamDataModule
    ) -> None:
        """Fits the weights of the members, and the cache's attention, to validation."""
        self.keep_baselines(data_module)
        scorer, blanks = self._scorer(model)
        members = scorer.members
        documents = _first(
            data_module.documents("validation"), self.configuration.counts.fitting_units
        )
        found = []
        for flatness in _FLATNESS if members.cache_size else _FLATNESS[:1]:
            members.flatness.assign(flatness)
            scores = scorer.score(documents).log_probabilities
            weights = _system_weights(members, scores)
            likelihood = system_scores(scores, weights[:1]).mean()
            found.append((likelihood, flatness, weights))
        _, flatness, weights = max(found, key=lambda each: each[0])
        members.weights.assign(weights)
        members.flatness.assign(flatness)
        mixture = {
            "members": members.names,
            "systems": members.systems,
            "weights": weights.tolist(),
            "flatness": flatness,
        }
        if blanks.blanks.looks_behind:
            seed = self.configuration.seed
            drawn = draw_blanks(documents, self._units, _FITTING_BLANKS, seed)
            mixture["blanks"] = blanks.fit(drawn).tolist()
        write_json(self._mixture_file, mixture)

    def fit_baselines(self, data_module: StreamDataModule) -> dict[str, Any]:
        counts = self.configuration.counts
        return fit_baselines(
            _first(data_module.documents("train"), counts.counted_units),
            self._units.size,
            counts.order,
        )

    def loss_weight(self, batch: Batch) -> tf.Tensor:
        """The units that are there, over which the loss is a mean."""
        _, _, are_real = batch
        return tf.reduce_sum(are_real)

    def evaluate(
        self,
        model: LanguageModel,
        data_module: StreamDataModule,
        split: str,
        options: Any,
    ) -> LanguageResult:
        scorer, blanks = self.fitted_scorers(model)
        serving = self._serving(scorer, blanks)
        length = self.configuration.writing.length
        documents = data_module.documents(split)
        ranked = self.configuration.training.ranked_units
        rate = options.dynamic_rate
        if rate:
            timesteps = self.configuration.training.timesteps
            scores = scorer.score_dynamically(
                documents, ranked, rate=rate, timesteps=timesteps
            )
        else:
            scores = scorer.score(documents, ranked)
        left_out = self.configuration.training.ranked_blanks
        drawn = draw_blanks(documents, self._units, left_out, self.configuration.seed)
        result = LanguageResult(
            data_module,
            split,
            scores,
            scorer.members,
            blanks=blanks.accuracy(drawn),
            write=lambda temperature: serving.sample(_SAMPLES, length, temperature),
            unigram=self.kept_baselines().get(UNIGRAM),
            seed=self.configuration.seed,
        )
        if rate:
            result.remarks["dynamic_rate"] = rate
        return result

    def servable(self, model: LanguageModel) -> Servable:
        serving = self._serving(*self.fitted_scorers(model))
        writing = self.configuration.writing
        texts = np.array(self._texts(2, _EXAMPLE), object)
        written = {
            "length": np.int32(8),
            "temperature": np.float32(0),
            "top_k": np.int32(0),
            "top_p": np.float32(1),
            "seed": np.int32(0),
        }
        state = np.zeros((1, serving.state_size), np.float32)
        return Servable(
            module=serving,
            signatures=serving.signatures(),
            answer=ContinuationAnswer(
                units=self.configuration.units.kind,
                vocabulary_size=self._units.size,
                **writing.model_dump(),
            ),
            examples={
                "serving_default": {"text": texts},
                "next": {"text": texts, "k": np.int32(3)},
                "generate": {"prompt": texts, **written, "stop": ""},
                "fill": {"text": texts + "____", "k": np.int32(3)},
                "step": {"ids": np.zeros(1, np.int32), "state": state},
                "begin": {"prompt": texts},
                "write": {
                    "behind": texts[:1],
                    "typed": np.array([""], object),
                    "offset": np.zeros(1, np.float32),
                    "state": state,
                    "first": np.int32(0),
                    **written,
                },
            },
            independent_rows=["serving_default", "begin", "step"],
            requires=["tensorflow_text"]
            if self.configuration.units.kind == "subwords"
            else [],
            details={
                "state_size": serving.state_size,
                "mixture": read_json(self._mixture_file),
            },
        )

    def portable(self, model: LanguageModel) -> Portable:
        return self._serving(*self.fitted_scorers(model)).portable()

    def held_out_inputs(self) -> dict[str, Any]:
        return {"text": np.array(self._texts(_HELD_OUT, _HELD_OUT_LENGTH), object)}

    def _texts(self, number: int, length: int) -> list[str]:
        """The beginnings of held-out texts."""
        import pandas

        predictions = pandas.read_csv(self.run.predictions_file, keep_default_na=False)
        return [text[:length] for text in predictions["text"][:number].astype(str)]

    def _scorer(self, model: LanguageModel) -> tuple[Scorer, BlankScorer]:
        """What scores by the model's members, without their fitted weights."""
        # Tracing the graphs takes seconds: once for all splits.
        for known, scorer, of_blanks in self._scorers:
            if known is model:
                return scorer, of_blanks
        baselines = self.kept_baselines()
        members = Members(model, baselines.get(KNESER_NEY), self.configuration.counts)
        blanks = Blanks(members, baselines.get(UNIGRAM))
        self._scorers.append((model, Scorer(members), BlankScorer(blanks, self._units)))
        return self._scorer(model)

    def fitted_scorers(self, model: LanguageModel) -> tuple[Scorer, BlankScorer]:
        """What scores texts and fills blanks by the trained model."""
        scorer, blanks = self._scorer(model)
        mixture = read_json(self._mixture_file)
        scorer.members.weights.assign(mixture["weights"])
        scorer.members.flatness.assign(mixture["flatness"])
        if "blanks" in mixture:
            blanks.blanks.weights.assign(mixture["blanks"])
        return scorer, blanks

    def _serving(self, scorer: Scorer, blanks: BlankScorer) -> LanguageServing:
        return LanguageServing(
            scorer.members, self._units, blanks.blanks, ends=self._apart
        )

    @property
    def _apart(self) -> bool:
        return self.configuration.data.documents == "apart"

    @functools.cached_property
    def _units(self) -> Units:
        return read_units(self.configuration.units, self.run.assets)

    @property
    def _mixture_file(self) -> Path:
        return self.run.assets / "mixture.json"


def _system_weights(members: Members, scores: np.ndarray) -> np.ndarray:
    """The fitted weights of the members in each system, `[systems, M]`."""
    weights = members.weights.numpy()
    weights[0] = fit_weights(scores)
    if CACHE in members.names:
        pair = [members.names.index(name) for name in (RECURRENT, CACHE)]
        row = members.systems.index(CACHE)
        weights[row] = 0
        weights[row, pair] = fit_weights(scores[:, pair])
    return weights


def _first(documents: list[np.ndarray], units: int) -> list[np.ndarray]:
    """Documents up to so many units, the last of them cut."""
    kept = []
    for document in documents:
        kept.append(document[:units])
        units -= len(document)
        if units <= 0:
            break
    return kept
