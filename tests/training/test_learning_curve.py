"""Learning curves whose law is known."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from ocrtune.errors import UsageError
from ocrtune.page import Page
from ocrtune.report.settings import learning_curve_figure
from ocrtune.training.learning_curve import (
    WORTH,
    PowerLaw,
    Tallies,
    fit_power_laws,
    learning_curve,
    nested_parts,
    parse_shares,
)

PAGES = np.array([20.0, 50.0, 100.0, 200.0])


@pytest.mark.parametrize("law", [PowerLaw(0.02, 0.6, 0.5), PowerLaw(0.0, 0.5, 0.3), PowerLaw(0.05, 2.0, 1.0)])
def test_a_power_law_is_found_again(law: PowerLaw) -> None:
    errors = np.array([law(n) for n in PAGES])
    (found,) = fit_power_laws(PAGES, errors[None])
    assert found(400) == pytest.approx(law(400), abs=2e-3)
    assert found(100) == pytest.approx(law(100), abs=1e-3)


def test_what_does_not_fall_is_flat() -> None:
    flat, rising = fit_power_laws(PAGES, np.array([[0.1, 0.1, 0.1, 0.1], [0.1, 0.11, 0.12, 0.13]]))
    assert flat(1e6) == pytest.approx(0.1)
    assert rising.scale == 0
    assert rising(400) == pytest.approx(0.115), "more labels are never said to harm"


def drawn(law: PowerLaw, measured: int, texts: int = 50) -> list[Tallies]:
    """What models on the law would do on pages of so many texts."""
    rng = np.random.default_rng(0)
    luck = rng.uniform(size=(measured, texts))  # a text that is hard is hard for all models
    return [np.stack([(luck > law(n)).sum(1), np.full(measured, texts)], axis=1).astype(float) for n in PAGES]


def test_forecast_and_its_uncertainty() -> None:
    law = PowerLaw(0.01, 1.0, 0.5)
    curve = learning_curve("hmean", [20, 50, 100, 200], drawn(law, 60))
    assert curve.figures == sorted(curve.figures)
    assert all(low < value < high for value, (low, high) in zip(curve.figures, curve.ci95, strict=True))
    twice = curve.forecasts[0]
    assert twice.pages == 400
    assert twice.ci95[0] < 1 - law(400) < twice.ci95[1]
    assert twice.gain_ci95[0] < law(200) - law(400) < twice.gain_ci95[1]
    assert curve.sentence().startswith("More labels would help: twice the labels (400 pages)")
    few = learning_curve("hmean", [20, 50, 100, 200], drawn(law, 6)).forecasts[0]
    assert few.ci95[1] - few.ci95[0] > twice.ci95[1] - twice.ci95[0], "fewer measured pages tell less"
    assert learning_curve_figure(curve).startswith(b"\x89PNG")
    assert curve == learning_curve("hmean", [20, 50, 100, 200], drawn(law, 60)), "the same again"


def test_labels_that_no_longer_help() -> None:
    curve = learning_curve("accuracy", [20, 50, 100, 200], drawn(PowerLaw(0.1, 0.0, 1.0), 60))
    assert curve.forecasts[0].gain < WORTH
    assert curve.sentence().startswith("More labels of this kind would hardly help")


def test_parts_lie_within_each_other() -> None:
    pages = [Page(Path(f"{i}.png")) for i in range(40)]
    parts = nested_parts(pages, (0.1, 0.25, 0.5, 1.0))
    assert [len(part) for part in parts] == [4, 10, 20, 40]
    names = [[page.name for page in part] for part in parts]
    assert all(set(small) < set(large) for small, large in itertools.pairwise(names))
    assert names[-1] == [page.name for page in pages]
    assert {page.name for page in nested_parts(pages[::-1], (0.1, 1.0))[0]} == set(names[0]), "whatever their order"
    with pytest.raises(UsageError, match="cannot be cut"):
        nested_parts(pages[:4], (0.1, 0.25, 1.0))


@pytest.mark.parametrize(("text", "shares"), [("10,25,50,100", (0.1, 0.25, 0.5, 1.0)), ("50, 10", (0.1, 0.5, 1.0))])
def test_shares_as_typed(text: str, shares: tuple[float, ...]) -> None:
    assert parse_shares(text) == shares


@pytest.mark.parametrize("text", ["", "a,b", "0,50", "50,120", "100", "50"])
def test_shares_that_make_no_sense(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_shares(text)
    assert caught.value.where == "--learning-curve"
