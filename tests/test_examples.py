"""A task from outside: `examples/stars`, installed as a package of its own."""

import csv
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STARS = Path(__file__).parents[1] / "examples" / "stars"
GOOD = ("lovely", "superb", "charming", "delightful")
BAD = ("awful", "dreadful", "clumsy", "tedious")


@pytest.fixture(scope="module")
def stars_package(tmp_path_factory):
    """The folder that the package is installed into, on the path of all processes."""
    folder = tmp_path_factory.mktemp("stars")
    # Built from a copy, since a build leaves folders behind.
    source = shutil.copytree(STARS, folder / "source")
    installed = folder / "installed"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([*command, "--target", installed, source], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(installed)
        paths = [str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        yield installed


@pytest.fixture(scope="module")
def rated_reviews(tmp_path_factory):
    """A file of made-up reviews, the more stars the better the words."""
    generator = random.Random(0)
    path = tmp_path_factory.mktemp("data") / "reviews.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "stars"])
        for _ in range(200):
            stars = generator.randint(1, 5)
            words = [
                generator.choice(GOOD if 4 * generator.random() < stars - 1 else BAD)
                for _ in range(3)
            ]
            writer.writerow([f"The food was {', '.join(words)}.", stars])
    return path


def test_the_example_passes_the_test_of_all_tasks(
    stars_package, rated_reviews, tmp_path
):
    from recurra.pipelines.testing import check_task

    run = check_task("stars", data=rated_reviews, folder=tmp_path, recipe="small")
    metrics = run.metrics
    assert metrics["model"]["mae"] < metrics["baselines"]["mean"]["mae"]


def test_a_label_that_is_no_number_is_refused(stars_package, tmp_path):
    from recurra.pipelines import UserError, train

    path = tmp_path / "reviews.csv"
    path.write_text("text,stars\n" + "fine,5\nawful,none\n" * 20)
    with pytest.raises(UserError, match="reviews.csv, stars: .*'none'"):
        train("stars", path, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_example_stays_small():
    """What a new task costs: docs/tasks.md says it."""
    files = (STARS / "stars").glob("*.py")
    lines = sum(len(file.read_text("utf-8").splitlines()) for file in files)
    assert lines < 350
