"""labelme: one JSON file a page with ``shapes``; the text is a shape's label.

Source: labelme's annotation files, versions 4 to 6: shape types polygon, rectangle (two corners) and
oriented_rectangle. Where a shape has a description, that is the text and the label is only its class. The shape's flag
``ignore`` (or ``difficult``) marks what does not count, with or without its text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ocrtune.data.formats._folder import first_label, named_page, read_each, write_each
from ocrtune.data.formats._images import Images
from ocrtune.data.formats._json import json_keys, read_json
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._shapes import box, outline
from ocrtune.data.formats._text import Report, brief, labelled, marked
from ocrtune.data.records import MALFORMED
from ocrtune.errors import DataError
from ocrtune.page import Page, TextRegion, image_size

NAME = "labelme"
CANNOT = frozenset({Loss.UNKNOWN_TEXT})
_OUTLINES = frozenset({"polygon", "oriented_rectangle"})


def matches(path: Path) -> bool:
    """Whether a folder's JSON files (or the file itself) are objects with "shapes"."""
    return first_label(path, ".json", _fits)


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`."""
    return read_each(path, ".json", _fits, report, _page)


def write(pages: Iterable[Page], path: Path) -> None:
    """Write a folder of JSON files, which name their images by relative paths."""
    write_each(pages, path, ".json", _document)


def _fits(file: Path) -> bool:
    return "shapes" in json_keys(file)[1]


def _page(file: Path, images: Images, report: Report) -> Page | None:
    document = read_json(file)
    shapes = document.get("shapes") if isinstance(document, dict) else None
    if not isinstance(shapes, list):
        raise DataError('the file has no list "shapes"', where=file, expected='{"shapes": [...], "imagePath": ...}')
    regions = []
    for index, shape in enumerate(shapes):
        where = f"{file}: shapes[{index}]"
        try:
            regions.append(_region(shape, where))
        except MALFORMED as error:
            expected = "a polygon or a rectangle with points and a label"
            report(DataError(f"the shape cannot be read: {brief(error)}", where=where, expected=expected))
    return named_page(str(document.get("imagePath") or ""), regions, file, images, report)


def _region(shape: Any, where: str) -> TextRegion:
    points, kind = shape["points"], shape.get("shape_type", "polygon")
    if kind == "rectangle":
        (x0, y0), (x1, y1) = points
        polygon = box(x0, y0, x1, y1)
    elif kind in _OUTLINES:
        polygon = outline(points)
    else:
        raise ValueError(f"a {brief(kind)} is no outline of a text")
    flags = shape.get("flags") or {}
    return labelled(
        polygon,
        str(shape.get("description") or shape.get("label") or ""),
        where,
        ignore=bool(flags.get("ignore") or flags.get("difficult")),
    )


def _document(page: Page, reference: str) -> str:
    width, height = image_size(page.path)
    document: dict[str, Any] = {
        "version": "5.0.0",
        "flags": {},
        "shapes": [_shape(region) for region in page.regions],
        "imagePath": reference,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
    return json.dumps(document, ensure_ascii=False, indent=1)


def _shape(region: TextRegion) -> dict[str, Any]:
    return {
        "label": marked(region),
        "points": [[round(x, 2), round(y, 2)] for x, y in region.polygon.tolist()],
        "group_id": None,
        "shape_type": "polygon",
        "flags": {"ignore": True} if region.ignore else {},
    }
