"""The smallest task: numbers to numbers, trained within a second."""

from pathlib import Path

import keras
import numpy as np
import pandas
import tensorflow as tf

from recurra.pipelines.cards import NumberAnswer
from recurra.pipelines.core.evaluation import EvaluationResult, ReportContent
from recurra.pipelines.core.optional import of_baselines
from recurra.pipelines.core.registry import TaskDefinition
from recurra.pipelines.core.serving_module import ServingModule, graph
from recurra.pipelines.core.task import Servable, Task
from recurra.pipelines.core.task_config import TaskConfig
from recurra.pipelines.core.training import make_optimizer
from recurra.pipelines.data.batches import ArrayDataModule
from recurra.pipelines.reporting.page import Metric, new_figure

TASK = TaskDefinition(
    name="toy",
    summary="Numbers to numbers.",
    config_class=TaskConfig,
    implementation=f"{__name__}:ToyTask",
    description=f"{__name__}:describe",
    recipes=Path(__file__).parent,
)
#: What raises, by its name: a baseline, or a part of the report.
FAULTS: dict[str, Exception] = {}
#: How often each baseline was fitted, and the preprocessing.
CALLS: dict[str, int] = {}


def _called(name):
    CALLS[name] = CALLS.get(name, 0) + 1
    if name in FAULTS:
        raise FAULTS[name]


class ToyData:
    spec = "toy"

    def __init__(self):
        x = np.linspace(-1, 1, 96, dtype=np.float32)[:, None]
        order = np.random.default_rng(0).permutation(len(x))
        parts = np.split(order, [64, 80])
        self.splits = {
            name: (x[rows], 3 * x[rows] + 1)
            for name, rows in zip(("train", "validation", "test"), parts, strict=True)
        }

    def metadata(self):
        return {"rows": {name: len(x) for name, (x, _) in self.splits.items()}}


class Constant:
    def __init__(self, value):
        self.value = value

    def predict(self, x):
        _called("answer")
        return np.full(len(x), self.value, np.float32)


class ToyResult(EvaluationResult):
    def __init__(self, data, split, answers):
        self.data, self.split = data.spec, split
        self._rows, self._answers = data.splits[split], answers
        metrics = {
            name: {"mae": float(np.abs(answer - self._rows[1][:, 0]).mean())}
            for name, answer in answers.items()
        }
        self.model = metrics.pop("model")
        self.baselines = metrics

    def predictions(self):
        return pandas.DataFrame(
            {"x": self._rows[0][:, 0], "predicted": self._answers["model"]}
        )

    def report_content(self):
        _called("report")
        return ReportContent(
            title="Toy",
            summary="",
            learning_curves={"loss": "Loss"},
            metrics=[Metric("mae", "MAE", higher_is_better=False)],
            sections=[self._add_errors],
        )

    def _add_errors(self, report):
        report.section("Errors")
        report.figure("Error by number", self._draw)
        _called("section")
        report.text("Below the figure.")

    def _draw(self):
        _called("figure")
        figure, _ = new_figure()
        return figure


class ToyServing(ServingModule):
    def __init__(self, model):
        super().__init__("toy", model.variables, model=model)
        texts = tf.TensorSpec([None], tf.string, name="text")
        self.answer = graph(self._answer, [texts])

    def _answer(self, text):
        x = tf.strings.to_number(text)[:, None]
        return {"value": self.untracked.model(x)[:, 0]}


class ToyTask(Task):
    definition = TASK

    @classmethod
    def load(cls, configuration):
        return ToyData()

    def load_test(self, spec, **options):
        return ToyData()

    def fit_preprocessing(self, data):
        _called("preprocessing")

    def build(self):
        return keras.Sequential([keras.layers.Input([1]), keras.layers.Dense(1)])

    def compile(self, model, steps_per_epoch):
        optimizer = make_optimizer(self.configuration.training, steps_per_epoch)
        model.compile(optimizer, "mse")

    def data_module(self, data):
        batch_size = self.configuration.training.batch_size
        return ArrayDataModule(data, data.splits, lambda x: x, batch_size, 0)

    def after_training(self, model, data_module):
        (self.run.assets / "calibration.json").write_text("{}")

    def fit_baselines(self, data_module):
        def fit(name, value):
            _called(name)
            return Constant(value)

        return of_baselines(
            {"zero": ("zero", 0.0), "one": ("one", 1.0)}, lambda each: fit(*each)
        )

    def evaluate(self, model, data_module, split, options):
        x, _ = data_module.data.splits[split]
        answers = {"model": model.predict(x, verbose=0)[:, 0]}
        baselines = self.kept_baselines()
        answers |= of_baselines(baselines, lambda each: each.predict(x))
        return ToyResult(data_module.data, split, answers)

    def servable(self, model):
        assert (self.run.assets / "calibration.json").is_file()
        serving = ToyServing(model)
        return Servable(
            module=serving,
            signatures={"serving_default": serving.answer},
            answer=NumberAnswer(),
            examples={"serving_default": {"text": np.array(["0.5"], object)}},
        )
