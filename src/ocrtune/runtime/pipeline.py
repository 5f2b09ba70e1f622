"""The whole way from a page to its texts: detection, direction, recognition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace

from ocrtune.page import Image, Page, TextRegion
from ocrtune.runtime.crop import crop_region, turned_over
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.orientation import LineOrientation
from ocrtune.runtime.parallel import each
from ocrtune.runtime.recognizer import Reading, TextRecognizer


@dataclass
class OcrPipeline:
    """Finds and reads the texts on a page.

    Attributes:
        detector: finds the lines.
        recognizer: reads them.
        orientation: finds lines that are upside down; None trusts that none is.
        min_text_score: lines that are read with less confidence are left out.
        threads: that work at the same time, each on a page of its own, where there are several.
    """

    detector: TextDetector
    recognizer: TextRecognizer
    orientation: LineOrientation | None = None
    _: KW_ONLY
    min_text_score: float = 0.0
    threads: int = 1

    def read(self, image: Image) -> list[TextRegion]:
        """Texts of one image, uint8 [H, W, 3] BGR, in reading order, in its pixels."""
        return self.read_pages([image])[0]

    def read_pages(self, images: Sequence[Image]) -> list[list[TextRegion]]:
        """Texts of several images; ``angle`` is 180 where a line is upside down.

        The pages are searched side by side, then the lines of all are read side by side: every thread has work whether
        there is one page with many lines or many pages with few.
        """
        found = each(self._found, images, self.threads)
        pages = [regions for regions, _ in found]
        crops = [crop for _, crops in found for crop in crops]
        angles = [0.0] * len(crops)
        if self.orientation is not None:
            for index, turned in enumerate(self.orientation.turned(crops)):
                if turned:
                    crops[index], angles[index] = turned_over(crops[index]), 180.0
        lines = zip(self.recognizer.read(crops), angles, strict=True)
        read = [[_said(region, *next(lines)) for region in regions] for regions in pages]
        return [[region for region in regions if (region.text_score or 0.0) >= self.min_text_score] for regions in read]

    def _found(self, image: Image) -> tuple[list[TextRegion], list[Image]]:
        """Lines of one image, and what is cut out for each."""
        regions = self.detector.detect(image)
        margin = self.recognizer.preprocess.margin
        return regions, [crop_region(image, region.polygon, margin) for region in regions]

    def predict(self, page: Page) -> Page:
        """The same page with the texts that were found.

        Raises:
            ImageError: the page's image is missing or damaged.
        """
        return page.with_regions(self.read(page.load()))


def _said(region: TextRegion, reading: Reading, angle: float) -> TextRegion:
    """A region with what was read in it, seen at an angle of so many degrees."""
    angle = (angle + 180.0) % 360 if reading.turned else angle
    return replace(region, text=reading.text, text_score=reading.confidence, angle=angle)
