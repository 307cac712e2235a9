"""Files that are there whole or not at all."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path to write to; on leaving without an error it is moved to `path`.

    The file appears under its name whole or not at all, also when the process is
    killed meanwhile. The ending of the name is kept, since writers look at it.
    """
    handle, name = tempfile.mkstemp(
        prefix=f".partial-{os.getpid()}-", suffix="-" + path.name, dir=path.parent
    )
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        # mkstemp makes files for their owner alone; give what a plain open() gives.
        mask = os.umask(0)
        os.umask(mask)
        partial.chmod(0o666 & ~mask)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, whole or not at all."""
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes JSON with an indent, whole or not at all; NaN and infinity are refused."""
    write_text(
        path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )


def read_json(path: Path) -> Any:
    """The value that the JSON file holds."""
    return json.loads(path.read_text(encoding="utf-8"))
