"""Pages for the parity gate where there are none: drawn, so that they need no file and are the same everywhere."""

from __future__ import annotations

import cv2
import numpy as np

from ocrtune.page import Page, TextRegion

_TEXTS = ("Invoice 2024-117", "Total 1,284.50", "Thank you!", "12 x 3.99", "TEL 0171-555 38", "quick brown fox")
_SIZES = ((480, 352), (320, 256))  # width, height: two different ones, since networks see sizes of every kind


def drawn_pages() -> list[Page]:
    """Two pages with dark text on light ground, labelled."""
    pages = []
    for index, (width, height) in enumerate(_SIZES):
        image = np.full((height, width, 3), 245 - 20 * index, np.uint8)
        regions = []
        for line, text in enumerate(_TEXTS):
            scale = 0.6 + 0.1 * (line % 3)
            (wide, high), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
            x, y = 16 + 6 * line, (line + 1) * height // (len(_TEXTS) + 1)
            cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, (40, 30, 60), 1, cv2.LINE_AA)
            left, top, right, bottom = x - 2, y - high - 2, x + wide + 2, y + below
            corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
            regions.append(TextRegion(np.array(corners, np.float32), text))
        pages.append(Page(image, regions))
    return pages
