"""ICDAR quads: one text file a page, a line is ``x1,y1,x2,y2,x3,y3,x4,y4,text`` (or ``x1,y1,x2,y2,text``).

Source: ICDAR 2015 Incidental Scene Text (task 4.1 / 4.3) and ICDAR 2019 SROIE. ``###`` marks a region to ignore.
Layouts: a list file with ``image label`` lines (``train_list.txt``), a folder that holds ``*_list.txt``, a folder with
one image folder and one label folder (``img/`` + ``box/``), or images and label files side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2

from ocrtune.data.formats._text import IGNORE_TEXTS, Report, number, reference_to, text_lines
from ocrtune.errors import DataError
from ocrtune.page import IMAGE_SUFFIXES, Page, TextRegion, as_polygon

NAME = "icdar"
_LABEL_SUFFIXES = (".txt", ".csv")
_PREFIXES = ("gt_", "res_")


def matches(path: Path) -> bool:
    """Whether this is a folder of images with ICDAR label files, or a list file of such pairs."""
    if path.is_dir():
        try:
            pairs = _pairs(path, lambda error: None)
        except DataError:
            return True  # an icdar layout, but an ambiguous one: reading tells which parts there are
        return any(_looks_like_labels(label) for _, label in pairs[:5])
    if path.suffix.lower() != ".txt":
        return False
    errors: list[DataError] = []
    line = next((text for _, text in text_lines(path, errors.append)), "")
    fields = _list_fields(line, path.parent)
    return len(fields) == 2 and Path(fields[1]).suffix.lower() in (".txt", ".csv")


def read(path: Path, report: Report) -> list[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`."""
    pages = []
    for image, label in _pairs(path, report):
        name = reference_to(image, path if path.is_dir() else path.parent)
        pages.append(Page(image, _read_labels(label, report), name=name, source=str(label)))
    return pages


def write(pages: Sequence[Page], path: Path) -> None:
    """Write a folder with ``list.txt`` and ``gts/``; outlines of more than four points become minimal rectangles."""
    folder = path / "gts"
    folder.mkdir(parents=True, exist_ok=True)
    stems: dict[str, int] = {}
    lines = []
    for page in pages:
        stem = page.path.stem
        stems[stem] = stems.get(stem, 0) + 1
        label = folder / f"gt_{stem if stems[stem] == 1 else f'{stem}_{stems[stem]}'}.txt"
        label.write_text("".join(_line(region) for region in page.regions), encoding="utf-8")
        lines.append(f"{reference_to(page.path, path)}\t{reference_to(label, path)}\n")
    (path / "list.txt").write_text("".join(lines), encoding="utf-8")


def _line(region: TextRegion) -> str:
    polygon = region.polygon if len(region.polygon) == 4 else cv2.boxPoints(cv2.minAreaRect(region.polygon))
    text = "###" if region.ignore else " ".join((region.text or "").splitlines())
    return ",".join([number(value) for value in polygon.reshape(-1).tolist()] + [text]) + "\n"


def _read_labels(path: Path, report: Report) -> list[TextRegion]:
    regions = []
    for line_number, line in text_lines(path, report):
        where = f"{path}:{line_number}"
        fields = line.split(",")
        count = 8 if _are_numbers(fields[:8], 8) else 4
        if not _are_numbers(fields[:count], count):
            report(
                DataError(
                    f"the line does not start with coordinates: {line[:60]!r}",
                    where=where,
                    expected="x1,y1,x2,y2,x3,y3,x4,y4,text",
                    hint="correct or delete the line; 'ocrtune data check --fix' leaves such lines out",
                )
            )
            continue
        values = [float(value) for value in fields[:count]]
        text = ",".join(fields[count:]).strip()
        if count == 4:
            x0, y0, x1, y1 = values
            values = [x0, y0, x1, y0, x1, y1, x0, y1]
            text = text.strip('"')
        polygon = as_polygon([values])
        ignore = text in IGNORE_TEXTS
        regions.append(TextRegion(polygon, text=None if ignore else text, ignore=ignore, source=where))
    return regions


def _are_numbers(fields: Sequence[str], count: int) -> bool:
    try:
        return len([float(field) for field in fields]) == count
    except ValueError:
        return False


