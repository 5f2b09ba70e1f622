"""FUNSD forms: ``annotations/NAME.json`` and ``images/NAME.png``; each word is a region.

Source: FUNSD (Jaume et al. 2019): ``{"form": [{"box": [x0, y0, x1, y1], "text", "label", "words": [{"box", "text"}],
"linking", "id"}]}``. An entry without words is a region itself. The format has no mark for what does not count; the
text ``###`` says it here, as in other formats.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ocrtune.data.formats._folder import first_label, read_each, write_each
from ocrtune.data.formats._images import Images
from ocrtune.data.formats._json import json_keys, read_json
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._shapes import box, box_of
from ocrtune.data.formats._text import Report, brief, labelled
from ocrtune.data.records import MALFORMED
from ocrtune.errors import DataError
from ocrtune.page import Page, TextRegion

NAME = "funsd"
CANNOT = frozenset({Loss.CURVE, Loss.QUAD, Loss.ROTATION, Loss.IGNORED_TEXT, Loss.UNKNOWN_TEXT})


def matches(path: Path) -> bool:
    """Whether a folder's JSON files (or the file itself) are objects with a "form"."""
    return first_label(path, ".json", _fits)


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`."""
    return read_each(path, ".json", _fits, report, _page)


def write(pages: Iterable[Page], path: Path) -> None:
    """Write a folder with ``annotations/`` and ``images/``, the images linked where possible."""
    write_each(pages, path, ".json", _document, folder="annotations", images="images")


def _fits(file: Path) -> bool:
    return "form" in json_keys(file)[1]


def _page(file: Path, images: Images, report: Report) -> Page | None:
    document = read_json(file)
    form = document.get("form") if isinstance(document, dict) else None
    if not isinstance(form, list):
        raise DataError('the file has no list "form"', where=file, expected='{"form": [{"words": [...]}]}')
    regions: list[TextRegion] = []
    for index, entry in enumerate(form):
        where = f"{file}: form[{index}]"
        try:
            words = entry.get("words") or [entry]
            regions += [
                _region(word, f"{where}.words[{i}]" if entry.get("words") else where) for i, word in enumerate(words)
            ]
        except MALFORMED as error:
            expected = '{"words": [{"box": [x0, y0, x1, y1], "text": ...}]}'
            report(DataError(f"the entry cannot be read: {brief(error)}", where=where, expected=expected))
    image = images.with_stem(file.stem)
    if image is None:
        report(DataError("the label file has no image", where=file, expected=f"an image called {file.stem} near it"))
        return None
    return Page(image, regions, name=image.name, source=str(file))


def _region(word: Any, where: str) -> TextRegion:
    x0, y0, x1, y1 = word["box"]
    return labelled(box(x0, y0, x1, y1), str(word.get("text", "")), where)


def _document(page: Page, reference: str) -> str:
    form = []
    for index, region in enumerate(page.regions):
        word = {"box": [round(value, 2) for value in box_of(region.polygon)], "text": _text(region)}
        form.append({**word, "label": "other", "words": [word], "linking": [], "id": index})
    return json.dumps({"form": form}, ensure_ascii=False, indent=1)


def _text(region: TextRegion) -> str:
    return "###" if region.ignore else region.text or ""
