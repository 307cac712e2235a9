"""Text files, compressed or not, in whatever encoding they are."""

from dataclasses import dataclass, field
from pathlib import Path

from ...core.errors import UserError
from ..reading import Decision, PlanBuilder
from .compression import read_bytes
from .encodings import (
    BY_LINE,
    DecodedText,
    check_encoding,
    decode_lines,
    fits_encoding,
    guess_encoding,
)


@dataclass(frozen=True)
class TextLines:
    """The lines of one text file, without their ends.

    Args:
        lines: decoded; of an undecodable one what is ASCII.
        undecodable: the 1-based numbers of lines that cannot be decoded.
        encodings: number of lines by the encoding they were decoded with.
    """

    lines: list[str]
    undecodable: set[int]
    encodings: dict[str, int] = field(default_factory=dict)


def read_lines(path: Path, plan: PlanBuilder | None = None) -> TextLines:
    """Reads a text file, also a compressed one, line by line.

    Encodings are those of ``tables.read_table``. A line feed ends a line, also with a
    carriage return before it; what else Unicode calls a line break stays within its
    line.

    Raises:
        UserError: the file cannot be read, or is no text.
    """
    text = read_text(path, plan or PlanBuilder())
    lines = text.text.split("\n")
    if not lines[-1]:
        lines.pop()
    return TextLines(lines, text.undecodable, text.encodings)


def read_text(path: Path, plan: PlanBuilder) -> DecodedText:
    """The text of a file, with ``\\n`` line ends; the plan decides ``encoding``.

    Raises:
        UserError: the file cannot be read, or is no text.
    """
    data = read_bytes(path)
    try:
        text = _decode(data, path, plan)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if "\0" in text.text.partition("\n")[0]:
        raise UserError(
            f"{path}: the first line holds NUL bytes; text in UTF-8 was expected, or "
            "its encoding (data.encoding), such as utf-16-le"
        )
    text.text = _with_unix_line_ends(text.text)
    return text


def _decode(data: bytes, path: Path, plan: PlanBuilder) -> DecodedText:
    def guess() -> Decision:
        decision = guess_encoding(data)
        if decision.alternative:
            plan.warn(
                f"{path.name}: read as {decision.value}, {decision.evidence}; it may "
                f"be {decision.alternative}"
            )
        return decision

    encoding = check_encoding(
        plan.decide(
            "encoding",
            guess,
            fits=lambda name: fits_encoding(data, name),
            file=path.name,
        )
    )
    by_line = plan.given("encoding") is None and encoding in BY_LINE
    return decode_lines(data, None if by_line else encoding)


def _with_unix_line_ends(text: str) -> str:
    if "\n" not in text:
        return text.replace("\r", "\n")
    return text.replace("\r\n", "\n")
