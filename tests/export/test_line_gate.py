from __future__ import annotations

import numpy as np
import pytest

from ocrtune.errors import GateError
from ocrtune.export.line_gate import compare_lines
from ocrtune.runtime.preprocess import Batch

LINE = np.zeros((1, 3, 48, 32), np.float32)


def gives(*columns: tuple[float, ...]) -> object:
    def engine(batch: Batch) -> np.ndarray:
        return np.array([columns], np.float32)

    return engine


def test_another_choice_between_equals_passes_the_gate() -> None:
    gate = compare_lines(gives((0.4, 0.4, 0.2)), gives((0.39999, 0.40001, 0.2)), [LINE, LINE])  # type: ignore[arg-type]
    assert (gate.lines, gate.texts_equal) == (2, 1.0)
    assert gate.tensor == pytest.approx(1e-5, rel=0.01)


@pytest.mark.parametrize(
    "exported",
    [
        gives((0.4, 0.41, 0.2)),  # reads alike, from other probabilities
        gives((0.3, 0.5, 0.2)),  # reads something else
    ],
)
def test_another_model_does_not(exported: object) -> None:
    with pytest.raises(GateError, match="differs from the network"):
        compare_lines(gives((0.4, 0.402, 0.2)), exported, [LINE])  # type: ignore[arg-type]


def test_rounding_may_be_allowed_for_but_not_another_reading() -> None:
    network, allowed = gives((0.4, 0.39, 0.2)), {"max_difference": 0.05, "equally_likely": 0.02}
    assert compare_lines(network, gives((0.38, 0.4, 0.2)), [LINE], **allowed).texts_equal == 1  # type: ignore[arg-type]
    with pytest.raises(GateError, match=r"100\.0% of 1 lines"):
        compare_lines(gives((0.42, 0.39, 0.2)), gives((0.38, 0.4, 0.2)), [LINE], **allowed)  # type: ignore[arg-type]
