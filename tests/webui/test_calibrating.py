from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from ocrtune.bundle import Bundle
from ocrtune.detection.evaluate import evaluate_detector
from ocrtune.errors import DataError, GateError
from ocrtune.page import Page
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.load import load_detector
from ocrtune.webui.calibrating import Calibrating
from ocrtune.webui.maps import Maps, maps_folder
from ocrtune.webui.workspace import Workspace
from support.pages import printed_page, write_paired

BUSY = threading.Lock()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("calibrating")
    write_paired(root / "pages", [printed_page(root / "drawn" / f"{seed}.png", seed, 7) for seed in range(8)])
    return Workspace.of([root])


@pytest.fixture
def begun(workspace: Workspace) -> Calibrating:
    return Calibrating.begin(workspace, "ppocrv4-mobile-det", "icdar:pages", 20, lambda done, total: None)


def test_figures_of_moved_sliders_are_those_of_the_model(begun: Calibrating) -> None:
    detector = begun.maps.detector
    for values in ((0.3, 0.6, 1.5), (0.3, 0.85, 1.5), (0.2, 0.6, 2.2)):
        moved = begun.thresholds(*values)
        counts = begun.maps.counts(moved)
        direct = evaluate_detector(TextDetector(detector.engine, detector.preprocess, moved), begun.maps.pages)
        expected = [(m.matched, m.predictions, m.labels) for m in direct.matches]
        np.testing.assert_array_equal(counts, expected)


def test_maps_are_computed_once(workspace: Workspace, v4_mobile: Bundle, begun: Calibrating) -> None:
    def never(batch: object) -> np.ndarray:
        raise AssertionError("the map is on disk")

    known = begun.maps.detector
    again = Maps(TextDetector(never, known.preprocess, known.thresholds), begun.maps.pages, begun.maps.folder)
    assert list(again.compute(BUSY)) == list(range(1, 9))
    np.testing.assert_array_equal(again.counts(known.thresholds), begun.maps.counts(known.thresholds))


def test_maps_of_old_models_are_deleted(v4_mobile: Bundle, tmp_path: Path) -> None:
    for age in range(4):
        (tmp_path / f"old{age}").mkdir()
    maps_folder(tmp_path, v4_mobile)
    assert len(list(tmp_path.iterdir())) == 3


def test_the_best_is_found_and_kept_as_a_bundle(workspace: Workspace, begun: Calibrating, tmp_path: Path) -> None:
    lines: list[str] = []
    best = begun.fit(False, BUSY, lines.append)
    assert lines
    hits, ours, labels = begun.maps.counts(best).sum(axis=0)
    hits0, ours0, labels0 = begun.before.sum(axis=0)
    assert 2 * hits / (ours + labels) >= 2 * hits0 / (ours0 + labels0)
    saved = begun.save(tmp_path / "mine", best)
    assert load_detector(Bundle.load(tmp_path / "mine")).thresholds == best
    assert saved.manifest.metrics["calibration"]["pages"] == 8
    with pytest.raises(DataError, match="already"):
        begun.save(tmp_path / "mine", best)


def test_a_pipeline_keeps_its_other_parts(workspace: Workspace, tmp_path: Path) -> None:
    begun = Calibrating.begin(workspace, "ppocrv4-mobile", "icdar:pages", 2, lambda done, total: None)
    assert len(begun.maps.pages) == 2
    saved = begun.save(tmp_path / "mine", begun.thresholds(0.4, 0.5, 1.7))
    reader, other = saved.part("recognition"), workspace.bundle("ppocrv4-mobile").part("recognition")
    assert reader is not None
    assert other is not None
    assert reader.fingerprint() == other.fingerprint()
    finder = Bundle.load(tmp_path / "mine").part("detection")
    assert finder is not None
    assert finder.manifest.thresholds["unclip_ratio"] == 1.7
    with pytest.raises(GateError, match="too few"):
        begun.fit(False, BUSY, lambda line: None)


def test_the_worst_pages_come_first(begun: Calibrating) -> None:
    shown = begun.worst(begun.thresholds(0.9, 0.9, 1.5))
    errors = [missed + wrong for _, missed, wrong, _ in shown]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0
    assert all(picture.startswith(b"\xff\xd8") for picture, *_ in shown)


def test_data_without_texts_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    empty = workspace.folders[0] / "empty"
    write_paired(empty, [Page(workspace.folders[0] / "drawn" / "0.png", [])])
    with pytest.raises(DataError, match="no page"):
        Calibrating.begin(workspace, "ppocrv4-mobile-det", "icdar:empty", 5, lambda done, total: None)
