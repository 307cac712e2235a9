"""Wrong input: status 2, one line that says what, where and what to do, no trace left.

Every command runs in a folder of its own, so that the paths are short.
"""

import gzip
import shutil
import socket

import pytest

HEADER = "text,label\n"
ROWS = "".join(
    f"The soup was {word} number {number}.,{label}\n"
    for number in range(20)
    for word, label in (("lovely", "good"), ("awful", "bad"))
)
GOOD = HEADER + ROWS
TRAIN = ("train", "sentiment", "--run", "run")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that the command is called in, which has good data in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_text(GOOD, encoding="utf-8")
    return tmp_path


def contents(folder):
    """Everything below the folder, and what the files hold."""
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def assert_refused(ended, *parts):
    assert ended.status == 2, ended.messages
    assert ended.output == ""
    # What is being read may be told before it is found to be wrong.
    told = [line for line in ended.messages.splitlines() if line[:8] != "Reading "]
    assert len(told) == 1, ended.messages
    assert told[0].startswith("recurra: error: ")
    for part in parts:
        assert part in told[0]


def write_files(folder, files):
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode("utf-8")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


# A name: the files, the command's arguments, and what its message says.
DATA = {
    "missing file": ({}, ["--data", "missing.csv"], ["missing.csv: no such file"]),
    "empty file": ({"a.csv": ""}, ["--data", "a.csv"], ["a.csv", "is empty"]),
    "header alone": ({"a.csv": HEADER}, ["--data", "a.csv"], ["a.csv", "no rows"]),
    "unknown kind of file": (
        {"a.docx": GOOD},
        ["--data", "a.docx"],
        ["a.docx", "unknown kind of file", ".csv"],
    ),
    "not the gzip file it is called": (
        {"a.csv.gz": GOOD},
        ["--data", "a.csv.gz"],
        ["a.csv.gz", "not a whole gzip file"],
    ),
    "gzip file cut short": (
        {"a.csv.gz": gzip.compress(GOOD.encode())[:-20]},
        ["--data", "a.csv.gz"],
        ["a.csv.gz", "not a whole gzip file"],
    ),
    "not the Parquet file it is called": (
        {"a.parquet": GOOD},
        ["--data", "a.parquet"],
        ["a.parquet", "not a readable Parquet file"],
    ),
    "wrong text column": (
        {},
        ["--data", "good.csv", "--text-column", "txet"],
        ["good.csv", "'txet'", "--text-column", "text, label"],
    ),
    "wrong label column": (
        {},
        ["--data", "good.csv", "--label-column", "stars"],
        ["good.csv", "'stars'", "--label-column", "text, label"],
    ),
    "wrong group column": (
        {},
        ["--data", "good.csv", "--group-column", "title"],
        ["good.csv", "'title'", "--group-column"],
    ),
    "no usual column": (
        {"a.csv": "words,mood\n" + ROWS},
        ["--data", "a.csv"],
        ["a.csv", "text, review", "words, mood", "--text-column"],
    ),
    "one column for both": (
        {},
        ["--data", "good.csv", "--text-column", "label"],
        ["good.csv", "both text and label"],
    ),
    "one class alone": (
        {"a.csv": HEADER + "A lamp.,good\n" * 20},
        ["--data", "a.csv"],
        ["a.csv", "'good'", "two or more classes"],
    ),
    "label missing in a row": (
        {"a.csv": GOOD + "A row without it.,\n"},
        ["--data", "a.csv"],
        ["a.csv, line 42", "no label"],
    ),
    "text missing in a row": (
        {"a.csv": HEADER + ",bad\n" + ROWS},
        ["--data", "a.csv"],
        ["a.csv, line 2", "empty text"],
    ),
    "broken quoting": (
        {"a.csv": HEADER + '"It was ""fine,good\n' + ROWS},
        ["--data", "a.csv"],
        ["a.csv, line 2", "quotation mark"],
    ),
    "a comma too many": (
        {"a.csv": HEADER + "It was fine, indeed,good\n" + ROWS},
        ["--data", "a.csv"],
        ["a.csv, line 2", "3 fields", "header has 2"],
    ),
    "broken JSON": (
        {"a.jsonl": '{"text": "fine", "label": "good"}\n{"text": "fine\n'},
        ["--data", "a.jsonl"],
        ["a.jsonl, line 2", "broken JSON"],
    ),
    "bytes of no encoding": (
        {"a.csv": GOOD.encode() + b"\x81\x8d\x8f\x90\x9d\xff,good\n"},
        ["--data", "a.csv"],
        ["a.csv, line 42", "UTF-8"],
    ),
    "a binary file": (
        {"a.csv": b"\x00\x01\x02\x03" * 50},
        ["--data", "a.csv"],
        ["a.csv", "NUL"],
    ),
    "folder without data": (
        {"empty/notes.md": "nothing"},
        ["--data", "empty"],
        ["empty"],
    ),
    "folder of one class": (
        {"texts/good/1.txt": "fine", "texts/good/2.txt": "fine too"},
        ["--data", "texts"],
        ["texts"],
    ),
    "test data of another class": (
        {"test.csv": HEADER + "A lamp.,neutral\n"},
        ["--data", "good.csv", "--set", "data.test_data=test.csv"],
        ["test.csv, line 2", "'neutral'"],
    ),
    "test data missing": (
        {},
        ["--data", "good.csv", "--set", "data.test_data=test.csv"],
        ["test.csv: no such file"],
    ),
    "sample of no number": ({}, ["--data", "sample:many"], ["sample:many"]),
    "columns for the sample": (
        {},
        ["--data", "sample", "--text-column", "text"],
        ["sample", "--text-column"],
    ),
    "unknown tfds name": (
        {},
        ["--data", "tfds:imdb_review"],
        ["tfds:imdb_review", "did you mean imdb_reviews"],
    ),
}

