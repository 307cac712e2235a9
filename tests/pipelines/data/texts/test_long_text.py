"""Texts that stay in their file."""

import pytest

from recurra.pipelines.data.texts import long_text
from recurra.pipelines.data.texts.documents import load_documents
from recurra.pipelines.data.texts.long_text import LongText

TEXT = "".join(f"Zeile {number}, größer als 東京 \U0001f600.\n" for number in range(40))


@pytest.fixture(autouse=True)
def long(monkeypatch):
    monkeypatch.setattr(long_text, "LONG", 100)
    monkeypatch.setattr(long_text, "_BLOCK", 50)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_it_is_the_text_of_the_file(tmp_path, ends, encoding):
    file = tmp_path / "book.txt"
    file.write_bytes(TEXT.replace("\n", ends).encode(encoding))
    text = LongText.of_file(file)
    assert str(text) == TEXT
    assert len(text) == len(TEXT)
    parts = text.cut([0.5, 0.2, 0.3])
    assert "".join(map(str, parts)) == TEXT
    assert all(str(part).endswith("\n") for part in parts)
    assert 0.4 < len(parts[0]) / len(TEXT) < 0.6


@pytest.mark.parametrize(
    "content",
    [b"short\n", TEXT.encode("utf-16"), b"caf\xe9\n" * 99, b"no line " * 99],
    ids=["short", "utf-16", "latin-1", "one line"],
)
def test_other_files_are_read_as_ever(tmp_path, content):
    file = tmp_path / "book.txt"
    file.write_bytes(content)
    assert LongText.of_file(file) is None


def test_documents_are_what_they_are_when_read_at_once(tmp_path, monkeypatch):
    for name in ("train", "valid", "test"):
        (tmp_path / f"a.{name}.txt").write_text(TEXT, encoding="utf-8")
    found = load_documents(str(tmp_path))
    assert isinstance(found.splits["train"][0], LongText)
    monkeypatch.setattr(long_text, "LONG", 1 << 30)
    read = load_documents(str(tmp_path))
    assert read.splits["train"] == [TEXT]
    assert found.metadata() == read.metadata()


def test_splits_of_one_text_are_carved_by_position(tmp_path):
    file = tmp_path / "book.txt"
    file.write_text(TEXT, encoding="utf-8")
    splits = load_documents(str(file)).splits
    assert list(splits) == ["train", "validation", "test"]
    assert "".join(str(text) for texts in splits.values() for text in texts) == TEXT
