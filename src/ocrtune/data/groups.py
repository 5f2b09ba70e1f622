"""Which pages belong together: one document, one customer, one camera; a split must not tear them apart."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ocrtune.errors import DataError, UsageError
from ocrtune.page import Page


@dataclass(frozen=True)
class Groups:
    """The group of each page.

    Attributes:
        of: name of each page's group, in the order of the pages; a page without one is a group of its own.
        count: different groups that were named.
        alone: pages without a group.
    """

    of: list[str]
    count: int
    alone: int


def page_groups(pages: Sequence[Page], rule: str) -> Groups:
    """Find each page's group.

    Args:
        pages: what is grouped.
        rule: a CSV file (``file,group``), a JSON file (``{"file": "group"}`` or ``{"group": ["file", ...]}``), or a
            regular expression that is searched in the page's name: what its parentheses match is the group, or all
            that it matches.

    Raises:
        UsageError: the rule is no regular expression, or names no group of any page.
        DataError: the file cannot be read.
    """
    path = Path(rule)
    if path.suffix.lower() in (".csv", ".json") and path.is_file():
        mapping = _mapping(path)
        found = [next((mapping[n] for n in _names(page) if n in mapping), None) for page in pages]
        expected = "names as in the label file, for example " + ", ".join(page.name for page in pages[:2])
    else:
        found = [_matched(_compiled(rule), page.name) for page in pages]
        expected = "an expression that matches names such as " + ", ".join(page.name for page in pages[:2])
    named = {group for group in found if group is not None}
    if not named:
        raise UsageError("not a single page has a group", where=rule, expected=expected)
    of = [f"group {group}" if group is not None else f"page {index}" for index, group in enumerate(found)]
    return Groups(of, len(named), found.count(None))


def _names(page: Page) -> list[str]:
    """What a mapping may call a page."""
    path = Path(page.name)
    return [page.name, path.as_posix(), path.name, path.stem]


def _compiled(rule: str) -> re.Pattern[str]:
    try:
        return re.compile(rule)
    except re.error as error:
        raise UsageError(
            f"'{rule}' is no regular expression: {error}",
            where="--group",
            expected="a regular expression, or a .csv or .json file that exists",
        ) from error


def _matched(pattern: re.Pattern[str], name: str) -> str | None:
    match = pattern.search(name)
    if match is None:
        return None
    return "\t".join(part or "" for part in match.groups()) if pattern.groups else match[0]


def _mapping(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the groups cannot be read: {error}", where=path, expected="UTF-8 text") from error
    return _from_csv(text, path) if path.suffix.lower() == ".csv" else _from_json(text, path)


def _from_csv(text: str, path: Path) -> dict[str, str]:
    mapping = {}
    reader = csv.reader(io.StringIO(text, newline=""))
    for row in reader:
        if not row:
            continue
        if len(row) != 2:
            raise DataError(
                f"the row has {len(row)} cells",
                where=f"{path}:{reader.line_num}",
                expected="file,group",
                hint="quote commas",
            )
        if tuple(cell.strip().lower() for cell in row) != ("file", "group"):
            mapping[row[0].strip()] = row[1].strip()
    return mapping


def _from_json(text: str, path: Path) -> dict[str, str]:
    expected = '{"file": "group"} or {"group": ["file", ...]}'
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(f"the groups are no JSON: {error}", where=path, expected=expected) from error
    if not isinstance(content, dict):
        raise DataError("the groups are no JSON object", where=path, expected=expected)
    mapping = {}
    for key, value in content.items():
        if isinstance(value, list):
            mapping.update({str(name): str(key) for name in value})
        else:
            mapping[str(key)] = str(value)
    return mapping
