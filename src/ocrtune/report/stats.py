"""What a data set is like, as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ocrtune.data.stats import RARE, DatasetStats
from ocrtune.report.figures import figure_axes, png

_COLOUR = "#1f4e8c"
_BINS = 40


def stats_figure(stats: DatasetStats) -> bytes:
    """Page sizes, texts a page, text heights, aspect ratios, lengths, characters and scripts, as PNG bytes."""
    figure, axes = figure_axes(2, 4)
    sizes, texts, heights, ratios, lengths, slants, characters, scripts = axes
    sizes.scatter(stats.widths, stats.heights, s=8, alpha=0.4, color=_COLOUR)
    sizes.set(title=f"sizes of {stats.pages} pages", xlabel="width in pixels", ylabel="height in pixels")
    _histogram(texts, stats.texts_on_a_page, f"texts a page ({stats.ignored} ignored)", "texts")
    _histogram(heights, stats.text_heights, f"text heights at {stats.page_size}", "pixels")
    _histogram(ratios, stats.aspect_ratios, "aspect ratios", "longer side / shorter side")
    _histogram(lengths, stats.lengths, "lengths", "characters of a text")
    _histogram(slants, stats.slants, "slants", "degrees from the nearest axis")
    _characters(characters, sorted(stats.characters.values(), reverse=True))
    _scripts(scripts, stats.scripts)
    return png(figure)


def _histogram(axis: Any, values: Sequence[float], title: str, label: str) -> None:
    """Counts of values; the last hundredth is gathered in the last bar, so that single ones do not hide the others."""
    axis.set(title=title, xlabel=label)
    if not values:
        return
    top = float(np.percentile(values, 99))
    whole = all(float(value).is_integer() for value in values)
    bins: Any = np.arange(min(values) - 0.5, top + 1.5) if whole and top - min(values) < _BINS else _BINS
    shown = np.minimum(values, top)
    axis.hist(shown, bins=bins, color=_COLOUR)
    if max(values) > top:
        axis.set_xlabel(f"{label} (up to {max(values):.0f})")
    axis.axvline(float(np.median(values)), color="#b3261e", linestyle="--", linewidth=1)


def _characters(axis: Any, counts: Sequence[int]) -> None:
    rare = sum(count < RARE for count in counts)
    axis.set(title=f"{len(counts)} characters, {rare} rare", xlabel="rank", ylabel="occurrences")
    if counts:
        axis.loglog(range(1, len(counts) + 1), counts, color=_COLOUR)
        axis.axhline(RARE, color="#b3261e", linestyle="--", linewidth=1)


def _scripts(axis: Any, scripts: dict[str, int]) -> None:
    axis.set(title="scripts", xlabel="characters")
    if scripts:
        names = list(scripts)[::-1]
        axis.barh(names, [scripts[name] for name in names], color=_COLOUR, log=True)
