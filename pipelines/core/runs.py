"""Run directories: everything that one training run reads, learns and reports.

```
RUN/
  run.json            the task and the version that wrote the run
  config.yaml         every key of the configuration
  environment.json    versions of what computed it, processor, command line
  data.json           what the data were found to hold
  reading_plan.json   how their files were read
  assets/             what preprocessing learned from the training part
  checkpoints/        the best weights, and the state to go on from
  history.csv         losses and metrics of each epoch
  baselines/          the fitted baselines, by joblib
  metrics.json        the model beside the baselines
  predictions.csv     what the model answered, row by row
  report.html         the same to look at, with figures/
  padding.json        the padded fraction of the training batches, where they have any
  frame.parquet       the training data, where they were given as a DataFrame
  trackers.json       by tracker of experiments the name that it knows the run by
```

A file is written whole or not at all, and a stage whose file is there is done, so a
run that was killed goes on where it stopped.
"""

import importlib.metadata
import os
import platform
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .configuration import Config, write_yaml
from .errors import UserError
from .files import read_json, write_json, write_text
from .notebook import run_html

if TYPE_CHECKING:
    from ..cards import ReadingPlan
    from .exported_model import ExportedModel

#: Of run directories. Those of format 1 have other names of keys, and are read.
FORMAT = 2

REPORTED_PACKAGES = ("recurra", "tensorflow", "keras", "numpy", "scikit-learn")


