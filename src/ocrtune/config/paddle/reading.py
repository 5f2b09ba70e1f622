"""PaddleOCR's YAML as values: its numbers, its overrides, and what YAML 1.1 makes of both."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import yaml

from ocrtune.config.load import is_paddle, parse_mapping
from ocrtune.errors import ConfigError, nearest

_MAX_NODES = 20_000  # the longest official file has about 300
_MAX_DEPTH = 40
_MAX_NUMBER = 60  # characters of an arithmetic expression
_OPERATIONS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def read_paddle(text: str, where: object, overrides: Iterable[str] = ()) -> tuple[dict[Any, Any], list[str]]:
    """Parse a configuration and apply ``Section.key=value`` overrides.

    Args:
        text: the YAML.
        where: its file, for messages.
        overrides: as the official tools take them behind ``-o``; a value may hold ``=``.

    Returns:
        the values, and one line about each key that is given twice (the last one counts, as in PaddleOCR).

    Raises:
        ConfigError: the text is no YAML, no configuration of PaddleOCR, too large, or an override does not fit.
    """
    values, root = parse_mapping(text.removeprefix("\ufeff"), where, "PaddleOCR's Global: {...}, Architecture: {...}")
    _check_size(values, where)
    for override in overrides:
        _override(values, override)
    if not is_paddle(values):
        given = ", ".join(map(str, list(values)[:6])) or "nothing"
        raise ConfigError(
            f"this is no training configuration of PaddleOCR: there is {given}",
            where=where,
            expected="sections Global and Architecture",
        )
    return values, [] if root is None else list(_given_twice(root, where))


def as_number(value: Any) -> float:
    """A number as PaddleOCR's files write it: ``0.001``, the text ``1e-6`` that YAML 1.1 makes of it, or ``1./255.``.

    Raises:
        ValueError: it is none, or not finite.
    """
    if isinstance(value, str):
        result = _arithmetic(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        result = float(value)
    else:
        raise ValueError(f"{value!r} is no number")
    if not math.isfinite(result):
        raise ValueError(f"{value!r} is no finite number")
    return result


def as_flag(value: Any) -> bool:
    """True or false, also as text.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise ValueError(f"{value!r} is neither true nor false")


def _arithmetic(text: str) -> float:
    def value(node: ast.AST) -> float:
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return float(node.value)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
            return _OPERATIONS[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATIONS:
            return _OPERATIONS[type(node.op)](value(node.operand))
        raise ValueError

    try:
        if len(text) > _MAX_NUMBER:
            raise ValueError
        return value(ast.parse(text.strip(), mode="eval").body)
    except (ValueError, SyntaxError, ArithmeticError, RecursionError, MemoryError):
        raise ValueError(f"'{text[:_MAX_NUMBER]}' is no number") from None


def _check_size(values: Any, where: object) -> None:
    """Refuse what aliases blow up: a few lines of YAML can stand for more values than fit into memory."""
    nodes = 0
    stack: list[tuple[Any, int]] = [(values, 0)]
    while stack:
        node, depth = stack.pop()
        nodes += 1
        if nodes > _MAX_NODES or depth > _MAX_DEPTH:
            raise ConfigError(
                "the file stands for too many values",
                where=where,
                expected=f"at most {_MAX_NODES} values, {_MAX_DEPTH} levels deep",
            )
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        stack += [(child, depth + 1) for child in children]


def _override(values: dict[Any, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError("an override needs a key and a value", where=override, expected="Global.epoch_num=20")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError("the value of the override is no valid YAML", where=override) from error
    _check_size(value, override)
    *sections, last = key.split(".")
    node = values
    for index, section in enumerate(sections):
        if section not in node or not isinstance(node[section], dict):
            close = nearest(section, [str(name) for name in node])
            raise ConfigError(
                f"there is no section '{'.'.join(sections[: index + 1])}'",
                where=override,
                expected=", ".join(str(name) for name, child in node.items() if isinstance(child, dict)) or None,
                hint=f"did you mean '{'.'.join([*sections[:index], close])}'?" if close else None,
            )
        node = node[section]
    if not sections and isinstance(value, dict) and isinstance(node.get(last), dict):
        node[last] = {**node[last], **value}
    else:
        node[last] = value


def _given_twice(root: yaml.Node, where: object) -> Iterator[str]:
    stack: list[tuple[yaml.Node, str]] = [(root, "")]
    seen: set[int] = set()
    while stack:
        node, prefix = stack.pop()
        if id(node) in seen:
            continue  # an alias
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            stack += [(item, prefix) for item in node.value]
        if not isinstance(node, yaml.MappingNode):
            continue
        lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = f"{prefix}{key.value}", key.start_mark.line + 1
            if name in lines:
                yield f"{where}:{line}: '{name}' is also given in line {lines[name]}; the last one counts"
            lines[name] = line
            stack.append((value, f"{name}."))
