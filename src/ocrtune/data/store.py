"""The LMDB store: encoded images with their labels in one file, every entry with checksums.

Entry N, counted from 1, has the keys

    image-%09d    the image file, byte for byte
    page-%09d     JSON: name, width, height, regions
    origin-%09d   JSON: where it came from: name, label file and line, image file
    sha256-%09d   JSON: checksums of the others, by the name of their key
    label-%09d    only for the image of one line: its text

beside ``num-samples`` and ``store`` (JSON: version, kind, data set, count; and its checksum). A store of lines is
therefore also one that other tools read: the deep-text-recognition benchmark's layout (Baek et al. 2019), PaddleOCR's
LMDBDataSet. Their stores, which have ``image`` and ``label`` alone, are read as well.

Beside the LMDB file lies ``store.json``, which names the data set once more: nothing but a help for mending a store whose
own word is lost.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from ocrtune.data.mdb import MdbFile
from ocrtune.data.records import MALFORMED, absolute, as_json, as_records, from_records
from ocrtune.errors import DataError, ImageError
from ocrtune.page import Image, Page, TextRegion, covers, decode_image, image_size

Kind = Literal["pages", "lines"]
FILE = "data.mdb"
NOTE = "store.json"
COUNT = b"num-samples"
HEADER = b"store"
CHECKED = ("image", "page", "origin", "label")
"""The parts of an entry that have a checksum; ``label`` exists for lines only."""
VERSION = 1
_LONGEST_COUNT = 12


@dataclass(frozen=True)
class StoreHeader:
    """What a store says about itself.

    Attributes:
        kind: pages, or images of one line each; ``foreign`` ones of other tools are of lines, without checksums.
        dataset: the data set that it was built from; None where that is not known.
        count: entries.
        foreign: written by another tool.
    """

    kind: Kind
    dataset: str | None
    count: int
    foreign: bool = False


@dataclass(frozen=True)
class StoreImage:
    """One image of a store; opened by each process when it first needs it.

    Attributes:
        store: folder of the store.
        number: from 1.
        size: width and height in pixels after EXIF rotation.
    """

    store: Path
    number: int
    size: tuple[int, int]

    @property
    def name(self) -> str:
        return f"{self.store}:{self.number}"

    def encoded(self) -> bytes:
        """The image file, byte for byte.

        Raises:
            ImageError: it is not in the store, or damaged.
        """
        try:
            store = opened(self.store)
            data = store.get(_key("image", self.number))
            sums = store.get(_key("sha256", self.number))
            if data is None:
                raise DataError("the image is not in the store")
            if sums is not None and json.loads(sums).get("image") != digest(data):
                raise DataError("the image differs from its checksum")
        except (DataError, *MALFORMED) as error:
            what = error.what if isinstance(error, DataError) else "the image's checksum is damaged"
            raise ImageError(what, where=self.name, hint=f"ocrtune data repair {self.store}") from error
        return data

    def load(self) -> Image:
        """Decode the image.

        Raises:
            ImageError: it is not in the store, or damaged.
        """
        return decode_image(np.frombuffer(self.encoded(), np.uint8), where=self.name)


def opened(store: Path) -> MdbFile:
    """The file of a store; opened again where it was replaced.

    Raises:
        DataError: it is missing, cut off, or its head is damaged.
    """
    path = store / FILE
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(
            "there is no LMDB store", where=store, expected=f"a folder with {FILE}", hint="check the path"
        ) from error
    file = _opened(path, status.st_ino, status.st_mtime_ns, status.st_size)
    if file.missing_bytes:
        raise DataError(
            f"the store is cut off: {file.missing_bytes} bytes are missing at its end",
            where=store,
            hint=f"ocrtune data repair {store}, or copy the store again",
        )
    return file


@lru_cache(maxsize=8)
def _opened(path: Path, inode: int, changed: int, size: int) -> MdbFile:
    return MdbFile(path)


def read_header(file: MdbFile) -> StoreHeader:
    """What a store says about itself.

    Raises:
        DataError: it does not, or that part is damaged.
    """
    count, header = file.get(COUNT), file.get(HEADER)
    if count is None or not count.isdigit() or len(count) > _LONGEST_COUNT:
        raise DataError(
            "the store does not say how many samples it has",
            where=file.path.parent,
            expected=f"the key {COUNT.decode()}",
        )
    if int(count) > file.entries:
        raise DataError(
            f"the store says that it has {int(count)} samples, but has only {file.entries} keys", where=file.path.parent
        )
    if header is None:
        return StoreHeader("lines", None, int(count), foreign=True)
    try:
        text, _, told = header.partition(b"\n")
        content = json.loads(text)
        if told.decode() != digest(text) or content["count"] != int(count):
            raise ValueError("it differs from its checksum")
        if content["version"] > VERSION:
            raise DataError(
                f"the store is of version {content['version']}",
                where=file.path.parent,
                expected=f"version {VERSION}",
                hint="update ocrtune",
            )
        return StoreHeader(content["kind"], content["dataset"], int(count))
    except MALFORMED as error:
        raise DataError("what the store says about itself is damaged", where=file.path.parent) from error


@dataclass(frozen=True)
class Entry:
    """The values of one entry, each None where it is missing; see the module for what they hold."""

    image: bytes | None
    page: bytes | None
    origin: bytes | None
    label: bytes | None
    sha256: bytes | None

    @classmethod
    def of(cls, page: Page) -> Entry:
        """A page as it is stored.

        Raises:
            ImageError: its image file is missing or no image.
        """
        image = encoded_image(page)
        size = image_size(io.BytesIO(image), page.name)
        line = len(page.regions) == 1 and covers(page.regions[0], size)
        parts = {
            "image": image,
            "page": page_record(page, size),
            "origin": as_json(
                {
                    "name": page.name,
                    "source": absolute(page.source),
                    "image": str(page.image.absolute()) if isinstance(page.image, Path) else None,
                }
            ),
            "label": _label(page.regions[0]) if line else None,
        }
        sums = {part: digest(data) for part, data in parts.items() if data is not None}
        return cls(**parts, sha256=as_json(sums))

    def items(self, number: int) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values, to be written."""
        for part in (*CHECKED, "sha256"):
            data = getattr(self, part)
            if data is not None:
                yield _key(part, number), data


