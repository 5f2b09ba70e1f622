"""A text detector ready to run: pre-processing, engine and decoding that belong together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocrtune.page import Image, Page, TextRegion, reading_order
from ocrtune.runtime.decode import DetectionThresholds, ProbMap, decode_map
from ocrtune.runtime.engines import Engine
from ocrtune.runtime.preprocess import DetectionPreprocess


@dataclass
class TextDetector:
    """Finds the texts on a page.

    Attributes:
        engine: the network.
        preprocess: how a page becomes its input.
        thresholds: how its probability map becomes regions.
    """

    engine: Engine
    preprocess: DetectionPreprocess
    thresholds: DetectionThresholds

    def prob_map(self, image: Image) -> ProbMap:
        """The network's probability map, float32 [h, w], for one image, uint8 [H, W, 3] BGR."""
        return np.asarray(self.engine(self.preprocess(image))[0, 0], np.float32)

    def detect(self, image: Image) -> list[TextRegion]:
        """Regions of one image, uint8 [H, W, 3] BGR, in reading order, in its pixels."""
        return self.regions(self.prob_map(image), image)

    def regions(self, prob: ProbMap, image: Image) -> list[TextRegion]:
        """What a map, float32 [h, w], says about the image that it was made from."""
        height, width = image.shape[:2]
        polygons, scores = decode_map(prob, self.thresholds, (width, height))
        return reading_order(
            [TextRegion(polygon, score=float(score)) for polygon, score in zip(polygons, scores, strict=True)]
        )

    def predict(self, page: Page) -> Page:
        """The same page with the found regions.

        Raises:
            ImageError: the page's image is missing or damaged.
        """
        return page.with_regions(self.detect(page.load()))
