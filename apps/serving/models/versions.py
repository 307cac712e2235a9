"""Models and their versions: found, loaded, swapped without a gap, and freed."""

import asyncio
import contextlib
import dataclasses
import enum
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import grpc

from ..errors import ServingError, invalid, not_found
from ..settings import Settings
from . import folders
from .batching import Shares
from .configuration import ModelConfig
from .loading import LoadedModel, LoadError, set_aside
from .statistics import Statistics
from .warmup import Answers, warm_up

logger = logging.getLogger("recurra.serving")

ReturnT = TypeVar("ReturnT")


class State(enum.IntEnum):
    """As in TensorFlow Serving's ModelVersionStatus."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass
class Version:
    """One version of a model and what has become of it.

    Attributes:
        model: The model's name.
        number: Of the version.
        content: Of its folder when it was last looked at.
        state: Where it is on its way.
        error: Why it cannot be served, or "".
        loaded: While it is served.
        requests: That hold it. It is not freed before they end.
        unused: Set when it may be freed.
        statistics: Since it was loaded.
    """

    model: str
    number: int
    content: folders.Content
    state: State = State.START
    error: str = ""
    loaded: LoadedModel | None = None
    requests: int = 0
    unused: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    statistics: Statistics = dataclasses.field(default_factory=Statistics)

    @property
    def is_broken(self) -> bool:
        """Whether loading it has failed."""
        return bool(self.error)

    def hold(self) -> LoadedModel:
        """One more request needs the version, which is not freed meanwhile."""
        assert self.loaded is not None
        self.requests += 1
        return self.loaded

    def release(self) -> None:
        """One request less needs the version."""
        self.requests -= 1
        if not self.requests and self.state is State.UNLOADING:
            self.unused.set()


class Model:
    """A model: its configuration and its versions by number."""

    def __init__(self, name: str, config: ModelConfig):
        self.name = name
        self.config = config
        self.versions: dict[int, Version] = {}
        self.wanted: set[int] = set()

    @property
    def known(self) -> dict[int, Version]:
        """The versions that are served, are to be, or were; the largest first."""
        return {
            number: version
            for number, version in sorted(self.versions.items(), reverse=True)
            if number in self.wanted or version.state is not State.START
        }

    @property
    def available(self) -> dict[int, Version]:
        """The versions that answer, the largest last."""
        return {
            number: version
            for number, version in sorted(self.versions.items())
            if version.state is State.AVAILABLE
        }


class Repository:
    """All models of a folder, in step with what stands there.

    Everything but loading and freeing happens on the event loop, so that no state
    needs a lock.

    Args:
        settings: Where the models are, and how they are run.
        configs: The models that are served; None for all of the folder.
        answers: By the protocols, what answers warm-up requests.
        ran: Called with a model's name and the number of rows of every batch that it
            has run.
        in_step: Of several processes that serve, what is waited for before a version
            that is loaded, or found broken, answers.
    """

    def __init__(
        self,
        settings: Settings,
        configs: Mapping[str, ModelConfig] | None,
        answers: Answers,
        ran: Callable[[str, int], None],
        in_step: Callable[[str, int], Awaitable[None]] | None = None,
    ):
        self._settings = settings
        self._configs = configs
        self._answers = answers
        self._ran = ran
        self._in_step = in_step
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._shares = Shares()
        self._refreshing = asyncio.Lock()
        self._tasks: set[asyncio.Task] = set()
        self._unreadable: set[str] = set()
        self.unloaded: set[str] = set()
        self.models: dict[str, Model] = {}

    async def watch(self) -> None:
        """Looks at the folder again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.poll_seconds)
            try:
                await self.refresh()
            except Exception:
                logger.exception("The folder of models could not be looked at")

    async def refresh(self, at_once: bool = False, only: str | None = None) -> None:
        """Brings what is served in step with the folder.

        What cannot be read, be it renamed or on a disk that is away, is left as it is.

        Args:
            at_once: Load also versions that have not been looked at before. Otherwise
                a version is loaded once two looks in turn found the same in its
                folder, since one that is being copied there changes.
            only: The model that is looked at; all if left out. A look at the others
                would count as one of their two, however soon it follows the last.
        """
        async with self._refreshing:
            configs = self._configs
            if configs is None:
                models = self._settings.models
                with self._noting_unreadable(models):
                    found = await self._aside(folders.model_folders, models)
                    configs = {each: ModelConfig(path) for each, path in found.items()}
            if configs is None:
                return
            configs = {
                name: config
                for name, config in configs.items()
                if name not in self.unloaded
            }
            for name, config in configs.items():
                if only not in (None, name):
                    continue
                model = self.models.setdefault(name, Model(name, config))
                model.config = config
                with self._noting_unreadable(config.folder):
                    await self._refresh_model(model, at_once)
            for name in set(self.models) - set(configs):
                if only not in (None, name):
                    continue
                model = self.models.pop(name)
                for version in model.available.values():
                    self._unload(model, version)

    @contextlib.contextmanager
    def _noting_unreadable(self, folder: Path) -> Iterator[None]:
        """Logs once that a folder cannot be read, and goes on."""
        try:
            yield
            self._unreadable.discard(str(folder))
        except OSError as error:
            if str(folder) not in self._unreadable:
                self._unreadable.add(str(folder))
                logger.warning(
                    "%s cannot be read (%s); what is served of it stays so",
                    *(folder, error.strerror),
                )

    async def reload(self, configs: Mapping[str, ModelConfig]) -> None:
        """Serves the models that are listed, and these alone.

        Raises:
            ServingError: If a label would name a version that is not available, or a
                model has no version that can be served.
        """
        for name, config in configs.items():
            self._check_labels(name, config)
        self._configs = configs
        await self.refresh(at_once=True)
        missing = [name for name in configs if not self.models[name].available]
        if missing:
            raise ServingError(
                grpc.StatusCode.UNKNOWN,
                f"Some models did not become available: {{{', '.join(missing)}}}",
            )

    async def control(self, name: str, load: bool) -> None:
        """Loads a model that is not served, or serves one no more.

        Raises:
            ServingError: If the settings do not allow it, the model is not there, or it
                cannot be loaded.
        """
        if not self._settings.model_control:
            raise ServingError(
                grpc.StatusCode.PERMISSION_DENIED,
                "Models are loaded and unloaded as they come and go in the folder; the "
                "setting model_control allows it by request",
            )
        if load:
            self.unloaded.discard(name)
            await self.refresh(at_once=True, only=name)
            self.find(name)
        elif name in self.models:
            self.unloaded.add(name)
            await self.refresh(only=name)
        else:
            raise not_found(f"Could not find any versions of model {name}")

    def available(self) -> list[Version]:
        """All versions that answer."""
        return [
            version
            for _, model in sorted(self.models.items())
            for version in model.available.values()
        ]

    def _check_labels(self, name: str, config: ModelConfig) -> None:
        available = self.models[name].available if name in self.models else {}
        for number in config.labels.values():
            if number not in available:
                raise ServingError(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    f"Request to assign label to version {number} of model {name}, "
                    "which is not currently available for inference",
                )

    async def close(self) -> None:
        """Frees all models once their requests have ended."""
        for model in self.models.values():
            for version in model.available.values():
                self._unload(model, version)
        await asyncio.gather(*self._tasks)
        self._loader.shutdown()

    def find(
        self, name: str, number: int | None = None, label: str | None = None
    ) -> Version:
        """The version that answers a request.

        Raises:
            ServingError: If it is not there.
        """
        if not name:
            raise invalid("ModelSpec has no name specified.")
        model = self.models.get(name)
        if label is not None:
            if model is None or label not in model.config.labels:
                raise invalid(f"Unrecognized servable version label: {label}")
            number = model.config.labels[label]
        available = model.available if model else {}
        if number is None and available:
            number = max(available)
        if number not in available:
            wanted = (
                f"Latest({name})" if number is None else f"Specific({name}, {number})"
            )
            raise not_found(f"Servable not found for request: {wanted}")
        return available[number]

    def status(
        self, name: str, number: int | None = None, label: str | None = None
    ) -> list[Version]:
        """The versions of a model that are served, are to be, or were.

        Raises:
            ServingError: If there are none.
        """
        model = self.models.get(name)
        if label is not None:
            if model is None or label not in model.config.labels:
                raise invalid(f"Unrecognized servable version label: {label}")
            number = model.config.labels[label]
        known = model.known if model else {}
        if number is not None:
            if number not in known:
                raise not_found(f"Could not find version {number} of model {name}")
            return [known[number]]
        if not known:
            raise not_found(f"Could not find any versions of model {name}")
        return list(known.values())

    @property
    def is_ready(self) -> bool:
        """Whether there is something to ask, if there are models at all.

        A model that cannot be served keeps nobody from the others.
        """
        return not self.models or any(model.available for model in self.models.values())

    async def _refresh_model(self, model: Model, at_once: bool) -> None:
        found = await self._aside(folders.versions, model.config.folder)
        settled = self._note(model, found)
        while True:
            sound = [number for number in found if not model.versions[number].is_broken]
            model.wanted = wanted = model.config.wanted(sound)
            missing = sorted(wanted - set(model.available), reverse=True)
            ready = [each for each in missing if at_once or each in settled]
            if not ready:
                break
            await self._load(model, ready[0])
        # What is wanted and is still being copied is waited for.
        if not missing:
            for number, version in model.available.items():
                if number not in wanted:
                    self._unload(model, version)
        for number, version in list(model.versions.items()):
            if number not in found and version.state in (State.START, State.END):
                del model.versions[number]

    def _note(self, model: Model, found: Mapping[int, folders.Content]) -> set[int]:
        """Notes what the folders hold; returns the versions that have not changed."""
        settled = set()
        for number, content in found.items():
            version = model.versions.get(number)
            if version is None:
                model.versions[number] = Version(model.name, number, content)
            elif version.content == content:
                settled.add(number)
            else:
                version.content = content
                if version.is_broken:
                    version.state, version.error = State.START, ""
        return settled

    async def _load(self, model: Model, number: int) -> None:
        # A new one, since requests may still hold what was served of this number.
        version = Version(model.name, number, model.versions[number].content)
        model.versions[number] = version
        version.state = State.LOADING
        try:
            version.loaded = await self._aside(
                self._load_now, model.config.folder, version
            )
        except LoadError as error:
            version.state, version.error = State.END, str(error)
            logger.error(
                "%s version %d cannot be served: %s",
                *(model.name, version.number, version.error),
            )
        if self._in_step is not None:
            await self._in_step(model.name, number)
        if version.is_broken:
            return
        version.state = State.AVAILABLE
        logger.info("%s version %d is served", model.name, version.number)

    def _load_now(self, folder: Path, version: Version) -> LoadedModel:
        version_folder = folders.version_folder(folder, version.number)
        if version_folder is None:
            raise LoadError("Its folder is gone")

        def ran(rows: int) -> None:
            version.statistics.ran(rows)
            self._ran(version.model, rows)

        model = LoadedModel(
            version_folder, self._settings, ran, version.model, self._shares
        )
        try:
            warm_up(model, version_folder, self._answers)
        except Exception:
            model.close()
            raise
        set_aside()
        return model

    def _unload(self, model: Model, version: Version) -> None:
        version.state = State.UNLOADING
        if not version.requests:
            version.unused.set()
        task = asyncio.create_task(self._free(version))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        logger.info("%s version %d is no longer served", model.name, version.number)

    async def _free(self, version: Version) -> None:
        await version.unused.wait()
        loaded, version.loaded = version.loaded, None
        assert loaded is not None
        await self._aside(loaded.close)
        version.state = State.END

    async def _aside(
        self, function: Callable[..., ReturnT], *arguments: object
    ) -> ReturnT:
        """Runs what takes time in the loader's thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._loader, function, *arguments)
