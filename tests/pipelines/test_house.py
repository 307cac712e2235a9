"""No room but its own names a task."""

import re
from pathlib import Path

import pytest

from recurra.pipelines.core.registry import task_names

ROOT = Path(__file__).parents[2]
ENDINGS = {".py", ".jinja", ".css"}


def _files():
    """All of the rooms but the tasks' own folders and the embedded samples."""
    own = {ROOT / "pipelines" / name for name in (*task_names(), "samples")}
    for room in ("layers", "pipelines", "apps"):
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in ENDINGS and not own & set(path.parents):
                yield path


def _names(line, task):
    """Whether a line names the task; a word of every day where it stands as a name."""
    if task == "language":
        as_a_name = (
            rf"(pipelines\W|import |train |\.\.){task}\b|\b{task}/|[\"']{task}[\"']"
        )
        return re.search(as_a_name, line) is not None
    return task in line.lower()


def _is_example_or_source(line):
    """Examples in documentation, titles of papers and headers of users' files may."""
    words = (
        "Machine Translation",
        "Translation System",
        '"translation"',
        "weathercode",
        'versions.pop("language")',
        # The Hub's name for the languages of texts.
        '"language": [',
    )
    return line.lstrip().startswith((">>>", "...")) or any(
        word in line for word in words
    )


@pytest.mark.parametrize("task", task_names())
def test_no_file_outside_of_a_tasks_folder_names_it(task):
    assert (ROOT / "pipelines" / task / "cli.py").is_file()
    named = [
        f"{path.relative_to(ROOT)}, line {number}: {line.strip()}"
        for path in _files()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if _names(line, task) and not _is_example_or_source(line)
    ]
    assert not named, "\n".join(named)
