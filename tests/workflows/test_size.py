from __future__ import annotations

import numpy as np
import pytest

from ocrtune.page import Page
from ocrtune.workflows.adapt.size import labels_for, size_preset
from ocrtune.workflows.adapt.stage import worthwhile_steps
from ocrtune.workflows.console import Console
from support.pages import rectangle


@pytest.mark.parametrize(
    ("task", "labels", "name"),
    [
        ("detection", 20, "few"),
        ("detection", 100, "some"),
        ("detection", 1000, "many"),
        ("recognition", 500, "few"),
        ("recognition", 5000, "some"),
        ("orientation", 20_000, "many"),
    ],
)
def test_preset_by_number_of_labels(task: str, labels: int, name: str) -> None:
    assert size_preset(task, labels).name == name


def test_lines_are_counted_where_lines_are_learnt() -> None:
    image = np.zeros((50, 50, 3), np.uint8)
    page = Page(image, [rectangle(0, 0, 20, 10), rectangle(0, 20, 20, 30, None, ignore=True), rectangle(0, 30, 9, 40)])
    assert labels_for("detection", [page, page]) == 2
    assert labels_for("recognition", [page, page]) == 4


@pytest.mark.parametrize(
    ("labels", "steps", "kept", "says"),
    [
        (12, 1000, 300, "300 are enough: by then each of the 12 samples has been seen 200 times"),
        (12, 100, 100, ""),
        (100, 10_000, 10_000, ""),
        (4000, 100, 100, "only 20% of the samples are seen even once"),
    ],
)
def test_steps_that_the_labels_are_worth(labels: int, steps: int, kept: int, says: str) -> None:
    said: list[str] = []
    assert worthwhile_steps(steps, size_preset("detection", labels), labels, 8, Console(say=said.append)) == kept
    assert [line for line in said if says in line] if says else not said
