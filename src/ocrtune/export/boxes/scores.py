"""Mean probabilities, from sums along the rows of the map: two look-ups for each row of a region."""

from __future__ import annotations

import numpy as np

from ocrtune.export.boxes.components import Runs
from ocrtune.export.boxes.graph import Graph, Tensor
from ocrtune.export.boxes.rectangles import Quads


def mean_of_runs(g: Graph, prob: Tensor, runs: Runs) -> Tensor:
    """Mean probability of each component, float32 [K].

    Args:
        prob: float32 [height, width].
        runs: the components' pixels.
    """
    sums, prob = g.running_sum(prob, axis=1).reshape(-1), prob.reshape(-1)
    pixels = (runs.last - runs.first + 1).to("float")
    inside = sums.take(runs.last) - sums.take(runs.first) + prob.take(runs.first)
    none = g.filled(0.0, runs.components)
    total = g.scattered(none, runs.owner, g.choose(pixels > 0.0, inside, 0.0), "add")
    return total / g.scattered(none, runs.owner, pixels, "add")


def filled_quads(g: Graph, quads: Quads, width: int, height: int) -> Runs:
    """The pixels that cv2.fillPoly sets for each quad: its inside and its edges, each drawn as a line.

    Args:
        quads: convex, with whole corners; they may reach beyond the map.
        width, height: of the map.

    Returns:
        one run for each row of a quad.
    """
    top = g.largest(g.minimum(quads.y, 1), 0.0).to("int64")
    bottom = g.smallest(g.maximum(quads.y, 1), float(height - 1)).to("int64")
    owner, row = _rows(g, top, bottom)
    y = row.to("float").reshape(-1, 1)

    other = quads.turned(g, 1)
    rises = quads.y > other.y
    from_x, to_x = g.choose(rises, other.x, quads.x), g.choose(rises, quads.x, other.x)
    from_y, to_y = g.choose(rises, other.y, quads.y), g.choose(rises, quads.y, other.y)
    # a steep edge has one pixel in a row, the nearest; a flat one has those that are nearer to this row than to others
    flat = to_y - from_y < abs(to_x - from_x)
    half, slack = g.choose(flat, 0.5, 0.0).take(owner), g.choose(flat, 1e-3, 0.5).take(owner)
    from_x, to_x, from_y, to_y = (part.take(owner) for part in (from_x, to_x, from_y, to_y))
    span = g.largest(to_y - from_y, 1e-3)
    at_begin = from_x + (to_x - from_x) * g.smallest(g.largest((y - half - from_y) / span, 0.0), 1.0)
    at_end = from_x + (to_x - from_x) * g.smallest(g.largest((y + half - from_y) / span, 0.0), 1.0)
    left = g.node("Ceil", g.smallest(at_begin, at_end) - slack)
    right = g.node("Floor", g.largest(at_begin, at_end) + slack)
    meets = (from_y <= y) & (y <= to_y)
    leftmost = g.minimum(g.choose(meets, left, float(width)), 1)
    rightmost = g.maximum(g.choose(meets, right, -1.0), 1)

    first = g.smallest(g.largest(leftmost, 0.0), float(width - 1))
    rightmost = g.choose(leftmost < float(width), rightmost, -1.0)
    last = g.largest(g.smallest(rightmost, float(width - 1)), first - 1.0)
    return Runs(row * width + first.to("int64"), row * width + last.to("int64"), owner, top.count())


def _rows(g: Graph, top: Tensor, bottom: Tensor) -> tuple[Tensor, Tensor]:
    """Every row from top to bottom of each of K regions, one after the other: whose it is, and which, int64 [T] each."""
    rows = bottom - top + 1
    ends = g.running_sum(rows)
    begins = ends - rows
    total = g.join([g.constant(np.zeros(1, np.int64)), ends]).take(-1)
    marks = g.scattered(g.filled(0, total), begins, g.filled(1, top.count()), "add")
    owner = g.running_sum(marks) - 1
    return owner, g.positions(total) - begins.take(owner) + top.take(owner)
