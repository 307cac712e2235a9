"""The contract of a task.

A task says how its data are loaded, its model is built and evaluated, and what an
exported model answers. `workflow` does with any task what the command line offers, and
`exporting.export` writes its `Servable`. docs/tasks.md shows how to write one.
"""

import abc
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import joblib
import keras
import tensorflow as tf

from ..cards import Answer, ReadingPlan
from .configuration import Config
from .errors import UserError
from .evaluation import EvaluationResult, RowScores
from .files import written_whole
from .portable import Portable
from .registry import TaskDefinition
from .runs import Run
from .task_config import TaskConfig
from .training import number_of_rows

ConfigT = TypeVar("ConfigT", bound=TaskConfig)
DataT = TypeVar("DataT")


class DataModule(Protocol):
    """Data as batches."""

    def training_batches(self, epoch: int) -> tf.data.Dataset:
        """The epoch's batches: the same for the same number, of known cardinality."""
        ...

    def validation_batches(self) -> tf.data.Dataset:
        """The validation part, once through."""
        ...


DataModuleT = TypeVar("DataModuleT", bound=DataModule)


@dataclasses.dataclass(frozen=True)
class Servable:
    """What an export writes.

    Attributes:
        module: Holds what the signatures need, tables and their files included.
        signatures: Functions by signature name, `serving_default` among them: concrete,
            or `tf.function`s with an input signature.
        answer: The kind of the answers of `serving_default`.
        examples: Inputs by signature name, for the warm-up requests.
        details: What the model card says beside what every card says.
        requires: Packages to import before loading, since the graph has ops of theirs.
        independent_rows: Names of the signatures that answer each row of a request as
            if it were alone. A server may join requests to these.
    """

    module: tf.Module
    signatures: Mapping[str, Any]
    answer: Answer
    examples: Mapping[str, Mapping[str, Any]]
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    requires: Sequence[str] = ()
    independent_rows: Sequence[str] = ()


