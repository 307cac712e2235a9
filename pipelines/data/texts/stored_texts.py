"""Texts by the million as a sequence: their UTF-8 in a row, and where each ends."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np
import pyarrow
import pyarrow.compute

from ..byte_store import ByteStore

# So many are made Python strings together.
_TOGETHER = 4096
# Of rows that stand near each other what lies between them is read too.
_SPREAD = 4


class TextStore(Sequence[str]):
    """Texts to append to, as to a list; one takes eight bytes and its UTF-8.

    Args:
        texts: The first ones.
    """

    def __init__(self, texts: Iterable[str] = ()):
        self._bytes = ByteStore()
        self._ends = array("q", [0])
        self.extend(texts)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, text: str) -> None:
        """Adds a text. Raises UnicodeEncodeError where UTF-8 has none for it."""
        self._bytes.append(text.encode("utf-8"))
        self._ends.append(len(self._bytes))

    def extend(self, texts: Iterable[str]) -> None:
        """Adds texts."""
        for text in texts:
            self.append(text)

    def __iadd__(self, texts: Iterable[str]) -> "TextStore":
        self.extend(texts)
        return self

    def __iter__(self) -> Iterator[str]:
        return iter(Texts(self))

    @overload
    def __getitem__(self, rows: int) -> str: ...

    @overload
    def __getitem__(self, rows: slice) -> "Texts": ...

    def __getitem__(self, rows: Any) -> Any:
        return Texts(self)[rows]

    def as_arrow(self, rows: np.ndarray) -> pyarrow.LargeStringArray:
        """Some of the texts, given their numbers `[N]`."""
        if not len(rows):
            return pyarrow.array([], pyarrow.large_string())
        first, last = int(rows.min()), int(rows.max())
        if last - first >= _SPREAD * len(rows):
            texts = [self._text(row) for row in rows.tolist()]
            return pyarrow.array(texts, pyarrow.large_string())
        ends = np.frombuffer(self._ends[first : last + 2], np.int64)
        found = pyarrow.LargeStringArray.from_buffers(
            len(ends) - 1,
            pyarrow.py_buffer(ends - ends[0]),
            pyarrow.py_buffer(self._bytes.read(int(ends[0]), int(ends[-1]))),
        )
        return found.take(pyarrow.array(rows - first))

    def sizes(self, rows: np.ndarray) -> np.ndarray:
        """Bytes of some of the texts, int64 `[N]`."""
        ends = np.array(self._ends, np.int64)
        return ends[rows + 1] - ends[rows]

    def _text(self, row: int) -> str:
        return self._bytes.read(self._ends[row], self._ends[row + 1]).decode("utf-8")


class Texts(Sequence[str]):
    """Texts of a store, all or some in any order, as an array of them is used.

    A number gives a text; a slice, an array of numbers, or one of bools gives `Texts`,
    for which nothing is copied. NumPy makes an array of objects of them.

    Args:
        store: Of the texts; none may be added to it any more.
        rows: Their numbers there, int `[N]`; all if None.
    """

    def __init__(self, store: TextStore, rows: np.ndarray | None = None):
        self._store = store
        self._rows = rows

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Texts":
        """The texts, stored if they are not."""
        if isinstance(texts, Texts):
            return texts
        return cls(texts if isinstance(texts, TextStore) else TextStore(texts))

    def __len__(self) -> int:
        return len(self._store) if self._rows is None else len(self._rows)

    @overload
    def __getitem__(self, rows: int) -> str: ...

    @overload
    def __getitem__(self, rows: slice | np.ndarray) -> "Texts": ...

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, slice):
            return Texts(self._store, self._numbers(rows))
        if np.ndim(rows):
            rows = np.asarray(rows)
            if rows.dtype == bool:
                rows = np.flatnonzero(rows)
            return Texts(self._store, rows if self._rows is None else self._rows[rows])
        row = range(len(self))[rows]
        found = self._numbers(slice(row, row + 1))
        return self._store.as_arrow(found)[0].as_py()

    def __iter__(self) -> Iterator[str]:
        for part in self.parts(_TOGETHER):
            yield from part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.tolist(), dtype or object)

    def parts(self, number: int) -> Iterator[list[str]]:
        """The texts in their order, so many together."""
        return (part.to_pylist() for part in self._as_arrow(number))

    def tolist(self) -> list[str]:
        """All as a list."""
        return list(self)

    def lengths(self) -> np.ndarray:
        """The characters of each, int64 `[N]`."""
        parts = [
            pyarrow.compute.utf8_length(part).to_numpy()
            for part in self._as_arrow(_TOGETHER)
        ]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def sizes(self) -> np.ndarray:
        """The bytes of each, int64 `[N]`."""
        return self._store.sizes(self._numbers(slice(None)))

    def _as_arrow(self, number: int) -> Iterator[pyarrow.LargeStringArray]:
        for begin in range(0, len(self), number):
            yield self._store.as_arrow(self._numbers(slice(begin, begin + number)))

    def _numbers(self, rows: slice) -> np.ndarray:
        """Of some of these texts the numbers in the store."""
        if self._rows is None:
            return np.arange(*rows.indices(len(self._store)))
        return self._rows[rows]
