"""ALTO: one XML file a page; each ``TextLine`` is a region.

Source: ALTO 4.4 (Library of Congress): outlines in ``Shape/Polygon``, else HPOS, VPOS, WIDTH and HEIGHT; texts in
``String`` elements, joined by blanks, with ``HYP`` at the end of a line. Units other than pixels are scaled by the size
of the page to that of the image. A tag with the label ``ignore`` marks what does not count; a line without ``String``
has a text that nobody has said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from ocrtune.data.formats._folder import first_label, named_page, read_each, write_each
from ocrtune.data.formats._images import Images
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._shapes import box, box_of, outline_of
from ocrtune.data.formats._text import Report, brief, labelled, number
from ocrtune.data.formats._xml import as_attribute, as_text, line_of, read_xml, text_of, xml_root_name
from ocrtune.data.records import MALFORMED
from ocrtune.errors import DataError
from ocrtune.page import Page, Polygon, TextRegion, image_size

NAME = "alto"
CANNOT = frozenset({Loss.CONTROL})
_NUMBER = re.compile(r"[^\s,;]+")
_IGNORE = "ignore"


def matches(path: Path) -> bool:
    """Whether a folder's XML files (or the file itself) have the root ``alto``."""
    return first_label(path, ".xml", _fits)


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`."""
    return read_each(path, ".xml", _fits, report, _page)


def write(pages: Iterable[Page], path: Path) -> None:
    """Write a folder of XML files, which name their images by relative paths."""
    write_each(pages, path, ".xml", _document)


def _fits(file: Path) -> bool:
    return xml_root_name(file) == "alto"


def _page(file: Path, images: Images, report: Report) -> Page | None:
    root = read_xml(file)
    name = (root.findtext("Description/sourceImageInformation/fileName") or "").strip()
    page = named_page(name, [], file, images, report)
    if page is None:
        return None
    ignored = {tag.get("ID", "") for tag in root.iterfind("Tags/*") if tag.get("LABEL", "").lower() == _IGNORE}
    x_scale, y_scale = _scales(root, page)
    for line in root.iter("TextLine"):
        where = f"{file}:{line_of(line)}"
        try:
            polygon = _outline(line)
        except MALFORMED as error:
            report(
                DataError(
                    f"the line cannot be read: {brief(error)}",
                    where=where,
                    expected="HPOS, VPOS, WIDTH and HEIGHT, or Shape/Polygon with POINTS",
                )
            )
            continue
        if (x_scale, y_scale) != (1, 1):
            polygon[:, 0] *= x_scale
            polygon[:, 1] *= y_scale
        ignore = not ignored.isdisjoint(line.get("TAGREFS", "").split())
        page.regions.append(labelled(polygon, _text(line), where, ignore))
    return page


def _scales(root: Element, page: Page) -> tuple[float, float]:
    """What coordinates are multiplied with to be pixels, across and down."""
    unit = text_of(root, "Description/MeasurementUnit")
    if unit is None or unit.strip() == "pixel":
        return 1, 1
    sheet = root.find("Layout/Page")
    said = {} if sheet is None else sheet.attrib
    width, height = image_size(page.path)
    try:
        return width / float(said["WIDTH"]), height / float(said["HEIGHT"])
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise DataError(
            f"the unit is {unit.strip()[:40]}, and the page does not say its size",
            where=page.source,
            expected="MeasurementUnit pixel, or WIDTH and HEIGHT of the page",
        ) from error


def _outline(line: Element) -> Polygon:
    shape = line.find("Shape/Polygon")
    if shape is not None:
        return outline_of(float(value) for value in _NUMBER.findall(shape.get("POINTS", "")))
    x, y, width, height = (float(line.get(key, "")) for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
    return box(x, y, x + width, y + height)


def _text(line: Element) -> str | None:
    words = [item.get("CONTENT", "") for item in line.findall("String")]
    if not words:
        return None
    hyphen = line.find("HYP")
    return " ".join(words) + ("" if hyphen is None else hyphen.get("CONTENT", ""))


def _document(page: Page, reference: str) -> str:
    width, height = image_size(page.path)
    lines = "".join(_line(region, index) for index, region in enumerate(page.regions))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#">\n'
        "<Description><MeasurementUnit>pixel</MeasurementUnit><sourceImageInformation>"
        f"<fileName>{as_text(reference)}</fileName></sourceImageInformation></Description>\n"
        f'<Tags><OtherTag ID="{_IGNORE}" LABEL="{_IGNORE}"/></Tags>\n'
        f'<Layout><Page ID="page" PHYSICAL_IMG_NR="1" WIDTH="{width}" HEIGHT="{height}">'
        f'<PrintSpace HPOS="0" VPOS="0" WIDTH="{width}" HEIGHT="{height}">\n'
        f'<TextBlock ID="block" HPOS="0" VPOS="0" WIDTH="{width}" HEIGHT="{height}">\n{lines}</TextBlock>\n'
        "</PrintSpace></Page></Layout>\n</alto>\n"
    )


def _line(region: TextRegion, index: int) -> str:
    x0, y0, x1, y1 = box_of(region.polygon)
    sides = zip(("HPOS", "VPOS", "WIDTH", "HEIGHT"), (x0, y0, x1 - x0, y1 - y0), strict=True)
    place = " ".join(f'{key}="{number(value)}"' for key, value in sides)
    points = " ".join(f"{number(x)},{number(y)}" for x, y in region.polygon.tolist())
    string = "" if region.text is None else f"<String CONTENT={as_attribute(region.text)} {place}/>"
    tags = f' TAGREFS="{_IGNORE}"' if region.ignore else ""
    return f'<TextLine ID="line_{index}" {place}{tags}><Shape><Polygon POINTS="{points}"/></Shape>{string}</TextLine>\n'
