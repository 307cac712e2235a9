"""Options of commands, made of the configuration's fields.

A command whose options depend on a task, a run or a model is a function that takes them
as keywords; `command` gives it the signature that Typer reads.
"""

import inspect
import re
import types
import typing
from collections.abc import Callable, Collection, Sequence
from typing import Annotated, Any

import pydantic
import typer
from pydantic.fields import FieldInfo

from recurra.pipelines.core.errors import UserError

_PLAIN = (str, int, float, bool)

#: What several commands take.
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One key of the configuration."),
]


Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Of a cluster of Ray that the workers run on: auto, HOST:PORT, "
        "ray://HOST:PORT, or local for one of this machine.",
    ),
]


def option(
    name: str, kind: Any, help: str, *declarations: str, **settings: Any
) -> inspect.Parameter:
    """A keyword of a command, None where it is left out.

    Args:
        name: Of the keyword.
        kind: Its type: str, int, float, bool, Path, or a list of these.
        help: A line for people.
        *declarations: Such as "--data"; made of the name if left out.
        **settings: Further ones of `typer.Option`.
    """
    if not declarations:
        dashed = name.replace("_", "-")
        declarations = (f"--{dashed}/--no-{dashed}" if kind is bool else f"--{dashed}",)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[
            kind | None, typer.Option(*declarations, help=help, **settings)
        ],
    )


def field_options(
    config_class: type[pydantic.BaseModel], names: Collection[str] | None = None
) -> list[inspect.Parameter]:
    """An option for each plain field of a configuration.

    The field's description is the help. A field with keys of its own is set by `--set`
    alone. `json_schema_extra={"option": "--name"}` of a field names its option.

    Args:
        config_class: The section.
        names: Of the fields; None for all.
    """
    fields = config_class.model_fields
    return [
        _field_option(name, field)
        for name, field in fields.items()
        if (names is None or name in names) and _plain_type(field) is not None
    ]


def _field_option(name: str, field: FieldInfo) -> inspect.Parameter:
    extra = field.json_schema_extra
    declared = extra.get("option") if isinstance(extra, dict) else None
    declarations = (str(declared),) if declared else ()
    settings: dict[str, Any] = {}
    choices = _choices(field.annotation)
    if choices:
        settings["metavar"] = "|".join(map(str, choices))
    elif name == "spec":
        settings["metavar"] = "SPEC"
    return option(
        name,
        _plain_type(field),
        field.description or "",
        *(("--data",) if name == "spec" else declarations),
        **settings,
    )


def _plain_type(field: FieldInfo) -> Any:
    """The type of the field's option, None where it can have none."""
    annotation = field.annotation
    parts = [annotation]
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        parts = [part for part in typing.get_args(annotation) if part is not type(None)]
        # What is told for all is an option; what is told by column is set by `--set`.
        parts = [part for part in parts if typing.get_origin(part) is not dict]
    if len(parts) != 1:
        return None
    (part,) = parts
    if part in _PLAIN:
        return part
    if _choices(part):
        return str
    arguments = typing.get_args(part)
    if typing.get_origin(part) is list and arguments[0] in _PLAIN:
        return list[arguments[0]]  # type: ignore[valid-type]
    return None


def parse_time(name: str, text: str) -> float:
    """Seconds of a time such as 90s, 30m, 2h or 1h30m.

    Raises:
        UserError: It is none; the message names the option.
    """
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip())
    parts = [int(part or 0) for part in found.groups()] if found else [0]
    total = sum(part * size for part, size in zip(parts, (3600, 60, 1), strict=False))
    if not total:
        raise UserError(f"{name} {text}: expected a time such as 90s, 30m or 2h")
    return float(total)


def _choices(annotation: Any) -> Sequence[Any]:
    is_literal = typing.get_origin(annotation) is typing.Literal
    return typing.get_args(annotation) if is_literal else ()


def command(
    function: Callable[..., None],
    parameters: Sequence[inspect.Parameter],
    **bound: Any,
) -> Callable[..., None]:
    """The function as Typer sees it: with these parameters after its own.

    Args:
        function: Its last parameter, `**options`, takes the parameters, those alone
            that were not left out.
        parameters: As of `option`. Of several with one name the first counts.
        **bound: Arguments of the function that the command line does not give.
    """
    *own, _ = inspect.signature(function, eval_str=True).parameters.values()
    own = [parameter for parameter in own if parameter.name not in bound]
    by_name = {parameter.name: parameter for parameter in reversed(parameters)}
    parameters = list(reversed(by_name.values()))

    def run(**given: Any) -> None:
        names = {parameter.name for parameter in parameters}
        left_out = {name for name in names if given[name] in (None, [])}
        function(**bound, **{key: given[key] for key in given if key not in left_out})

    signature = inspect.Signature([*own, *parameters])
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {
        name: parameter.annotation for name, parameter in signature.parameters.items()
    }
    run.__doc__ = function.__doc__
    return run
