"""Large files are read in parts, to the same rows as at once."""

import gzip
import logging

import pandas as pd
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.files import large_files, streams
from recurra.pipelines.data.reading import PlanBuilder
from recurra.pipelines.data.texts.labelled_texts import load_labelled_texts
from recurra.pipelines.data.texts.sentence_pairs import load_sentence_pairs

ROWS = 400


@pytest.fixture
def in_parts(monkeypatch):
    """Reads every file in parts from now on."""

    def begin():
        monkeypatch.setattr(large_files, "LARGE", 1)
        monkeypatch.setattr(large_files, "FIRST_ROWS", 60)
        monkeypatch.setattr(streams, "PART_BYTES", 900)
        monkeypatch.setattr(streams, "PART_ROWS", 50)

    return begin


def texts_and_labels():
    return [
        (f'row {row}, with "ü" and\na line break' if row % 7 else f"row {row}", row % 3)
        for row in range(ROWS)
    ]


def csv_of_rows():
    lines = ["text,label,split"]
    for row, (text, label) in enumerate(texts_and_labels()):
        quoted = text.replace('"', '""')
        lines.append(f'"{quoted}",{label},{"test" if row > 350 else "train"}')
        if row == 200:
            lines += ["", "one field too many,1,train,4", ",2,train", "no label,,train"]
        if row == 300:
            # More than a part of them.
            lines += ["text,label,split", *["four,fields,in,it"] * 80]
    return "\r\n".join(lines) + "\r\n"


def write(path, kind):
    frame = pd.DataFrame(texts_and_labels(), columns=["text", "label"])
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind == "jsonl":
        lines = frame.to_json(orient="records", lines=True).splitlines()
        # A part whose objects lack a key.
        lines[100:150] = ['{"text": "no label"}'] * 50
        path.write_text("\n".join([*lines, "broken"]))
    elif kind == "csv.gz":
        path.write_bytes(gzip.compress(csv_of_rows().encode()))
    else:
        path.write_bytes(csv_of_rows().encode())


def contents(texts):
    return (
        texts.classes,
        {
            name: (split.texts.tolist(), split.labels.tolist())
            for name, split in texts.splits.items()
        },
        texts.bad_rows,
        texts.duplicates,
        texts.columns,
        texts.reading_plan.values(),
        texts.reading_plan.warnings,
        {name: count for name, count in texts.encodings.items() if count},
    )


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl", "parquet"])
def test_labelled_texts_in_parts_are_those_at_once(tmp_path, in_parts, kind):
    path = tmp_path / f"rows.{kind}"
    write(path, kind)
    load = lambda: load_labelled_texts(str(path), max_bad_fraction=0.5)  # noqa: E731
    at_once = contents(load())
    in_parts()
    plan = PlanBuilder()
    assert len(list(large_files.read_in_parts(path, plan))) > 3
    assert contents(load()) == at_once
    assert len(at_once[2]) == {"csv": 84, "csv.gz": 84, "jsonl": 51, "parquet": 0}[kind]


@pytest.mark.parametrize("kind", ["lists.jsonl", "lists.parquet", "a.csv", "b.csv"])
def test_several_labels_in_parts_are_those_at_once(tmp_path, in_parts, kind):
    sets = [["x"] * (row % 2) + ["y"] * (row % 3 == 0) for row in range(ROWS)]
    frame = pd.DataFrame({"text": [f"text {row}" for row in range(ROWS)]})
    path, given = tmp_path / kind, {}
    if kind == "a.csv":
        given = {"label_separator": "+"}
        frame.assign(label=list(map("+".join, sets))).to_csv(path, index=False)
    elif kind == "b.csv":
        given = {"label_columns": ["x", "y"]}
        columns = {name: [int(name in has) for has in sets] for name in "xy"}
        frame.assign(**columns).to_csv(path, index=False)
    elif kind == "lists.parquet":
        frame.assign(label=sets).to_parquet(path)
    else:
        frame.assign(label=sets).to_json(path, orient="records", lines=True)

    def load():
        return load_labelled_texts(
            str(path), takes_several=True, plan=PlanBuilder(given)
        )

    at_once = contents(load())
    in_parts()
    assert len(list(large_files.read_in_parts(path, PlanBuilder()))) > 3
    assert contents(load()) == at_once
    found = {
        text: has
        for texts, rows in at_once[1].values()
        for text, has in zip(texts, rows, strict=True)
    }
    assert found == {
        f"text {row}": ["x" in has, "y" in has] for row, has in enumerate(sets)
    }


def test_other_encodings_are_read_at_once(tmp_path, in_parts):
    in_parts()
    path = tmp_path / "rows.csv"
    path.write_bytes(csv_of_rows().replace("ü", "é").encode("cp1252"))
    assert len(list(large_files.read_in_parts(path, PlanBuilder()))) == 1
    texts = load_labelled_texts(str(path), max_bad_fraction=0.5)
    assert set(texts.encodings) == {"utf-8", "cp1252"}


def write_pairs(folder, kind):
    sources = [f"line {row} é" if row % 9 else "the same line" for row in range(ROWS)]
    targets = [f"Zeile {row} ü" if row % 9 else "dieselbe Zeile" for row in range(ROWS)]
    targets[50] = ""
    if kind == "parallel":
        (folder / "train.en").write_text("\n".join(sources) + "\n")
        (folder / "train.de").write_text("\n".join(targets))
        return folder
    lines = [f"{one}\t{two}" for one, two in zip(sources, targets, strict=True)]
    lines[120] = "no tab"
    if kind == "with a header":
        lines.insert(0, "en\tde")
    path = folder / "pairs.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("kind", ["parallel", "tsv", "with a header"])
def test_pairs_in_parts_are_those_at_once(tmp_path, in_parts, kind):
    path = write_pairs(tmp_path, kind)

    def load():
        pairs = load_sentence_pairs(str(path), source="en", target="de")
        sides = {
            name: (split.source.tolist(), split.target.tolist())
            for name, split in pairs.splits.items()
        }
        plan = pairs.reading_plan
        return sides, pairs.as_dict(), plan.values(), plan.warnings

    at_once = load()
    in_parts()
    assert load() == at_once
    assert at_once[1]["bad_rows"] == (kind != "parallel")


def test_files_out_of_step_are_told_though_they_are_large(tmp_path, in_parts):
    in_parts()
    write_pairs(tmp_path, "parallel")
    lines = (tmp_path / "train.de").read_text().split("\n")
    (tmp_path / "train.de").write_text("\n".join(lines[:-5]))
    with pytest.raises(UserError, match="400 lines and train.de 395"):
        load_sentence_pairs(str(tmp_path), source="en", target="de")


def test_the_plan_of_a_large_file_warns_once(tmp_path, in_parts, caplog):
    in_parts()
    caplog.set_level(logging.WARNING)
    (tmp_path / "rows.csv").write_text(csv_of_rows())
    load_labelled_texts(str(tmp_path / "rows.csv"), max_bad_fraction=0.5)
    lines = [line for line in caplog.messages if "parts the rows" in line]
    assert len(lines) == 1
