"""A user's file read a part at a time, each part as a whole file is read.

A part is a small file with the header and some rows as they stand in the file. So a
value is read as in training, which reads all rows at once, and wherever it stands.
"""

import bz2
import codecs
import gzip
import lzma
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePath
from typing import IO, Any

import numpy as np
import pyarrow
import pyarrow.parquet

from ...cards import ReadingPlan
from ...core.errors import UserError
from ..reading import PlanBuilder
from .compression import inner_name
from .encodings import BY_LINE, JAPANESE_ESCAPE, UTF_16_MARKS
from .parquet_frames import parquet_batches
from .table_layout import NamesColumns
from .tables import Table, read_lines, read_table

#: Bytes of a part, and rows of one of Parquet.
PART_BYTES, PART_ROWS = 1 << 21, 8192

# Kinds that are made of lines: with a header, and without.
_DELIMITED = (".csv", ".tsv")
_JSON_LINES = (".jsonl", ".ndjson")
_OPENERS: dict[str, Callable[[Any], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
# Where a quotation mark may open a field and close it, whichever the delimiter.
_OPENING = re.compile(rb'(?:^|[,;|\s])"')
_CLOSING = re.compile(rb'"+(?=[,;|\s]|$)')
# A field that is longer was opened by a quotation mark that nothing closes.
_LONGEST_FIELD = 1 << 23


class FileStream:
    """A table or a text file, to be read a part at a time.

    What cannot be parted, such as a spreadsheet or a file in UTF-16, is one part.

    Attributes:
        path: of the file.
        kept: the plan of training.
        size: what there is to read: bytes, or rows of Parquet.
        position: how much of it is read.

    Args:
        path: the file.
        kept: the plan of training, by which it is read where it fits.
        plan: takes the decisions on the first part, and brings those that are given;
            instead of ``kept``.
    """

    def __init__(
        self,
        path: Path,
        kept: ReadingPlan | None = None,
        plan: PlanBuilder | None = None,
    ):
        self.path = path
        self.kept = kept
        self._plan = plan
        self.size = path.stat().st_size if path.is_file() else 0
        self.position = 0

    def tables(self, names_columns: NamesColumns | None = None) -> Iterator[Table]:
        """The parts of a table, each with the lines that its rows have in the file.

        Args:
            names_columns: says of the first part what ``read_table`` asks.

        Raises:
            UserError: as ``read_table`` does.
        """
        suffix = PurePath(inner_name(self.path)).suffix.lower()
        if suffix == ".parquet" and self.path.suffix.lower() == suffix:
            yield from self._parquet()
        elif suffix in (*_DELIMITED, *_JSON_LINES) and self._has_byte_lines():
            yield from self._parted(suffix in _DELIMITED, names_columns)
        else:
            yield self._whole()
            self.position = self.size

    def whole_tables(self) -> Iterator[Table]:
        """The parts of a table of which every row can be read.

        Raises:
            UserError: as ``read_table`` does; or a row cannot be read: an answer for
                each row is promised, so none is left out.
        """
        for table in self.tables():
            if table.bad_rows:
                bad, *others = table.bad_rows
                raise UserError(
                    f"{bad} ({1 + len(others)} such rows); mend or remove them, so "
                    "that each row gets its answer"
                )
            yield table

    def lines(self) -> Iterator[list[str]]:
        """The lines of a text file, a part at a time.

        Raises:
            UserError: as ``read_lines`` does; or a line cannot be decoded.
        """
        if not self._has_byte_lines():
            yield self._read_lines(self.path, 0)
            self.position = self.size
            return
        above = 0
        with self._part_file() as part:
            for data in self._parts(is_delimited=False):
                part.write_bytes(data)
                lines = self._read_lines(part, above)
                above += len(lines)
                yield lines

    def number_of_lines(self) -> int:
        """The lines of a text file."""
        number, last = 0, b"\n"
        with self._opened() as (file, _):
            while part := file.read(PART_BYTES):
                number, last = number + part.count(b"\n"), part[-1:]
        return number + (last != b"\n")

    def is_utf_8(self) -> bool:
        """Whether all of it is text in UTF-8, with line feeds at the ends of lines."""
        if not self._has_byte_lines():
            return False
        decoder = codecs.getincrementaldecoder("utf-8")()
        with self._opened() as (file, _):
            while part := file.read(PART_BYTES):
                if JAPANESE_ESCAPE in part:
                    return False
                try:
                    decoder.decode(part)
                except UnicodeDecodeError:
                    return False
        return not decoder.getstate()[0]

    def _parted(
        self, has_header: bool, names_columns: NamesColumns | None
    ) -> Iterator[Table]:
        header, above = b"", 0
        plan = self._plan or PlanBuilder(kept=self.kept)
        with self._part_file() as part:
            for data in self._parts(is_delimited=has_header):
                if data.strip():
                    part.write_bytes(header + data)
                    shift = above - header.count(b"\n")
                    table = self._part(
                        part,
                        shift,
                        plan,
                        # Below the first part it is decided.
                        names_columns=None if above else names_columns,
                        is_part=above > 0,
                    )
                    if header:
                        table = replace(table, encodings=_without(header, table))
                    if has_header and not above:
                        lines = data.splitlines(keepends=True)
                        header = b"".join(lines[: int(table.lines[0]) - 1])
                        plan = _settled(plan)
                    yield table
                above += data.count(b"\n")
        if not above:
            # Says what is missing.
            yield self._whole()

    def _whole(self) -> Table:
        return read_table(self.path, plan=self._plan or PlanBuilder(kept=self.kept))

    def _part(self, part: Path, shift: int, plan: PlanBuilder, **reading: Any) -> Table:
        """The table of a part, as one of the file, ``shift`` lines further down."""
        path = str(self.path)
        try:
            table = read_table(part, plan=plan, **reading)
        except UserError as error:
            said = str(error).replace(str(part), path)
            raise UserError(
                re.sub(r"(?<=line )\d+", lambda line: str(int(line[0]) + shift), said)
            ) from None
        return replace(
            table,
            lines=table.lines + shift,
            source=path,
            bad_rows=tuple(
                replace(row, file=path, line=row.line and row.line + shift)
                for row in table.bad_rows
            ),
        )

    def _parquet(self) -> Iterator[Table]:
        try:
            file = pyarrow.parquet.ParquetFile(self.path)
        except (pyarrow.ArrowException, OSError):
            # Says what is wrong with it.
            yield self._whole()
            return
        with file:
            self.size = file.metadata.num_rows
            for batch in parquet_batches(file, PART_ROWS):
                frame = batch.to_pandas(integer_object_nulls=True)
                numbers = np.arange(len(frame)) + self.position + 1
                self.position += len(frame)
                frame = frame.reset_index(drop=True)
                yield Table(frame, numbers, (), str(self.path))
        if not self.position:
            yield self._whole()

    def _read_lines(self, path: Path, above: int) -> list[str]:
        read = read_lines(path, self._plan or PlanBuilder(kept=self.kept))
        if read.undecodable:
            raise UserError(
                f"{self.path}, line {above + min(read.undecodable)}: bytes in no known "
                "encoding; convert the file to UTF-8"
            )
        return read.lines

    def _parts(self, is_delimited: bool) -> Iterator[bytes]:
        """Whole lines, at least two, and of a delimited file whole records."""
        part: list[bytes] = []
        lines: list[bytes] = []
        size, is_open = 0, False
        with self._opened() as (file, raw):
            for line in file:
                lines.append(line)
                size += len(line)
                is_open = is_delimited and _is_open(line, is_open)
                is_whole = size >= PART_BYTES + _LONGEST_FIELD * is_open
                if is_whole and len(lines) > 1:
                    if part:
                        yield b"".join(part)
                    self.position = raw.tell()
                    part, lines, size, is_open = lines, [], 0, False
        # A line by itself might be taken for a file of another form.
        parts = [part, lines] if len(lines) > 1 else [[*part, *lines]]
        if parts[-1] and not parts[-1][-1].endswith(b"\n"):
            parts[-1].append(b"\n")
        for part in filter(None, parts):
            self.position = self.size
            yield b"".join(part)

    def _has_byte_lines(self) -> bool:
        if self.path.suffix.lower() == ".zip" or not self.path.is_file():
            return False
        with self._opened() as (file, _):
            head = file.read(PART_BYTES)
        return b"\n" in head and not head.startswith(UTF_16_MARKS)

    @contextmanager
    def _opened(self) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
        """The file decompressed, and as it is."""
        try:
            with self.path.open("rb") as raw:
                opener = _OPENERS.get(self.path.suffix.lower())
                yield (opener(raw) if opener else raw), raw
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
            kind = self.path.suffix.lower().replace(".gz", ".gzip").removeprefix(".")
            raise UserError(f"{self.path}: not a whole {kind} file ({error})") from None
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"{self.path}: cannot be read ({reason})") from None

    @contextmanager
    def _part_file(self) -> Iterator[Path]:
        """A path of the file's own name, decompressed."""
        with tempfile.TemporaryDirectory(prefix="recurra-") as folder:
            yield Path(folder) / inner_name(self.path)


def _without(header: bytes, table: Table) -> dict[str, int]:
    """The lines by encoding, without those of the header, which stand in all parts."""
    first, *others = table.encodings
    lines = table.encodings[first] - header.count(b"\n")
    return {first: lines, **{name: table.encodings[name] for name in others}}


def _settled(plan: PlanBuilder) -> PlanBuilder:
    """The plan for the parts below the first, which has decided on the layout."""
    values = plan.latest()
    if values.get("encoding") in BY_LINE:
        # The next part may have lines in the other.
        del values["encoding"]
    return PlanBuilder(given=values)


def _is_open(line: bytes, is_open: bool) -> bool:
    """Whether a quoted field goes on below the line, if it begins in one or not."""
    position = 0
    if b'"' not in line:
        return is_open
    while found := (_CLOSING if is_open else _OPENING).search(line, position):
        # Within a field a quotation mark is written twice.
        if not is_open or len(found[0]) % 2:
            is_open = not is_open
        position = found.end()
    return is_open
