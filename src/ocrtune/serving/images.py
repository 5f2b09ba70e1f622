"""Images and PDFs as clients send them: nothing is decoded before its kind and size are known to be harmless."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image

from ocrtune.errors import ImageError
from ocrtune.page import Image, decode_image, image_size
from ocrtune.runtime.pdf import pdf_sizes
from ocrtune.serving.errors import TooLarge
from ocrtune.serving.limits import Limits

_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"BM")  # PNG, JPEG, TIFF (two), BMP
_SCAN = b"\xff\xda"  # start of a scan in a JPEG file
_SCANS = 100  # of a progressive JPEG; encoders write about 10


def decoded(content: bytes, name: str, limits: Limits) -> Image:
    """An image file's bytes as uint8 [H, W, 3] BGR.

    Args:
        content: of a PNG, JPEG, WebP, TIFF or BMP file.
        name: what messages call it.
        limits: of the server.

    Raises:
        ImageError: the bytes are something else, damaged, or have more pixels than the limit.
    """
    where = name or None
    webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    if content and not webp and not content.startswith(_STARTS):
        raise ImageError("this is no image", where=where, expected="a PNG, JPEG, WebP, TIFF or BMP image, or a PDF")
    if content:
        _check_pixels(_size_in_header(content, where), limits, where)
    if content.startswith(b"\xff\xd8") and content.count(_SCAN) > _SCANS:
        raise ImageError(f"the JPEG has more than {_SCANS} scans", where=where, hint="save the image again")
    return decode_image(np.frombuffer(content, np.uint8), where)


def pdf_pages(content: bytes, name: str, limits: Limits) -> int:
    """The number of pages of a PDF file.

    Raises:
        ImageError: it is damaged or locked, or a page has more pixels than the limit.
        TooLarge: it has more pages than the limit.
    """
    where = name or None
    sizes = pdf_sizes(content, where)
    if len(sizes) > limits.pdf_pages:
        raise TooLarge(
            f"the PDF has {len(sizes)} pages",
            where=where,
            expected=f"at most {limits.pdf_pages}",
            hint="send it in parts",
        )
    for number, size in enumerate(sizes, 1):
        _check_pixels(size, limits, f"{name}#{number}")
    return len(sizes)


def _size_in_header(content: bytes, where: str | None) -> tuple[int, int]:
    try:
        return image_size(io.BytesIO(content))
    except Exception as error:  # on damaged files Pillow raises what it likes
        bomb = isinstance(error.__cause__, PIL.Image.DecompressionBombError)
        what = "the image has far too many pixels" if bomb else "the image is damaged"
        raise ImageError(what, where=where, expected="a PNG, JPEG, WebP, TIFF or BMP image, or a PDF") from error


def _check_pixels(size: tuple[int, int], limits: Limits, where: str | None) -> None:
    width, height = size
    if width * height > limits.pixels:
        raise ImageError(
            f"the image has {width} x {height} pixels",
            where=where,
            expected=f"at most {limits.pixels / 1e6:g} megapixels",
            hint="scale it down",
        )
