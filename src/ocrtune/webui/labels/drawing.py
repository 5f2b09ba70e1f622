"""Pictures of labelled pages: one large with numbered regions, small ones, and lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from ocrtune.data.draw import IGNORED, LABEL, Colour, draw_regions, fit_into
from ocrtune.errors import ImageError, UsageError
from ocrtune.page import Image, Page, Polygon, TextRegion
from ocrtune.report.figures import MISSED
from ocrtune.runtime.crop import crop_region

LARGEST, SMALLEST = 1600, 700
"""Longer side in pixels to which pages are shrunk or enlarged to be shown."""
CHOSEN: Colour = (0, 120, 255)
_LINE_HEIGHT, _LINE_WIDTH = 48, 560


def scale_of(image: Image) -> float:
    """Pixels of the shown picture for one of the image."""
    side = max(image.shape[:2])
    return min(LARGEST / side, max(1.0, SMALLEST / side))


def page_picture(
    image: Image,
    regions: Sequence[TextRegion],
    chosen: int | None = None,
    marked: Polygon | None = None,
    clicks: Sequence[Sequence[float]] = (),
) -> Image:
    """A page with its regions outlined and numbered from 1, uint8 [H, W, 3] BGR, `scale_of` times as large.

    Args:
        image: the page, uint8 [H, W, 3] BGR.
        regions: green what counts, grey what is ignored.
        chosen: index of the one to stand out, with its corners.
        marked: an outline in red: what a finding is about.
        clicks: points in image pixels that were clicked for an outline so far.
    """
    scale = scale_of(image)
    drawn = np.asarray(
        cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC),
        np.uint8,
    )
    for number, region in enumerate(regions):
        if np.isfinite(region.polygon).all():
            colour = CHOSEN if number == chosen else IGNORED if region.ignore else LABEL
            points = np.round(region.polygon * scale).astype(np.int32)
            cv2.polylines(drawn, [points], True, colour, 3 if number == chosen else 2, cv2.LINE_AA)
            _write_number(drawn, str(number + 1), points[0], colour)
            if number == chosen:
                for point in points:
                    cv2.circle(drawn, point.tolist(), 5, colour, -1, cv2.LINE_AA)
    if marked is not None and np.isfinite(marked).all():
        points = np.round(marked * scale).astype(np.int32)
        cv2.polylines(drawn, [points], True, MISSED, 4, cv2.LINE_AA)
    for point in clicks:
        x, y = (round(float(v) * scale) for v in point)
        cv2.drawMarker(drawn, (x, y), MISSED, cv2.MARKER_CROSS, 24, 3, cv2.LINE_AA)
    return drawn


def _write_number(drawn: Image, text: str, corner: np.ndarray, colour: Colour) -> None:
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    x = int(np.clip(corner[0] - width - 6, 0, max(0, drawn.shape[1] - width - 4)))
    y = int(np.clip(corner[1], 0, max(0, drawn.shape[0] - height - 6)))
    cv2.rectangle(drawn, (x, y), (x + width + 3, y + height + 5), colour, -1)
    cv2.putText(drawn, text, (x + 2, y + height + 2), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)


def thumbnail(page: Page, load: Callable[[Page], Image]) -> Image:
    """A small copy of a page with its outlines; grey where its image cannot be shown."""
    try:
        image = load(page)
    except (ImageError, UsageError):
        return np.full((120, 160, 3), 230, np.uint8)
    small = fit_into(image, 320, 320)
    scale = small.shape[1] / image.shape[1]
    finite = [region for region in page.regions if np.isfinite(region.polygon).all()]
    return draw_regions(small, [TextRegion(region.polygon * scale, ignore=region.ignore) for region in finite])


def line_picture(image: Image, polygon: Polygon) -> Image | None:
    """A region cut out and straightened as a recogniser sees it, at one height; None where nothing can be cut."""
    if not np.isfinite(polygon).all():
        return None
    line = crop_region(image, np.clip(polygon, 0, image.shape[1::-1]).astype(np.float32))
    scale = min(_LINE_HEIGHT / line.shape[0], _LINE_WIDTH / line.shape[1])
    size = (max(1, round(line.shape[1] * scale)), max(1, round(line.shape[0] * scale)))
    return np.asarray(cv2.resize(line, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), np.uint8)


def rgb(image: Image) -> Image:
    """As the page's components take it."""
    return np.ascontiguousarray(image[..., ::-1])


def shown_name(page: Page) -> str:
    """The end of a page's name: files differ there."""
    name = Path(page.name).name
    return name if len(name) <= 40 else f"…{name[-39:]}"
