from __future__ import annotations

import pickle
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator, Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ocrtune.bundle import Bundle
from ocrtune.detection.model import DETECTORS
from ocrtune.detection.network import FAMILY
from ocrtune.errors import BundleError
from ocrtune.orientation.model import CLASSIFIERS
from ocrtune.recognition.model import RECOGNIZERS
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.runtime.preprocess import DetectionPreprocess
from ocrtune.weights import published, registry
from ocrtune.weights.defaults import default_preprocess, default_thresholds, task_of
from ocrtune.weights.network import load_network
from ocrtune.weights.published import PIPELINES, RAPIDOCR_V4, WEIGHTS
from ocrtune.weights.registry import PUBLISHED, fetch_wheel, in_cache, published_bundle, published_file, resolve_bundle
from support.golden import generated_state, load_json


def test_published_bundles_run_as_their_publisher_runs_them(v4_mobile: Bundle, v6_small: Bundle) -> None:
    for bundle in (v4_mobile, v6_small):
        assert bundle.manifest.provenance["sha256"] == bundle.manifest.files["model.onnx"]
        assert bundle.manifest.preprocess["size"] == 960
    assert resolve_bundle("ppocrv4-mobile-det").path == v4_mobile.path


def test_names_that_mean_nothing(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        resolve_bundle("ppocrv4-mobil-det")
    assert "ppocrv4-mobile-det" in (caught.value.hint or "")
    with pytest.raises(BundleError, match="neither"):
        resolve_bundle(tmp_path)
    with pytest.raises(BundleError, match="no published model"):
        published_bundle("nothing")
    with pytest.raises(BundleError, match="weight file for training") as caught:
        resolve_bundle("ppocrv4-mobile-det-train")
    assert "ocrtune weights import ppocrv4-mobile-det-train" in (caught.value.hint or "")


def test_run_folder_means_its_bundle(tmp_path: Path, v4_mobile: Bundle) -> None:
    v4_mobile.rewritten(tmp_path / "bundle")
    assert resolve_bundle(tmp_path).path == tmp_path / "bundle"


def test_wrong_wheel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCRTUNE_CACHE", str(tmp_path))
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels" / RAPIDOCR_V4.filename, "w") as archive:
        archive.writestr(PUBLISHED["ppocrv4-mobile-det"].source, b"other weights")
    with pytest.raises(BundleError, match="checksum"):
        published_bundle("ppocrv4-mobile-det")


def test_no_network_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "ERROR: no route\n")

    monkeypatch.setenv("OCRTUNE_CACHE", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", offline)
    with pytest.raises(BundleError) as caught:
        fetch_wheel(RAPIDOCR_V4)
    assert "no route" in caught.value.what
    assert RAPIDOCR_V4.filename in (caught.value.hint or "")


def test_a_cached_bundle_with_other_settings_is_made_anew() -> None:
    bundle = published_bundle("ppocr-mobile-ori")
    bundle.rewritten(bundle.path, thresholds={"turn_thresh": 0.123})
    again = published_bundle("ppocr-mobile-ori")
    assert again.manifest.thresholds == {"turn_thresh": 0.9}
    pipeline = published_bundle("ppocrv6-small")
    part = pipeline.part("orientation")
    assert part is not None
    assert part.fingerprint() == again.fingerprint()


def test_every_network_has_a_task_and_settings() -> None:
    tasks: dict[str, Sequence[str]] = {
        "detection": tuple(DETECTORS),
        "recognition": tuple(RECOGNIZERS),
        "orientation": tuple(CLASSIFIERS),
    }
    for task, networks in tasks.items():
        for arch in networks:
            assert task_of(arch) == task
            assert isinstance(default_preprocess(arch), DetectionPreprocess) == (task == "detection")
            assert isinstance(default_thresholds(arch), DetectionThresholds) == (task == "detection")


def test_every_entry_is_whole() -> None:
    known = {*DETECTORS, *RECOGNIZERS, *CLASSIFIERS}
    for name, weights in WEIGHTS.items():
        assert weights.arch in known, name
        assert weights.source.startswith("https://") == (weights.wheel is None), name
        assert (weights.sha256 is not None) == (weights.kind == "onnx"), name
        assert weights.sha256 is None or len(weights.sha256) == 64, name
        default_preprocess(weights.arch)
        default_thresholds(weights.arch)
        if task_of(weights.arch) == "recognition" and weights.kind == "training":
            assert weights.characters is not None, name
            assert task_of(PUBLISHED[weights.characters].arch) == "recognition", name
        if weights.kind != "onnx":
            assert Path(weights.source).suffix in (".tar", ".pdparams"), name
    for name, parts in PIPELINES.items():
        assert [task_of(PUBLISHED[part].arch) for part in parts] == ["detection", "orientation", "recognition"], name
    addresses = [weights.source for weights in WEIGHTS.values()]
    assert len(set(addresses)) == len(addresses)


@pytest.fixture
def own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, v4_mobile: Bundle) -> Iterator[str]:
    """A server on this machine, and an empty cache."""
    folder = tmp_path / "served"
    folder.mkdir()
    shutil.copyfile(v4_mobile.onnx, folder / "model.onnx")
    monkeypatch.setenv("OCRTUNE_CACHE", str(tmp_path / "cache"))

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_model_from_the_web_becomes_a_bundle(
    own_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, v4_mobile: Bundle
) -> None:
    sha = v4_mobile.manifest.files["model.onnx"]
    entry = published.Weights("web-det", "db_pplcnetv3_mobile", "onnx", f"{own_server}/model.onnx", sha, 4.7)
    monkeypatch.setitem(PUBLISHED, "web-det", entry)
    assert not in_cache("web-det")
    told: list[str] = []
    bundle = published_bundle("web-det", told.append)
    assert bundle.manifest.provenance["source"] == f"{own_server}/model.onnx"
    assert bundle.manifest.files["model.onnx"] == sha
    assert in_cache("web-det")
    assert told == [f"downloading {own_server}/model.onnx"]
    assert published_bundle("web-det", told.append).fingerprint() == v4_mobile.fingerprint()
    assert len(told) == 1


def test_registered_weight_file_starts_a_training(
    own_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = generated_state(load_json("models/v4_mobile_det.json"))
    (tmp_path / "served" / "student.pdparams").write_bytes(pickle.dumps(state, protocol=4))
    entry = published.Weights(
        "web-train", "db_pplcnetv3_mobile", "training", f"{own_server}/student.pdparams", part="student"
    )
    monkeypatch.setitem(registry.FILES, "web-train", entry)
    told: list[str] = []
    network = load_network(FAMILY, "web-train", tell=told.append)
    assert (network.arch, network.form) == ("db_pplcnetv3_mobile", "training")
    assert network.file == published_file("web-train")
    assert in_cache("web-train")
    assert "no checksum is known" in told[-1]
