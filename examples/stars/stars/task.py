"""The task, fulfilling the contract."""

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np

from recurra.pipelines.cards import NumberAnswer
from recurra.pipelines.core.files import write_text
from recurra.pipelines.core.optional import of_baselines
from recurra.pipelines.core.task import Servable, Task
from recurra.pipelines.data.batches import ArrayDataModule
from recurra.pipelines.data.texts.labelled_texts import LabelledTexts

from .baselines import fit_baselines
from .cli import TASK
from .config import StarsConfig
from .data import load_reviews, rows_of
from .model import build_model, compile_model, text_vectorization
from .report import StarsResult
from .serving import StarsServing

EXAMPLES = ("A lovely evening.", "Not worth the money.")


class StarsTask(Task[StarsConfig, LabelledTexts, ArrayDataModule]):
    """From a review to its number of stars."""

    definition = TASK

    @classmethod
    def load(cls, configuration: StarsConfig) -> LabelledTexts:
        return load_reviews(configuration.data, configuration.seed)

    def load_test(self, spec: str, **options: Any) -> LabelledTexts:
        data = self.configuration.data.model_copy(update={"spec": spec, **options})
        return load_reviews(data, self.configuration.seed, only_test=True)

    def fit_preprocessing(self, data: LabelledTexts) -> None:
        size = self.configuration.text.vocabulary_size
        vectorize = keras.layers.TextVectorization(max_tokens=size)
        vectorize.adapt(rows_of(data, "train")[0].astype(str))
        words = vectorize.get_vocabulary(include_special_tokens=False)
        write_text(self._vocabulary_file, "\n".join(words))

    def build(self) -> keras.Model:
        return build_model(self.configuration, self._vectorize.vocabulary_size())

    def compile(self, model: keras.Model, steps_per_epoch: int) -> None:
        compile_model(model, self.configuration, steps_per_epoch)

    def data_module(self, data: LabelledTexts) -> ArrayDataModule:
        splits = {name: rows_of(data, name) for name in data.splits}
        batch_size = self.configuration.training.batch_size
        seed = self.configuration.seed
        return ArrayDataModule(data, splits, self._vectorize, batch_size, seed)

    def fit_baselines(self, data_module: ArrayDataModule) -> dict[str, Any]:
        return fit_baselines(*rows_of(data_module.data, "train"))

    def evaluate(
        self, model: Any, data_module: ArrayDataModule, split: str, options: Any
    ) -> StarsResult:
        texts, _ = rows_of(data_module.data, split)
        answers = {"model": model.predict(data_module.batches(split), verbose=0)[:, 0]}
        answers |= of_baselines(self.kept_baselines(), lambda each: each.predict(texts))
        return StarsResult(data_module.data, split, answers)

    def servable(self, model: Any) -> Servable:
        return Servable(
            module=(serving := StarsServing(model, self._vectorize)),
            signatures={"serving_default": serving.rate},
            answer=NumberAnswer(name="stars"),
            examples={"serving_default": {"text": np.array(EXAMPLES, object)}},
            independent_rows=["serving_default"],
        )

    @functools.cached_property
    def _vectorize(self) -> keras.layers.TextVectorization:
        return text_vectorization(self.configuration.text, self._vocabulary_file)

    @property
    def _vocabulary_file(self) -> Path:
        return self.run.assets / "vocabulary.txt"
