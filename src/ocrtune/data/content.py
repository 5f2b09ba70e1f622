"""What a page's image shows, as a number: equal pixels give equal hashes, whatever the files are called."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np
import PIL.Image

from ocrtune.errors import ImageError
from ocrtune.page import Image, read_image


def content_hash(image: Image) -> str:
    """sha256 over size and pixels, as hexadecimal digits."""
    digest = hashlib.sha256(f"{image.shape}".encode())
    digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()


def read_whole_image(path: Path) -> Image:
    """Decode an image, and make sure that the file is complete.

    OpenCV fills the missing part of a truncated JPEG with grey and says nothing; Pillow notices.

    Raises:
        ImageError: the file is missing, no image, or cut off.
    """
    image = read_image(path)
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
