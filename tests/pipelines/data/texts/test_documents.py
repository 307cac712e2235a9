"""Plain texts of files, folders, patterns and tables, with their splits."""

import gzip

import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.texts.documents import describe_documents, load_documents


def _write(folder, **texts):
    for name, text in texts.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_names_of_files_say_the_split(tmp_path):
    _write(tmp_path, ptb_train_txt="a b\n", ptb_valid_txt="c\n", ptb_test_txt="d\n")
    splits = load_documents(str(tmp_path)).splits
    assert splits == {"train": ["a b\n"], "validation": ["c\n"], "test": ["d\n"]}


def test_folders_say_the_split_and_hidden_files_are_left_out(tmp_path):
    _write(tmp_path, train__a_md="# A", train__b_c="int b;", dev__c_txt="c")
    _write(tmp_path, _git__config="x", test__d="d")
    splits = load_documents(str(tmp_path)).splits
    assert splits == {"train": ["# A", "int b;"], "validation": ["c"], "test": ["d"]}


def test_patterns_choose_files(tmp_path):
    _write(tmp_path, src__a_c="int a;", src__inner__b_c="int b;", src__n_md="no")
    found = load_documents(
        f"{tmp_path}/src/**/*.c", validation_fraction=0, test_fraction=0
    )
    assert found.splits == {"train": ["int a;", "int b;"]}
    with pytest.raises(UserError, match="no such file"):
        load_documents(f"{tmp_path}/src/*.py")


def test_rows_of_a_table_are_texts(tmp_path):
    path = tmp_path / "reviews.csv"
    rows = "".join(f"{number},text {number}\n" for number in range(40))
    path.write_text(f"id,review\n{rows}41,\n")
    with pytest.raises(UserError, match="empty text|no text"):
        load_documents(str(path))
    found = load_documents(str(path), max_bad_fraction=0.1)
    sizes = {name: len(texts) for name, texts in found.splits.items()}
    assert sizes == {"train": 32, "validation": 4, "test": 4}
    every = sum(found.splits.values(), [])
    assert sorted(every) == sorted(f"text {number}" for number in range(40))
    assert len(found.bad_rows) == 1
    again = load_documents(str(path), max_bad_fraction=0.1)
    assert again.metadata() == found.metadata()
    other = load_documents(str(path), max_bad_fraction=0.1, seed=1)
    assert other.splits != found.splits
    with pytest.raises(UserError, match="nothing"):
        load_documents(str(path), reading={"text_column": "nothing"})


def test_the_column_of_texts_is_kept_for_later_files(tmp_path):
    rows = "".join(f"first {number},second {number}\n" for number in range(30))
    (tmp_path / "a.csv").write_text(f"note,body\n{rows}")
    trained = load_documents(str(tmp_path / "a.csv"), reading={"text_column": "note"})
    kept = trained.reading_plan
    assert kept.values()["text_column"] == "note"
    later = load_documents(str(tmp_path / "a.csv"), kept=kept)
    assert later.splits == trained.splits
    alone = load_documents(str(tmp_path / "a.csv"))
    assert alone.reading_plan.values()["text_column"] == "body"
    assert alone.splits != trained.splits


def test_of_few_texts_the_end_is_held_out(tmp_path):
    text = "".join(f"{number:02d}\n" for number in range(100))
    (tmp_path / "book.txt.gz").write_bytes(gzip.compress(text.encode()))
    found = load_documents(str(tmp_path / "book.txt.gz"), test_fraction=0)
    assert found.splits == {"train": [text[:270]], "validation": [text[270:]]}
    both = load_documents(str(tmp_path / "book.txt.gz")).splits
    assert "".join(part for texts in both.values() for part in texts) == text
    assert list(both) == ["train", "validation", "test"]


def test_too_little_text_is_refused(tmp_path):
    _write(tmp_path, a_txt="a")
    with pytest.raises(UserError, match="too little text"):
        load_documents(str(tmp_path / "a.txt"))
    _write(tmp_path, b_txt=" \n")
    with pytest.raises(UserError, match="b.txt"):
        load_documents(str(tmp_path / "b.txt"))


def test_what_is_shown_carves_nothing(tmp_path):
    _write(tmp_path, a_txt="one\n", b_txt="two, three\n")
    shown = describe_documents(str(tmp_path), {})
    assert shown.values["documents"] == {"train": 2}
    assert shown.frame()["text"].tolist() == ["one\n", "two, three\n"]
