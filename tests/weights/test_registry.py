from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ocrtune.bundle import Bundle
from ocrtune.errors import BundleError
from ocrtune.weights.registry import PUBLISHED, RAPIDOCR_V4, fetch_wheel, published_bundle, resolve_bundle


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


def test_run_folder_means_its_bundle(tmp_path: Path, v4_mobile: Bundle) -> None:
    v4_mobile.rewritten(tmp_path / "bundle")
    assert resolve_bundle(tmp_path).path == tmp_path / "bundle"


def test_wrong_wheel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCRTUNE_CACHE", str(tmp_path))
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels" / RAPIDOCR_V4.filename, "w") as archive:
        archive.writestr(PUBLISHED["ppocrv4-mobile-det"].member, b"other weights")
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
