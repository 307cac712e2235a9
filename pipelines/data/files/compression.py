"""Files that may be compressed: .gz, .bz2, .xz, or a .zip of one file."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import Path, PurePath

from ...core.errors import UserError

_DECOMPRESS = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
_BROKEN = (
    gzip.BadGzipFile,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    # A stream that bz2 does not know, or a zip in a way that is not known.
    ValueError,
    NotImplementedError,
    RuntimeError,
)


def inner_name(path: Path) -> str:
    """The name of the file that is inside, or of the file itself.

    Raises:
        UserError: a zip file is broken, or holds several files.
    """
    outer = PurePath(path.name)
    if outer.suffix.lower() in _DECOMPRESS:
        return outer.stem
    if outer.suffix.lower() != ".zip":
        return outer.name
    if PurePath(outer.stem).suffix or not path.is_file():
        return outer.stem
    with _opened_zip(path.read_bytes(), path) as archive:
        return PurePath(_only_member(archive, path)).name


def read_bytes(path: Path) -> bytes:
    """What the file holds, decompressed by the suffix of its name.

    Raises:
        UserError: the file cannot be read, or is not whole.
    """
    suffix = path.suffix.lower()
    try:
        data = path.read_bytes()
        if suffix == ".zip":
            with _opened_zip(data, path) as archive:
                return archive.read(_only_member(archive, path))
        return _DECOMPRESS[suffix](data) if suffix in _DECOMPRESS else data
    except _BROKEN as error:
        kind = {"gz": "gzip"}.get(suffix[1:], suffix[1:])
        raise UserError(f"{path}: not a whole {kind} file ({error})") from error
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: cannot be read ({reason})") from error


def _opened_zip(data: bytes, path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile as error:
        raise UserError(f"{path}: not a whole zip file ({error})") from error


def _only_member(archive: zipfile.ZipFile, path: Path) -> str:
    names = [
        info.filename
        for info in archive.infolist()
        if not info.is_dir()
        and not info.filename.startswith("__MACOSX/")
        and not PurePath(info.filename).name.startswith(".")
    ]
    if len(names) != 1:
        there = ", ".join(names[:5]) or "none"
        raise UserError(
            f"{path}: one file in the zip was expected; there are {len(names)} "
            f"({there}); unpack it and name one"
        )
    return names[0]
