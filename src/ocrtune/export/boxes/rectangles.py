"""Minimal-area rectangles of components and of offset quads.

Where OpenCV turns a rectangle along every edge of the hull, angles are swept here: sixteen over a quarter turn, then
sixteen around the best of them, and so on down to a few ten thousandths of a degree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ocrtune.export.boxes.components import Runs
from ocrtune.export.boxes.graph import Graph, Tensor

MIN_SIDE = 3.0
"""Rectangles with a shorter side are dropped; see `ocrtune.runtime.decode`."""
_REACHES = tuple(math.pi / 4 / 8**sweep for sweep in range(6))  # each as far as the distance of the sweep before
_OFFSETS = np.linspace(-1, 1, 17, dtype=np.float32)
_BEYOND = 1 << 20  # more than any row or column


@dataclass(frozen=True)
class Points:
    """Points of components.

    Attributes:
        x, y: float32 [P], map pixels.
        owner: int64 [P], number of the component.
        components: int64 [], how many there are.
    """

    x: Tensor
    y: Tensor
    owner: Tensor
    components: Tensor


@dataclass(frozen=True)
class Quads:
    """Corners of quads, clockwise; x and y float32 [K, 4], map pixels."""

    x: Tensor
    y: Tensor

    def where(self, mask: Tensor) -> Quads:
        """Those for which the mask, bool [K], holds."""
        return Quads(self.x.where(mask), self.y.where(mask))

    def turned(self, g: Graph, by: int) -> Quads:
        """Each corner replaced by the one that comes so many later."""
        order = g.constant(np.arange(by, by + 4) % 4)
        return Quads(self.x.take(order, axis=1), self.y.take(order, axis=1))

    def clipped(self, g: Graph, width: int, height: int) -> Quads:
        """Moved into an image."""
        x, y = g.largest(self.x, 0.0), g.largest(self.y, 0.0)
        return Quads(g.smallest(x, float(width)), g.smallest(y, float(height)))

    def truncated(self) -> Quads:
        """On whole pixels, as the decoding has it before it fills and offsets them."""
        # what is a whole number but for rounding stays that number
        return Quads((self.x + 1e-3).to("int64").to("float"), (self.y + 1e-3).to("int64").to("float"))


@dataclass(frozen=True)
class Rectangles:
    """Turned rectangles, float32 [K] each, or [K, A] for the candidates of each.

    Attributes:
        cos, sin: of the angle from the x axis to the first side: up to a quarter turn, clockwise, since y points down.
        left, right: extent along that direction.
        top, bottom: extent along the direction that is a quarter turn further.
    """

    cos: Tensor
    sin: Tensor
    left: Tensor
    right: Tensor
    top: Tensor
    bottom: Tensor

    @property
    def width(self) -> Tensor:
        return self.right - self.left

    @property
    def height(self) -> Tensor:
        return self.bottom - self.top

    @property
    def area(self) -> Tensor:
        return self.width * self.height

    def where(self, mask: Tensor) -> Rectangles:
        """Those for which the mask, bool [K], holds."""
        return Rectangles(*(part.where(mask) for part in vars(self).values()))

    def short_side(self, g: Graph) -> Tensor:
        return g.smallest(self.width, self.height)

    def grown(self, distance: Tensor) -> Rectangles:
        """Each side moved outwards by a distance."""
        low, high = (self.left - distance, self.top - distance), (self.right + distance, self.bottom + distance)
        return Rectangles(self.cos, self.sin, low[0], high[0], low[1], high[1])

    def smallest(self, g: Graph) -> tuple[Rectangles, Tensor]:
        """Of each row of candidates the one with the smallest area, and its index, int64 [K, 1]."""
        best = g.node("ArgMin", self.area, axis=1)
        parts = (g.node("GatherElements", part, best, axis=1).reshape(-1) for part in vars(self).values())
        return Rectangles(*parts), best

    def quads(self, g: Graph) -> Quads:
        """The corners from the top left on: the upper one of the two leftmost (PaddleOCR's rule)."""
        along = (self.left, self.right, self.right, self.left)
        across = (self.top, self.top, self.bottom, self.bottom)
        x = g.stack([u * self.cos - v * self.sin for u, v in zip(along, across, strict=True)], 1)
        y = g.stack([u * self.sin + v * self.cos for u, v in zip(along, across, strict=True)], 1)
        # the last corner is leftmost; where the first side is the steeper way up, the one before it is on the left too
        steep = (self.width * self.cos < self.height * self.sin).reshape(-1, 1)
        quads = Quads(x, y)
        from_last = quads.turned(g, 3)
        return Quads(g.choose(steep, from_last.x, x), g.choose(steep, from_last.y, y))


def large_enough(g: Graph, runs: Runs, width: int) -> Runs:
    """The runs of components that a rectangle with sides of three pixels may fit; the others are noise.

    Args:
        width: of the map.
    """
    row, left, right = runs.first // width, runs.first % width, runs.last % width
    low, high = g.filled(_BEYOND, runs.components), g.filled(0, runs.components)
    wide = g.scattered(high, runs.owner, right, "max") - g.scattered(low, runs.owner, left, "min")
    tall = g.scattered(high, runs.owner, row, "max") - g.scattered(low, runs.owner, row, "min")
    # the minimal-area rectangle is no larger than the upright one: below nine pixels it has a side below three
    large = (wide * tall).to("float") >= MIN_SIDE * MIN_SIDE
    kept = large.take(runs.owner)
    number = g.running_sum(large.to("int64")) - 1
    owner = number.take(runs.owner).where(kept)
    return Runs(runs.first.where(kept), runs.last.where(kept), owner, g.nonzero(large).count())


def outermost_points(g: Graph, runs: Runs, width: int) -> Points:
    """The ends of runs that can lie on their component's hull: the outermost of each row.

    Args:
        width: of the map.
    """
    row, left, right = runs.first // width, runs.first % width, runs.last % width
    place, border = runs.owner * _BEYOND + row, g.constant(np.array([-1], np.int64))
    is_leftmost = ~place.equals(g.join([border, place.slice(0, -1)]))
    is_rightmost = ~place.equals(g.join([place.slice(1, None), border]))

    def both(at_left: Tensor, at_right: Tensor) -> Tensor:
        return g.join([at_left.where(is_leftmost), at_right.where(is_rightmost)])

    x, y = both(left, right).to("float"), both(row, row).to("float")
    return Points(x, y, both(runs.owner, runs.owner), runs.components)


def smallest_rectangles(g: Graph, points: Points) -> Rectangles:
    """The minimal-area rectangle of each component."""
    middle = g.filled(math.pi / 4, points.components, 1)
    for reach in _REACHES:
        angles = middle + g.constant(reach * _OFFSETS)
        rectangles, best = _candidates(g, points, angles).smallest(g)
        middle = g.node("GatherElements", angles, best, axis=1)
    return rectangles


def _candidates(g: Graph, points: Points, angles: Tensor) -> Rectangles:
    """The rectangle of each component at each of its angles, float32 [K, 17] radians."""
    cos, sin = g.node("Cos", angles), g.node("Sin", angles)
    x, y = points.x.reshape(-1, 1), points.y.reshape(-1, 1)
    along = x * cos.take(points.owner) + y * sin.take(points.owner)
    across = y * cos.take(points.owner) - x * sin.take(points.owner)
    index = points.owner.reshape(-1, 1) + g.constant(np.zeros((1, len(_OFFSETS)), np.int64))
    low = g.filled(float(_BEYOND), points.components, len(_OFFSETS))
    high = g.filled(-float(_BEYOND), points.components, len(_OFFSETS))
    left, right = g.scattered(low, index, along, "min"), g.scattered(high, index, along, "max")
    top, bottom = g.scattered(low, index, across, "min"), g.scattered(high, index, across, "max")
    return Rectangles(cos, sin, left, right, top, bottom)


def smallest_around(g: Graph, quads: Quads, distance: Tensor) -> Rectangles:
    """The minimal-area rectangle of each quad that was offset outwards with round joins: it lies along an edge.

    Args:
        distance: of the offset, float32 [K].
    """
    following = quads.turned(g, 1)
    dx, dy = following.x - quads.x, following.y - quads.y
    # an edge's direction means the same rectangle as its perpendiculars: the one in the first quadrant is taken
    length = g.node("Sqrt", g.largest(dx * dx + dy * dy, 1.0))
    down = dx * dy >= 0.0
    cos = g.choose(down, abs(dx), abs(dy)) / length
    sin = g.choose(down, abs(dy), abs(dx)) / length
    x, y = quads.x.reshape(-1, 1, 4), quads.y.reshape(-1, 1, 4)
    cosine, sine = cos.reshape(-1, 4, 1), sin.reshape(-1, 4, 1)
    along, across = x * cosine + y * sine, y * cosine - x * sine
    left, right = g.minimum(along, 2), g.maximum(along, 2)
    top, bottom = g.minimum(across, 2), g.maximum(across, 2)
    candidates = Rectangles(cos, sin, left, right, top, bottom).grown(distance.reshape(-1, 1))
    return candidates.smallest(g)[0]
