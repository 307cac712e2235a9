"""Versions of exported models on disk."""

import contextlib
from pathlib import Path

from .errors import UserError

#: The file of a model, by what `recurra export --format` calls its format.
MODEL_FILES = {
    "savedmodel": "saved_model.pb",
    "onnx": "model.onnx",
    "litert": "model.tflite",
}


def version_folder(folder: Path) -> Path:
    """The folder of a version: the one given, or the latest in a model's folder.

    Args:
        folder: Either of these, or the file of a model in a version's folder.

    Raises:
        UserError: No exported model stands there.
    """
    if folder.is_file() and folder.name in MODEL_FILES.values():
        folder = folder.parent
    if format_of(folder) is not None:
        return folder
    versions = (
        [path for path in folder.iterdir() if path.name.isdecimal()]
        if folder.is_dir()
        else []
    )
    if not versions:
        raise UserError(
            f"{folder}: no exported model (no saved_model.pb and no version in it); "
            "'recurra export RUN' makes one"
        )
    return version_folder(max(versions, key=lambda path: int(path.name)))


def is_portable(path: Path) -> bool:
    """Whether a model stands there that needs no TensorFlow."""
    with contextlib.suppress(UserError):
        return format_of(version_folder(path)) != "savedmodel"
    return False


def format_of(folder: Path) -> str | None:
    """The format of the version that stands in the folder; None if none does."""
    there = (name for name, file in MODEL_FILES.items() if (folder / file).is_file())
    return next(there, None)
