"""Figures as PNG bytes, drawn without a display."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ocrtune.data.draw import LABEL, Colour, draw_regions, fit_into
from ocrtune.detection.metric import PageMatch, precision_recall_curve
from ocrtune.page import Image, Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MISSED: Colour = (0, 0, 230)
WRONG: Colour = (230, 80, 0)


def training_curves(metrics: Sequence[Mapping[str, str]], monitor: str, base: float | None = None) -> bytes:
    """Loss, learning rate and the monitored figure over the steps, as PNG bytes.

    Args:
        metrics: rows of ``metrics.csv``.
        monitor: name of the figure.
        base: the same figure of the base on the same validation data, drawn as a line.
    """
    figure, (loss, rate, value) = figure_axes(1, 3)
    steps, values = series(metrics, "train", "loss")
    loss.plot(steps, values, color="#b9c6d8", linewidth=0.8)
    loss.plot(steps, _smooth(values), color="#1f4e8c", linewidth=1.6)
    loss.set_title("loss")
    steps, values = series(metrics, "train", "lr")
    rate.plot(steps, values, color="#1f4e8c")
    rate.set_title("learning rate")
    steps, values = series(metrics, "val", monitor)
    value.plot(steps, values, marker="o", color="#2a7f3f", label="fine-tuned")
    if base is not None:
        value.axhline(base, color="#b3261e", linestyle="--", label="base")
        value.legend()
    value.set_title(f"validation {monitor}")
    for axis in (loss, rate, value):
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
    return png(figure)


def precision_recall(curves: Mapping[str, Sequence[PageMatch]]) -> bytes:
    """Precision over recall for each named model."""
    figure, (axis,) = figure_axes(1, 1)
    for name, matches in curves.items():
        precision, recall = precision_recall_curve(matches)
        axis.plot(recall, precision, label=name)
    axis.set_xlabel("recall")
    axis.set_ylabel("precision")
    axis.set_title("precision and recall (IoU 0.5)")
    axis.grid(alpha=0.3)
    axis.legend()
    return png(figure)


def match_picture(page: Page, prediction: Page, match: PageMatch, width: int = 700, height: int = 1000) -> bytes:
    """Predictions against labels as JPEG: green found, red missed, blue wrong, grey ignored."""
    found, right = {i for i, _ in match.pairs}, {j for _, j in match.pairs}
    image = draw_regions(page.load(), [region for region in page.regions if region.ignore])
    image = draw_regions(image, [r for j, r in enumerate(prediction.regions) if j in right], LABEL)
    image = draw_regions(image, [r for j, r in enumerate(prediction.regions) if j not in right], WRONG)
    image = draw_regions(image, [r for i, r in enumerate(page.regions) if i not in found and not r.ignore], MISSED)
    return jpeg(fit_into(image, width, height))


def jpeg(image: Image) -> bytes:
    """An image, uint8 [H, W, 3] BGR, as JPEG bytes."""
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 82])[1])


def figure_axes(rows: int, columns: int) -> tuple[Figure, Sequence[Any]]:
    """An empty figure without a display, and its axes, row by row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * columns + 0.6, 3.4 * rows), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def png(figure: Figure) -> bytes:
    """A figure as PNG bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def series(metrics: Sequence[Mapping[str, str]], kind: str, name: str) -> tuple[list[int], list[float]]:
    """Steps and values of a figure in the rows of a run's ``metrics.csv``."""
    rows = [row for row in metrics if row["kind"] == kind and row["name"] == name]
    return [int(row["step"]) for row in rows], [float(row["value"]) for row in rows]


def _smooth(values: Sequence[float], weight: float = 0.9) -> np.ndarray:
    smoothed, level = [], None
    for value in values:
        level = value if level is None else weight * level + (1 - weight) * value
        smoothed.append(level)
    return np.array(smoothed)
