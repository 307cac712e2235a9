"""Files of measurements that the page reads, and those that it refuses."""

import numpy as np
import pytest

from recurra.apps.serving.errors import ServingError

pytest.importorskip("pandas")

from recurra.apps.serving.ui.station_file import (  # noqa: E402
    read_window,
    write_example,
)

CARD = {
    "variables": [
        {"column": "T (degC)", "name": "T", "unit": "degC"},
        {"column": "rain (mm)", "name": "rain", "unit": "mm"},
    ],
    "known_future": [],
    "step_seconds": 3600,
    "history_steps": 4,
    "lead_steps": [1, 2],
    "reading": {"time_column": None, "sentinels": [-9999.0]},
}
HEAD = "time,T (degC),rain (mm)\n"


@pytest.fixture
def read(tmp_path):
    def read(content, card=CARD):
        file = tmp_path / "file.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_window(card, file)

    return read


def rows(*lines):
    return HEAD + "".join(f"2020-01-01 {line}\n" for line in lines)


def test_the_last_rows_are_read_in_the_order_of_the_model(read):
    content = "rain (mm),other,time,T (degC)\n" + "".join(
        f"{hour}.5,x,2020-01-01T{hour:02}:00:00,{hour}\n" for hour in range(6)
    )
    window = read(content)
    assert window.history.tolist() == [[2, 2.5], [3, 3.5], [4, 4.5], [5, 5.5]]
    assert window.history.dtype == np.float32
    assert str(window.times[-1])[:16] == "2020-01-01T05:00"
    assert str(window.times[0])[:16] == "2020-01-01T02:00"
    assert window.rows == 4


@pytest.mark.parametrize(
    "content",
    [
        rows("00:00,1,0", "01:00,2,0", "03:00,4,0"),
        # Out of order, with a byte order mark, by the variables' short names.
        b"\xef\xbb\xbftime,T,rain\n2020-01-01 03:00,4,0\n2020-01-01 00:00,1,0\n"
        b"2020-01-01 01:00,2,0\n",
        # Day first.
        "Date Time,T (degC),rain (mm)\n01.01.2020 00:00:00,1,0\n"
        "01.01.2020 01:00:00,2,0\n01.01.2020 03:00:00,4,0\n",
    ],
)
def test_gaps_are_missing_values(read, content):
    history = read(content).history
    assert history[:, 0].tolist()[:2] == [1, 2]
    assert np.isnan(history[2]).all()
    assert history[3].tolist() == [4, 0]


def test_what_is_no_number_is_missing(read):
    window = read(rows("00:00,-9999,0", "01:00,inf,bad", "02:00,,1e39", "03:00,4,0"))
    assert np.isnan(window.history[:3, 0]).all()
    assert window.history[0, 1] == 0
    assert np.isnan(window.history[1:3, 1]).all()
    kept = read(
        rows("00:00,-9999,0", "01:00,1,1"),
        CARD | {"reading": {"sentinels": [-9999.0], "keep_sentinels": True}},
    )
    assert kept.history[2, 0] == -9999


def test_rows_that_only_hold_what_is_known_ahead_are_those_to_come(read):
    card = CARD | {"known_future": ["rain"]}
    window = read(rows("00:00,1,5", "01:00,2,6", "02:00,,7", "03:00,,8"), card)
    assert window.history[-1].tolist() == [2, 6]
    assert window.known_future.tolist() == [[7], [8]]
    assert window.rows == 2
    alone = read(rows("00:00,1,5", "01:00,2,6"), card)
    assert np.isnan(alone.known_future).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as CSV"),
        (b"\x00\xff\xfe,\x00", "cannot be read as CSV|lacks the columns"),
        (HEAD, "has no rows"),
        ("time,T (degC)\n2020-01-01,1\n", r"lacks the column rain \(mm\)"),
        ("hour,T,rain\n0,1,0\n1,2,0\n", "No column holds the times"),
        (rows("00:00,1,0", "00:10,2,0", "00:20,3,0"), "10 minutes apart"),
        (rows("00:00,1,0", "01:00,2,0", "02:00,3,0", "02:30,4,0"), "02:30:00 does not"),
        (rows("00:00,1,0", "00:00,2,0"), "stands in time more than once"),
        (rows("00:00,x,", "01:00,,"), "None of the model's columns holds a number"),
        (
            rows(*(f"{hour:02}:00,1,0" for hour in range(23))) + "soon,1,0\n",
            "Row 25 has no readable time",
        ),
        ("time,T,rain\n2020-01-01T00:00+01:00,1,0\n", "have offsets"),
        (
            "time,T,rain\n2020-01-01T00:00+01:00,1,0\n2020-06-01T00:00+02:00,1,0",
            "offsets",
        ),
        ("time,T,rain\n1700-01-01,1,0\n2020-01-01,1,0\n", "give its last part"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(read, content, message):
    with pytest.raises(ServingError, match=message) as raised:
        read(content)
    assert raised.value.http_status == 400
    assert "\n" not in raised.value.message


def test_one_station_at_a_time(read):
    card = CARD | {"reading": {"station_column": "at"}}
    content = "time,at,T,rain\n2020-01-01,a,1,0\n2020-01-01,b,1,0\n"
    with pytest.raises(ServingError, match="2 stations in at"):
        read(content, card)
    one = "time,at,T,rain\n2020-01-01,a,1,0\n2020-01-01 01:00,a,2,0\n"
    assert read(one, card).rows == 2


def test_an_example_is_read_as_it_was_written(read):
    history = np.array([[1.25, 0], [np.nan, 1], [3, np.nan], [4, 2]], np.float32)
    window = read(write_example(CARD, history, "2020-01-01T05:00:00"))
    np.testing.assert_array_equal(window.history, history)
    assert str(window.times[-1])[:16] == "2020-01-01T05:00"
