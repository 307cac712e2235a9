import contextlib
import datetime
import importlib.metadata
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from recurra.pipelines.cards import Answer
from recurra.pipelines.core import exporting, workflow
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.core.files import read_json
from recurra.pipelines.core.task import Servable

TEXTS = [
    "The soup was truly lovely.",
    "What a dreadful lamp!",
    "",
    "\U0001f600 " * 50,
]


class Lookup(tf.Module):
    """The line number of a word in a file, with ballast to fill a disk."""

    def __init__(self, words: Path, ballast: int = 0):
        super().__init__()
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                str(words),
                *(tf.string, tf.lookup.TextFileIndex.WHOLE_LINE),
                *(tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER),
            ),
            default_value=-1,
        )
        self._ballast = tf.Variable(tf.random.uniform([ballast]))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "word")])
    def number(self, word):
        return {"number": self._table.lookup(word)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "word")])
    def length(self, word):
        return {"length": tf.strings.length(word)}


class Watched(Mapping):
    """A mapping that does something when an export reads it."""

    def __init__(self, values, act):
        self._values, self._act = values, act

    def __getitem__(self, key):
        return self._values[key]

    def __iter__(self):
        self._act()
        return iter(self._values)

    def __len__(self):
        return len(self._values)


CARD = {"task": "lookup", "metrics": {"words": "zwölf"}}
EXAMPLES = {
    "serving_default": {"word": np.array(["one", "two"], object)},
    "length": {"word": np.array(["three"], object)},
}


def _servable(words, *, ballast=0, examples=EXAMPLES):
    words.write_text("one\nzwölf\n", encoding="utf-8")
    module = Lookup(words, ballast)
    signatures = {"serving_default": module.number, "length": module.length}
    return Servable(
        module=module,
        signatures=signatures,
        answer=Answer(kind="line"),
        examples=examples,
    )


def export(servable, to, name, card=CARD):
    return exporting.export(servable, to, name, card)


@pytest.fixture(scope="module")
def servable(tmp_path_factory):
    return _servable(tmp_path_factory.mktemp("lookup") / "words.txt")


@pytest.fixture
def to(tmp_path):
    return tmp_path / "models"


def _contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def _versions(folder):
    """What a server would load."""
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


# Versions and names


def test_an_export_is_complete_and_needs_nothing_outside_itself(tmp_path, to):
    words = tmp_path / "words.txt"
    version = export(_servable(words), to, "lookup")
    assert version == to / "lookup" / "1"
    assert {path.name for path in version.iterdir()} >= {
        *("saved_model.pb", "variables", "assets", "assets.extra")
    }
    assert [path.name for path in (to / "lookup").iterdir()] == ["1"]
    # The vocabulary is an asset of the model: the file it came from may go.
    words.unlink()
    loaded = tf.saved_model.load(str(version))
    assert set(loaded.signatures) == {"serving_default", "length"}
    words = tf.constant(["zwölf", "three"])
    answer = loaded.signatures["serving_default"](word=words)
    assert answer["number"].numpy().tolist() == [1, -1]


def test_a_version_may_be_read_as_any_folder(servable, to):
    version = export(servable, to, "lookup")
    mode = stat.S_IMODE(version.stat().st_mode)
    assert mode == 0o755


def test_the_next_version_leaves_those_before_it_untouched(servable, to):
    first = export(servable, to, "lookup")
    before = _contents(first)
    assert export(servable, to, "lookup") == to / "lookup" / "2"
    assert _contents(first) == before
    assert export(servable, to, "other") == to / "other" / "1"


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (["1", "3"], "4"),
        (["20240101"], "20240102"),
        (["0"], "1"),
        (["9", "10"], "11"),
        (["latest", "v7", "1.5", ".partial-x", "-4"], "1"),
    ],
)
def test_the_next_version_is_one_more_than_the_largest(servable, to, there, expected):
    for name in there:
        (to / "lookup" / name).mkdir(parents=True)
        (to / "lookup" / name / "kept").write_text(name, encoding="utf-8")
    assert export(servable, to, "lookup").name == expected
    for name in there:
        assert (to / "lookup" / name / "kept").read_text(encoding="utf-8") == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "a/b", "/tmp/a", "../a", ".hidden", "-a", "_a", "a b"),
        *("größe", "a\n", "a\\b", "a:b"),
    ],
)
def test_what_cannot_be_a_name_is_refused(servable, to, name):
    with pytest.raises(UserError, match="letters, digits"):
        export(servable, to, name)
    assert not to.exists()


