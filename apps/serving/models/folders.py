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


def model_folders(models: Path) -> dict[str, Path]:
    """The folders that hold versions, by the names of the models."""
    return {
        folder.name: folder
        for folder in _folders(models)
        if not folder.name.startswith(".") and any(_versions(folder))
    }


def versions(folder: Path) -> dict[int, Content]:
    """What the folder of each version holds."""
    return {number: _content(each) for number, each in _versions(folder)}


def version_folder(folder: Path, number: int) -> Path | None:
    """The folder of a version, which may be written with leading zeros."""
    return next((each for found, each in _versions(folder) if found == number), None)


def _versions(folder: Path) -> Iterator[tuple[int, Path]]:
    for each in _folders(folder):
        name = each.name
        if name.isascii() and name.isdecimal() and int(name) <= LARGEST_VERSION:
            yield int(name), each


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if each.is_dir())
    except OSError:
        return []


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
