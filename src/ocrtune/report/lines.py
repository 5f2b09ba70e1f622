"""A recogniser's or direction classifier's figures as tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ocrtune.page import Image, Page
from ocrtune.recognition.evaluate import crop_of
from ocrtune.recognition.metric import (
    LineResult,
    RecognitionScore,
    TextPolicy,
    breakdown,
    confusions,
)
from ocrtune.report.figures import figure_axes, jpeg, png
from ocrtune.report.html import Picture, Table

SCORE_COLUMNS = ("", "lines", "accuracy", "95 % interval", "1-NED", "CER", "WER", "compared")
WORST_LINES = 36
CONFUSIONS = 20
_ROW = 40


def score_row(name: str, score: RecognitionScore) -> list[str]:
    """A line of the before/after table."""
    low, high = score.accuracy_ci95
    return [
        name,
        str(score.lines),
        f"{score.accuracy:.4f}",
        f"{low:.4f} .. {high:.4f}",
        f"{score.one_minus_ned:.4f}",
        f"{score.cer:.4f}",
        f"{score.wer:.4f}",
        score.policy,
    ]


def confusion_table(named: Sequence[tuple[str, Sequence[LineResult]]], policy: TextPolicy) -> Table:
    """The most frequent confusions of characters, for each model."""
    counts = [confusions(results, policy) for _, results in named]
    total = sum(counts[1:], counts[0].copy())
    rows = [
        [f"{_shown(wanted)} → {_shown(read)}", *(count[wanted, read] for count in counts)]
        for (wanted, read), _ in total.most_common(CONFUSIONS)
    ]
    return Table("Confusions (labelled → read)", ("", *(name for name, _ in named)), rows)


def breakdown_table(named: Sequence[tuple[str, Sequence[LineResult]]], policy: TextPolicy) -> Table:
    """Accuracy by length, height and script, for each model."""
    groups = [{(g.by, g.name): g.score for g in breakdown(results, policy)} for _, results in named]
    rows = [
        [by, name, score.lines, *(f"{group[by, name].accuracy:.4f}" for group in groups)]
        for (by, name), score in groups[0].items()
    ]
    return Table("Accuracy by kind of line", ("by", "", "lines", *(name for name, _ in named)), rows)


def worst_lines(pages: Sequence[Page], results: Sequence[LineResult], policy: TextPolicy) -> list[Picture]:
    """Lines that were read wrong, the most confident first, since those nobody would check."""
    wrong = [r for r in results if not r.right(policy)]
    wrong.sort(key=lambda r: -r.confidence)
    return [
        Picture(
            f"{_name(pages[r.page], r)}: labelled '{r.label}', read '{r.text}' ({r.confidence:.2f})",
            jpeg(_row(crop_of(pages, r))),
        )
        for r in wrong[:WORST_LINES]
    ]


def risk_coverage(named: Sequence[tuple[str, Sequence[LineResult]]], policy: TextPolicy) -> bytes:
    """Error among the lines above a confidence, over the share of lines that are; PNG bytes."""
    figure, (axis,) = figure_axes(1, 1)
    for name, results in named:
        order = sorted(results, key=lambda r: -r.confidence)
        wrong = np.cumsum([not r.right(policy) for r in order])
        count = np.arange(1, len(order) + 1)
        axis.plot(count / max(len(order), 1), wrong / count, label=name)
    axis.set_xlabel("share of lines, the most confident first")
    axis.set_ylabel("share of them that is wrong")
    axis.set_title("risk and coverage")
    axis.grid(alpha=0.3)
    axis.legend()
    return png(figure)


def _row(crop: Image) -> Image:
    width = max(8, round(crop.shape[1] * _ROW / crop.shape[0]))
    return np.asarray(cv2.resize(crop, (min(width, 900), _ROW), interpolation=cv2.INTER_AREA), np.uint8)


def _name(page: Page, result: LineResult) -> str:
    return page.regions[result.region].source or page.name


def _shown(character: str) -> str:
    return {"": "nothing", " ": "space"}.get(character, character)
