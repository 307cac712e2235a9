"""`recurra predict`: texts, files and what is answered."""

import functools
import gzip
import json
import re
import shutil
import subprocess
import weakref
from pathlib import Path

import pandas
import pytest

from recurra.apps.answers import texts as texts_on_screen
from recurra.pipelines.cards import (
    CardError,
    ColumnFinding,
    LabelSetsAnswer,
    ModelCard,
    NumberAnswer,
    ReadingPlan,
)
from recurra.pipelines.core import exported_model, file_prediction
from recurra.pipelines.core.errors import Interrupted, UserError
from recurra.pipelines.core.exported_model import (
    ROWS_TOGETHER,
    ExportedModel,
    load_model,
)
from recurra.pipelines.core.file_prediction import predict_file
from recurra.pipelines.core.parallel import children
from recurra.pipelines.data.files import streams
from recurra.pipelines.data.files.streams import FileStream
from recurra.pipelines.data.files.tables import read_table
from recurra.pipelines.data.texts import input_texts, text_rows
from recurra.pipelines.data.texts.input_texts import read_texts

TEXTS = ["What a lovely lamp!", "The soup was really awful.", "A tedious film."]


def card_of(answer=None, **values):
    answer = answer or {"kind": "labels", "classes": []}
    facts = {"name": "a", "version": 1, "created": "", "task": "a"}
    return ModelCard(**facts, answer=answer, inputs={}, outputs={}, **values)


def texts_of(path, text_column=None, card=None):
    parts = read_texts(FileStream(path), card or card_of(), text_column)
    return [text for part in parts for text in part.texts]


