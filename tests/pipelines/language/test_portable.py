"""ONNX and LiteRT: texts are written and scored as by the SavedModel."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines import UserError
from recurra.pipelines.cards import ContinuationAnswer
from recurra.pipelines.core import exporting
from recurra.pipelines.core.portable import PortableModel
from recurra.pipelines.core.task import Servable
from recurra.pipelines.language.portable_units import read_units
from recurra.pipelines.language.stateless_random import uniform

from .conftest import TEXT

WORDS = (*TEXT.split(), "zebra", "(a", "b),", "\n")
ODD = [
    "",
    " ",
    "the o",
    "no\u2019w \ufffd\U0001f600",
    "x\u00a0y\u3000z\x0bw\x0c",
    "<unk>",
]


def texts(number):
    generator = np.random.default_rng(0)
    return ODD + [
        " ".join(generator.choice(WORDS, generator.integers(1, 40)))
        for _ in range(number - len(ODD))
    ]


@pytest.fixture(scope="module", params=["onnx", "litert"])
def portable(request, module, serving, tmp_path_factory):
    pytest.importorskip("onnxruntime" if request.param == "onnx" else "ai_edge_litert")
    size = len(module._units.vocabulary)
    servable = Servable(
        module,
        serving,
        ContinuationAnswer(units="words", vocabulary_size=size),
        {"serving_default": {"text": np.array(["the old man"], object)}},
    )
    card = {"task": "language", "training_data": {}, "metrics": {}, "configuration": {}}
    to = tmp_path_factory.mktemp(request.param)
    version = exporting.export(
        servable, to, "words", card, request.param, module.portable()
    )
    return PortableModel(version)


def test_texts_get_the_scores_of_the_savedmodel(portable, serving):
    given = texts(100)
    found = portable.run({"text": given})
    expected = serving["serving_default"](text=tf.constant(given))
    np.testing.assert_array_equal(found["units"], expected["units"])
    np.testing.assert_allclose(
        found["log_probability"], expected["log_probability"], rtol=1e-5, atol=1e-4
    )


def test_the_next_units_are_those_of_the_savedmodel(portable, serving):
    found = portable.run({"text": texts(12), "k": 5}, "next")
    expected = serving["next"](text=tf.constant(texts(12)), k=tf.constant(5))
    probabilities = expected["probability"].numpy()
    np.testing.assert_allclose(found["probability"], probabilities, atol=1e-5)
    assert found["unit"][:, 0].tolist() == expected["unit"][:, 0].numpy().tolist()


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.0},
        {"seed": 3, "top_k": 4},
        {"seed": -2, "top_p": 0.8, "temperature": 1.5, "stop": "an"},
    ],
)
def test_the_same_seed_writes_what_the_savedmodel_writes(portable, serving, options):
    usual = {"length": 12, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "seed": 0}
    asked = {"prompt": texts(24), "stop": "", **usual, **options}
    expected = serving["generate"](
        **{name: tf.constant(value) for name, value in asked.items()}
    )["text"].numpy()
    found = portable.run(asked, "generate")["text"]
    assert len(set(found)) > 5
    # A draw may fall next to where one unit ends and another one begins.
    assert (found == expected).mean() > 0.9


def test_a_text_that_comes_unit_by_unit_is_the_same(portable):
    (whole,) = portable.predict(["the dog"], length=20, seed=4, stop="man")
    pieces = list(portable.write("the dog", length=20, seed=4, stop="man"))
    assert "".join(pieces) == whole["continuation"] and len(pieces) > 1


def test_blanks_are_refused(portable):
    with pytest.raises(UserError, match="has no fill, which the SavedModel alone has"):
        portable.fill(["the ____ man"])


def test_the_command_imports_no_tensorflow(portable):
    file = next(iter(portable.folder.glob("model.*")))
    code = (
        "import sys\nfrom recurra.apps.main import run\n"
        f"assert run(['predict', {str(file)!r}, 'the old', '--length', '3']) == 0\n"
        "assert not {'tensorflow', 'keras', 'pandas', 'scipy'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the old")


@pytest.mark.parametrize(
    "keys",
    [
        {"kind": "characters"},
        {"kind": "bytes"},
        {"kind": "words"},
        {"kind": "words", "punctuation": "attached"},
        {"kind": "subwords", "vocabulary_size": 290},
    ],
    ids=str,
)
def test_units_are_cut_and_joined_as_in_the_graph(make_units, keys):
    if keys["kind"] == "subwords":
        pytest.importorskip("tensorflow_text")
    units = make_units(**keys)
    portable = read_units(*units.portable())
    given = [*texts(40), "the\n", "the do", "a man\nr", "(the", "the <unk>", "a <un"]
    ids, typed = units.without_broken_end(tf.constant(given))
    whole = units.encode(tf.constant(given)).to_list()
    for text, all_ids, kept, rest in zip(
        given, whole, ids.to_list(), typed.numpy(), strict=True
    ):
        assert portable.encode(text.encode()) == all_ids
        assert portable.without_broken_end(text.encode()) == (kept, rest)
        np.testing.assert_array_equal(
            portable.completing(rest), units.completing(tf.constant([rest]))[0]
        )
        written = b""
        for unit in all_ids:
            letters = portable.vocabulary[unit]
            joined = units.join(tf.constant([[letters]]), tf.constant([written]))
            assert portable.join(letters, written) == joined[0].numpy()
            assert portable.shown(unit) == units.shown(unit).numpy()
            written += joined[0].numpy()


@pytest.mark.parametrize("seed", [(0, 0), (1, 2), (-5, 7), (2**31 - 1, 3)])
def test_numbers_are_drawn_as_tensorflow_draws_them(seed):
    assert uniform(seed) == tf.random.stateless_uniform([], seed).numpy()
