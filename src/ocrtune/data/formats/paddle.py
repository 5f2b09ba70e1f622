"""PaddleOCR detection labels: ``image<TAB>[{"transcription": ..., "points": [[x, y], ...]}, ...]``, one page a line.

Source: PaddleOCR's data set documentation; PPOCRLabel's ``Label.txt`` is the same with ``difficult`` added.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ocrtune.data.formats._text import IGNORE_TEXTS, Report, reference_to, text_lines
from ocrtune.errors import DataError
from ocrtune.page import IMAGE_SUFFIXES, Page, TextRegion, as_polygon

NAME = "paddle"


def matches(path: Path) -> bool:
    """Whether a file (or a folder's ``Label.txt``) holds lines of an image path, a tab and a JSON list."""
    try:
        file = _label_file(path)
    except DataError:
        return False
    errors: list[DataError] = []
    line = next((text for _, text in text_lines(file, errors.append)), "") if file.suffix == ".txt" else ""
    image, tab, labels = line.partition("\t")
    return bool(tab) and Path(image).suffix.lower() in IMAGE_SUFFIXES and labels.lstrip().startswith("[")


def read(path: Path, report: Report) -> list[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`."""
    file = _label_file(path)
    pages = []
    for line_number, line in text_lines(file, report):
        where = f"{file}:{line_number}"
        name, tab, labels = line.partition("\t")
        try:
            if not tab:
                raise ValueError("there is no tab between image path and labels")
            entries = json.loads(labels)
            if not isinstance(entries, list):
                raise ValueError("the labels are no JSON list")
            regions = [_region(entry, where) for entry in entries]
        except (ValueError, TypeError, KeyError) as error:
            report(
                DataError(
                    f"the line cannot be read: {error}",
                    where=where,
                    expected='image<TAB>[{"transcription": "text", "points": [[x1, y1], [x2, y2], [x3, y3], [x4, y4]]}]',
                    hint="correct or delete the line; 'ocrtune data check --fix' leaves such lines out",
                )
            )
            continue
        image = _find_image(name, file.parent)
        if image is None:
            report(DataError(f"the image {name} does not exist", where=where, expected=f"a path below {file.parent}"))
            continue
        pages.append(Page(image, regions, name=name, source=where))
    return pages


def write(pages: Sequence[Page], path: Path) -> None:
    """Write one label file; paths are relative to its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for page in pages:
        entries = [
            {"transcription": "###" if r.ignore else r.text or "", "points": _points(r), "difficult": r.ignore}
            for r in page.regions
        ]
        lines.append(f"{reference_to(page.path, path.parent)}\t{json.dumps(entries, ensure_ascii=False)}\n")
    path.write_text("".join(lines), encoding="utf-8")


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


def _find_image(name: str, base: Path) -> Path | None:
    # PPOCRLabel writes the image folder's own name in front, so the path may start one level higher.
    candidates = (base / name, base.parent / name, base / Path(name).name)
    return next((candidate for candidate in candidates if candidate.is_file()), None)
