"""Options are made of the fields of a configuration."""

from typing import Literal

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from recurra.apps.options import command, field_options, option
from recurra.pipelines.core.configuration import Config


class Inner(Config):
    key: int = 1


class Data(Config):
    spec: str = Field("sample", description="where the data come from")
    text_column: str | None = Field(None, description="column of the texts")
    fraction: float = Field(0.1, description="of the rows")
    rows: int = Field(3, description="at most")
    calendar: bool = Field(True, description="as inputs")
    kind: Literal["one", "two"] = Field("one", description="of two")
    targets: list[str] = Field(
        [], description="to forecast", json_schema_extra={"option": "--target"}
    )
    inner: Inner = Inner()
    rules: dict[str, str] = {}


def _run(*arguments, options=None):
    given = {}

    def train(first: int, name: str = "default", **data):
        """What it does."""
        given.update(first=first, name=name, **data)

    app = typer.Typer()
    parameters = field_options(Data) if options is None else options
    app.command()(command(train, parameters, first=1))
    ended = CliRunner().invoke(app, [*arguments])
    return ended, given


def test_what_is_left_out_is_not_given():
    ended, given = _run()
    assert ended.exit_code == 0, ended.output
    assert given == {"first": 1, "name": "default"}


def test_every_plain_field_is_an_option():
    ended, given = _run(
        *("--name", "mine", "--data", "file.csv", "--text-column", "words"),
        *("--fraction", "0.5", "--rows", "7", "--no-calendar", "--kind", "two"),
        *("--target", "T", "--target", "p"),
    )
    assert ended.exit_code == 0, ended.output
    assert given == {
        "first": 1,
        "name": "mine",
        "spec": "file.csv",
        "text_column": "words",
        "fraction": 0.5,
        "rows": 7,
        "calendar": False,
        "kind": "two",
        "targets": ["T", "p"],
    }


def test_the_help_is_the_fields_description():
    ended, _ = _run("--help")
    # Without the lines around the columns, which part words.
    shown = " ".join(ended.output.replace("│", " ").split())
    assert "What it does." in shown
    for field in ("spec", "text_column", "fraction", "rows", "calendar", "targets"):
        assert Data.model_fields[field].description in shown
    assert "one|two" in shown
    for section in ("inner", "rules"):
        assert f"--{section}" not in shown


@pytest.mark.parametrize("arguments", [["--rows", "many"], ["--inner", "1"]])
def test_what_is_no_option_or_no_number_is_refused(arguments):
    ended, _ = _run(*arguments)
    assert ended.exit_code == 2


def test_some_fields_alone():
    ended, given = _run("--rows", "7", options=field_options(Data, ["rows"]))
    assert ended.exit_code == 0, ended.output
    assert given["rows"] == 7
    assert (
        _run("--fraction", "1", options=field_options(Data, ["rows"]))[0].exit_code == 2
    )


def test_of_two_options_with_one_name_the_first_counts():
    twice = [option("column", str, "First."), option("column", str, "Second.")]
    ended, _ = _run("--help", options=twice)
    assert "First." in ended.output
    assert "Second." not in ended.output
