"""`recurra data list` and `recurra data show`: what the pipeline sees, in words."""

import json

import pandas as pd
import pytest

from recurra.apps.main import run

REVIEWS = """id,review,sentiment,film
1,[bold]A fine[/bold] film,good,a
2,Dull and [/] long,bad,a
3,,bad,b
4,A lovely afternoon,good,b
5,"Loud, and not much else",bad,c
"""


@pytest.fixture
def reviews(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text(REVIEWS, encoding="utf-8")
    return path


def show(capsys, *arguments):
    """The status, and both streams with their line breaks and runs of space undone."""
    status = run(["data", "show", *map(str, arguments)])
    streams = capsys.readouterr()
    return status, " ".join(streams.out.split()), streams.err


def test_list_names_every_kind_of_data(capsys):
    assert run(["data", "list"]) == 0
    shown = capsys.readouterr().out
    for spec in ("sample", "FILE", "FOLDER", "tfds:imdb_reviews", "tfds:NAME"):
        assert spec in shown
    for task in ("sentiment", "weather", "translation"):
        assert task in shown


def test_show_prints_columns_classes_and_lengths(capsys, reviews):
    status, shown, _ = show(capsys, reviews)
    assert status == 0
    assert "5 rows" in shown
    assert "text column: review" in shown
    assert "label column: sentiment" in shown
    assert "split rows bad good" in shown
    assert "train 4 2 2" in shown
    assert "train, tokens" in shown


def test_show_names_each_bad_row_by_its_line(capsys, reviews):
    _, shown, _ = show(capsys, reviews)
    assert "bad rows: 1" in shown
    assert "line 4: empty text" in shown


def test_show_prints_texts_as_they_are_and_not_as_markup(capsys, reviews):
    _, shown, _ = show(capsys, reviews)
    assert "[bold]A fine[/bold] film" in shown
    assert "Dull and [/] long" in shown


def test_show_takes_columns_by_name(capsys, reviews):
    status, shown, _ = show(
        capsys, reviews, "--label-column", "film", "--group-column", "id"
    )
    assert status == 0
    assert "label column: film" in shown
    assert "group column: id" in shown


def test_show_as_json_holds_the_same(capsys, reviews):
    assert run(["data", "show", str(reviews), "--json"]) == 0
    description = json.loads(capsys.readouterr().out)
    assert description["classes"] == ["bad", "good"]
    assert description["splits"]["train"]["class_balance"] == {"bad": 2, "good": 2}
    assert description["bad_rows"][0]["line"] == 4


def test_show_of_no_file_is_one_line_and_status_2(capsys, tmp_path):
    status, _, error = show(capsys, tmp_path / "none.csv")
    assert status == 2
    assert error.count("\n") == 1
    assert "none.csv" in error


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.tsv"
    lines = ("One[/]\tUn\tCC", "no tab", "Two\t", "Three\tTrois", "Three\tTrois")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def station(tmp_path):
    path = tmp_path / "station.csv"
    rows = (f"2020-01-01 {hour:02}:00;{hour},5;N;dry" for hour in range(24))
    path.write_text("\n".join(["time;T (degC);wind;sky", *rows]), encoding="utf-8")
    return path


WEATHER = ("--task", "weather")
FRENCH = ("--task", "translation", "--target", "fr")


def test_show_prints_the_reading_plan(capsys, station):
    settings = ("--set", "data.step=6h", "--set", "data.kinds={T: magnitude}")
    status, shown, _ = show(capsys, station, *WEATHER, *settings, "--rows", 2)
    assert status == 0
    assert "sky ignored text such as 'dry'" in shown
    assert "kind given" in shown and "the values of T (degC)" in shown
    assert "station 2020-01-01 06:00:00 4.0" in shown


def test_show_as_json_has_plan_and_rows(capsys, station):
    arguments = ["data", "show", str(station), *WEATHER, "--json", "--rows", "1"]
    assert run(arguments) == 0
    described = json.loads(capsys.readouterr().out)
    findings = {each["key"]: each["value"] for each in described["plan"]["findings"]}
    assert findings["decimal"] == "," and findings["time_column"] == "time"
    roles = {each["column"]: each["role"] for each in described["plan"]["columns"]}
    assert roles == {
        **{"time": "time", "T (degC)": "variable"},
        **{"wind": "ignored", "sky": "ignored"},
    }
    assert described["first_rows"] == [
        {"station": "station", "time": "2020-01-01T00:00:00", "T (degC)": 0.5}
    ]


def read(path):
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return (
        pd.read_json(path, lines=True) if ".jsonl" in path.name else pd.read_csv(path)
    )


@pytest.mark.parametrize("name", ["all.csv", "all.csv.gz", "all.parquet", "all.jsonl"])
def test_write_writes_all_rows_as_the_pipeline_sees_them(capsys, station, name):
    to = station.with_name(name)
    arguments = ["data", "write", str(station), *WEATHER, "--to", str(to)]
    assert run([*arguments, "--set", "data.step=6h"]) == 0
    frame = read(to)
    assert list(frame) == ["station", "time", "T (degC)"]
    assert frame["T (degC)"].iloc[1] == 4
    assert run(arguments) == 2
    assert "exists already" in capsys.readouterr().err


def test_write_writes_texts_and_pairs(capsys, reviews, pairs):
    to = reviews.with_name("texts.parquet")
    assert run(["data", "write", str(reviews), "--to", str(to)]) == 0
    frame = pd.read_parquet(to)
    assert list(frame) == ["split", "text", "label"]
    assert frame.iloc[1].tolist() == ["train", "Dull and [/] long", "bad"]
    assert len(frame) == 4
    to = pairs.with_name("all.csv")
    assert run(["data", "write", str(pairs), *FRENCH, "--to", str(to)]) == 0
    frame = pd.read_csv(to)
    assert list(frame) == ["split", "source", "target"]
    assert frame.iloc[0].tolist() == ["train", "One[/]", "Un"]


def test_write_refuses_other_endings(capsys, station):
    assert run(["data", "write", str(station), *WEATHER, "--to", "all.xml"]) == 2
    assert "--to all.xml: what it is to be is not known" in capsys.readouterr().err


def test_show_of_pairs_prints_lengths_checks_and_bad_rows(capsys, pairs):
    status, shown, _ = show(capsys, pairs, *FRENCH)
    assert status == 0
    assert "2 pairs from en to fr" in shown
    assert "train, en 2 5 5" in shown
    assert "empty side 1" in shown
    assert f"train, empty side: {pairs}, line 3" in shown
    assert "left out of training, duplicates: 1" in shown
    assert "line 2: no tab in it" in shown
    assert "One[/] Un" in shown


def test_show_of_pairs_as_json_lists_every_bad_row(capsys, pairs):
    assert run(["data", "show", str(pairs), *FRENCH, "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert described["splits"]["train"]["pairs"] == 2
    assert described["checks"]["found"]["train"]["equal pairs"] == 1
    assert [row["line"] for row in described["bad_rows"]] == [2]


def test_show_of_languages_that_are_not_there_names_those_that_are(capsys, tmp_path):
    (tmp_path / "train.ja").write_text("a\n")
    (tmp_path / "train.zh").write_text("b\n")
    status, _, error = show(capsys, tmp_path, "--task", "translation")
    assert status == 2
    assert "ja, zh" in error


def test_show_refuses_languages_for_another_task(capsys, reviews):
    status, _, error = show(capsys, reviews, "--source", "en")
    assert status == 2
    assert "No such option: --source" in error
