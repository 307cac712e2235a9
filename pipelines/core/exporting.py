"""SavedModels in TensorFlow Serving's layout: `<to>/<name>/<version>/`.

A version is written beside its place and moved there whole, so that a server that
watches the folder never sees half of one.
"""

import dataclasses
import datetime
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from ..cards import CARD_FILE, ModelCard, read_card
from .errors import UserError
from .files import read_json, write_json, write_text
from .hub import PAGE_FILE, hub_page
from .portable import MODEL_GRAPH, Portable, PortableModel
from .portable_export import check_portable, write_portable
from .portable_weights import WEIGHTS
from .runs import Run, package_versions
from .task import Servable
from .tensorflow_internals import gradients_forgotten
from .tracking import track_model
from .unfinished import at_best_epoch
from .versions import MODEL_FILES, format_of
from .workflow import open_trained

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@gradients_forgotten()
def export_runs(
    runs: Sequence[Run],
    to: Path,
    name: str | None = None,
    changes: Mapping[str, Any] | None = None,
    *,
    unfinished: bool = False,
    format: str = "savedmodel",
    weights: str = "float32",
    license: str = "unknown",
) -> Path:
    """Writes a finished run's model as the next version, or those of several as one.

    Args:
        runs: Finished, of one task.
        to: The folder of models.
        name: The model's name in it; that of the first run if None.
        changes: Values over the configuration, by section, of sections that a trained
            model depends on no more.
        unfinished: Whether to take the best epoch so far of runs that are not finished.
        format: One of `versions.MODEL_FILES`.
        weights: One of `portable_weights.WEIGHTS`.
        license: Of the model, for its card.

    Returns:
        The folder of the version.

    Raises:
        UserError: As `open_trained` and `export` do.
    """
    if unfinished:
        with at_best_epoch(runs) as copies:
            return export_runs(
                copies,
                to,
                name,
                changes,
                format=format,
                weights=weights,
                license=license,
            )
    if format not in MODEL_FILES:
        raise UserError(f"--format {format}: there are {', '.join(MODEL_FILES)}")
    if weights not in WEIGHTS:
        raise UserError(f"--weights {weights}: there are {', '.join(WEIGHTS)}")
    if format == "savedmodel" and weights != "float32":
        raise UserError(
            f"--weights {weights}: a SavedModel has float32; add --format onnx or "
            "--format litert"
        )
    name = runs[0].name if name is None else name
    # First, since the model takes seconds to build.
    for run in runs:
        run.refuse_unfinished()
    _refuse_wrong_name(name)
    task, model = open_trained(runs, changes)
    metrics = [run.metrics for run in runs]
    card = {
        "task": task.definition.name,
        "training_data": read_json(task.run.metadata_file),
        "reading_plan": task.run.reading_plan,
        "metrics": metrics[0] if len(metrics) == 1 else {"members": metrics},
        "configuration": task.configuration.model_dump(mode="json"),
        "license": license,
        "intended_use": task.definition.intended_use,
        "limits": list(task.definition.limits),
    }
    portable = None if format == "savedmodel" else task.portable(model)
    if portable is not None and weights != "float32":
        held_out = task.held_out_inputs()
        portable = dataclasses.replace(portable, weights=weights, held_out=held_out)
    version = export(
        task.servable(model),
        to,
        name,
        card,
        format,
        portable,
    )
    track_model(
        task.run, task.configuration.training.trackers, version, read_card(version)
    )
    return version


def usual_folder(format: str) -> Path:
    """The folder of models of a format, where no other is named."""
    return Path("saved_models" if format == "savedmodel" else f"{format}_models")