CONFIGURATION = {
    "unknown section": (
        {},
        ["--set", "modle.units=3"],
        ["--set", "modle", "did you mean model?"],
    ),
    "misspelt key": (
        {},
        ["--set", "model.unit=3"],
        ["--set", "model.unit", "did you mean model.units?"],
    ),
    "unknown key in a file": (
        {"mine.yaml": "training:\n  epoch: 3\n"},
        ["--config", "mine.yaml"],
        ["mine.yaml", "training.epoch", "did you mean training.epochs?"],
    ),
    "value out of range": (
        {},
        ["--set", "model.units=0"],
        ["--set", "model.units", "greater than or equal to 1", "received 0"],
    ),
    "value out of range in a file": (
        {"mine.yaml": "training: {learning_rate: -1}\n"},
        ["--config", "mine.yaml"],
        ["mine.yaml", "training.learning_rate", "greater than 0"],
    ),
    "value of another type": (
        {},
        ["--set", "training.epochs=many"],
        ["--set", "training.epochs", "'many'"],
    ),
    "value of no choice": (
        {},
        ["--set", "model.cell=transformer"],
        ["model.cell", "'lstm'", "'transformer'"],
    ),
    "seed below zero": ({}, ["--set", "seed=-1"], ["seed", "received -1"]),
    "shares that leave nothing": (
        {},
        ["--set", "data.validation_fraction=0.6", "--set", "data.test_fraction=0.6"],
        ["validation_fraction", "test_fraction"],
    ),
    "no equals sign": ({}, ["--set", "model.units"], ["model.units", "key=value"]),
    "value that is no YAML": ({}, ["--set", "model.units=[1"], ["model.units=[1"]),
    "section as a value": (
        {},
        ["--set", "model=3"],
        ["--set", "model is a section", "model.cell"],
    ),
    "missing file": ({}, ["--config", "mine.yaml"], ["mine.yaml", "no such"]),
    "folder for a file": ({"f/a": ""}, ["--config", "f"], ["f: cannot be read"]),
    "file that is no YAML": (
        {"mine.yaml": "model: [1\n"},
        ["--config", "mine.yaml"],
        ["mine.yaml", "not valid YAML", "line"],
    ),
    "file that is a list": (
        {"mine.yaml": "- model\n"},
        ["--config", "mine.yaml"],
        ["mine.yaml", "key: value", "list"],
    ),
    "file that is no text": (
        {"mine.yaml": b"\xff\xfe\x00"},
        ["--config", "mine.yaml"],
        ["mine.yaml", "UTF-8"],
    ),
    "unknown recipe": (
        {},
        ["--recipe", "imbd"],
        ["--recipe imbd", "did you mean imdb?", "sample"],
    ),
}


@pytest.mark.parametrize(("files", "arguments", "parts"), DATA.values(), ids=DATA)
def test_wrong_data(recurra, folder, files, arguments, parts):
    write_files(folder, files)
    before = contents(folder)
    assert_refused(recurra(*TRAIN, *arguments), *parts)
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("files", "arguments", "parts"), CONFIGURATION.values(), ids=CONFIGURATION
)
def test_wrong_configuration(recurra, folder, files, arguments, parts):
    write_files(folder, files)
    before = contents(folder)
    assert_refused(recurra(*TRAIN, "--data", "good.csv", *arguments), *parts)
    assert contents(folder) == before


