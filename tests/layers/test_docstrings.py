import doctest

import pytest

import recurra.layers

PUBLIC = [getattr(recurra.layers, name) for name in recurra.layers.__all__]
LAYERS = [public for public in PUBLIC if not issubclass(public, tuple)]


@pytest.mark.parametrize("public", LAYERS, ids=lambda public: public.__name__)
def test_example_runs(public):
    examples = doctest.DocTestFinder(recurse=False).find(public, public.__name__)
    assert sum(len(found.examples) for found in examples) >= 3
    runner = doctest.DocTestRunner()
    for found in examples:
        found.globs.clear()
        assert runner.run(found).failed == 0
