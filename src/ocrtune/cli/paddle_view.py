"""Imports a configuration file of PaddleOCR and shows what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrtune.cli.console import Output

if TYPE_CHECKING:
    from ocrtune.config.paddle import Imported


def import_file(file: Path, overrides: Iterable[str], num_gpus: int) -> Imported:
    """Read and import a file.

    Raises:
        ConfigError: it is missing, no configuration of PaddleOCR, or no network here is like its own.
    """
    from ocrtune.config.load import read_text
    from ocrtune.config.paddle import import_paddle

    return import_paddle(read_text(file), file, overrides, num_gpus=num_gpus, count_lines=count_lines)


def count_lines(file: str) -> int | None:
    """Lines of a label file that is there."""
    try:
        with Path(file).open("rb") as lines:
            return sum(bool(line.strip()) for line in lines)
    except OSError:
        return None


def show_import(imported: Imported, file: Path, output: Output) -> None:
    """The tables."""
    output.say(f"{file}: {imported.network}, here {imported.config.model.arch}")
    for notice in imported.notices:
        output.warn(notice)
    output.table(
        "mapped",
        ("PaddleOCR", "value", "here", "value", "note"),
        [(row.key, _shown(row.value), row.ours, _shown(row.our_value), row.note) for row in imported.mapped],
    )
    told = (
        ("without meaning here", imported.meaningless),
        ("not followed", imported.refused),
        ("unknown", imported.unknown),
    )
    for title, rows in told:
        if rows:
            output.table(
                title, ("PaddleOCR", "value", "why"), [(row.key, _shown(row.value), row.reason) for row in rows]
            )
    output.table(
        "proposals: choices that bite",
        ("here", "PaddleOCR's", "ours", "written", "why"),
        [(row.ours, _shown(row.theirs), _shown(row.proposed), row.written, row.why) for row in imported.proposals],
    )


def as_content(imported: Imported) -> dict[str, Any]:
    """The same for ``--json``."""
    lists = ("mapped", "meaningless", "refused", "unknown", "proposals")
    content = {
        "task": imported.config.task,
        "arch": imported.config.model.arch,
        "config": imported.values,
        **{name: [vars(row) for row in getattr(imported, name)] for name in lists},
        "notices": imported.notices,
    }
    plain: dict[str, Any] = json.loads(json.dumps(content, default=str))  # YAML has dates, JSON has none
    return plain


def _shown(value: object) -> str:
    """A value as a configuration file has it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
