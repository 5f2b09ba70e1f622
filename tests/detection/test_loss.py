from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from ocrtune.config.schema import LossSpec
from ocrtune.detection.loss import (
    Probabilities,
    TargetBatch,
    balanced_bce,
    balanced_dice,
    dice,
    focal,
    maps_divergence,
    maps_loss,
    masked_l1,
)
from ocrtune.nn.heads.db import DBMaps
from support.golden import load_arrays, load_json, tensor

MAIN = {"DiceLoss": "dice", "DiceFocalLoss": "dice-focal"}
PARTS = {"shrink": "loss_shrink_maps", "threshold": "loss_threshold_maps", "binary": "loss_binary_maps"}


def golden_targets(arrays: dict[str, Any], note: str = "") -> TargetBatch:
    """The stored targets, changed as a case's note says."""
    names = ("shrink_map", "shrink_mask", "threshold_map", "threshold_mask")
    maps = {name: tensor(arrays[f"det/{name}"]) for name in names}
    maps = {name: value[:, None] if value.ndim == 3 else value for name, value in maps.items()}
    zero = {
        "threshold_mask, shrink_map and shrink_mask are all zero": ("threshold_mask", "shrink_map", "shrink_mask"),
        "shrink_map 0, threshold_mask 0, shrink_mask all one": ("shrink_map", "threshold_mask"),
        "shrink_mask all zero, others as stored": ("shrink_mask",),
    }.get(note, ())
    for name in zero:
        maps[name] = torch.zeros_like(maps[name])
    if "shrink_mask all one" in note:
        maps["shrink_mask"] = torch.ones_like(maps["shrink_mask"])
    return TargetBatch(*(maps[name] for name in names))


def spec_of(config: dict[str, Any]) -> LossSpec:
    values = {"main": MAIN[config["main_loss_type"]], "gamma": 1.0}
    values |= {
        key: config[key] for key in ("alpha", "beta", "ohem_ratio", "focal_alpha", "focal_gamma") if key in config
    }
    return LossSpec.model_validate(values)


def channels(maps: torch.Tensor) -> Probabilities:
    return Probabilities(maps[:, 0:1], maps[:, 1:2], maps[:, 2:3], torch.logit(maps[:, 0:1]))


def test_db_loss_is_the_official_one() -> None:
    golden, arrays = load_json("losses.json"), load_arrays("losses.npz")
    compared = gradients = 0
    for name, case in golden.items():
        if not name.startswith("db_") or "error" in case:
            continue
        maps = tensor(arrays[case["inputs"]["maps"].removeprefix("array ")]).requires_grad_()
        spec = spec_of(case["config"])
        targets = golden_targets(arrays, case.get("note", ""))
        parts = maps_loss(channels(maps), targets, spec)
        for mine, theirs in PARTS.items():
            assert float(parts[mine].detach()) == pytest.approx(case["parts"][theirs], rel=1e-5, abs=1e-6), (name, mine)
        auxiliary = 0.0
        for level in (2, 3, 4):
            if f"aux_maps_p{level}" in case["inputs"]:
                # the note says which arrays play the auxiliary heads' maps
                source = re.search(rf"aux_maps_p{level} = (\S+?)(,|$)", case["note"])
                assert source is not None
                loss = float(maps_loss(channels(tensor(arrays[source[1]])), targets, spec)["loss"].detach())
                assert loss == pytest.approx(case["parts"][f"loss_aux_maps_p{level}"], rel=1e-5)
                auxiliary += loss * case["config"][f"aux_weight_p{level}"]
        assert float(parts["loss"].detach()) + auxiliary + case["parts"]["loss_cbn"] == pytest.approx(
            case["parts"]["loss"], rel=1e-5
        )
        stored_gradient = f"grad/{name}/maps"
        if stored_gradient in arrays:
            parts["loss"].backward()
            assert maps.grad is not None
            np.testing.assert_allclose(maps.grad.numpy(), arrays[stored_gradient], atol=1e-6, rtol=1e-4)
            gradients += 1
        compared += 1
    assert compared
    assert gradients


