"""Nothing that a run can be finished without ends it."""

import logging

import numpy as np
import pytest

from recurra.pipelines import UserError, evaluate, open_run, train
from recurra.pipelines.core.errors import Interrupted
from recurra.pipelines.core.optional import (
    collect_failures,
    failures,
    of_baselines,
    optional,
)

SETTINGS = ["training.epochs=2"]


def fail(error):
    raise error


def test_what_fails_is_named_with_its_reason_and_logged(caplog):
    with collect_failures() as failed, caplog.at_level(logging.WARNING, "recurra"):
        with optional("figure Loss"):
            fail(ValueError("no such font\nat line 3"))
        with optional(lambda: "section Data"):
            fail(KeyError("rows"))
        assert failures() == failed
    assert failed == {
        "figure Loss": "ValueError: no such font",
        "section Data": "KeyError: 'rows'",
    }
    assert caplog.messages[0] == (
        "figure Loss failed and is left out (ValueError: no such font)"
    )
    assert failures() == {}


def test_of_baselines_the_others_stay_in_their_order():
    with collect_failures() as failed:
        given = of_baselines({"a": 1, "b": 0, "c": 4}, lambda value: 4 / value)
    assert list(given.items()) == [("a", 4.0), ("c", 1.0)]
    assert list(failed) == ["baseline b"]


@pytest.mark.parametrize(
    "error", [UserError("wrong"), Interrupted("stopped"), KeyboardInterrupt()]
)
def test_the_users_errors_and_requests_to_stop_pass_through(error):
    with collect_failures() as failed, pytest.raises(type(error)), optional("a"):
        raise error
    assert failed == {}


def test_where_nobody_collects_an_error_is_an_error():
    with pytest.raises(ZeroDivisionError):
        of_baselines({"a": 0}, lambda value: 1 / value)


def test_a_run_is_finished_without_a_baseline_a_figure_and_a_section(toy, tmp_path):
    toy.FAULTS["one"] = np.linalg.LinAlgError("Singular matrix")
    toy.FAULTS["figure"] = RuntimeError("no font")
    run = train("toy", run=tmp_path / "run", settings=SETTINGS, progress=False)
    assert run.metrics["failed"] == {
        "baseline one": "LinAlgError: Singular matrix",
        "figure Error by number": "RuntimeError: no font",
    }
    assert set(run.metrics["baselines"]) == {"zero"}
    page = run.report.read_text()
    assert "Below the figure." in page
    assert "LinAlgError: Singular matrix" in page
    assert "Configuration" in page

    toy.FAULTS.clear()
    toy.CALLS.clear()
    history = run.history_file.read_bytes()
    again = train("toy", run=run.path, resume=True, progress=False)
    assert "failed" not in again.metrics
    assert set(again.metrics["baselines"]) == {"zero", "one"}
    assert again.metrics["model"] == run.metrics["model"]
    assert "preprocessing" not in toy.CALLS
    assert run.history_file.read_bytes() == history
    assert (run.path / "figures" / "error-by-number.png").is_file()


def test_resume_repeats_the_report_alone_where_that_failed(toy, tmp_path):
    toy.FAULTS["report"] = MemoryError()
    run = train("toy", run=tmp_path / "run", settings=SETTINGS, progress=False)
    assert run.is_finished
    assert not run.report.exists()
    assert run.failed == {"report": "MemoryError: "}
    toy.CALLS.clear()
    train("toy", run=run.path, resume=True, progress=False)
    assert run.failed == {"report": "MemoryError: "}
    toy.FAULTS.clear()
    train("toy", run=run.path, resume=True, progress=False)
    assert run.failed == {}
    assert run.report.is_file()
    assert not {"zero", "one", "preprocessing"} & set(toy.CALLS)


def test_a_section_that_fails_is_named_by_its_heading(toy, tmp_path):
    toy.FAULTS["section"] = ValueError("odd")
    run = train("toy", run=tmp_path / "run", settings=SETTINGS, progress=False)
    assert run.failed == {"section Errors of the report": "ValueError: odd"}
    assert "Error by number" in run.report.read_text()


def test_a_baseline_that_cannot_answer_is_named_by_an_evaluation(toy, tmp_path):
    run = train("toy", run=tmp_path / "run", settings=SETTINGS, progress=False)
    toy.FAULTS["answer"] = ValueError("overflow")
    result = evaluate(open_run(run.path))
    form = result.as_json("toy")
    assert form["baselines"] == {}
    assert form["failed"] == {
        "baseline zero": "ValueError: overflow",
        "baseline one": "ValueError: overflow",
    }
