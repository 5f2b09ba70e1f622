"""Every architecture learns for a step on real pages, is exported through the gate and measured, at a small size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrtune.bundle import Bundle
from ocrtune.config.load import build_config
from ocrtune.data.formats import read_dataset, write_dataset
from ocrtune.detection.model import DETECTORS
from ocrtune.orientation.model import CLASSIFIERS
from ocrtune.page import Page
from ocrtune.recognition.model import RECOGNIZERS
from ocrtune.workflows.train import train


@pytest.fixture(scope="module")
def small_pages(receipt_pages: list[Page], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The heads of four real receipts, 320 pixels wide, as a label file."""
    folder = tmp_path_factory.mktemp("pages")
    pages = []
    for number, page in enumerate(receipt_pages[:4]):
        image = page.load()
        scale = 320 / image.shape[1]
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:320]
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), small)
        inside = [r for r in page.regions if (r.polygon * scale)[:, 1].max() < small.shape[0]]
        pages.append(Page(path, [replace(r, polygon=r.polygon * np.float32(scale)) for r in inside]))
    write_dataset(pages, "json", folder / "pages.json")
    return folder / "pages.json"


@pytest.mark.slow
@pytest.mark.parametrize("arch", sorted(DETECTORS))
def test_detector_learns_a_step_and_is_exported(arch: str, small_pages: Path, tmp_path: Path) -> None:
    config = build_config(
        {
            "task": "detection",
            "model": {"arch": arch, "pretrained": None},
            "data": {"train": f"json:{small_pages}", "val": f"json:{small_pages}", "batch_size": 2, "num_workers": 0},
            "input": {"page_size": 320, "view_size": 64},
            "loss": {"main": "dice", "alpha": 5, "beta": 10, "gamma": 1},
            "schedule": {"steps": 2, "warmup_epochs": 0},
            "trainer": {"evals": 1, "num_gpus": 0},
        }
    )
    train(config, tmp_path)
    manifest = Bundle.load(tmp_path / "bundle").manifest
    assert (manifest.arch, manifest.form) == (arch, "training")
    assert manifest.provenance["gate"]["boxes_equal"] >= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("arch", [*sorted(RECOGNIZERS), *sorted(CLASSIFIERS)])
def test_line_model_learns_a_step_and_is_exported(arch: str, small_pages: Path, tmp_path: Path) -> None:
    task = "recognition" if arch in RECOGNIZERS else "orientation"
    characters = {c for page in read_dataset(f"json:{small_pages}") for r in page.regions for c in r.text or ""}
    dictionary = tmp_path / "dictionary.txt"
    dictionary.write_text("".join(f"{c}\n" for c in sorted(characters)), encoding="utf-8")
    config = build_config(
        {
            "task": task,
            "model": {"arch": arch, "pretrained": None},
            "data": {"train": f"json:{small_pages}", "val": f"json:{small_pages}", "batch_size": 4, "num_workers": 0},
            "schedule": {"steps": 2, "warmup_epochs": 0},
            "trainer": {"evals": 1, "num_gpus": 0},
            **({"text": {"dictionary": str(dictionary)}} if task == "recognition" else {}),
        }
    )
    run = tmp_path / "run"
    run.mkdir()
    train(config, run)
    manifest = Bundle.load(run / "bundle").manifest
    assert (manifest.task, manifest.arch, manifest.form) == (task, arch, "training")
    assert manifest.provenance["gate"]["texts_equal"] == 1.0
