"""Versions of exported models on disk."""

from pathlib import Path

from .errors import UserError


def version_folder(folder: Path) -> Path:
    """The folder of a version: the one given, or the latest in a model's folder.

    Raises:
        UserError: No exported model stands there.
    """
    if (folder / "saved_model.pb").is_file():
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
