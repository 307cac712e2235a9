"""Public sets as they are published: the right classes, texts and sizes of splits."""

import bz2
import csv
import gzip
import json
import zipfile
from pathlib import Path

import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.reading import PlanBuilder
from recurra.pipelines.data.texts.labelled_texts import (
    LabelledTexts,
    load_labelled_texts,
)

USUAL = ("label", "sentiment", "target", "class", "category", "classindex", "stars")
USUAL += ("overall", "rating", "score", "v1")


def load(path: Path, **options) -> LabelledTexts:
    return load_labelled_texts(str(path), usual_labels=USUAL, **options)


def text_of(number: int) -> str:
    return f'Well, number {number} was "fine"; I liked it, all of it.\nReally: 100 %'


def line_of(number: int) -> str:
    return text_of(number).replace("\n", " ").replace('"', "'")


def check(
    texts: LabelledTexts, classes: tuple[str, ...], rows: int, is_line: bool = False
) -> None:
    """All texts are there, whole, each with the class of its number."""
    assert texts.classes == classes
    assert texts.bad_rows == ()
    wanted = {
        (line_of if is_line else text_of)(n): n % len(classes) for n in range(rows)
    }
    found = {
        text: int(label)
        for split in texts.splits.values()
        for text, label in zip(split.texts, split.labels, strict=True)
    }
    assert found == wanted
    assert {name: len(split) for name, split in texts.splits.items()} == {
        "train": rows * 8 // 10,
        "validation": rows // 10,
        "test": rows // 10,
    }


def test_yelp(tmp_path: Path) -> None:
    rows = [
        {
            "review_id": f"r{n}",
            "user_id": f"u{n % 7}",
            "business_id": f"b{n % 5}",
            "stars": float(n % 2 * 4 + 1),
            "useful": n % 3,
            "funny": 0,
            "cool": n % 2,
            "text": text_of(n),
            "date": "2018-07-07 22:09:11",
        }
        for n in range(120)
    ]
    path = tmp_path / "yelp_academic_dataset_review.json"
    path.write_text("\n".join(map(json.dumps, rows)))
    check(load(path), ("1", "5"), 120)


def test_amazon(tmp_path: Path) -> None:
    rows = [
        {
            "overall": float(n % 5 + 1),
            "verified": True,
            "reviewTime": "09 15, 2016",
            "reviewerID": f"A{n}",
            "asin": "B00",
            "style": {"Format:": " Paperback"},
            "reviewText": text_of(n),
            "summary": "Five Stars",
            "unixReviewTime": 1473897600,
        }
        for n in range(200)
    ]
    path = tmp_path / "Books_5.json.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    check(load(path), ("1", "2", "3", "4", "5"), 200)


def test_sentiment_140(tmp_path: Path) -> None:
    path = tmp_path / "training.1600000.processed.noemoticon.csv"
    with path.open("w", encoding="cp1252", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        for n in range(120):
            time = f"Mon Apr 06 22:19:{n % 60:02d} PDT 2009"
            label = n % 2 * 4
            writer.writerow(
                [label, 1467810369 + n, time, "NO_QUERY", f"user_{n % 50}", text_of(n)]
            )
    texts = load(path)
    check(texts, ("0", "4"), 120)
    assert texts.columns == {"text": "6", "label": "1", "group": None}
    (line,) = texts.reading_plan.warnings
    assert "data.text_column and data.label_column choose others by number" in line


@pytest.mark.parametrize("is_split", [False, True])
def test_20_newsgroups(tmp_path: Path, is_split: bool) -> None:
    names = ("alt.atheism", "comp.graphics", "sci.med", "talk.politics.misc")
    folder = tmp_path / "20news-bydate-train" if is_split else tmp_path / "20news"
    for n in range(80):
        path = folder / names[n % 4] / str(49960 + n)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text_of(n).encode("latin-1"))
    if not is_split:
        check(load(folder), names, 80)
        return
    for n in range(8):
        path = tmp_path / "20news-bydate-test" / names[n % 4] / str(n)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Subject: {n}")
    texts = load(tmp_path)
    sizes = {name: len(split) for name, split in texts.splits.items()}
    assert sizes == {"train": 72, "validation": 8, "test": 8}
    assert texts.classes == names


@pytest.mark.parametrize("name", ["cooking.stackexchange.txt", "train.ft.txt.bz2", "f"])
def test_fasttext(tmp_path: Path, name: str) -> None:
    lines = [f"__label__{n % 2 + 1} {line_of(n)}\n" for n in range(120)]
    data = "".join(lines).encode()
    (tmp_path / name).write_bytes(bz2.compress(data) if name.endswith("2") else data)
    check(load(tmp_path / name), ("1", "2"), 120, is_line=True)


def test_fasttext_splits_and_lines_of_several_labels_that_are_refused(
    tmp_path: Path,
) -> None:
    for name, rows in (("cooking.train", 100), ("cooking.valid", 10)):
        lines = [f"__label__{'ab'[n % 2]} {line_of(n)}\n" for n in range(rows)]
        (tmp_path / name).write_text("".join(lines))
    texts = load(tmp_path, test_fraction=0)
    assert {name: len(split) for name, split in texts.splits.items()} == {
        "train": 100,
        "validation": 10,
    }
    path = tmp_path / "several.txt"
    path.write_text("__label__a one\n__label__a __label__b two\n__label__b three\n")
    with pytest.raises(UserError) as error:
        load(path, plan=PlanBuilder({"multi_label": False}))
    assert "line 2: 2 labels (__label__a __label__b), where one was expected" in str(
        error.value
    )


def test_sms_spam_of_uci(tmp_path: Path) -> None:
    lines = [f"{('ham', 'spam')[n % 2]}\t{line_of(n)}\n" for n in range(120)]
    with zipfile.ZipFile(tmp_path / "sms.zip", "w") as file:
        file.writestr("SMSSpamCollection", "".join(lines))
    check(load(tmp_path / "sms.zip"), ("ham", "spam"), 120, is_line=True)
    path = tmp_path / "SMSSpamCollection"
    path.write_text("".join(lines))
    check(load(path), ("ham", "spam"), 120, is_line=True)


def test_sms_spam_of_kaggle(tmp_path: Path) -> None:
    path = tmp_path / "spam.csv"
    with path.open("w", encoding="latin-1", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["v1", "v2", "", "", ""])
        for n in range(120):
            writer.writerow([("ham", "spam")[n % 2], text_of(n), "", "", ""])
    check(load(path), ("ham", "spam"), 120)


@pytest.mark.parametrize("has_header", [False, True])
def test_ag_news(tmp_path: Path, has_header: bool) -> None:
    path = tmp_path / "train.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        if has_header:
            writer.writerow(["Class Index", "Title", "Description"])
        for n in range(200):
            writer.writerow([n % 4 + 1, f"A title, the {n}th", text_of(n)])
    texts = load(path)
    check(texts, ("1", "2", "3", "4"), 200)
    if not has_header:
        assert (
            "column 3 is read as the text and column 1 as the label"
            in (texts.reading_plan.warnings[0])
        )
        text = next(f for f in texts.reading_plan.findings if f.key == "text_column")
        assert text.alternative == "2 (data.text_column chooses)"


def test_imdb_of_kaggle(tmp_path: Path) -> None:
    path = tmp_path / "IMDB Dataset.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "sentiment"])
        for n in range(120):
            writer.writerow([text_of(n), ("negative", "positive")[n % 2]])
    check(load(path), ("negative", "positive"), 120)
