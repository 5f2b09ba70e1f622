"""The parity gate of recognisers and direction classifiers: an exported file must choose what its network chooses."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ocrtune.data.lines import readable
from ocrtune.errors import GateError
from ocrtune.page import Image, Page
from ocrtune.runtime.crop import crop_region
from ocrtune.runtime.engines import Engine
from ocrtune.runtime.preprocess import Batch, LinePreprocess

GATE_LINES = 64
MAX_DIFFERENCE = 1e-3
"""Of a probability; ONNX Runtime's own rounding through a softmax over thousands of classes reaches 1e-4."""


@dataclass(frozen=True)
class LineGate:
    """How an exported file compared with its network.

    Attributes:
        lines: compared lines.
        tensor: largest difference of a probability, over all classes.
        texts_equal: share of lines that both read (or turn) alike, or between equally likely readings.
    """

    lines: int
    tensor: float
    texts_equal: float

    def __str__(self) -> str:
        return f"{self.lines} lines, probabilities within {self.tensor:.1e}, {self.texts_equal:.1%} of the lines alike"

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def gate_lines(pages: Sequence[Page], preprocess: LinePreprocess) -> Iterator[Batch]:
    """The first labelled lines of pages, one a batch, each as wide as it is."""
    crops = itertools.islice(_crops(pages), GATE_LINES)
    return (preprocess([crop], preprocess.input_width(crop.shape[1], crop.shape[0])) for crop in crops)


def compare_lines(
    network: Engine,
    exported: Engine,
    batches: Iterable[Batch],
    max_difference: float = MAX_DIFFERENCE,
    equally_likely: float = MAX_DIFFERENCE,
) -> LineGate:
    """Compare a network with its exported file, line by line.

    Args:
        network, exported: what gives probabilities, float32 [N, T, classes] or [N, classes].
        batches: lines.
        max_difference: of a probability.
        equally_likely: classes whose probabilities differ by no more may be chosen for each other.

    Raises:
        GateError: they differ in a probability, or in what they choose between unequal ones.
    """
    lines, alike, difference = 0, 0, 0.0
    for batch in batches:
        before, after = network(batch), exported(batch)
        difference = max(difference, float(np.abs(before - after).max()))
        chosen = np.take_along_axis(before, after.argmax(-1)[..., None], -1)[..., 0]
        lines += 1
        alike += bool((before.max(-1) - chosen <= equally_likely).all())
    equal = alike / max(lines, 1)
    if not difference <= max_difference or equal < 1.0:
        raise GateError(
            f"the exported file differs from the network: probabilities by up to {difference:.1e}, "
            f"{1 - equal:.1%} of {lines} lines",
            expected=f"at most {max_difference:g}, and every line alike",
        )
    return LineGate(lines, difference, equal)


def _crops(pages: Sequence[Page]) -> Iterator[Image]:
    for page in pages:
        regions = [region for region in page.regions if readable(region)]
        if regions:
            image = page.load()
            yield from (crop_region(image, region.polygon) for region in regions)
