"""Line images and their texts as a table: ``file,text``, with or without that heading.

Source: RFC 4180; texts with commas, quotes or line breaks are quoted.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from ocrtune.data.formats._text import IGNORE_TEXTS, Report, is_line, reference_to
from ocrtune.data.formats.paddle import find_image
from ocrtune.errors import DataError, ImageError
from ocrtune.files import write_whole
from ocrtune.page import IMAGE_SUFFIXES, Page, TextRegion, image_size, whole_image

NAME = "csv"
HEADING = ("file", "text")


def matches(path: Path) -> bool:
    """Whether a file ends in .csv and its first rows name an image and a text."""
    if not path.is_file() or path.suffix.lower() != ".csv":
        return False
    with path.open("rb") as file:
        start = file.read(4096).decode("utf-8-sig", errors="replace")
    for row in csv.reader(io.StringIO(start)):
        if tuple(cell.strip().lower() for cell in row[:2]) == HEADING:
            continue
        return len(row) >= 2 and Path(row[0]).suffix.lower() in IMAGE_SUFFIXES
    return False


def read(path: Path, report: Report) -> list[Page]:
    """Read pages of one line each; see `ocrtune.data.formats.read_dataset`.

    Raises:
        DataError: the file is no UTF-8 text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("the file is not UTF-8", where=path, hint="save it as UTF-8") from error
    pages = []
    reader = csv.reader(io.StringIO(text, newline=""))
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            report(
                DataError(
                    f"the row cannot be read: {error}", where=f"{path}:{reader.line_num}", hint="check its quotes"
                )
            )
            continue
        if row is None:
            break
        where = f"{path}:{reader.line_num}"
        if not row or tuple(cell.strip().lower() for cell in row[:2]) == HEADING:
            continue
        if len(row) != 2:
            report(DataError(f"the row has {len(row)} cells", where=where, expected="file,text", hint="quote commas"))
            continue
        image = find_image(row[0], path.parent)
        if image is None:
            report(DataError(f"the image {row[0]} does not exist", where=where, expected=f"a path below {path.parent}"))
            continue
        try:
            outline = whole_image(*image_size(image))
        except ImageError as error:
            report(DataError(error.what, where=f"{where}: {image}", hint="copy the file again from its source"))
            continue
        ignore = row[1] in IGNORE_TEXTS
        pages.append(
            Page(image, [TextRegion(outline, None if ignore else row[1], ignore, source=where)], row[0], where)
        )
    return pages


def write(pages: Sequence[Page], path: Path) -> None:
    """Write one table; paths are relative to its folder.

    Raises:
        DataError: a page is not the image of one line.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(HEADING)
    for page in pages:
        if not is_line(page):
            raise DataError(
                f"the page has {len(page.regions)} texts",
                where=page.name,
                expected="images of one line",
                hint="ocrtune data crop DATA --out lines",
            )
        region = page.regions[0]
        writer.writerow((reference_to(page.path, path.parent), "###" if region.ignore else region.text or ""))
    write_whole(path, buffer.getvalue())
