from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ocrtune.config.schema import LossSpec
from ocrtune.detection.loss import TargetBatch, db_loss, probabilities
from ocrtune.detection.model import DBOutput
from ocrtune.nn.fuse import deployed
from ocrtune.nn.heads.db import DBMaps
from ocrtune.weights.paddle import torch_name
from support.golden import DETECTORS, golden_detector, golden_model, load_arrays, stream, tensor

MAIN = {"DiceLoss": "dice", "DiceFocalLoss": "dice-focal"}


def stacked(maps: DBMaps) -> np.ndarray:
    """Channels P (of a PF head: its refined map), T, B as the golden set stores them."""
    values = probabilities(maps)
    assert values.threshold is not None
    assert values.binary is not None
    first = values.shrink if values.refined_logits is None else values.refined_logits.sigmoid()
    return torch.cat([first, values.threshold, values.binary], 1).detach().numpy()


def golden_loss(output: DBOutput, model: dict[str, Any]) -> dict[str, torch.Tensor]:
    targets = load_arrays("models/det_train_targets.npz")
    batch = TargetBatch(
        *(tensor(targets[name].reshape(-1, 1, *targets[name].shape[-2:])) for name in TargetBatch._fields)
    )
    config = model["loss_config"]
    auxiliary = {level: config[f"aux_weight_p{level}"] for level in (2, 3, 4) if f"aux_weight_p{level}" in config}
    values = {"main": MAIN[config["main_loss_type"]], "gamma": 1.0, "auxiliary": auxiliary}
    values |= {
        key: config[key] for key in ("alpha", "beta", "ohem_ratio", "focal_alpha", "focal_gamma") if key in config
    }
    return db_loss(output, batch, LossSpec.model_validate(values))


@pytest.mark.parametrize("name", DETECTORS)
def test_network_does_what_the_official_one_does(name: str) -> None:
    model, arrays, inputs = golden_model(name)
    network = golden_detector(name, model).eval()
    x = tensor(inputs[model["eval_inputs"][0]])
    with torch.no_grad():
        np.testing.assert_allclose(network(x).numpy(), arrays["eval_maps"], atol=1e-4)
        np.testing.assert_allclose(deployed(network)(x).numpy(), arrays["rep_maps"], atol=1e-4)


@pytest.mark.parametrize("name", DETECTORS)
def test_training_forward_loss_and_gradients_are_the_official_ones(name: str) -> None:
    model, arrays, inputs = golden_model(name)
    network = golden_detector(name, model).train()
    output = network(tensor(inputs[model["train_input"]]))
    maps = stacked(output.maps)
    np.testing.assert_allclose(maps[:, :2], arrays["train_maps"][:, :2], atol=1e-3)
    np.testing.assert_allclose(maps[:, 2], arrays["train_maps"][:, 2], atol=1e-2)
    if output.maps.refined is not None:
        np.testing.assert_allclose(maps[:, 0], arrays["train_distance_maps"][:, 0], atol=1e-3)
        np.testing.assert_allclose(maps[:, 2], arrays["train_cbn_maps"][:, 0], atol=1e-2)
    for level, auxiliary in output.auxiliary.items():
        stride = model["train_stride"][f"aux_maps_p{level}"]
        stored = arrays[f"train_aux_maps_p{level}_sub"]
        np.testing.assert_allclose(stacked(auxiliary).reshape(-1)[::stride], stored, atol=1e-2)
    statistics = dict(network.named_buffers())
    for layer in model["bn_after_one_train_forward"]:
        stored_mean = arrays[f"bn_after/{layer}._mean"]
        # the running mean starts at the generated value; both keep 0.9 of it, so equal results mean equal momentum
        np.testing.assert_allclose(statistics[torch_name(f"{layer}._mean")].numpy(), stored_mean, atol=1e-4)
    parts = golden_loss(output, model)
    assert float(parts["loss"].detach()) == pytest.approx(model["train_loss"]["loss"], rel=1e-4)
    parts["loss"].backward()
    compare_gradients(network, model)


def compare_gradients(network: torch.nn.Module, model: dict[str, Any]) -> None:
    """Norm and projection of every gradient; tolerance from how much the official ones move by rounding alone."""
    tolerance = max(5e-3, 5 * model["grad_rel_change_for_1e-6_input_noise"])
    total, difference = 0.0, 0.0
    parameters = dict(network.named_parameters())
    for name in model["no_grad_keys"]:
        parameter = parameters.get(torch_name(name))  # what the official network carries but never runs is left out
        assert parameter is None or parameter.grad is None or float(parameter.grad.abs().max()) == 0, name
    for name, (norm, projection) in model["grads"].items():
        parameter = parameters[torch_name(name)]
        assert parameter.grad is not None, name
        probe = stream(model["seed"], "gradprobe/" + name).standard_normal(tuple(parameter.shape), dtype=np.float32)
        mine = float((parameter.grad * torch.from_numpy(probe)).sum())
        # the difference's norm is not stored; a projection on normal noise estimates it without bias
        difference += (mine - projection) ** 2
        total += norm**2
    assert np.sqrt(difference / total) < tolerance
    assert np.sqrt(total) == pytest.approx(model["grad_total_norm"], rel=1e-3)