def test_single_terms_are_the_official_ones() -> None:
    arrays, basic = load_arrays("losses.npz"), load_json("losses.json")["basic"]
    maps, targets = channels(tensor(arrays["det/maps"])), golden_targets(arrays)
    shrink = targets.shrink_map, targets.shrink_mask
    assert maps.threshold is not None
    mine = {
        "DiceLoss(P,S,Sm)": dice(maps.shrink, *shrink),
        "MaskL1Loss(T,Tt,Tm)": masked_l1(maps.threshold, targets.threshold_map, targets.threshold_mask),
        "BalanceLoss_BCELoss_ratio3(P,S,Sm)": balanced_bce(maps.shrink_logits, *shrink, ratio=3),
        "BalanceLoss_BCELoss_ratio1(P,S,Sm)": balanced_bce(maps.shrink_logits, *shrink, ratio=1),
        "BalanceLoss_Dice(P,S,Sm)": balanced_dice(maps.shrink, *shrink, ratio=3),
        "MaskedFocalLoss_a.25_g2.5(P,S,Sm)": focal(maps.shrink, *shrink, 0.25, 2.5),
    }
    assert set(mine) == set(basic)
    for name, value in mine.items():
        assert float(value) == pytest.approx(basic[name], rel=1e-5), name


@pytest.mark.parametrize("main", ["dice", "dice-focal", "bce", "bce-dice"])
@pytest.mark.parametrize("ignored", [False, True])
def test_a_batch_without_text_has_a_finite_loss_and_gradient(main: str, ignored: bool) -> None:
    logits = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mask = torch.zeros(2, 1, 32, 32) if ignored else torch.ones(2, 1, 32, 32)
    zero = torch.zeros(2, 1, 32, 32)
    spec = LossSpec.model_validate({"main": main, "beta": 10, "gamma": 1})
    maps = Probabilities(logits.sigmoid(), logits.sigmoid(), logits.sigmoid(), logits)
    loss = maps_loss(maps, TargetBatch(zero, mask, zero, zero), spec)["loss"]
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_saturated_wrong_pixels_still_have_a_gradient() -> None:
    """The base's logits reach hundreds; a loss on probabilities would be flat there."""
    logits = torch.full((1, 1, 8, 8), 200.0).requires_grad_()
    target, mask = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    target[..., :2, :] = 1
    balanced_bce(logits, target, mask, ratio=3).backward()
    assert logits.grad is not None
    assert (logits.grad[target == 0] > 0).all()


BASE = torch.tensor([[[[0.0, 0.0, 0.9, 1.0]]]])


def logits_of(probability: torch.Tensor) -> torch.Tensor:
    return torch.logit(probability, eps=1e-6)


def test_equal_maps_are_no_distance_apart() -> None:
    assert abs(maps_divergence(DBMaps(logits_of(BASE), None), BASE).item()) < 1e-4


def test_distance_counts_per_pixel_of_text_whatever_the_background() -> None:
    other = torch.tensor([[[[0.0, 0.0, 0.5, 1.0]]]])
    near = maps_divergence(DBMaps(logits_of(other), None), BASE)
    wide, base = (torch.cat([maps, torch.zeros(1, 1, 1, 96)], dim=3) for maps in (other, BASE))
    far = maps_divergence(DBMaps(logits_of(wide), None), base)
    assert near.item() > 0.1
    torch.testing.assert_close(near, far, rtol=1e-3, atol=1e-3)


def test_both_maps_of_a_pf_head_are_drawn_to_the_base() -> None:
    shrink, refined = (torch.zeros(1, 1, 1, 4, requires_grad=True) for _ in range(2))
    maps_divergence(DBMaps(shrink, None, refined), BASE).backward()
    for logits in (shrink, refined):
        assert logits.grad is not None
        assert (logits.grad[0, 0, 0, :2] > 0).all()
        assert (logits.grad[0, 0, 0, 2:] < 0).all()


def test_distance_on_views_without_text_is_finite() -> None:
    assert torch.isfinite(maps_divergence(DBMaps(torch.randn(1, 1, 4, 4), None), torch.zeros(1, 1, 4, 4)))
