"""CVAT for images 1.1: one XML file with all pages, ``annotations.xml``.

Source: CVAT's XML annotation format: ``box`` (xtl, ytl, xbr, ybr, and ``rotation`` in degrees, clockwise around its
centre) and ``polygon`` (points x,y;x,y). The text is an attribute called ``text`` (or transcription, ocr, value); the
label ``ignore``, or an attribute ``ignore`` (or difficult) that is true, marks what does not count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from ocrtune.data.formats._folder import no_image
from ocrtune.data.formats._images import Images
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._shapes import RotatedBox, as_rotated_box, outline
from ocrtune.data.formats._text import Report, brief, labelled, number, reference_to
from ocrtune.data.formats._xml import as_attribute, as_text, line_of, xml_elements, xml_root_name
from ocrtune.data.records import MALFORMED
from ocrtune.errors import DataError
from ocrtune.files import whole_file
from ocrtune.page import Page, Polygon, TextRegion, image_size

NAME = "cvat"
CANNOT = frozenset({Loss.CONTROL})
_FILE = "annotations.xml"
_TEXTS = ("text", "transcription", "ocr", "value")
_IGNORES = ("ignore", "ignored", "difficult", "illegible")
_OTHER_SHAPES = frozenset({"polyline", "points", "ellipse", "mask", "cuboid", "skeleton"})
_HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
<version>1.1</version>
<meta><task><labels>
<label><name>text</name><attributes>
<attribute><name>text</name><mutable>False</mutable><input_type>text</input_type></attribute>
<attribute><name>ignore</name><mutable>False</mutable><input_type>checkbox</input_type></attribute>
</attributes></label>
</labels></task></meta>
"""


def matches(path: Path) -> bool:
    """Whether a file, or a folder's ``annotations.xml``, has the root ``annotations``."""
    return xml_root_name(_file(path)) == "annotations"


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`.

    Raises:
        DataError: the file as a whole cannot be read, or is no CVAT export for images.
    """
    file = _file(path)
    images = Images(file.parent)
    for element in xml_elements(file, "image"):
        if element.tag == "annotations":
            if element.find("track") is not None:
                report(
                    DataError("the file holds tracks of a video", where=file, expected="an export as 'CVAT for images'")
                )
            continue
        if element.tag != "image":
            raise DataError("the file is no CVAT export", where=file, expected="<annotations> with <image> elements")
        name, where = element.get("name", ""), f"{file}:{line_of(element)}"
        image = images.named(name)
        if image is None:
            report(no_image(name, where, file.parent))
            continue
        yield Page(image, list(_regions(element, file, report)), name=name, source=where)


def write(pages: Iterable[Page], path: Path) -> None:
    """Write one XML file; rectangles become boxes with their rotation, other outlines polygons."""
    with whole_file(path) as file:
        file.write(_HEAD)
        for index, page in enumerate(pages):
            width, height = image_size(page.path)
            name = as_attribute(reference_to(page.path, path.parent))
            file.write(f'<image id="{index}" name={name} width="{width}" height="{height}">\n')
            file.writelines(_shape(region) for region in page.regions)
            file.write("</image>\n")
        file.write("</annotations>\n")


def _file(path: Path) -> Path:
    return path / _FILE if path.is_dir() else path


def _regions(image: Element, file: Path, report: Report) -> Iterator[TextRegion]:
    for item in image:
        where = f"{file}:{line_of(item)}"
        if item.tag in _OTHER_SHAPES:
            report(DataError(f"a {item.tag} is no outline of a text", where=where, expected="a box or a polygon"))
        elif item.tag in ("box", "polygon"):
            try:
                polygon = _outline(item)
            except MALFORMED as error:
                expected = "xtl, ytl, xbr and ybr of a box, or points of a polygon"
                report(DataError(f"the {item.tag} cannot be read: {brief(error)}", where=where, expected=expected))
                continue
            said = {child.get("name", "").lower(): child.text or "" for child in item.findall("attribute")}
            text = next((said[key] for key in _TEXTS if key in said), None)
            ignore = item.get("label", "").lower() in _IGNORES or any(
                said.get(key, "").strip().lower() in ("true", "1", "yes") for key in _IGNORES
            )
            yield labelled(polygon, text, where, ignore)


def _outline(item: Element) -> Polygon:
    if item.tag == "polygon":
        return outline([float(value) for value in pair.split(",")] for pair in item.get("points", "").split(";"))
    x0, y0, x1, y1 = (float(item.get(key, "")) for key in ("xtl", "ytl", "xbr", "ybr"))
    angle = math.radians(float(item.get("rotation", "0")))
    return RotatedBox((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, angle).corners()


def _shape(region: TextRegion) -> str:
    turned = as_rotated_box(region.polygon)
    if turned is None:
        points = ";".join(f"{number(x)},{number(y)}" for x, y in region.polygon.tolist())
        tag, place = "polygon", f'points="{points}"'
    else:
        x0, y0 = turned.x - turned.width / 2, turned.y - turned.height / 2
        x1, y1 = turned.x + turned.width / 2, turned.y + turned.height / 2
        tag, place = "box", f'xtl="{number(x0)}" ytl="{number(y0)}" xbr="{number(x1)}" ybr="{number(y1)}"'
        if not turned.upright:
            place += f' rotation="{math.degrees(turned.angle) % 360:.6f}"'
    text = "" if region.text is None else f'<attribute name="text">{as_text(region.text)}</attribute>'
    ignore = f'<attribute name="ignore">{"true" if region.ignore else "false"}</attribute>'
    return f'<{tag} label="text" source="manual" occluded="0" {place} z_order="0">{text}{ignore}</{tag}>\n'
