"""One JSON file with all pages: ``{"images": [{"file_name": ..., "annotations": [{"bbox" | "polygon", "text"}]}]}``.

``bbox`` is x1,y1,x2,y2 in pixels; ``polygon`` ([[x, y], ...]) wins over it; ``"ignore": true`` marks a region that does
not count. Predictions carry ``score`` (of the outline) and ``text_score`` as well; ``angle`` is a direction in degrees.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ocrtune.data.formats._folder import no_image
from ocrtune.data.formats._images import find_image
from ocrtune.data.formats._json import json_entries, json_keys
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._shapes import box, outline
from ocrtune.data.formats._text import IGNORE_TEXTS, Report, brief, reference_to
from ocrtune.data.records import MALFORMED
from ocrtune.errors import DataError
from ocrtune.files import whole_file
from ocrtune.page import Page, TextRegion, image_size

NAME = "json"
CANNOT: frozenset[Loss] = frozenset()


def matches(path: Path) -> bool:
    """Whether a JSON file is an object with "images", whose labels are not kept apart from them as in COCO."""
    kind, keys = json_keys(path)
    return kind is dict and "images" in keys and "annotations" not in keys


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`.

    Raises:
        DataError: the file as a whole is no JSON object with "images".
    """
    found = False
    for section, index, entry in json_entries(path):
        if section != "images" or not isinstance(index, int):
            found = found or (section == "" and index == "images" and entry is None)
            continue
        where = f"{path}: images[{index}]"
        try:
            name = str(entry["file_name"])
            annotations = entry.get("annotations", [])
            regions = [_region(item, f"{where}.annotations[{i}]") for i, item in enumerate(annotations)]
        except MALFORMED as error:
            report(
                DataError(
                    f"the entry cannot be read: {brief(error)}",
                    where=where,
                    expected='{"file_name": ..., "annotations": [{"bbox": [x1, y1, x2, y2], "text": ...}]}',
                )
            )
            continue
        image = find_image(name, path.parent)
        if image is None:
            report(no_image(name, where, path.parent))
            continue
        yield Page(image, regions, name=name, source=where)
    if not found:
        raise DataError('the file has no list "images"', where=path, expected='{"images": [{"file_name": ...}]}')


def write(pages: Iterable[Page], path: Path) -> None:
    """Write one JSON file; paths are relative to its folder."""
    with whole_file(path) as file:
        file.write('{"images": [')
        for index, page in enumerate(pages):
            width, height = image_size(page.path)
            entry = {"file_name": reference_to(page.path, path.parent), "width": width, "height": height}
            entry["annotations"] = [_annotation(region) for region in page.regions]
            file.write(("," if index else "") + "\n" + json.dumps(entry, ensure_ascii=False))
        file.write("\n]}\n")


def _annotation(region: TextRegion) -> dict[str, Any]:
    low, high = region.polygon.min(axis=0), region.polygon.max(axis=0)
    entry: dict[str, Any] = {
        "bbox": [round(float(v), 2) for v in (*low, *high)],
        "polygon": [[round(float(v), 2) for v in point] for point in region.polygon],
        "text": region.text,
    }
    if region.ignore:
        entry["ignore"] = True
    if region.score is not None:
        entry["score"] = round(region.score, 6)
    if region.text_score is not None:
        entry["text_score"] = round(region.text_score, 6)
    if region.angle is not None:
        entry["angle"] = region.angle
    return entry


def _region(entry: Any, where: str) -> TextRegion:
    text = entry.get("text")
    ignore = bool(entry.get("ignore", False)) or text in IGNORE_TEXTS
    if "polygon" in entry:
        polygon = outline(entry["polygon"])
    else:
        x0, y0, x1, y1 = entry["bbox"]
        polygon = box(x0, y0, x1, y1)
    return TextRegion(
        polygon,
        text=None if text is None or text in IGNORE_TEXTS else str(text),
        ignore=ignore,
        score=_number(entry.get("score")),
        text_score=_number(entry.get("text_score")),
        angle=_number(entry.get("angle")),
        source=where,
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
