"""The way through by the command line: train, stop, go on, judge, export, predict."""

import json
import signal
import subprocess
import sys

import pandas
import pytest

from recurra.pipelines.core.runs import Run

METRICS = {"accuracy", "macro_f1", "roc_auc", "nll", "ece"}
BASELINES = {
    *("recurrent", "nb_ngrams", "tfidf_ngrams", "majority"),
    *("tfidf_logistic_regression", "nb_logistic_regression"),
}


def assert_metrics_table(text):
    for part in ("model", *METRICS):
        assert part in text
    # Of the baselines the words, which a narrow screen breaks.
    for baseline in BASELINES:
        assert all(word[:6] in text for word in baseline.split("_"))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, write_reviews):
    """A training that got a Ctrl-C: its arguments, its run and how it ended."""
    folder = tmp_path_factory.mktemp("stopped")
    reviews = write_reviews(folder / "reviews.csv")
    path = folder / "a run"
    arguments = ["train", "sentiment", "--data", str(reviews), "--run", str(path)]
    for value in (
        "model.units=4",
        "model.embedding_size=8",
        "training.epochs=3",
        "training.patience=3",
        "training.batch_size=1",
    ):
        arguments += ["--set", value]
    with subprocess.Popen(
        [sys.executable, "-m", "recurra.apps.main", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        messages = []
        for line in process.stderr:
            messages.append(line)
            if line.startswith("epoch 1/3:"):
                process.send_signal(signal.SIGINT)
                break
        output, rest = process.communicate(timeout=600)
    messages += rest.splitlines(keepends=True)
    return arguments, path, process.returncode, output, messages


def test_ctrl_c_stops_training_with_one_message_on_how_to_go_on(stopped):
    arguments, path, status, output, messages = stopped
    assert status == 130, "".join(messages)
    assert output == ""
    assert messages[-1].startswith("stopped ")
    assert "the state is saved" in messages[-1]
    assert f"recurra train sentiment --run '{path}' --resume" in messages[-1]
    assert sum("--resume" in line for line in messages) == 1
    assert not any("Traceback" in line for line in messages)


def test_while_training_each_line_says_what_is_done_without_noise(stopped):
    messages = stopped[-1]
    assert messages[0].startswith("Reading ")
    assert all(
        line.startswith(("Reading", "By ", "Fitting", "Training", "epoch ", "stopped "))
        for line in messages
    )
    (epoch,) = [line for line in messages if line.startswith("epoch 1/3:")]
    for part in ("loss ", "val_nll ", "val_accuracy ", " s"):
        assert part in epoch


def test_resume_finishes_the_run_as_it_was_begun(recurra, stopped):
    arguments, path, *_ = stopped
    assert not Run.open(path).is_finished
    ended = recurra("train", "sentiment", "--run", str(path), "--resume")
    assert ended.status == 0, ended.messages
    assert_metrics_table(ended.output)
    assert f"Run: {path}, report: {path / 'report.html'}" in ended.messages
    history = pandas.read_csv(path / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3]
    # With the same options there is nothing more to do.
    again = recurra(*arguments, "--resume")
    assert again.status == 0
    assert "finished already" in again.messages
    assert again.output == ended.output


def test_the_command_line_is_kept_in_the_run(stopped):
    arguments, path, *_ = stopped
    environment = json.loads((path / "environment.json").read_text("utf-8"))
    assert environment["command"] == ["recurra", *arguments]


def test_evaluate_says_what_the_run_said_and_writes_it(
    recurra, sentiment_run, tmp_path
):
    file, predictions = tmp_path / "metrics.json", tmp_path / "predictions.csv"
    ended = recurra(
        "evaluate", sentiment_run.path, "--json", file, "--predictions", predictions
    )
    assert ended.status == 0, ended.messages
    assert_metrics_table(ended.output)
    assert predictions.read_bytes() == sentiment_run.predictions_file.read_bytes()
    written = json.loads(file.read_text("utf-8"))
    own = sentiment_run.metrics
    assert {"task", "data", "split", "model", "baselines"} <= set(written)
    assert set(written["model"]) == METRICS
    assert set(written["baselines"]) == BASELINES
    assert written["split"] == "test"
    assert written["model"] == pytest.approx(own["model"], abs=1e-5)
    assert all(set(row) == METRICS for row in written["baselines"].values())


def test_evaluate_on_other_data_takes_every_row_and_counts_the_bad(
    recurra, sentiment_run, write_reviews, tmp_path
):
    path = write_reviews(tmp_path / "new.csv", 200, seed=5, text="Words", label="Mood")
    with path.open("a", encoding="utf-8") as file:
        file.write("A row without its label.,\n")
    with path.open("ab") as file:
        file.write("What a charming caf\u00e9!,good\n".encode("cp1252"))
        file.write("What a dreadful caf\u00e9!,bad\n".encode())
    file = tmp_path / "metrics.json"
    columns = ("--text-column", "Words", "--label-column", "Mood")
    ended = recurra(
        "evaluate", sentiment_run.path, "--data", path, *columns, "--json", file
    )
    assert ended.status == 0, ended.messages
    written = json.loads(file.read_text("utf-8"))
    assert written["rows"] == 202
    (bad_row,) = written["bad_rows"]
    assert "line 202" in bad_row
    assert "no label" in bad_row


def test_export_says_where_the_next_version_is_and_predict_takes_it(
    recurra, sentiment_run, tmp_path
):
    ended = recurra("export", sentiment_run.path, "--to", tmp_path)
    assert ended.status == 0, ended.messages
    version = tmp_path / sentiment_run.name / "1"
    assert ended.output == f"{version}\n"
    assert (version / "saved_model.pb").is_file()
    predictions = pandas.read_csv(sentiment_run.predictions_file)
    texts = tmp_path / "texts.csv"
    predictions[["text"]].to_csv(texts, index=False)
    ended = recurra("predict", version.parent, "--file", texts, "--json")
    assert ended.status == 0, ended.messages
    answers = json.loads(ended.output)
    labels = [answer["label"] for answer in answers]
    assert labels == predictions["predicted"].tolist()
    for name in ("bad", "good"):
        served = [answer["probabilities"][name] for answer in answers]
        expected = predictions[f"probability_{name}"].tolist()
        assert served == pytest.approx(expected, abs=1e-5)


def test_values_come_from_recipe_file_and_command_line_in_this_order(
    recurra, monkeypatch, tmp_path
):
    """Seen in what training would be given."""
    given = {}

    def train(task_class, configuration, path, **options):
        given.update(configuration=configuration, path=path, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr("recurra.pipelines.core.workflow.train", train)
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "mine.yaml"
    config.write_text("model: {units: 9, depth: 2}\ndata: {spec: here.csv}\n")
    sources = ("--recipe", "sample", "--config", config)
    values = ("--set", "model.depth=3", "--set", "model.pooling=[last, max]")
    ended = recurra("train", "sentiment", *sources, *values, "--data", "there.csv")
    configuration = given["configuration"]
    assert configuration.model.units == 9
    assert configuration.model.depth == 3
    assert configuration.model.pooling == ["last", "max"]
    assert configuration.data.spec == "there.csv"
    assert str(given["path"]) == "runs/sentiment-1"
    assert not given["resume"]
    assert ended.status == 130


def test_ctrl_c_elsewhere_is_a_line_and_the_status_of_a_stop(recurra, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("recurra.pipelines.core.exported_model.opened", stop)
    ended = recurra("predict", "model", "--file", "texts.txt")
    assert (ended.status, ended.output) == (130, "")
    assert ended.messages == "recurra: stopped\n"


@pytest.mark.parametrize("arguments", [[], ["data"]])
def test_without_a_command_there_is_help(recurra, arguments):
    ended = recurra(*arguments)
    assert "Usage" in ended.output + ended.messages


@pytest.mark.parametrize(
    ("line", "word", "expected"),
    [
        ("recurra tr", 1, ["train"]),
        ("recurra train se", 2, ["sentiment"]),
        ("recurra train sentiment --text", 3, ["--text-column"]),
        ("recurra data show sample --ti", 4, []),
    ],
)
def test_a_shell_completes_commands_tasks_and_their_options(
    recurra, monkeypatch, line, word, expected
):
    monkeypatch.setenv("_RECURRA_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(word))
    assert recurra().output.split() == expected
