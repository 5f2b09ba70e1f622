"""Line images in an LMDB store: ``num-samples``, ``image-%09d`` (an encoded image) and ``label-%09d``, counted from 1.

Source: the layout of the deep-text-recognition benchmark (Baek et al. 2019), which PaddleOCR's LMDBDataSet reads.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._text import IGNORE_TEXTS, Report, is_line
from ocrtune.errors import DataError, ImageError
from ocrtune.page import Image, Page, TextRegion, decode_image, image_size, whole_image

NAME = "lmdb"
CANNOT = frozenset({Loss.IGNORED_TEXT, Loss.UNKNOWN_TEXT})
_FILE = "data.mdb"
_COUNT = b"num-samples"


@dataclass(frozen=True)
class LmdbImage:
    """One image of a store.

    Attributes:
        store: folder of the store.
        number: from 1.
    """

    store: Path
    number: int

    @property
    def name(self) -> str:
        return f"{self.store}:image-{self.number:09d}"

    def load(self) -> Image:
        """Decode the image.

        Raises:
            ImageError: it is not in the store, or damaged.
        """
        with _environment(str(self.store), os.getpid()).begin() as transaction:
            data = transaction.get(b"image-%09d" % self.number)
        if data is None:
            raise ImageError("the image is not in the store", where=self.name)
        return decode_image(np.frombuffer(data, np.uint8), where=self.name)


@lru_cache(maxsize=8)
def _environment(store: str, process: int) -> Any:
    """The opened store; every process opens its own, since LMDB forbids to share one across a fork."""
    import lmdb

    try:
        return lmdb.open(store, readonly=True, lock=False, readahead=False, meminit=False)
    except lmdb.Error as error:
        raise DataError(
            f"the store cannot be opened: {error}", where=store, hint="copy it again, or rebuild it"
        ) from error


def matches(path: Path) -> bool:
    """Whether a folder holds an LMDB file."""
    return path.is_dir() and (path / _FILE).is_file()


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages of one line each; images are decoded when they are asked for.

    Raises:
        DataError: the store cannot be opened, or does not say how many samples it has.
    """
    with _environment(str(path), os.getpid()).begin() as transaction:
        count = transaction.get(_COUNT)
        if count is None or not bytes(count).isdigit():
            raise DataError(
                "the store does not say how many samples it has", where=path, expected="the key num-samples"
            )
        for number in range(1, int(count) + 1):
            where = f"{path}:{number}"
            label, data = transaction.get(b"label-%09d" % number), transaction.get(b"image-%09d" % number)
            if label is None or data is None:
                missing = "label" if label is None else "image"
                report(DataError(f"the {missing} is missing", where=where, hint="rebuild the store from its source"))
                continue
            try:
                text = bytes(label).decode()
            except UnicodeDecodeError:
                report(DataError("the label is not UTF-8", where=where, hint="rebuild the store from its source"))
                continue
            image = LmdbImage(path, number)
            try:
                size = _size(bytes(data), image.name)
            except ImageError as error:
                report(DataError(error.what, where=where, hint="rebuild the store from its source"))
                continue
            ignore = text in IGNORE_TEXTS
            region = TextRegion(whole_image(*size), None if ignore else text, ignore, source=where)
            yield Page(image, [region], name=f"{number:09d}", source=where)


def write(pages: Iterable[Page], path: Path) -> None:
    """Write a store at once: it is there completely, or not at all.

    Raises:
        DataError: a page is not the image of one line, or something is already there.
    """
    import lmdb

    if path.exists():
        raise DataError("something is already there", where=path, hint="choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        environment = lmdb.open(str(folder), map_size=1 << 40)
        with environment.begin(write=True) as transaction:
            number = 0
            for number, page in enumerate(pages, start=1):
                if not is_line(page):
                    raise DataError(
                        f"the page has {len(page.regions)} texts",
                        where=page.name,
                        expected="images of one line",
                        hint="ocrtune data crop DATA --out lines",
                    )
                region = page.regions[0]
                transaction.put(b"image-%09d" % number, _encoded(page))
                transaction.put(b"label-%09d" % number, ("###" if region.ignore else region.text or "").encode())
            transaction.put(_COUNT, str(number).encode())
        environment.close()
        (folder / "lock.mdb").unlink(missing_ok=True)
        folder.chmod(0o755)
        os.replace(folder, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _encoded(page: Page) -> bytes:
    if isinstance(page.image, Path):
        return page.image.read_bytes()
    return bytes(cv2.imencode(".png", page.load())[1])


def _size(data: bytes, where: str) -> tuple[int, int]:
    """Width and height from an encoded image's header, after its EXIF rotation."""
    return image_size(io.BytesIO(data), where)