def noted_dataset(store: Path) -> str | None:
    """The data set that ``store.json`` names; None where it does not."""
    try:
        dataset = json.loads((store / NOTE).read_bytes())["dataset"]
    except (OSError, *MALFORMED):
        return None
    return dataset if isinstance(dataset, str) else None


def page_record(page: Page, size: tuple[int, int]) -> bytes:
    """Name, size and regions of a page as JSON; numbers are exact."""
    return as_json({"name": page.name, "width": size[0], "height": size[1], "regions": as_records(page.regions)})


def stored_page(record: bytes, store: Path, number: int) -> Page:
    """The page of a record.

    Raises:
        DataError: the record is damaged.
    """
    try:
        content = json.loads(record)
        regions = from_records(content["regions"])
        image = StoreImage(store, number, (int(content["width"]), int(content["height"])))
        return Page(image, regions, str(content["name"]), source=image.name)
    except MALFORMED as error:
        raise DataError(
            "the labels are damaged", where=f"{store}:{number}", hint=f"ocrtune data repair {store}"
        ) from error


def encoded_image(page: Page) -> bytes:
    """A page's image as the bytes of a file: its own where it has one, else PNG.

    Raises:
        ImageError: the file cannot be read.
    """
    if isinstance(page.image, StoreImage):
        return page.image.encoded()
    if not isinstance(page.image, Path):
        return bytes(cv2.imencode(".png", page.load())[1])
    try:
        return page.image.read_bytes()
    except OSError as error:
        raise ImageError(f"the image file cannot be read: {error.strerror}", where=page.image) from error


def digest(data: bytes) -> str:
    """sha256 as hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _key(part: str, number: int) -> bytes:
    return f"{part}-{number:09d}".encode()


def _label(region: TextRegion) -> bytes:
    return ("###" if region.ignore else region.text or "").encode()
