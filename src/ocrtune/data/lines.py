"""Text lines out of pages: cut out as files, with the code that cuts them out in use."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ocrtune.bundle import TaskName
from ocrtune.data.formats import is_line
from ocrtune.data.store import encoded_image
from ocrtune.errors import DataError, ImageError
from ocrtune.files import write_whole
from ocrtune.page import Image, Page, Polygon, TextRegion
from ocrtune.runtime.crop import crop_region, crop_size, grown_quad, rectified_quad

_SAME_TURNED = frozenset(" 01689OoIlHNXxZzSs|-=+.:*%()/")  # look like themselves, or like each other, upside down
MAX_FIT_LINES = 500
"""Lines that settings are fitted to and states are chosen by: the 95 % interval of an accuracy of 0.95 is 0.04 wide."""
FEW_REGIONS = 2
"""Pages with so many regions at most are read whole; with more, cutting lines out first is faster."""


def readable(region: TextRegion) -> bool:
    """Whether a region is a line that a recogniser can be taught or measured on: it counts, and says something."""
    return not region.ignore and bool(region.text and region.text.strip())


def tells_direction(region: TextRegion) -> bool:
    """Whether a line shows which side is up: ``0``, ``8``, ``1001`` and the like look the same turned over.

    A line that was labelled with its direction instead of a text always does.
    """
    if region.text is None and region.angle is not None:
        return not region.ignore
    return readable(region) and not set(region.text or "") <= _SAME_TURNED


COUNTED: dict[str, Callable[[TextRegion], bool]] = {
    "detection": lambda region: not region.ignore,
    "recognition": readable,
    "orientation": tells_direction,
    "ocr": readable,
}
"""Which regions each task can be taught and measured on."""


def has_counted(pages: Iterable[Page], task: str) -> bool:
    """Whether anything on the pages is of use for a task."""
    return any(COUNTED[task](region) for page in pages for region in page.regions)


def task_of(pages: Sequence[Page]) -> TaskName:
    """What labels allow to adapt: ``recognition`` for cut lines, ``orientation`` for lines with directions, ``ocr`` for
    boxes with texts, else ``detection``."""
    regions = [region for page in pages for region in page.regions]
    if not any(readable(region) for region in regions):
        directed = bool(regions) and all(region.angle is not None for region in regions)
        return "orientation" if directed else "detection"
    return "recognition" if all(_is_line(page) for page in pages[:20]) else "ocr"


def _is_line(page: Page) -> bool:
    try:
        return is_line(page)
    except ImageError:
        return True  # a check leaves the page out; it decides nothing here


def cut_lines(
    pages: Sequence[Page],
    folder: Path,
    margin: float = 0.25,
    each: Callable[[], None] = lambda: None,
    wanted: Callable[[TextRegion], bool] = readable,
) -> list[Page]:
    """Write every wanted line as an image of its own.

    Args:
        pages: labelled pages.
        folder: gets ``<page>_<line>.png``; lines that are there already are not cut again.
        margin: what is kept around a label, as a share of its height, for augmentation to move the label in.
        each: called after each page.
        wanted: which regions are lines.

    Returns:
        pages of one region each, whose outline is the label's in the pixels of the cut image.

    Raises:
        ImageError: a page's image is missing or damaged.
        DataError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, page in enumerate(pages):
        image: Image | None = None
        for index, region in enumerate(page.regions):
            if not wanted(region):
                continue
            # the name follows from what is cut: a mended label or another data set never meets an old image
            key = f"{page.name} {region.polygon.tobytes()!r} {margin}".encode()
            path = folder / f"{number:06d}_{index:04d}_{hashlib.blake2b(key, digest_size=6).hexdigest()}.png"
            quad, inner = with_margin(region.polygon, margin)
            if not path.is_file():
                image = page.load() if image is None else image
                _write_png(path, crop_region(image, quad))
            lines.append(Page(path, [replace(region, polygon=inner)], source=region.source))
        each()
    return lines


def with_margin(polygon: Polygon, margin: float) -> tuple[Polygon, Polygon]:
    """A label's quad grown by a share of its height on all sides, and the label in the pixels of the grown crop."""
    quad, grown = rectified_quad(polygon), grown_quad(polygon, margin)
    width, tall = crop_size(grown)
    target = np.array([[0, 0], [width, 0], [width, tall], [0, tall]], np.float32)
    inner = cv2.perspectiveTransform(quad[None], cv2.getPerspectiveTransform(grown, target))[0]
    return grown, np.asarray(inner, np.float32)


def as_lines(
    pages: Sequence[Page],
    folder: Path,
    each: Callable[[], None] = lambda: None,
    wanted: Callable[[TextRegion], bool] = readable,
) -> list[Page]:
    """Pages as a model of lines is trained on them: cut into lines where they hold many, as they are otherwise."""
    count = sum(wanted(region) for page in pages for region in page.regions)
    if count > FEW_REGIONS * len(pages):
        return cut_lines(pages, folder, each=each, wanted=wanted)
    for _ in pages:
        each()
    return [page for page in pages if any(wanted(region) for region in page.regions)]


def on_disk(pages: Sequence[Page], folder: Path) -> list[Page]:
    """Pages whose images are files: images of a store are written out, byte for byte, others stay where they are.

    Raises:
        ImageError: an image is missing or damaged.
        DataError: a file cannot be written.
    """
    return [as_file(page, folder / f"{number:06d}") for number, page in enumerate(pages)]


def as_file(page: Page, stem: Path) -> Page:
    """A page whose image is a file: the one that it is already, or ``stem`` with the suffix of the image's encoding.

    Raises:
        ImageError: the image is missing or damaged.
        DataError: the file cannot be written.
    """
    if isinstance(page.image, Path):
        return page
    data = encoded_image(page)
    path = stem.with_name(stem.name + _suffix(data))
    _write(path, data)
    return replace(page, image=path)


def _suffix(data: bytes) -> str:
    """The suffix that belongs to an image file's content."""
    starts = {b"\xff\xd8": ".jpg", b"\x89PNG": ".png", b"BM": ".bmp", b"RIFF": ".webp", b"II": ".tif", b"MM": ".tif"}
    return next((suffix for start, suffix in starts.items() if data.startswith(start)), ".png")


def spread_sample(pages: Sequence[Page], most: int) -> list[Page]:
    """At most so many of the pages, evenly spread over their order."""
    if len(pages) <= most:
        return list(pages)
    return [pages[i] for i in np.linspace(0, len(pages) - 1, most).round().astype(int)]


def _write_png(path: Path, image: Image) -> None:
    _write(path, bytes(cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]))


def _write(path: Path, data: bytes) -> None:
    try:
        write_whole(path, data)
    except OSError as error:
        raise DataError(f"the image cannot be written: {error.strerror}", where=path) from error
