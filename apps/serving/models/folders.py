"""What stands in the folder of models: names, versions, and whether those change."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

# Of each file in a version's folder: path, size and time of change.
Content: TypeAlias = tuple[tuple[str, int, int], ...]

# A folder of something else is not walked to its end at each look.
MOST_FILES = 10_000

LARGEST_VERSION = 2**63 - 1


def as_version(text: str) -> int | None:
    """The number of a version, or None where the text is none."""
    digits = text.lstrip("0") or text[-1:]
    if not (digits.isascii() and digits.isdecimal()):
        return None
    # Python does not read digits without end.
    if len(digits) > len(str(LARGEST_VERSION)) or int(digits) > LARGEST_VERSION:
        return None
    return int(digits)


def model_folders(models: Path) -> dict[str, Path]:
    """The folders that hold versions, by the names of the models.

    A folder that is there and cannot be read counts, since it may hold some.

    Raises:
        OSError: If the folder of models cannot be read.
    """
    return {
        folder.name: folder
        for folder in _folders(models)
        if not folder.name.startswith(".") and _may_hold_versions(folder)
    }


def _may_hold_versions(folder: Path) -> bool:
    try:
        return any(_versions(folder))
    except FileNotFoundError:
        return False
    except OSError:
        return True


def versions(folder: Path) -> dict[int, Content]:
    """What the folder of each version holds.

    Raises:
        OSError: If the model's folder cannot be read.
    """
    return {number: _content(each) for number, each in _versions(folder)}


def version_folder(folder: Path, number: int) -> Path | None:
    """The folder of a version, which may be written with leading zeros."""
    return next((each for found, each in _versions(folder) if found == number), None)


def _versions(folder: Path) -> Iterator[tuple[int, Path]]:
    for each in _folders(folder):
        number = as_version(each.name)
        if number is not None:
            yield number, each


def _folders(folder: Path) -> list[Path]:
    # Unlike a Path, an entry does not take an error for the answer no.
    with os.scandir(folder) as entries:
        return sorted(Path(entry.path) for entry in entries if entry.is_dir())


def _content(folder: Path) -> Content:
    found: list[tuple[str, int, int]] = []
    for place, _, names in os.walk(folder, followlinks=True):
        for name in names:
            path = os.path.join(place, name)
            try:
                status = os.stat(path)
            except OSError:
                continue
            found.append((path, status.st_size, status.st_mtime_ns))
            if len(found) >= MOST_FILES:
                return tuple(sorted(found))
    return tuple(sorted(found))
