"""A task of text to text, but for what it is about: data, names and measures."""

import abc
import dataclasses
import functools
import itertools
import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import keras
import numpy as np
import pandas
import tensorflow as tf

from ..cards import TextAnswer
from ..core.ensembles import refuse_strangers
from ..core.evaluation import RowScores
from ..core.files import read_json, write_json
from ..core.optional import of_baselines
from ..core.portable import Portable
from ..core.runs import Run
from ..core.task import Servable, Task
from ..data.digests import sha256
from ..data.texts.sentence_pairs import (
    PairSplit,
    SentencePairs,
    load_sentence_pairs,
    load_test_pairs,
)
from ..data.texts.stored_texts import Texts
from .batches import Batch, PairDataModule
from .config import READING, OutputEvaluationConfig, SequenceToSequenceConfig
from .generator import Generator
from .long_texts import usual_splitting
from .metrics import Measures, in_streams
from .model import SequenceToSequenceModel, build_model, compile_model
from .report import SequenceToSequenceResult, Wording
from .serving import SequenceToSequenceServing
from .subwords import Subwords, describe_subwords, fit_subwords

logger = logging.getLogger("recurra")

ConfigT = TypeVar("ConfigT", bound=SequenceToSequenceConfig)
#: A model, or several that are asked as one.
Models = SequenceToSequenceModel | tuple[SequenceToSequenceModel, ...]

_ALIGNMENTS_SHOWN = 12
_SUBWORDS = ("source.model", "target.model")
# Sentences of a warm-up request.
_EXAMPLES = 2
# Texts that smaller weights are measured by.
_HELD_OUT = 50
# Pairs that tell as much of lengths as millions would.
_MEASURED_PAIRS = 20_000
# Sources whose lengths are measured together.
_ENCODED_TOGETHER = 10_000
# Of training targets, before it is said that they could not be.
_MOST_CUT_OFF = 0.01


