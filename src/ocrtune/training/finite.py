"""Numbers that are infinite or not a number: found before they reach the weights, and traced to where they begin."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ocrtune.task import Task
from ocrtune.training.micro import divided, samples_in, tensors_in

_SHOWN = 5


@dataclass(frozen=True)
class Blame:
    """Where numbers stop being finite.

    Attributes:
        what: the first such tensor or layer, as a clause.
        samples: names of the samples that cause it, of the whole batch where no single one does.
        alone: whether each of these samples causes it alone.
        weights: whether the weights themselves are not finite: no other batch can help then.
    """

    what: str
    samples: list[str]
    alone: bool = False
    weights: bool = False

    def sentence(self) -> str:
        names = ", ".join(self.samples[:_SHOWN]) + (" …" if len(self.samples) > _SHOWN else "")
        return f"{self.what}; {'caused by' if self.alone else 'in the batch of'} {names}"


def gravest_blame(found: Sequence[Blame]) -> Blame:
    """What the processes of a run found, as one: broken weights, else samples that cause it alone, else the first."""
    return max(found, key=lambda blame: (blame.weights, blame.alone))


def finite_loss(parts: Mapping[str, float]) -> bool:
    return all(math.isfinite(value) for value in parts.values())


@torch.no_grad()
def finite_gradients(network: nn.Module) -> bool:
    """Whether every gradient is finite: then so is the sum of their norms."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    if not gradients:
        return True
    return bool(torch.stack([norm.float() for norm in torch._foreach_norm(gradients)]).sum().isfinite())


def broken_weights(network: nn.Module) -> list[str]:
    """Names of weights and statistics that are not finite."""
    return _not_finite(network.state_dict().items())


def trace(
    task: Task,
    network: nn.Module,
    autocast: Callable[[], AbstractContextManager[Any]],
    micro_batches: Sequence[Any],
    names: Sequence[str],
) -> Blame:
    """Find what was not finite first in a step that has failed: weights, batch, layer, loss or gradient.

    Runs the step's forward passes again, sample by sample; random numbers and statistics should be as they were at its
    start, and are not given back. The gradients are those of the failed step.

    Args:
        task: gives the loss.
        network: bare, so that one process can do this alone.
        autocast: makes the context that sets the precision of its layers.
        micro_batches: of the step.
        names: of their samples.
    """
    weights = broken_weights(network)
    if weights:
        return Blame(f"the weights of {_listed(weights)} already are not finite", list(names), weights=True)
    gradients = _not_finite((n, p.grad) for n, p in network.named_parameters() if p.grad is not None)
    unclean = any(not t.isfinite().all() for b in micro_batches for t in tensors_in(b) if t.is_floating_point())
    first: list[str] = []
    handles = [
        module.register_forward_hook(_Watcher(name, first))
        for name, module in network.named_modules()
        if not any(module.children())
    ]
    run = _Run(network, autocast)
    singles = [sample for batch in micro_batches for sample, _ in divided(batch, samples_in(batch))]
    try:
        guilty = [name for name, sample in zip(names, singles, strict=True) if not _finite_alone(task, run, sample)]
        if not guilty:
            for batch in micro_batches:
                _finite_alone(task, run, batch)
    finally:
        for handle in handles:
            handle.remove()
    if unclean:
        where = "the batch as it was prepared"
    elif first:
        where = first[0]
    else:
        where = f"the gradient of {_listed(gradients)}" if gradients else "the loss itself"
    return Blame(f"first not finite: {where}", guilty or list(names), alone=bool(guilty))


class _Run(nn.Module):
    """A network with the precision that the loop runs it in."""

    def __init__(self, network: nn.Module, autocast: Callable[[], AbstractContextManager[Any]]) -> None:
        super().__init__()
        self.network, self._autocast = network, autocast

    def forward(self, *inputs: Any) -> Any:
        with self._autocast():
            return self.network(*inputs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("network"), name)


@torch.no_grad()
def _finite_alone(task: Task, network: nn.Module, batch: Any) -> bool:
    """Whether the loss of a batch is finite; one that is too small for the network's normalisation passes."""
    try:
        return all(bool(value.isfinite().all()) for value in task.loss(network, batch).values())
    except ValueError:
        return True


class _Watcher:
    """A forward hook that notes the first layer whose output is not finite."""

    def __init__(self, name: str, first: list[str]) -> None:
        self._name, self._first = name, first

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if self._first or all(tensor.isfinite().all() for tensor in tensors_in(output)):
            return
        clean = all(tensor.isfinite().all() for tensor in tensors_in(inputs))
        what = "the output" if clean else "the input"
        self._first.append(f"{what} of {self._name or 'the network'} ({type(module).__name__})")


def _not_finite(named: Iterable[tuple[str, Tensor]]) -> list[str]:
    return [name for name, tensor in named if tensor.is_floating_point() and not tensor.isfinite().all()]


def _listed(names: Sequence[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
