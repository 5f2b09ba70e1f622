"""Boxes, rotated boxes and outlines, from and to the numbers of the label formats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ocrtune.page import Polygon, as_polygon

LARGEST = 1e6
"""Pixels; a coordinate beyond it is none."""
_TOLERANCE = 0.02  # pixels by which the corners of a rectangle may miss their places


@dataclass(frozen=True)
class RotatedBox:
    """A rectangle whose sides may run in any direction.

    Attributes:
        x, y: centre in pixels.
        width, height: along and across the text, in pixels.
        angle: of the text's direction, in radians, clockwise on screen.
    """

    x: float
    y: float
    width: float
    height: float
    angle: float

    def corners(self) -> Polygon:
        """float32 [4, 2], clockwise from the text's own top left."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        w, h = self.width / 2, self.height / 2
        corners = ((-w, -h), (w, -h), (w, h), (-w, h))
        return outline([(self.x + dx * cos - dy * sin, self.y + dx * sin + dy * cos) for dx, dy in corners])

    @property
    def upright(self) -> bool:
        """Whether the sides run along the image's and the text is not turned."""
        return math.hypot(self.width, self.height) * abs(math.sin(self.angle)) < _TOLERANCE and abs(self.angle) < 1


def outline(points: Iterable[Sequence[float]]) -> Polygon:
    """Points as float32 [N, 2], N >= 4.

    Raises:
        ValueError: there are less than four points, or one is no pair of numbers.
    """
    pairs = [(float(x), float(y)) for x, y in points]
    if len(pairs) < 4:
        raise ValueError(f"an outline needs at least four points, found {len(pairs)}")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is told later on
        return as_polygon(pairs)


def outline_of(values: Iterable[float]) -> Polygon:
    """Numbers x1, y1, x2, y2, ... as an outline.

    Raises:
        ValueError: they are no pairs, or less than four.
    """
    numbers = list(values)
    return outline(zip(numbers[::2], numbers[1::2], strict=True))


def box(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    """The outline of an upright box; corners may be given in any order."""
    left, right, top, bottom = *sorted((float(x0), float(x1))), *sorted((float(y0), float(y1)))
    return outline([(left, top), (right, top), (right, bottom), (left, bottom)])


def box_of(polygon: Polygon) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of the upright box around an outline."""
    (x0, y0), (x1, y1) = polygon.min(axis=0).tolist(), polygon.max(axis=0).tolist()
    return x0, y0, x1, y1


def as_rotated_box(polygon: Polygon) -> RotatedBox | None:
    """The rectangle that an outline is; None where it is none."""
    if len(polygon) != 4:
        return None
    corners = polygon.astype(np.float64)
    top, left = corners[1] - corners[0], corners[3] - corners[0]
    width, height = float(np.hypot(*top)), float(np.hypot(*left))
    longest = max(width, height)
    clockwise = top[0] * left[1] - top[1] * left[0] >= 0
    parallel = np.abs(corners[0] + corners[2] - corners[1] - corners[3]).max() <= _TOLERANCE
    if not clockwise or not parallel or abs(float(top @ left)) > _TOLERANCE * longest:
        return None
    direction = top if width >= height else (left[1], -left[0])
    centre = corners.mean(axis=0)
    return RotatedBox(float(centre[0]), float(centre[1]), width, height, math.atan2(direction[1], direction[0]))


def nearest_rotated_box(polygon: Polygon) -> RotatedBox:
    """The rectangle that an outline is, or else the smallest one around it, turned as the text runs.

    The text runs along the outline's first half, and back along its second.
    """
    exact = as_rotated_box(polygon)
    if exact is not None:
        return exact
    half = len(polygon) // 2
    direction = polygon[half - 1] - polygon[0] + polygon[half] - polygon[-1]
    corners = in_order(cv2.boxPoints(cv2.minAreaRect(polygon)))
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.maximum(np.linalg.norm(sides, axis=1), 1e-6)
    first = int(np.argmax(sides @ direction / lengths))
    corners, sides, lengths = (np.roll(values, -first, axis=0) for values in (corners, sides, lengths))
    x, y = corners.mean(axis=0).tolist()
    angle = math.atan2(float(sides[0, 1]), float(sides[0, 0]))
    return RotatedBox(x, y, float(lengths[0]), float(lengths[1]), angle)


def four_corners(polygon: Polygon) -> Polygon:
    """An outline of four points as it is, any other as the smallest rectangle around it."""
    return polygon if len(polygon) == 4 else nearest_rotated_box(polygon).corners()


def in_order(polygon: Polygon) -> Polygon:
    """The same outline, clockwise on screen.

    A counter-clockwise one is reversed around its first point. Four corners in a shuffled order, so that sides cross,
    are sorted around their centre and start at the image's top left.
    """
    points = polygon.tolist()
    if len(points) == 4:
        a, b, c, d = points
        if _cross(a, b, c, d) or _cross(b, c, d, a):
            x, y = (a[0] + b[0] + c[0] + d[0]) / 4, (a[1] + b[1] + c[1] + d[1]) / 4
            around = sorted(points, key=lambda point: math.atan2(point[1] - y, point[0] - x))
            first = min(range(4), key=lambda i: sum(around[i]))
            return as_polygon(around[first:] + around[:first])
    following = [*points[1:], points[0]]
    if sum(x * v - u * y for (x, y), (u, v) in zip(points, following, strict=True)) >= 0:
        return polygon
    return as_polygon([points[0], *points[:0:-1]])


def _cross(a: list[float], b: list[float], c: list[float], d: list[float]) -> bool:
    """Whether the sides a-b and c-d cut each other."""

    def side(p: list[float], q: list[float], r: list[float]) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
