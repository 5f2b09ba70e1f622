from __future__ import annotations

from pathlib import Path

import pytest

from ocrtune.bundle import Bundle, Manifest, save_bundle
from ocrtune.errors import BundleError

MANIFEST = Manifest(task="detection", arch="db_pplcnetv3_mobile", preprocess={"size": 960}, thresholds={})


def test_bundle_round_trip_and_rewriting(tmp_path: Path) -> None:
    bundle = save_bundle(tmp_path / "b", MANIFEST, {"model.onnx": b"graph"})
    loaded = Bundle.load(tmp_path / "b")
    assert loaded.manifest == bundle.manifest
    assert loaded.onnx.read_bytes() == b"graph"
    changed = loaded.rewritten(tmp_path / "c", thresholds={"bin_thresh": 0.4})
    assert changed.onnx.read_bytes() == b"graph"
    assert changed.fingerprint() != loaded.fingerprint()
    in_place = changed.rewritten(tmp_path / "c", thresholds={})
    assert in_place.fingerprint() == loaded.fingerprint()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "c"]


def test_changed_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    save_bundle(tmp_path / "b", MANIFEST, {"model.onnx": b"graph"})
    (tmp_path / "b" / "model.onnx").write_bytes(b"other")
    with pytest.raises(BundleError, match="changed or damaged"):
        Bundle.load(tmp_path / "b")
    (tmp_path / "b" / "model.onnx").unlink()
    with pytest.raises(BundleError, match="missing"):
        Bundle.load(tmp_path / "b")
    with pytest.raises(BundleError, match=r"no bundle\.yaml"):
        Bundle.load(tmp_path)
    (tmp_path / "b" / "bundle.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(BundleError, match="no valid YAML"):
        Bundle.load(tmp_path / "b")
    (tmp_path / "b" / "bundle.yaml").write_text("format_version: 9\n", encoding="utf-8")
    with pytest.raises(BundleError, match="does not fit"):
        Bundle.load(tmp_path / "b")


def test_other_files_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(BundleError, match="already there"):
        save_bundle(tmp_path / "mine", MANIFEST, {})
    assert (tmp_path / "mine" / "thesis.txt").read_text(encoding="utf-8") == "years of work"
