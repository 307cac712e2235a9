"""ONNX and LiteRT: sentences are translated without TensorFlow as by the SavedModel."""

import subprocess
import sys

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_text")

from recurra.pipelines import UserError  # noqa: E402
from recurra.pipelines.cards import TextAnswer  # noqa: E402
from recurra.pipelines.core import exporting  # noqa: E402
from recurra.pipelines.core.portable import PortableModel  # noqa: E402
from recurra.pipelines.core.task import Servable  # noqa: E402
from recurra.pipelines.samples.english_german.pairs import sample_pairs  # noqa: E402
from recurra.pipelines.sequence_to_sequence.config import DecodingConfig  # noqa: E402
from recurra.pipelines.sequence_to_sequence.decoding import _without_repeats  # noqa: E402
from recurra.pipelines.sequence_to_sequence.generator import Generator  # noqa: E402
from recurra.pipelines.sequence_to_sequence.long_texts import split_texts  # noqa: E402
from recurra.pipelines.sequence_to_sequence.portable_search import _repeating  # noqa: E402
from recurra.pipelines.sequence_to_sequence.portable_texts import Pieces, split_text  # noqa: E402
from recurra.pipelines.sequence_to_sequence.serving import SequenceToSequenceServing  # noqa: E402
from recurra.pipelines.sequence_to_sequence.subwords import Subwords  # noqa: E402

from .conftest import COPIES  # noqa: E402

ENGLISH = list(sample_pairs(300).splits["train"][0])
ODD = [
    *("", "   ", "\x00\x07\u200b", "a" * 300, "One. Two! Three? " * 20),
    *(
        "\ue000 \u2028 b\r\n\r\nc",
        "Dr. No. (He said: \u201cGo!\u201d Then 12. May) " * 9,
    ),
    "\U0001f469\u200d\U0001f467 " * 30,
]
LONGEST = 40


@pytest.fixture(
    scope="module",
    params=[
        ("onnx", [COPIES], {"beam_size": 3, "coverage_penalty": 0.2}),
        ("litert", [0, 1], {"beam_size": 1, "no_repeat_ngram": 2}),
    ],
    ids=["copies, by a beam", "ensemble, greedy"],
)
def pair(request, models, subwords, tmp_path_factory):
    """The default signature, and a portable model of the same."""
    format, numbers, decoding = request.param
    pytest.importorskip("onnxruntime" if format == "onnx" else "ai_edge_litert")
    config = DecodingConfig(max_length_ratio=0.5, **decoding)
    chosen = [models[number] for number in numbers]
    generator = Generator(chosen, subwords, config, LONGEST, "de")
    serving = SequenceToSequenceServing(generator, subwords, "pairs", "translation")
    signature = {"serving_default": serving.signatures()["serving_default"]}
    answer = TextAnswer(output="translation", source="en", target="de")
    examples = {"serving_default": {"text": np.array(ENGLISH[:1], object)}}
    servable = Servable(serving, signature, answer, examples)
    card = dict.fromkeys(("training_data", "metrics", "configuration"), {})
    version = exporting.export(
        servable,
        tmp_path_factory.mktemp(format),
        "pairs",
        {"task": "translation", **card},
        format,
        generator.portable("translation"),
    )
    return signature["serving_default"], PortableModel(version)


def test_sentences_are_those_of_the_savedmodel(pair):
    texts = ENGLISH[:92] + ODD
    expected = pair[0](text=tf.constant(texts))
    found = pair[1].run({"text": texts})
    are_equal = found["translation"] == expected["translation"].numpy()
    assert len(set(found["translation"])) > 20
    # Two hypotheses can be so close that another order of sums prefers the other one.
    assert are_equal.mean() >= 0.97
    np.testing.assert_allclose(
        found["score"][are_equal], expected["score"][are_equal], rtol=1e-4, atol=1e-4
    )


def test_the_card_names_both_graphs(pair):
    card = pair[1].card
    assert card.inputs.keys() == {"source"}
    step = card.details["graphs"]["step"]
    assert {"ids", "state_00"} <= step["inputs"].keys()
    assert {"log_probabilities", "attention", "new_state_00"} <= step["outputs"].keys()


def test_the_command_imports_no_tensorflow(pair):
    file = next(iter(pair[1].folder.glob("model.*")))
    code = (
        "import sys\nfrom recurra.apps.main import run\n"
        f"assert run(['predict', {str(file)!r}, {ENGLISH[0]!r}]) == 0\n"
        "assert not {'tensorflow', 'keras', 'pandas', 'scipy'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (expected,) = pair[1].predict(ENGLISH[:1])
    assert done.stdout.rstrip("\n") == expected["translation"]


def test_other_signatures_are_refused(pair):
    with pytest.raises(UserError, match="has no nbest, which the SavedModel alone has"):
        pair[1].run({"text": ["a"], "k": 2}, "nbest")


def test_the_end_of_a_long_source_is_not_read_as_in_the_graph(fit):
    folder = fit(vocabulary_size=400)
    of_graph = Subwords(folder, longest_source=6).source
    portable = Pieces(of_graph.model, of_graph.longest)
    for text in ENGLISH[:5]:
        (expected,) = split_texts(tf.constant([text]), of_graph, 40, "never").ids
        assert len(expected) == 6
        assert split_text(text, portable, 40, "never") == [[expected.numpy().tolist()]]


@pytest.mark.parametrize("splitting", ["sentences", "lines", "never"])
@pytest.mark.parametrize("longest", [3, 10, 40])
def test_texts_are_parted_as_in_the_graph(subwords, splitting, longest):
    portable = Pieces(subwords.source.model)
    for text in [*ODD, " ".join(ENGLISH[:5]), "\n".join(ENGLISH[:3])]:
        expected = split_texts(tf.constant([text]), subwords.source, longest, splitting)
        lines = split_text(text, portable, longest, splitting)
        assert [part for line in lines for part in line] == expected.ids.to_list()
        numbers = [at for at, line in enumerate(lines) for _ in line]
        assert numbers == expected.line.numpy().tolist()
        assert len(lines) == len(expected.text)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_what_would_stand_twice_is_found_as_in_the_graph(size):
    generator = np.random.default_rng(0)
    for length in range(9):
        ids = generator.integers(4, 7, (1, length)).astype(np.int32)
        scores = _without_repeats(tf.zeros([1, 8]), tf.constant(ids), size)
        expected = np.flatnonzero(scores[0].numpy())
        assert sorted(set(_repeating(ids[0].tolist(), size))) == expected.tolist()
