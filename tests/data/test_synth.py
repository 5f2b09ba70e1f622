from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ocrtune.data.check import check_dataset
from ocrtune.data.formats import parse_dataset_path, read_dataset
from ocrtune.data.synth.receipts import render_receipt, write_receipts


def test_receipt_is_a_function_of_seed_and_index() -> None:
    first, again, other = render_receipt(1, 0), render_receipt(1, 0), render_receipt(2, 0)
    assert np.array_equal(first.load(), again.load())
    assert [r.text for r in first.regions] == [r.text for r in again.regions]
    assert first.load().shape != other.load().shape or not np.array_equal(first.load(), other.load())


def test_outlines_lie_on_the_ink() -> None:
    """The inside of an outline is darker than the paper around it."""
    for index in range(3):
        page = render_receipt(3, index)
        grey = cv2.cvtColor(page.load(), cv2.COLOR_BGR2GRAY).astype(np.float32)
        paper = cv2.dilate(grey, np.ones((31, 31)))  # the brightest nearby
        inked = (paper - grey) > 25
        mask = np.zeros(grey.shape, np.uint8)
        cv2.fillPoly(mask, [np.round(r.polygon).astype(np.int32) for r in page.regions], 1)
        assert inked[mask == 1].mean() > 3 * inked[mask == 0].mean()
        assert len(page.regions) > 25


def test_written_set_is_correct_by_our_own_check(tmp_path: Path) -> None:
    write_receipts(tmp_path, 3, seed=5)
    report = check_dataset(parse_dataset_path(str(tmp_path)))
    assert not report.errors
    assert len(read_dataset(f"icdar:{tmp_path}")) == 3
