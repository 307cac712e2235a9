"""Pages of other sites: by a name of their own for this machine, or across sites."""

import pytest

from recurra.apps.serving.settings import Settings

BODY = {"instances": [1.0]}
PREDICT = "/v1/models/half_plus_two:predict"
FRIEND = "https://friend.example.org"


@pytest.fixture(scope="module")
def known(serving, documented_models):
    settings = {"hosts": ["models.example.org"], "cors_origins": [FRIEND]}
    with serving(documented_models, **settings) as running:
        yield running


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8501", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:8501", 200),
        ("[::1]:8501", 200),
        ("10.0.0.7", 200),
        ("models.example.org", 200),
        ("Models.example.org:443", 200),
        ("evil.example.org", 421),
        ("localhost.evil.example.org", 421),
        ("models.example.org.evil.example.org", 421),
        ("[::1", 421),
        ("\u00e4", 421),
    ],
)
def test_names_of_the_server(known, host, status):
    for path in ("/healthz", "/v1/models/half_plus_two", "/v2"):
        answer = known.http.get(path, headers={"host": host.encode("latin-1")})
        assert answer.status_code == status
        if status == 421:
            assert "is not a name of this server" in answer.json()["error"]


@pytest.mark.parametrize(
    ("origin", "path", "status"),
    [
        ("http://models.example.org", PREDICT, 200),
        ("https://models.example.org", PREDICT, 200),
        (FRIEND, PREDICT, 200),
        ("https://evil.example.org", PREDICT, 403),
        ("https://models.example.org:8443", PREDICT, 403),
        ("null", PREDICT, 403),
        # A friend asks the APIs alone.
        (FRIEND, "/ui/gradio_api/upload", 403),
        (FRIEND, "/openapi.json", 403),
    ],
)
def test_pages_that_may_ask(known, origin, path, status):
    headers = {"host": "models.example.org", "origin": origin}
    answer = known.post(path, BODY, headers=headers)
    assert answer.status_code == status
    allowed = answer.headers.get("access-control-allow-origin")
    assert allowed == (FRIEND if origin == FRIEND and status == 200 else None)


def test_origins_are_kept_as_browsers_send_them():
    given = ["https://Friend.example.org/", "http://localhost:3000"]
    kept = Settings(cors_origins=given).cors_origins
    assert kept == {FRIEND, "http://localhost:3000"}
    for wrong in ("friend.example.org", "https://friend.example.org/app", "*"):
        with pytest.raises(ValueError, match="SCHEME://HOST"):
            Settings(cors_origins=[wrong])


def test_a_browser_asks_beforehand(known):
    asked = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type, x-api-key",
    }
    answer = known.http.options(PREDICT, headers={"origin": FRIEND, **asked})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == FRIEND
    answer = known.http.options(PREDICT, headers={"origin": "https://e.org", **asked})
    assert answer.status_code == 403


def test_without_settings_no_page_of_another_site_may_ask(server):
    answer = server.post(PREDICT, BODY, headers={"origin": FRIEND})
    assert answer.status_code == 403
    answer = server.http.get("/healthz", headers={"host": "evil.example.org"})
    assert answer.status_code == 421
