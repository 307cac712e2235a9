"""Sources are registered, found by the name in a spec, and imported when they read."""

import logging
import subprocess
import sys

import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data import sources
from recurra.pipelines.data.sources import (
    FILES,
    LABELLED_TEXTS,
    SENTENCE_PAIRS,
    TIME_SERIES,
    Source,
    Spec,
    listed_specs,
    read,
    register,
)
from recurra.pipelines.data.specs import DataSpec

HERE = "tests_of_sources"


def echo(spec, reading):
    return spec, reading


class EntryPoint:
    name, value = "archive", f"{HERE}.archive"

    def __init__(self, load):
        self.load = load


@pytest.fixture
def packages(monkeypatch):
    """Sources as at the start, and a module with readers that can be imported."""
    monkeypatch.setattr(sources, "_sources", {})
    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])
    points = []
    monkeypatch.setattr(
        sources.importlib.metadata, "entry_points", lambda group: points
    )
    sources._load_packages.cache_clear()
    yield points
    sources._load_packages.cache_clear()


def archive(content="signals", name="archive"):
    specs = [DataSpec("archive:YEAR", "a year of the archive")]
    return Source(name, content, f"{HERE}:echo", specs)


def test_a_package_adds_a_source_of_its_own(packages):
    packages.append(EntryPoint(lambda: register(archive())))
    assert read("archive:2019", "signals", "how") == (
        Spec("archive:2019", "2019"),
        "how",
    )
    assert read("archive", "signals", None) == (Spec("archive", ""), None)
    assert [line.spec for line in listed_specs("signals")] == ["archive:YEAR"]


def test_a_source_that_cannot_be_loaded_is_named_and_left_out(packages, caplog):
    def broken():
        raise ImportError("no module named tape")

    packages.append(EntryPoint(broken))
    with caplog.at_level(logging.WARNING):
        assert listed_specs("signals") == []
    assert "archive" in caplog.text
    assert "no module named tape" in caplog.text


def test_two_sources_of_one_name_are_refused(packages):
    register(archive())
    register(archive())
    register(archive("other signals"))
    with pytest.raises(ValueError, match="archive' is read by"):
        register(Source("archive", "signals", "elsewhere:read"))


def test_what_is_no_source_is_a_file_or_folder(packages, tmp_path, monkeypatch):
    register(archive(name=FILES))
    register(archive(name="sample"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample").mkdir()
    spec, _ = read("./sample", "signals", None)
    assert spec.path.resolve() == tmp_path / "sample"
    assert read("sample", "signals", None)[0] == Spec("sample", "")


@pytest.mark.parametrize(
    ("spec", "content", "message"),
    [
        ("sampel:900", LABELLED_TEXTS, "did you mean sample:900?"),
        ("tdfs:glue/sst2", SENTENCE_PAIRS, "did you mean tfds:glue/sst2?"),
        ("jenna", TIME_SERIES, "jenna: no such file or folder; did you mean jena?"),
    ],
)
def test_an_unknown_source_names_near_ones(spec, content, message):
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        read(spec, content, None)


def test_a_path_that_is_near_no_source_has_no_hint():
    with pytest.raises(UserError, match="reviews.csv: no such file or folder$"):
        read("reviews.csv", LABELLED_TEXTS, None)


@pytest.mark.parametrize(
    ("content", "specs"),
    [
        (LABELLED_TEXTS, ["sample"]),
        (SENTENCE_PAIRS, ["sample"]),
        (TIME_SERIES, ["sample", "sample:10min", "jena"]),
    ],
)
def test_listed_specs(content, specs):
    assert [line.spec for line in listed_specs(content)] == specs


def test_listing_imports_nothing_slow():
    code = (
        "import sys; from recurra.pipelines.data.sources import *; "
        "listed_specs(TIME_SERIES); "
        "sys.exit(bool({'numpy', 'pandas', 'tensorflow', 'keras'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
