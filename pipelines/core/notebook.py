"""What notebooks show of a run and of an exported model."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .exported_model import ExportedModel
    from .runs import Run


def run_html(run: "Run") -> str:
    """Task, place and state, and the figures of a finished run beside its baselines."""
    facts = {"task": run.task, "run": run.path}
    if not run.is_finished:
        return _facts({**facts, "state": f"not finished; {run.resume_command}"})
    metrics = run.metrics
    facts |= {"data": metrics["data"], "split": metrics["split"]}
    if run.report.is_file():
        facts["report"] = run.report
    systems = {"model": metrics["model"], **metrics["baselines"]}
    names = dict.fromkeys(name for values in systems.values() for name in values)
    rows = [
        [system, *(_number(values.get(name)) for name in names)]
        for system, values in systems.items()
    ]
    return _facts(facts) + _table(["", *names], rows)


def model_html(model: "ExportedModel") -> str:
    """Name, place and task, and what the model takes and gives."""
    card = model.card
    facts = {
        "model": f"{card.name}, version {card.version}",
        "folder": model.folder,
        "task": card.task,
        "answers": card.answer.kind,
    }
    rows = [
        [side[:-1], name, tensor.dtype, " × ".join(map(str, tensor.shape))]
        for side in ("inputs", "outputs")
        for name, tensor in getattr(card, side).items()
    ]
    return _facts(facts) + _table(["", "name", "type", "shape"], rows)


def _facts(facts: Mapping[str, Any]) -> str:
    rows = [f"<b>{_text(name)}</b>: {_text(value)}" for name, value in facts.items()]
    return f"<p>{'<br>'.join(rows)}</p>"


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th>{_text(column)}</th>" for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _text(value: Any) -> str:
    return html.escape(str(value))
