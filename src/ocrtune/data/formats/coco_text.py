"""COCO-Text and TextOCR: one JSON file with ``imgs`` and ``anns``, each by id.

Source: COCO-Text 2.0 (Veit et al. 2016; ``mask`` is the outline x1, y1, x2, y2, ..., ``bbox`` is x, y, width, height;
version 1.4 has ``polygon`` instead of the mask) and TextOCR (Singh et al. 2021; ``points``, and the text "." for what
cannot be read). ``"legibility": "illegible"`` marks what does not count.

Labels and images are joined in a temporary SQLite database on disk, so that a file of any size can be read.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ocrtune.data.formats._folder import no_image
from ocrtune.data.formats._images import Images
from ocrtune.data.formats._json import json_entries, json_keys
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._shapes import box, box_of, outline_of
from ocrtune.data.formats._text import Report, brief, labelled, reference_to
from ocrtune.data.records import MALFORMED
from ocrtune.data.scratch import Scratch
from ocrtune.errors import DataError
from ocrtune.files import whole_file
from ocrtune.page import Page, TextRegion, image_size, signed_area

NAME = "coco-text"
CANNOT: frozenset[Loss] = frozenset()
_SECTIONS = frozenset({"imgs", "anns"})


def matches(path: Path) -> bool:
    """Whether a JSON file is an object with "imgs" or "anns"."""
    kind, keys = json_keys(path)
    return kind is dict and not keys.isdisjoint(_SECTIONS)


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`.

    Raises:
        DataError: the file as a whole is no JSON, or holds no "imgs".
    """
    images = Images(path.parent)
    entries = Scratch("CREATE TABLE imgs (id TEXT, body TEXT)", "CREATE TABLE anns (id TEXT, image TEXT, body TEXT)")
    _fill(entries, path, report)
    entries.change("CREATE INDEX by_image ON anns (image)")
    for image_id, body in entries.rows("SELECT id, body FROM imgs ORDER BY rowid"):
        where = f"{path}: imgs[{brief(image_id)}]"
        name = json.loads(body)
        image = images.named(name)
        if image is None:
            report(no_image(name, where, path.parent))
            continue
        regions = []
        rows = entries.rows("SELECT id, body FROM anns WHERE image = ? ORDER BY rowid", image_id)
        for label_id, label in rows:
            try:
                regions.append(_region(json.loads(label), f"{path}: anns[{brief(label_id)}]"))
            except MALFORMED as error:
                expected = '{"mask": [x1, y1, ...], "utf8_string": ...}'
                what = f"the label cannot be read: {brief(error)}"
                report(DataError(what, where=f"{path}: anns[{brief(label_id)}]", expected=expected))
        yield Page(image, regions, name=name, source=where)


def write(pages: Iterable[Page], path: Path) -> None:
    """Write one JSON file; the parts about images are kept in temporary files until the labels are written."""
    with whole_file(path) as file, tempfile.TemporaryFile("w+") as imgs, tempfile.TemporaryFile("w+") as links:
        file.write('{"cats": {},\n"anns": {')
        label_id = 0
        for image_id, page in enumerate(pages, start=1):
            ids = []
            for region in page.regions:
                label_id += 1
                ids.append(label_id)
                label = json.dumps(_annotation(region, label_id, image_id), ensure_ascii=False)
                file.write(f'{"," if label_id > 1 else ""}\n"{label_id}": {label}')
            width, height = image_size(page.path)
            name = reference_to(page.path, path.parent)
            entry = {"id": image_id, "set": "train", "width": width, "height": height, "file_name": name}
            comma = "," if image_id > 1 else ""
            imgs.write(f'{comma}\n"{image_id}": {json.dumps(entry)}')
            links.write(f'{comma}\n"{image_id}": {ids}')
        for head, part in (('},\n"imgs": {', imgs), ('},\n"imgToAnns": {', links)):
            file.write(head)
            part.seek(0)
            shutil.copyfileobj(part, file)
        file.write("}}\n")


def _fill(entries: Scratch, path: Path, report: Report) -> None:
    found = False
    for section, key, value in json_entries(path):
        if section not in _SECTIONS:
            found = found or (section == "" and key in _SECTIONS)
            continue
        where = f"{path}: {section}[{brief(key)}]"
        try:
            if section == "imgs":
                row = (_stored(value.get("id", key)), json.dumps(str(value.get("file_name") or value["filename"])))
                entries.add("imgs", [row])
            else:
                label = (_stored(key), _stored(value["image_id"]), json.dumps(value))
                entries.add("anns", [label])
        except MALFORMED as error:
            report(DataError(f"the entry cannot be read: {brief(error)}", where=where))
    if not found:
        raise DataError('the file has no "imgs"', where=path, expected='{"imgs": {...}, "anns": {...}}')


def _stored(key: object) -> str:
    return json.dumps(str(key))


def _region(entry: Any, where: str) -> TextRegion:
    text = entry.get("utf8_string")
    ignore = entry.get("legibility") == "illegible"
    values = entry.get("mask") or entry.get("points") or entry.get("polygon")
    if isinstance(values, list) and len(values) == 1 and isinstance(values[0], list):
        values = values[0]  # as COCO's segmentations
    if isinstance(values, list) and len(values) >= 8:
        polygon = outline_of(values)
    else:
        x, y, width, height = (float(value) for value in entry["bbox"])
        polygon = box(x, y, x + width, y + height)
    if text == "." and "points" in entry:
        text, ignore = None, True
    return labelled(polygon, None if text is None else str(text), where, ignore)


def _annotation(region: TextRegion, label_id: int, image_id: int) -> dict[str, Any]:
    x0, y0, x1, y1 = box_of(region.polygon)
    entry: dict[str, Any] = {
        "mask": [round(value, 2) for value in region.polygon.reshape(-1).tolist()],
        "class": "others",
        "bbox": [round(value, 2) for value in (x0, y0, x1 - x0, y1 - y0)],
        "image_id": image_id,
        "id": label_id,
        "language": "na",
        "area": round(abs(signed_area(region.polygon)), 2),
        "legibility": "illegible" if region.ignore else "legible",
    }
    if region.text is not None:
        entry["utf8_string"] = region.text
    return entry
