from __future__ import annotations

import copy

import numpy as np
import torch

from ocrtune.config.schema import TargetSpec
from ocrtune.data.synth.receipts import render_receipt
from ocrtune.detection.network import FAMILY
from ocrtune.detection.warmstart import fit_base
from ocrtune.nn.engine import TorchEngine
from ocrtune.runtime.preprocess import DetectionPreprocess
from ocrtune.weights.network import load_network


def test_base_fit_finds_the_ratio_that_its_maps_have_and_that_it_is_saturated() -> None:
    model = load_network(FAMILY, "ppocrv4-mobile-det").model
    views = []
    for index in range(3):
        page = render_receipt(7, index)
        image = page.load()[: 32 * (page.load().shape[0] // 32), : 32 * (page.load().shape[1] // 32)]
        views.append((np.ascontiguousarray(image), page.regions))
    fit = fit_base(model, views, DetectionPreprocess(), TargetSpec())
    assert fit.temperature > 2
    assert 0.4 <= fit.shrink_ratio <= 0.7
    assert fit.dice_by_ratio[fit.shrink_ratio] == min(fit.dice_by_ratio.values()) < 0.5


def test_dividing_logits_moves_no_pixel_over_one_half() -> None:
    model = load_network(FAMILY, "ppocrv4-mobile-det").model.eval()
    tempered = copy.deepcopy(model)
    tempered.head.divide_logits(8.0)
    batch = np.random.default_rng(0).normal(size=(1, 3, 64, 96)).astype(np.float32)
    before, after = TorchEngine(model)(batch), TorchEngine(tempered)(batch)
    decided = np.abs(before - 0.5) > 1e-4
    assert ((before > 0.5) == (after > 0.5))[decided].all()
    a = torch.logit(torch.from_numpy(before).double().clamp(1e-6, 1 - 1e-6))
    b = torch.logit(torch.from_numpy(after).double().clamp(1e-6, 1 - 1e-6))
    close = a.abs() < 10
    torch.testing.assert_close(b[close] * 8, a[close], atol=2e-2, rtol=1e-2)
