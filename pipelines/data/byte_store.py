"""Bytes in a row that take little memory, however many they are."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import IO

from ..core.errors import UserError

#: What stays in memory; the rest stands in a file.
MOST_IN_MEMORY = 1 << 25


@contextlib.contextmanager
def temporary_space() -> Iterator[None]:
    """Says what to do where the folder for temporary files cannot be written to.

    Raises:
        UserError: It cannot.
    """
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{tempfile.gettempdir()}: cannot be written ({error.strerror}); "
            "the variable TMPDIR names another folder for temporary files"
        ) from None


class ByteStore:
    """Bytes to append to and to read again.

    What is beyond `MOST_IN_MEMORY` goes to a file without a name in the folder for
    temporary files (`TMPDIR`), so it is gone with the process, however that ends.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._in_file = 0
        self._tail = bytearray()

    def __len__(self) -> int:
        return self._in_file + len(self._tail)

    def append(self, data: bytes | memoryview) -> None:
        """Adds bytes behind the others.

        Raises:
            UserError: The folder for temporary files cannot take them.
        """
        self._tail += data
        if len(self._tail) > MOST_IN_MEMORY:
            with temporary_space():
                self._to_file()

    def _to_file(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="recurra-")  # noqa: SIM115
        self._file.write(self._tail)
        self._file.flush()
        self._in_file += len(self._tail)
        self._tail = bytearray()

    def read(self, begin: int, end: int) -> bytes:
        """The bytes from `begin` up to `end`."""
        if begin >= self._in_file:
            return bytes(
                memoryview(self._tail)[begin - self._in_file : end - self._in_file]
            )
        assert self._file is not None
        parts = []
        while begin < min(end, self._in_file):
            # One call reads two gigabytes at most.
            part = os.pread(self._file.fileno(), min(end, self._in_file) - begin, begin)
            parts.append(part)
            begin += len(part)
        if begin < end:
            parts.append(self.read(begin, end))
        return parts[0] if len(parts) == 1 else b"".join(parts)
