"""Parallel files: in step or an error that says where they part."""

import random

import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.files.parallel_text import (
    first_line_out_of_step,
    read_parallel_lines,
)
from recurra.pipelines.samples.english_german.pairs import sample_pairs

ENGLISH, GERMAN = sample_pairs(540).splits["train"]


def write(tmp_path, english, german):
    paths = tmp_path / "train.en", tmp_path / "train.de"
    for path, lines in zip(paths, (english, german), strict=True):
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return paths


@pytest.mark.parametrize("missing", [1, 3])
@pytest.mark.parametrize("side", ["english", "german"])
def test_lost_lines_are_found(side, missing):
    generator = random.Random(missing)
    errors = []
    for _ in range(20):
        place = generator.randrange(10, len(ENGLISH) - 10)
        whole, cut = (ENGLISH, GERMAN) if side == "german" else (GERMAN, ENGLISH)
        shorter = cut[:place] + cut[place + missing :]
        found = first_line_out_of_step(whole, shorter)
        assert found is not None
        errors.append(abs(found - place - 1))
    assert sorted(errors)[10] <= 2
    assert max(errors) <= 15


def test_lines_lost_at_the_end():
    assert first_line_out_of_step(ENGLISH, GERMAN[:-2]) == len(GERMAN) - 1


@pytest.mark.parametrize(
    "lines", [(["same"] * 9, ["same"] * 8), (["one"], []), (["one", "two"], ["eins"])]
)
def test_no_place_is_named_where_there_is_no_telling(lines):
    assert first_line_out_of_step(*lines) is None


def test_error_says_how_many_lines_and_where(tmp_path):
    german = GERMAN[:199] + GERMAN[200:]
    paths = write(tmp_path, ENGLISH, german)
    with pytest.raises(UserError) as error:
        read_parallel_lines(*paths)
    message = str(error.value)
    assert message.startswith(f"{paths[0]} has 480 lines and train.de 479")
    assert "1 line more of the source there" in message
    line = int(message.partition("near line ")[2].partition(":")[0])
    assert abs(line - 200) <= 15
    assert "\n" not in message


def test_error_without_a_place_has_the_lengths(tmp_path):
    paths = write(tmp_path, ["one", "two"], ["eins"])
    with pytest.raises(UserError, match="2 lines and train.de 1;.*after line 1"):
        read_parallel_lines(*paths)


def test_empty_files(tmp_path):
    with pytest.raises(UserError, match="the file is empty"):
        read_parallel_lines(*write(tmp_path, [], []))


def test_a_last_line_without_an_end_counts(tmp_path):
    one, other = write(tmp_path, ["one", "two"], ["eins", "zwei"])
    other.write_text("eins\nzwei")
    assert [side.lines for side in read_parallel_lines(one, other)] == [
        ["one", "two"],
        ["eins", "zwei"],
    ]
