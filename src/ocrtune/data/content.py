"""What a page's image shows, as a number: equal pixels give equal hashes, whatever the files are called."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image

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
        try:
            content = page.image.read_bytes() if isinstance(page.image, Path) else page.load().tobytes()
        except OSError as error:
            raise ImageError(f"the image file cannot be read: {error.strerror}", where=page.path) from error
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
    if not isinstance(page.image, Path):
        return image
    path = page.image
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(path) as file:
                file.draft(file.mode, (1, 1))  # a smaller decode still reads a JPEG to its end
                file.load()
    except PIL.Image.DecompressionBombError:
        pass  # large, but OpenCV has decoded it
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(
            f"the image file is damaged: {error}", where=path, hint="copy the file again from its source"
        ) from error
    return image
