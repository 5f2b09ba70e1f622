"""Training steps without a run around them: no schedule, no log, no checkpoint, on a copy of the start network."""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric import Fabric

from ocrtune.config.schema import TrainConfig
from ocrtune.task import Task
from ocrtune.training.freeze import Freeze
from ocrtune.training.optim import automatic_lr, build_optimizer, set_lr
from ocrtune.training.precision import resolve_precision


class BareSteps:
    """Steps as the loop makes its first ones, for finding out about a run before it begins; nothing is written anywhere.

    Args:
        task: what would be trained.
        config: of the run; one process, whatever it says.

    Attributes:
        lr: the peak rate of the run.
        device: where the steps are made.
    """

    def __init__(self, task: Task, config: TrainConfig) -> None:
        self._task, self._config = task, config
        cuda = torch.cuda.is_available() and config.trainer.num_gpus > 0
        self.device = torch.device("cuda" if cuda else "cpu")
        precision = resolve_precision(config.trainer.precision, self.device)
        self._fabric = Fabric(accelerator=self.device.type, devices=1, precision=precision)
        torch.manual_seed(config.trainer.seed)
        network = task.network()
        scales = task.lr_scales(network)
        batch = config.batch_size * config.trainer.accumulate
        automatic = task.lr_factor * automatic_lr(batch, scales is not None)
        self.lr = automatic if config.optimizer.lr == "auto" else config.optimizer.lr
        self._freeze = Freeze(network, config.freeze, task.backbone_names(network), steps_per_epoch=1)
        optimizer = build_optimizer(network, config.optimizer, self.lr, scales)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network, self._optimizer = self._fabric.setup(network, optimizer)

    def step(self, batch: Any, factor: float) -> float:
        """One step at ``factor`` times the peak rate; returns the loss before it."""
        set_lr(self._optimizer, factor)
        self._optimizer.zero_grad(set_to_none=True)  # first, for whatever a step that ran out of memory left behind
        self._network.train()
        self._freeze.apply(0)
        loss = self._task.loss(self._network, batch)["loss"]
        self._fabric.backward(loss)
        if self._config.optimizer.clip_norm is not None:
            self._fabric.clip_gradients(self._network, self._optimizer, max_norm=self._config.optimizer.clip_norm)
        self._optimizer.step()
        return float(loss.detach())

    @torch.no_grad()
    def loss(self, batch: Any) -> float:
        """The loss of a batch, without learning from it."""
        self._network.train()
        return float(self._task.loss(self._network, batch)["loss"])