def _looks_like_labels(path: Path) -> bool:
    errors: list[DataError] = []
    line = next((text for _, text in text_lines(path, errors.append)), None)
    return line is None or _are_numbers(line.split(",")[:4], 4)


def _pairs(path: Path, report: Report) -> list[tuple[Path, Path]]:
    """(image, label file) of each page.

    Raises:
        DataError: a folder holds several image folders or lists, so that it is not clear which one is meant.
    """
    if path.is_file():
        return _listed(path, report)
    lists = sorted(path.glob("*_list.txt")) or sorted(path.glob("list.txt"))
    if len(lists) > 1:
        train = path / "train_list.txt"
        if train in lists:
            return _listed(train, report)
        raise DataError(
            f"the folder holds several lists: {', '.join(item.name for item in lists)}",
            where=path,
            hint=f"name one, for example icdar:{lists[0]}",
        )
    if lists:
        return _listed(lists[0], report)
    images, labels = _folders(path)
    return _paired(images, labels, report)


def _folders(path: Path) -> tuple[Path, Path]:
    """The folder of images and the folder of label files inside (or at) a folder."""
    if _has(path, IMAGE_SUFFIXES):
        return path, path
    folders = sorted(item for item in path.iterdir() if item.is_dir())
    images = [item for item in folders if _has(item, IMAGE_SUFFIXES)]
    labels = [item for item in folders if _has(item, _LABEL_SUFFIXES)]
    if len(images) > 1 or len(labels) > 1:
        raise DataError(
            "the folder holds several folders of images or labels: "
            + ", ".join(item.name for item in dict.fromkeys(images + labels)),
            where=path,
            hint=f"name the part that you mean, for example icdar:{(images or labels)[0]}",
        )
    return (images[0] if images else path), (labels[0] if labels else images[0] if images else path)


def _paired(images: Path, labels: Path, report: Report) -> list[tuple[Path, Path]]:
    by_stem = {item.stem: item for item in sorted(labels.iterdir()) if item.suffix.lower() in _LABEL_SUFFIXES}
    pairs = []
    for image in sorted(item for item in images.iterdir() if item.suffix.lower() in IMAGE_SUFFIXES):
        stems = [image.stem, *(prefix + image.stem for prefix in _PREFIXES)]
        label = next((by_stem.pop(stem) for stem in stems if stem in by_stem), None)
        if label is None:
            report(
                DataError(
                    "the image has no label file",
                    where=image,
                    expected=f"{image.stem}.txt, {image.stem}.csv or gt_{image.stem}.txt in {labels}",
                    hint="label it, or give an empty file if there is no text on it",
                )
            )
        else:
            pairs.append((image, label))
    for label in by_stem.values() if pairs else ():
        report(
            DataError("the label file has no image", where=label, expected=f"an image in {images}", hint="delete it")
        )
    return pairs


def _listed(path: Path, report: Report) -> list[tuple[Path, Path]]:
    pairs = []
    for line_number, line in text_lines(path, report):
        fields = _list_fields(line, path.parent)
        missing = [field for field in fields if not (path.parent / field).is_file()]
        if len(fields) != 2 or missing:
            what = f"the file {missing[0]} does not exist" if len(fields) == 2 else f"two paths needed: {line[:80]!r}"
            report(DataError(what, where=f"{path}:{line_number}", expected="image path, label path"))
            continue
        pairs.append((path.parent / fields[0], path.parent / fields[1]))
    return pairs


def _list_fields(line: str, base: Path) -> list[str]:
    """Image and label path of a list line, split at a tab, else at the blank or comma that gives an image name."""
    for separator in ("\t", " ", ","):
        parts = [part.strip() for part in line.split(separator)]
        if separator == "\t" and len(parts) == 2:
            return parts
        for cut in range(1, len(parts)):
            first, second = separator.join(parts[:cut]), separator.join(parts[cut:])
            if Path(first).suffix.lower() in IMAGE_SUFFIXES and Path(second).suffix.lower() in _LABEL_SUFFIXES:
                return [first, second]
    return [line]


def _has(path: Path, suffixes: Sequence[str] | frozenset[str]) -> bool:
    return any(item.suffix.lower() in suffixes and not item.name.endswith("list.txt") for item in path.iterdir())
