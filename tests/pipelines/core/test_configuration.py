import math
from pathlib import Path
from typing import ClassVar, Literal

import pydantic
import pytest
import yaml

from recurra.pipelines.core.configuration import (
    Config,
    differences,
    find_recipe,
    flattened,
    make_configuration,
    parse_assignments,
    read_yaml,
    write_yaml,
)
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.core.registry import find_definition, task_names
from recurra.pipelines.core.task_config import TrainingConfig


class Cell(Config):
    kind: Literal["vanilla", "lstm"] = "lstm"
    zoneout: float = pydantic.Field(0.0, ge=0, lt=1)
    cell_zoneout: float = pydantic.Field(0.0, ge=0, lt=1)

    @pydantic.model_validator(mode="after")
    def _needs_a_cell_state(self):
        if self.cell_zoneout and self.kind == "vanilla":
            raise ValueError("cell_zoneout: a vanilla cell has no cell state")
        return self


class Model(Config):
    units: int = pydantic.Field(64, ge=1)
    pooling: list[Literal["max", "mean"]] = pydantic.Field(["max"], min_length=1)
    cell: Cell = Cell()


class Data(Config):
    spec: str = "sample"
    text_column: str | None = None


class Configuration(Config):
    seed: int = 0
    data: Data = Data()
    model: Model = Model()


def _make(*layers):
    return make_configuration(Configuration, layers)


def _refusal(*layers):
    """The one line that making a configuration of these layers is refused with."""
    with pytest.raises(UserError) as refused:
        _make(*layers)
    message = str(refused.value)
    assert "\n" not in message
    return message


# Which value wins


def test_without_layers_every_value_is_the_default():
    assert _make() == Configuration()
    assert _make().model.units == 64


def test_each_layer_goes_over_the_one_before_it():
    layers = [
        ("recipe small", {"model": {"units": 8, "cell": {"zoneout": 0.1}}, "seed": 1}),
        ("mine.yaml", {"model": {"units": 9, "cell": {"zoneout": 0.2}}, "seed": 2}),
        ("--set", {"model": {"units": 10}, "seed": 3}),
        ("command line", {"model": {"units": 11}}),
    ]
    units, seeds, rates = [], [], []
    for number in range(len(layers) + 1):
        configuration = _make(*layers[:number])
        units.append(configuration.model.units)
        seeds.append(configuration.seed)
        rates.append(configuration.model.cell.zoneout)
    assert units == [64, 8, 9, 10, 11]
    assert seeds == [0, 1, 2, 3, 3]
    assert rates == [0.0, 0.1, 0.2, 0.2, 0.2]


class Training(Config):
    epochs: int = 20
    lr_schedule: Literal["constant", "cosine"] = "constant"


class Task(Config):
    class Inner(Config):
        training: Training = Training(lr_schedule="cosine")

    training: Training = Training(epochs=3, lr_schedule="cosine")
    inner: Inner = Inner()


def test_a_section_of_which_one_value_is_given_keeps_what_the_task_sets():
    layers = [("a", {"training": {"epochs": 7}}), ("b", {"inner": {"training": {}}})]
    configuration = make_configuration(Task, layers)
    assert configuration.training == Training(epochs=7, lr_schedule="cosine")
    assert configuration.inner.training == Training(epochs=20, lr_schedule="cosine")


def test_a_list_is_replaced_and_not_extended():
    configuration = _make(
        ("recipe", {"model": {"pooling": ["max", "mean"]}}),
        ("--set", {"model": {"pooling": ["mean"]}}),
    )
    assert configuration.model.pooling == ["mean"]


def test_layers_are_left_as_they_are():
    recipe = {"model": {"cell": {"zoneout": 0.1}}}
    _make(("recipe", recipe), ("--set", {"model": {"cell": {"zoneout": 0.3}}}))
    assert recipe == {"model": {"cell": {"zoneout": 0.1}}}


def test_a_configuration_is_frozen():
    with pytest.raises(pydantic.ValidationError):
        _make().seed = 5


# Unknown keys


