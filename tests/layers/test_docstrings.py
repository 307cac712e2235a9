import doctest

import pytest

import recurra.layers

PUBLIC = [getattr(recurra.layers, name) for name in recurra.layers.__all__]
RECORDS = [public for public in PUBLIC if tuple in getattr(public, "__mro__", ())]
LAYERS_AND_FUNCTIONS = [public for public in PUBLIC if public not in RECORDS]


@pytest.mark.parametrize(
    "public", LAYERS_AND_FUNCTIONS, ids=lambda public: public.__name__
)
def test_example_runs(public):
    examples = doctest.DocTestFinder(recurse=False).find(public, public.__name__)
    assert sum(len(found.examples) for found in examples) >= 3
    runner = doctest.DocTestRunner()
    for found in examples:
        found.globs.clear()
        assert runner.run(found).failed == 0
