"""What was gained and what was lost: tables and a figure of the forgetting guard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ocrtune.report.figures import figure_axes, png, series
from ocrtune.report.html import Picture, Table
from ocrtune.training.interpolation import Choice


def anchor_table(title: str, name: str, figures: Mapping[str, float]) -> Table:
    """Models on the anchor.

    Args:
        title: of the table.
        name: of the figure.
        figures: by the model's name; the last one is compared with each of the others.
    """
    *_, last = figures.values()
    rows = [[model, f"{figure:.4f}", f"{100 * (last - figure):+.1f}"] for model, figure in figures.items()]
    rows[-1][-1] = ""
    return Table(title, ("", name, "points gained since"), rows)


def choice_table(choice: Choice, name: str) -> Table:
    """The points between base and fine-tuned."""
    return Table(
        "Weights between base and fine-tuned, on the pages that choose",
        ("share of the fine-tuned", f"{name}, your data", f"{name}, anchor", ""),
        [
            [f"{p.alpha:.0%}", f"{p.target:.4f}", f"{p.anchor:.4f}", "chosen" if p is choice.chosen else ""]
            for p in choice.points
        ],
    )


def trade_off(choice: Choice, metrics: Sequence[Mapping[str, str]], name: str, tolerance: float) -> Picture:
    """The anchor over the steps of the run, and both figures along the line between base and fine-tuned.

    Args:
        choice: the points.
        metrics: rows of ``metrics.csv``.
        name: of the figure.
        tolerance: how much of the anchor may be lost.
    """
    base = choice.points[0].anchor
    figure, (course, line) = figure_axes(1, 2)
    course.plot(*series(metrics, "val", f"anchor_{name}"), marker="o", color="#7a4ea8", label="fine-tuned")
    course.axhline(base, color="#b3261e", linestyle="--", label="base")
    course.axhline(base - tolerance, color="#b3261e", linestyle=":", label="still allowed")
    course.set_title(f"anchor {name}")
    course.set_xlabel("step")
    course.grid(alpha=0.3)
    course.legend()
    line.plot([p.anchor for p in choice.points], [p.target for p in choice.points], color="#b9c6d8", marker="o")
    for point in choice.points:
        line.annotate(f"{point.alpha:.0%}", (point.anchor, point.target), textcoords="offset points", xytext=(5, 5))
    line.plot(
        [choice.chosen.anchor], [choice.chosen.target], marker="*", markersize=14, color="#2a7f3f", label="chosen"
    )
    line.axvline(base - tolerance, color="#b3261e", linestyle=":", label="still allowed")
    line.margins(0.15)
    line.set_title("weights between base and fine-tuned")
    line.set_xlabel(f"anchor {name}")
    line.set_ylabel(f"validation {name}")
    line.grid(alpha=0.3)
    line.legend()
    return Picture("What is kept and what is gained", png(figure))
