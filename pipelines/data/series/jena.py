"""The public meteorological record of Jena, 2009 to 2016, every ten minutes."""

import gzip
import shutil
import zipfile
from pathlib import Path

from ...core.errors import UserError
from ...core.files import written_whole
from ..reading import PlanBuilder
from ..sources import Spec
from .raw_tables import RawTable, read_raw_tables

#: Where the file is published.
JENA_ADDRESS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
    "jena_climate_2009_2016.csv.zip"
)


def read_jena(spec: Spec, plan: PlanBuilder) -> list[RawTable]:
    """Reads the record; see `jena_file`."""
    if spec.argument:
        raise UserError(f"{spec}: jena was expected, with nothing behind it")
    return read_raw_tables(jena_file(), plan)


def jena_file(address: str = JENA_ADDRESS, folder: Path | None = None) -> Path:
    """The CSV file, downloaded the first time, by Keras to where it keeps data sets.

    Args:
        address: of the zip archive that holds it.
        folder: where to keep it instead.

    Raises:
        UserError: it cannot be downloaded or is no archive of a CSV file.
    """
    import keras

    name = address.rpartition("/")[2]
    try:
        # Keras 3 extracts beside what it downloads; only the archive is asked for.
        archive = Path(
            keras.utils.get_file(
                name, origin=address, cache_dir=None if folder is None else str(folder)
            )
        )
    except Exception as error:  # get_file raises plain Exception.
        reason = str(error).splitlines()[0][:160]
        raise UserError(
            f"jena: cannot be downloaded ({reason}); bring {name} by hand from "
            f"{address}, unpack it and give the file instead of jena"
        ) from error
    return _unpacked(archive)


def _unpacked(archive: Path) -> Path:
    """The one CSV file of the archive, beside it, compressed as it was."""
    target = archive.with_name(archive.name.removesuffix(".zip") + ".gz")
    if target.is_file():
        return target
    try:
        with zipfile.ZipFile(archive) as content:
            names = [name for name in content.namelist() if name.endswith(".csv")]
            if len(names) != 1:
                raise UserError(
                    f"{archive}: expected one .csv file in it, found {len(names)}; "
                    "delete it and try again"
                )
            with (
                written_whole(target) as partial,
                content.open(names[0]) as packed,
                gzip.open(partial, "wb") as file,
            ):
                shutil.copyfileobj(packed, file)
    except zipfile.BadZipFile as error:
        raise UserError(
            f"{archive}: not a whole zip archive ({error}); delete it and try again"
        ) from error
    return target
