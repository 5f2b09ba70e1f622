"""The guard from `adapt` to the bundle and the report, in one small job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ocrtune.bundle import Bundle
from ocrtune.config.load import load_config
from ocrtune.data.formats import read_dataset
from ocrtune.data.synth.receipts import render_receipt
from ocrtune.detection.evaluate import evaluate_detector
from ocrtune.errors import ConfigError
from ocrtune.runtime.load import load_detector
from ocrtune.training.forgetting import START
from ocrtune.training.interpolation import interpolated
from ocrtune.training.loop import BEST
from ocrtune.training.runlog import read_metrics
from ocrtune.workflows.adapt import AdaptRequest, AdaptResult, adapt
from ocrtune.workflows.console import Console
from ocrtune.workflows.train import train
from support.pages import write_heads
from support.runs import small_config

SETTINGS = (
    "schedule.steps=4",
    "input.page_size=320",
    "input.view_size=96",
    "data.batch_size=4",
    "data.num_workers=0",
    "trainer.evals=2",
    "trainer.precision=fp32",
    "forgetting.alphas=[0.5]",
    "forgetting.replay=0.25",
    "forgetting.l2_sp=10",
    "forgetting.distill=0.1",
)


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> tuple[AdaptResult, list[str]]:
    folder = tmp_path_factory.mktemp("guarded")
    for name, seed, count in (("data", 1, 18), ("val", 2, 2), ("anchor", 3, 24)):
        write_heads([render_receipt(seed, index) for index in range(count)], 7, folder / name)
    request = AdaptRequest(
        data=f"icdar:{folder / 'data'}",
        val=f"icdar:{folder / 'val'}",
        task="detection",
        base=None,
        budget=1e6,
        out=folder / "out",
        overrides=SETTINGS,
        sizes=(320,),
        anchor=f"icdar:{folder / 'anchor'}",
        firm=False,
    )
    said: list[str] = []
    return adapt(request, Console(say=said.append)), said


@pytest.mark.slow
def test_both_figures_before_and_after_are_in_the_bundle(adapted: tuple[AdaptResult, list[str]]) -> None:
    result, _ = adapted
    (kept,) = result.retentions
    stored = Bundle.load(result.bundle.path).manifest.metrics["forgetting"]
    assert stored == kept.as_dict() == result.as_dict()["forgetting"]
    assert stored["target"]["before"] == pytest.approx(result.comparison.before, abs=1e-6)
    assert stored["target"]["after"] == pytest.approx(result.comparison.after, abs=1e-6)
    assert stored["anchor"]["held"] == (stored["anchor"]["after"] >= stored["anchor"]["before"] - 0.01)
    report = read_dataset(f"json:{result.stages[0].outcome.folder / 'anchor' / 'report.json'}")
    measured = evaluate_detector(load_detector(result.bundle), report).figure
    assert stored["anchor"]["after"] == pytest.approx(measured, abs=1e-6), "of the bundle as it is used"
    assert [point["fine_tuned_share"] for point in stored["points"]] == [0, 0.5, 1]


@pytest.mark.slow
def test_the_bundle_holds_the_chosen_mixture(adapted: tuple[AdaptResult, list[str]]) -> None:
    from safetensors.torch import load_file

    result, said = adapted
    run = result.stages[0].outcome.folder
    base, tuned = (torch.load(run / name, weights_only=True) for name in (START, BEST))
    share = result.retentions[0].choice.chosen.alpha
    assert result.bundle.weights is not None
    stored = load_file(result.bundle.weights)
    for name, tensor in interpolated(base, tuned, share).items():
        assert torch.equal(stored[name], tensor), name
    assert sum("fine-tuned: hmean" in line for line in said) == 3
    assert any("chosen" in line for line in said)


@pytest.mark.slow
def test_the_run_watches_the_anchor_and_the_report_shows_it(adapted: tuple[AdaptResult, list[str]]) -> None:
    result, said = adapted
    run = result.stages[0].outcome.folder
    names = [row["name"] for row in read_metrics(run / "metrics.csv")]
    assert names.count("anchor_hmean") == 2
    assert {"l2_sp", "distill"} <= set(names)
    assert any("of the anchor: hmean" in line for line in said)
    html = result.report.read_text(encoding="utf-8")
    for words in ("What is kept and what is gained", "base as published", "Weights between base and fine-tuned"):
        assert words in html
    assert result.retentions[0].sentence()[:20] in html


@pytest.mark.slow
def test_the_same_run_again_gives_the_same_weights(adapted: tuple[AdaptResult, list[str]], tmp_path: Path) -> None:
    run = adapted[0].stages[0].outcome.folder
    config = load_config(run / "config.yaml").config
    again = train(config, tmp_path)
    mine, theirs = (torch.load(folder / BEST, weights_only=True) for folder in (tmp_path, run))
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    first, second = (json.loads((folder / "anchor.json").read_text())["base"] for folder in (tmp_path, run))
    assert first == second
    assert again.retention is not None
    assert again.retention.choice.chosen.alpha == adapted[0].retentions[0].choice.chosen.alpha


@pytest.mark.slow
def test_fresh_weights_have_nothing_to_forget(tmp_path: Path) -> None:
    config = load_config(
        small_config(tmp_path), ["model.pretrained=null", "model.arch=db_resnet18_vd", "forgetting.l2_sp=1"]
    )
    (tmp_path / "run").mkdir()
    with pytest.raises(ConfigError, match="nothing to forget"):
        train(config.config, tmp_path / "run")
