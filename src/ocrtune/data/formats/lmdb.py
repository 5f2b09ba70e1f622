"""Pages, or images of one line each, in an LMDB store; its layout is `ocrtune.data.store`'s."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._text import IGNORE_TEXTS, Report
from ocrtune.data.mdb import MdbFile
from ocrtune.data.records import MALFORMED
from ocrtune.data.store import FILE, StoreImage, digest, opened, read_header, stored_page
from ocrtune.data.store_writer import build_store
from ocrtune.errors import DataError
from ocrtune.page import Page, TextRegion, image_size, whole_image

NAME = "lmdb"
CANNOT: frozenset[Loss] = frozenset()


def matches(path: Path) -> bool:
    """Whether a folder holds an LMDB file."""
    return path.is_dir() and (path / FILE).is_file()


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages; images are decoded when they are asked for. See `ocrtune.data.formats.read_dataset`.

    Raises:
        DataError: the store cannot be opened, is cut off, or does not say how many samples it has.
    """
    file = opened(path)
    header = read_header(file)
    read_one = _line if header.foreign else _page
    for number in range(1, header.count + 1):
        try:
            yield read_one(file, path, number)
        except DataError as error:
            what = error.what if error.where in (None, f"{path}:{number}") else f"{error.where}: {error.what}"
            hint = "rebuild the store from its source" if header.foreign else f"ocrtune data repair {path}"
            report(DataError(what, where=f"{path}:{number}", hint=hint))


def write(pages: Iterable[Page], path: Path, dataset: str | None = None) -> None:
    """Write a store at once: it is there completely, or not at all; see `ocrtune.data.store_writer.build_store`."""
    build_store(pages, path, dataset)


def _page(file: MdbFile, path: Path, number: int) -> Page:
    record, sums = file.get(b"page-%09d" % number), file.get(b"sha256-%09d" % number)
    if record is None or sums is None or b"image-%09d" % number not in file:
        missing = "labels are" if record is None else "checksums are" if sums is None else "image is"
        raise DataError(f"the {missing} missing")
    try:
        intact = json.loads(sums)["page"] == digest(record)
    except MALFORMED as error:
        raise DataError("the checksums are damaged") from error
    if not intact:
        raise DataError("the labels differ from their checksum")
    return stored_page(record, path, number)


def _line(file: MdbFile, path: Path, number: int) -> Page:
    """An entry of another tool's store."""
    label, data = file.get(b"label-%09d" % number), file.get(b"image-%09d" % number)
    if label is None or data is None:
        raise DataError(f"the {'label' if label is None else 'image'} is missing")
    try:
        text = label.decode()
    except UnicodeDecodeError as error:
        raise DataError("the label is not UTF-8") from error
    where = f"{path}:{number}"
    image = StoreImage(path, number, image_size(io.BytesIO(data), where))
    ignore = text in IGNORE_TEXTS
    region = TextRegion(whole_image(*image.size), None if ignore else text, ignore, source=where)
    return Page(image, [region], name=f"{number:09d}", source=where)
