"""The tasks that are installed: found by entry points, loaded when they are used.

A package adds a task by an entry point of the group `recurra.tasks` that names a
`TaskDefinition`:

```
[options.entry_points]
recurra.tasks =
    stars = my_package.stars.cli:TASK
```
"""

import dataclasses
import difflib
import importlib
import importlib.metadata
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.sources import listed_specs
from ..data.specs import DataSpec
from .configuration import Config
from .errors import UserError
from .search_space import Choice, Range
from .task_config import TaskConfig

if TYPE_CHECKING:
    from ..data.description import DataDescription
    from .portable import PortableServing
    from .task import Task

GROUP = "recurra.tasks"

logger = logging.getLogger("recurra")


@dataclasses.dataclass(frozen=True)
class Groups:
    """Parts of the data that can have a model each, such as stations.

    Attributes:
        name: Of one, as it is called.
        function: Where the function is that finds them, "package.module:function": from
            the section `data` to the values over it of each group, by its name.
    """

    name: str
    function: str

    @property
    def option(self) -> str:
        """The name of the option that asks for a model of each."""
        return f"each_{self.name}"

    def find(self, data: Any) -> Mapping[str, Mapping[str, Any]]:
        """The groups of the data. Raises UserError where the data are wrong."""
        return _load(self.function)(data)


@dataclasses.dataclass(frozen=True)
class TaskDefinition:
    """What is known of a task before TensorFlow is imported.

    Attributes:
        name: As on the command line.
        summary: What the task does, in one line.
        config_class: The configuration, with every default. The fields of its section
            `data` are options of `recurra train`.
        implementation: Where the `Task` is: "package.module:Class".
        description: Where the function is that describes data for `recurra data show`,
            "package.module:function": from the section `data` to a `DataDescription`.
        portable: Where the `core.portable.PortableServing` is, if models can be
            exported as ONNX or for LiteRT: "package.module:Class".
        recipes: The folder of the task's recipes. One called `sample` is for the
            embedded sample.
        content: Of the sources that the task reads; see `data.sources`.
        data_specs: What `recurra data list` says of files and data sets, below the
            sources that bring a line of their own.
        reading_options: The fields of `data` that say how a file is read, and can be
            given anew for other data.
        shown_options: The fields of `data` that `recurra data show` takes, where these
            are more.
        evaluation_class: The options that evaluations of this task take.
        intended_use: What its models are for, for their cards.
        limits: What they are not for, and what they cannot, a sentence each.
        groups: Of the data, that `recurra train` can make a model of each.
        search_space: What `recurra tune` tries beside what all tasks share, by dotted
            key; with None what of that it is to leave.
        examples: Inputs that a demonstration predicts on; without any, the sample.
        is_shown_first: Whether `recurra data show` reads for this task, if none is
            named.
    """

    name: str
    summary: str
    config_class: type[TaskConfig]
    implementation: str
    description: str
    recipes: Path
    portable: str = ""
    content: str = ""
    data_specs: Sequence[DataSpec] = ()
    reading_options: Sequence[str] = ()
    shown_options: Sequence[str] = ()
    evaluation_class: type[Config] = Config
    intended_use: str = ""
    limits: Sequence[str] = ()
    groups: Groups | None = None
    search_space: Mapping[str, Range | Choice | None] = dataclasses.field(
        default_factory=dict
    )
    examples: Sequence[str] = ()
    is_shown_first: bool = False

    def listed_specs(self) -> list[DataSpec]:
        """What `recurra data list` says of the task's data."""
        return [*listed_specs(self.content), *self.data_specs]

    def load(self) -> type["Task"]:
        """The task itself; imports TensorFlow."""
        return _load(self.implementation)

    def load_portable(self) -> type["PortableServing"]:
        """What is done around models of numbers alone; without TensorFlow.

        Raises:
            UserError: The task has no such models.
        """
        if not self.portable:
            raise UserError(
                f"--format: {self.name} has no model of numbers alone; export it as a "
                "SavedModel"
            )
        return _load(self.portable)

    def describe(self, data: Any) -> "DataDescription":
        """What the pipeline sees in the data that the section `data` names."""
        function: Callable[[Any], DataDescription] = _load(self.description)
        return function(data)


def task_names() -> list[str]:
    """The names of all tasks, whether they can be loaded or not."""
    return sorted({point.name for point in _entry_points()})


def definitions() -> Iterator[TaskDefinition]:
    """All tasks, by name. One that is broken is named in the log and left out."""
    for name in task_names():
        try:
            yield find_definition(name)
        except UserError as error:
            logger.warning("%s; it is left out", error)


def find_definition(name: str) -> TaskDefinition:
    """The task of that name.

    Raises:
        UserError: There is none, several packages bring one, or it cannot be loaded.
    """
    points = [point for point in _entry_points() if point.name == name]
    if not points:
        names = task_names()
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(f"{name}: no such task; {hint}there are: {', '.join(names)}")
    packages = sorted({_package(point) for point in points})
    if len(packages) > 1:
        raise UserError(
            f"task {name}: {' and '.join(packages)} bring one each; uninstall one"
        )
    try:
        definition = points[0].load()
    except Exception as error:
        raise UserError(
            f"task {name} of {packages[0]} cannot be loaded "
            f"({type(error).__name__}: {error}); mend or uninstall that package"
        ) from error
    if not isinstance(definition, TaskDefinition) or definition.name != name:
        raise UserError(
            f"task {name} of {packages[0]}: {points[0].value} is no TaskDefinition of "
            "that name; mend or uninstall that package"
        )
    return definition


def find_task(name: str) -> type["Task"]:
    """The task of that name, loaded. Raises UserError as `find_definition` does."""
    return find_definition(name).load()


def _entry_points() -> Sequence[importlib.metadata.EntryPoint]:
    return tuple(importlib.metadata.entry_points(group=GROUP))


def _package(point: importlib.metadata.EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
