"""What an exported model is asked for a raw file, and what is written of its answer."""

import numpy as np
import pandas as pd
import pytest

from recurra.apps.answers.forecast import write_forecasts
from recurra.pipelines.cards import ForecastAnswer
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.series.forecasting import forecast, forecast_table
from recurra.pipelines.data.series.time_series import load_time_series

VARIABLES = [
    {"column": "T (degC)", "name": "T", "unit": "degC"},
    {"column": "plan", "name": "plan", "unit": ""},
    {"column": "p (mbar)", "name": "p", "unit": "mbar"},
]
READING = {
    "time_column": None,
    "station_column": None,
    "time_zone": None,
    "resample_rules": {},
    "sentinels": [-9999],
    "keep_sentinels": False,
    "rows_are_steps": False,
    "max_bad_fraction": 0.2,
    "min_fraction": 0.5,
}
NAN = np.nan


class Model:
    """Stands for an exported model, and keeps what it was asked."""

    def __init__(self, leads=(1, 2, 3), quantiles=(0.1, 0.9), **reading):
        self.asked = []
        self.answer = ForecastAnswer(
            variables=VARIABLES,
            targets=["p", "T"],
            known_future=["plan"],
            step_seconds=3600,
            history_steps=5,
            lead_steps=list(leads),
            quantiles=list(quantiles),
            reading=READING | reading,
        )

    def run(self, inputs):
        self.asked.append({name: value[0] for name, value in inputs.items()})
        point = np.arange(len(self.answer.lead_steps) * 2.0).reshape(1, -1, 2)
        outputs = {"forecast": point}
        if self.answer.quantiles:
            outputs["quantiles"] = point[..., None] + [-1, 1]
        return outputs


def measured(hours=8, start="2021-06-01", freq="h"):
    """Value 10 * step + number of the column."""
    steps = 10.0 * np.arange(hours)
    return pd.DataFrame(
        {
            "time": pd.date_range(start, periods=hours, freq=freq),
            "p (mbar)": steps,
            "T (degC)": steps + 1,
            "plan": steps + 2,
        }
    )


@pytest.fixture
def ask(tmp_path):
    """A function of a model and a table: the forecasts from it."""

    def forecast_from(model, frame, **columns):
        path = tmp_path / "recent.csv"
        frame.to_csv(path, index=False)
        return forecast(model.run, model.answer, path, **columns)[1]

    return forecast_from


def test_the_last_rows_are_asked_in_the_order_of_the_model(ask):
    model = Model()
    frame = measured().sample(frac=1, random_state=1)
    (found,) = ask(model, frame)
    (asked,) = model.asked
    steps = 10 * np.arange(3, 8)
    np.testing.assert_array_equal(
        asked["history"], np.stack([steps + 1, steps + 2, steps], axis=1)
    )
    assert asked["start"] == b"2021-06-01T07:00:00"
    assert np.isnan(asked["known_future"]).all()
    assert found.history_times[-1] == np.datetime64("2021-06-01T07:00:00")
    assert found.times[0] == np.datetime64("2021-06-01T08:00:00")
    np.testing.assert_array_equal(found.point, [[0, 1], [2, 3], [4, 5]])


def test_rows_with_what_is_known_ahead_alone_come_after_the_origin(ask):
    model = Model(leads=(2, 3, 4))
    frame = measured()
    frame.loc[5:, ["p (mbar)", "T (degC)"]] = NAN
    (found,) = ask(model, frame)
    (asked,) = model.asked
    assert asked["start"] == b"2021-06-01T04:00:00"
    # The third lead lies behind the end of the file.
    np.testing.assert_array_equal(asked["known_future"], [[62], [72], [NAN]])
    assert found.times[0] == np.datetime64("2021-06-01T06:00:00")


def test_what_is_too_short_is_missing_before(ask):
    model = Model()
    frame = measured(3)
    frame.loc[1, "T (degC)"] = -9999
    ask(model, frame)
    np.testing.assert_array_equal(
        model.asked[0]["history"],
        [[NAN] * 3, [NAN] * 3, [1, 2, 0], [NAN, 12, 10], [21, 22, 20]],
    )


def test_a_finer_file_is_brought_to_the_step_of_the_model(ask):
    model = Model()
    # Each hour holds six rows, the one at its end included.
    ask(model, measured(36, start="2021-06-01 00:10", freq="10min"))
    means = 10 * (6 * np.arange(1, 6) + 2.5)
    np.testing.assert_allclose(model.asked[0]["history"][:, 2], means)


def test_rows_that_are_steps_are_taken_as_they_are(ask):
    model = Model(rows_are_steps=True)
    ask(model, measured(9).drop(index=6))
    steps = 10 * np.array([3, 4, 5, 7, 8])
    np.testing.assert_array_equal(model.asked[0]["history"][:, 2], steps)


def test_each_station_has_a_forecast(ask):
    model = Model(station_column="site")
    frames = [
        measured(hours).assign(place=name) for name, hours in (("a", 8), ("b", 6))
    ]
    found = ask(model, pd.concat(frames), station_column="place")
    assert [each.station for each in found] == ["a", "b"]
    assert [each["start"] for each in model.asked] == [
        b"2021-06-01T07:00:00",
        b"2021-06-01T05:00:00",
    ]
    table = forecast_table(model.answer, found)
    assert table["station"].value_counts().to_dict() == {"a": 6, "b": 6}


