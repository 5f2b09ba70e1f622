from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from ocrtune.cli import predict
from ocrtune.runtime.presets import PRESETS
from support.runs import fails, ocrtune

BASE = "ppocrv4-mobile-det"


def test_help_tells_what_each_preset_changes() -> None:
    shown = " ".join((predict.command.__doc__ or "").split())
    for preset in PRESETS.values():
        assert f" {preset.name}: {preset.told()}." in shown


def test_a_preset_finds_small_print_that_the_bundle_alone_does_not(tmp_path: Path) -> None:
    page = np.full((1000, 3000, 3), 255, np.uint8)
    for row in range(2, 10):
        place = (80 + 37 * row, 100 * row)
        cv2.putText(page, "SMALL PRINT 1234567890", place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1)
    image = tmp_path / "a.png"
    image.write_bytes(bytes(cv2.imencode(".png", page)[1]))
    own = ocrtune("predict", BASE, image)
    seen = ocrtune("predict", BASE, image, "--preset", "small-text")
    assert [len(json.loads(done.stdout)["regions"]) for done in (own, seen)] == [0, 8]
    assert "preset small-text: detector's input x1.5" in seen.stderr
    fails(2, "predict", BASE, image, "--preset", "foto", says="did you mean 'photo'?")


def test_a_bundle_that_finds_nothing_has_no_presets(tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    image.write_bytes(bytes(cv2.imencode(".png", np.full((48, 200, 3), 255, np.uint8))[1]))
    fails(2, "predict", "ppocr-mobile-ori", image, "--preset", "photo", says="this one is for orientation")
