"""A detector's figures as tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence

from ocrtune.detection.errors import KINDS, error_kinds
from ocrtune.detection.evaluate import DetectionResult
from ocrtune.detection.metric import DetectionScore
from ocrtune.page import Page
from ocrtune.report.figures import match_picture
from ocrtune.report.html import Picture, Table

SCORE_COLUMNS = ("", "precision", "recall", "hmean", "95 % interval", "mAP@0.5")
WORST_PAGES = 8


def score_row(name: str, score: DetectionScore) -> list[str]:
    """A line of the before/after table."""
    low, high = score.hmean_ci95
    return [
        name,
        f"{score.precision:.4f}",
        f"{score.recall:.4f}",
        f"{score.hmean:.4f}",
        f"{low:.4f} .. {high:.4f}",
        f"{score.map50:.4f}",
    ]


def error_table(named: Sequence[tuple[str, Sequence[Page], DetectionResult]]) -> Table:
    """Mistakes by kind for each model."""
    counts = [error_kinds(zip(pages, r.predictions, r.matches, strict=True)) for _, pages, r in named]
    rows = [[f"{kind}: {text}", *(count[kind] for count in counts)] for kind, text in KINDS.items()]
    return Table("Mistakes by kind", ("", *(name for name, _, _ in named)), rows)


def worst_pages(pages: Sequence[Page], result: DetectionResult) -> list[Picture]:
    """The pages with the most errors, drawn."""
    errors = [m.labels + m.predictions - 2 * m.matched for m in result.matches]
    order = sorted(range(len(pages)), key=lambda i: -errors[i])[:WORST_PAGES]
    return [
        Picture(
            f"{pages[i].name}: {result.matches[i].labels - result.matches[i].matched} missed, "
            f"{result.matches[i].predictions - result.matches[i].matched} wrong",
            match_picture(pages[i], result.predictions[i], result.matches[i]),
        )
        for i in order
        if errors[i]
    ]
