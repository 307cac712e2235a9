"""What runs must have in common for their models to be taken as one."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from .errors import UserError
from .files import read_json

if TYPE_CHECKING:
    from .task import Task


def refuse_strangers(
    task: "Task[Any, Any, Any]",
    others: Sequence["Task[Any, Any, Any]"],
    *,
    facts: Collection[str] = ("sha256",),
    sections: Collection[str] = (),
    assets: Collection[str] = (),
) -> None:
    """Refuses runs whose models read other inputs, or learnt from other rows.

    Args:
        task: Of the first run.
        others: Of the others.
        facts: Keys of data.json that are to be the same.
        sections: Of the configuration, likewise.
        assets: Names of files that preprocessing fitted, likewise; some may be missing.

    Raises:
        UserError: A run differs from the first one.
    """
    first = task.run.path
    data = read_json(task.run.metadata_file)
    for other in others:
        path, of_other = other.run.path, read_json(other.run.metadata_file)
        if any(of_other[key] != data[key] for key in facts):
            raise UserError(
                f"{path}: has other data or splits than {first}; name runs with the "
                "same data and data.split_seed"
            )
        for section in sections:
            mine, its = (getattr(each.configuration, section) for each in (task, other))
            if mine != its:
                raise UserError(
                    f"{path}: has another section {section} than {first}; name runs "
                    "that have it in common"
                )
        for name in assets:
            files = [run.assets / name for run in (task.run, other.run)]
            mine, its = (file.read_bytes() if file.is_file() else b"" for file in files)
            if mine != its:
                raise UserError(
                    f"{path}: has other preprocessing ({name}) than {first}; name runs "
                    "with the same data and preprocessing"
                )
