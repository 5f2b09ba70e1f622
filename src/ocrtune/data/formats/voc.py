"""Pascal VOC, as LabelImg and roLabelImg write it: one XML file a page, the text as the name of an object.

Source: the Pascal VOC 2012 development kit (bndbox, difficult) and roLabelImg (robndbox: centre, size, and angle in
radians, clockwise). A turned rectangle is written as both, so that LabelImg opens it too. ``difficult`` marks what does
not count, with or without its text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from ocrtune.data.formats._folder import first_label, named_page, read_each, write_each
from ocrtune.data.formats._images import Images
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._shapes import RotatedBox, box, box_of, nearest_rotated_box
from ocrtune.data.formats._text import Report, brief, labelled, marked, number
from ocrtune.data.formats._xml import as_text, line_of, read_xml, text_of, xml_root_name
from ocrtune.data.records import MALFORMED
from ocrtune.errors import DataError
from ocrtune.page import Page, Polygon, TextRegion, image_size

NAME = "voc"
CANNOT = frozenset({Loss.CURVE, Loss.QUAD, Loss.UNKNOWN_TEXT, Loss.CONTROL})


def matches(path: Path) -> bool:
    """Whether a folder's XML files (or the file itself) have the root ``annotation``."""
    return first_label(path, ".xml", _fits)


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`."""
    return read_each(path, ".xml", _fits, report, _page)


def write(pages: Iterable[Page], path: Path) -> None:
    """Write a folder of XML files, which name their images by relative paths."""
    write_each(pages, path, ".xml", _document)


def _fits(file: Path) -> bool:
    return xml_root_name(file) == "annotation"


def _page(file: Path, images: Images, report: Report) -> Page | None:
    root = read_xml(file)
    regions = []
    for item in root.findall("object"):
        where = f"{file}:{line_of(item)}"
        try:
            ignore = (text_of(item, "difficult") or "0").strip() in ("1", "true", "True")
            regions.append(labelled(_outline(item), text_of(item, "name"), where, ignore))
        except MALFORMED as error:
            report(
                DataError(
                    f"the object cannot be read: {brief(error)}",
                    where=where,
                    expected="<bndbox> with xmin, ymin, xmax and ymax, or <robndbox> with cx, cy, w, h and angle",
                )
            )
    names = [text_of(root, "filename") or "", text_of(root, "path") or ""]
    name = next((name for name in names if name and images.named(name)), names[0] or names[1])
    return named_page(name, regions, file, images, report)


def _outline(item: Element) -> Polygon:
    turned = item.find("robndbox")
    if turned is not None:
        return RotatedBox(*(float(text_of(turned, key) or "") for key in ("cx", "cy", "w", "h", "angle"))).corners()
    upright = item.find("bndbox")
    if upright is None:
        raise ValueError("it has no box")
    return box(*(float(text_of(upright, key) or "") for key in ("xmin", "ymin", "xmax", "ymax")))


def _document(page: Page, reference: str) -> str:
    width, height = image_size(page.path)
    objects = "".join(_object(region) for region in page.regions)
    return (
        f"<annotation>\n<folder>{as_text(page.path.parent.name)}</folder>\n<filename>{as_text(reference)}</filename>\n"
        f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>\n<segmented>0</segmented>\n"
        f"{objects}</annotation>\n"
    )


def _object(region: TextRegion) -> str:
    turned = nearest_rotated_box(region.polygon)
    corners = zip(("xmin", "ymin", "xmax", "ymax"), box_of(turned.corners()), strict=True)
    kind, exact = "bndbox", ""
    if not turned.upright:
        kind = "robndbox"
        exact = (
            f"<robndbox><cx>{turned.x:.3f}</cx><cy>{turned.y:.3f}</cy><w>{turned.width:.3f}</w>"
            f"<h>{turned.height:.3f}</h><angle>{turned.angle:.7f}</angle></robndbox>"
        )
    return (
        f"<object><type>{kind}</type><name>{as_text(marked(region))}</name><pose>Unspecified</pose>"
        f"<truncated>0</truncated><difficult>{int(region.ignore)}</difficult>"
        f"<bndbox>{''.join(f'<{key}>{number(value)}</{key}>' for key, value in corners)}</bndbox>{exact}</object>\n"
    )
