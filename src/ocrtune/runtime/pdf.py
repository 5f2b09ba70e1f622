"""PDF pages as images, through PDFium."""

from __future__ import annotations

import math
import threading
from pathlib import Path

import numpy as np

from ocrtune.errors import ImageError
from ocrtune.page import Image

PDF_DPI = 200.0
_POINTS = 72.0  # a PDF's unit, per inch
_LOCK = threading.Lock()  # PDFium may only be used by one thread at a time


def pdf_sizes(document: Path | bytes, where: object) -> list[tuple[int, int]]:
    """Width and height in pixels of each page, rendered at `PDF_DPI`.

    Args:
        document: path of a PDF, or its bytes.
        where: what messages call it.

    Raises:
        ImageError: it is no PDF, damaged or locked with a password.
    """
    import pypdfium2

    scale = PDF_DPI / _POINTS
    try:
        with _LOCK, pypdfium2.PdfDocument(document) as opened:
            sizes = [opened.get_page_size(index) for index in range(len(opened))]
    except pypdfium2.PdfiumError as error:
        raise ImageError(
            f"the PDF cannot be opened: {error}", where=where, expected="a PDF without a password"
        ) from error
    return [(math.ceil(width * scale), math.ceil(height * scale)) for width, height in sizes]


def render_pdf_page(document: Path | bytes, index: int, where: object) -> Image:
    """One page, uint8 [H, W, 3] BGR, at `PDF_DPI`.

    Args:
        document: path of a PDF, or its bytes.
        index: of the page, from 0.
        where: what messages call the page.

    Raises:
        ImageError: the page cannot be rendered.
    """
    import pypdfium2

    try:
        with _LOCK, pypdfium2.PdfDocument(document) as opened:
            picture = opened[index].render(scale=PDF_DPI / _POINTS).to_numpy()
            return np.array(picture[..., :3], np.uint8)
    except pypdfium2.PdfiumError as error:
        raise ImageError(f"the page cannot be rendered: {error}", where=where) from error
