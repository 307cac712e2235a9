"""Two text files that run in step, line by line, and where they get out of it."""

import html
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...core.errors import UserError
from ..reading import PlanBuilder
from .large_files import is_large_text
from .streams import FileStream
from .tables import TextLines, read_lines

#: Endings of files whose sentences stand in `<seg>`, as those of WMT and IWSLT do.
SEGMENTED = (".sgm", ".sgml", ".xml")
_SEGMENT = re.compile(r"<seg\b[^>]*>(.*?)</seg>", re.DOTALL | re.IGNORECASE)
_TAGGED = re.compile(r"<(?P<tag>\w+)[^>]*>.*</(?P=tag)>|<[^>]*>", re.DOTALL)

# Added to lengths before they are compared, so that short lines need not fit so well.
_EASE = 5.0
# What it costs that digits or the end of a sentence do not agree, in units of the
# logarithm of a ratio of lengths.
_DISAGREEMENT = 1.0
_ENDS = {"?": "?", "？": "?", "؟": "?", "!": "!", "！": "!", ":": ":", "：": ":"}


def read_parallel_lines(
    source: Path, target: Path, plan: PlanBuilder | None = None
) -> tuple[TextLines, TextLines]:
    """The lines of both files, or the segments of those that mark them (.sgm, .xml).

    What IWSLT writes in tags beside the sentences of training is left out. The plan
    decides ``encoding``.

    Raises:
        UserError: a file cannot be read, both are empty, or one has more lines than
            the other; the error says near which line they part.
    """
    lines = _read(source, plan), _read(target, plan)
    counts = [len(side.lines) for side in lines]
    if counts[0] != counts[1]:
        location = describe_parting(lines[0].lines, lines[1].lines)
        raise UserError(
            f"{source} has {counts[0]:,} lines and {target.name} {counts[1]:,}; line n "
            f"of one and line n of the other must be a pair; {location}"
        )
    if not counts[0]:
        raise UserError(f"{source}: the file is empty; sentences were expected")
    return lines


def are_large_in_step(source: Path, target: Path, plan: PlanBuilder) -> bool:
    """Whether two files are read in parts: large, of plain lines, and equally many."""
    if any(
        ".tags." in path.name
        or path.name.lower().removesuffix(".gz").endswith(SEGMENTED)
        or not is_large_text(path, plan)
        for path in (source, target)
    ):
        return False
    return FileStream(source).number_of_lines() == FileStream(target).number_of_lines()


def _read(path: Path, plan: PlanBuilder | None) -> TextLines:
    read = read_lines(path, plan)
    if path.name.lower().removesuffix(".gz").endswith(SEGMENTED):
        segments = _SEGMENT.findall("\n".join(read.lines))
        return TextLines(list(map(html.unescape, segments)), set(), read.encodings)
    if ".tags." not in path.name:
        return read
    kept = [line for line in read.lines if not _TAGGED.fullmatch(line.strip())]
    return TextLines(kept, set(), read.encodings)


def describe_parting(source: Sequence[str], target: Sequence[str]) -> str:
    """Where two lists of lines of unequal number seem to get out of step, in words."""
    longer, shorter = sorted((source, target), key=len, reverse=True)
    extra = len(longer) - len(shorter)
    side = "source" if longer is source else "target"
    missing = f"{extra:,} line{'s' if extra > 1 else ''}"
    line = first_line_out_of_step(longer, shorter)
    if line is None:
        return f"they part after line {len(shorter):,} at the latest"
    if line == len(shorter) + 1:
        return f"the last {missing} of the {side} seem to have no partner"
    return (
        f"they seem to part near line {line:,}: {missing} more of the {side} there "
        f"({_shown(longer[line - 1])} stands beside {_shown(shorter[line - 1])})"
    )


def first_line_out_of_step(longer: Sequence[str], shorter: Sequence[str]) -> int | None:
    """The 1-based line from which the shorter list fits the longer one shifted.

    The extra lines of the longer one are taken to stand together, where lengths, digits
    and ends of the lines before them, and of those behind them when they are shifted,
    agree best.

    Returns:
        The first line without its partner; ``len(shorter) + 1`` if the extra lines are
        at the end; None if they fit nowhere clearly better than elsewhere.
    """
    count, extra = len(shorter), len(longer) - len(shorter)
    if count < 2:
        return None
    sizes = [
        np.array([len(line) for line in lines]) + _EASE for lines in (longer, shorter)
    ]
    ratios = np.log(sizes[0][:count] / sizes[1])
    shifted_ratios = np.log(sizes[0][extra:] / sizes[1])
    typical = np.median(np.concatenate([ratios, shifted_ratios]))
    marks = [_marks(lines) for lines in (longer, shorter)]
    cost = abs(ratios - typical) + _DISAGREEMENT * (marks[0][:count] != marks[1])
    shifted = abs(shifted_ratios - typical) + _DISAGREEMENT * (
        marks[0][extra:] != marks[1]
    )
    # In step up to line k, shifted from there on.
    total = np.concatenate([[0.0], np.cumsum(cost)]) + np.concatenate(
        [np.cumsum(shifted[::-1])[::-1], [0.0]]
    )
    best = int(np.argmin(total))
    # Lines that are out of step disagree more than those in step, by far.
    spread = float(np.median(total) - total[best])
    return best + 1 if spread > _DISAGREEMENT else None


def _marks(lines: Sequence[str]) -> np.ndarray:
    """The digits and the end of every line, which are much alike in all languages."""
    return np.array(
        [
            "".join(filter(str.isdigit, line)) + _ENDS.get(line.rstrip()[-1:], "")
            for line in lines
        ],
        dtype=object,
    )


def _shown(line: str) -> str:
    text = " ".join(line.split())
    return repr(text if len(text) <= 40 else f"{text[:39]}…")
