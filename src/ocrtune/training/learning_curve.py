"""How the error falls with the number of labels, and what more of them would give.

Source: Cortes et al., "Learning Curves: Asymptotic Values and Rate of Convergence" (1993), and Hestness et al., "Deep
Learning Scaling is Predictable, Empirically" (2017): error(n) = floor + scale * n ** -rate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ocrtune.errors import UsageError
from ocrtune.page import Page

Floats: TypeAlias = npt.NDArray[np.float64]
Tallies: TypeAlias = npt.NDArray[np.float64]
"""float64 [pages, 2]: of each page what was right, and what there was; the figure is the one sum over the other."""
RESAMPLED = 1000
MORE = (2, 4, 8)
"""How many times as many labels are looked ahead to."""
WORTH = 0.002
"""A gain below this is not worth anybody's labelling."""
_RATES = np.linspace(0.05, 1.5, 59)
_MIN_POINTS = 3


@dataclass(frozen=True)
class PowerLaw:
    """error(n) = floor + scale * n ** -rate; all three at least 0."""

    floor: float
    scale: float
    rate: float

    def __call__(self, pages: float) -> float:
        """The error with so many labelled pages."""
        return float(self.floor + self.scale * pages**-self.rate)


@dataclass(frozen=True)
class Forecast:
    """What so many labels would give.

    Attributes:
        pages: labelled pages to learn from.
        figure: expected.
        ci95: 95 % interval of it.
        gain: over all the labels that there are.
        gain_ci95: 95 % interval of that.
    """

    pages: int
    figure: float
    ci95: tuple[float, float]
    gain: float
    gain_ci95: tuple[float, float]


@dataclass(frozen=True)
class LearningCurve:
    """Models that learnt from nested parts of the labels, on the same other pages.

    Attributes:
        name: of the figure; higher is better.
        pages: labelled pages of each part, growing.
        figures: of each model.
        ci95: 95 % interval of each, over the pages that it was measured on.
        law: the power law through the errors.
        forecasts: for `MORE` times the labels.
    """

    name: str
    pages: Sequence[int]
    figures: Sequence[float]
    ci95: Sequence[tuple[float, float]]
    law: PowerLaw
    forecasts: Sequence[Forecast]

    def sentence(self) -> str:
        """What twice the labels would give, and whether that is certain."""
        twice = self.forecasts[0]
        low, high = twice.gain_ci95
        ahead = (
            f"twice the labels ({twice.pages} pages) would give {self.name} {twice.figure:.4f} "
            f"({twice.gain:+.4f}; 95 % interval of the gain {low:+.4f} to {high:+.4f})"
        )
        if high < WORTH:
            return f"More labels of this kind would hardly help: {ahead}."
        if low < WORTH:
            return f"It is not certain that more labels of this kind would help: {ahead}."
        return f"More labels would help: {ahead}."

    def as_dict(self) -> dict[str, Any]:
        return {
            "figure": self.name,
            "points": [
                {"pages": n, self.name: round(value, 6), "ci95": _rounded(interval)}
                for n, value, interval in zip(self.pages, self.figures, self.ci95, strict=True)
            ],
            "power_law": {"floor": self.law.floor, "scale": self.law.scale, "rate": self.law.rate},
            "forecasts": [
                {
                    "pages": f.pages,
                    self.name: round(f.figure, 6),
                    "ci95": _rounded(f.ci95),
                    "gain": round(f.gain, 6),
                    "gain_ci95": _rounded(f.gain_ci95),
                }
                for f in self.forecasts
            ],
            "verdict": self.sentence(),
        }


def parse_shares(text: str) -> tuple[float, ...]:
    """``10,25,50,100`` as shares, growing; 100 is always among them.

    Raises:
        UsageError: it is no list of percentages, or they are too few for a curve.
    """
    try:
        shares = {float(part) / 100 for part in text.split(",")}
    except ValueError as error:
        raise UsageError(f"'{text}' is no list of percentages", where=_OPTION, expected="10,25,50,100") from error
    shares.add(1.0)
    if not all(0 < share <= 1 for share in shares):
        raise UsageError("a percentage lies outside of 0 to 100", where=_OPTION, expected="10,25,50,100")
    if len(shares) < _MIN_POINTS:
        raise UsageError(
            f"{len(shares)} points make no curve", where=_OPTION, expected=f"at least {_MIN_POINTS}: 10,25,50,100"
        )
    return tuple(sorted(shares))


