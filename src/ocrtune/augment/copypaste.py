"""CopyPaste: texts of other pages, set where a view has none (PaddleOCR's transform of that name)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ocrtune.augment.geometry import Matrix, transform_polygon, warp
from ocrtune.page import Image, Polygon, TextRegion, bounds, signed_area

Boxes: TypeAlias = npt.NDArray[np.int64]
"""int64 [..., 2]: x and y in whole pixels."""
_SHARE = 0.2  # of a page's texts are pasted
_MOST = 30
_PLACES = 50
_SMALLEST = 4  # pixels; less of a text is no text
_AROUND = 2  # pixels that are cut out with a text, for its border to be resampled


@dataclass(frozen=True)
class Scrap:
    """A text cut out of a page.

    Attributes:
        image: its surroundings, uint8 [h, w, 3] BGR.
        polygon: its outline in pixels of ``image``.
        text: what it says.
        scale: at which its page is seen in use.
    """

    image: Image
    polygon: Polygon
    text: str | None
    scale: float


def cut_scraps(image: Image, regions: Sequence[TextRegion], scale: float, rng: np.random.Generator) -> list[Scrap]:
    """Texts of a page for other pages: a fifth of those that count, at least one, at most 30, in random order."""
    height, width = image.shape[:2]
    low, high = bounds([region.polygon for region in regions])
    scraps = []
    care = [i for i, region in enumerate(regions) if not region.ignore]
    for index in rng.permutation(care).astype(int).tolist():
        x0, y0 = np.maximum(np.floor(low[index]) - _AROUND, 0).astype(int).tolist()
        x1, y1 = np.minimum(np.ceil(high[index]) + _AROUND, (width, height)).astype(int).tolist()
        if min(x1 - x0, y1 - y0) < _SMALLEST + 2 * _AROUND:
            continue
        region = regions[index]
        polygon = region.polygon - np.array((x0, y0), np.float32)
        scraps.append(Scrap(image[y0:y1, x0:x1].copy(), polygon, region.text, scale))
        if len(scraps) >= max(1, min(int(_SHARE * len(regions)), _MOST)):
            break
    return scraps


@dataclass(frozen=True)
class CopyPaste:
    """Pastes the scraps of one page into a view, each turned and scaled, where its box meets no other text's.

    Attributes:
        scale: range of a random factor on the size at which a scrap's own page is seen.
        rotate: largest angle in degrees, either way.
        prob: share of views that get any.
    """

    scale: tuple[float, float] = (0.75, 1.33)
    rotate: float = 10.0
    prob: float = 0.5

    def __call__(
        self,
        image: Image,
        regions: Sequence[TextRegion],
        donors: Sequence[Sequence[Scrap]],
        page: Polygon,
        rng: np.random.Generator,
    ) -> tuple[Image, list[TextRegion]]:
        """The view with pasted texts, and its regions with theirs.

        Args:
            image: the view, uint8 [H, W, 3]; not changed.
            regions: its texts, ignored ones too.
            donors: scraps by page.
            page: where the view shows its page, a convex outline float32 [4, 2]; nothing is pasted outside.
            rng: all chance.
        """
        if not donors or rng.random() >= self.prob:
            return image, list(regions)
        image, kept = image.copy(), list(regions)
        height, width = image.shape[:2]
        area = np.clip([np.ceil(page.min(axis=0)), np.floor(page.max(axis=0))], 0, (width, height)).astype(int)
        low, high = bounds([region.polygon for region in regions])
        edges = _edges(page)
        for scrap in donors[int(rng.integers(len(donors)))]:
            scale = scrap.scale * float(np.exp(rng.uniform(*np.log(self.scale))))
            matrix = _turned(scale, float(rng.uniform(-self.rotate, self.rotate)))
            outline = transform_polygon(scrap.polygon, matrix)
            corner = np.floor(outline.min(axis=0)) - 1
            matrix[:2, 2], outline = -corner, outline - corner.astype(np.float32)
            size = np.ceil(outline.max(axis=0)).astype(int) + 1
            room = area[1] - area[0] - size
            if (room < 0).any() or size.min() < _SMALLEST + 2:
                continue
            places = area[0] + rng.integers(0, room + 1, (_PLACES, 2))
            free = ~_meets(places, size, low, high) & _inside(places, size, edges)
            if not free.any():
                continue
            place = places[int(np.argmax(free))]
            _paste(image, scrap, matrix, outline, place.tolist(), size.tolist())
            polygon = (outline + place).astype(np.float32)
            kept.append(TextRegion(polygon, scrap.text))
            low, high = np.vstack([low, polygon.min(axis=0)]), np.vstack([high, polygon.max(axis=0)])
        return image, kept


def _meets(places: Boxes, size: Boxes, low: Polygon, high: Polygon) -> npt.NDArray[np.bool_]:
    """Whether boxes of one size at some places, [N, 2], meet any of the boxes from ``low`` to ``high``: bool [N]."""
    x, y = places[:, :1], places[:, 1:]
    beside = (x < high[:, 0]) & (x + size[0] > low[:, 0])
    return np.asarray((beside & (y < high[:, 1]) & (y + size[1] > low[:, 1])).any(axis=1))


def _edges(outline: Polygon) -> npt.NDArray[np.float64]:
    """A convex outline as edges, float64 [4, N]: x and y of their starts and of their vectors, clockwise on screen."""
    start = outline.astype(np.float64)
    if signed_area(outline) < 0:
        start = start[::-1]
    return np.concatenate([start, np.roll(start, -1, axis=0) - start], axis=1).T


def _inside(places: Boxes, size: Boxes, edges: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether boxes of one size at some places, [N, 2], lie in a convex outline: bool [N]."""
    start_x, start_y, x, y = edges
    # how far inside of each edge the box's top left lies, less what its farthest corner loses
    depth = x * (places[:, 1:] - start_y) - y * (places[:, :1] - start_x)
    depth += np.minimum(x * size[1], 0) + np.minimum(-y * size[0], 0)
    return np.asarray((depth >= 0).all(axis=1))


def _turned(scale: float, degrees: float) -> Matrix:
    sine, cosine = scale * np.sin(np.radians(degrees)), scale * np.cos(np.radians(degrees))
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def _paste(image: Image, scrap: Scrap, matrix: Matrix, outline: Polygon, place: list[int], size: list[int]) -> None:
    """Draw what lies inside a scrap's outline into an image."""
    (x, y), (width, height) = place, size
    seen = warp(scrap.image, matrix, (width, height))
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [np.rint((outline - 0.5) * 16).astype(np.int32)], 1, shift=4)
    np.copyto(image[y : y + height, x : x + width], seen, where=inside[..., None].astype(bool))
