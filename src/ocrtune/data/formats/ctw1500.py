"""SCUT-CTW1500: one file a page with outlines of any number of points (14 in the original).

Source: SCUT-CTW1500 (Liu et al. 2017): XML with ``box``, ``label`` and ``segs`` (x1,y1,x2,y2,...) as its second edition
has it, written here; text files with ``x1,y1,...,xN,yN,####text`` as its test part has them; and those of the first
edition with 32 numbers: a box and 14 points relative to its corner, without a text. ``###`` marks what does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ocrtune.data.formats._folder import first_label, named_page, read_each, write_each
from ocrtune.data.formats._images import Images
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._shapes import box_of, outline_of
from ocrtune.data.formats._text import Report, brief, labelled, number, text_lines
from ocrtune.data.formats._xml import as_attribute, as_text, line_of, read_xml, text_of, xml_root_name
from ocrtune.data.records import MALFORMED
from ocrtune.errors import DataError
from ocrtune.page import Page, TextRegion

NAME = "ctw1500"
CANNOT = frozenset({Loss.IGNORED_TEXT, Loss.CONTROL})
_FIRST_EDITION = 32


def matches(path: Path) -> bool:
    """Whether a folder's files (or the file itself) are XML with the root ``Annotations``, or such text files."""
    return first_label(path, ".xml", _fits_xml) or first_label(path, ".txt", _fits_text)


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`."""
    if path.suffix.lower() == ".xml" or first_label(path, ".xml", _fits_xml):
        return read_each(path, ".xml", _fits_xml, report, _xml_page)
    return read_each(path, ".txt", _fits_text, report, _text_page)


def write(pages: Iterable[Page], path: Path) -> None:
    """Write a folder of XML files, which name their images by relative paths."""
    write_each(pages, path, ".xml", _document)


def _fits_xml(file: Path) -> bool:
    return xml_root_name(file) == "Annotations"


def _fits_text(file: Path) -> bool:
    errors: list[DataError] = []
    line = next((text for _, text in text_lines(file, errors.append)), "")
    numbers, marker, _ = line.partition(",####")
    return bool(marker) and len(numbers.split(",")) >= 8


def _xml_page(file: Path, images: Images, report: Report) -> Page | None:
    root = read_xml(file)
    image = root.find("image")
    if image is None or not image.get("file"):
        raise DataError("the file names no image", where=file, expected='<Annotations><image file="...">')
    regions = []
    for item in image.findall("box"):
        where = f"{file}:{line_of(item)}"
        try:
            polygon = outline_of(float(value) for value in (text_of(item, "segs") or "").split(","))
        except MALFORMED as error:
            report(
                DataError(
                    f"the box cannot be read: {brief(error)}", where=where, expected="<segs>x1,y1,x2,y2,...</segs>"
                )
            )
            continue
        regions.append(labelled(polygon, text_of(item, "label"), where))
    return named_page(image.get("file", ""), regions, file, images, report)


def _text_page(file: Path, images: Images, report: Report) -> Page | None:
    regions = []
    for line_number, line in text_lines(file, report):
        where = f"{file}:{line_number}"
        head, marker, text = line.partition(",####")
        try:
            values = [float(value) for value in head.split(",")]
            if not marker and len(values) == _FIRST_EDITION:
                left, top = values[:2]
                values = [value + (top if i % 2 else left) for i, value in enumerate(values[4:])]
            polygon = outline_of(values)
        except MALFORMED as error:
            report(
                DataError(f"the line cannot be read: {brief(error)}", where=where, expected="x1,y1,...,xN,yN,####text")
            )
            continue
        regions.append(labelled(polygon, text if marker else None, where))
    # the test part's labels are called 0001001.txt, its images 1001.jpg
    image = images.with_stem(file.stem) or images.with_stem(file.stem.lstrip("0"))
    if image is None:
        report(DataError("the label file has no image", where=file, expected=f"an image called {file.stem} near it"))
        return None
    return Page(image, regions, name=image.name, source=str(file))


def _document(page: Page, reference: str) -> str:
    boxes = "".join(_box(region) for region in page.regions)
    return f"<Annotations>\n<image file={as_attribute(reference)}>\n{boxes}</image>\n</Annotations>\n"


def _box(region: TextRegion) -> str:
    x0, y0, x1, y1 = box_of(region.polygon)
    text = "###" if region.ignore else region.text
    label = "" if text is None else f"<label>{as_text(text)}</label>"
    points = ",".join(number(value) for value in region.polygon.reshape(-1).tolist())
    return (
        f'<box height="{number(y1 - y0)}" left="{number(x0)}" top="{number(y0)}" width="{number(x1 - x0)}">'
        f"{label}<segs>{points}</segs></box>\n"
    )
