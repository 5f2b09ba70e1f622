"""A detector in one ``onnx-boxes`` file."""

from __future__ import annotations

import cv2
import numpy as np

from ocrtune.page import Image, Page, TextRegion, reading_order
from ocrtune.runtime.engines import OnnxBoxEngine


class BoxDetector:
    """Finds the texts on a page as `ocrtune.runtime.detector.TextDetector` does; the page is stretched to the file's size.

    Args:
        engine: the file.
    """

    def __init__(self, engine: OnnxBoxEngine) -> None:
        self._engine = engine

    def detect(self, image: Image) -> list[TextRegion]:
        """Regions of one image, uint8 [H, W, 3] BGR, in reading order, in its pixels."""
        resized = cv2.resize(image, self._engine.size)
        blob = resized.transpose(2, 0, 1)[np.newaxis].astype(np.float32) / 255.0
        boxes, scores = self._engine(blob)
        scale = np.array(image.shape[1::-1], np.float32) / np.array(self._engine.size, np.float32)
        quads = boxes.reshape(-1, 4, 2) * scale
        return reading_order([TextRegion(quad, score=float(score)) for quad, score in zip(quads, scores, strict=True)])

    def predict(self, page: Page) -> Page:
        """The same page with the found regions.

        Raises:
            ImageError: the page's image is missing or damaged.
        """
        return page.with_regions(self.detect(page.load()))
