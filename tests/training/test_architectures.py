"""Every architecture learns for a step on real pages, is exported through the gate and measured, at a small size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from ocrtune.bundle import Bundle, Manifest
from ocrtune.config.load import build_config
from ocrtune.config.paddle import import_paddle
from ocrtune.data.formats import read_dataset, write_dataset
from ocrtune.detection.model import DETECTORS, build_detector
from ocrtune.page import Page
from ocrtune.recognition.model import RECOGNIZERS, build_recognizer
from ocrtune.runtime.crop import crop_region
from ocrtune.weights.defaults import line_preprocess, page_preprocess, task_of
from ocrtune.workflows.train import train
from support.paddle_configs import OFFICIAL, as_yaml
from support.svtr import LARGE, small_svtrnet

BASE = "ppocr-mobile-ori"


@pytest.fixture(autouse=True)
def small_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one network that would take minutes."""
    monkeypatch.setattr(LARGE, small_svtrnet)


@pytest.fixture(scope="module")
def small_pages(receipt_pages: list[Page], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The heads of two real receipts, 320 pixels wide, the four shortest texts of each, as a label file."""
    folder = tmp_path_factory.mktemp("pages")
    pages = []
    for number, page in enumerate(receipt_pages[:2]):
        image = page.load()
        scale = 320 / image.shape[1]
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:320]
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), small)
        inside = [r for r in page.regions if (r.polygon * scale)[:, 1].max() < small.shape[0]]
        shortest = sorted(inside, key=lambda r: float(np.ptp(r.polygon[:, 0]) / np.ptp(r.polygon[:, 1])))[:4]
        pages.append(Page(path, [replace(r, polygon=r.polygon * np.float32(scale)) for r in shortest]))
    write_dataset(pages, "json", folder / "pages.json")
    return folder / "pages.json"


@pytest.fixture(scope="module")
def dictionary(small_pages: Path) -> Path:
    """The characters on those pages."""
    texts = [r.text or "" for page in read_dataset(f"json:{small_pages}") for r in page.regions]
    path = small_pages.with_name("dictionary.txt")
    path.write_text("".join(f"{c}\n" for c in sorted(set("".join(texts)))), encoding="utf-8")
    return path


@torch.no_grad()
def settled_weights(arch: str, pages: Path, dictionary: Path, path: Path) -> Path:
    """Fresh weights whose normalisation knows its inputs: without that, rounding explodes in a deep network's eval mode."""
    torch.manual_seed(0)
    page = read_dataset(f"json:{pages}")[0]
    image = page.load()
    model: nn.Module
    if arch in DETECTORS:
        model = build_detector(arch)
        x = torch.from_numpy(page_preprocess().normalise(image[:320, :320])[None])
    else:
        classes = dictionary.read_text(encoding="utf-8").count("\n") + 1
        model = build_recognizer(arch, classes)
        lines = line_preprocess(arch)
        crops = [np.asarray(cv2.resize(crop_region(image, r.polygon), (160, 48)), np.uint8) for r in page.regions]
        x = torch.from_numpy(lines(crops, lines.input_width(160, 48)))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    model.train()(x)
    torch.save(model.state_dict(), path)
    return path


def small_run(values: dict[str, Any], pages: Path, dictionary: Path, folder: Path) -> Manifest:
    """Train for two steps; the manifest of what comes out."""
    task, arch = values["task"], values["model"]["arch"]
    # a classifier that knows nothing gives one answer alone, which the export refuses
    knows = task == "orientation"
    weights = BASE if knows else settled_weights(arch, pages, dictionary, folder / "start.pth")
    changes: dict[str, dict[str, Any]] = {
        "model": {"pretrained": str(weights), "partial": False},
        "data": {"train": f"json:{pages}", "val": f"json:{pages}", "batch_size": 2, "num_workers": 0},
        "optimizer": {"lr": 1e-5},
        "schedule": {"steps": 2, "warmup_epochs": 0},
        "trainer": {"evals": 1, "num_gpus": 0},
    }
    if task == "detection":
        changes |= {"input": {"page_size": 224, "view_size": 64}, "targets": {"shrink_ratio": 0.4}}
    elif task == "recognition":
        changes |= {"text": {"dictionary": str(dictionary)}}
    merged = {**values, **{section: {**values.get(section, {}), **keys} for section, keys in changes.items()}}
    train(build_config(merged), folder)
    manifest = Bundle.load(folder / "bundle").manifest
    assert (manifest.task, manifest.form) == (task, "deployed" if knows else "training")
    gate = manifest.provenance["gate"]
    assert gate["boxes_equal" if task == "detection" else "texts_equal"] >= 0.99
    return manifest


@pytest.mark.slow
@pytest.mark.parametrize("name", OFFICIAL)
def test_training_starts_from_an_imported_configuration(
    name: str, small_pages: Path, dictionary: Path, tmp_path: Path
) -> None:
    arch, theirs = OFFICIAL[name]
    values = import_paddle(as_yaml(theirs), name).values
    assert small_run(values, small_pages, dictionary, tmp_path).arch == arch


@pytest.mark.slow
@pytest.mark.parametrize("arch", sorted({*DETECTORS, *RECOGNIZERS} - {arch for arch, _ in OFFICIAL.values()}))
def test_every_other_architecture_learns_a_step_and_is_exported(
    arch: str, small_pages: Path, dictionary: Path, tmp_path: Path
) -> None:
    values: dict[str, Any] = {"task": task_of(arch), "model": {"arch": arch}}
    if arch in DETECTORS:
        values["loss"] = {"main": "dice-focal", "alpha": 5, "beta": 10, "gamma": 1}
    assert small_run(values, small_pages, dictionary, tmp_path).arch == arch
