"""The contract of a task.

A task says how its data are loaded, its model built and judged, and what an exported
model answers. `workflow` does with any task what the command line offers, and
`exporting.export` writes its `Servable`.
"""

import abc
import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import joblib
import keras
import pandas
import pydantic
import tensorflow as tf

from .configuration import Section
from .errors import UserError
from .files import written_whole
from .runs import Run
from .training import TrainingSection


class DataSection(Section):
    """Where the data come from; a task adds what it needs to know of them."""

    spec: str = pydantic.Field(
        "sample", min_length=1, description="sample, tfds:NAME, or a file or folder"
    )


class TaskSection(Section):
    """What the configuration of every task holds."""

    seed: int = pydantic.Field(0, ge=0, description="of splits, weights and noise")
    data: DataSection = DataSection()
    training: TrainingSection = TrainingSection()


ConfigurationT = TypeVar("ConfigurationT", bound=TaskSection)
DataT = TypeVar("DataT")


class Prepared(Protocol):
    """Data as batches."""

    def training_batches(self, epoch: int) -> tf.data.Dataset:
        """The epoch's batches: the same for the same number, of known cardinality."""
        ...

    def validation_batches(self) -> tf.data.Dataset:
        """The validation part, once through."""
        ...


PreparedT = TypeVar("PreparedT", bound=Prepared)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """How the model and its baselines did on one split.

    Attributes:
        data: The spec of the data.
        split: The name of the split.
        model: Metric by name.
        baselines: The same metrics of each baseline.
        further: Intervals, curves and tables, ready for JSON.
        predictions: A row per row of the split.
        write_report: Writes report.html and its figures into a folder.
    """

    data: str
    split: str
    model: Mapping[str, float]
    baselines: Mapping[str, Mapping[str, float]]
    further: Mapping[str, Any]
    predictions: pandas.DataFrame
    write_report: Callable[[Path], None]

    def as_json(self, task: str) -> dict[str, Any]:
        """The one form that metrics.json and `evaluate --json` have."""
        return {
            "task": task,
            "data": self.data,
            "split": self.split,
            "model": dict(self.model),
            "baselines": {name: dict(row) for name, row in self.baselines.items()},
            **self.further,
        }

    def write_predictions(self, path: Path) -> None:
        """Writes them as CSV."""
        with written_whole(path) as partial:
            self.predictions.to_csv(partial, index=False)


@dataclasses.dataclass(frozen=True)
class Servable:
    """What an export writes.

    Attributes:
        module: Holds what the signatures need, tables and their files included.
        signatures: Concrete or traceable functions by signature name.
        card: Task, input schema, classes or units, training data, metrics.
        examples: Inputs by signature name, for the warm-up requests.
    """

    module: tf.Module
    signatures: Mapping[str, Any]
    card: Mapping[str, Any]
    examples: Mapping[str, Mapping[str, Any]]


class Task(abc.ABC, Generic[ConfigurationT, DataT, PreparedT]):
    """One task, bound to a run directory.

    `recipes` is the folder of the task's recipes, `monitor` the column of the history
    whose smallest value marks the best epoch, or, where `monitors_highest`, its
    highest value. `set_afterwards` are the sections of the configuration that a trained
    model depends on no more. Everything that `learn` finds out from the training part
    goes to `run.assets`, so `build`, `evaluate` and `servable` need the run alone and
    not the training data.
    """

    name: ClassVar[str]
    configuration_class: ClassVar[type[TaskSection]]
    recipes: ClassVar[Path]
    monitor: ClassVar[str]
    monitors_highest: ClassVar[bool] = False
    set_afterwards: ClassVar[Collection[str]] = ()

    def __init__(self, configuration: ConfigurationT, run: Run):
        self.configuration = configuration
        self.run = run

    @classmethod
    @abc.abstractmethod
    def load(cls, configuration: ConfigurationT) -> DataT:
        """The data with their splits. Raises UserError where they are wrong."""

    @abc.abstractmethod
    def load_test(self, spec: str, **columns: str | None) -> DataT:
        """Other data for this run's model; every row of them is the test."""

    @abc.abstractmethod
    def facts(self, data: DataT) -> dict[str, Any]:
        """What the data hold, for data.json, the report and the model card."""

    @abc.abstractmethod
    def splits(self, data: DataT) -> Sequence[str]:
        """The names of the splits that the data have."""

    @abc.abstractmethod
    def learn(self, data: DataT) -> None:
        """Fits the preprocessing to the training part and writes it to assets."""

    @abc.abstractmethod
    def build(self) -> keras.Model:
        """The untrained model, as configuration and assets say."""

    @abc.abstractmethod
    def compile(self, model: keras.Model, steps_per_epoch: int) -> None:
        """Gives the model its optimizer, loss and metrics."""

    @abc.abstractmethod
    def prepare(self, data: DataT) -> PreparedT:
        """The data as batches, by the preprocessing that was learned."""

    def epoch_metrics(
        self, model: keras.Model, prepared: PreparedT
    ) -> dict[str, float]:
        """What is measured after each epoch beside the model's own metrics."""
        return {}

    @abc.abstractmethod
    def calibrate(self, model: keras.Model, prepared: PreparedT) -> None:
        """Fits on validation what corrects the trained model's confidence."""

    @abc.abstractmethod
    def fit_baselines(self, prepared: PreparedT) -> Any:
        """The baselines, fitted to the training part, in a form that joblib saves."""

    def keep_baselines(self, prepared: PreparedT) -> None:
        """Fits the baselines and writes them to the run, where that is not done."""
        if not self._baselines_file.is_file():
            fitted = self.fit_baselines(prepared)
            with written_whole(self._baselines_file) as partial:
                joblib.dump(fitted, partial)

    def kept_baselines(self) -> Any:
        """What `fit_baselines` gave."""
        return joblib.load(self._baselines_file)

    @abc.abstractmethod
    def evaluate(
        self, model: keras.Model, prepared: PreparedT, split: str
    ) -> Evaluation:
        """Judges the model and the baselines on a split."""

    def score(
        self, model: keras.Model, prepared: PreparedT, split: str
    ) -> pandas.DataFrame:
        """What the model says of each row's own answer: a row of scores for each."""
        raise UserError(f"--score: {self.name} has no answers to score")

    def join(self, models: Sequence[keras.Model], others: Sequence["Task"]) -> Any:
        """This run's model and those of other runs as one.

        The methods that take a model take it too.

        Raises:
            UserError: If the runs' models cannot be joined.
        """
        raise UserError(f"{self.name}: gives one answer by one run; name one run alone")

    def backtest(
        self, model: keras.Model, prepared: PreparedT, split: str, blocks: int
    ) -> Evaluation:
        """Judges on a split and on each of so many stretches of its time."""
        raise UserError(f"--backtest: the rows of {self.name} have no time")

    @abc.abstractmethod
    def servable(self, model: keras.Model) -> Servable:
        """The model with its preprocessing, to be exported."""

    @property
    def _baselines_file(self) -> Path:
        return self.run.baselines / "baselines.joblib"
