"""PAGE XML, as Transkribus, eScriptorium and Aletheia write it: one XML file a page; each ``TextLine`` is a region.

Source: PAGE content schema 2019-07-15 (PRImA): ``Coords`` with ``points`` (in editions before 2013: ``Point`` elements),
the text in ``TextEquiv/Unicode``, the one of the lowest index where there are several. ``type:ignore`` in the attribute
``custom`` marks what does not count; a line without ``TextEquiv`` has a text that nobody has said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from ocrtune.data.formats._folder import first_label, named_page, read_each, write_each
from ocrtune.data.formats._images import Images
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._shapes import outline
from ocrtune.data.formats._text import Report, brief, labelled, number
from ocrtune.data.formats._xml import as_attribute, as_text, line_of, read_xml, text_of, xml_root_name
from ocrtune.data.records import MALFORMED
from ocrtune.errors import DataError
from ocrtune.page import Page, Polygon, TextRegion, image_size

NAME = "page-xml"
CANNOT = frozenset({Loss.CONTROL})
_IGNORE = "structure {type:ignore;}"


def matches(path: Path) -> bool:
    """Whether a folder's XML files (or the file itself) have the root ``PcGts``."""
    return first_label(path, ".xml", _fits)


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`."""
    return read_each(path, ".xml", _fits, report, _page)


def write(pages: Iterable[Page], path: Path) -> None:
    """Write a folder of XML files, which name their images by relative paths."""
    write_each(pages, path, ".xml", _document)


def _fits(file: Path) -> bool:
    return xml_root_name(file) == "PcGts"


def _page(file: Path, images: Images, report: Report) -> Page | None:
    root = read_xml(file)
    page = root.find("Page")
    if page is None:
        if root.tag != "PcGts":
            raise DataError("the file is no PAGE XML", where=file, expected='<PcGts><Page imageFilename="...">')
        return None  # a table of contents, as exports of whole documents have it
    regions = []
    for line in page.iter("TextLine"):
        where = f"{file}:{line_of(line)}"
        try:
            regions.append(labelled(_outline(line), _text(line), where, "type:ignore" in line.get("custom", "")))
        except MALFORMED as error:
            expected = '<Coords points="x1,y1 x2,y2 x3,y3 x4,y4"/>'
            report(DataError(f"the line cannot be read: {brief(error)}", where=where, expected=expected))
    return named_page(page.get("imageFilename", ""), regions, file, images, report)


def _outline(line: Element) -> Polygon:
    coords = line.find("Coords")
    if coords is None:
        raise ValueError("it has no Coords")
    points = coords.get("points")
    if points is None:
        return outline((float(p.get("x", "")), float(p.get("y", ""))) for p in coords.findall("Point"))
    return outline([float(value) for value in pair.split(",")] for pair in points.split())


def _text(line: Element) -> str | None:
    texts = line.findall("TextEquiv")
    if not texts:
        return None
    best = min(texts, key=lambda item: int(item.get("index", "0")))
    return text_of(best, "Unicode") or ""


def _document(page: Page, reference: str) -> str:
    width, height = image_size(page.path)
    lines = "".join(_line(region, index) for index, region in enumerate(page.regions))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">\n'
        "<Metadata><Creator>ocrtune</Creator><Created>1970-01-01T00:00:00</Created>"
        "<LastChange>1970-01-01T00:00:00</LastChange></Metadata>\n"
        f'<Page imageFilename={as_attribute(reference)} imageWidth="{width}" imageHeight="{height}">\n'
        f'<TextRegion id="r"><Coords points="0,0 {width},0 {width},{height} 0,{height}"/>\n{lines}</TextRegion>\n'
        "</Page>\n</PcGts>\n"
    )


def _line(region: TextRegion, index: int) -> str:
    custom = f' custom="{_IGNORE}"' if region.ignore else ""
    points = " ".join(f"{number(x)},{number(y)}" for x, y in region.polygon.tolist())
    text = "" if region.text is None else f"<TextEquiv><Unicode>{as_text(region.text)}</Unicode></TextEquiv>"
    return f'<TextLine id="l{index}"{custom}><Coords points="{points}"/>{text}</TextLine>\n'
