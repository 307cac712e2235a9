"""Files of terms that outputs must have."""

import csv
from pathlib import Path


class _Tabs(csv.excel_tab):
    quoting = csv.QUOTE_NONE


def read_glossary(path: Path) -> dict[str, str]:
    """The terms of a file: a term and how to say it in each line, apart by a tab.

    In a file `.csv` they are apart by a comma.

    Raises:
        ValueError: Naming the line, if it is another; or if the file cannot be read.
    """
    comma = path.suffix.lower() == ".csv"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as UTF-8 text: {error}") from None
    terms: dict[str, str] = {}
    rows = csv.reader(lines, csv.excel if comma else _Tabs)
    for number, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if len(cells) != 2 or not all(cells):
            raise ValueError(
                f"{path}, line {number}: expected a term and how to say it, apart by a "
                f"{'comma' if comma else 'tab'}"
            )
        term, said = cells
        if terms.setdefault(term, said) != said:
            raise ValueError(
                f"{path}, line {number}: {term!r} stands there before, said in another "
                "way"
            )
    return terms
