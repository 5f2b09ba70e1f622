"""Measure a recogniser on labelled lines; no torch needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ocrtune.data.lines import readable
from ocrtune.page import Image, Page
from ocrtune.recognition.metric import LineResult
from ocrtune.runtime.crop import crop_region, crop_size, rectified_quad
from ocrtune.runtime.recognizer import TextRecognizer
from ocrtune.task import Spread, alone


def evaluate_recognizer(
    recognizer: TextRecognizer,
    pages: Sequence[Page],
    each: Callable[[], None] = lambda: None,
    spread: Spread = alone,
) -> list[LineResult]:
    """Read every labelled line of the pages, cut out along its label.

    Args:
        recognizer: the model with its settings.
        pages: labelled pages.
        each: called after each page.
        spread: shares the pages out over processes, in groups that are read in the same batches by any number of them.

    Raises:
        ImageError: a page's image is missing or damaged.
    """

    def read(share: Sequence[list[int]]) -> list[list[LineResult]]:
        return [_read_group(recognizer, pages, group, each) for group in share]

    return [result for group in spread(list(_groups(pages)), read) for result in group]


def _read_group(
    recognizer: TextRecognizer, pages: Sequence[Page], group: Sequence[int], each: Callable[[], None]
) -> list[LineResult]:
    crops, sources = [], []
    for number in group:
        page = pages[number]
        image = page.load()
        for index, region in enumerate(page.regions):
            if readable(region):
                crops.append(crop_region(image, region.polygon, recognizer.preprocess.margin))
                sources.append((number, index))
    results = []
    for (number, index), reading in zip(sources, recognizer.read(crops), strict=True):
        region = pages[number].regions[index]
        width, height = crop_size(rectified_quad(region.polygon))
        results.append(LineResult(region.text or "", reading.text, reading.confidence, width, height, number, index))
    for _ in group:
        each()
    return results


def crop_of(pages: Sequence[Page], result: LineResult) -> Image:
    """The crop that a result is about."""
    page = pages[result.page]
    return crop_region(page.load(), page.regions[result.region].polygon)


def _groups(pages: Sequence[Page], lines: int = 64) -> Iterator[list[int]]:
    """Indices of pages in groups with about so many lines, so that lines of small pages share batches."""
    group: list[int] = []
    count = 0
    for number, page in enumerate(pages):
        group.append(number)
        count += len(page.regions)
        if count >= lines:
            yield group
            group, count = [], 0
    if group:
        yield group
