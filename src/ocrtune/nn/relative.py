"""Learning rates relative to the size of what they move, for networks whose normalisation is folded away.

Source: You et al., "Large Batch Training of Convolutional Networks" (2017), as fixed factors. Without normalisation
layers the weights' scales differ by orders of magnitude, so that one rate for all moves some too far and others not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ocrtune.nn.layers import Affine

_BIAS_SCALE = 0.3


def hold_affines(model: nn.Module) -> None:
    """Freeze scalar affine layers: slow to train on a CPU, and neighbouring weights can do their work."""
    for module in model.modules():
        if isinstance(module, Affine):
            module.requires_grad_(False)


def relative_scales(network: nn.Module, run: Callable[[], object]) -> dict[str, float]:
    """Each weight's root mean square, and for biases at least a share of their layer's output.

    Args:
        network: the network.
        run: passes some samples through it.
    """
    spread = _output_spread(network, run)
    scales = {}
    for name, parameter in network.named_parameters():
        size = float(parameter.detach().square().mean().sqrt())
        if parameter.ndim == 1:
            size = max(size, _BIAS_SCALE * spread.get(name.rpartition(".")[0], 0.0))
        scales[name] = max(size, 1e-6)
    return scales


@torch.no_grad()
def _output_spread(network: nn.Module, run: Callable[[], object]) -> dict[str, float]:
    """Standard deviation of each layer's output over positions, by module name."""
    squares: dict[str, list[float]] = {}

    def watch(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            values = output.float() if output.ndim == 4 else output.float().flatten(0, -2).t()[None, :, :, None]
            if values.shape[2] * values.shape[3] > 1:
                squares.setdefault(name, []).append(float(values.var(dim=(0, 2, 3)).mean()))

        return hook

    hooks = [
        module.register_forward_hook(watch(name))
        for name, module in network.named_modules()
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear))
    ]
    training = network.training
    network.eval()
    run()
    network.train(training)
    for hook in hooks:
        hook.remove()
    return {name: float(np.sqrt(np.mean(values))) for name, values in squares.items()}
