"""`Page`, the one data type: label files are read into pages, models produce pages, metrics compare pages."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image

from ocrtune.errors import DataError, ImageError

Polygon: TypeAlias = npt.NDArray[np.float32]
"""float32 [N, 2], x and y in image pixels, clockwise from the text's own top left, N >= 4."""
Image: TypeAlias = npt.NDArray[np.uint8]
"""uint8 [H, W, 3] in BGR order, after the file's EXIF rotation."""


class StoredImage(Protocol):
    """An image inside a larger store, decoded when it is asked for."""

    @property
    def name(self) -> str:
        """What identifies it in messages."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels of what `load` gives."""
        ...

    def load(self) -> Image:
        """The decoded image, uint8 [H, W, 3] BGR.

        Raises:
            ImageError: it is missing or damaged.
        """
        ...


FULL_IMAGE = 0.95
"""Share of an image's sides that a region has to cover to be the image of one line."""
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})


@dataclass(slots=True)
class TextRegion:
    """One text on a page.

    Attributes:
        polygon: float32 [N, 2] in image pixels, clockwise from the text's own top left, N >= 4.
        text: what it says; None when nobody has said, "" when it was labelled as empty.
        ignore: neither a miss nor a hit counts here (``###`` and its relatives).
        score: confidence of a prediction, 0 to 1; None for a label.
        text_score: confidence of a read text, 0 to 1; None for a label or where nothing was read.
        angle: reading direction in degrees; None when unknown.
        source: ``file:line`` of the label, for messages; None for a prediction.
    """

    polygon: Polygon
    text: str | None = None
    ignore: bool = False
    score: float | None = None
    text_score: float | None = None
    angle: float | None = None
    source: str | None = None


@dataclass(slots=True)
class Page:
    """An image with its text regions.

    Attributes:
        image: path of the image file, an image inside a store, or the decoded image, uint8 [H, W, 3] BGR.
        regions: the texts on it, in reading or label order.
        name: what identifies the page in messages and written files; the path as the label file gave it.
        source: ``file`` or ``file:line`` of the label; None when the page was not read from a label file.
    """

    image: Path | StoredImage | Image
    regions: list[TextRegion] = field(default_factory=list)
    name: str = ""
    source: str | None = None

    def __post_init__(self) -> None:
        if not self.name and not isinstance(self.image, np.ndarray):
            self.name = self.image.name

    @property
    def path(self) -> Path:
        """The image file.

        Raises:
            DataError: the page's image is no file of its own.
        """
        if not isinstance(self.image, Path):
            raise DataError(
                "this page has no image file of its own",
                where=self.name or None,
                hint="'ocrtune data convert' writes the images of a store out as files",
            )
        return self.image

    def load(self) -> Image:
        """The decoded image, uint8 [H, W, 3] BGR, after its EXIF rotation.

        Raises:
            ImageError: the file is missing or cannot be decoded.
        """
        if isinstance(self.image, Path):
            return read_image(self.image)
        return self.image if isinstance(self.image, np.ndarray) else self.image.load()

    def size(self) -> tuple[int, int]:
        """Width and height in pixels after EXIF rotation; of a file, only the header is read.

        Raises:
            ImageError: the file is missing or no image.
        """
        if isinstance(self.image, Path):
            return image_size(self.image)
        if isinstance(self.image, np.ndarray):
            return self.image.shape[1], self.image.shape[0]
        return self.image.size

    def with_regions(self, regions: Iterable[TextRegion]) -> Page:
        """The same image with other regions."""
        return replace(self, regions=list(regions))


def read_image(path: Path) -> Image:
    """Decode an image file to uint8 [H, W, 3] BGR, after its EXIF rotation; alpha is dropped.

    Raises:
        ImageError: the file is missing, empty or cannot be decoded.
    """
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except FileNotFoundError as error:
        raise ImageError("the image file does not exist", where=path) from error
    except OSError as error:
        raise ImageError(f"the image file cannot be read: {error.strerror}", where=path) from error
    return decode_image(data, where=path)


def decode_image(data: npt.NDArray[np.uint8], where: object) -> Image:
    """Decode the bytes of an image file, uint8 [n], to uint8 [H, W, 3] BGR.

    Raises:
        ImageError: the bytes are no image that OpenCV can decode.
    """
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error as error:
        raise ImageError(f"the image cannot be decoded: {error.err}", where=where) from error
    if image is None:
        found = "the file is empty" if data.size == 0 else "the file is damaged or no image"
        raise ImageError(found, where=where, expected="a PNG, JPEG, WebP, TIFF or BMP image")
    return np.asarray(image, dtype=np.uint8)


