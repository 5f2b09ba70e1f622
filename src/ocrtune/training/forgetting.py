"""Training that remembers: a task whose loss and evaluations also look at what the start network could do.

Sources: Li et al., "Explicit inductive bias for transfer learning with convolutional networks" (2018), "L2-SP": a penalty
on the distance from the start's weights; Li and Hoiem, "Learning without forgetting" (2016): one on the distance from its
outputs on the same batch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from ocrtune.config.schema import TrainConfig
from ocrtune.page import Page
from ocrtune.task import Evaluation, Samples, Spread, Task, alone
from ocrtune.training.checkpoint import plain_tensors, save_atomically
from ocrtune.training.precision import resolve_precision
from ocrtune.training.replay import ReplaySamples

START = "start.pth"
ANCHOR = "anchor"
"""Key of the anchor's figure among an evaluation's details, and start of its name among the figures."""
Measure: TypeAlias = Callable[[nn.Module, Mapping[str, Any]], float]
"""From a network and the details of its evaluation to the monitored figure on other pages."""


class Anchorable(Task, Protocol):
    """A task that can look at other data than its own."""

    def measure_on(self, pages: Sequence[Page]) -> Measure:
        """How networks are measured on other pages, with the settings that were found on the validation data."""
        ...

    def replayed(self, pages: Sequence[Page]) -> Samples:
        """Training samples of other pages."""
        ...

    def loss_beside(
        self, network: nn.Module, base: Callable[[Tensor], Tensor], batch: Any
    ) -> tuple[Mapping[str, Tensor], Tensor]:
        """The parts of the loss, and the distance of the network's outputs from another's on the same batch, a scalar.

        Args:
            network: in training mode.
            base: gives the other's outputs, those of eval mode.
            batch: of samples.
        """
        ...


@dataclass(frozen=True)
class Watch:
    """What evaluations ask about the anchor.

    Attributes:
        measure: on the anchor's pages.
        base: the start's figure there.
        tolerance: how much of it may be lost.
        stop: whether a run that loses more ends.
    """

    measure: Measure
    base: float
    tolerance: float
    stop: bool


class GuardedTask:
    """A task with everything that ``forgetting`` asks for; to the loop it is a task like any other.

    Args:
        task: what is trained.
        config: of the run.
        start: the network that training starts from, in eval mode.
        watch: None without an anchor.
        anchor: pages that are replayed; empty without replay.
    """

    def __init__(
        self, task: Anchorable, config: TrainConfig, start: nn.Module, watch: Watch | None, anchor: Sequence[Page] = ()
    ) -> None:
        self._task, self._watch = task, watch
        self._spec, self._precision = config.forgetting, config.trainer.precision
        self._start = copy.deepcopy(start)  # it moves to the trained network's device
        self.samples: Samples = task.samples
        if self._spec.replay and anchor:
            self.samples = ReplaySamples(task.samples, task.replayed(anchor), self._spec.replay, config.trainer.seed)

    def __getstate__(self) -> dict[str, Any]:
        # worker processes make samples and batches; what measures and remembers stays here
        return {"_task": self._task, "samples": self.samples}

    @property
    def monitor(self) -> str:
        return self._task.monitor

    @property
    def lr_factor(self) -> float:
        return self._task.lr_factor

    def network(self) -> nn.Module:
        return self._task.network()

    def lr_scales(self, network: nn.Module) -> Mapping[str, float] | None:
        return self._task.lr_scales(network)

    def backbone_names(self, network: nn.Module) -> Sequence[str]:
        return self._task.backbone_names(network)

    def collate(self, samples: Sequence[Any]) -> Any:
        return self._task.collate(samples)

    def loss(self, network: nn.Module, batch: Any) -> Mapping[str, Tensor]:
        """The task's loss; to its sum are added the weighted parts ``distill`` and ``l2_sp``."""
        extra: dict[str, Tensor] = {}
        self._start.to(next(network.parameters()).device)
        if self._spec.distill:
            plain, distance = self._task.loss_beside(network, self._base_outputs, batch)
            extra["distill"] = self._spec.distill * distance
        else:
            plain = self._task.loss(network, batch)
        if self._spec.l2_sp:
            extra["l2_sp"] = self._spec.l2_sp * relative_distance(network, self._start)
        return {**plain, **extra, "loss": sum(extra.values(), start=plain["loss"])}

    def evaluate(self, network: nn.Module, spread: Spread = alone) -> Evaluation:
        """The task's evaluation, with the anchor's figure among figures and details.

        A state that has lost too much counts less than any other where such a run is to end.
        """
        result = self._task.evaluate(network, spread)
        watch = self._watch
        if watch is None:
            return result
        # the first process measures and tells the others: what ends a run has to be the same number for all
        (figure,) = spread([watch], lambda asked: [one.measure(network, result.details) for one in asked])
        result = replace(
            result,
            figures={**result.figures, f"{ANCHOR}_{self.monitor}": figure},
            details={**result.details, ANCHOR: figure},
        )
        if figure >= watch.base - watch.tolerance:
            return result
        warning = (
            f"the model forgets: {self.monitor} on the anchor {watch.base:.4f} → {figure:.4f}, "
            f"{100 * (watch.base - figure):.1f} points lost where {100 * watch.tolerance:g} are allowed"
        )
        if watch.stop:
            return replace(result, merit=-np.inf, warning=f"{warning}: the run ends here", enough=True)
        return replace(result, warning=warning)

    @torch.no_grad()
    def _base_outputs(self, x: Tensor) -> Tensor:
        """What the start network gives for a batch, computed as precisely as the trained one."""
        half = resolve_precision(self._precision, x.device) != "32-true"
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=half):
            outputs: Tensor = self._start(x)
        return outputs


def relative_distance(network: nn.Module, start: nn.Module) -> Tensor:
    """Mean squared distance of the weights from a start's, each tensor relative to its root mean square there, a scalar.

    Relative, because folded weights span four orders of magnitude between layers. Tensors of one axis (biases, scales) and
    those that training does not move are left out.

    Args:
        network: as it is trained.
        start: a network of the same kind on the same device.
    """
    total = torch.zeros((), device=next(network.parameters()).device)
    count = 0
    for now, before in zip(network.parameters(), start.parameters(), strict=True):
        if before.ndim > 1 and before.requires_grad:
            then = before.detach()
            size = then.square().mean().clamp(min=torch.finfo(then.dtype).tiny)
            total = total + (now - then).square().sum() / size
            count += then.numel()
    return total / max(count, 1)


def start_network(task: Task, folder: Path, resume: bool) -> nn.Module:
    """The network that a run starts from, in eval mode; kept in the run folder, because fresh parts may differ next time.

    Args:
        task: what is trained.
        folder: the run folder.
        resume: take what is kept there.
    """
    network = task.network().eval()
    path = folder / START
    if resume and path.is_file():
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    else:
        save_atomically(plain_tensors(network.state_dict()), path)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
