"""Regions as JSON, and back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from ocrtune.page import TextRegion, as_polygon

MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError)
"""What reading an entry raises that does not have the form, or the numbers, that it should have."""


def as_json(content: Any) -> bytes:
    """Equal content gives equal bytes."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def as_records(regions: Iterable[TextRegion]) -> list[dict[str, Any]]:
    """Regions as plain values for JSON; numbers are exact, and label files have absolute paths."""
    records = []
    for region in regions:
        entry: dict[str, Any] = {"polygon": [[float(x), float(y)] for x, y in region.polygon], "text": region.text}
        entry |= {"ignore": True} if region.ignore else {}
        for field in ("score", "text_score", "angle"):
            if (value := getattr(region, field)) is not None:
                entry[field] = value
        entry |= {"source": absolute(region.source)} if region.source else {}
        records.append(entry)
    return records


def from_records(records: Iterable[Any]) -> list[TextRegion]:
    """What `as_records` made plain.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, OverflowError: a record is something else.
    """
    regions = []
    for entry in records:
        polygon, text = as_polygon(entry["polygon"]), entry["text"]
        numbers = [entry.get(field) for field in ("score", "text_score", "angle")]
        if len(polygon) < 4 or not isinstance(text, str | None):
            raise ValueError("no outline, or no text")
        score, text_score, angle = (None if number is None else float(number) for number in numbers)
        source = None if entry.get("source") is None else str(entry["source"])
        regions.append(TextRegion(polygon, text, bool(entry.get("ignore")), score, text_score, angle, source))
    return regions


def absolute(source: str | None) -> str | None:
    """``file:line`` from wherever it was read, so that it is the same when it is read again from elsewhere."""
    return source and os.path.abspath(source)
