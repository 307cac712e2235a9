"""What the command line shows beside progress: the log and tables."""

import io
import logging

import rich.console

from recurra.apps import console as screen


def test_the_log_is_shown_once_and_its_brackets_are_no_markup(monkeypatch):
    shown = io.StringIO()
    console = rich.console.Console(file=shown, width=100)
    monkeypatch.setattr(screen, "messages", console)
    screen.show_log()
    screen.show_log()
    logging.getLogger("recurra").info("Reading %s", "/data/[red]reviews[/red].csv")
    assert shown.getvalue() == "Reading /data/[red]reviews[/red].csv\n"


def test_the_table_has_the_model_and_every_baseline():
    evaluation = {
        "task": "sentiment",
        "data": "reviews.csv",
        "split": "test",
        "model": {"accuracy": 0.91234, "roc_auc": 0.95},
        "baselines": {"majority": {"accuracy": 0.5}},
    }
    console = rich.console.Console(file=io.StringIO(), width=100)
    console.print(screen.metrics_table(evaluation))
    text = console.file.getvalue()
    for part in ("reviews.csv", "test", "accuracy", "roc_auc", "0.9123", "0.9500"):
        assert part in text
    (header,) = [line for line in text.splitlines() if "majority" in line]
    (accuracy,) = [line for line in text.splitlines() if "accuracy" in line]
    assert header.index("majority") > header.index("model")
    assert accuracy.index("0.5000") > accuracy.index("0.9123")


def test_no_number_is_cut_on_a_narrow_screen():
    names = ("recurrent", "repeat_last", "seasonal_naive", "climatology", "ridge")
    rows = {
        "mae_standardised": -0.74083,
        "mse": 119.31234,
        "nll": 12_345.6,
        "rmse": 9.99996,
    }
    evaluation = {
        **{"task": "weather", "data": "a.csv", "split": "test", "model": rows},
        "baselines": dict.fromkeys(names, rows),
    }
    console = rich.console.Console(file=io.StringIO(), width=80)
    console.print(screen.metrics_table(evaluation))
    text = console.file.getvalue()
    assert "…" not in text and max(map(len, text.splitlines())) <= 80
    for number in ("-0.7408", "119.31", "12346", "10.000"):
        assert text.count(number) == 6


def test_below_the_table_stands_what_is_to_be_known_of_it():
    evaluation = {
        **{"task": "stars", "data": "a.csv", "split": "test", "model": {"mae": 0.5}},
        "baselines": {},
        "unfinished": {"run [b]": {"epoch": 3, "epochs": 20}},
        "failed": {"baseline ridge": "LinAlgError: Singular matrix [x]"},
    }
    console = rich.console.Console(file=io.StringIO(), width=100)
    console.print(screen.metrics_table(evaluation))
    text = " ".join(console.file.getvalue().split())
    assert "run [b]: training is not finished; the best epoch so far is 3 of 20" in text
    reason = "LinAlgError: Singular matrix [x]"
    assert f"baseline ridge failed and is left out ({reason})" in text