@pytest.mark.parametrize("name", ["imdb", "a.b_c-1", "7", "A"])
def test_names_are_letters_digits_and_a_few_signs(servable, to, name):
    assert export(servable, to, name) == to / name / "1"


def test_two_exports_at_the_same_time_get_two_versions(tmp_path, to):
    # Both have found that 1 is the next number before either takes it.
    both_there = threading.Barrier(2, timeout=60)

    def wait_once():
        with contextlib.suppress(threading.BrokenBarrierError):
            both_there.wait()
            both_there.abort()

    answers = []

    def export_one(number):
        made = _servable(tmp_path / f"words{number}.txt")
        card = Watched({**CARD, "configuration": {"exporter": number}}, wait_once)
        answers.append(export(made, to, "lookup", card))

    threads = [threading.Thread(target=export_one, args=(n,)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in answers) == ["1", "2"]
    assert sorted(path.name for path in (to / "lookup").iterdir()) == ["1", "2"]
    cards = [
        read_json(path / "assets.extra" / "model_card.json") for path in sorted(answers)
    ]
    assert [card["version"] for card in cards] == [1, 2]
    assert {card["configuration"]["exporter"] for card in cards} == {1, 2}


# What stands beside the model


def test_the_model_card_says_what_the_model_is(servable, to):
    export(servable, to, "lookup")
    version = export(servable, to, "lookup")
    card = read_json(version / "assets.extra" / "model_card.json")
    assert card["name"] == "lookup"
    assert card["version"] == 2
    assert {key: card[key] for key in CARD} == CARD
    created = datetime.datetime.fromisoformat(card["created"])
    age = datetime.datetime.now(datetime.UTC) - created
    assert datetime.timedelta(0) <= age < datetime.timedelta(minutes=5)
    for package in ("recurra", "tensorflow", "keras"):
        assert card["versions"][package] == importlib.metadata.version(package)


def _assert_warmup_requests_run(version, name, loaded):
    seen = []
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    for record in tf.data.TFRecordDataset(str(path)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == name
        inputs = {
            key: tf.constant(tf.make_ndarray(value))
            for key, value in request.inputs.items()
        }
        answer = loaded[request.model_spec.signature_name](**inputs)
        assert all(len(value) == len(*inputs.values()) for value in answer.values())
        seen.append(request.model_spec.signature_name)
    assert sorted(seen) == sorted(loaded)


def test_the_warmup_requests_run_on_the_model(servable, to):
    version = export(servable, to, "lookup")
    loaded = tf.saved_model.load(str(version)).signatures
    assert set(loaded) == {"serving_default", "length"}
    _assert_warmup_requests_run(version, "lookup", loaded)


# Exports that fail


def test_an_interrupted_export_leaves_what_was_there(tmp_path, to, servable):
    export(servable, to, "lookup")
    before = _contents(to)

    def interrupt():
        raise KeyboardInterrupt

    stopped = _servable(tmp_path / "w.txt")
    for name in ("lookup", "other"):
        with pytest.raises(KeyboardInterrupt):
            export(stopped, to, name, Watched(CARD, interrupt))
        assert _contents(to) == before


def test_a_folder_of_models_that_is_a_file_is_refused(servable, tmp_path):
    path = tmp_path / "file"
    path.write_text("a file", encoding="utf-8")
    with pytest.raises(UserError, match="could not be written.*--to"):
        export(servable, path, "lookup")
    assert path.read_text(encoding="utf-8") == "a file"


# What outgrows a limit of this many bytes: graph, weights, requests, or card.
LIMITS = {"graph": 1_000, "weights": 100_000, "requests": 100_000, "card": 100_000}
BALLAST = 100_000


def _too_large(part, words):
    ballast = "x" * 2 * LIMITS[part]
    if part == "weights":
        return _servable(words, ballast=BALLAST)
    if part == "requests":
        example = {"word": np.array([ballast], object)}
        return _servable(words, examples={"serving_default": example})
    return _servable(words)


@contextlib.contextmanager
def _files_no_larger_than(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("part", LIMITS)
def test_a_part_that_cannot_be_written_leaves_what_was_there(
    servable, tmp_path, to, capfd, part
):
    export(servable, to, "lookup")
    before = _contents(to)
    too_large = _too_large(part, tmp_path / "words.txt")
    card = {**CARD, "metrics": {"notes": "x" * 2 * LIMITS[part]}}
    # What pytest captures goes to files too.
    with (
        capfd.disabled(),
        pytest.raises(UserError, match=r"could not be written \(file too large\); not"),
        _files_no_larger_than(LIMITS[part]),
    ):
        export(too_large, to, "lookup", card if part == "card" else CARD)
    assert _contents(to) == before


@pytest.fixture
def small_disk(tmp_path):
    """A file system with room for one export and not for two."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = 6 * BALLAST
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        mounted = (
            subprocess.run(mount, capture_output=True, check=False).returncode == 0
        )
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_what_was_there(small_disk, tmp_path):
    servable = _servable(tmp_path / "words.txt", ballast=BALLAST)
    export(servable, small_disk, "lookup")
    before = _contents(small_disk)
    with pytest.raises(
        UserError, match=r"no space left.*free some space.*--to"
    ) as full:
        export(servable, small_disk, "lookup")
    assert "\n" not in str(full.value)
    assert _contents(small_disk) == before


def test_a_killed_export_leaves_nothing_that_a_server_would_load(
    servable, tmp_path, to
):
    # What is on the disk when all but the card is written is what a kill leaves then.
    left = tmp_path / "left"
    card = Watched(CARD, lambda: shutil.copytree(to, left))
    export(servable, to, "lookup", card)
    # There is a whole SavedModel, in a folder whose name is no number.
    assert list(left.rglob("saved_model.pb"))
    assert _versions(left / "lookup") == []
    assert export(servable, left, "lookup").name == "1"


# The export of a trained run


ANSWER = """
import json, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "recurra":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
try:
    import recurra.layers
    sys.exit("recurra can be imported")
except ModuleNotFoundError:
    import tensorflow as tf

loaded = tf.saved_model.load(sys.argv[1])
texts = tf.constant(json.loads(sys.argv[2]))
answer = loaded.signatures["serving_default"](text=texts)
explained = loaded.signatures["explain"](text=texts)
assert not [name for name in sys.modules if name.startswith("recurra")]
print(json.dumps({
    "label": [label.decode() for label in answer["label"].numpy()],
    "score": answer["score"].numpy().tolist(),
    "probabilities": answer["probabilities"].numpy().tolist(),
    "attributions": explained["attributions"].numpy().tolist(),
}))
"""


def test_a_trained_model_answers_without_recurra_as_in_memory(
    sentiment_run, sentiment_model
):
    process = subprocess.run(
        [sys.executable, "-c", ANSWER, str(sentiment_model), json.dumps(TEXTS)],
        capture_output=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert process.returncode == 0, process.stderr.decode()
    answer = json.loads(process.stdout.splitlines()[-1])
    task = workflow.open_task(sentiment_run)
    servable = task.servable(workflow.best_model(task))
    texts = tf.constant(TEXTS)
    expected = servable.signatures["serving_default"](texts)
    np.testing.assert_allclose(
        answer["probabilities"], expected["probabilities"], atol=1e-5
    )
    np.testing.assert_allclose(answer["score"], expected["score"], atol=1e-5)
    assert answer["label"] == [label.decode() for label in expected["label"].numpy()]
    attributions = np.array(answer["attributions"])
    assert attributions.shape[0] == len(TEXTS)
    assert np.isfinite(attributions).all()


def test_the_card_of_a_trained_model(sentiment_run, sentiment_model):
    card = read_json(sentiment_model / "assets.extra" / "model_card.json")
    assert (card["task"], card["name"], card["version"]) == ("sentiment", "reviews", 1)
    answer = {"kind": "labels", "classes": ["bad", "good"], "thresholds": []}
    assert card["answer"] == answer
    assert card["inputs"] == {"text": {"dtype": "string", "shape": ["N"]}}
    assert set(card["outputs"]) == {"label", "score", "probabilities"}
    assert card["training_data"] == read_json(sentiment_run.metadata_file)
    assert card["metrics"] == sentiment_run.metrics


@pytest.fixture(scope="module")
def trained_signatures(sentiment_model):
    return tf.saved_model.load(str(sentiment_model)).signatures


def test_the_warmup_requests_of_a_trained_model(sentiment_model, trained_signatures):
    assert set(trained_signatures) == {"serving_default", "explain"}
    _assert_warmup_requests_run(sentiment_model, "reviews", trained_signatures)


def test_a_loader_by_names_as_tensorflow_servings_finds_every_variable(
    sentiment_model, trained_signatures
):
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(sentiment_model))
        signature = loaded.signature_def["serving_default"]
        outputs = {key: info.name for key, info in signature.outputs.items()}
        served = session.run(outputs, {signature.inputs["text"].name: TEXTS})
    expected = trained_signatures["serving_default"](text=tf.constant(TEXTS))
    assert served["label"].tolist() == expected["label"].numpy().tolist()
    np.testing.assert_allclose(
        served["probabilities"], expected["probabilities"], atol=1e-6
    )