def test_no_network_for_tfds_says_how_to_bring_the_data(recurra, folder, monkeypatch):
    def no_network(*arguments, **options):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder / "tfds"))
    before = contents(folder)
    ended = recurra(*TRAIN, "--data", "tfds:imdb_reviews")
    assert_refused(ended, "tfds:imdb_reviews", "cannot be downloaded", "by hand")
    assert contents(folder) == before


def test_an_unknown_task(recurra, folder):
    ended = recurra("train", "sentimental", "--run", "run")
    assert_refused(ended, "sentimental: no such task", "sentiment")


@pytest.mark.parametrize(
    ("run", "parts"),
    [
        ("good.csv", ["good.csv: exists already", "--run"]),
        ("full", ["full: exists already", "--run", "--resume"]),
        ("good.csv/run", ["good.csv/run", "cannot be"]),
    ],
    ids=["a file", "a folder with something in it", "below a file"],
)
def test_a_run_directory_that_cannot_be_made(recurra, folder, run, parts):
    write_files(folder, {"full/something": "precious"})
    before = contents(folder)
    ended = recurra("train", "sentiment", "--data", "good.csv", "--run", run)
    assert_refused(ended, *parts)
    assert contents(folder) == before


def test_resume_without_a_run(recurra, folder):
    assert_refused(recurra("train", "sentiment", "--resume"), "--resume", "--run DIR")


def test_resume_of_what_is_no_run(recurra, folder):
    write_files(folder, {"full/something": "precious"})
    ended = recurra(
        "train", "sentiment", "--data", "good.csv", "--run", "full", "--resume"
    )
    assert_refused(ended, "full: not a run directory")


@pytest.fixture
def unfinished(folder, sentiment_run):
    """A run that was stopped before its evaluation."""
    shutil.copytree(sentiment_run.path, folder / "run")
    (folder / "run" / "metrics.json").unlink()
    return folder / "run"


def test_resume_with_another_configuration(recurra, unfinished, reviews_csv):
    before = contents(unfinished)
    ended = recurra(
        *TRAIN, "--data", reviews_csv, "--resume", "--set", "model.units=77"
    )
    assert_refused(ended, "run: was begun with another", "--run")
    assert contents(unfinished) == before


UNFINISHED = {
    "evaluate": ["evaluate", "run"],
    "export": ["export", "run", "--to", "models"],
}


@pytest.mark.parametrize("arguments", UNFINISHED.values(), ids=UNFINISHED)
def test_an_unfinished_run(recurra, folder, unfinished, arguments):
    before = contents(folder)
    ended = recurra(*arguments)
    assert_refused(ended, "run: training is not finished", "--resume")
    assert contents(folder) == before


def test_an_unfinished_run_with_a_space_in_its_name(recurra, folder, unfinished):
    """No model could be called like it, but what is missing first is training."""
    unfinished.rename(folder / "run 1")
    ended = recurra("export", "run 1")
    assert_refused(ended, "training is not finished", "--run 'run 1' --resume")


@pytest.mark.parametrize("arguments", UNFINISHED.values(), ids=UNFINISHED)
def test_a_folder_that_is_no_run(recurra, folder, arguments):
    (folder / "run").mkdir()
    before = contents(folder)
    assert_refused(recurra(*arguments), "run: not a run directory", "recurra train")
    assert contents(folder) == before


BROKEN_RUN = {
    "configuration without YAML": ("config.yaml", "model: [1", ["config.yaml"]),
    "configuration with an unknown key": (
        "config.yaml",
        "model: {unit: 3}",
        ["config.yaml", "did you mean model.units?"],
    ),
    "no JSON": ("run.json", "{", ["run.json"]),
    "another task": ("run.json", '{"task": "chess", "format": 1}', ["chess"]),
}


@pytest.mark.parametrize(
    ("file", "content", "parts"), BROKEN_RUN.values(), ids=BROKEN_RUN
)
def test_a_broken_run(recurra, folder, sentiment_run, file, content, parts):
    shutil.copytree(sentiment_run.path, folder / "run")
    (folder / "run" / file).write_text(content, encoding="utf-8")
    assert_refused(recurra("evaluate", "run"), *parts)


