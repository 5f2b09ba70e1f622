"""One JSON file with all pages: ``{"images": [{"file_name": ..., "annotations": [{"bbox" | "polygon", "text"}]}]}``.

``bbox`` is x1,y1,x2,y2 in pixels; ``polygon`` ([[x, y], ...]) wins over it; ``"ignore": true`` marks a region that does
not count. Predictions carry ``score`` as well; ``angle`` is a direction in degrees.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ocrtune.data.formats._text import IGNORE_TEXTS, Report, reference_to
from ocrtune.errors import DataError
from ocrtune.page import Page, TextRegion, as_polygon, image_size

NAME = "json"


def matches(path: Path) -> bool:
    """Whether a file ends in .json and starts with an object that has "images" early on."""
    if not path.is_file() or path.suffix.lower() != ".json":
        return False
    with path.open("rb") as file:
        return b'"images"' in file.read(4096)


def read(path: Path, report: Report) -> list[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`.

    Raises:
        DataError: the file as a whole is no JSON object with "images".
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError("the file is not UTF-8", where=path, hint="save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise DataError(f"the file is no valid JSON: {error.msg}", where=f"{path}:{error.lineno}") from error
    images = document.get("images") if isinstance(document, dict) else None
    if not isinstance(images, list):
        raise DataError('the file has no list "images"', where=path, expected='{"images": [{"file_name": ...}]}')
    pages = []
    for index, entry in enumerate(images):
        where = f"{path}: images[{index}]"
        try:
            image = path.parent / entry["file_name"]
            annotations = entry.get("annotations", [])
            regions = [_region(item, f"{where}.annotations[{i}]") for i, item in enumerate(annotations)]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            report(
                DataError(
                    f"the entry cannot be read: {error}",
                    where=where,
                    expected='{"file_name": ..., "annotations": [{"bbox": [x1, y1, x2, y2], "text": ...}]}',
                )
            )
            continue
        if not image.is_file():
            report(DataError(f"the image {entry['file_name']} does not exist", where=where))
            continue
        pages.append(Page(image, regions, name=str(entry["file_name"]), source=where))
    return pages


def write(pages: Sequence[Page], path: Path) -> None:
    """Write one JSON file; paths are relative to its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = []
    for page in pages:
        width, height = image_size(page.path)
        entry = {"file_name": reference_to(page.path, path.parent), "width": width, "height": height}
        images.append({**entry, "annotations": [_annotation(region) for region in page.regions]})
    path.write_text(json.dumps({"images": images}, ensure_ascii=False, indent=1), encoding="utf-8")


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
    if region.angle is not None:
        entry["angle"] = region.angle
    return entry


def _region(entry: Any, where: str) -> TextRegion:
    text = entry.get("text")
    ignore = bool(entry.get("ignore", False)) or text in IGNORE_TEXTS
    if "polygon" in entry:
        polygon = as_polygon(entry["polygon"])
        if len(polygon) < 4:
            raise ValueError(f"a polygon needs at least four points, found {len(polygon)} ({where})")
    else:
        x0, y0, x1, y1 = (float(value) for value in entry["bbox"])
        polygon = as_polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    return TextRegion(
        polygon,
        text=None if text is None or text in IGNORE_TEXTS else str(text),
        ignore=ignore,
        score=entry.get("score"),
        angle=entry.get("angle"),
        source=where,
    )
