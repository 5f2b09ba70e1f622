from __future__ import annotations

import numpy as np
import pytest

from ocrtune.detection.metric import match_page, precision_recall_hmean, score
from ocrtune.page import Page, TextRegion, as_polygon
from support.golden import load_json

Quad = list[list[float]]


def page(polygons: list[Quad], ignored: list[bool] | None = None, scores: list[float] | None = None) -> Page:
    flags = ignored or [False] * len(polygons)
    values = scores or [1.0] * len(polygons)
    regions = [TextRegion(as_polygon(p), ignore=i, score=s) for p, i, s in zip(polygons, flags, values, strict=True)]
    return Page(np.zeros((1, 1, 3), np.uint8), regions)


def box(x: float, y: float, width: float = 40, height: float = 10) -> Quad:
    return [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]


def test_counts_and_figures_are_the_official_ones() -> None:
    golden = load_json("metric.json")["det"]
    matches = []
    for case in golden["cases"]:
        match = match_page(page(case["gt"], case["ignore"]), page(case["pred"]))
        counts = case["per_image"]
        expected = (counts["gtCare"], counts["detCare"], counts["detMatched"])
        assert (match.labels, match.predictions, match.matched) == expected, case["name"]
        figures = precision_recall_hmean(match.matched, match.predictions, match.labels)
        alone = case["metric_alone"]
        assert figures == pytest.approx((alone["precision"], alone["recall"], alone["hmean"]), abs=1e-9), case["name"]
        matches.append(match)
    total, stored = score(matches), golden["aggregate_all_cases"]
    assert (total.precision, total.recall, total.hmean) == pytest.approx(
        (stored["precision"], stored["recall"], stored["hmean"]), abs=1e-9
    )


def test_average_precision_by_hand() -> None:
    """Two labels; the scores order a hit, a miss, a hit: precision 1 up to recall 0.5, then 2/3."""
    labels = page([box(0, 0), box(0, 50)])
    found = page([box(0, 0), box(100, 100), box(0, 50)], scores=[0.9, 0.8, 0.7])
    result = score([match_page(labels, found)])
    assert result.map50 == pytest.approx(0.5 * 1 + 0.5 * 2 / 3, abs=1e-6)
    assert result.precision == pytest.approx(2 / 3)
    assert result.recall == 1


def test_pages_without_text_and_without_boxes() -> None:
    nothing = score([match_page(page([]), page([]))])
    assert (nothing.precision, nothing.recall, nothing.hmean) == (0, 0, 0)
    assert score([match_page(page([box(0, 0)]), page([]))]).hmean == 0
    assert score([match_page(page([]), page([box(0, 0)]))]).hmean == 0


def test_confidence_interval_holds_the_figure_and_narrows_with_more_pages() -> None:
    rng = np.random.default_rng(0)
    matches = []
    for _ in range(400):
        labels = [box(0, 20 * i) for i in range(10)]
        kept = [b for b in labels if rng.random() < 0.8]
        matches.append(match_page(page(labels), page(kept)))
    few, many = score(matches[:20]), score(matches)
    for result in (few, many):
        assert result.hmean_ci95[0] <= result.hmean <= result.hmean_ci95[1]
    assert many.hmean_ci95[1] - many.hmean_ci95[0] < few.hmean_ci95[1] - few.hmean_ci95[0]
