"""Connected components of a text mask, found over horizontal runs of pixels: they are far fewer than pixels.

Sources: He et al., "A Run-Based Two-Scan Labeling Algorithm" (2008) for the runs; Zhang et al., "FastSV: A
Distributed-Memory Connected Component Algorithm with Fast Convergence" (2020) for the labels, in rounds whose number grows
with the logarithm of a component's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocrtune.export.boxes.graph import Graph, Tensor

_NOWHERE = np.iinfo(np.int64).max  # behind every position


@dataclass(frozen=True)
class Runs:
    """Horizontal runs of pixels on a map, by flat positions: row * width + column.

    Attributes:
        first, last: int64 [R], positions of the two ends; an empty run ends before it begins.
        owner: int64 [R], number of the component that the run belongs to.
        components: int64 [], how many there are.
    """

    first: Tensor
    last: Tensor
    owner: Tensor
    components: Tensor


def connected_runs(g: Graph, mask: Tensor, width: int, height: int) -> Runs:
    """The 8-connected components of a mask, bool [height, width], in the order of their first pixels; runs likewise."""
    stride = width + 2  # a border of one pixel gives every pixel eight neighbours
    bordered = g.node("Pad", mask, g.constant(np.ones(4, np.int64))).reshape(-1)
    changes = g.node("Xor", bordered.slice(0, -1), bordered.slice(1, None))
    ends = g.nonzero(changes).reshape(-1, 2)  # the last position before a run, the last position of the run
    first, last = ends.take(0, axis=1) + 1, ends.take(1, axis=1)
    row, index = first // stride, g.positions(first.count())
    in_row = g.scattered(g.filled(0, height + 2), row, g.filled(1, first.count()), "add")
    before_row = g.running_sum(in_row, before=True)

    def touched(rows: int) -> Tensor:
        """The leftmost run that each run touches so many rows further; itself where there is none."""
        shift = rows * stride
        leftmost = _first_from(g, last, before_row.take(row + rows), first + (shift - 1), stride // 2)
        beginning = g.join([first, g.constant(np.array([_NOWHERE]))]).take(leftmost)
        return g.choose(beginning <= last + (shift + 1), leftmost, index)

    # of two runs that touch, the upper is the lower one's leftmost or the lower is the upper one's
    label = _smallest_connected(g, index, touched(-1), touched(1))
    is_root = label.equals(index)
    number = g.running_sum(is_root.to("int64")) - 1
    border = (row - 1) * 2 + (stride + 1)  # how many positions of it come before each run
    return Runs(first - border, last - border, number.take(label), g.nonzero(is_root).count())


def _first_from(g: Graph, values: Tensor, begin: Tensor, least: Tensor, most: int) -> Tensor:
    """Binary search for the first value that is not too small, int64 [N], or the number of values.

    Args:
        values: int64 [M], ascending.
        begin: int64 [N], where each search begins.
        least: int64 [N], what each search looks for.
        most: by how much a search may go beyond its beginning.
    """
    padded = g.join([values, g.constant(np.array([_NOWHERE]))])
    found = begin
    for step in (2**power for power in reversed(range(most.bit_length()))):
        probed = g.smallest(found + (step - 1), values.count())
        found = g.choose(padded.take(probed) < least, found + step, found)
    return found


def _smallest_connected(g: Graph, index: Tensor, above: Tensor, below: Tensor) -> Tensor:
    """For each run the smallest index of a run in its component, int64 [R]."""
    body = Graph(outer=g)
    label = Tensor(body, "label")
    over, under = label.take(above), label.take(below)
    near = body.smallest(label, over, under)
    roots = body.join([label, over, under])
    hooked = body.smallest(near, body.scattered(label, roots, body.join([near, near, near]), "min"))
    return g.repeat_until_stable(index, body, label, hooked.take(hooked))
