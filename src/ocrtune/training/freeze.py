"""Stages: the backbone stays as it is for the first steps."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


class BackboneFreeze:
    """Holds some parameters still, and the statistics of their normalisation layers with them.

    Args:
        network: the network.
        names: parameters that are held.
        steps: for how many steps.
    """

    def __init__(self, network: nn.Module, names: Sequence[str], steps: int) -> None:
        held = set(names)
        self._steps = steps
        self._parameters = [p for name, p in network.named_parameters() if name in held and p.requires_grad]
        self._norms = [
            module
            for name, module in network.named_modules()
            if isinstance(module, nn.BatchNorm2d) and f"{name}.weight" in held
        ]

    def apply(self, step: int) -> None:
        """Set what takes gradients in a step (from 0); to be called after ``network.train()``."""
        if self._steps == 0:
            return
        frozen = step < self._steps
        for parameter in self._parameters:
            parameter.requires_grad_(not frozen)
        if frozen:
            for module in self._norms:
                module.eval()