def test_the_table_has_a_row_for_each_time_and_target(ask):
    model = Model()
    table = forecast_table(model.answer, ask(model, measured()))
    assert table["lead_steps"].tolist() == [1, 1, 2, 2, 3, 3]
    assert table["variable"].tolist() == ["p", "T"] * 3
    assert table["unit"].tolist() == ["mbar", "degC"] * 3
    assert table["forecast"].tolist() == [0, 1, 2, 3, 4, 5]
    assert table["quantile_0.1"].tolist() == [-1, 0, 1, 2, 3, 4]
    assert table["time"].iloc[-1] == pd.Timestamp("2021-06-01 10:00")
    plain = Model(quantiles=())
    assert list(forecast_table(plain.answer, ask(plain, measured()))) == [
        *("station", "time", "lead_steps", "variable", "unit", "forecast")
    ]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (measured().drop(columns="p (mbar)"), r"needs the columns p \(mbar\); there"),
        (measured().assign(**{"p (mbar)": NAN, "T (degC)": NAN}), "forecast from"),
    ],
)
def test_files_that_cannot_be_forecast_from(ask, frame, said):
    with pytest.raises(UserError, match=said):
        ask(Model(), frame)


def test_a_header_that_lost_its_unit_is_found(ask):
    model = Model()
    ask(model, measured().rename(columns={"T (degC)": "T", "p (mbar)": "p [hPa]"}))
    assert model.asked[0]["history"][-1].tolist() == [71, 72, 70]


def kept(tmp_path, frame, **options):
    """The plan by which a file of training is read."""
    path = tmp_path / "train.csv"
    frame.to_csv(path, index=False)
    return load_time_series(str(path), **options).reading_plan


def test_a_file_of_one_station_needs_no_column_of_stations(ask, tmp_path):
    model = Model(station_column="site")
    train = pd.concat([measured(20).assign(site=name) for name in "ab"])
    plan = kept(tmp_path, train, station_column="site")
    (found,) = ask(model, measured(), plan=plan)
    assert found.station == "recent"
    # So does a card of former versions, which has no plan.
    (again,) = ask(model, measured())
    assert again.station == "recent"


def test_the_form_of_training_is_kept(ask, tmp_path):
    times = pd.date_range("2015-02-15", periods=26 * 24, freq="h")
    train = measured(len(times)).assign(time=times.strftime("%d/%m/%Y %H:%M"))
    plan = kept(tmp_path, train)
    day = pd.date_range("2015-03-05", periods=24, freq="h")
    recent = measured(24).assign(time=day.strftime("%d/%m/%Y %H:%M"))
    (found,) = ask(Model(), recent, plan=plan)
    assert found.times[0] == np.datetime64("2015-03-06T00:00:00")


def test_what_a_forecast_has_to_do_without_is_a_line(ask):
    (short,) = ask(Model(), measured(3))
    assert "the file has 3 of the 5 rows that are read" in short.remarks
    assert any("plan is known ahead" in line for line in short.remarks)
    frame = measured()
    frame.loc[3:, "T (degC)"] = NAN
    (found,) = ask(Model(), frame)
    assert "no value of T, which is forecast from the others alone" in found.remarks


def test_empty_rows_at_the_end_are_a_line_where_nothing_is_known_ahead(ask):
    model = Model()
    model.answer = model.answer.model_copy(update={"known_future": []})
    frame = measured()
    frame.loc[6:, ["p (mbar)", "T (degC)", "plan"]] = NAN
    (found,) = ask(model, frame)
    line = "the last 2 steps of the file have no value; the forecast begins after"
    assert f"{line} 2021-06-01 05:00" in found.remarks


def test_values_in_another_unit_than_in_training_are_a_line(ask, tmp_path, caplog):
    plan = kept(tmp_path, measured(20))
    ask(Model(), measured().assign(**{"T (degC)": 9e4}), plan=plan)
    (record,) = caplog.records
    assert "T is 90000 to 90000 here and was 1 to 191 in training" in record.message


def test_a_picture_stands_beside_the_table_for_each_of_the_first_stations(
    ask, tmp_path
):
    model = Model(station_column="site")
    frames = [measured().assign(site=name) for name in "abcdef"]
    found = ask(model, pd.concat(frames))
    written = write_forecasts(model.answer, found, tmp_path / "next.csv")
    assert [path.name for path in written] == [
        *("next.csv", "next.png", "next-2.png", "next-3.png", "next-4.png")
    ]
    assert len(pd.read_csv(written[0])) == 6 * 6
    assert all(path.read_bytes()[1:4] == b"PNG" for path in written[1:])


def test_nothing_is_overwritten_and_nothing_left_half_written(ask, tmp_path):
    model = Model()
    found = ask(model, measured())
    before = sorted(path.name for path in tmp_path.iterdir())
    for name, said in (
        ("recent.csv", "recent.csv: exists already"),
        ("recent.png", "what it is to be is not known; give .csv"),
        ("absent/next.csv", "cannot be written: No such file"),
    ):
        with pytest.raises(UserError, match=said):
            write_forecasts(model.answer, found, tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    # A picture that stands there is as much in the way as a table.
    (tmp_path / "next.png").write_bytes(b"mine")
    with pytest.raises(UserError, match="next.png: exists already"):
        write_forecasts(model.answer, found, tmp_path / "next.csv")
    assert not (tmp_path / "next.csv").exists()
