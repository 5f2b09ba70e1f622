"""What a step changes before it is done, to be given back where it comes to nothing."""

from __future__ import annotations

import torch
from torch import nn


class Rewind:
    """Remembers a network's statistics of normalisation and the state of random numbers.

    Weights are not among them: they change when a step has succeeded, and not before.
    """

    @torch.no_grad()
    def __init__(self, network: nn.Module) -> None:
        self._buffers = list(network.buffers())
        self._values = [buffer.clone() for buffer in self._buffers]
        self._cpu = torch.get_rng_state()
        self._gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []

    @torch.no_grad()
    def __call__(self) -> None:
        """Give everything back."""
        for buffer, value in zip(self._buffers, self._values, strict=True):
            buffer.copy_(value)
        torch.set_rng_state(self._cpu)
        if self._gpus:
            torch.cuda.set_rng_state_all(self._gpus)