def export(
    servable: Servable,
    to: Path,
    name: str,
    card: Mapping[str, Any],
    format: str = "savedmodel",
    portable: Portable | None = None,
) -> Path:
    """Writes the next version of a model.

    Beside the SavedModel itself stand in `assets.extra/` the model card
    (`model_card.json`) and the requests that TensorFlow Serving warms a new version up
    with (`tf_serving_warmup_requests`).

    Args:
        servable: What to write.
        to: The folder of models.
        name: The model's name in it.
        card: What the model card says of the training: task, training_data, metrics,
            configuration.
        format: One of `versions.MODEL_FILES`.
        portable: What to write in a format other than the SavedModel, of which
            `servable` says the answers.

    Returns:
        The folder of the version: the largest number there plus one, or 1.

    Raises:
        UserError: If the name cannot be one, or the disk is full or not writable.
            No version appears then, and what was written of it is removed.
    """
    _refuse_wrong_name(name)
    folder = to / name
    for other in folder.iterdir() if folder.is_dir() else ():
        if format_of(other) not in (format, None):
            raise UserError(
                f"{other}: is a model of the format {format_of(other)}; a server "
                f"expects one format in a folder, so give another --to for {format}"
            )
    partial: Path | None = None
    made: list[Path] = []
    try:
        made = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        # The name is no number, so no server takes it for a version.
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
        partial.chmod(0o755)
        (partial / CARD_FILE).parent.mkdir()
        details: dict[str, Any] = dict(servable.details)
        if portable is None:
            function = _write_saved_model(servable, partial, name)
        else:
            functions = write_portable(portable, format, partial)
            function = functions.pop(MODEL_GRAPH)
            if functions:
                details["graphs"] = {
                    graph: dict(zip(("inputs", "outputs"), _tensors(each), strict=True))
                    for graph, each in functions.items()
                }
        inputs, outputs = _tensors(function)
        whole = {
            **card,
            "name": name,
            "answer": servable.answer,
            "inputs": inputs,
            "outputs": outputs,
            "requires": [] if portable else list(servable.requires),
            "independent_rows": list(servable.independent_rows),
            "details": details,
        }
        if portable is not None:
            _write_card(partial, 0, whole)
            if lost := check_portable(servable, portable, PortableModel(partial)):
                details["weights"] = lost
        return _move_into_place(partial, folder, whole)
    except (OSError, tf.errors.OpError) as error:
        raise UserError(
            f"{folder}: the model could not be written ({_reason(error)}); nothing "
            "of it was kept; free some space or give another --to"
        ) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
        _remove_where_empty(made)


def _refuse_wrong_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UserError(
            f"--name {name}: a model's name is made of letters, digits, '.', '_' and "
            "'-', and begins with a letter or digit"
        )


def _write_saved_model(servable: Servable, folder: Path, name: str) -> Any:
    """Writes the SavedModel and its warm-up requests; returns the default signature."""
    signatures = {
        signature: _concrete(function)
        for signature, function in servable.signatures.items()
    }
    tf.saved_model.save(servable.module, str(folder), signatures=signatures)
    requests = folder / CARD_FILE.parent / "tf_serving_warmup_requests"
    _write_warmup_requests(requests, name, servable.examples)
    return signatures["serving_default"]


def _concrete(function: Any) -> Any:
    """The function as a graph: traced by its input signature, where it is none yet."""
    trace = getattr(function, "get_concrete_function", None)
    return trace() if trace else function


def _tensors(signature: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The inputs and outputs of a graph, as the model card has them."""
    positional, named = signature.structured_input_signature
    specs = [spec for spec in positional if spec is not None] + list(named.values())
    inputs = {spec.name: _tensor(spec) for spec in specs}
    outputs = {
        name: _tensor(spec) for name, spec in signature.structured_outputs.items()
    }
    return inputs, outputs


def _tensor(spec: Any) -> dict[str, Any]:
    sizes = list(spec.shape)
    rows = ["N" if size is None else size for size in sizes[:1]]
    return {"dtype": spec.dtype.name, "shape": [*rows, *sizes[1:]]}


def _move_into_place(partial: Path, folder: Path, card: Mapping[str, Any]) -> Path:
    while True:
        version = 1 + max(
            (int(path.name) for path in folder.iterdir() if path.name.isdecimal()),
            default=0,
        )
        _write_card(partial, version, card)
        try:
            # Fails where another export took the number meanwhile: it holds files.
            os.rename(partial, folder / str(version))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return folder / str(version)


def _write_card(folder: Path, version: int, card: Mapping[str, Any]) -> None:
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    whole = ModelCard(
        version=version, created=created, versions=package_versions(), **card
    )
    write_json(folder / CARD_FILE, whole.model_dump(mode="json"))
    write_text(folder / PAGE_FILE, hub_page(whole))


def _write_warmup_requests(
    path: Path, name: str, examples: Mapping[str, Mapping[str, Any]]
) -> None:
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in examples.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            for key, value in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


def _reason(error: Exception) -> str:
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return "no space left on the device"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    # TensorFlow says "PLACE; what the system said [Op:NAME]".
    said = str(error).splitlines()[0].rpartition("; ")[2]
    return re.sub(r" \[Op:\w+\]$", "", said).lower()


def _remove_where_empty(folders: Sequence[Path]) -> None:
    """Removes folders, each one in the next, up to one that holds something."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return
