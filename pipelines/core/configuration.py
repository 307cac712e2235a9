"""Configuration: one pydantic model per task, filled from recipe, file and --set."""

import difflib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pydantic
import yaml

from .errors import UserError

logger = logging.getLogger("recurra")


class Config(pydantic.BaseModel):
    """A part of a configuration: unknown keys are errors, values are frozen.

    Attributes:
        renamed_keys: By its old name, the name that a key has today. Files with the
            old name are read, with one line that says the new one.
    """

    renamed_keys: ClassVar[Mapping[str, str]] = {}

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


ConfigurationT = TypeVar("ConfigurationT", bound=Config)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that the YAML file holds.

    Raises:
        UserError: If the file is missing, is not YAML, or holds no mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such configuration file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    except yaml.YAMLError as error:
        place = " ".join(str(error).split())
        raise UserError(f"{path}: not valid YAML: {place}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: expected 'key: value' lines, received {type(content).__name__}"
        )
    return content


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """`["model.units=64"]` as `{"model": {"units": 64}}`; values are read as YAML."""
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise UserError(
                f"--set {assignment}: expected key=value, for example training.epochs=3"
            )
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise UserError(
                f"--set {assignment}: the value is not valid YAML"
            ) from None
        *parents, last = key.strip().split(".")
        target = values
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise UserError(f"--set {assignment}: {parent} is set twice")
        target[last] = value
    return values


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over` put over it, section by section."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        both_sections = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both_sections else value  # type: ignore[arg-type]
    return merged


def find_recipe(folder: Path, name: str) -> Path:
    """The YAML file of the recipe called `name`."""
    path = folder / f"{name}.yaml"
    if path.is_file():
        return path
    names = sorted(recipe.stem for recipe in folder.glob("*.yaml"))
    raise UserError(
        f"--recipe {name}: no such recipe; {nearest(name, names)}"
        f"there are: {', '.join(names)}"
    )


def make_configuration(
    kind: type[ConfigurationT], layers: Sequence[tuple[str, Mapping[str, Any]]]
) -> ConfigurationT:
    """A configuration of this kind from layers of values, the later over the earlier.

    Args:
        kind: The task's configuration model; it holds every default.
        layers: Pairs of a source, to be named in errors, and its values.

    Raises:
        UserError: For a key that is unknown (the nearest one is named) or a value
            that is out of range or of another type, naming the source it stands in.
    """
    merged = _set_by(kind)
    layers = [(source, _with_todays_keys(kind, of, source)) for source, of in layers]
    for source, values in layers:
        _refuse_unknown_keys(kind, values, source)
        merged = merge(merged, values)
    try:
        return kind.model_validate(merged)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        sources = [name for name, values in layers if _holds(values, first["loc"])]
        place = f"{sources[-1]}: " if sources else ""
        what = f"{key}: " if key else ""
        message = first["msg"].removeprefix("Value error, ")
        received = f" (received {first['input']!r})" if key else ""
        raise UserError(f"{place}{what}{message}{received}") from None


def _set_by(kind: type[Config]) -> dict[str, Any]:
    """What a kind sets in its sections: they keep it when another value is given."""
    return {
        name: merge(
            _set_by(type(field.default)), field.default.model_dump(exclude_unset=True)
        )
        for name, field in kind.model_fields.items()
        if isinstance(field.default, Config)
    }


def write_yaml(configuration: Config, *, only_set: bool = False) -> str:
    """The configuration as YAML.

    Args:
        configuration: Of any kind.
        only_set: Leave out keys that nobody has set, which a rule may set by the data.
    """
    values = configuration.model_dump(mode="json", exclude_unset=only_set)
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def differences(one: Config, other: Config) -> list[str]:
    """The dotted keys of the values in which the two differ."""

    def walk(a: Any, b: Any, path: tuple[str, ...]) -> Iterator[str]:
        if isinstance(a, dict) and isinstance(b, dict):
            for key in a:
                yield from walk(a[key], b.get(key), (*path, key))
        elif a != b:
            yield ".".join(path)

    return list(walk(one.model_dump(mode="json"), other.model_dump(mode="json"), ()))


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with keys like `model.units`."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{name}.")
        else:
            flat[name] = value
    return flat


def _with_todays_keys(
    kind: type[Config], values: Mapping[str, Any], source: str
) -> dict[str, Any]:
    """The values with keys of former versions under the names of today."""
    renamed: dict[str, str] = {}
    todays = _rename_keys(kind, values, "", renamed)
    if renamed:
        pairs = (f"{old} is now {new}" for old, new in renamed.items())
        logger.warning("%s: has old names of keys: %s", source, ", ".join(pairs))
    return todays


def _rename_keys(
    kind: type[Config], values: Mapping[str, Any], path: str, renamed: dict[str, str]
) -> dict[str, Any]:
    todays: dict[str, Any] = {}
    for key, value in values.items():
        name = kind.renamed_keys.get(key, key)
        if name != key and name not in values:
            renamed[f"{path}{key}"] = f"{path}{name}"
            key = name
        inner = _section_of(kind, key)
        if inner is not None and isinstance(value, Mapping):
            value = _rename_keys(inner, value, f"{path}{key}.", renamed)
        todays[key] = value
    return todays


def _section_of(kind: type[Config], key: str) -> type[Config] | None:
    """The kind of the section under a key, None where the key holds a value."""
    field = kind.model_fields.get(str(key))
    section = field.annotation if field else None
    if isinstance(section, type) and issubclass(section, Config):
        return section
    return None


def _refuse_unknown_keys(
    kind: type[Config], values: Mapping[str, Any], source: str, path: str = ""
) -> None:
    for key, value in values.items():
        field = kind.model_fields.get(str(key))
        if field is None:
            raise UserError(
                f"{source}: unknown key {path}{key}; "
                f"{nearest(str(key), list(kind.model_fields), path)}"
                f"known here: {', '.join(kind.model_fields)}"
            )
        section = _section_of(kind, key)
        if section is not None:
            if not isinstance(value, Mapping):
                raise UserError(
                    f"{source}: {path}{key} is a section; give its keys, for example "
                    f"{path}{key}.{next(iter(section.model_fields))} "
                    f"(received {value!r})"
                )
            _refuse_unknown_keys(section, value, source, f"{path}{key}.")


def nearest(word: str, words: Sequence[str], path: str = "") -> str:
    """The beginning of a hint that names the most similar word; empty without one."""
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f"did you mean {path}{near[0]}? " if near else ""


def _holds(values: Mapping[str, Any], keys: Sequence[int | str]) -> bool:
    inner: Any = values
    for key in keys:
        if isinstance(inner, list):
            # A list stands in one layer as a whole, and so do its items.
            return True
        if not isinstance(inner, Mapping) or key not in inner:
            return False
        inner = inner[key]
    return True
