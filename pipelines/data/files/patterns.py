"""The files that a path names: itself, those in a folder, or those of a pattern."""

import glob
from pathlib import Path


def files_at(path: Path) -> tuple[Path, list[Path]]:
    """The folder that they are in, and all files there, in the order of their paths.

    Args:
        path: of a file; of a folder, for everything in it; or with ``*``, ``?`` and
            ``**``. Hidden files are none.
    """
    if path.is_file():
        return path.parent, [path]
    root, paths = path, list(path.rglob("*"))
    if not path.is_dir():
        root = path.parent
        paths = [Path(each) for each in glob.iglob(str(path), recursive=True)]
    return root, [
        each for each in sorted(paths) if each.is_file() and not _is_hidden(each, root)
    ]


def _is_hidden(path: Path, root: Path) -> bool:
    inner = path.relative_to(root) if path.is_relative_to(root) else path
    return any(part.startswith((".", "__MACOSX")) for part in inner.parts)
