"""Line images and their texts as a table: ``file,text``, with or without that heading.

Source: RFC 4180; texts with commas, quotes or line breaks are quoted.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from ocrtune.data.formats._folder import no_image
from ocrtune.data.formats._images import find_image
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._text import Report, brief, is_line, labelled, reference_to
from ocrtune.errors import DataError, ImageError
from ocrtune.files import whole_file
from ocrtune.page import IMAGE_SUFFIXES, Page, image_size, whole_image

NAME = "csv"
CANNOT = frozenset({Loss.IGNORED_TEXT, Loss.UNKNOWN_TEXT})
HEADING = ("file", "text")


def matches(path: Path) -> bool:
    """Whether a file ends in .csv and its first rows name an image and a text."""
    if not path.is_file() or path.suffix.lower() != ".csv":
        return False
    with path.open("rb") as file:
        start = file.read(4096).decode("utf-8-sig", errors="replace")
    try:
        for row in csv.reader(io.StringIO(start)):
            if tuple(cell.strip().lower() for cell in row[:2]) != HEADING:
                return len(row) >= 2 and Path(row[0]).suffix.lower() in IMAGE_SUFFIXES
    except csv.Error:
        pass  # no table
    return False


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages of one line each; see `ocrtune.data.formats.read_dataset`.

    Raises:
        DataError: the file is no UTF-8 text.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for where, row in _rows(path, file, report):
                page = _page(path, row, where, report)
                if page is not None:
                    yield page
    except UnicodeDecodeError as error:
        raise DataError("the file is not UTF-8", where=path, hint="save it as UTF-8") from error


def write(pages: Iterable[Page], path: Path) -> None:
    """Write one table; paths are relative to its folder.

    Raises:
        DataError: a page is not the image of one line.
    """
    with whole_file(path) as file:
        writer = csv.writer(file)
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


def _rows(path: Path, file: TextIO, report: Report) -> Iterator[tuple[str, list[str]]]:
    """Place and cells of each row that is neither empty nor the heading."""
    reader = csv.reader(file)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            what = f"the row cannot be read: {brief(error)}"
            report(DataError(what, where=f"{path}:{reader.line_num}", hint="check its quotes"))
            continue
        if row and tuple(cell.strip().lower() for cell in row[:2]) != HEADING:
            yield f"{path}:{reader.line_num}", row


def _page(path: Path, row: list[str], where: str, report: Report) -> Page | None:
    if len(row) != 2:
        report(DataError(f"the row has {len(row)} cells", where=where, expected="file,text", hint="quote commas"))
        return None
    image = find_image(row[0], path.parent)
    if image is None:
        report(no_image(row[0], where, path.parent))
        return None
    try:
        outline = whole_image(*image_size(image))
    except ImageError as error:
        report(DataError(error.what, where=f"{where}: {image}", hint="copy the file again from its source"))
        return None
    return Page(image, [labelled(outline, row[1], where)], row[0], where)
