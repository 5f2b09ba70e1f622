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
