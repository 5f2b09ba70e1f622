"""A real base model's opinion of a real page with planted faults."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ocrtune.data.check import CheckSettings
from ocrtune.data.check.base import ask_base, load_base
from ocrtune.data.formats import parse_dataset_path
from ocrtune.errors import BundleError
from ocrtune.runtime.detector import TextDetector
from ocrtune.weights.registry import published_bundle


def test_a_real_base_names_the_labels_that_are_wrong(tmp_path: Path, receipts: Path) -> None:
    for part, suffix in (("img", "jpg"), ("box", "csv")):
        (tmp_path / part).mkdir()
        shutil.copyfile(receipts / "train" / part / f"005.{suffix}", tmp_path / part / f"005.{suffix}")
    label = tmp_path / "box" / "005.csv"
    lines = label.read_text(encoding="utf-8").splitlines()
    dataset = parse_dataset_path(f"icdar:{tmp_path}")
    base = load_base(published_bundle("ppocrv4-mobile"), "ppocrv4-mobile")
    before = ask_base(dataset, base, 1, 5, cache=tmp_path / "cache")
    assert (before[0].code, before[0].severity) == ("granularity", "info")
    dumb = replace(base, detector=None, recognizer=None)
    assert ask_base(dataset, dumb, 1, 5, cache=tmp_path / "cache") == before, "what was said is remembered"

    wrong = next(i for i, line in enumerate(lines) if len(line.split(",", 8)[8]) > 10)
    gone = next(i for i, line in enumerate(lines) if line.endswith("TOTAL AMOUNT:"))
    lines[wrong] = ",".join([*lines[wrong].split(",")[:8], "ELEPHANT"])
    del lines[gone]
    label.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = ask_base(dataset, base, 1, 5)
    assert next(f.where for f in found if f.code == "suspicious-text") == f"{label}:{wrong + 1}"
    missing = [f.message for f in found if f.code == "suspicious-missing"]
    assert any("AMOUNT" in message.upper() for message in missing), missing


def test_a_base_brings_its_own_characters_and_columns() -> None:
    base = load_base(published_bundle("ppocrv4-mobile-rec"), "rec")
    assert base.detector is None
    settings = base.settings(CheckSettings())
    assert (settings.line_height, settings.column) == (48, 8)
    assert settings.charset is not None
    assert "中" in settings.charset
    detector = load_base(published_bundle("ppocrv4-mobile-det"), "det")
    assert isinstance(detector.detector, TextDetector)
    assert detector.settings(CheckSettings()) == CheckSettings()
    with pytest.raises(BundleError, match="finds directions"):
        load_base(published_bundle("ppocr-mobile-ori"), "ori")
