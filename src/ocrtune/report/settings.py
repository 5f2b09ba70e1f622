"""Figures about settings: the range test of a learning rate, and learning curves."""

from __future__ import annotations

import numpy as np

from ocrtune.report.figures import figure_axes, png
from ocrtune.training.learning_curve import MORE, LearningCurve
from ocrtune.training.lr_range import LrRange

_LINE, _POINTS, _MARK = "#1f4e8c", "#b9c6d8", "#b3261e"
_HEADROOM = 1.3  # losses far above the start network's would flatten everything else


def lr_range_figure(found: LrRange) -> bytes:
    """Loss as a share of the start network's over the learning rate, as PNG bytes."""
    figure, (axis,) = figure_axes(1, 1)
    axis.semilogx(found.rates, found.losses / found.start_losses, ".", color=_POINTS, markersize=4)
    axis.semilogx(found.rates, found.relative, color=_LINE, label="smoothed")
    axis.axhline(1, color="#888888", linewidth=0.8)
    axis.axvline(found.own, color="#2a7f3f", linestyle=":", label=f"the run's own, {found.own:.2g}")
    if found.suggested is not None:
        axis.axvline(found.suggested, color=_MARK, linestyle="--", label=f"suggested, {found.suggested:.2g}")
    low = min(float(found.relative.min()), 1.0)
    axis.set_ylim(low - 0.1 * (_HEADROOM - low), _HEADROOM)
    axis.set(title="learning rate range test", xlabel="optimizer.lr", ylabel="loss / start network's loss")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    return png(figure)


def learning_curve_figure(curve: LearningCurve) -> bytes:
    """The figure over the number of labelled pages, with the power law and what it says of more, as PNG bytes."""
    figure, (axis,) = figure_axes(1, 1)
    values, bounds = np.array(curve.figures), np.array(curve.ci95)
    axis.errorbar(
        curve.pages, values, np.abs(bounds.T - values), fmt="o", color=_LINE, capsize=3, label="measured, 95 %"
    )
    along = np.geomspace(curve.pages[0], MORE[-1] * curve.pages[-1], 80)
    axis.plot(along, [1 - curve.law(n) for n in along], color=_MARK, label="power law")
    ahead = [(f.pages, *f.ci95) for f in curve.forecasts]
    pages, low, high = zip(*ahead, strict=True)
    axis.fill_between(pages, low, high, color=_MARK, alpha=0.15, label="95 % of the forecast")
    axis.set_xscale("log")
    axis.set(title="learning curve", xlabel="labelled pages", ylabel=curve.name)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="lower right")
    return png(figure)