class Task(abc.ABC, Generic[ConfigT, DataT, DataModuleT]):
    """One task, bound to a run directory.

    Everything that `fit_preprocessing` finds out from the training part goes to
    `run.assets`, so `build`, `evaluate` and `servable` need the run alone and not the
    training data.

    Attributes:
        definition: What the command line knows of the task.
        monitor: The column of the history whose smallest value marks the best epoch. A
            property, where it hangs on configuration and data.
        monitors_highest: Whether its highest value does so instead.
        overridable: The sections of the configuration that a trained model depends on
            no more, so that they can be set anew.
    """

    definition: ClassVar[TaskDefinition]
    monitor: ClassVar[str] = "val_loss"
    monitors_highest: ClassVar[bool] = False
    overridable: ClassVar[Collection[str]] = ()

    def __init__(self, configuration: ConfigT, run: Run):
        self.configuration = configuration
        self.run = run

    @classmethod
    @abc.abstractmethod
    def load(cls, configuration: ConfigT) -> DataT:
        """The data with their splits. Raises UserError where they are wrong."""

    @classmethod
    def sized(cls, configuration: ConfigT, data: DataT) -> ConfigT:
        """The configuration with what a rule makes of the size of the data.

        Keys that were set keep their values, and a run's configuration has all of them
        set. By default it is left as it is.
        """
        return configuration

    @classmethod
    def monitor_of_search(cls, configuration: ConfigT) -> tuple[str, bool]:
        """What `recurra tune` compares trials by, and whether the highest is the best.

        It is one column of the history for all data, since no data are read yet.
        """
        return cls.monitor, cls.monitors_highest

    @abc.abstractmethod
    def load_test(self, spec: str, **options: Any) -> DataT:
        """Other data for this run's model; every row of them is the test.

        Args:
            spec: Of the data.
            **options: Of the fields `reading_options` of the section `data`, those that
                are other than in training.
        """

    def metadata(self, data: DataT) -> dict[str, Any]:
        """What the data hold, for data.json, the report and the model card.

        It must differ where the data do, so it has a hash of each split. By default
        what `data.metadata()` gives.
        """
        return data.metadata()  # type: ignore[attr-defined]

    def reading_plan(self, data: DataT) -> ReadingPlan | None:
        """How the files of the data were read: `data.reading_plan`, if there is one.

        `load_test` reads other data by the plan that the run has kept.
        """
        return getattr(data, "reading_plan", None)

    def splits(self, data: DataT) -> Sequence[str]:
        """The names of the splits that the data have; keys of `data.splits`."""
        return list(data.splits)  # type: ignore[attr-defined]

    @abc.abstractmethod
    def fit_preprocessing(self, data: DataT) -> None:
        """Fits the preprocessing to the training part and writes it to assets."""

    @abc.abstractmethod
    def build(self) -> keras.Model:
        """The untrained model, as configuration and assets say."""

    @abc.abstractmethod
    def compile(self, model: keras.Model, steps_per_epoch: int) -> None:
        """Gives the model its optimizer, loss and metrics."""

    @abc.abstractmethod
    def data_module(self, data: DataT) -> DataModuleT:
        """The data as batches, by the fitted preprocessing."""

    def loss_weight(self, batch: Any) -> tf.Tensor:
        """What a training batch, or rows of one, count in the mean that its loss is.

        Where several processes train, each has rows of every batch, and its gradients
        count by this: by default the number of rows.
        """
        return number_of_rows(batch)

    def epoch_metrics(
        self, model: keras.Model, data_module: DataModuleT
    ) -> dict[str, float]:
        """What is measured after each epoch beside the model's own metrics."""
        return {}

    def after_training(self, model: keras.Model, data_module: DataModuleT) -> None:
        """What is fitted to the trained model's answers on validation, if anything."""

    @abc.abstractmethod
    def fit_baselines(self, data_module: DataModuleT) -> Any:
        """The baselines, fitted to the training part, in a form that joblib saves.

        Each is fitted by a call that `optional.of_baselines` makes: then one that
        fails is left out, and the run comes to its end.
        """

    def keep_baselines(self, data_module: DataModuleT) -> None:
        """Fits the baselines and writes them to the run, where that is not done."""
        if not self.run.baselines_file.is_file():
            fitted = self.fit_baselines(data_module)
            with written_whole(self.run.baselines_file) as partial:
                joblib.dump(fitted, partial)

    def kept_baselines(self) -> Any:
        """What `fit_baselines` gave."""
        return joblib.load(self.run.baselines_file)

    @abc.abstractmethod
    def evaluate(
        self, model: Any, data_module: DataModuleT, split: str, options: Any
    ) -> EvaluationResult | RowScores:
        """Evaluates the model and the baselines on a split.

        Args:
            model: The trained model, or what `ensemble` made.
            data_module: The data.
            split: The name of the split.
            options: An `evaluation_class` of the task's definition. With its defaults
                the result is an `EvaluationResult`.
        """

    def ensemble(self, models: Sequence[keras.Model], others: Sequence["Task"]) -> Any:
        """This run's model and those of other runs as one.

        `evaluate` and `servable` take it too.

        Raises:
            UserError: If the runs' models cannot be joined.
        """
        raise UserError(
            f"{self.definition.name}: takes the model of one run; name one run alone"
        )

    @abc.abstractmethod
    def servable(self, model: Any) -> Servable:
        """The model with its preprocessing, to be exported."""

    def portable(self, model: Any) -> Portable:
        """The model as one of numbers alone, for ONNX and LiteRT.

        A task that has it also names `TaskDefinition.portable`.

        Raises:
            UserError: There is none of this model.
        """
        raise UserError(
            f"--format: {self.definition.name} has no model of numbers alone; export "
            "it as a SavedModel"
        )

    def held_out_inputs(self) -> Mapping[str, Any]:
        """Inputs of the default signature that the model was not trained on.

        What smaller weights cost is measured by them; nothing means by the examples.
        """
        return {}

    @property
    def default_evaluation(self) -> Config:
        """The options of an evaluation, all left as they are."""
        return self.definition.evaluation_class()
