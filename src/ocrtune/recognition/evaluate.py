"""Measure a recogniser on labelled lines; no torch needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ocrtune.data.lines import readable
from ocrtune.page import Image, Page
from ocrtune.recognition.metric import LineResult
from ocrtune.runtime.crop import crop_region, crop_size, rectified_quad
from ocrtune.runtime.recognizer import TextRecognizer


def evaluate_recognizer(
    recognizer: TextRecognizer, pages: Sequence[Page], each: Callable[[], None] = lambda: None
) -> list[LineResult]:
    """Read every labelled line of the pages, cut out along its label.

    Args:
        recognizer: the model with its settings.
        pages: labelled pages.
        each: called after each page.

    Raises:
        ImageError: a page's image is missing or damaged.
    """
    results = []
    for batch in _batches(pages):
        crops, sources = [], []
        for number in batch:
            page = pages[number]
            image = page.load()
            for index, region in enumerate(page.regions):
                if readable(region):
                    crops.append(crop_region(image, region.polygon, recognizer.preprocess.margin))
                    sources.append((number, index))
        for (number, index), reading in zip(sources, recognizer.read(crops), strict=True):
            region = pages[number].regions[index]
            width, height = crop_size(rectified_quad(region.polygon))
            results.append(
                LineResult(region.text or "", reading.text, reading.confidence, width, height, number, index)
            )
        for _ in batch:
            each()
    return results


def crop_of(pages: Sequence[Page], result: LineResult) -> Image:
    """The crop that a result is about."""
    page = pages[result.page]
    return crop_region(page.load(), page.regions[result.region].polygon)


def _batches(pages: Sequence[Page], lines: int = 64) -> Iterator[list[int]]:
    """Indices of pages in groups with about so many lines, so that lines of small pages share batches."""
    batch: list[int] = []
    count = 0
    for number, page in enumerate(pages):
        batch.append(number)
        count += len(page.regions)
        if count >= lines:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch
