"""CopyPaste: texts of other pages, set where a view has none (PaddleOCR's transform of that name)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ocrtune.augment.geometry import Matrix, transform_polygon, warp
from ocrtune.page import Image, Polygon, TextRegion, bounds

_SHARE = 0.2  # of a page's texts are pasted
_MOST = 30
_PLACES = 50
_SMALLEST = 4  # pixels; less of a text is no text


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
        x0, y0 = np.maximum(np.floor(low[index]), 0).astype(int).tolist()
        x1, y1 = np.minimum(np.ceil(high[index]), (width, height)).astype(int).tolist()
        if min(x1 - x0, y1 - y0) < _SMALLEST:
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
        for scrap in donors[int(rng.integers(len(donors)))]:
            scale = scrap.scale * float(np.exp(rng.uniform(*np.log(self.scale))))
            matrix = _turned(scale, float(rng.uniform(-self.rotate, self.rotate)))
            outline = transform_polygon(scrap.polygon, matrix)
            matrix[:2, 2] -= np.floor(outline.min(axis=0)) - 1
            outline = transform_polygon(scrap.polygon, matrix)
            size = np.ceil(outline.max(axis=0)).astype(int) + 1
            room = area[1] - area[0] - size
            if (room < 0).any() or np.ptp(outline, axis=0).min() < _SMALLEST:
                continue
            places = area[0] + rng.integers(0, room + 1, (_PLACES, 2))
            meets = (places[:, None] < high[None]) & (places[:, None] + size > low[None])
            free = ~meets.all(axis=2).any(axis=1) & _inside(page, places, size)
            if not free.any():
                continue
            place = places[int(np.argmax(free))]
            _paste(image, scrap, matrix, outline, place.tolist(), size.tolist())
            polygon = (outline + place).astype(np.float32)
            kept.append(TextRegion(polygon, scrap.text))
            low, high = np.vstack([low, polygon.min(axis=0)]), np.vstack([high, polygon.max(axis=0)])
        return image, kept


def _inside(page: Polygon, places: npt.NDArray[np.int64], size: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether boxes of one size at some places, [N, 2], lie in a convex outline: bool [N]."""
    corners = (places[:, None] + size * np.array([[0, 0], [1, 0], [1, 1], [0, 1]])).astype(np.float64)
    edges = np.roll(page, -1, axis=0) - page
    from_starts = corners[:, :, None] - page
    side = edges[:, 0] * from_starts[..., 1] - edges[:, 1] * from_starts[..., 0]
    return np.asarray((side >= -1e-3).all(axis=(1, 2)) | (side <= 1e-3).all(axis=(1, 2)))


def _turned(scale: float, degrees: float) -> Matrix:
    sine, cosine = scale * np.sin(np.radians(degrees)), scale * np.cos(np.radians(degrees))
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def _paste(image: Image, scrap: Scrap, matrix: Matrix, outline: Polygon, place: list[int], size: list[int]) -> None:
    """Draw what lies inside a scrap's outline into an image, with a soft edge."""
    (x, y), (width, height) = place, size
    seen = warp(scrap.image, matrix, (width, height))
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [np.rint((outline - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    window = image[y : y + height, x : x + width]
    share = inside[..., None].astype(np.float32) / 255
    window[:] = np.rint(window * (1 - share) + seen * share).astype(np.uint8)
