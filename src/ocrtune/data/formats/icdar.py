"""ICDAR quads: one text file a page, a line is ``x1,y1,x2,y2,x3,y3,x4,y4,text`` (or ``x1,y1,x2,y2,text``).

Source: ICDAR 2015 Incidental Scene Text (task 4.1 / 4.3) and ICDAR 2019 SROIE. ``###`` marks a region to ignore.
Layouts: a list file with ``image label`` lines (``train_list.txt``), a folder that holds ``*_list.txt``, a folder with
one image folder and one label folder (``img/`` + ``box/``), or images and label files side by side.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ocrtune.data.formats._images import FreeStems, find_image
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._shapes import box, four_corners, outline_of
from ocrtune.data.formats._text import Report, brief, labelled, number, reference_to, text_lines
from ocrtune.errors import DataError
from ocrtune.files import whole_folder
from ocrtune.page import IMAGE_SUFFIXES, Page, TextRegion

NAME = "icdar"
LIST, LABELS = "list.txt", "gts"
"""What a written folder holds: the list of images and labels, and the folder of these."""
CANNOT = frozenset({Loss.CURVE, Loss.IGNORED_TEXT, Loss.UNKNOWN_TEXT, Loss.LINE_BREAKS, Loss.OUTER_BLANKS})
_LABEL_SUFFIXES = (".txt", ".csv")
_PREFIXES = ("gt_", "res_")


def matches(path: Path) -> bool:
    """Whether this is a folder of images with ICDAR label files, or a list file of such pairs."""
    if path.is_dir():
        try:
            pairs = list(itertools.islice(_pairs(path, lambda error: None), 5))
        except DataError:
            return True  # an icdar layout, but an ambiguous one: reading tells which parts there are
        return any(_looks_like_labels(label) for _, label in pairs)
    if path.suffix.lower() != ".txt":
        return False
    errors: list[DataError] = []
    line = next((text for _, text in text_lines(path, errors.append)), "")
    fields = _list_fields(line, path.parent)
    return len(fields) == 2 and Path(fields[1]).suffix.lower() in (".txt", ".csv")


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`."""
    for image, label in _pairs(path, report):
        name = reference_to(image, path if path.is_dir() else path.parent)
        yield Page(image, _read_labels(label, report), name=name, source=str(label))


def write(pages: Iterable[Page], path: Path) -> None:
    """Write a folder with `LIST` and `LABELS`; outlines of more than four points become minimal rectangles."""
    with whole_folder(path) as partial:
        folder = partial / LABELS
        folder.mkdir()
        with (partial / LIST).open("w", encoding="utf-8", newline="") as names:
            stems = FreeStems(folder, ".txt")
            for page in pages:
                label = folder / f"{stems.take(f'gt_{page.path.stem}')}.txt"
                label.write_bytes("".join(_line(region) for region in page.regions).encode())
                names.write(f"{reference_to(page.path, path)}\t{LABELS}/{label.name}\n")


def _line(region: TextRegion) -> str:
    polygon = four_corners(region.polygon)
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
            regions.append(labelled(box(*values), text.strip('"'), where))
        else:
            regions.append(labelled(outline_of(values), text, where))
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


def _pairs(path: Path, report: Report) -> Iterator[tuple[Path, Path]]:
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


def _paired(images: Path, labels: Path, report: Report) -> Iterator[tuple[Path, Path]]:
    found = False
    for name in sorted(os.listdir(images)):
        stem, suffix = os.path.splitext(name)
        if suffix.lower() not in IMAGE_SUFFIXES:
            continue
        names = [prefix + stem + end for prefix in ("", *_PREFIXES) for end in _LABEL_SUFFIXES]
        label = next((labels / each for each in names if os.path.isfile(labels / each)), None)
        if label is None:
            report(
                DataError(
                    "the image has no label file",
                    where=images / name,
                    expected=f"{stem}.txt, {stem}.csv or gt_{stem}.txt in {labels}",
                    hint="label it, or give an empty file if there is no text on it",
                )
            )
            continue
        found = True
        yield images / name, label
    if found:
        _report_left_over(images, labels, report)


def _report_left_over(images: Path, labels: Path, report: Report) -> None:
    """Tell which label files have no image."""
    known = {
        os.path.splitext(name)[0] for name in os.listdir(images) if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES
    }
    for name in sorted(os.listdir(labels)):
        stem, suffix = os.path.splitext(name)
        if suffix.lower() in _LABEL_SUFFIXES and known.isdisjoint([stem, *(stem.removeprefix(p) for p in _PREFIXES)]):
            what, expected = "the label file has no image", f"an image in {images}"
            report(DataError(what, where=labels / name, expected=expected, hint="delete it"))


def _listed(path: Path, report: Report) -> Iterator[tuple[Path, Path]]:
    for line_number, line in text_lines(path, report):
        fields = _list_fields(line, path.parent)
        found = [find_image(field, path.parent) for field in fields]
        if len(found) != 2 or found[0] is None or found[1] is None:
            missing = next((field for field, file in zip(fields, found, strict=True) if file is None), "")
            what = (
                f"the file {brief(missing)} does not exist" if len(fields) == 2 else f"two paths needed: {line[:80]!r}"
            )
            report(DataError(what, where=f"{path}:{line_number}", expected="image path, label path"))
            continue
        yield found[0], found[1]


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