@pytest.mark.parametrize(
    ("values", "written", "meant"),
    [
        ({"sede": 1}, "sede", "seed"),
        ({"modle": {"units": 1}}, "modle", "model"),
        ({"model": {"unit": 1}}, "model.unit", "model.units"),
        ({"model": {"cell": {"zonout": 0}}}, "model.cell.zonout", "model.cell.zoneout"),
        ({"data": {"text-column": "a"}}, "data.text-column", "data.text_column"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_nearest_key_and_its_source(
    values, written, meant
):
    message = _refusal(("recipe good", {"seed": 1}), ("mine.yaml", values))
    assert message.startswith("mine.yaml: ")
    assert f"unknown key {written};" in message
    assert f"did you mean {meant}?" in message


def test_a_key_like_no_other_is_refused_with_those_that_there_are():
    message = _refusal(("--set", {"model": {"xyzzy": 1}}))
    assert message.startswith("--set: unknown key model.xyzzy;")
    assert "did you mean" not in message
    assert "units, pooling, cell" in message


def test_a_key_that_is_no_word_is_refused():
    assert _refusal(("mine.yaml", {7: 1})).startswith("mine.yaml: unknown key 7;")


def test_an_unknown_key_is_refused_though_a_later_layer_is_right():
    message = _refusal(
        ("recipe", {"model": {"unit": 8}}), ("--set", {"model": {"units": 8}})
    )
    assert message.startswith("recipe: unknown key model.unit;")


# Values


@pytest.mark.parametrize(
    ("values", "key", "received"),
    [
        ({"model": {"units": 0}}, "model.units", "0"),
        ({"model": {"units": -3}}, "model.units", "-3"),
        ({"model": {"units": 2.5}}, "model.units", "2.5"),
        ({"model": {"units": "many"}}, "model.units", "'many'"),
        ({"model": {"units": None}}, "model.units", "None"),
        ({"model": {"units": [1, 2]}}, "model.units", "[1, 2]"),
        ({"model": {"units": {"a": 1}}}, "model.units", "{'a': 1}"),
        ({"model": {"cell": {"zoneout": 1.0}}}, "model.cell.zoneout", "1.0"),
        ({"model": {"cell": {"zoneout": math.nan}}}, "model.cell.zoneout", "nan"),
        ({"model": {"cell": {"kind": "gru"}}}, "model.cell.kind", "'gru'"),
        ({"model": {"pooling": ["max", "sum"]}}, "model.pooling.1", "'sum'"),
        ({"model": {"pooling": "max"}}, "model.pooling", "'max'"),
        ({"data": {"spec": 7}}, "data.spec", "7"),
    ],
)
def test_a_wrong_value_is_refused_with_key_value_and_source(values, key, received):
    message = _refusal(
        ("recipe good", {"seed": 1}), ("mine.yaml", values), ("--set", {"seed": 2})
    )
    assert message.startswith(f"mine.yaml: {key}: ")
    assert message.endswith(f"(received {received})")


def test_a_choice_is_refused_with_the_choices():
    message = _refusal(("--set", {"model": {"cell": {"kind": "gru"}}}))
    assert "'vanilla'" in message
    assert "'lstm'" in message


def test_the_source_is_that_of_the_value_that_counts():
    message = _refusal(
        ("recipe", {"model": {"units": 0}}), ("--set", {"model": {"units": -1}})
    )
    assert message.startswith("--set: model.units: ")
    assert "received -1" in message


def test_a_wrong_value_that_is_overruled_does_no_harm():
    configuration = _make(
        ("recipe", {"model": {"units": 0}}), ("--set", {"model": {"units": 5}})
    )
    assert configuration.model.units == 5


def test_values_that_do_not_go_together_are_refused_with_their_section():
    message = _refusal(
        ("recipe", {"model": {"cell": {"kind": "vanilla"}}}),
        ("--set", {"model": {"cell": {"cell_zoneout": 0.1}}}),
    )
    assert message.startswith("--set: model.cell: cell_zoneout: a vanilla cell has no")


@pytest.mark.parametrize("scalar", ["lstm", 3, None, ["units"], True])
def test_a_scalar_for_a_section_is_refused_with_a_key_to_give(scalar):
    message = _refusal(("mine.yaml", {"model": scalar}))
    assert message.startswith("mine.yaml: model is a section;")
    assert "for example model.units" in message
    assert message.endswith(f"(received {scalar!r})")


def test_a_scalar_for_a_section_within_a_section_is_refused():
    message = _refusal(("--set", {"model": {"cell": "lstm"}}))
    assert message.startswith("--set: model.cell is a section;")
    assert "for example model.cell.kind" in message


# --set


def test_assignments_make_nested_values_read_as_yaml():
    assert parse_assignments(
        [
            "seed=7",
            "model.units=32",
            "model.cell.zoneout=0.25",
            "model.pooling=[max, mean]",
            "data.text_column=null",
            "data.spec=tfds:imdb_reviews",
        ]
    ) == {
        "seed": 7,
        "model": {"units": 32, "cell": {"zoneout": 0.25}, "pooling": ["max", "mean"]},
        "data": {"text_column": None, "spec": "tfds:imdb_reviews"},
    }


def test_the_value_of_an_assignment_may_hold_equals_signs():
    assert parse_assignments(["data.spec=a=b.csv"]) == {"data": {"spec": "a=b.csv"}}


def test_of_two_assignments_to_a_key_the_later_counts():
    assert parse_assignments(["seed=1", "seed=2"]) == {"seed": 2}


def test_no_assignments_set_nothing():
    assert parse_assignments([]) == {}


def test_a_number_in_the_notation_that_yaml_takes_for_a_word_is_a_number():
    layers = [("--set", parse_assignments(["learning_rate=1e-3"]))]
    assert make_configuration(TrainingConfig, layers).learning_rate == 0.001


@pytest.mark.parametrize("assignment", ["seed", "=3", "", " =3", "model.units:3"])
def test_an_assignment_that_is_none_is_refused_with_an_example(assignment):
    with pytest.raises(UserError) as refused:
        parse_assignments([assignment])
    assert str(refused.value).startswith(f"--set {assignment}: expected key=value")


@pytest.mark.parametrize("value", ["[1, 2", "{a: ", "'half", "a: b: c"])
def test_a_value_that_is_no_yaml_is_refused(value):
    with pytest.raises(UserError, match="not valid YAML") as refused:
        parse_assignments([f"model.pooling={value}"])
    assert "--set model.pooling=" in str(refused.value)


def test_a_key_that_is_both_a_value_and_a_section_is_refused():
    with pytest.raises(UserError, match="--set model.units=2: model is set twice"):
        parse_assignments(["model=1", "model.units=2"])


@pytest.mark.parametrize("key", ["model.", ".units", "model..units", "."])
def test_a_key_with_an_empty_part_is_refused(key):
    layers = [("--set", parse_assignments([f"{key}=1"]))]
    with pytest.raises(UserError, match="--set: "):
        make_configuration(Configuration, layers)


# YAML files


def _written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_yaml_file_is_read(tmp_path):
    path = _written(tmp_path, "# how\nmodel:\n  units: 8 # few\ndata: {spec: café}\n")
    assert read_yaml(path) == {"model": {"units": 8}, "data": {"spec": "café"}}


@pytest.mark.parametrize("content", ["", "# nothing but a comment\n", "---\n"])
def test_an_empty_yaml_file_sets_nothing(tmp_path, content):
    assert read_yaml(_written(tmp_path, content)) == {}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("model:\n  units: 8\n bad: 1\n", "not valid YAML.*line 3"),
        ("model: [1, 2\n", "not valid YAML"),
        ("model:\tunits\n\t- 1", "not valid YAML"),
        ("a: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
        ("- model\n- units\n", "expected 'key: value' lines, received list"),
        ("model\n", "expected 'key: value' lines, received str"),
        ("3\n", "expected 'key: value' lines, received int"),
        (b"data: {spec: \xff\xfe}\n", "cannot be read as UTF-8 text"),
        (b"a: \x00\n", "not valid YAML"),
    ],
)
def test_a_broken_yaml_file_is_refused_in_one_line(tmp_path, content, fault):
    path = _written(tmp_path, content)
    with pytest.raises(UserError, match=fault) as refused:
        read_yaml(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


def test_a_yaml_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(UserError, match="absent.yaml: no such configuration file"):
        read_yaml(tmp_path / "absent.yaml")


def test_a_folder_is_no_yaml_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_yaml(tmp_path)


def test_written_yaml_reads_back_equal_and_holds_every_key(tmp_path):
    configuration = _make(
        (
            "--set",
            {
                "seed": 3,
                "data": {"spec": "größe: 'x' #1.csv", "text_column": "no"},
                "model": {"pooling": ["mean", "max"], "cell": {"zoneout": 0.1}},
            },
        )
    )
    path = _written(tmp_path, write_yaml(configuration))
    values = read_yaml(path)
    assert make_configuration(Configuration, [("file", values)]) == configuration
    assert list(values) == ["seed", "data", "model"]
    assert list(values["model"]["cell"]) == ["kind", "zoneout", "cell_zoneout"]


# Recipes


@pytest.fixture
def recipes(tmp_path):
    for name in ("imdb", "sample"):
        (tmp_path / f"{name}.yaml").write_text("seed: 1\n", encoding="utf-8")
    return tmp_path


def test_a_recipe_is_found_by_its_name(recipes):
    assert find_recipe(recipes, "imdb") == recipes / "imdb.yaml"


def test_an_unknown_recipe_is_refused_with_those_that_there_are(recipes):
    with pytest.raises(UserError) as refused:
        find_recipe(recipes, "imbd")
    assert str(refused.value) == (
        "--recipe imbd: no such recipe; did you mean imdb? there are: imdb, sample"
    )


@pytest.mark.parametrize("name", task_names())
def test_every_recipe_makes_a_configuration_with_todays_keys(name, caplog):
    definition = find_definition(name)
    recipes = sorted(definition.recipes.glob("*.yaml"))
    assert "sample" in {path.stem for path in recipes}
    for path in recipes:
        values = read_yaml(path)
        made = make_configuration(definition.config_class, [(path.name, values)])
        assert yaml.safe_load(write_yaml(made))["seed"] == made.seed
    assert not caplog.records


# Keys of former versions


class Renamed(Config):
    renamed_keys: ClassVar[dict[str, str]] = {"decay": "lr_schedule"}
    lr_schedule: str = "constant"


class WithRenamed(Config):
    training: Renamed = Renamed()


def test_an_old_key_is_read_with_a_line_that_says_the_new_one(caplog):
    old = {"training": {"decay": "linear"}}
    made = make_configuration(WithRenamed, [("a.yaml", old)])
    assert made.training.lr_schedule == "linear"
    (record,) = caplog.records
    assert record.getMessage() == (
        "a.yaml: has old names of keys: training.decay is now training.lr_schedule"
    )


def test_an_old_key_beside_the_new_one_is_refused():
    both = {"training": {"decay": "linear", "lr_schedule": "cosine"}}
    with pytest.raises(UserError, match="unknown key training.decay"):
        make_configuration(WithRenamed, [("a.yaml", both)])


def test_a_new_key_in_a_later_layer_counts(caplog):
    layers = [
        ("a.yaml", {"training": {"decay": "linear"}}),
        ("--set", {"training": {"lr_schedule": "cosine"}}),
    ]
    made = make_configuration(WithRenamed, layers)
    assert made.training.lr_schedule == "cosine"


# Differences


def test_equal_configurations_have_no_difference():
    assert differences(_make(), _make(("--set", {"seed": 0}))) == []


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"seed": 1}, "seed"),
        ({"data": {"text_column": "a"}}, "data.text_column"),
        ({"model": {"pooling": ["max", "mean"]}}, "model.pooling"),
        ({"model": {"cell": {"zoneout": 0.5}}}, "model.cell.zoneout"),
        ({"model": {"units": 1}, "data": {"spec": "x"}}, "data.spec"),
    ],
)
def test_the_first_difference_is_named_by_its_key(values, key):
    other = _make(("--set", values))
    assert differences(_make(), other)[0] == key
    assert differences(other, _make())[0] == key


def test_flattened():
    nested = {"seed": 0, "model": {"units": 64, "noise": {"rate": 0.1}}, "empty": {}}
    flat = {"seed": 0, "model.units": 64, "model.noise.rate": 0.1}
    assert flattened(nested) == flat
