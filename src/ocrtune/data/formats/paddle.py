"""PaddleOCR's label files, one image a line.

Detection: ``image<TAB>[{"transcription": ..., "points": [[x, y], ...]}, ...]``; PPOCRLabel's ``Label.txt`` is the same
with ``difficult`` added. Recognition: ``image<TAB>text``, the image being one line; ``["a.jpg", "b.jpg"]<TAB>text`` gives
several images the same text (each becomes a page); a width and a height may follow. Direction: ``image<TAB>0`` or ``180``
on every line of the file. Source: PaddleOCR's data set documentation.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ocrtune.data.formats._text import IGNORE_TEXTS, Report, is_line, reference_to, text_lines
from ocrtune.errors import DataError, ImageError
from ocrtune.files import write_whole
from ocrtune.page import IMAGE_SUFFIXES, Page, TextRegion, as_polygon, image_size, whole_image

NAME = "paddle"


DIRECTIONS = ("0", "180")
FOLDERS_ABOVE = 3
"""How many folders above a label file its image paths may start."""


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
    except ValueError:
        return False


def read(path: Path, report: Report) -> list[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`."""
    file = _label_file(path)
    lines = list(text_lines(file, report))
    directions = _only_directions(lines)
    detection = any(_detection_entries(line.partition("\t")[2]) for _, line in lines)
    pages: list[Page] = []
    for line_number, line in lines:
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
        except (ValueError, TypeError, KeyError) as error:
            report(
                DataError(
                    f"the line cannot be read: {error}",
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
                report(
                    DataError(
                        f"the image {image_name} does not exist", where=where, expected=f"a path below {file.parent}"
                    )
                )
                continue
            try:
                found = regions if regions is not None else [_line(image, labels, directions, where)]
            except ImageError as error:
                report(DataError(error.what, where=f"{where}: {image}", hint="copy the file again from its source"))
                continue
            pages.append(Page(image, found, name=image_name, source=where))
    return pages


def write(pages: Sequence[Page], path: Path) -> None:
    """Write one label file, of recognition where every page is one line; paths are relative to its folder."""
    lines = []
    as_lines = bool(pages) and all(is_line(page) for page in pages)
    for page in pages:
        reference = reference_to(page.path, path.parent)
        if as_lines:
            region = page.regions[0]
            directed = region.angle is not None and region.text is None
            text = (
                f"{region.angle:g}"
                if directed
                else "###"
                if region.ignore
                else " ".join((region.text or "").splitlines())
            )
            lines.append(f"{reference}\t{text}\n")
            continue
        entries = [
            {"transcription": "###" if r.ignore else r.text or "", "points": _points(r), "difficult": r.ignore}
            for r in page.regions
        ]
        lines.append(f"{reference}\t{json.dumps(entries, ensure_ascii=False)}\n")
    write_whole(path, "".join(lines))


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
    except ValueError:
        return None
    return entries if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries) else None


def _only_directions(lines: Sequence[tuple[int, str]]) -> bool:
    texts = {line.partition("\t")[2] for _, line in lines}
    return bool(texts) and texts <= set(DIRECTIONS) and "180" in texts


def _line(image: Path, labels: str, directions: bool, where: str) -> TextRegion:
    """The one region of a line's image; for a direction of 180 the outline starts at the far corner."""
    outline = whole_image(*image_size(image))
    if directions:
        turn = 2 if labels == "180" else 0
        return TextRegion(np.roll(outline, -turn, axis=0), angle=float(labels), source=where)
    text, *size = labels.split("\t")
    if size and not (len(size) == 2 and all(part.isdigit() for part in size)):
        text = labels  # a tab inside the text, not a width and a height behind it
    ignore = text in IGNORE_TEXTS
    return TextRegion(outline, None if ignore else text, ignore, source=where)


def _points(region: TextRegion) -> list[list[float]]:
    return [[int(v) if float(v).is_integer() else round(v, 2) for v in point] for point in region.polygon.tolist()]


def _region(entry: Any, where: str) -> TextRegion:
    if not isinstance(entry, dict) or "points" not in entry or "transcription" not in entry:
        raise ValueError('each label needs "transcription" and "points"')
    points = entry["points"]
    if len(points) < 4 or any(len(point) != 2 for point in points):
        raise ValueError(f"points must be at least four [x, y] pairs, found {str(points)[:60]}")
    text = str(entry["transcription"])
    ignore = text in IGNORE_TEXTS
    polygon = as_polygon(points)
    return TextRegion(polygon, text=None if ignore else text, ignore=ignore, source=where)


def _label_file(path: Path) -> Path:
    if path.is_file():
        return path
    file = path / "Label.txt"
    if not file.is_file():
        raise DataError("the folder holds no Label.txt", where=path, hint="name the label file itself")
    return file


def find_image(name: str, base: Path) -> Path | None:
    """The image that a label file in ``base`` names; None where it is not there."""
    # PPOCRLabel writes the image folder's own name in front, and PaddleOCR's data_dir is often some levels higher
    candidates = (base / name, *(folder / name for folder in [*base.parents][:FOLDERS_ABOVE]), base / Path(name).name)
    return next((candidate for candidate in candidates if candidate.is_file()), None)
