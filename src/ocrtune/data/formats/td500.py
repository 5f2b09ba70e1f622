"""MSRA-TD500: one ``.gt`` file beside each image, a line is ``index difficult x y w h theta``.

Source: MSRA-TD500 (Yao et al. 2012). The box x, y, w, h (top left, size) is turned around its centre by theta radians,
clockwise on screen. ``difficult`` 1 marks what does not count. There are no texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ocrtune.data.formats._folder import first_label, read_each, write_each
from ocrtune.data.formats._images import Images
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._shapes import RotatedBox, nearest_rotated_box
from ocrtune.data.formats._text import Report, brief, number, text_lines
from ocrtune.data.records import MALFORMED
from ocrtune.errors import DataError
from ocrtune.page import Page, TextRegion

NAME = "td500"
CANNOT = frozenset({Loss.CURVE, Loss.QUAD, Loss.TEXT})


def matches(path: Path) -> bool:
    """Whether a folder holds ``.gt`` files, or the file is one."""
    return first_label(path, ".gt", _fits)


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`."""
    return read_each(path, ".gt", _fits, report, _page)


def write(pages: Iterable[Page], path: Path) -> None:
    """Write a folder of ``.gt`` files with the images beside them, linked where possible."""
    write_each(pages, path, ".gt", _document, images="")


def _fits(file: Path) -> bool:
    return True  # no other format has files of this suffix


def _page(file: Path, images: Images, report: Report) -> Page | None:
    regions = []
    for line_number, line in text_lines(file, report):
        where = f"{file}:{line_number}"
        try:
            _, difficult, x, y, width, height, theta = (float(field) for field in line.split())
            outline = RotatedBox(x + width / 2, y + height / 2, width, height, theta).corners()
        except MALFORMED as error:
            expected = "index difficult x y width height theta"
            report(DataError(f"the line cannot be read: {brief(error)}", where=where, expected=expected))
            continue
        regions.append(TextRegion(outline, None, ignore=difficult == 1, source=where))
    image = images.with_stem(file.stem)
    if image is None:
        report(DataError("the label file has no image", where=file, expected=f"{file.stem}.jpg or alike beside it"))
        return None
    return Page(image, regions, name=image.name, source=str(file))


def _document(page: Page, reference: str) -> str:
    lines = []
    for index, region in enumerate(page.regions):
        turned = nearest_rotated_box(region.polygon)
        left, top = turned.x - turned.width / 2, turned.y - turned.height / 2
        numbers = " ".join(number(value) for value in (left, top, turned.width, turned.height))
        lines.append(f"{index} {int(region.ignore)} {numbers} {turned.angle:.7f}\n")
    return "".join(lines)
