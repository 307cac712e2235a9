"""Sources of data: which reader reads what a spec names.

A spec is the name of a source, with a colon and an argument behind it where the source
takes one (`sample`, `sample:900`, `tfds:imdb_reviews`). Anything else is the path of a
file or a folder, and so is `./sample`.

A package adds a source by `register` in a module that it names in the entry-point group
`recurra.sources`:

```
[options.entry_points]
recurra.sources =
    archive = my_package.archive
```

This module imports nothing slow; a reader is imported when it reads.
"""

import difflib
import functools
import glob
import importlib
import importlib.metadata
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import UserError
from .specs import DataSpec

GROUP = "recurra.sources"

#: Contents. A reader of labelled texts takes the spec and `labelled_rows.TextColumns`,
#: and returns a `LabelledSource`.
LABELLED_TEXTS = "labelled texts"
#: It takes the spec and `pair_rows.Sides`, and returns a `PairSource`.
SENTENCE_PAIRS = "sentence pairs"
#: It takes and returns the same: articles, and what is the gist of each.
SUMMARIES = "articles and summaries"
#: It takes the spec and the `reading.PlanBuilder`, and returns a list of `RawTable`.
TIME_SERIES = "time series"
#: It takes the same, and returns a `documents.TextSource`.
PLAIN_TEXTS = "plain texts"

#: The name of the sources that read files and folders.
FILES = ""

logger = logging.getLogger("recurra")


@dataclass(frozen=True)
class Spec:
    """A spec as a reader takes it.

    Attributes:
        text: All of it, for messages.
        argument: What stands behind the colon; empty if nothing does.
    """

    text: str
    argument: str

    def __str__(self) -> str:
        return self.text

    @property
    def path(self) -> Path:
        """The file or folder, where the spec names one."""
        return Path(self.text).expanduser()

    @property
    def paths(self) -> list[Path]:
        """The files and folders, where the spec names several."""
        return [Path(part.strip()).expanduser() for part in self.text.split(",")]


@dataclass(frozen=True)
class Source:
    """A source of data.

    Attributes:
        name: What a spec begins with.
        content: What the data are: `LABELLED_TEXTS`, `SENTENCE_PAIRS`, `TIME_SERIES`,
            or a content of another package.
        reader: Where the function is that reads a `Spec`: "package.module:function".
            Its further argument and what it returns are those of the content.
        specs: What `recurra data list` says of it.
        many_paths: Whether a spec of files may name several, with commas between them,
            and by what the names of several begin with.
        takes_patterns: Whether it may name them by a pattern, as in `notes/**/*.md`.
    """

    name: str
    content: str
    reader: str
    specs: Sequence[DataSpec] = ()
    many_paths: bool = False
    takes_patterns: bool = False


_ROOM = "recurra.pipelines.data"
_BUILT_IN = (
    Source("tfds", LABELLED_TEXTS, f"{_ROOM}.texts.tfds_texts:read_tfds_texts"),
    Source(FILES, LABELLED_TEXTS, f"{_ROOM}.texts.labelled_files:read_labelled_files"),
    Source("tfds", PLAIN_TEXTS, f"{_ROOM}.texts.documents:read_tfds_documents"),
    Source(
        FILES,
        PLAIN_TEXTS,
        f"{_ROOM}.texts.documents:read_text_files",
        takes_patterns=True,
    ),
    *(
        source
        for content in (SENTENCE_PAIRS, SUMMARIES)
        for source in (
            Source("tfds", content, f"{_ROOM}.texts.tfds_pairs:read_tfds_pairs"),
            Source(
                FILES,
                content,
                f"{_ROOM}.texts.pair_files:read_pair_files",
                many_paths=True,
            ),
        )
    ),
    Source(
        "jena",
        TIME_SERIES,
        f"{_ROOM}.series.jena:read_jena",
        [
            DataSpec(
                "jena", "the public record of Jena, 2009 to 2016, every ten minutes"
            )
        ],
    ),
    Source(FILES, TIME_SERIES, f"{_ROOM}.series.raw_tables:read_station_files"),
)
_sources: dict[tuple[str, str], Source] = {}


def register(source: Source) -> None:
    """Adds a source.

    Raises:
        ValueError: Its content has another source of that name.
    """
    known = _sources.setdefault((source.content, source.name), source)
    if known != source:
        raise ValueError(
            f"{source.content}: the source {source.name!r} is read by {known.reader} "
            f"already; received: {source.reader}"
        )


def read(spec: str, content: str, reading: Any) -> Any:
    """Reads what a spec names.

    Args:
        spec: The spec.
        content: What the data are.
        reading: How they are read: the further argument of the content's readers.

    Raises:
        UserError: There is no such source, file or folder, or it cannot be read.
    """
    sources = _of_content(content)
    name, _, argument = spec.partition(":")
    if name in sources and name != FILES:
        return _reader(sources[name])(Spec(spec, argument), reading)
    files = Spec(spec, "")
    missing = _missing(files, sources.get(FILES))
    if missing is not None:
        raise UserError(f"{missing}: no such file or folder{_hint(spec, sources)}")
    return _reader(sources[FILES])(files, reading)


def _missing(spec: Spec, source: Source | None) -> Path | None:
    """The first path of the spec that is not there."""
    if spec.path.exists():
        return None if source else spec.path
    if source is not None and source.takes_patterns:
        found = glob.iglob(str(spec.path), recursive=True)
        return None if any(found) else spec.path
    if source is None or not source.many_paths:
        return spec.path
    return next((path for path in spec.paths if not _begins_files(path)), None)


def _begins_files(path: Path) -> bool:
    return path.exists() or any(path.parent.glob(f"{glob.escape(path.name)}[._-]*"))


def listed_specs(content: str) -> list[DataSpec]:
    """What `recurra data list` says of the sources of a content."""
    return [spec for source in _of_content(content).values() for spec in source.specs]


def _of_content(content: str) -> dict[str, Source]:
    _load_packages()
    return {name: source for (of, name), source in _sources.items() if of == content}


@functools.cache
def _load_packages() -> None:
    """Registers all sources: the embedded samples, these here, and other packages'."""
    importlib.import_module("recurra.pipelines.samples")
    for source in _BUILT_IN:
        register(source)
    for point in importlib.metadata.entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:
            logger.warning(
                "source %s of %s cannot be loaded (%s: %s); it is left out",
                point.name,
                point.value,
                type(error).__name__,
                error,
            )


def _reader(source: Source) -> Any:
    module, _, function = source.reader.partition(":")
    return getattr(importlib.import_module(module), function)


def _hint(spec: str, sources: dict[str, Source]) -> str:
    name, colon, argument = spec.partition(":")
    near = difflib.get_close_matches(name.lower(), sources, n=3, cutoff=0.6)
    specs = [f"{source}{colon}{argument}" for source in near if source != FILES]
    return f"; did you mean {' or '.join(specs)}?" if specs else ""
