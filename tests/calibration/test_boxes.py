from __future__ import annotations

import numpy as np
import pytest

from ocrtune.calibration.boxes import fit_box_confidence
from ocrtune.detection.metric import PageMatch
from ocrtune.errors import GateError


def pages(scores: list[float], right: list[bool], a_page: int = 40) -> list[PageMatch]:
    pairs = list(zip(scores, right, strict=True))
    return [PageMatch(0, 0, (), tuple(pairs[i : i + a_page])) for i in range(0, len(pairs), a_page)]


def test_the_share_of_right_boxes_is_found_again() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.2, 1, 6000)
    truth = np.clip(1.5 * scores - 0.45, 0, 1)  # a score of 0.6 is right in 45 of 100
    fit = fit_box_confidence(pages(scores.tolist(), (rng.random(6000) < truth).tolist()))
    for score in (0.35, 0.6, 0.75, 0.9):
        assert fit(score) == pytest.approx(np.clip(1.5 * score - 0.45, 0, 1), abs=0.08)
    along = [fit(score) for score in np.linspace(0, 1, 50)]
    assert along == sorted(along), "a higher score is never less likely right"


def test_nothing_is_certain() -> None:
    fit = fit_box_confidence(pages([0.9] * 60, [True] * 60))
    assert 0.95 < fit(0.9) < 1
    assert fit(0.1) == fit(0.9), "what was never seen is not told apart"


def test_too_few_boxes_say_nothing() -> None:
    with pytest.raises(GateError, match="49 boxes are too few"):
        fit_box_confidence(pages([0.9] * 49, [True] * 49))
