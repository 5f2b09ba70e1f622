"""What kind of mistakes a detector makes: merged, split, missed or badly placed texts, and boxes where nothing is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import shapely

from ocrtune.detection.metric import PageMatch
from ocrtune.page import Page

KINDS = {
    "merged": "labelled texts that one box covers together with a neighbour",
    "split": "labelled texts that are cut into several boxes",
    "missed": "labelled texts without any box",
    "loose": "labelled texts whose box fits badly",
    "extra": "boxes where no text is labelled",
}


def error_kinds(pages: Iterable[tuple[Page, Page, PageMatch]]) -> Counter[str]:
    """Count the mistakes on pages, given as (labels, prediction, match).

    A text counts as touched by a box that covers 30 % of it, as covered at 50 %; a box with less than 20 % of its area
    on labelled texts is extra.
    """
    counts: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
    for page, prediction, match in pages:
        counts.update(_page_errors(page, prediction, match))
    return counts


def _page_errors(page: Page, prediction: Page, match: PageMatch) -> Iterable[str]:
    labels = np.array([shapely.Polygon(region.polygon).buffer(0) for region in page.regions], dtype=object)
    boxes = np.array([shapely.Polygon(region.polygon).buffer(0) for region in prediction.regions], dtype=object)
    found, right = {i for i, _ in match.pairs}, {j for _, j in match.pairs}
    if len(labels) and len(boxes):
        shared = shapely.area(shapely.intersection(labels[:, None], boxes[None, :]))
        covered = shared / np.maximum(shapely.area(labels), 1e-6)[:, None]
        on_text = shared.sum(axis=0) / np.maximum(shapely.area(boxes), 1e-6)
    else:
        covered, on_text = np.zeros((len(labels), len(boxes))), np.zeros(len(boxes))
    for i, region in enumerate(page.regions):
        if i in found or region.ignore:
            continue
        touching = np.flatnonzero(covered[i] > 0.3) if len(boxes) else np.empty(0, int)
        if not len(touching):
            yield "missed" if not (covered[i] > 0.1).sum() > 1 else "split"
        elif (covered[:, touching] > 0.5).sum(axis=0).max() > 1:
            yield "merged"
        else:
            yield "split" if (covered[i] > 0.1).sum() > 1 else "loose"
    yield from ("extra" for j in range(len(boxes)) if j not in right and on_text[j] < 0.2)
