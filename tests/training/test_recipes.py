"""Every network and loss goes through the loop, the export gate and the report."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

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
    config = small_config(tmp_path, schedule={"steps": 2, "warmup_epochs": 0})
    ocrtune("train", config, *overrides)
    (run,) = (tmp_path / "runs").iterdir()
    manifest = Bundle.load(run / "bundle").manifest
    assert (manifest.arch, manifest.form) == (arch, form)
    assert manifest.provenance["gate"]["boxes_equal"] >= 0.99
    # a bundle is a start for the next run
    again = ocrtune("train", config, f"model.pretrained={run}", "schedule.steps=1", "trainer.evals=1")
    assert "bundle:" in again.stdout


@pytest.mark.slow
def test_accumulated_batches_equal_one_large_batch(tmp_path: Path) -> None:
    """The same samples in one batch of four and in two of two; the loss is a mean over pixels, so only nearly equal."""
    finals = []
    for name, overrides in (("one", ["data.batch_size=4"]), ("two", ["data.batch_size=2", "trainer.accumulate=2"])):
        config = small_config(tmp_path / name, schedule={"steps": 1, "warmup_epochs": 0})
        ocrtune("train", config, *overrides, "loss.main=dice", "trainer.ema=false")
        (run,) = (tmp_path / name / "runs").iterdir()
        finals.append(torch.load(run / "final_model.pth", weights_only=True))
    for key, value in finals[0].items():
        assert (value - finals[1][key]).abs().max() <= 0.02 * value.abs().max() + 1e-6, key


@pytest.mark.slow
def test_wild_learning_rate_stops_with_advice_and_not_with_a_broken_model(tmp_path: Path) -> None:
    config = small_config(tmp_path)
    done = ocrtune("train", config, "optimizer.lr=1e30", check=False)
    assert done.returncode == 1
    assert "loss is not finite" in done.stderr
    assert "optimizer.lr" in done.stderr
