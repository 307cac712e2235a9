"""The configuration of sentiment: its defaults, its limits, its recipes."""

import pytest
import yaml

from recurra.pipelines.core.configuration import (
    make_configuration,
    read_yaml,
    write_yaml,
)
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.sentiment.cli import TASK
from recurra.pipelines.sentiment.config import SentimentConfig

RECIPES = sorted(TASK.recipes.glob("*.yaml"))


def configured(**sections):
    return make_configuration(SentimentConfig, [("test", sections)])


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_a_valid_configuration_and_says_what_it_is_for(recipe):
    values = read_yaml(recipe)
    configuration = configured(**values)
    for section, keys in values.items():
        for key, value in keys.items():
            assert getattr(getattr(configuration, section), key) == value
    assert recipe.read_text(encoding="utf-8").startswith("#")


def test_there_is_a_recipe_for_the_sample_and_one_for_imdb():
    assert {"sample", "imdb"} <= {path.stem for path in RECIPES}


def test_the_written_yaml_holds_every_key_and_reads_back_as_the_same():
    configuration = configured(model={"units": 7, "pooling": ["last", "attention"]})
    values = yaml.safe_load(write_yaml(configuration))
    assert set(values) == set(SentimentConfig.model_fields)
    assert set(values["model"]) == set(type(configuration.model).model_fields)
    assert configured(**values) == configuration


OUT_OF_RANGE = [
    ("data", "validation_fraction", 0),
    ("data", "validation_fraction", 1),
    ("data", "test_fraction", 1),
    ("data", "test_fraction", -0.1),
    ("data", "max_bad_fraction", 1.5),
    ("data", "spec", ""),
    ("text", "vocabulary_size", 1),
    ("text", "min_count", 0),
    ("text", "max_tokens", 1),
    ("text", "head_fraction", 1.1),
    ("text", "head_fraction", float("nan")),
    ("ngrams", "longest", 0),
    ("ngrams", "longest", 6),
    ("ngrams", "min_count", 0),
    ("ngrams", "max_ngrams", 0),
    ("ngrams", "smoothing", 0),
    ("ngrams", "folds", 1),
    ("wide", "rate", 0),
    ("wide", "dropout", 1),
    ("model", "units", 0),
    ("model", "units", 2.5),
    ("model", "units", "many"),
    ("model", "depth", 0),
    ("model", "embedding_size", 0),
    ("model", "cell", "transformer"),
    ("model", "pooling", []),
    ("model", "pooling", ["median"]),
    ("model", "input_dropout", 1),
    ("model", "convolution_filters", -1),
    ("model", "stride", 0),
    ("model", "zoneout_hidden", -0.1),
    ("training", "epochs", 0),
    ("training", "batch_size", 0),
    ("training", "learning_rate", 0),
    ("training", "learning_rate", float("nan")),
    ("training", "patience", 0),
    ("training", "warmup_fraction", 1.1),
    ("training", "class_weight", "even"),
    ("training", "class_weight", {"good": 0}),
    ("decision", "thresholds", "best"),
    ("decision", "tuned_for", "recall"),
    ("linear", "prior", -1),
]


@pytest.mark.parametrize(("section", "key", "value"), OUT_OF_RANGE)
def test_a_value_out_of_range_is_refused_by_its_key(section, key, value):
    with pytest.raises(UserError) as error:
        configured(**{section: {key: value}})
    message = str(error.value)
    assert f"{section}.{key}" in message
    assert "received" in message
    assert "\n" not in message


def test_a_cell_without_cell_state_takes_no_zoneout_of_it():
    with pytest.raises(UserError, match=r"zoneout_cell.*vanilla"):
        configured(model={"cell": "vanilla", "zoneout_cell": 0.1})
    assert configured(model={"cell": "lstm", "zoneout_cell": 0.1})


def test_strides_over_one_need_a_convolution():
    with pytest.raises(UserError, match=r"stride.*convolution_filters"):
        configured(model={"stride": 2, "convolution_filters": 0})
    assert configured(model={"stride": 2, "convolution_filters": 4})
    assert configured(model={"stride": 1, "convolution_filters": 0})


@pytest.mark.parametrize(
    ("linear", "wide", "ngram_features", "used"),
    [
        (True, False, False, True),
        (False, True, False, True),
        (False, False, True, True),
        (False, False, False, False),
    ],
)
def test_ngrams_are_used_by_any_member(linear, wide, ngram_features, used):
    configuration = configured(
        linear={"enabled": linear},
        wide={"enabled": wide},
        model={"ngram_features": ngram_features},
    )
    assert configuration.uses_ngrams == used


@pytest.mark.parametrize(
    ("section", "old", "new", "value"),
    [
        ("data", "validation_share", "validation_fraction", 0.3),
        ("data", "test_share", "test_fraction", 0.3),
        ("data", "max_bad_share", "max_bad_fraction", 0.3),
        ("text", "head_share", "head_fraction", 0.3),
        ("model", "evidence", "ngram_features", False),
        ("model", "evidence_dropout", "ngram_feature_dropout", 0.1),
        ("model", "evidence_scale", "ngram_feature_scale", 3.0),
        ("model", "state_dropout", "recurrent_dropout", 0.1),
    ],
)
def test_old_names_of_keys_are_read(section, old, new, value):
    configuration = configured(**{section: {old: value}})
    assert getattr(getattr(configuration, section), new) == value


@pytest.mark.parametrize(
    ("section", "misspelt", "meant"),
    [
        ("model", "bidirectonal", "model.bidirectional"),
        ("text", "max_token", "text.max_tokens"),
        ("ngrams", "max_ngram", "ngrams.max_ngrams"),
        ("data", "textcolumn", "data.text_column"),
        ("training", "learningrate", "training.learning_rate"),
    ],
)
def test_a_misspelt_key_is_refused_and_the_nearest_named(section, misspelt, meant):
    with pytest.raises(UserError, match=f"did you mean {meant}"):
        configured(**{section: {misspelt: 1}})


def test_a_misspelt_section_is_refused_and_the_nearest_named():
    with pytest.raises(UserError, match="did you mean model"):
        configured(modl={"units": 3})


def test_few_rows_ask_for_a_smaller_model_and_set_keys_are_kept():
    usual = configured()
    assert usual.sized(20_000) == usual
    small = usual.sized(1_000)
    assert (small.model.units, small.ngrams.min_count) == (64, 2)
    assert small.training.batch_size == 32
    assert small.sized(1_000) == small
    given = configured(model={"units": 128}, ngrams={"min_count": 3})
    kept = given.sized(1_000)
    assert (kept.model.units, kept.ngrams.min_count) == (128, 3)
    # As a run keeps it.
    values = yaml.safe_load(write_yaml(usual))
    assert configured(**values).sized(1_000) == usual


@pytest.mark.parametrize(
    "given", ["toxic, insult", ["toxic,insult"], ["toxic", "insult"]]
)
def test_columns_of_labels_are_a_list_or_a_line(given):
    assert configured(data={"label_columns": given}).data.label_columns == [
        "toxic",
        "insult",
    ]


def test_several_labels_in_order_are_refused():
    for given in ({"label_columns": ["a", "b"]}, {"label_separator": "|"}):
        with pytest.raises(UserError, match="several labels of a text have no order"):
            configured(data={"ordered": True, **given})