_OPTION = "--learning-curve"


def nested_parts(pages: Sequence[Page], shares: Sequence[float]) -> list[list[Page]]:
    """Parts of pages, each within the next; which pages are in is chance, but the same for the same names.

    Args:
        pages: all of them.
        shares: of each part, growing, up to 1.

    Raises:
        UsageError: two shares are the same number of pages.
    """
    order = sorted(range(len(pages)), key=lambda i: hashlib.sha256(pages[i].name.encode()).digest())
    counts = [max(1, round(share * len(pages))) for share in shares]
    if len(set(counts)) < len(counts):
        raise UsageError(
            f"{len(pages)} pages cannot be cut into parts of {', '.join(f'{share:.0%}' for share in shares)}",
            where=_OPTION,
            hint="fewer, larger shares, for example 25,50,100",
        )
    return [[pages[i] for i in sorted(order[:count])] for count in counts]


def learning_curve(name: str, pages: Sequence[int], tallies: Sequence[Tallies], seed: int = 0) -> LearningCurve:
    """Fit a power law, and see by resampling the measured pages how far it can be trusted.

    The same pages are drawn for every part, because the models were measured on the same ones. What is not in the
    intervals is the chance of training itself and of which pages were labelled.

    Args:
        name: of the figure.
        pages: labelled pages of each part, growing.
        tallies: how each part's model did on each of the measured pages.
        seed: of the resampling.
    """
    counts = np.asarray(pages, np.float64)
    stacked = np.stack(tallies)  # [parts, measured pages, 2]
    figures = _figure(stacked.sum(axis=1))
    rng = np.random.default_rng(seed)
    measured = stacked.shape[1]
    drawn = rng.multinomial(measured, np.full(measured, 1 / measured), RESAMPLED).astype(np.float64)
    samples = _figure(np.einsum("sp,qpk->sqk", drawn, stacked))  # [samples, parts]
    (law,) = fit_power_laws(counts, 1 - figures[None])
    laws = fit_power_laws(counts, 1 - samples)
    now = int(pages[-1])
    forecasts = []
    for n in (factor * now for factor in MORE):
        ahead = np.array([1 - other(n) for other in laws])
        # gains are counted from the law, not from the last point, whose luck would be part of them
        gains = np.array([other(now) - other(n) for other in laws])
        forecasts.append(Forecast(n, 1 - law(n), _interval(ahead), law(now) - law(n), _interval(gains)))
    return LearningCurve(
        name,
        [int(n) for n in pages],
        figures.tolist(),
        [_interval(samples[:, part]) for part in range(len(pages))],
        law,
        forecasts,
    )


def fit_power_laws(pages: Floats, errors: Floats) -> list[PowerLaw]:
    """The power laws with the least squared distance to rows of errors; neither floor nor scale below 0.

    Args:
        pages: labelled pages, float64 [n].
        errors: with so many, float64 [laws, n].
    """
    best = np.full(len(errors), np.inf)
    laws = np.zeros((len(errors), 3))
    for rate in _RATES:
        falling = pages**-rate
        floor, scale = _lines(falling, errors)
        distance = np.square(floor[:, None] + scale[:, None] * falling - errors).sum(axis=1)
        better = distance < best
        best[better] = distance[better]
        laws[better] = np.stack([floor, scale, np.full(len(errors), rate)], axis=1)[better]
    return [PowerLaw(*law) for law in laws.tolist()]


def _lines(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Intercepts and slopes of least squares through rows of y, neither below 0."""
    centred = x - x.mean()
    slope = y @ centred / (centred @ centred)
    intercept = y.mean(axis=1) - slope * x.mean()
    through_zero = np.maximum(0.0, y @ x / (x @ x))
    slope = np.where(intercept < 0, through_zero, np.maximum(slope, 0.0))
    flat = slope == 0
    return np.where(flat, np.maximum(y.mean(axis=1), 0.0), np.maximum(intercept, 0.0)), slope


def _figure(tallies: Floats) -> Floats:
    """[..., 2] -> [...]"""
    return np.asarray(tallies[..., 0] / np.maximum(tallies[..., 1], 1e-9))


def _interval(values: Floats) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(bound, 6) for bound in interval]
