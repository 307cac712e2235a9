"""The page of a model as the Hub reads it, and uploads by an acted client."""

import httpx
import huggingface_hub
import pytest
from huggingface_hub.errors import HfHubHTTPError

from recurra.pipelines import UserError, export
from recurra.pipelines.cards import ModelCard, read_card
from recurra.pipelines.core.hub import hub_page


def test_every_export_has_a_page_that_the_hub_reads(sentiment_model):
    page = huggingface_hub.ModelCard.load(sentiment_model / "README.md")
    card = read_card(sentiment_model)
    assert page.data.license == "unknown"
    assert page.data.pipeline_tag == "text-classification"
    found = {
        (each.dataset_split, each.metric_name): each.metric_value
        for each in page.data.eval_results
    }
    expected = card.metrics["model"]
    assert found == {("test", name): value for name, value in expected.items()}
    for part in (
        *("## Limits", "## Training data", card.intended_use, *card.limits),
        *('recurra predict . "A text."', "| `text` | string | N |"),
    ):
        assert part in page.content
    for baseline in card.metrics["baselines"]:
        assert f"| {baseline} |" in page.content


def test_the_page_of_a_model_of_which_little_is_known():
    card = ModelCard(
        name="a",
        version=1,
        created="2026-01-01T00:00:00+00:00",
        task="stars",
        answer={"kind": "other"},
        inputs={"x": {"dtype": "float32", "shape": ["N", None]}},
        outputs={},
        training_data={"column": "a|b\n# c"},
    )
    page = huggingface_hub.ModelCard(hub_page(card))
    assert page.data.eval_results is None
    assert "- column: a\\|b # c\n" in page.content


class Client:
    """What `huggingface_hub.HfApi` is for the tests; `fails` is what it raises."""

    done = []
    fails = None

    def create_repo(self, repository, **how):
        if self.fails:
            raise self.fails
        self.done.append((repository, how))

    def upload_folder(self, repo_id, folder_path):
        self.done.append((repo_id, sorted(path.name for path in folder_path.iterdir())))
        return f"https://hub/{repo_id}"


@pytest.fixture
def client(monkeypatch, tmp_path):
    client = type("Acted", (Client,), {"done": []})
    monkeypatch.setattr(huggingface_hub, "HfApi", client)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "token")
    monkeypatch.chdir(tmp_path)
    return client


def test_an_export_to_the_hub(sentiment_run, client, tmp_path):
    model = export([sentiment_run], "hf://someone/reviews", license="mit")
    assert model.folder.resolve() == tmp_path / "saved_models" / "reviews" / "1"
    assert model.card.license == "mit"
    made, uploaded = client.done
    assert made == ("someone/reviews", {"private": True, "exist_ok": True})
    assert uploaded[0] == "someone/reviews"
    assert {"README.md", "saved_model.pb", "assets.extra"} <= set(uploaded[1])


@pytest.mark.parametrize(
    ("to", "token", "reason"),
    [
        ("hf://reviews", "token", "expected hf://USER/NAME"),
        ("hf://someone/", "token", "expected hf://USER/NAME"),
        ("hf://someone/reviews", None, "no token; log in by 'hf auth login'"),
    ],
)
def test_what_is_wrong_is_said_before_the_export(
    to, token, reason, sentiment_run, client, monkeypatch, tmp_path
):
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: token)
    with pytest.raises(UserError, match=reason):
        export([sentiment_run], to)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (httpx.ConnectError("no route to host"), "cannot be reached .no route to host"),
        (None, "the Hub refuses .403 Forbidden"),
    ],
)
def test_a_hub_that_is_not_there_leaves_the_model(error, reason, toy, client, tmp_path):
    from recurra.pipelines import train

    if error is None:
        error = HfHubHTTPError.__new__(HfHubHTTPError)
        error.args = ("403 Forbidden",)
    client.fails = error
    run = train("toy", run=tmp_path / "run", progress=False)
    with pytest.raises(UserError, match=reason):
        run.export("hf://someone/toy")
    assert (tmp_path / "saved_models" / "run" / "1" / "saved_model.pb").is_file()
