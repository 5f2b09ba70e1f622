"""A data set that a person corrects: every change can be taken back, and what was read stays known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from ocrtune.data.formats import DatasetPath, read_dataset
from ocrtune.data.records import as_json, as_records
from ocrtune.errors import DataError
from ocrtune.page import Page, Polygon, TextRegion, as_polygon, clockwise_from_top_left, signed_area

_LEAST_AREA = 4.0  # square pixels of an outline that somebody meant


@dataclass
class Labels:
    """The pages of a data set, and what was changed on them.

    Attributes:
        dataset: what was read.
        pages: as they are now.
        faults: labels that could not be read.
        before: regions of pages that were touched, as they were read; by the page's index.
    """

    dataset: DatasetPath
    pages: list[Page]
    faults: list[DataError] = field(default_factory=list)
    before: dict[int, list[TextRegion]] = field(default_factory=dict)
    _undo: list[tuple[int, list[TextRegion]]] = field(default_factory=list)

    @classmethod
    def read(cls, dataset: DatasetPath) -> Labels:
        """Read a data set; labels that cannot be read are left out and kept as faults.

        Raises:
            DataError: there is not a single page.
        """
        faults: list[DataError] = []
        return cls(dataset, read_dataset(dataset, faults.append), faults)

    def read_again(self) -> None:
        """Forget every change."""
        fresh = Labels.read(self.dataset)
        self.pages, self.faults = fresh.pages, fresh.faults
        self.before.clear()
        self._undo.clear()

    def change(self, index: int, regions: Sequence[TextRegion]) -> None:
        """Give a page other regions."""
        page = self.pages[index]
        self.before.setdefault(index, page.regions)
        self._undo.append((index, page.regions))
        self.pages[index] = page.with_regions(regions)

    def replace(self, index: int, number: int, region: TextRegion | None) -> None:
        """Put another region in the place of one; None deletes it."""
        regions = list(self.pages[index].regions)
        regions[number : number + 1] = [] if region is None else [region]
        self.change(index, regions)

    def undo(self) -> int | None:
        """Take the last change back; the index of its page, None where there is none."""
        if not self._undo:
            return None
        index, regions = self._undo.pop()
        self.pages[index] = self.pages[index].with_regions(regions)
        return index

    @property
    def changed(self) -> list[int]:
        """Indices of the pages that differ from what was read."""
        return [i for i, regions in sorted(self.before.items()) if digest(self.pages[i].regions) != digest(regions)]


def digest(regions: Iterable[TextRegion]) -> str:
    """The same for regions with the same outlines, texts and marks, wherever they were read from."""
    records = as_records(regions)
    for record in records:
        record.pop("source", None)
    return hashlib.sha256(as_json(records)).hexdigest()


def drawn_outline(points: Sequence[Sequence[float]], size: tuple[int, int]) -> Polygon | None:
    """The outline that a person means with two opposite corners, or with all of them, float32 [N, 2].

    Args:
        points: corners in image pixels; those outside the image are moved to its border.
        size: width and height of the image.

    Returns:
        None where the points enclose nothing.
    """
    corners = np.clip(as_polygon(points), 0, size)
    if len(corners) == 2:
        (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
        corners = as_polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    if len(corners) < 4 or not np.isfinite(corners).all() or abs(signed_area(corners)) < _LEAST_AREA:
        return None
    return clockwise_from_top_left(corners)


def moved_corner(polygon: Polygon, point: Sequence[float], size: tuple[int, int]) -> Polygon | None:
    """An outline whose corner nearest to a point lies there now; None where nothing would be left of it."""
    corners = polygon.copy()
    corners[np.argmin(np.linalg.norm(polygon - as_polygon([point]), axis=1))] = point
    return drawn_outline(corners.tolist(), size)


def region_at(regions: Sequence[TextRegion], point: Sequence[float], reach: float) -> int | None:
    """The smallest region that holds a point, else the nearest one within reach (pixels); None where there is none."""
    distances = [
        cv2.pointPolygonTest(region.polygon, (float(point[0]), float(point[1])), True)
        if np.isfinite(region.polygon).all()
        else -np.inf
        for region in regions
    ]
    inside = [i for i, distance in enumerate(distances) if distance >= 0]
    if inside:
        return min(inside, key=lambda i: abs(signed_area(regions[i].polygon)))
    nearest = max(range(len(regions)), key=lambda i: distances[i], default=None)
    return nearest if nearest is not None and distances[nearest] >= -reach else None
