"""Labels that start at the wrong corner: found by reading lines both ways, and turned.

A label's first point should be the text's own top left. Tools that sort points by their place in the image break this
for every photo that was taken upside down; what is cut along such a label stands on its head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rapidfuzz.distance import Levenshtein

from ocrtune.data.lines import readable
from ocrtune.page import Page, TextRegion
from ocrtune.recognition.metric import compared
from ocrtune.runtime.crop import crop_region, turned_over
from ocrtune.runtime.recognizer import TextRecognizer

SAMPLE = 200
MIN_SHARE = 0.01
_CLEARLY = 0.2
"""By so much the turned reading must be nearer to the label (normalised edit distance) where it is less confident."""


@dataclass(frozen=True)
class UprightResult:
    """What was found.

    Attributes:
        pages: with labels turned where that makes the text agree.
        turned: ``source`` of each label that was turned.
        looked_at: lines that were read both ways.
    """

    pages: list[Page]
    turned: list[str]
    looked_at: int


def upright_labels(
    recognizer: TextRecognizer,
    pages: Sequence[Page],
    seed: int = 0,
    each: Callable[[], None] = lambda: None,
) -> UprightResult:
    """Turn labels by half a turn where the text is then read as labelled, and not before.

    A sample of the lines is read first; where hardly any is upside down, the others are not looked at.

    Args:
        recognizer: any model that reads some of the lines.
        pages: labelled pages.
        seed: of the sample.
        each: called after each page of the full pass.

    Raises:
        ImageError: a page's image is missing or damaged.
    """
    order = np.random.default_rng(seed).permutation(len(pages))
    sample: list[int] = []
    lines = 0
    for number in order.tolist():
        if lines >= SAMPLE:
            break
        sample.append(number)
        lines += sum(readable(region) for region in pages[number].regions)
    seen = {number: _upside_down(recognizer, pages[number]) for number in sample}
    if sum(map(len, seen.values())) < max(2, MIN_SHARE * lines):
        return UprightResult(list(pages), [], lines)
    result, turned = [], []
    for number, page in enumerate(pages):
        found = seen[number] if number in seen else _upside_down(recognizer, page)
        turned += [page.regions[index].source or page.name for index in sorted(found)]
        result.append(page.with_regions(half_turn(r) if index in found else r for index, r in enumerate(page.regions)))
        each()
    return UprightResult(result, turned, sum(readable(r) for page in pages for r in page.regions))


def half_turn(region: TextRegion) -> TextRegion:
    """The same outline, starting at the opposite corner."""
    return replace(region, polygon=np.roll(region.polygon, -(len(region.polygon) // 2), axis=0))


def _upside_down(recognizer: TextRecognizer, page: Page) -> set[int]:
    """Indices of the regions whose text agrees with the label only when it is turned over."""
    indices = [index for index, region in enumerate(page.regions) if readable(region)]
    if not indices:
        return set()
    image = page.load()
    crops = [crop_region(image, page.regions[index].polygon) for index in indices]
    readings = recognizer.read([*crops, *map(turned_over, crops)])
    found = set()
    for place, index in enumerate(indices):
        label = compared(page.regions[index].text or "", "ignore-case-space")
        as_is, turned = readings[place], readings[place + len(indices)]
        before, after = (
            Levenshtein.normalized_distance(label, compared(reading.text, "ignore-case-space"))
            for reading in (as_is, turned)
        )
        if after < before and (turned.confidence > as_is.confidence or after + _CLEARLY < before):
            found.add(index)
    return found
