"""A pipeline's figures as tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence

from ocrtune.data.draw import draw_texts, fit_into
from ocrtune.ocr.evaluate import OcrResult
from ocrtune.page import Page
from ocrtune.recognition.metric import compared
from ocrtune.report.figures import jpeg
from ocrtune.report.html import Picture

SCORE_COLUMNS = ("", "pages", "found (hmean)", "found and read (hmean)", "precision", "recall", "CER", "compared")
WORST_PAGES = 4


def score_row(name: str, result: OcrResult) -> list[str]:
    """A line of the before/after table."""
    return [
        name,
        str(result.pages),
        f"{result.hmean:.4f}",
        f"{result.end_to_end_hmean:.4f}",
        f"{result.end_to_end_precision:.4f}",
        f"{result.end_to_end_recall:.4f}",
        f"{result.cer:.4f}",
        result.policy,
    ]


def read_pages(pages: Sequence[Page], result: OcrResult) -> list[Picture]:
    """The pages with the most mistakes, beside what was read on them."""
    mistakes = []
    for page, prediction, match in zip(pages, result.predictions, result.matches, strict=True):
        right = sum(
            compared(page.regions[i].text or "", result.policy)
            == compared(prediction.regions[j].text or "", result.policy)
            for i, j in match.pairs
        )
        mistakes.append(match.labels + match.predictions - 2 * right)
    order = sorted(range(len(pages)), key=lambda i: -mistakes[i])[:WORST_PAGES]
    return [
        Picture(
            f"{pages[i].name}: {mistakes[i]} texts not found, not read right, or too much",
            jpeg(fit_into(draw_texts(pages[i].load(), result.predictions[i].regions), 1400, 1000)),
        )
        for i in order
    ]
