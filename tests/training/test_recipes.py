"""Every network and loss goes through the loop, the export gate and the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocrtune.bundle import Bundle
from support.runs import ocrtune, small_config

FRESH = ("model.pretrained=null", "loss.main=dice", "loss.alpha=5", "loss.beta=10", "loss.gamma=1")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "arch", "form"),
    [
        ((*FRESH, "model.arch=db_resnet18_vd", "optimizer.type=SGD"), "db_resnet18_vd", "training"),
        ((*FRESH, "model.arch=db_pplcnetv3_mobile", "targets.drawing=whole"), "db_pplcnetv3_mobile", "training"),
        (("model.pretrained=ppocrv6-small-det", "freeze.backbone_epochs=1"), "db_pplcnetv4_small", "deployed"),
        (
            ("loss.beta=10", "loss.gamma=1", "trainer.accumulate=2", "trainer.ema=false"),
            "db_pplcnetv3_mobile",
            "deployed",
        ),
    ],
)
def test_networks_and_losses(tmp_path: Path, overrides: tuple[str, ...], arch: str, form: str) -> None:
    config = small_config(tmp_path, schedule={"steps": 1, "warmup_epochs": 0}, trainer={"evals": 1})
    ocrtune("train", config, *overrides)
    (run,) = (tmp_path / "runs").iterdir()
    manifest = Bundle.load(run / "bundle").manifest
    assert (manifest.arch, manifest.form) == (arch, form)
    assert manifest.provenance["gate"]["boxes_equal"] >= 0.99


@pytest.mark.slow
def test_a_run_is_a_start_for_the_next_one(tmp_path: Path) -> None:
    config = small_config(tmp_path, schedule={"steps": 1, "warmup_epochs": 0})
    ocrtune("train", config)
    (run,) = (tmp_path / "runs").iterdir()
    again = json.loads(ocrtune("train", config, f"model.pretrained={run}", "--json").stdout)
    base = Bundle.load(Path(again["bundle"])).manifest.provenance["base"]
    assert base["bundle_fingerprint"] == Bundle.load(run / "bundle").fingerprint()


@pytest.mark.slow
def test_wild_learning_rate_stops_with_advice_and_not_with_a_broken_model(tmp_path: Path) -> None:
    config = small_config(tmp_path)
    done = ocrtune("train", config, "optimizer.lr=1e30", check=False)
    assert done.returncode == 1
    assert "loss is not finite" in done.stderr
    assert "optimizer.lr" in done.stderr
