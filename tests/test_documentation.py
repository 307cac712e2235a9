"""The pages on the layers: their examples run, their tables and links are true."""

import doctest
import importlib
import re
from operator import attrgetter
from pathlib import Path

import keras
import numpy as np
import pytest

import recurra.layers
from recurra.layers import backpropagation, recurrent_layer

ROOT = Path(__file__).parent.parent
OVERVIEW = ROOT / "docs" / "layers" / "README.md"
PAGES = sorted(OVERVIEW.parent.glob("*.md"))

BATCH, TIME, FEATURES, UNITS = 2, 3, 5, 4
MASKS = {
    "none": None,
    "any": np.array([[1, 0, 1], [0, 1, 0]], bool),
    "right-padded": np.array([[1, 1, 1], [1, 0, 0]], bool),
}


def name_of(page):
    return str(page.relative_to(ROOT))


def examples_of(page):
    """The page as a doctest: all but its Python blocks left blank."""
    lines, is_example = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            is_example = line == "```python"
            line = ""
        lines.append(line if is_example else "")
    return doctest.DocTestParser().get_doctest(
        "\n".join(lines), {}, page.name, str(page), 0
    )


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=name_of)
def test_examples_run(page):
    examples = examples_of(page)
    assert examples.examples or page not in PAGES
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(examples).failed == 0


def table_under(heading):
    """The rows of the first table under a heading of the overview."""
    _, text = OVERVIEW.read_text(encoding="utf-8").split(f"\n## {heading}\n")
    (table, *_) = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
    ]
    return rows[2:]


def cases_of_fused_kernel():
    """For each layer of each row an expression that makes it, and what is claimed."""
    rows = table_under("Where the fused kernel is used")
    return [
        pytest.param(f"{layer}({arguments.strip('`')})", mask, *claims)
        for layers, arguments, mask, *claims in rows
        for layer in re.findall("`(.+?)`", layers)
    ]


@pytest.fixture
def ways(monkeypatch):
    """The fast ways that calls took, which are acted out: a state that never changes.

    The kernel is one that takes what cuDNN takes, on a machine that has it.
    """
    taken = []

    def kernel(
        sequences, *states_and_mask, return_sequences, unroll, reset_after=True, **cell
    ):
        is_fit = (
            cell["activation"] is keras.activations.tanh
            and cell["recurrent_activation"] is keras.activations.sigmoid
            and cell["bias"] is not None
        )
        if not is_fit or unroll or not reset_after:
            raise NotImplementedError
        taken.append("kernel")
        *states, _ = states_and_mask
        return states[0], held(states[0], TIME if return_sequences else 1), states

    def written_out(self, sequences, initial_states, every_state):
        taken.append("written out")
        return [held(state, TIME) for state in initial_states]

    def held(state, timesteps):
        return keras.ops.repeat(state[:, None], timesteps, axis=1)

    for name in ("lstm", "gru"):
        monkeypatch.setattr(f"keras.src.backend.{name}", kernel)
    monkeypatch.setattr(backpropagation.WrittenOut, "run", written_out)
    return taken


def way_of(ways, expression, mask, training):
    names = {name: getattr(recurra.layers, name) for name in recurra.layers.__all__}
    layer = eval(expression, {**names, "keras": keras, "units": UNITS})
    try:
        layer(np.ones((BATCH, TIME, FEATURES)), mask=MASKS[mask], training=training)
    except ValueError as error:
        assert "use_cudnn" in str(error)
        return "refused"
    return ways[0] if ways else "step by step"


@pytest.mark.parametrize(
    ("expression", "mask", "in_training", "at_inference", "is_written_out"),
    cases_of_fused_kernel(),
)
def test_table_of_the_fused_kernel(
    expression, mask, in_training, at_inference, is_written_out, ways, monkeypatch
):
    answers = {"kernel": "yes", "step by step": "no", "refused": "refused"}
    for training, claimed in ((True, in_training), (False, at_inference)):
        ways.clear()
        assert answers[way_of(ways, expression, mask, training)] == claimed

    monkeypatch.setattr(
        backpropagation, "UNITS_TO_PAY_OFF", {keras.backend.backend(): 1}
    )
    monkeypatch.setattr(recurrent_layer, "_has_gpu", lambda: False)
    ways.clear()
    way = way_of(ways, expression, mask, training=True)
    assert ("yes" if way == "written out" else "no") == is_written_out
    ways.clear()
    assert way_of(ways, expression, mask, training=False) != "written out"


def test_table_of_the_units_from_which_the_loop_is_written_out():
    claimed = dict(table_under("Where the loop is written out"))
    assert claimed.pop("`torch`") == "never"
    units = {backend.strip("`"): int(units) for backend, units in claimed.items()}
    assert units == backpropagation.UNITS_TO_PAY_OFF


def test_overview_names_everything_public():
    named = re.findall("`(.+?)`", OVERVIEW.read_text(encoding="utf-8"))
    assert set(recurra.layers.__all__) <= set(named)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    links = re.findall(r"\[([^]]+)\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    assert links
    for text, target in links:
        if target.startswith("https://"):
            continue
        path = (page.parent / target.split("#")[0]).resolve()
        assert path.exists(), target
        if path.parent == ROOT / "layers":
            module = importlib.import_module(f"recurra.layers.{path.stem}")
            assert attrgetter(text.strip("`"))(module)


def test_every_page_is_linked_from_the_overview():
    text = OVERVIEW.read_text(encoding="utf-8")
    assert all(f"]({page.name})" in text for page in PAGES if page != OVERVIEW)
