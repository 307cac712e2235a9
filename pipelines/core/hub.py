"""The Hugging Face Hub: a model's page, and where a model is uploaded to."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..cards import (
    ContinuationAnswer,
    ForecastAnswer,
    LabelsAnswer,
    LabelSetsAnswer,
    ModelCard,
    TextAnswer,
)
from .configuration import flattened
from .errors import UserError

#: How a target on the Hub begins.
SCHEME = "hf://"
PAGE_FILE = "README.md"


def hub_page(card: ModelCard) -> str:
    """The card for people, with the header in YAML that the Hub reads."""
    header = yaml.safe_dump(_header(card), sort_keys=False, allow_unicode=True)
    return f"---\n{header}---\n\n" + "\n".join(_lines(card)) + "\n"


def _header(card: ModelCard) -> dict[str, Any]:
    answer, task = card.answer, _hub_task(card)
    languages = [answer.source, answer.target] if isinstance(answer, TextAnswer) else []
    results: list[dict[str, Any]] = [
        {
            "task": {"type": task or "other"},
            "dataset": {"type": "custom", "name": row["data"], "split": row["split"]},
            "metrics": [
                {"type": name, "name": name, "value": value}
                for name, value in row["model"].items()
            ],
        }
        for row in _evaluations(card)
    ]
    header = {
        "license": card.license,
        "language": [language for language in languages if language],
        "library_name": "recurra",
        "pipeline_tag": task,
        "tags": ["recurra", "keras", "tensorflow", "recurrent-neural-network"],
        "metrics": sorted({m["name"] for each in results for m in each["metrics"]}),
        "model-index": [{"name": card.name, "results": results}] if results else [],
    }
    return {key: value for key, value in header.items() if value}


def _hub_task(card: ModelCard) -> str | None:
    """What the Hub calls such a task."""
    answer = card.answer
    if isinstance(answer, LabelsAnswer | LabelSetsAnswer):
        return "text-classification"
    if isinstance(answer, ContinuationAnswer):
        return "text-generation"
    if isinstance(answer, ForecastAnswer):
        return "time-series-forecasting"
    if isinstance(answer, TextAnswer) and answer.source and answer.target:
        return "translation"
    return None


def _lines(card: ModelCard) -> Iterator[str]:
    yield from (f"# {card.name}", "")
    yield card.intended_use or f"A model of the task {card.task} of recurra."
    yield from ("", "## Use", "", "```")
    yield "pip install recurra"
    yield f"recurra predict . {_example(card)}"
    yield from ("```", "")
    yield from ("| | name | type | shape |", "|---|---|---|---|")
    for side in ("inputs", "outputs"):
        for name, tensor in getattr(card, side).items():
            shape = [" " if size is None else str(size) for size in tensor.shape]
            yield f"| {side[:-1]} | `{name}` | {tensor.dtype} | {' × '.join(shape)} |"
    for row in _evaluations(card):
        systems = {"this model": row["model"], **row["baselines"]}
        names = dict.fromkeys(key for each in systems.values() for key in each)
        yield from ("", f"## Results on {row['data']}, {row['split']}", "")
        yield f"| | {' | '.join(names)} |"
        yield "|---" * (len(names) + 1) + "|"
        for system, values in systems.items():
            yield f"| {system} | {' | '.join(_number(values.get(k)) for k in names)} |"
    yield from ("", "## Limits", "")
    for limit in card.limits:
        yield f"- {limit}"
    yield "- It has learned from the data below; on others it may do worse."
    yield from ("", "## Training data", "")
    for name, value in flattened(card.training_data).items():
        if not isinstance(value, list | dict) or len(value) <= 10:
            yield f"- {name}: {_in_line(value)}"
    yield from ("", "## Made with", "")
    versions = ", ".join(f"{k} {v}" for k, v in card.versions.items())
    yield f"{versions}, {card.created}. `assets.extra/model_card.json` has all keys of "
    yield "the configuration, and how files are read."


def _evaluations(card: ModelCard) -> list[Mapping[str, Any]]:
    """As in metrics.json, of one run or of several that are one model."""
    evaluations = card.metrics.get("members") or [card.metrics]
    return [each for each in evaluations if "model" in each]


def _example(card: ModelCard) -> str:
    return (
        "--file measurements.csv"
        if isinstance(card.answer, ForecastAnswer)
        else '"A text."'
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _in_line(value: Any) -> str:
    """Without what Markdown or a table would read."""
    return " ".join(str(value).replace("|", "\\|").split())


def upload(folder: Path, target: str) -> str:
    """Uploads an exported version.

    Args:
        folder: Of the version.
        target: "hf://USER/NAME"; the repository is made, privately, if there is none.

    Returns:
        The address of the upload.

    Raises:
        UserError: The target is no such, the extra `hub` or a token is missing, or the
            Hub cannot be reached or refuses.
    """
    repository = refuse_wrong_target(target)
    import huggingface_hub
    from huggingface_hub import errors

    api = huggingface_hub.HfApi()
    try:
        api.create_repo(repository, private=True, exist_ok=True)
        done = api.upload_folder(repo_id=repository, folder_path=folder)
    except errors.HfHubHTTPError as error:
        raise UserError(
            f"--to {target}: the Hub refuses ({_first_line(error)}); check the name "
            "and what the token may do"
        ) from error
    except Exception as error:
        raise UserError(
            f"--to {target}: the Hub cannot be reached ({_first_line(error)}); the "
            f"model is kept, so upload it later: hf upload {repository} {folder}"
        ) from error
    return str(done)


def refuse_wrong_target(target: str) -> str:
    """The name of the repository, where an upload can begin.

    Raises:
        UserError: As `upload` does for what can be seen before it.
    """
    repository = target.removeprefix(SCHEME)
    if repository.count("/") != 1 or not all(repository.split("/")):
        raise UserError(f"--to {target}: expected {SCHEME}USER/NAME")
    try:
        import huggingface_hub
    except ImportError as error:
        raise UserError(
            f"--to {target}: {error}; this needs the extra hub: "
            "pip install 'recurra[hub]'"
        ) from None
    if huggingface_hub.get_token() is None:
        raise UserError(
            f"--to {target}: there is no token; log in by 'hf auth login' or set "
            "HF_TOKEN, or export to a folder and upload that later"
        )
    return repository


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
