from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ocrtune.calibration.confidence import (
    MARGINS,
    calibrate_reading,
    expected_calibration_error,
    fit_margin,
    fit_second_look,
    fit_temperature,
)
from ocrtune.page import Page
from ocrtune.recognition.evaluate import evaluate_recognizer
from ocrtune.recognition.metric import LineResult
from ocrtune.runtime.load import load_recognizer
from ocrtune.runtime.recognizer import RecognitionThresholds, tempered
from ocrtune.weights.registry import published_bundle


def lines(confidence: list[float], right: list[bool]) -> list[LineResult]:
    return [LineResult("a", "a" if ok else "b", c, 10, 10) for c, ok in zip(confidence, right, strict=True)]


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_confidences_wrong_is_found(true: float) -> None:
    rng = np.random.default_rng(0)
    honest = rng.uniform(0.2, 0.98, 4000)
    right = rng.random(4000) < honest
    shown = [tempered(float(c), 1 / true) for c in honest]  # too sure of itself for true > 1
    results = lines(shown, right.tolist())
    assert fit_temperature(results, "exact") == pytest.approx(true, rel=0.15)
    mended = lines([tempered(c, true) for c in shown], right.tolist())
    assert expected_calibration_error(mended, "exact") < 0.03
    if true != 1.0:
        assert expected_calibration_error(results, "exact") > 0.05


def test_too_few_lines_fit_nothing() -> None:
    assert fit_temperature(lines([0.9] * 10, [False] * 10), "exact") == 1.0


def test_a_second_look_is_taken_only_where_it_pays() -> None:
    once = lines([0.99] * 80 + [0.6] * 20, [True] * 80 + [False] * 20)
    twice = lines([0.99] * 80 + [0.97] * 20, [True] * 100)
    value, results = fit_second_look(once, twice, "exact")
    assert value == 0.99, "the largest value that turns no right line over"
    assert sum(r.text == "a" for r in results) == 100
    worse = lines([0.99] * 80 + [0.97] * 20, [False] * 10 + [True] * 90)
    doubted = lines([0.85] * 10 + [0.99] * 70 + [0.6] * 20, [True] * 80 + [False] * 20)
    assert fit_second_look(doubted, worse, "exact")[0] == 0.8, "above it right lines would become wrong"
    assert fit_second_look(once, once, "exact")[0] == 0.0


def test_a_margin_is_taken_only_where_it_pays_and_the_smallest_of_the_best() -> None:
    def read(right: int) -> list[LineResult]:
        return lines([0.9] * 1000, [True] * right + [False] * (1000 - right))

    assert fit_margin({0.0: read(800), 0.05: read(830), 0.1: read(830), 0.15: read(810)}, "exact") == 0.05
    assert fit_margin({0.0: read(800), 0.05: read(803), 0.1: read(790)}, "exact") == 0.0


@pytest.mark.slow
def test_only_lines_that_can_matter_are_read_again(cable_pages: list[Page]) -> None:
    """The same settings as where all lines are read with each of them."""
    pages = cable_pages[:30]
    recognizer = load_recognizer(published_bundle("ppocrv4-mobile-rec"))

    def read(margin: float, second_look: float) -> list[LineResult]:
        preprocess = recognizer.preprocess.model_copy(update={"margin": margin})
        thresholds = RecognitionThresholds(second_look=second_look)
        return evaluate_recognizer(replace(recognizer, preprocess=preprocess, thresholds=thresholds), pages)

    readings = {margin: read(margin, 0.0) for margin in MARGINS}
    margin = fit_margin(readings, "exact")
    second_look, results = fit_second_look(readings[margin], read(margin, 1.0), "exact")
    fitted = calibrate_reading(recognizer, pages, "exact")
    assert fitted.preprocess.margin == margin
    assert fitted.thresholds.second_look == second_look > 0, "some of these lines stand on their head"
    assert fitted.thresholds.temperature == fit_temperature(results, "exact")