class SequenceToSequenceTask(
    Task[ConfigT, SentencePairs, PairDataModule], Generic[ConfigT]
):
    """Texts to texts, by an encoder and a decoder that attends to it.

    Attributes:
        measures_class: Its measures, made of the code of the targets' language.
        action: What a button that asks for an output says.
        output: What one output is called.
        lowest: Metrics that `training.monitor` may name of which the lowest is best.
    """

    overridable: ClassVar[Collection[str]] = ("decoding",)
    measures_class: ClassVar[type[Measures]]
    action: ClassVar[str]
    output: ClassVar[str]
    lowest: ClassVar[Collection[str]] = ("val_loss",)

    def __init__(self, configuration: ConfigT, run: Run):
        super().__init__(configuration, run)
        # Tracing a generator's graphs takes seconds: once for all epochs and splits.
        self._generators: list[tuple[Models, int, Generator]] = []

    @abc.abstractmethod
    def wording(self, data: SentencePairs) -> Wording:
        """What the task calls its things in a report on such data."""

    @abc.abstractmethod
    def languages(self, data: SentencePairs | None = None) -> tuple[str, str]:
        """Codes of the sources' language and the targets', of data or of training's."""

    @abc.abstractmethod
    def baseline_outputs(self, baseline: Any, sources: Sequence[str]) -> list[str]:
        """What a fitted baseline makes of sources."""

    def chosen_monitor(self, data: SentencePairs) -> str:
        """The metric whose best value marks the best epoch, where no key says."""
        return self.measures_class.headline

    def measures(self, data: SentencePairs) -> Measures:
        """By which outputs for such data are judged."""
        _, target = self.languages(data)
        return self.measures_class(target)

    @classmethod
    def load(cls, configuration: ConfigT) -> SentencePairs:
        data = configuration.data
        return load_sentence_pairs(
            data.spec,
            source=data.source,
            target=data.target,
            pair_columns=data.pair_columns,
            side_columns=data.side_columns,
            content=cls.definition.content,
            rules=data.rules,
            validation_fraction=data.validation_fraction,
            test_fraction=data.test_fraction,
            max_carved=data.max_carved,
            test_data=data.test_data,
            max_bad_fraction=data.max_bad_fraction,
            seed=data.split_seed,
            reading=data.reading,
        )

    def load_test(self, spec: str, **options: Any) -> SentencePairs:
        trained_on = self.configuration.data
        languages = {side: options.get(side) for side in ("source", "target")}
        # Columns of other languages are others.
        kept = None if any(languages.values()) else self.run.reading_plan
        data = load_test_pairs(
            spec,
            source=languages["source"] or trained_on.source,
            target=languages["target"] or trained_on.target,
            pair_columns=trained_on.pair_columns,
            side_columns=trained_on.side_columns,
            content=self.definition.content,
            max_bad_fraction=trained_on.max_bad_fraction,
            reading={key: options[key] for key in READING if key in options},
            kept=kept,
        )
        parts = list(data.splits.values())
        if len(parts) > 1:
            logger.info("%s: evaluated as one test: %s", spec, ", ".join(data.splits))
        test = PairSplit(
            Texts.of(itertools.chain.from_iterable(part.source for part in parts)),
            Texts.of(itertools.chain.from_iterable(part.target for part in parts)),
        )
        return dataclasses.replace(data, splits={"test": test})

    def metadata(self, data: SentencePairs) -> dict[str, Any]:
        hashes = {
            name: sha256(split.source, split.target)
            for name, split in data.splits.items()
        }
        return data.as_dict() | {"sha256": hashes}

    def fit_preprocessing(self, data: SentencePairs) -> None:
        train = data.splits["train"]
        subwords = self.configuration.subwords
        if self.configuration.model.copy_source:
            # What the source alone has can be copied too.
            subwords = subwords.model_copy(update={"vocabulary_threshold": 0})
        fit_subwords(
            subwords,
            train.source,
            train.target,
            self.run.assets,
            # Not that of the weights: runs with other weights can make an ensemble.
            self.configuration.data.split_seed,
        )
        self._fit_lengths(train)
        if self.configuration.training.monitor is None:
            write_json(self._monitor_file, {"monitor": self.chosen_monitor(data)})

    def _fit_lengths(self, train: PairSplit) -> None:
        """Keeps how long sources are, and how texts are to be split by that."""
        rows = np.linspace(0, len(train) - 1, _MEASURED_PAIRS).round().astype(int)
        rows = np.unique(rows)
        lengths = np.concatenate(
            [
                self._subwords.source.encode(part).row_lengths().numpy()
                for part in train.source.parts(_ENCODED_TOGETHER)
            ]
        )
        targets = self._subwords.target.encode(train.target[rows].tolist())
        lengths_of_both = np.stack([lengths[rows], targets.row_lengths().numpy()], 1)
        splitting = usual_splitting(train.source[rows].tolist(), lengths_of_both)
        if splitting != "sentences":
            logger.info(
                "Targets are not as long as their sources let expect, so a text is "
                "parted into %s (decoding.split chooses)",
                "lines" if splitting == "lines" else "nothing",
            )
        self._warn_of_short_limits(lengths_of_both)
        longest = max(1, int(lengths.max()))
        write_json(
            self._lengths_file, {"longest_source": longest, "splitting": splitting}
        )

    def _warn_of_short_limits(self, lengths: np.ndarray) -> None:
        decoding = self.configuration.decoding
        source, target = lengths.T
        limits = np.ceil(decoding.max_length_ratio * source) + decoding.longest_extra
        longer = float((target > limits).mean())
        if longer > _MOST_CUT_OFF:
            logger.warning(
                "%.1f %% of the training targets have more pieces than "
                "decoding.max_length_ratio and decoding.longest_extra allow; raise "
                "them",
                100 * longer,
            )

    @property
    def monitor(self) -> str:  # type: ignore[override]
        """The column of what `training.monitor` says, or of what the data ask for."""
        return _column(self._monitored)

    @property
    def monitors_highest(self) -> bool:  # type: ignore[override]
        return self._monitored not in self.lowest

    @classmethod
    def monitor_of_search(cls, configuration: ConfigT) -> tuple[str, bool]:
        """What `training.monitor` names, or the loss, which fits any targets."""
        named = configuration.training.monitor or "val_loss"
        return _column(named), named not in cls.lowest

    @functools.cached_property
    def _monitored(self) -> str:
        given = self.configuration.training.monitor
        if given is not None:
            return given
        if not self._monitor_file.is_file():
            # A run of before there was a choice.
            return self.measures_class.headline
        return str(read_json(self._monitor_file)["monitor"])

    def build(self) -> SequenceToSequenceModel:
        return build_model(self.configuration, self._subwords, self.definition.name)

    def compile(self, model: keras.Model, steps_per_epoch: int) -> None:
        compile_model(model, self.configuration, steps_per_epoch)

    def data_module(self, data: SentencePairs) -> PairDataModule:
        training = self.configuration.training
        return PairDataModule(
            data,
            self._subwords,
            batch_tokens=training.batch_tokens,
            batch_size=training.batch_size,
            seed=self.configuration.seed,
            sampling_alpha=self.configuration.subwords.sampling_alpha,
        )

    def epoch_metrics(
        self, model: keras.Model, data_module: PairDataModule
    ) -> dict[str, float]:
        """The headline, and what is monitored beside it, of greedy outputs."""
        sources, targets = self._sources_and_targets(
            data_module.data.splits["validation"]
        )
        most = self.configuration.training.measured_outputs
        # Evenly from all of them, which may stand in some order.
        rows = np.unique(np.linspace(0, len(sources) - 1, most).round().astype(int))
        outputs, _ = self._generator(model, beam_size=1).generate(
            [sources[row] for row in rows]
        )
        references = in_streams([targets[row] for row in rows])
        measures = self.measures(data_module.data)
        names = dict.fromkeys((measures.headline, self._monitored))
        names.pop("val_loss", None)
        return {
            f"val_{name}": measures.score(name, outputs, references) for name in names
        }

    def loss_weight(self, batch: Batch) -> tf.Tensor:
        """The real pieces of the target, over which the loss is a mean."""
        _, _, weights = batch
        return tf.reduce_sum(weights)

    def after_training(self, model: keras.Model, data_module: PairDataModule) -> None:
        """Writes the padded fraction; probabilities are not calibrated."""
        write_json(
            self.run.padding_file,
            {"padded_fraction": data_module.training.padded_fraction()},
        )

    def evaluate(
        self,
        model: Models,
        data_module: PairDataModule,
        split: str,
        options: OutputEvaluationConfig,
    ) -> SequenceToSequenceResult | RowScores:
        if options.score:
            return self._score_targets(model, data_module, split)
        generator = self._generator(model)
        data = data_module.data
        pairs = data.splits[split]
        log_probabilities, pieces = generator.score(
            pairs.source.tolist(), pairs.target.tolist()
        )
        sources, targets = self._sources_and_targets(pairs)
        outputs, scores = generator.generate(sources)
        baselines = of_baselines(
            self.kept_baselines(),
            lambda baseline: self.baseline_outputs(baseline, sources),
        )
        return SequenceToSequenceResult(
            data,
            split,
            self.wording(data),
            self.measures(data),
            sources,
            targets,
            outputs,
            baselines,
            scores=scores.tolist(),
            perplexity=float(
                np.exp(-log_probabilities.sum(dtype=np.float64) / pieces.sum())
            ),
            align=lambda: generator.align(sources[:_ALIGNMENTS_SHOWN]),
            describe_subwords=lambda: describe_subwords(self._subwords, pairs),
            padded_fraction=self.run.padded_fraction,
            seed=self.configuration.seed,
            measure=self._monitored,
        )

    def _score_targets(
        self, model: Models, data_module: PairDataModule, split: str
    ) -> RowScores:
        """How likely the model finds the targets of a split."""
        pairs = data_module.data.splits[split]
        given = pairs.source.tolist(), pairs.target.tolist()
        log_probabilities, pieces = self._generator(model).score(*given)
        return RowScores(
            pandas.DataFrame(
                {
                    "log_probability": log_probabilities,
                    "pieces": pieces,
                    "source": given[0],
                    "target": given[1],
                }
            )
        )

    def ensemble(self, models: Sequence[keras.Model], others: Sequence[Task]) -> Models:
        facts = ("source", "target", "sha256")
        refuse_strangers(self, others, facts=facts, assets=_SUBWORDS)
        return tuple(models)

    def servable(self, model: Models) -> Servable:
        generator = self._generator(model)
        serving = SequenceToSequenceServing(
            generator, self._subwords, self.definition.name, self.output
        )
        predictions = pandas.read_csv(self.run.predictions_file, keep_default_na=False)
        texts = {"text": predictions["source"][:_EXAMPLES].to_numpy(object)}
        source, target = self.languages()
        return Servable(
            module=serving,
            signatures=serving.signatures(),
            answer=TextAnswer(
                output=self.output,
                action=self.action,
                source=source,
                target=target,
            ),
            examples={
                "serving_default": texts,
                "nbest": texts | {"k": np.int32(2)},
                "sample": texts | {"temperature": np.float32(1), "seed": np.int32(0)},
                "attend": texts,
                "score": texts | {self.output: texts["text"]},
            },
            details={"ensemble_size": len(generator.models)},
            requires=["tensorflow_text"],
            independent_rows=["serving_default", "nbest", "attend", "score"],
        )

    def portable(self, model: Models) -> Portable:
        return self._generator(model).portable(self.output)

    def held_out_inputs(self) -> dict[str, Any]:
        rows = pandas.read_csv(self.run.predictions_file, keep_default_na=False)
        return {"text": rows["source"][:_HELD_OUT].astype(str).to_numpy(object)}

    def _sources_and_targets(
        self, pairs: PairSplit
    ) -> tuple[list[str], list[list[str]]]:
        """Sources that an output is made for, and the right targets of each."""
        if not self.configuration.data.any_target:
            return pairs.source.tolist(), [[target] for target in pairs.target]
        by_source: dict[str, list[str]] = {}
        for source, target in zip(pairs.source, pairs.target, strict=True):
            by_source.setdefault(source, []).append(target)
        return list(by_source), list(by_source.values())

    def _generator(self, model: Models, beam_size: int | None = None) -> Generator:
        decoding = self.configuration.decoding
        if beam_size is not None:
            decoding = decoding.model_copy(update={"beam_size": beam_size})
        for known, beams, generator in self._generators:
            if known is model and beams == decoding.beam_size:
                return generator
        lengths = read_json(self._lengths_file)
        generator = Generator(
            model if isinstance(model, tuple) else [model],
            self._subwords,
            decoding,
            lengths["longest_source"],
            self.languages()[1],
            # Of runs of before it was kept the sides are in step.
            lengths.get("splitting", "sentences"),
        )
        self._generators.append((model, decoding.beam_size, generator))
        return generator

    @functools.cached_property
    def _subwords(self) -> Subwords:
        return Subwords(self.run.assets, self.configuration.subwords.max_source_pieces)

    @property
    def _lengths_file(self) -> Path:
        return self.run.assets / "lengths.json"

    @property
    def _monitor_file(self) -> Path:
        return self.run.assets / "monitor.json"


def _column(monitored: str) -> str:
    """Of the history, by the value of `training.monitor`."""
    return monitored if monitored == "val_loss" else f"val_{monitored}"
