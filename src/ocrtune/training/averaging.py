"""Exponential moving average of a network's weights and normalisation statistics."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class MovingAverage:
    """Keeps a copy of a network whose tensors follow the trained ones.

    The decay starts small, (1 + n) / (10 + n), so that a short run is not dominated by its start (Tensorflow's rule).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval()
        self.decay = decay
        self.updates = 0
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        mine, theirs = self.model.state_dict(), model.state_dict()
        floating = [(mine[name], theirs[name]) for name in mine if mine[name].is_floating_point()]
        torch._foreach_lerp_([a for a, _ in floating], [b for _, b in floating], 1 - decay)
        for name, tensor in mine.items():
            if not tensor.is_floating_point():
                tensor.copy_(theirs[name])

    def state_dict(self) -> dict[str, Tensor | int | dict[str, Tensor]]:
        return {"updates": self.updates, "model": self.model.state_dict()}

    def load_state_dict(self, state: dict[str, object]) -> None:
        self.updates = int(state["updates"])  # type: ignore[call-overload]
        self.model.load_state_dict(state["model"])  # type: ignore[arg-type]