@pytest.fixture(scope="module", autouse=True)
def loaded_once():
    """A command takes the model that an earlier one has loaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exported_model, "opened", functools.cache(exported_model.opened))
        yield


@pytest.fixture(scope="module")
def exported(sentiment_model):
    return ExportedModel(sentiment_model)


def answers_of(ended):
    assert ended.status == 0, ended.messages
    assert ended.messages == ""
    return json.loads(ended.output)


def test_texts_are_answered_a_line_each(recurra, sentiment_model, exported):
    ended = recurra("predict", sentiment_model, *TEXTS)
    assert ended.status == 0
    assert ended.messages == ""
    expected = [
        f"{answer['label']}\t{answer['score']:.4f}\t{text}"
        for text, answer in zip(TEXTS, exported.predict_texts(TEXTS), strict=True)
    ]
    assert ended.output.splitlines() == expected


def test_json_is_an_array_with_an_answer_a_line(recurra, sentiment_model):
    ended = recurra("predict", sentiment_model, *TEXTS, "--json")
    answers = answers_of(ended)
    assert [answer["text"] for answer in answers] == TEXTS
    lines = ended.output.splitlines()
    assert (lines[0], lines[-1]) == ("[", "]")
    assert [json.loads(line.rstrip(",")) for line in lines[1:-1]] == answers
    for answer in answers:
        assert set(answer) == {"text", "label", "score", "probabilities"}
        assert set(answer["probabilities"]) == {"good", "bad"}
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        largest = max(answer["probabilities"], key=answer["probabilities"].get)
        assert answer["label"] == largest
        assert answer["score"] == pytest.approx(answer["probabilities"][largest])


def write_text(folder):
    path = folder / "texts.txt"
    path.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    return path


def write_csv(folder):
    path = folder / "texts.csv"
    pandas.DataFrame({"id": [3, 1, 2], "text": TEXTS}).to_csv(path, index=False)
    return path


def write_jsonl(folder):
    path = folder / "texts.jsonl.gz"
    lines = "".join(json.dumps({"review": text}) + "\n" for text in TEXTS)
    path.write_bytes(gzip.compress(lines.encode("utf-8")))
    return path


def write_parquet(folder):
    path = folder / "texts.parquet"
    pandas.DataFrame({"content": TEXTS}).to_parquet(path)
    return path


@pytest.mark.parametrize("write", [write_text, write_csv, write_jsonl, write_parquet])
def test_a_file_of_any_kind_is_read_in_its_order(tmp_path, write):
    assert texts_of(write(tmp_path)) == TEXTS


def test_a_file_is_answered_in_its_order(recurra, sentiment_model, exported, tmp_path):
    path = write_jsonl(tmp_path)
    answers = answers_of(recurra("predict", sentiment_model, "--file", path, "--json"))
    assert [answer.pop("text") for answer in answers] == TEXTS
    assert answers == exported.predict_texts(TEXTS)


def test_a_column_can_be_named(tmp_path):
    path = tmp_path / "texts.csv"
    frame = pandas.DataFrame({"text": ["not this"] * 3, "opinion": TEXTS})
    frame.to_csv(path, index=False)
    assert texts_of(path, "opinion") == TEXTS


def test_the_column_is_that_of_training(tmp_path):
    path = tmp_path / "texts.csv"
    frame = pandas.DataFrame({"text": ["not this"] * 3, "Opinion": TEXTS})
    frame.to_csv(path, index=False)
    columns = [
        ColumnFinding(column="mark", role="label", evidence=""),
        ColumnFinding(column="opinion", role="text", evidence=""),
    ]
    card = card_of(reading_plan=ReadingPlan(columns=columns))
    assert texts_of(path, card=card) == TEXTS
    assert texts_of(path, "text", card) == ["not this"] * 3


SOURCES = [f"The train to Rome leaves at {hour}." for hour in range(6)]
TARGETS = [f"Der Zug nach Rom fährt um {hour}." for hour in range(6)]
TRANSLATES = {"kind": "text", "source": "en", "target": "de"}


def write_pairs(path, names):
    frame = pandas.DataFrame(zip(TARGETS, SOURCES, range(6), strict=True))
    separator = "\t" if path.suffix in (".tsv", ".txt") else ","
    frame.columns = names or frame.columns
    frame.to_csv(path, index=False, header=bool(names), sep=separator)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
@pytest.mark.parametrize("names", [("de", "EN", "id"), ("target", "source", "n"), ()])
def test_sources_are_found_in_what_training_reads(tmp_path, name, names):
    path = tmp_path / name
    write_pairs(path, names)
    assert texts_of(path, card=card_of(TRANSLATES)) == SOURCES
    (part,) = read_texts(FileStream(path), card_of(TRANSLATES))
    assert part.rows.iloc[:, 0].tolist() == TARGETS
    assert list(part.rows.columns) == list(names or ("1", "2", "3"))


def test_sources_in_a_translation_memory_and_in_lines(tmp_path):
    memory, lines = tmp_path / "a.tmx", tmp_path / "a.en"
    units = "".join(
        f"<tu><tuv xml:lang='de'><seg>{target}</seg></tuv>"
        f"<tuv xml:lang='en'><seg>{source}</seg></tuv></tu>"
        for source, target in zip(SOURCES, TARGETS, strict=True)
    )
    memory.write_text(f"<tmx><body>{units}</body></tmx>", encoding="utf-8")
    lines.write_text("\n".join(SOURCES), encoding="utf-8")
    for path in (memory, lines):
        assert texts_of(path, card=card_of(TRANSLATES)) == SOURCES


def test_a_file_is_written_with_its_columns_and_the_answers(
    recurra, sentiment_model, exported, tmp_path
):
    path, to = write_csv(tmp_path), tmp_path / "answers.jsonl"
    ended = recurra("predict", sentiment_model, "--file", path, "--to", to)
    assert (ended.status, ended.output) == (0, ""), ended.messages
    written = [json.loads(line) for line in to.read_text("utf-8").splitlines()]
    assert written == [
        {"id": number, "text": text, **answer}
        for number, text, answer in zip(
            ["3", "1", "2"], TEXTS, exported.predict_texts(TEXTS), strict=True
        )
    ]
    again = recurra("predict", sentiment_model, "--file", path, "--to", to)
    assert again.status == 2
    assert "exists already" in again.messages


def test_answers_come_before_the_file_is_read_to_its_end(tmp_path, monkeypatch, capsys):
    """By a stub of a model, which asks how far the file is read."""
    path = tmp_path / "texts.csv"
    path.write_text("text,id\n" + "a lovely lamp,1\n" * 400_000)
    stream = FileStream(path)
    monkeypatch.setattr(input_texts, "FileStream", lambda file, kept: stream)
    positions = []

    class Stub:
        card, answer = card_of(), NumberAnswer()

        def predict_texts(self, texts):
            positions.append(stream.position)
            return [{"value": 1.0}] * len(texts)

    texts_on_screen.predict(Stub(), (), path, as_json=False)
    assert capsys.readouterr().out.count("\n") == 400_000
    assert positions[0] < 0.4 * stream.size
    assert len(set(positions)) > 2


def test_several_labels_are_a_line_with_their_probabilities(capsys):
    class Stub:
        card = card_of(LabelSetsAnswer(classes=["a", "b"], thresholds=[0.5, 0.1]))
        answer = card.answer

        def predict_texts(self, texts):
            probabilities = {"a": 0.75, "b": 0.125}
            labels = [["a", "b"], []]
            return [{"labels": has, "probabilities": probabilities} for has in labels]

    texts_on_screen.predict(Stub(), ("one", "two"), None, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["a 0.7500, b 0.1250\tone", "(no label)\ttwo"]
    texts_on_screen.demonstrate(Stub(), ("one", "two"), Path())
    assert "a 0.7500, b 0.1250  one" in capsys.readouterr().out


def test_empty_cells_and_empty_lines_are_texts_too(tmp_path):
    table = tmp_path / "texts.csv"
    table.write_text('text,id\n"",1\nA lovely lamp,2\n', encoding="utf-8")
    lines, german = tmp_path / "texts.txt", tmp_path / "test.de"
    for path in (lines, german):
        path.write_text("\nA lovely lamp\n", encoding="utf-8")
    for path in (table, lines, german):
        assert texts_of(path) == ["", "A lovely lamp"]


def test_a_line_of_a_text_file_ends_with_the_line_alone(tmp_path):
    """Signs that some call line ends too, such as U+2028, stand within a text."""
    path = tmp_path / "texts.txt"
    path.write_bytes("\ufeffone\u2028text\x0b\r\nanother\x85\n\n".encode())
    assert texts_of(path) == ["one\u2028text\x0b", "another\x85", ""]


def test_many_texts_of_mixed_length_keep_their_order(exported):
    texts = [
        " ".join(["lamp"] * (row * 7 % 40 + 1)) + f" {row}"
        for row in range(2 * ROWS_TOGETHER + 5)
    ]
    together = exported.predict_texts(texts)
    assert len(together) == len(texts)
    for row in (0, 1, ROWS_TOGETHER, len(texts) - 1):
        (alone,) = exported.predict_texts([texts[row]])
        assert together[row]["score"] == pytest.approx(alone["score"], abs=1e-5)


def test_no_texts_have_no_answers(exported):
    assert exported.predict_texts([]) == []


@pytest.mark.parametrize(
    "text", ["", "  ", "😀", "\x00", "lamp " * 100_000], ids=lambda text: repr(text[:5])
)
def test_strange_texts_are_answered(exported, text):
    (answer,) = exported.predict_texts([text])
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_arguments_that_are_no_utf_8_or_very_long(recurra, sentiment_model):
    # As the operating system hands bytes over that are no UTF-8: as lone surrogates.
    strange = b"a lovely \xff lamp".decode("utf-8", errors="surrogateescape")
    long = "lamp\n" * 200
    ended = recurra("predict", sentiment_model, strange, long)
    assert ended.status == 0
    lines = ended.output.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("\ta lovely \N{REPLACEMENT CHARACTER} lamp")
    assert len(lines[1]) < 130


def test_a_long_text_is_whole_in_json(recurra, sentiment_model):
    text = "lamp\n" * 200
    (answer,) = answers_of(recurra("predict", sentiment_model, text, "--json"))
    assert answer["text"] == text


def test_of_a_models_folder_the_latest_version_is_taken(sentiment_model, tmp_path):
    for version in ("2", "10"):
        shutil.copytree(sentiment_model, tmp_path / version)
    (tmp_path / ".partial-11").mkdir()
    (tmp_path / "notes").mkdir()
    assert ExportedModel(tmp_path).folder == tmp_path / "10"
    assert ExportedModel(tmp_path / "2").folder == tmp_path / "2"


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("saved_model.pb", "cannot be loaded"),
        ("variables/variables.index", "cannot be loaded"),
        ("assets.extra/model_card.json", "no readable model card"),
    ],
)
def test_a_broken_export_is_refused_in_one_line(
    sentiment_model, tmp_path, broken, message
):
    folder = tmp_path / "1"
    shutil.copytree(sentiment_model, folder)
    (folder / broken).write_bytes(b"\x0bnonsense")
    with pytest.raises((UserError, CardError), match=message) as error:
        load_model(folder)
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize("suffix", ["csv", "txt", "jsonl"])
def test_a_file_is_never_in_memory_as_a_whole(tmp_path, monkeypatch, suffix):
    """Counted are the parts that anybody still holds when one is answered."""
    monkeypatch.setattr(streams, "PART_BYTES", 2_000)
    parts, most = [], 0
    in_turn = input_texts.in_turn

    def tracked(*arguments):
        for part in in_turn(*arguments):
            parts.append(weakref.ref(part.rows))
            yield part

    class Model:
        folder = tmp_path / "model"
        card = card_of(NumberAnswer())
        answer = card.answer

        def predict_texts(self, texts):
            nonlocal most
            most = max(most, sum(part() is not None for part in parts))
            return [{"value": float(text.split()[-1])} for text in texts]

    monkeypatch.setattr(input_texts, "in_turn", tracked)
    texts = [f"a text of some words {number}" for number in range(2_000)]
    lines = {
        "csv": ["text", *texts],
        "txt": texts,
        "jsonl": [json.dumps({"text": text}) for text in texts],
    }
    path, to = tmp_path / f"a.{suffix}", tmp_path / "out.csv"
    path.write_text("\n".join(lines[suffix]), encoding="utf-8")
    texts_on_screen.predict(Model(), (), path, False, to=to)
    answered = pandas.read_csv(to)
    assert answered["value"].tolist() == list(range(2_000))
    assert answered["text"].tolist() == texts
    assert len(parts) > 20 and most <= 3


def test_files_of_a_folder_or_a_pattern_are_one_after_the_other(tmp_path):
    folder = tmp_path / "in"
    (folder / "b").mkdir(parents=True)
    for name in ("b/1.csv", "a.csv"):
        frame = pandas.DataFrame({"text": [f"{name} one", f"{name} two"], "id": [1, 2]})
        frame.to_csv(folder / name, index=False)
    (folder / ".hidden.csv").write_text("no table")
    to = tmp_path / "out.csv"
    texts = ["a.csv one", "a.csv two", "b/1.csv one", "b/1.csv two"]
    for given in (folder, folder / "**" / "*.csv"):
        predict_file(Counting(tmp_path), given, to)
        written = pandas.read_csv(to)
        assert list(written) == ["file", "text", "id", "value"]
        assert written["text"].tolist() == texts
        assert [Path(name).name for name in written["file"]] == ["a.csv"] * 2 + [
            "1.csv"
        ] * 2
        to.unlink()
    with pytest.raises(UserError, match="no such file"):
        predict_file(Counting(tmp_path), folder / "*.tsv", to)


class Counting:
    """A model that answers with the length, and stops before some call."""

    def __init__(self, folder, stop=None):
        self.folder, self.card, self.answer = folder / "model", card_of(), None
        self.folder.mkdir(exist_ok=True)
        self.calls, self.stop = 0, stop

    def predict_texts(self, texts, **options):
        if self.calls == self.stop:
            raise KeyboardInterrupt
        self.calls += 1
        return [{"value": len(text) + 1 / 3} for text in texts]


@pytest.mark.parametrize("kind", ["csv", "jsonl.gz", "parquet"])
def test_what_was_stopped_goes_on_to_the_same_file(tmp_path, kind):
    path, to, whole = (tmp_path / name for name in ("in.csv", f"a.{kind}", f"b.{kind}"))
    path.write_text("text\n" + "".join(f"a text {n}\n" for n in range(5_000)))
    predict_file(Counting(tmp_path), path, whole)
    with pytest.raises(Interrupted, match="2,048 rows"):
        predict_file(Counting(tmp_path, stop=2), path, to)
    assert not to.exists()
    with pytest.raises(UserError, match="--resume"):
        predict_file(Counting(tmp_path), path, to)
    # As a kill leaves it, in the middle of a line.
    with (tmp_path / f".partial-{to.name}" / "answers.jsonl").open("a") as file:
        file.write('[{"value": 1')
    model = Counting(tmp_path)
    predict_file(model, path, to, resume=True)
    assert model.calls == 3
    pandas.testing.assert_frame_equal(read_table(to).frame, read_table(whole).frame)
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(
        ["in.csv", "model", to.name, whole.name]
    )


def test_what_has_changed_meanwhile_is_refused(tmp_path):
    path, to = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text("text,other\n" + "one,two\n" * 2_000)
    with pytest.raises(Interrupted):
        predict_file(Counting(tmp_path, stop=1), path, to)
    again = functools.partial(predict_file, to=to, resume=True)
    with pytest.raises(UserError, match=r"another options \(text_column\)"):
        again(Counting(tmp_path), path, text_column="other")
    path.write_text("text,other\n" + "One,two\n" * 2_000)
    with pytest.raises(UserError, match=r"another input \(in.csv\)"):
        again(Counting(tmp_path), path)
    path.write_text("text,other\n" + "one,two\n" * 2_000)
    model = Counting(tmp_path)
    (model.folder / "weights").touch()
    with pytest.raises(UserError, match=r"another model \(weights\)"):
        again(model, path)
    (model.folder / "weights").unlink()
    again(model, path)
    assert len(pandas.read_csv(to)) == 2_000
    with pytest.raises(UserError, match="exists already"):
        again(model, path)


def test_a_fault_of_the_input_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "PART_BYTES", 2_000)
    path, to = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text("text,other\n" + "one,two\n" * 1_000 + "three\n")
    with pytest.raises(UserError, match="line 1002"):
        predict_file(Counting(tmp_path), path, to)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in.csv", "model"]


def test_two_processes_of_which_one_is_killed_answer_as_one(
    recurra, sentiment_model, exported, tmp_path, monkeypatch
):
    path, alone, to = (tmp_path / name for name in ("in.csv", "alone.csv", "two.csv"))
    monkeypatch.setattr(text_rows, "_ROWS", 64)
    frame = pandas.DataFrame({"text": [f"lamp {n}" for n in range(2_000)]})
    frame.to_csv(path, index=False)
    exported.predict_file(path, alone)
    started, killed = [], []

    class Popen(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(children.subprocess, "Popen", Popen)
    keep = file_prediction._Unfinished.keep

    def kill_and_keep(self, answers):
        if not killed:
            started[0].kill()
            killed.append(started[0])
        keep(self, answers)

    monkeypatch.setattr(file_prediction._Unfinished, "keep", kill_and_keep)
    command = ("predict", sentiment_model, "--file", path, "--to", to)
    assert recurra(*command, "--workers", "2").status == 0
    assert len(started) == 3 and killed
    assert to.read_bytes() == alone.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["a text", "--resume"], "--resume: .* give both"),
        (["a text", "--workers", "2"], "--workers: .* --file"),
        (["--file", "in.csv", "--resume"], "--resume: .* give both"),
        (["--file", "in.csv", "--to", "a.csv", "--json"], "--json: "),
        (
            ["--file", "in.csv", "--to", "a.csv", "--resume", "--unfinished"],
            "export one",
        ),
    ],
)
def test_options_that_do_not_go_together(recurra, sentiment_model, options, message):
    ended = recurra("predict", sentiment_model, *options)
    assert ended.status == 2
    assert re.search(message, ended.messages)