EVALUATION = {
    "split that is not there": (["--split", "tests"], ["--split tests", "validation"]),
    "data and a split of the run": (
        ["--data", "good.csv", "--split", "train"],
        ["--split train", "--data"],
    ),
    "missing data": (["--data", "missing.csv"], ["missing.csv: no such file"]),
    "wrong column": (
        ["--data", "good.csv", "--label-column", "stars"],
        ["good.csv", "'stars'", "--label-column"],
    ),
    "class that the model does not know": (
        ["--data", "other.csv"],
        ["other.csv, line 42", "'neutral'", "bad, good"],
    ),
    "JSON file in a folder that is not there": (
        ["--data", "good.csv", "--json", "nowhere/metrics.json"],
        ["--json nowhere/metrics.json", "cannot be written"],
    ),
    "JSON file that is a folder": (
        ["--data", "good.csv", "--json", "full"],
        ["--json full", "cannot be written"],
    ),
}


@pytest.mark.parametrize(("arguments", "parts"), EVALUATION.values(), ids=EVALUATION)
def test_wrong_evaluation(recurra, folder, sentiment_run, arguments, parts):
    write_files(
        folder, {"other.csv": GOOD + "A lamp.,neutral\n", "full/something": "precious"}
    )
    before = contents(folder)
    assert_refused(recurra("evaluate", sentiment_run.path, *arguments), *parts)
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "../up", "two words", "ü"])
def test_a_name_that_no_model_can_have(recurra, folder, sentiment_run, name):
    before = contents(folder)
    ended = recurra("export", sentiment_run.path, "--to", "models", "--name", name)
    assert_refused(ended, "--name", "letters, digits")
    assert contents(folder) == before


def test_a_folder_of_models_that_is_a_file(recurra, folder, sentiment_run):
    before = contents(folder)
    ended = recurra("export", sentiment_run.path, "--to", "good.csv")
    assert_refused(ended, "good.csv", "could not be written")
    assert contents(folder) == before


PREDICTION = {
    "neither texts nor a file": ([], ["--file"]),
    "texts and a file": (["a text", "--file", "good.csv"], ["--file"]),
    "missing file": (["--file", "missing.txt"], ["missing.txt"]),
    "missing table": (["--file", "missing.csv"], ["missing.csv: no such file"]),
    "pattern of no file": (["--file", "full/*.csv"], ["full/*.csv"]),
    "empty file": (["--file", "empty.txt"], ["empty.txt", "empty"]),
    "empty table": (["--file", "empty.csv"], ["empty.csv", "empty"]),
    "file that is no text": (["--file", "a.docx"], ["a.docx", "UTF-8 was expected"]),
    "no text column": (["--file", "words.csv"], ["words.csv", "--text-column"]),
    "wrong text column": (
        ["--file", "good.csv", "--text-column", "txet"],
        ["good.csv", "'txet'", "text, label"],
    ),
    "row that cannot be read": (
        ["--file", "broken.csv"],
        ["broken.csv, line 42", "each row gets its answer"],
    ),
}


@pytest.mark.parametrize(("arguments", "parts"), PREDICTION.values(), ids=PREDICTION)
def test_wrong_texts_to_predict_on(recurra, folder, sentiment_model, arguments, parts):
    files = {
        "empty.txt": "",
        "empty.csv": "",
        "a.docx": b"PK\x03\x04\x14\x00\x06\x00",
        "words.csv": "words,mood\na,b\n",
        "broken.csv": GOOD + "one,two,three\n",
        "full/something": "precious",
    }
    write_files(folder, files)
    assert_refused(recurra("predict", sentiment_model, *arguments), *parts)


@pytest.mark.parametrize("model", ["missing", "good.csv", "full"])
def test_a_model_that_is_none(recurra, folder, model):
    write_files(folder, {"full/something": "precious"})
    ended = recurra("predict", model, "a text")
    assert_refused(ended, f"{model}: no exported model", "recurra export")


@pytest.mark.parametrize(
    "arguments",
    [
        ["trian"],
        ["train"],
        ["train", "sentiment", "--epochs", "3"],
        ["export"],
        ["predict"],
        ["data", "lists"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_shown_its_usage(recurra, folder, arguments):
    ended = recurra(*arguments)
    assert ended.status == 2
    assert "Usage: recurra" in ended.output + ended.messages
    assert "Traceback" not in ended.messages
    assert contents(folder).keys() == {(folder / "good.csv").relative_to(folder)}