def image_size(path: Path | BinaryIO, where: object = None) -> tuple[int, int]:
    """Width and height in pixels after EXIF rotation, from the header of a file, or of one that was opened.

    Raises:
        ImageError: the file is missing or no image.
    """
    try:
        with path.open("rb") if isinstance(path, Path) else nullcontext(path) as file, PIL.Image.open(file) as image:
            turned = exif_orientation(file, image) >= 5
            return (image.height, image.width) if turned else (image.width, image.height)
    except (OSError, ValueError, SyntaxError, struct.error, PIL.Image.DecompressionBombError) as error:
        raise ImageError(f"the image's header cannot be read: {error}", where=where or path) from error


def exif_orientation(file: BinaryIO, image: PIL.Image.Image) -> int:
    """How EXIF says that an image has to be turned, 1 to 8 (CIPA DC-008, tag 274); 1, upright, where it says nothing.

    Args:
        file: the image file, opened; it is left at another place.
        image: the same, as Pillow has opened it.

    Raises:
        OSError, ValueError, SyntaxError, struct.error: the file is damaged.
    """
    exif = _png_exif(file) if image.format == "PNG" else image.getexif()
    orientation = exif.get(0x0112, 1)
    return int(orientation) if orientation in range(1, 9) else 1


def _png_exif(file: BinaryIO) -> PIL.Image.Exif:
    """What the chunk eXIf of a PNG file says; it may lie behind the pixels, which Pillow would decode to get there."""
    exif = PIL.Image.Exif()
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"eXIf":
            exif.load(b"Exif\0\0" + file.read(length))
            break
        file.seek(length + 4, os.SEEK_CUR)
    return exif


def whole_image(width: int, height: int) -> Polygon:
    """The outline of an image that is one text line, float32 [4, 2]."""
    return as_polygon([(0, 0), (width, 0), (width, height), (0, height)])


def covers(region: TextRegion, size: tuple[int, int]) -> bool:
    """Whether a region takes an image's whole width and height, but for `FULL_IMAGE`."""
    extent = region.polygon.max(axis=0) - region.polygon.min(axis=0)
    return bool((extent >= (FULL_IMAGE * size[0], FULL_IMAGE * size[1])).all())


def as_polygon(points: Sequence[Sequence[float]] | npt.NDArray[np.generic]) -> Polygon:
    """Points in any number format as float32 [N, 2]."""
    return np.asarray(points, dtype=np.float32).reshape(-1, 2)


def signed_area(polygon: Polygon) -> float:
    """Area in square pixels by the shoelace formula; positive when clockwise on screen (y down)."""
    points = polygon.tolist()  # plain numbers: an outline is too short for NumPy to pay
    total, (ax, ay) = 0.0, points[-1] if points else (0.0, 0.0)
    for bx, by in points:
        total += ax * by - bx * ay
        ax, ay = bx, by
    return 0.5 * total


def perimeter(polygon: Polygon) -> float:
    """Length of the closed outline in pixels."""
    points = polygon.tolist()
    total, (ax, ay) = 0.0, points[-1] if points else (0.0, 0.0)
    for bx, by in points:
        total += math.hypot(bx - ax, by - ay)
        ax, ay = bx, by
    return total


def bounds(polygons: Sequence[Polygon]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Smallest and largest x and y of each of some outlines, float32 [len, 2] each."""
    if not polygons:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    points, starts = np.concatenate(polygons), np.cumsum([0, *map(len, polygons[:-1])])
    return np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)


def clockwise_from_top_left(polygon: Polygon) -> Polygon:
    """The same outline, clockwise on screen; a counter-clockwise one is reversed around its first point."""
    if signed_area(polygon) >= 0:
        return polygon
    return np.ascontiguousarray(np.roll(polygon[::-1], 1, axis=0))


def reading_order(regions: Sequence[TextRegion]) -> list[TextRegion]:
    """Top to bottom, then left to right; regions whose tops lie within half a line height share a row."""
    if not regions:
        return []
    tops = np.array([r.polygon[:, 1].min() for r in regions])
    heights = np.array([np.ptp(r.polygon[:, 1]) for r in regions])
    order = np.argsort(tops, kind="stable")
    rows: list[list[int]] = []
    for index in order:
        if rows:
            first = rows[-1][0]
            if tops[index] - tops[first] <= 0.5 * min(heights[index], heights[first]):
                rows[-1].append(int(index))
                continue
        rows.append([int(index)])
    return [regions[i] for row in rows for i in sorted(row, key=lambda i: regions[i].polygon[:, 0].min())]
