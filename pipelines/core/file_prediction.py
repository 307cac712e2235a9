"""Answers to the texts of files, written to a file; what is killed can be gone on with.

Until all is written, the folder `.partial-NAME` beside the file NAME holds

```
  begun.json      hashes of input and model, and the options
  answers.jsonl   a line of JSON for each part of the input that is answered, in order
  NAME            the rows that are written, anew by each process
```

On going on the input is read again, and the kept answers stand for those of the model.
"""

import contextlib
import fcntl
import functools
import hashlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..data.files.table_writing import check_output, table_writer, unwritable_named
from ..data.texts.input_texts import TextFiles, TextRows
from .errors import Interrupted, UserError, WorkerLost
from .files import read_json, write_json
from .parallel.pool import Pool, Tell

if TYPE_CHECKING:
    from .exported_model import ExportedModel
    from .parallel.nodes import Nodes

#: Is told of so many rows more, and that `position` of `size` of the input is read.
Advance = Callable[[int, int, int], None]
Answers = list[dict[str, Any]]

# Processes that a part of the input may end before that is an error.
_TRIES = 3


def predict_file(
    model: "ExportedModel",
    file: Path,
    to: Path,
    *,
    text_column: str | None = None,
    resume: bool = False,
    workers: int = 1,
    nodes: "Nodes | None" = None,
    advance: Advance = lambda *_: None,
    **options: Any,
) -> None:
    """Writes the rows of files with their answers, in their order, whole or not at all.

    Args:
        model: Of texts.
        file: A file, a folder or a pattern, as `TextFiles` takes it.
        to: CSV, TSV, JSON Lines or Parquet, by its suffix.
        text_column: The column of the texts; found if None.
        resume: Go on with what another process has begun and not ended, if it has.
        workers: Processes that answer; each gets its part of the cores.
        nodes: Of the cluster that these run on; this machine if None.
        advance: Is told of progress.
        **options: Of `model.predict_texts`.

    Raises:
        UserError: The input cannot be read or `to` not be written; something stands
            there; or input, model or options are others than those of the beginning.
        Interrupted: By Ctrl-C. The answers so far are kept.
        WorkerLost: Of several workers, one has died again and again.
    """
    check_output(to)
    source = TextFiles(file, model.card, text_column)
    with unwritable_named(to), _Unfinished(to, resume) as unfinished:
        unfinished.agree(_facts(model, source, {"text_column": text_column, **options}))
        done = 0
        try:
            partial = unfinished.folder / to.name
            with table_writer(partial) as write:
                answered = _answered(model, source, unfinished, workers, nodes, options)
                for part, answers in answered:
                    write(part.rows, answers)
                    done += len(answers)
                    advance(len(answers), source.position, source.size)
            os.replace(partial, to)
        except KeyboardInterrupt:
            raise Interrupted(f"stopped after {done:,} rows, which are kept") from None
        except WorkerLost as lost:
            raise WorkerLost(
                f"{lost}\nGo on by --resume; {done:,} rows are kept"
            ) from None
        except UserError:
            # The input has to be mended, and answers to another one are of no use.
            unfinished.remove()
            raise
        unfinished.remove()


def answers_in_order(
    model: "ExportedModel",
    parts: Iterator[TextRows],
    workers: int,
    nodes: "Nodes | None",
    options: Mapping[str, Any],
) -> Iterator[tuple[TextRows, Answers]]:
    """Each part with its answers, by so many processes, of nodes if there are some.

    Raises:
        WorkerLost: One of several has died again and again.
    """
    if workers == 1 and nodes is None:
        for part in parts:
            yield part, model.predict_texts(part.texts, **options)
        return
    folder, kept = str(model.folder), dict(options)
    waiting: list[TextRows] = []

    def asked() -> Iterator[tuple[str, list[str], dict[str, Any]]]:
        for part in parts:
            waiting.append(part)
            yield folder, part.texts, kept

    with Pool(workers, _TRIES, nodes, model.folder) as pool:
        for _, answers in pool.in_order(_answer, asked()):
            yield waiting.pop(0), answers


def _answer(asked: tuple[str, list[str], dict[str, Any]], tell: Tell) -> Answers:
    folder, texts, options = asked
    return _loaded(folder).predict_texts(texts, **options)


@functools.cache
def _loaded(folder: str) -> "ExportedModel":
    from .exported_model import load_model

    return load_model(folder)


def _answered(
    model: "ExportedModel",
    source: TextFiles,
    unfinished: "_Unfinished",
    workers: int,
    nodes: "Nodes | None",
    options: Mapping[str, Any],
) -> Iterator[tuple[TextRows, Answers]]:
    """Each part with its answers: the kept ones first, and then new ones."""
    parts = source.parts()
    for answers in unfinished.kept():
        part = next(parts, None)
        if part is None or len(part.texts) != len(answers):
            raise UserError(f"{unfinished.folder}: does not fit the input; remove it")
        yield part, answers
    for part, answers in answers_in_order(model, parts, workers, nodes, options):
        unfinished.keep(answers)
        yield part, answers


def _facts(
    model: "ExportedModel", source: TextFiles, options: Mapping[str, Any]
) -> dict[str, Any]:
    """What the answers depend on, for JSON."""
    in_model = (each for each in model.folder.rglob("*") if each.is_file())
    return {
        "version": importlib.metadata.version("recurra"),
        "input": {source.name(path): _digest(path) for path in source.paths},
        "model": {
            path.relative_to(model.folder).as_posix(): _digest(path)
            for path in sorted(in_model)
        },
        "options": {key: value for key, value in options.items() if value is not None},
    }


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


class _Unfinished(contextlib.AbstractContextManager["_Unfinished"]):
    """The folder of an output that is not whole yet, of which one process has hold.

    Raises:
        UserError: There is one already and it is not to be gone on with, or another
            process has hold of it.
    """

    def __init__(self, to: Path, resume: bool):
        self.folder = to.parent / f".partial-{to.name}"
        if self.folder.exists() and not resume:
            raise UserError(
                f"{to}: was begun already; go on with it by --resume, or remove "
                f"{self.folder}"
            )
        self.folder.mkdir(exist_ok=resume)
        self._answers: IO[bytes] = (self.folder / "answers.jsonl").open("a+b")
        try:
            fcntl.flock(self._answers, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._answers.close()
            raise UserError(f"{to}: another process is at work on it") from None

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Keeps what the answers depend on, or compares it with what was kept.

        Raises:
            UserError: It is not the same.
        """
        file = self.folder / "begun.json"
        if not file.is_file():
            write_json(file, facts)
            return
        for what, was in read_json(file).items():
            now = facts[what]
            if was == now:
                continue
            if isinstance(was, dict):
                names = sorted(
                    name for name in {**was, **now} if was.get(name) != now.get(name)
                )
                what += f" ({', '.join(names[:3])})"
            raise UserError(
                f"{self.folder}: was begun with another {what}; restore it, or remove "
                "that folder to begin anew"
            )

    def __exit__(self, *error: object) -> None:
        self._answers.close()

    def kept(self) -> Iterator[Answers]:
        """The answers to the first parts, as they were kept."""
        end = 0
        self._answers.seek(0)
        for line in self._answers:
            if not line.endswith(b"\n"):
                # A kill came in between.
                break
            end += len(line)
            yield json.loads(line)
        self._answers.truncate(end)

    def keep(self, answers: Answers) -> None:
        """Adds the answers to the next part."""
        self._answers.write(json.dumps(answers).encode() + b"\n")
        self._answers.flush()

    def remove(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.folder)