class Run:
    """A run directory: what a training run read, learned and reports.

    Attributes:
        path: Of the directory. The other properties in `_file` are the paths of what
            stands in it.
    """

    def __init__(self, path: Path):
        self.path = path

    def _repr_html_(self) -> str:
        return run_html(self)

    @classmethod
    def create(
        cls, path: Path, task: str, configuration: Config, command: Sequence[str]
    ) -> "Run":
        """A new run directory.

        Raises:
            UserError: If something stands at the path already; it is left as it is.
        """
        cls.refuse_existing(path)
        partial: Path | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=path.parent))
            partial.chmod(0o755)
            run = cls(partial)
            for folder in (run.assets, run.checkpoints, run.baselines_file.parent):
                folder.mkdir()
            write_text(run.config_file, write_yaml(configuration))
            write_json(partial / "environment.json", environment(command))
            write_json(partial / "run.json", {"task": task, "format": FORMAT})
            # A run is there whole, or not yet.
            os.rename(partial, path)
        except OSError as error:
            raise UserError(
                f"{path}: the run directory cannot be written: {error.strerror}"
            ) from None
        finally:
            if partial is not None:
                shutil.rmtree(partial, ignore_errors=True)
        return cls(path)

    @staticmethod
    def is_free(path: Path) -> bool:
        """Whether nothing stands at the path, or an empty folder.

        Raises:
            UserError: If that cannot be found out.
        """
        try:
            return not path.exists() or (path.is_dir() and not any(path.iterdir()))
        except OSError as error:
            raise UserError(
                f"{path}: cannot be a run directory: {error.strerror}"
            ) from None

    @classmethod
    def refuse_existing(cls, path: Path) -> None:
        """Raises UserError if something but an empty folder stands at the path."""
        if not cls.is_free(path):
            raise UserError(
                f"{path}: exists already and is left as it is; give another --run, "
                "or --resume to go on with it"
            )

    @staticmethod
    def is_at(path: Path) -> bool:
        """Whether a run stands at the path."""
        # Of os.path, since a path that may not be looked at is no run either.
        return os.path.isfile(path / "run.json")

    @classmethod
    def open(cls, path: Path) -> "Run":
        """The run that stands at the path.

        Raises:
            UserError: If there is none.
        """
        if not cls.is_at(path):
            raise UserError(
                f"{path}: not a run directory (no run.json in it); "
                "'recurra train TASK --run DIR' makes one"
            )
        run = cls(path)
        try:
            _ = run.task
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(
                f"{path}: run.json in it is broken; restore it, or train anew in "
                "another --run"
            ) from None
        return run

    @property
    def task(self) -> str:
        """The name of the task that the run belongs to."""
        return read_json(self.path / "run.json")["task"]

    @property
    def name(self) -> str:
        """The name of the directory, which an exported model takes by default."""
        return self.path.resolve().name

    @property
    def is_finished(self) -> bool:
        """Whether the run was trained and evaluated to its end."""
        return self.metrics_file.is_file()

    @property
    def metrics(self) -> dict[str, Any]:
        """What metrics.json of the finished run holds.

        Raises:
            UserError: The run is not finished.
        """
        self.refuse_unfinished()
        return read_json(self.metrics_file)

    @property
    def failed(self) -> dict[str, str]:
        """Of a finished run, by name the reason why some part of it is left out."""
        return self.metrics.get("failed", {}) if self.is_finished else {}

    @property
    def unfinished(self) -> dict[str, dict[str, int]]:
        """Of a run at its best epoch so far, by its name that `epoch`, of `epochs`."""
        return self.metrics.get("unfinished", {})

    @property
    def resume_command(self) -> str:
        """The command that goes on with the run, as a shell takes it."""
        return f"recurra train {self.task} --run {shlex.quote(str(self.path))} --resume"

    def refuse_unfinished(self) -> None:
        """Raises UserError if the run's training has not come to an end."""
        if not self.is_finished:
            raise UserError(
                f"{self.path}: training is not finished; take its best epoch so far "
                f"by --unfinished, or go on with: {self.resume_command}"
            )

    def evaluate(self, data: Any = None, **options: Any) -> Any:
        """As `recurra.pipelines.evaluate` with this run."""
        from .api import evaluate

        return evaluate(self, data, **options)

    def export(
        self,
        to: str | Path | None = None,
        name: str | None = None,
        *,
        unfinished: bool = False,
        format: str = "savedmodel",
        weights: str = "float32",
    ) -> "ExportedModel":
        """Exports the run as the next version of a model.

        Args:
            to: The folder of models; by default saved_models, onnx_models or
                litert_models.
            name: The model's name in it; the run's by default.
            unfinished: Whether to take the best epoch so far, if training has not
                come to its end.
            format: "savedmodel", "onnx" or "litert".
            weights: As of `recurra.pipelines.export`.

        Returns:
            The exported version, ready to predict.
        """
        from .api import export

        return export(
            [self], to, name, unfinished=unfinished, format=format, weights=weights
        )

    @property
    def config_file(self) -> Path:
        return self.path / "config.yaml"

    @property
    def metadata_file(self) -> Path:
        return self.path / "data.json"

    @property
    def reading_plan_file(self) -> Path:
        return self.path / "reading_plan.json"

    @property
    def reading_plan(self) -> "ReadingPlan | None":
        """How the files of the data were read; None where no plan was kept."""
        if not self.reading_plan_file.is_file():
            return None
        from ..cards import ReadingPlan

        return ReadingPlan.model_validate(read_json(self.reading_plan_file))

    @property
    def assets(self) -> Path:
        return self.path / "assets"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def history_file(self) -> Path:
        return self.path / "history.csv"

    @property
    def baselines_file(self) -> Path:
        return self.path / "baselines" / "baselines.joblib"

    @property
    def padding_file(self) -> Path:
        return self.path / "padding.json"

    @property
    def padded_fraction(self) -> float:
        """Of the positions of training batches, those that are padding."""
        saved = read_json(self.padding_file)
        # Runs of format 1 have it under another name.
        return saved.get("padded_fraction", saved.get("padded_share"))

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.json"

    @property
    def predictions_file(self) -> Path:
        return self.path / "predictions.csv"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def figures(self) -> list[Path]:
        """Those of the report, by name."""
        return sorted((self.path / "figures").glob("*.png"))


def next_free(folder: Path, task: str) -> Path:
    """`folder/TASK-N` with the smallest N at which nothing stands."""
    number = 1
    while (folder / f"{task}-{number}").exists():
        number += 1
    return folder / f"{task}-{number}"


def package_versions(packages: Sequence[str] = REPORTED_PACKAGES) -> dict[str, str]:
    """The installed version of each package that is there."""
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def environment(command: Sequence[str]) -> dict[str, Any]:
    """What a result depends on beside configuration and data."""
    return {
        "command": list(command),
        "python": platform.python_version(),
        "packages": package_versions(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processors": len(os.sched_getaffinity(0))
        if sys.platform == "linux"
        else os.cpu_count(),
    }
