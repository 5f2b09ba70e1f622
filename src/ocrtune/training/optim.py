"""Optimiser and parameter groups, with learning rates relative to the size of what they move."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ocrtune.config.schema import OptimizerConfig
from ocrtune.training.freeze import lr_factors

REFERENCE_BATCH = 8
_BASE_LR = {"relative": 3e-3, "absolute": 1e-3}
_BETAS = (0.9, 0.99)  # runs are some hundred steps long: the usual 0.999 would remember their start to the end


def automatic_lr(effective_batch: int, relative: bool) -> float:
    """Peak learning rate for an effective batch: 3e-3 (relative) or 1e-3 at 8 samples, growing with its square root."""
    base = _BASE_LR["relative" if relative else "absolute"]
    return base * math.sqrt(effective_batch / REFERENCE_BATCH)


def build_optimizer(
    model: nn.Module, config: OptimizerConfig, lr: float, scales: Mapping[str, float] | None = None
) -> torch.optim.Optimizer:
    """Optimiser over everything that takes gradients; weight decay only on matrices and kernels.

    Args:
        model: the network.
        config: type, weight decay, and factors on the learning rate of some parts.
        lr: peak learning rate.
        scales: factor on it by parameter name, 1 where a name is missing. A folded network needs them: its weights span
            four orders of magnitude between layers, so that one rate for all either destroys the small ones or does not
            move the large ones (Shazeer and Stern, "Adafactor", 2018, section 8, scale steps by the weights' size).

    Raises:
        ConfigError: a factor is given for a part that the network does not have.
    """
    scales = scales or {}
    factors = lr_factors(model, config.lr_factors)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = config.weight_decay if parameter.ndim in (2, 4) else 0.0  # learned positions have three
            rate = lr * factors[name] * scales.get(name, 1.0)
            groups.setdefault((rate, decay), []).append(parameter)
    settings: list[dict[str, Any]] = [
        {"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in groups.items()
    ]
    if config.type == "SGD":
        return torch.optim.SGD(settings, lr=lr, momentum=0.9, nesterov=True)
    kind = torch.optim.AdamW if config.type == "AdamW" else torch.optim.Adam
    return kind(settings, lr=lr, betas=_BETAS)


def set_lr(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Set every group to ``factor`` times its peak rate; returns the factor times the optimiser's own peak."""
    for group in optimizer.param_groups:
        group.setdefault("peak_lr", group["lr"])
        group["lr"] = group["peak_lr"] * factor
    return float(optimizer.defaults["lr"] * factor)
