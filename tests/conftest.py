from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocrtune.bundle import Bundle
from ocrtune.data.formats import read_dataset
from ocrtune.page import Page
from ocrtune.weights.registry import published_bundle
from support.paths import DATA, need

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def pytest_configure() -> None:
    """Tests that run side by side get cores of their own, and so do the programs that they start."""
    worker, workers = os.environ.get("PYTEST_XDIST_WORKER"), os.environ.get("PYTEST_XDIST_WORKER_COUNT")
    if worker and workers and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        mine = cores[int(worker.removeprefix("gw")) % len(cores) :: int(workers)]
        os.sched_setaffinity(0, mine or cores)


@pytest.fixture(scope="session")
def receipts() -> Path:
    return need(DATA / "receipts")


@pytest.fixture(scope="session")
def receipt_pages(receipts: Path) -> list[Page]:
    return read_dataset(f"icdar:{receipts / 'val'}")


@pytest.fixture(scope="session")
def scene_text() -> Path:
    return need(DATA / "scene_text")


@pytest.fixture(scope="session")
def v4_mobile() -> Bundle:
    return published_bundle("ppocrv4-mobile-det")


@pytest.fixture(scope="session")
def v6_small() -> Bundle:
    return published_bundle("ppocrv6-small-det")


@pytest.fixture(scope="session")
def cable_pages() -> list[Page]:
    return read_dataset(f"paddle:{need(DATA / 'cable_labels') / 'val_label.txt'}")
