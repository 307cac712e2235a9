"""What the page makes of forecasts."""

import base64
import io
import re

import pytest

pytest.importorskip("gradio")
pytest.importorskip("matplotlib")
pd = pytest.importorskip("pandas")

from recurra.apps.answers import forecast_page  # noqa: E402
from recurra.apps.serving.errors import ServingError  # noqa: E402


def words(html):
    """What a person reads of it."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def csv_of(html):
    """The table that a person can download."""
    (content,) = re.findall(r'download="forecast.csv" href="data:[^,]*,([^"]+)"', html)
    return pd.read_csv(io.BytesIO(base64.b64decode(content)))


def test_a_forecast_from_the_sample(models):
    html = forecast_page.sample_html(models["forecast"])
    assert (
        "From 2020-06-30 12:00 , the last measurement of sample, to 2020-06-30 15:00"
        in (words(html))
    )
    assert html.count("<img ") == 1
    assert 'alt="Forecast of T [degC]"' in html
    table = csv_of(html)
    assert table["time"].tolist() == [
        f"2020-06-30T{hour}:00:00" for hour in (13, 14, 15)
    ]
    # The sample's last T is 10; the model adds the lead.
    assert table["forecast"].tolist() == [11, 12, 13]
    assert table["quantile_0.1"].tolist() == [10, 11, 12]
    assert table["unit"].unique() == ["degC"]
    assert "11.0 (10.0 to 12.0)" in words(html)


def test_the_sample_is_a_file_that_the_page_reads(models, tmp_path):
    file = tmp_path / "sample.csv"
    file.write_text(forecast_page.sample(models["forecast"]))
    from_file = csv_of(forecast_page.answer_html(models["forecast"], file))
    assert from_file.equals(csv_of(forecast_page.sample_html(models["forecast"])))


def test_what_was_missing_is_said(models, tmp_path):
    file = tmp_path / "short.csv"
    file.write_text(
        "time,T,rain\n2020-01-01 00:00,1,0\n2020-01-01 01:00,1,0\n2020-01-01 03:00,3,\n"
    )
    shown = words(forecast_page.answer_html(models["forecast"], file))
    assert "the file has 4 of the 6 rows that are read." in shown
    # The row of two o'clock, and one value of rain.
    assert "values missing in the rows that are read: 3." in shown


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "file.csv: .*empty"),
        (
            "time,T (degC)\n2020-01-01 00:00,1\n2020-01-01 01:00,1\n",
            r"file.csv: .*needs the columns rain \(mm\)",
        ),
        ("hour,T,rain\nx,1,0\ny,2,0\n", "time"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(models, tmp_path, content, message):
    file = tmp_path / "file.csv"
    file.write_text(content)
    with pytest.raises(ServingError, match=message) as refused:
        forecast_page.answer_html(models["forecast"], file)
    assert refused.value.http_status == 400
    # Where the server keeps the file is nobody's business.
    assert str(tmp_path) not in refused.value.message


def test_each_station_of_a_file_is_shown(models, tmp_path):
    for name in ("north", "south"):
        (tmp_path / "stations").mkdir(exist_ok=True)
        rows = [f"2020-01-01 {hour:02}:00,{hour},0" for hour in range(8)]
        (tmp_path / "stations" / f"{name}.csv").write_text(
            "\n".join(["time,T,rain", *rows])
        )
    shown = forecast_page.answer_html(models["forecast"], tmp_path / "stations")
    assert "of north" in words(shown)
    assert "of south" in words(shown)
    assert csv_of(shown)["station"].unique().tolist() == ["north", "south"]
