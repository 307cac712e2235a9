"""Translation, fulfilling the contract of a task."""

import dataclasses
import functools
import hashlib
import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import pandas

from ..datasets.sentence_pairs import (
    PairSplit,
    SentencePairs,
    load_sentence_pairs,
    load_test_pairs,
)
from ..errors import UserError
from ..files import read_json, write_json
from ..runs import Run
from ..task import Evaluation, Servable, Task
from .baselines import Baseline, fit_baselines
from .batches import PreparedPairs
from .config import TranslationConfiguration
from .diagnostics import describe_subwords
from .metrics import translation_metrics
from .model import TranslationModel, build_model, compile_model
from .results import make_evaluation
from .serving import TranslationServing
from .subwords import Subwords, learn_subwords
from .translator import Translator

logger = logging.getLogger("recurra")

_ATTENTIONS_SHOWN = 12
_SUBWORDS = ("source.model", "target.model")
# Sentences of a warm-up request.
_EXAMPLES = 2


@dataclasses.dataclass(frozen=True)
class JoinedModels:
    """The models of several runs, which translate as one."""

    models: Sequence[TranslationModel]
    runs: Sequence[Run]


class TranslationTask(Task[TranslationConfiguration, SentencePairs, PreparedPairs]):
    """Sentences of one language to another."""

    name: ClassVar[str] = "translation"
    configuration_class: ClassVar[type] = TranslationConfiguration
    recipes: ClassVar[Path] = Path(__file__).parent / "recipes"
    monitor: ClassVar[str] = "val_bleu"
    monitors_highest: ClassVar[bool] = True
    set_afterwards: ClassVar[Collection[str]] = ("decoding",)

    def __init__(self, configuration: TranslationConfiguration, run: Run):
        super().__init__(configuration, run)
        # Each traces its graphs, which takes seconds, once for all epochs and splits.
        self._translators: list[tuple[Any, bool, Translator]] = []

    @classmethod
    def load(cls, configuration: TranslationConfiguration) -> SentencePairs:
        data = configuration.data
        return load_sentence_pairs(
            data.spec,
            source=data.source,
            target=data.target,
            rules=data.rules,
            validation_share=data.validation_share,
            test_share=data.test_share,
            max_carved=data.max_carved,
            test_data=data.test_data,
            max_bad_share=data.max_bad_share,
            seed=data.split_seed,
        )

    def load_test(self, spec: str, **columns: str | None) -> SentencePairs:
        own = self.configuration.data
        data = load_test_pairs(
            spec,
            source=columns.get("source") or own.source,
            target=columns.get("target") or own.target,
            max_bad_share=own.max_bad_share,
        )
        parts = list(data.splits.values())
        if len(parts) > 1:
            logger.info("%s: judged as one test: %s", spec, ", ".join(data.splits))
        test = PairSplit(
            np.concatenate([part.source for part in parts]),
            np.concatenate([part.target for part in parts]),
        )
        return dataclasses.replace(data, splits={"test": test})

    def facts(self, data: SentencePairs) -> dict[str, Any]:
        return data.as_dict() | {
            "sha256": {name: _sha256(split) for name, split in data.splits.items()}
        }

    def splits(self, data: SentencePairs) -> Sequence[str]:
        return list(data.splits)

    def learn(self, data: SentencePairs) -> None:
        train = data.splits["train"]
        learn_subwords(
            self.configuration.subwords,
            train.source,
            train.target,
            self.run.assets,
            # Not that of the weights: runs with other weights can be joined.
            self.configuration.data.split_seed,
        )
        lengths = self._subwords.source.encode(train.source.tolist()).row_lengths()
        longest = int(lengths.numpy().max())
        write_json(self._lengths_file, {"longest_source": max(1, longest)})

    def build(self) -> TranslationModel:
        return build_model(self.configuration, self._subwords)

    def compile(self, model: keras.Model, steps_per_epoch: int) -> None:
        compile_model(model, self.configuration, steps_per_epoch)

    def prepare(self, data: SentencePairs) -> PreparedPairs:
        training = self.configuration.training
        return PreparedPairs(
            data,
            self._subwords,
            batch_tokens=training.batch_tokens,
            batch_size=training.batch_size,
            seed=self.configuration.seed,
            sampling_alpha=self.configuration.subwords.sampling_alpha,
        )

    def epoch_metrics(
        self, model: keras.Model, prepared: PreparedPairs
    ) -> dict[str, float]:
        """`val_bleu`, of greedy translations."""
        pairs = prepared.data.splits["validation"]
        most = self.configuration.training.bleu_sentences
        # Evenly from all of them, which may stand in some order.
        rows = np.unique(np.linspace(0, len(pairs) - 1, most).round().astype(int))
        translations, _ = self._translator(model, greedy=True).translate(
            pairs.source[rows].tolist()
        )
        metrics = translation_metrics(
            translations, [pairs.target[rows].tolist()], prepared.data.target
        )
        return {"val_bleu": metrics["bleu"]}

    def calibrate(self, model: keras.Model, prepared: PreparedPairs) -> None:
        """Writes the padded share; of probabilities there is nothing to correct."""
        write_json(self.run.padding, {"padded_share": prepared.training.padded_share()})

    def fit_baselines(self, prepared: PreparedPairs) -> dict[str, Baseline]:
        return fit_baselines(prepared.data.splits["train"], self.configuration.seed)

    def evaluate(
        self, model: keras.Model, prepared: PreparedPairs, split: str
    ) -> Evaluation:
        translator = self._translator(model)
        pairs = prepared.data.splits[split]
        sources = pairs.source.tolist()
        translations, scores = translator.translate(sources)
        log_probabilities, pieces = translator.score(sources, pairs.target.tolist())
        baselines = {
            name: baseline.translate(sources)
            for name, baseline in self.kept_baselines().items()
        }
        return make_evaluation(
            {"model": translations, **baselines},
            prepared.data,
            split,
            perplexity=float(
                np.exp(-log_probabilities.sum(dtype=np.float64) / pieces.sum())
            ),
            scores=scores.tolist(),
            attentions=translator.attend(sources[:_ATTENTIONS_SHOWN]),
            configuration=self.configuration,
            history=pandas.read_csv(self.run.history),
            facts={
                "subwords": describe_subwords(self._subwords, pairs),
                "padded share": read_json(self.run.padding)["padded_share"],
            },
        )

    def score(
        self, model: keras.Model, prepared: PreparedPairs, split: str
    ) -> pandas.DataFrame:
        pairs = prepared.data.splits[split]
        log_probabilities, pieces = self._translator(model).score(
            pairs.source.tolist(), pairs.target.tolist()
        )
        return pandas.DataFrame(
            {
                "log_probability": log_probabilities,
                "pieces": pieces,
                "source": pairs.source,
                "target": pairs.target,
            }
        )

    def join(
        self, models: Sequence[keras.Model], others: Sequence[Task]
    ) -> JoinedModels:
        own = read_json(self.run.data)
        for other in others:
            its = read_json(other.run.data)
            if any(its[key] != own[key] for key in ("source", "target", "sha256")):
                raise UserError(
                    f"{other.run.path}: has other pairs or languages than "
                    f"{self.run.path}; join runs with the same data and the same split"
                )
            for name in _SUBWORDS:
                files = [run.assets / name for run in (self.run, other.run)]
                if files[0].read_bytes() != files[1].read_bytes():
                    raise UserError(
                        f"{other.run.path}: has other subwords than {self.run.path}; "
                        "join runs with the same data and section subwords"
                    )
        return JoinedModels(models, [self.run, *(other.run for other in others)])

    def servable(self, model: keras.Model | JoinedModels) -> Servable:
        translator = self._translator(model)
        serving = TranslationServing(translator, self._subwords)
        metrics = read_json(self.run.metrics)
        if isinstance(model, JoinedModels):
            metrics = {"members": [read_json(run.metrics) for run in model.runs]}
        data = self.configuration.data
        sources = pandas.read_csv(self.run.predictions, keep_default_na=False)["source"]
        texts = {"text": sources[:_EXAMPLES].to_numpy(object)}
        return Servable(
            module=serving,
            signatures=serving.signatures(),
            card={
                "task": self.name,
                "source": data.source,
                "target": data.target,
                "inputs": {"text": {"dtype": "string", "shape": ["N"]}},
                "outputs": {
                    "translation": {"dtype": "string", "shape": ["N"]},
                    "score": {"dtype": "float32", "shape": ["N"]},
                },
                "models": len(translator.models),
                "training_data": read_json(self.run.data),
                "metrics": metrics,
                "configuration": self.configuration.model_dump(mode="json"),
            },
            examples={
                "serving_default": texts,
                "nbest": texts | {"k": np.int32(2)},
                "sample": texts | {"temperature": np.float32(1), "seed": np.int32(0)},
                "attend": texts,
                "score": texts | {"translation": texts["text"]},
            },
        )

    def _translator(
        self, model: TranslationModel | JoinedModels, greedy: bool = False
    ) -> Translator:
        for known, is_greedy, translator in self._translators:
            if known is model and is_greedy == greedy:
                return translator
        models = model.models if isinstance(model, JoinedModels) else [model]
        decoding = self.configuration.decoding
        if greedy:
            decoding = decoding.model_copy(update={"beam_size": 1})
        translator = Translator(
            models,
            self._subwords,
            decoding,
            read_json(self._lengths_file)["longest_source"],
            self.configuration.data.target,
        )
        self._translators.append((model, greedy, translator))
        return translator

    @functools.cached_property
    def _subwords(self) -> Subwords:
        return Subwords(self.run.assets)

    @property
    def _lengths_file(self) -> Path:
        return self.run.assets / "lengths.json"


def _sha256(split: PairSplit) -> str:
    """Tells whether the pairs are still what they were."""
    digest = hashlib.sha256()
    for side in (split.source, split.target):
        for text in side:
            digest.update(text.encode("utf-8") + b"\0")
    return digest.hexdigest()
