"""A small untrained model with its members, which several files test with."""

import numpy as np
import pytest

TEXT = "the old man saw the dog.\nthe dog saw the old man, and the man ran away.\n"


@pytest.fixture(scope="session")
def make_units(tmp_path_factory):
    """A function of the keys of `units`: the units of `TEXT`."""
    from recurra.pipelines.language.config import UnitsConfig
    from recurra.pipelines.language.units import fit_units, read_units

    def make(**keys):
        path = tmp_path_factory.mktemp("units")
        config = UnitsConfig(**keys)
        fit_units(config, [TEXT], path)
        return read_units(config, path)

    return make


@pytest.fixture(scope="session")
def units(make_units):
    return make_units(kind="words")


@pytest.fixture(scope="session")
def members(units):
    from recurra.pipelines.language.config import CountsConfig, ModelConfig
    from recurra.pipelines.language.kneser_ney import KneserNey
    from recurra.pipelines.language.members import Members
    from recurra.pipelines.language.model import LanguageModel

    section = ModelConfig(embedding_size=6, units=5, depth=2)
    model = LanguageModel(section, units.size, batch_size=2, seed=0)
    model.build()
    generator = np.random.default_rng(0)
    for weight in model.trainable_weights:
        # Far from uniform, so that an error shows.
        weight.assign(generator.normal(0, 0.8, weight.shape))
    (document,) = units.encode_all([TEXT])
    counts = KneserNey.fit([np.append(document, 0)], units.size, 3)
    members = Members(model, counts, CountsConfig(order=3, cache_size=6))
    members.weights[0].assign([0.5, 0.3, 0.2])
    return members


@pytest.fixture(scope="session")
def module(members, units):
    from recurra.pipelines.language.blanks import Blanks
    from recurra.pipelines.language.serving import LanguageServing

    return LanguageServing(members, units, Blanks(members, None), ends=True)


@pytest.fixture(scope="session")
def serving(module):
    return module.signatures()
