"""How training went, as a report tells it."""

import pandas
import pytest

from recurra.pipelines.reporting.page import Report
from recurra.pipelines.reporting.report_training import add_training

HISTORY = {
    "epoch": [1, 2],
    "loss": [3.0, 2.0],
    "val_loss": [4.0, 5.0],
    "val_score": [0.25, 0.5],
    "seconds": [1.0, 2.0],
}


@pytest.fixture
def told(tmp_path):
    """A function of columns to leave out: the page and the names of its figures."""

    def write(*left_out):
        report = Report("Report")
        history = pandas.DataFrame(HISTORY).drop(columns=list(left_out))
        curves = {"loss": "Loss", "score": "Score", "absent": "Absent"}
        add_training(report, history, curves)
        report.write(tmp_path)
        names = {path.stem for path in (tmp_path / "figures").iterdir()}
        return (tmp_path / "report.html").read_text("utf-8"), names

    return write


def test_a_curve_of_each_column_that_is_there(told):
    page, names = told()
    assert names == {"learning_curve_loss", "learning_curve_score"}
    assert "Loss by epoch, 2 in all: training from 3 to 2; validation from 4 to 5." in (
        page
    )
    assert "Score by epoch, 2 in all: validation from 0.25 to 0.5." in page
    assert "2 epochs in 3 seconds, 1.5 seconds each." in page


def test_without_columns_there_is_no_curve_and_without_seconds_no_time(told):
    page, names = told("loss", "val_loss", "seconds")
    assert names == {"learning_curve_score"}
    assert "seconds" not in page
