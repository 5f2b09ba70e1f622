from __future__ import annotations

import numpy as np

from ocrtune.detection.metric import match_page
from ocrtune.ocr.evaluate import OcrResult, score_readings
from ocrtune.page import Page, TextRegion
from support.pages import rectangle

IMAGE = np.zeros((100, 200, 3), np.uint8)


def scored(labels: list[TextRegion], read: list[TextRegion], policy: str = "exact") -> OcrResult:
    page, prediction = Page(IMAGE, labels, "p"), Page(IMAGE, read, "p")
    return score_readings([page], [prediction], [match_page(page, prediction)], policy)  # type: ignore[arg-type]


def test_a_text_counts_when_it_is_found_and_read() -> None:
    labels = [rectangle(0, 0, 50, 20, "TOTAL"), rectangle(0, 30, 50, 50, "5.00"), rectangle(0, 60, 50, 80, "CASH")]
    read = [rectangle(0, 0, 50, 20, "TOTAL"), rectangle(0, 30, 50, 50, "5.08"), rectangle(100, 60, 150, 80, "xy")]
    result = scored(labels, read)
    assert result.hmean == 2 / 3
    assert result.end_to_end_precision == result.end_to_end_recall == result.end_to_end_hmean == 1 / 3
    assert result.cer == (1 + 4 + 2) / 13, "one wrong, CASH missed, xy too much"
    assert scored(labels, []).end_to_end_hmean == 0.0
    assert scored([], []).cer == 0.0


def test_policies_and_what_does_not_count() -> None:
    labels = [
        rectangle(0, 0, 50, 20, "Total A"),
        rectangle(0, 30, 50, 50, None, ignore=True),
        rectangle(0, 60, 50, 80, ""),
    ]
    read = [rectangle(0, 0, 50, 20, "TOTALA"), rectangle(2, 32, 48, 48, "noise"), rectangle(0, 60, 50, 80, "anything")]
    assert scored(labels, read).end_to_end_hmean == 0.0
    result = scored(labels, read, "ignore-case-space")
    assert result.end_to_end_hmean == 1.0, "ignored regions and regions without a text count neither way"
    assert result.cer == 0.0
