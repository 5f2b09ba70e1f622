"""Geometry for detection: scale, rotation, flip and crop as one affine view of the page, warped once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import shapely

from ocrtune.page import Image, Polygon, TextRegion

Matrix: TypeAlias = npt.NDArray[np.float64]
"""float64 [2, 3], from page pixels to view pixels."""
_MAX_CUT = 0.05  # a region that loses more of its area at the border of the view is not a label any more
_CUT_CANDIDATES = 12


@dataclass(frozen=True)
class RandomView:
    """A window of fixed size onto a scaled and rotated page, placed so that few texts are cut.

    Attributes:
        size: width and height of the window in pixels.
        base_scale: maps a page's (width, height) to the scale at which the model will see it in use.
        scale: range of a random factor on that scale, drawn uniformly in its logarithm.
        stretch: range of a further factor on the width alone.
        rotate: largest angle in degrees, either way.
        rotate_prob: share of views that are rotated at all.
        flip_prob: share of views that are mirrored left to right; mirrored text is no text, so 0 by default.
    """

    size: tuple[int, int]
    base_scale: Callable[[int, int], float]
    scale: tuple[float, float] = (0.75, 1.33)
    stretch: tuple[float, float] = (1.0, 1.0)
    rotate: float = 10.0
    rotate_prob: float = 0.5
    flip_prob: float = 0.0

    def __call__(
        self, image: Image, regions: Sequence[TextRegion], rng: np.random.Generator
    ) -> tuple[Image, list[TextRegion]]:
        height, width = image.shape[:2]
        matrix, extent = self._scaled_and_rotated(width, height, rng)
        moved = [transform_polygon(region.polygon, matrix) for region in regions]
        offset = self._place(moved, [region.ignore for region in regions], extent, rng)
        matrix[:, 2] -= offset
        view = warp(image, matrix, self.size)
        return view, clip_regions(
            [replace(r, polygon=p - offset) for r, p in zip(regions, moved, strict=True)], self.size
        )

    def _scaled_and_rotated(
        self, width: int, height: int, rng: np.random.Generator
    ) -> tuple[Matrix, npt.NDArray[np.float64]]:
        """The matrix, with the rotated page's bounding box at the origin, and that box's size."""
        scale = self.base_scale(width, height) * float(np.exp(rng.uniform(*np.log(self.scale))))
        stretch = float(np.exp(rng.uniform(*np.log(self.stretch))))
        angle = rng.uniform(-self.rotate, self.rotate) if rng.random() < self.rotate_prob else 0.0
        mirror = -1.0 if rng.random() < self.flip_prob else 1.0
        sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
        linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([scale * stretch * mirror, scale])
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) @ linear.T
        low = corners.min(axis=0)
        return np.column_stack([linear, -low]), corners.max(axis=0) - low

    def _place(
        self,
        polygons: Sequence[Polygon],
        ignored: Sequence[bool],
        extent: npt.NDArray[np.float64],
        rng: np.random.Generator,
    ) -> npt.NDArray[np.float32]:
        """Top left of the window in the scaled page: of some random places the one that cuts the fewest texts.

        A place has to show at least one text if any does; where the page is smaller than the window, the page lies
        anywhere inside.
        """
        size = np.array(self.size, np.float64)
        room = extent - size
        places = np.where(room > 0, 1, -1) * rng.random((_CUT_CANDIDATES, 2)) * np.abs(room)
        care = [p for p, ignore in zip(polygons, ignored, strict=True) if not ignore]
        if not care:
            return places[0].astype(np.float32)
        low = np.array([p.min(axis=0) for p in care])[None] - places[:, None]
        high = np.array([p.max(axis=0) for p in care])[None] - places[:, None]
        inside = ((low >= 0) & (high <= size)).all(axis=2)
        touching = ((low < size) & (high > 0)).all(axis=2)
        whole = inside.sum(axis=1)
        # the share of the visible texts that are whole; the number of whole ones decides among equals
        share = whole / np.maximum(touching.sum(axis=1), 1) + 1e-3 * whole / len(care)
        return places[int(np.argmax(share))].astype(np.float32)


def transform_polygon(polygon: Polygon, matrix: Matrix) -> Polygon:
    """Apply an affine matrix to an outline."""
    return (polygon @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def warp(image: Image, matrix: Matrix, size: tuple[int, int]) -> Image:
    """The view, uint8 [h, w, 3], of an image under an affine matrix; outside it is black.

    Pixel centres follow cv2.resize, so that a view without rotation looks like a resized page; strong reduction
    averages first.
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.5:
        half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        doubled = matrix.copy()
        doubled[:, :2] *= 2
        return warp(np.asarray(half, np.uint8), doubled, size)
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return np.asarray(cv2.warpAffine(image, centred, size, flags=cv2.INTER_LINEAR), np.uint8)


def clip_regions(regions: Sequence[TextRegion], size: tuple[int, int]) -> list[TextRegion]:
    """Regions that are still visible; one that loses more than a trace at the border becomes ignored.

    Outlines are kept whole, beyond the border if need be: cutting their corners would turn their edges.
    """
    limit = np.array(size, np.float32)
    window = shapely.box(0, 0, *size)
    kept = []
    for region in regions:
        low, high = region.polygon.min(axis=0), region.polygon.max(axis=0)
        if (high <= 0).any() or (low >= limit).any():
            continue
        if not region.ignore and ((low < 0).any() or (high > limit).any()):
            shape = shapely.Polygon(region.polygon)
            visible = shape.intersection(window).area if shape.is_valid else 0.0
            region = replace(region, ignore=visible < (1 - _MAX_CUT) * shape.area)
        kept.append(region)
    return kept
