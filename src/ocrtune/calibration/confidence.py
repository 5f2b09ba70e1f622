"""How a recogniser is best used: margin, second look and temperature, fitted on lines that were not trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ocrtune.data.lines import MAX_FIT_LINES, spread_sample
from ocrtune.page import Page, TextRegion
from ocrtune.recognition.evaluate import evaluate_recognizer
from ocrtune.recognition.metric import LineResult, TextPolicy
from ocrtune.runtime.recognizer import RecognitionThresholds, TextRecognizer, tempered

MIN_LINES = 50
SECOND_LOOKS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
MARGINS = (0.0, 0.05, 0.1, 0.15)
MIN_GAIN = 0.005
"""Share of lines that must become right before lines are looked at twice, which costs time, or cut out with a margin."""
FITTING_PASSES = len(MARGINS) + 1
"""How often `calibrate_reading` reads its lines at most."""
_GRID = np.exp(np.linspace(math.log(0.25), math.log(6.0), 60))
_BINS = 10


def fit_temperature(results: Sequence[LineResult], policy: TextPolicy) -> float:
    """The temperature whose confidences explain best which lines are right (lowest cross-entropy).

    Args:
        results: lines that were read with temperature 1.
        policy: how lines are compared.

    Returns:
        the temperature; 1 where the lines are too few to say (`MIN_LINES`).
    """
    if len(results) < MIN_LINES:
        return 1.0
    confidence, right = _observed(results, policy)
    losses = []
    for temperature in _GRID:
        p = np.clip([tempered(float(c), float(temperature)) for c in confidence], 1e-4, 1 - 1e-4)
        losses.append(-float(np.mean(right * np.log(p) + (1 - right) * np.log(1 - p))))
    return round(float(_GRID[int(np.argmin(losses))]), 3)


def fit_second_look(
    once: Sequence[LineResult], twice: Sequence[LineResult], policy: TextPolicy
) -> tuple[float, list[LineResult]]:
    """Below which confidence lines should be read again upside down.

    Args:
        once: lines that were read once, with temperature 1.
        twice: the same, with those read both ways whose confidence is below the last of `SECOND_LOOKS`.
        policy: how lines are compared.

    Returns:
        0 where looking twice gains nothing; else the largest value of the best accuracy, because lines that were not
        seen here are upside down as well, and some are read with confidence; and the readings with it.
    """
    best, kept, right = 0.0, list(once), sum(r.right(policy) for r in once)
    for value in SECOND_LOOKS:
        results = [b if a.confidence < value else a for a, b in zip(once, twice, strict=True)]
        now = sum(r.right(policy) for r in results)
        if now > right + MIN_GAIN * len(results) or (best and now >= right):
            best, kept, right = value, results, now
    return best, kept


def calibrate_reading(recognizer: TextRecognizer, pages: Sequence[Page], policy: TextPolicy) -> TextRecognizer:
    """Fit margin, second look and temperature, in this order, on labelled lines that were not trained on.

    Returns:
        the recogniser with fitted settings.

    Raises:
        ImageError: a page's image is missing or damaged.
    """
    pages = spread_sample(pages, MAX_FIT_LINES)

    def read(lines: Sequence[Page], margin: float, second_look: float) -> list[LineResult]:
        preprocess = recognizer.preprocess.model_copy(update={"margin": margin})
        thresholds = RecognitionThresholds(second_look=second_look)
        return evaluate_recognizer(replace(recognizer, preprocess=preprocess, thresholds=thresholds), lines)

    plain = read(pages, 0.0, 0.0)
    wrong = [not result.right(policy) for result in plain]

    def again(
        results: Sequence[LineResult], which: Sequence[bool], margin: float, second_look: float
    ) -> list[LineResult]:
        """The results, some of them read anew."""
        chosen = [r for r, anew in zip(plain, which, strict=True) if anew]
        fresh = iter(read(_only(pages, chosen), margin, second_look))
        return [next(fresh) if anew else r for r, anew in zip(results, which, strict=True)]

    readings = {0.0: plain}
    for margin in MARGINS[1:]:
        gained = again(plain, wrong, margin, 0.0)
        if sum(r.right(policy) for r in gained) > len(plain) - sum(wrong) + MIN_GAIN * len(plain):  # else it cannot win
            readings[margin] = again(gained, [not is_wrong for is_wrong in wrong], margin, 0.0)
    margin = fit_margin(readings, policy)
    once = readings[margin]
    twice = again(once, [r.confidence < SECOND_LOOKS[-1] for r in once], margin, SECOND_LOOKS[-1])
    second_look, results = fit_second_look(once, twice, policy)
    return replace(
        recognizer,
        preprocess=recognizer.preprocess.model_copy(update={"margin": margin}),
        thresholds=RecognitionThresholds(temperature=fit_temperature(results, policy), second_look=second_look),
    )


def _only(pages: Sequence[Page], results: Sequence[LineResult]) -> list[Page]:
    """The pages with nothing but the lines of some results, in their order."""
    lines: dict[int, list[TextRegion]] = {}
    for result in results:
        lines.setdefault(result.page, []).append(pages[result.page].regions[result.region])
    return [pages[number].with_regions(regions) for number, regions in lines.items()]


def fit_margin(readings: Mapping[float, Sequence[LineResult]], policy: TextPolicy) -> float:
    """With which margin around their outlines lines are read best.

    Args:
        readings: the same lines, by the margin with which they were cut out; 0 among them.
        policy: how lines are compared.

    Returns:
        the smallest of the best ones; 0 where none makes clearly more lines right.
    """
    right = {margin: sum(r.right(policy) for r in results) for margin, results in readings.items()}
    best = max(sorted(right), key=right.__getitem__)
    return best if right[best] > right[0.0] + MIN_GAIN * len(readings[0.0]) else 0.0


def expected_calibration_error(results: Sequence[LineResult], policy: TextPolicy) -> float:
    """Mean distance between confidence and accuracy over ten bins of confidence (Naeini et al. 2015), 0 to 1."""
    confidence, right = _observed(results, policy)
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [abs(confidence[bins == b].sum() - right[bins == b].sum()) for b in range(_BINS)]
    return float(sum(gaps) / max(len(results), 1))


def _observed(
    results: Sequence[LineResult], policy: TextPolicy
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    confidence = np.array([r.confidence for r in results], np.float64)
    right = np.array([r.right(policy) for r in results], np.float64)
    return confidence, right
