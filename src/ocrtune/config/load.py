"""From YAML files and ``key=value`` overrides to one checked configuration that knows where each value came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ocrtune.config.presets import preset_keys
from ocrtune.config.schema import CONFIGS, TrainConfig
from ocrtune.errors import ConfigError, nearest

DEFAULT = "default"


_TYPED = "command line"


@dataclass(frozen=True)
class Loaded:
    """A configuration and the origin of its values.

    Attributes:
        config: the checked configuration.
        origins: ``section.key`` -> ``file:line``, ``command line`` or the reason why a program chose the value; keys
            that are not in it have their default.
    """

    config: TrainConfig
    origins: dict[str, str] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[str, Any, str, str]]:
        """(key, value, origin, description) of every value."""
        for key, value, description in flatten(self.config):
            yield key, value, self.origins.get(key, DEFAULT), description


def load_config(path: Path | None, overrides: Iterable[str] = ()) -> Loaded:
    """Read a YAML file and apply ``section.key=value`` overrides.

    Args:
        path: the file; None starts from the defaults.
        overrides: as typed; the value is parsed as YAML.

    Raises:
        ConfigError: the file is missing or no YAML mapping, PaddleOCR's, a key is unknown, or a value does not fit.
    """
    values, origins = _read_yaml(path) if path is not None else ({}, {})
    if is_paddle(values):
        raise ConfigError(
            "this is a configuration of PaddleOCR", where=path, hint=f"ocrtune config import {path} --out imported.yaml"
        )
    for override in overrides:
        key, value = _split(override)
        _put(values, key, value, override)
        origins[key] = _TYPED
    given = values.get("augment")
    augment: dict[str, Any] = given if isinstance(given, dict) else {}
    preset = augment.get("preset")
    keys = preset_keys(str(values.get("task", "detection")), preset)
    if origins.get("augment.preset") == _TYPED:
        # what is typed wins over the file, whose keys would win over a preset of its own
        for key in keys:
            if origins.get(f"augment.{key}") != _TYPED:
                augment.pop(key, None)
                origins.pop(f"augment.{key}", None)
    config = build_config(values, origins)
    for key in keys:
        origins.setdefault(f"augment.{key}", f"preset {preset}")
    return Loaded(config, origins)


def build_config(values: Mapping[str, Any], origins: Mapping[str, str] | None = None) -> TrainConfig:
    """Check values given as nested mappings.

    Raises:
        ConfigError: a key is unknown (the nearest valid name is told), or a value does not fit.
    """
    task = values.get("task", "detection")
    if task not in CONFIGS:
        close = nearest(str(task), CONFIGS)
        raise ConfigError(
            f"no task is called '{task}'",
            where=(origins or {}).get("task", "task"),
            expected=", ".join(CONFIGS),
            hint=f"did you mean '{close}'?" if close else None,
        )
    try:
        return CONFIGS[task].model_validate(values)
    except ValidationError as error:
        raise _as_config_error(error, origins or {}, CONFIGS[task]) from error


def flatten(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """(dotted key, value, description) of every value in a configuration."""
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value, info.description or ""


def dump_yaml(config: BaseModel) -> str:
    """The resolved configuration as YAML that `load_config` reads back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def is_paddle(values: Mapping[Any, Any]) -> bool:
    """Whether the sections are those of a PaddleOCR configuration."""
    return "Global" in values and "Architecture" in values


def read_text(path: Path) -> str:
    """A configuration file's text, without a byte order mark.

    Raises:
        ConfigError: the file is missing or no UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError("the configuration file does not exist", where=path) from error
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise ConfigError("the configuration is no UTF-8 text file", where=path) from error


def parse_mapping(text: str, where: object, expected: str) -> tuple[dict[Any, Any], yaml.MappingNode | None]:
    """YAML text as nested mappings, and its syntax tree; an empty text is an empty mapping without a tree.

    Args:
        text: the YAML.
        where: file that it comes from.
        expected: example of a mapping, for the message.

    Raises:
        ConfigError: the text is no YAML, asks for Python objects, or is no mapping.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"{where}:{mark.line + 1}" if mark else where
        raise ConfigError(f"the file is no valid YAML: {getattr(error, 'problem', error)}", where=line) from error
    except (ValueError, RecursionError) as error:  # a date that does not exist; thousands of open brackets
        raise ConfigError(f"the file is no usable YAML: {error}", where=where) from error
    if values is None:
        return {}, None
    if not isinstance(values, dict) or not isinstance(root, yaml.MappingNode):
        raise ConfigError("the configuration is no mapping of sections", where=where, expected=expected)
    return values, root


def _read_yaml(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    values, root = parse_mapping(read_text(path), path, "model: {...}\ndata: {...}")
    return values, {} if root is None else dict(_lines(root, path))


def _lines(node: yaml.MappingNode, path: Path, prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        if isinstance(value, yaml.MappingNode):
            yield from _lines(value, path, f"{name}.")
        yield name, f"{path}:{key.start_mark.line + 1}"


def _split(override: str) -> tuple[str, Any]:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError("an override needs a key and a value", where=override, expected="optimizer.lr=1e-4")
    try:
        return key, yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError("the value of the override is no valid YAML", where=override) from error


def _put(values: dict[str, Any], key: str, value: Any, override: str) -> None:
    *sections, last = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(f"'{section}' is a value, not a section", where=override)
    values[last] = value


def _as_config_error(error: ValidationError, origins: Mapping[str, str], schema: type[BaseModel]) -> ConfigError:
    faults = error.errors(include_url=False)
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    location = _named(schema, [str(part) for part in first["loc"]])
    key = ".".join(location)
    where = f"{origins[key]}: {key}" if key in origins else key or None
    if first["type"] == "extra_forbidden":
        valid = _names_at(schema, location[:-1])
        close = nearest(location[-1], valid)
        return ConfigError(
            f"there is no key '{key}'",
            where=origins.get(key),
            expected=", ".join(valid),
            hint=f"did you mean '{'.'.join([*location[:-1], close])}'?" if close else None,
        )
    if first["type"] == "missing":
        return ConfigError(f"'{key}' is missing", hint=f"give it in the file or as {key}=VALUE")
    message = first["msg"].removeprefix("Value error, ")
    return ConfigError(f"{message[0].lower()}{message[1:]}, found {first['input']!r}", where=where)


def _named(section: type[BaseModel], location: list[str]) -> list[str]:
    """A location without what pydantic adds behind a key of several types."""
    for depth, name in enumerate(location[:-1]):
        field = section.model_fields.get(name)
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return location[: depth + 1]
        section = field.annotation
    return location


def _names_at(section: type[BaseModel], location: list[str]) -> list[str]:
    for name in location:
        annotation = section.model_fields[name].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        section = annotation
    return list(section.model_fields)
