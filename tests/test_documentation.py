"""What is written of this project is true: examples, commands, tables and links."""

import configparser
import doctest
import importlib
import re
import shlex
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
EVERY_PAGE = [
    *sorted(ROOT.glob("*.md")),
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
STARS = ROOT / "examples" / "stars"

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


@pytest.fixture
def main_command(monkeypatch, tmp_path):
    """A function from arguments to the command line, which parses and does nothing.

    The example of docs/tasks.md is among the tasks, as if it were installed.
    """
    typer = pytest.importorskip("typer", reason="needs the extra tasks")
    from recurra.apps.commands import make_app

    setup = configparser.ConfigParser()
    setup.read(STARS / "setup.cfg")
    folder = tmp_path / "recurra_stars-0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: recurra-stars\nVersion: 0\n")
    points = setup["options.entry_points"]["recurra.tasks"]
    (folder / "entry_points.txt").write_text(f"[recurra.tasks]{points}\n")
    monkeypatch.syspath_prepend(STARS)
    monkeypatch.syspath_prepend(tmp_path)

    def make(arguments):
        command = typer.main.get_command(make_app(arguments))
        for leaf in leaves_of(command):
            leaf.callback = None
        return command

    return make


def leaves_of(command):
    for inner in getattr(command, "commands", {}).values():
        yield from leaves_of(inner)
    if not hasattr(command, "commands"):
        yield command


def commands_of(page):
    """The arguments of each `recurra` in the page's blocks of commands."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for block in (block for language, block in blocks if not language):
        for line in re.findall(r"^(?:\.venv/bin/)?recurra (.*)$", block, re.MULTILINE):
            yield shlex.split(line, comments=True)


def test_commands_are_found():
    assert len(list(commands_of(ROOT / "README.md"))) > 5


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_commands_are_understood(page, main_command):
    for arguments in commands_of(page):
        main_command(arguments).main(arguments, "recurra", standalone_mode=False)


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_options_exist(page, main_command):
    """Those of commands that stand within sentences."""
    text = page.read_text(encoding="utf-8").replace("TASK", "sentiment")
    for line in re.findall(r"`recurra ([^`.]+)`", text):
        arguments = line.split()
        (*_, command) = path_of(main_command(arguments), arguments)
        known = {name for parameter in command.params for name in parameter.opts}
        known.add("--help")
        assert {word for word in arguments if word.startswith("--")} <= known, line


def path_of(command, arguments):
    yield command
    for name in arguments:
        if name not in getattr(command, "commands", {}):
            return
        command = command.commands[name]
        yield command


@pytest.mark.parametrize("name", ["sentiment", "weather", "translation"])
def test_keys_of_the_configuration_exist(name):
    pytest.importorskip("pydantic", reason="needs the extra tasks")
    from recurra.pipelines.core.registry import find_definition

    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:--set )?'?([a-z_]+\.[a-z_.]+)(?:=[^`]*)?`", text))
    config_class = find_definition(name).config_class
    keys = [key for key in named if key.split(".")[0] in config_class.model_fields]
    assert keys
    for key in keys:
        section = config_class
        for part in key.split("."):
            assert part in section.model_fields, key
            section = section.model_fields[part].annotation


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

    def manual(self, sequences, initial_states, every_state):
        taken.append("manual")
        return [held(state, TIME) for state in initial_states]

    def held(state, timesteps):
        return keras.ops.repeat(state[:, None], timesteps, axis=1)

    for name in ("lstm", "gru"):
        monkeypatch.setattr(f"keras.src.backend.{name}", kernel)
    monkeypatch.setattr(backpropagation.ManualBackpropagation, "run", manual)
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
    ("expression", "mask", "in_training", "at_inference", "is_manual"),
    cases_of_fused_kernel(),
)
def test_table_of_the_fused_kernel(
    expression, mask, in_training, at_inference, is_manual, ways, monkeypatch
):
    monkeypatch.setattr(backpropagation, "UNITS_TO_PAY_OFF", {})
    monkeypatch.setattr(recurrent_layer, "_has_gpu", lambda: True)
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
    assert ("yes" if way == "manual" else "no") == is_manual
    ways.clear()
    assert way_of(ways, expression, mask, training=False) != "manual"


def test_table_of_the_units_from_which_the_loop_is_manual():
    claimed = dict(table_under("Where backpropagation is manual"))
    assert claimed.pop("`torch`") == "never"
    units = {backend.strip("`"): int(units) for backend, units in claimed.items()}
    assert units == backpropagation.UNITS_TO_PAY_OFF


def test_overview_names_everything_public():
    named = re.findall("`(.+?)`", OVERVIEW.read_text(encoding="utf-8"))
    assert set(recurra.layers.__all__) <= set(named)


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\[([^]]+)\]\(([^)]+)\)", text)
    assert links or page not in PAGES
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
