"""Rows of numbers of unequal lengths, by the million, that take little memory."""

from array import array

import numpy as np

from .byte_store import ByteStore


class RaggedStore:
    """int32 rows `[(length), width]` to append to and to gather.

    Args:
        width: Numbers at each position; 0: rows are `[(length)]`.
    """

    def __init__(self, width: int = 0):
        self.width = width
        self._bytes = ByteStore()
        self._ends = array("q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, values: np.ndarray, lengths: np.ndarray) -> None:
        """Adds rows, laid one behind the other.

        Args:
            values: int32, `[sum of the lengths]` or `[sum of the lengths, width]`.
            lengths: Of each row, int `[N]`.
        """
        ends = self._ends[-1] + np.cumsum(lengths, dtype=np.int64)
        self._ends.frombytes(ends.tobytes())
        self._bytes.append(np.ascontiguousarray(values, np.int32).tobytes())

    def lengths(self) -> np.ndarray:
        """Of all rows, int64 `[N]`."""
        return np.diff(np.array(self._ends, np.int64))

    def gather(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows laid one behind the other, as `append` takes them, and their lengths."""
        ends, size = self._ends, 4 * max(1, self.width)
        data = b"".join(
            self._bytes.read(size * ends[row], size * ends[row + 1])
            for row in rows.tolist()
        )
        lengths = np.array([ends[row + 1] - ends[row] for row in rows.tolist()])
        values = np.frombuffer(data, np.int32)
        return values.reshape(-1, self.width) if self.width else values, lengths

    def padded(
        self, rows: np.ndarray, padding: int, length: int | None = None
    ) -> np.ndarray:
        """Rows side by side, int32 `[N, length]` or `[N, length, width]`.

        Args:
            rows: Their numbers, `[N]`.
            padding: What stands behind the shorter ones.
            length: Of the longest, if None.
        """
        return laid_side_by_side(*self.gather(rows), padding, length)


def laid_side_by_side(
    values: np.ndarray, lengths: np.ndarray, padding: int, length: int | None = None
) -> np.ndarray:
    """Rows that lie one behind the other as `RaggedStore.padded` gives them."""
    longest = int(lengths.max(initial=0)) if length is None else length
    padded = np.full((len(lengths), longest, *values.shape[1:]), padding, np.int32)
    padded[np.arange(longest) < lengths[:, None]] = values
    return padded
