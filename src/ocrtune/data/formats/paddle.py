"""PaddleOCR's label files, one image a line.

Detection: ``image<TAB>[{"transcription": ..., "points": [[x, y], ...]}, ...]``; PPOCRLabel's ``Label.txt`` is the same
with ``difficult`` added, which marks what does not count, with or without its text (PaddleOCR's own training knows only
the text ``###``). Recognition: ``image<TAB>text``, the image being one line; ``["a.jpg", "b.jpg"]<TAB>text`` gives
several images the same text (each becomes a page); a width and a height may follow. Direction: ``image<TAB>0`` or ``180``
on every line of the file. Source: PaddleOCR's data set documentation.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ocrtune.data.formats._folder import no_image
from ocrtune.data.formats._images import find_image
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._shapes import outline
from ocrtune.data.formats._text import Report, brief, is_line, labelled, marked, reference_to, text_lines
from ocrtune.data.records import MALFORMED
from ocrtune.errors import DataError, ImageError
from ocrtune.files import whole_file
from ocrtune.page import IMAGE_SUFFIXES, Page, TextRegion, image_size, whole_image

NAME = "paddle"
CANNOT = frozenset({Loss.UNKNOWN_TEXT})
DIRECTIONS = frozenset({"0", "180"})


def matches(path: Path) -> bool:
    """Whether a file (or a folder's ``Label.txt``) holds lines of an image path, a tab and labels."""
    try:
        file = _label_file(path)
    except DataError:
        return False
    errors: list[DataError] = []
    line = next((text for _, text in text_lines(file, errors.append)), "") if file.suffix == ".txt" else ""
    image, tab, _ = line.partition("\t")
    try:
        return bool(tab) and Path(_image_names(image)[0]).suffix.lower() in IMAGE_SUFFIXES
    except (ValueError, RecursionError):
        return False


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`.

    The file is read twice: what its lines hold, texts or regions or directions, shows only when all were seen.
    """
    file = _label_file(path)
    directions, detection = _only_directions(file), _holds_regions(file)
    for line_number, line in text_lines(file, report):
        where = f"{file}:{line_number}"
        name, tab, labels = line.partition("\t")
        try:
            if not tab:
                raise ValueError("there is no tab between image path and labels")
            names = _image_names(name)
            entries = _detection_entries(labels)
            if entries is None and detection:
                raise ValueError("the labels are no JSON list of texts and points, as on other lines of the file")
            regions = None if entries is None else [_region(entry, where) for entry in entries]
        except MALFORMED as error:
            report(
                DataError(
                    f"the line cannot be read: {brief(error)}",
                    where=where,
                    expected='image<TAB>[{"transcription": "text", "points": [[x1, y1], [x2, y2], [x3, y3], [x4, y4]]}], '
                    "or image<TAB>text",
                    hint="correct or delete the line; 'ocrtune data check --fix' leaves such lines out",
                )
            )
            continue
        for image_name in names:
            image = find_image(image_name, file.parent)
            if image is None:
                report(no_image(image_name, where, file.parent))
                continue
            try:
                found = regions if regions is not None else [_line(image, labels, directions, where)]
            except ImageError as error:
                report(DataError(error.what, where=f"{where}: {image}", hint="copy the file again from its source"))
                continue
            yield Page(image, found, name=image_name, source=where)


def write(pages: Iterable[Page], path: Path) -> None:
    """Write one label file, of recognition where every page is one line; paths are relative to its folder.

    Whether every page is one line shows at the end, so lines of both kinds are written until one is none. Lines of
    recognition have no place for line breaks, which become blanks, nor for the texts of what is ignored.
    """
    with whole_file(path) as file, tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as lines:
        as_lines = True
        for page in pages:
            reference = reference_to(page.path, path.parent)
            file.write(detection_line(reference, page))
            as_lines = as_lines and is_line(page)
            if as_lines:
                lines.write(f"{reference}\t{_line_label(page.regions[0])}\n")
        if as_lines:
            file.seek(0)
            file.truncate()
            lines.seek(0)
            shutil.copyfileobj(lines, file)


def detection_line(reference: str, page: Page) -> str:
    """The line of a page in a label file of detection, with its end.

    Args:
        reference: what the line calls the image.
        page: its regions.
    """
    entries = [_entry(region) for region in page.regions]
    return f"{reference}\t{json.dumps(entries, ensure_ascii=False)}\n"


def _entry(region: TextRegion) -> dict[str, Any]:
    return {"transcription": marked(region), "points": _points(region), "difficult": region.ignore}


def _line_label(region: TextRegion) -> str:
    if region.angle is not None and region.text is None:
        return f"{region.angle:g}"
    return "###" if region.ignore else " ".join((region.text or "").splitlines())


def _image_names(text: str) -> list[str]:
    if not text.startswith("["):
        return [text]
    names = json.loads(text)
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError("the image paths are no JSON list of texts")
    return names


def _detection_entries(labels: str) -> list[Any] | None:
    """The regions of a detection line; None for a line of recognition, whose text may look like anything."""
    if not labels.lstrip().startswith("["):
        return None
    try:
        entries = json.loads(labels)
    except (ValueError, RecursionError):
        return None
    return entries if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries) else None


def _only_directions(file: Path) -> bool:
    found = set()
    for _, line in text_lines(file, lambda error: None):
        found.add(line.partition("\t")[2])
        if not found <= DIRECTIONS:
            return False
    return "180" in found


def _holds_regions(file: Path) -> bool:
    return any(_detection_entries(line.partition("\t")[2]) for _, line in text_lines(file, lambda error: None))


def _line(image: Path, labels: str, directions: bool, where: str) -> TextRegion:
    """The one region of a line's image; for a direction of 180 the outline starts at the far corner."""
    whole = whole_image(*image_size(image))
    if directions:
        turn = 2 if labels == "180" else 0
        return TextRegion(np.roll(whole, -turn, axis=0), angle=float(labels), source=where)
    text, *size = labels.split("\t")
    if size and not (len(size) == 2 and all(part.isdigit() for part in size)):
        text = labels  # a tab inside the text, not a width and a height behind it
    return labelled(whole, text, where)


def _points(region: TextRegion) -> list[list[float]]:
    return [[int(v) if float(v).is_integer() else round(v, 2) for v in point] for point in region.polygon.tolist()]


def _region(entry: Any, where: str) -> TextRegion:
    if not isinstance(entry, dict) or "points" not in entry or "transcription" not in entry:
        raise ValueError('each label needs "transcription" and "points"')
    ignore = bool(entry.get("difficult", False))
    return labelled(outline(entry["points"]), str(entry["transcription"]), where, ignore)


def _label_file(path: Path) -> Path:
    if path.is_file():
        return path
    file = path / "Label.txt"
    if not file.is_file():
        raise DataError("the folder holds no Label.txt", where=path, hint="name the label file itself")
    return file
