from __future__ import annotations

import numpy as np
import pytest

from ocrtune.data.synth.receipts import render_receipt
from ocrtune.errors import GateError
from ocrtune.export.gate import check_parity
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.load import load_detector
from ocrtune.runtime.preprocess import Batch
from ocrtune.weights.registry import published_bundle


class Disturbed:
    """An engine whose answers are a little off."""

    def __init__(self, detector: TextDetector, shift: float) -> None:
        self._engine, self._shift = detector.engine, shift

    def __call__(self, batch: Batch) -> np.ndarray:
        return np.clip(self._engine(batch) + self._shift, 0, 1).astype(np.float32)


def test_equal_files_pass_and_others_do_not() -> None:
    pages = [render_receipt(11, index) for index in range(2)]
    detector = load_detector(published_bundle("ppocrv4-mobile-det"))
    result = check_parity(detector, detector, pages)
    assert (result.pages, result.tensor, result.boxes_equal) == (2, 0, 1)
    rounding = TextDetector(Disturbed(detector, 1e-5), detector.preprocess, detector.thresholds)
    assert check_parity(detector, rounding, pages).boxes_equal == 1
    for shift in (2e-3, 0.2):
        worse = TextDetector(Disturbed(detector, shift), detector.preprocess, detector.thresholds)
        with pytest.raises(GateError, match="differs from the network") as caught:
            check_parity(detector, worse, pages)
        assert caught.value.exit_code == 1
