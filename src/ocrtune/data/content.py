"""What a page's image shows, as a number: equal pixels give equal hashes, whatever the files are called."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL.Image

from ocrtune.data.store import StoreImage, encoded_image
from ocrtune.errors import ImageError
from ocrtune.page import Image, Page


def content_hash(image: Image) -> str:
    """sha256 over size and pixels, as hexadecimal digits."""
    digest = hashlib.sha256(f"{image.shape}".encode())
    digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()


def fingerprint(pages: Sequence[Page]) -> str:
    """sha256 over the image files and labels of a data set, for the record of what a model was trained on.

    Raises:
        ImageError: an image file is missing.
    """
    digest = hashlib.sha256()
    for page in pages:
        content = page.load().tobytes() if isinstance(page.image, np.ndarray) else encoded_image(page)
        digest.update(hashlib.sha256(content).digest())
        for region in page.regions:
            digest.update(np.ascontiguousarray(region.polygon).tobytes())
            digest.update(f"{region.text!r} {region.ignore}".encode())
    return digest.hexdigest()


def read_whole_image(page: Page) -> Image:
    """Decode a page's image, and make sure that the file is complete.

    OpenCV fills the missing part of a truncated JPEG with grey and says nothing; Pillow notices.

    Raises:
        ImageError: the file is missing, no image, or cut off.
    """
    image = page.load()
    if isinstance(page.image, Path):
        ensure_complete(page.image, page.image)
    elif isinstance(page.image, StoreImage):
        ensure_complete(io.BytesIO(page.image.encoded()), page.image.name)
    return image


def ensure_complete(file: Path | BinaryIO, where: object) -> None:
    """Make sure that an image file, by its path or opened, is not cut off.

    Raises:
        ImageError: it is.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(file) as image:
                image.draft(image.mode, (1, 1))  # a smaller decode still reads a JPEG to its end
                image.load()
    except PIL.Image.DecompressionBombError:
        pass  # large, but OpenCV has decoded it
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(
            f"the image file is damaged: {error}", where=where, hint="copy the file again from its source"
        ) from error
