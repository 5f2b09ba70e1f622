"""What a check needs to know of an image: found out once, small enough to be remembered."""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image

from ocrtune.data.check.similar import perceptual_hash
from ocrtune.data.content import content_hash, read_whole_image
from ocrtune.errors import ImageError
from ocrtune.page import Image, Page, Polygon, clockwise_from_top_left, exif_orientation

_BLANK = 3  # grey levels within which an image is of one colour


@dataclass(frozen=True)
class ImageFacts:
    """What an image file is like.

    Attributes:
        width, height: in pixels after the EXIF rotation; 0 where the image cannot be read.
        digest: content hash, 32 bytes.
        print: perceptual hash, 128 bytes.
        orientation: EXIF's, 1 to 8; 1 is upright.
        frames: images in the file, of which the first counts.
        blank: whether it is of one colour.
        fault: why it cannot be read; empty where it can.
    """

    width: int = 0
    height: int = 0
    digest: bytes = b""
    print: bytes = b""
    orientation: int = 1
    frames: int = 1
    blank: bool = False
    fault: str = ""


def image_facts(page: Page) -> ImageFacts:
    """Decode a page's image, completely, and tell what it is like."""
    try:
        image = read_whole_image(page)
    except ImageError as error:
        return ImageFacts(fault=error.what)
    orientation, frames = _header(page.image) if isinstance(page.image, Path) else (1, 1)
    height, width = image.shape[:2]
    small = image[:: max(1, height // 64), :: max(1, width // 64)]
    blank = _one_colour(small) and _one_colour(image)  # the first look spares most images the second
    digest = bytes.fromhex(content_hash(image))
    return ImageFacts(width, height, digest, perceptual_hash(image), orientation, frames, blank)


def _one_colour(image: Image) -> bool:
    return all(int(np.ptp(image[..., channel])) < _BLANK for channel in range(3))


def _header(path: Path) -> tuple[int, int]:
    """EXIF orientation and number of frames."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with path.open("rb") as file, PIL.Image.open(file) as image:
                orientation = exif_orientation(file, image)
                frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # MPO: a photo and its previews
                return orientation, int(frames)
    except (OSError, SyntaxError, ValueError, struct.error, PIL.Image.DecompressionBombError):
        return 1, 1


def turned_with_image(polygon: Polygon, orientation: int, width: int, height: int) -> Polygon:
    """An outline in the pixels of the file as stored, in those of the image after its EXIF rotation.

    Args:
        polygon: float32 [N, 2].
        orientation: EXIF's, 1 to 8 (CIPA DC-008, tag 274).
        width, height: of the image after the rotation.
    """
    if orientation >= 5:
        polygon = polygon[:, ::-1]  # rows and columns change places
    x, y = polygon[:, 0], polygon[:, 1]
    if orientation in (2, 3, 6, 7):
        x = width - x
    if orientation in (3, 4, 7, 8):
        y = height - y
    return clockwise_from_top_left(np.stack([x, y], axis=1).astype(np.float32))
