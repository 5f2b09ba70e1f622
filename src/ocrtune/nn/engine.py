"""Torch networks as engines of the runtime, so that training's evaluation runs the code that serving runs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ocrtune.nn.memory import out_of_memory, release_memory
from ocrtune.runtime.preprocess import Batch


class _TorchRun:
    """Runs a torch network on a batch; the network is put into eval mode while it runs."""

    def __init__(self, model: nn.Module, precision: torch.dtype = torch.float32) -> None:
        self._model = model
        self._precision = precision

    def _run(self, batch: Batch) -> torch.Tensor:
        """The output for a batch, or for its halves one after the other where memory is too small for all of it."""
        try:
            return self._whole(batch)
        except Exception as error:
            if len(batch) == 1 or not out_of_memory(error):
                raise
        release_memory()
        half = len(batch) // 2
        return torch.cat([self._run(batch[:half]), self._run(batch[half:])])

    @torch.inference_mode()
    def _whole(self, batch: Batch) -> torch.Tensor:
        training = self._model.training
        self._model.eval()
        parameter = next(self._model.parameters())
        x = torch.from_numpy(batch).to(parameter.device, memory_format=torch.channels_last)
        try:
            with torch.autocast(x.device.type, dtype=self._precision, enabled=self._precision != torch.float32):
                out: torch.Tensor = self._model(x)
        finally:
            self._model.train(training)
        return out


class TorchEngine(_TorchRun):
    """Gives the network's output, float32."""

    def __call__(self, batch: Batch) -> npt.NDArray[np.float32]:
        return np.asarray(self._run(batch).float().cpu().numpy(), np.float32)


class TorchTextEngine(_TorchRun):
    """Gives each column's best class, int64 [N, T], and its probability, float32 [N, T]."""

    def __call__(self, batch: Batch) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        probabilities, classes = self._run(batch).float().max(dim=-1)
        return classes.cpu().numpy(), probabilities.cpu().numpy()
