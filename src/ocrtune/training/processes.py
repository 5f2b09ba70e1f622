"""The processes of one run: what each of them does, and what they have to agree on.

Who starts them is all the same: `ocrtune train`, torchrun and Ray Train set the same environment variables (RANK,
WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT).
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import TorchElasticEnvironment
from lightning_fabric.strategies import DDPStrategy
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from ocrtune.config.schema import TrainerConfig
from ocrtune.errors import MissingExtraError, OcrtuneError, ProcessLost
from ocrtune.training.precision import resolve_precision
from ocrtune.training.verdicts import Verdict

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

GRADIENT_TIMEOUT = timedelta(minutes=5)
"""How long gradients wait for another process; all begin a step together, so that only computing counts."""
WORD_TIMEOUT = timedelta(hours=1)
"""How long words wait: one process may prepare data or read slowly. A process that died is noticed at once."""
_LOST = ("gloo", "nccl", "connection closed", "connection reset", "connection refused", "timed out")


@dataclass(frozen=True)
class Processes:
    """One process of a run, and how it talks to the others; made by `join`.

    What several processes call has to be called by all of them, in the same order.

    Attributes:
        rank: number of this process, from 0.
        world_size: processes in all.
        local_rank, local_world_size: the same on this machine.
        words: the group for words, which works on every device.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1
    words: dist.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and talks to the user."""
        return self.rank == 0

    def gather(self, value: T) -> list[T]:
        """Every process's value, by rank.

        Raises:
            ProcessLost: another process has ended.
        """
        values: list[Any] = [value]
        if self.world_size > 1:
            values = [None] * self.world_size
            with lost_processes_named():
                dist.all_gather_object(values, value, group=self.words)
        return values

    def agree(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag, whether any process has raised it."""
        return tuple(any(column) for column in zip(*self.gather(flags), strict=True))

    def gravest(self, verdict: Verdict) -> Verdict:
        """The gravest verdict of all processes."""
        return max(self.gather(verdict))

    def mean(self, figures: Mapping[str, float]) -> dict[str, float]:
        """Figures averaged over the processes; what is not finite anywhere is finite nowhere."""
        all_figures = self.gather(dict(figures))
        return {name: sum(each[name] for each in all_figures) / self.world_size for name in figures}

    def together(self, work: Callable[[], T]) -> T:
        """Do a piece of work on every process; what goes wrong on one is raised on all.

        Raises:
            OcrtuneError: of the first process that it went wrong on.
        """
        outcome = self._outcome(work)
        self._raise_first(self.gather(outcome if isinstance(outcome, OcrtuneError) else None))
        return outcome  # type: ignore[return-value]

    def on_first(self, work: Callable[[], T]) -> T:
        """Do a piece of work on the first process alone; all get what it gave, or raised."""
        outcome: list[Any] = [self._outcome(work) if self.first else None]
        if self.world_size > 1:
            with lost_processes_named():
                dist.broadcast_object_list(outcome, src=0, group=self.words)
        self._raise_first(outcome)
        return outcome[0]

    def spread(self, items: Sequence[A], work: Callable[[Sequence[A]], list[B]]) -> list[B]:
        """See `ocrtune.task.Spread`: process r takes the items r, r + world_size, ..."""
        shares: list[Any] = self.gather(self._outcome(lambda: work(items[self.rank :: self.world_size])))
        self._raise_first(shares)
        return [shares[index % self.world_size][index // self.world_size] for index in range(len(items))]

    def average_statistics(self, network: nn.Module) -> None:
        """Give the normalisation layers that follow their batches the mean of all processes' statistics.

        The running mean is then that of the whole batch; the running variance is the mean of the parts' variances, which
        leaves out how far their means lie apart.
        """
        if self.world_size == 1:
            return
        norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.training]
        statistics = [s for norm in norms for s in (norm.running_mean, norm.running_var) if s is not None]
        if not statistics:
            return
        flat = torch.cat([s.flatten() for s in statistics])
        with lost_processes_named():
            dist.all_reduce(flat)
        parts = (flat / self.world_size).split([s.numel() for s in statistics])
        for own, part in zip(statistics, parts, strict=True):
            own.copy_(part.view_as(own))

    def _outcome(self, work: Callable[[], T]) -> T | OcrtuneError:
        try:
            return work()
        except OcrtuneError as error:
            if self.world_size == 1 or isinstance(error, ProcessLost):
                raise
            return error

    @staticmethod
    def _raise_first(outcomes: Sequence[object]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, OcrtuneError):
                raise outcome


@functools.cache
def join() -> Processes:
    """The run that this process was started for; alone where nothing says otherwise.

    Raises:
        ProcessLost: the others cannot be reached.
    """
    if "RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes()
    with lost_processes_named():
        if not dist.is_initialized():  # Ray Train has done it
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            dist.init_process_group(backend, timeout=GRADIENT_TIMEOUT)
        words = dist.new_group(backend="gloo", timeout=WORD_TIMEOUT)
    return Processes(
        dist.get_rank(),
        dist.get_world_size(),
        int(os.environ["LOCAL_RANK"]),
        int(os.environ["LOCAL_WORLD_SIZE"]),
        words,
    )


@contextmanager
def lost_processes_named() -> Iterator[None]:
    """Turn what torch raises where another process has ended into an error that says so.

    Raises:
        ProcessLost: an exchange with another process failed.
    """
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        speaks_of_it = dist.is_initialized() and any(word in text.lower() for word in _LOST)
        if not (speaks_of_it or isinstance(error, dist.DistError)):
            raise
        raise ProcessLost(
            f"another process of this run has ended, or does not answer: {text.splitlines()[0][:200]}"
        ) from error


def process_count(config: TrainerConfig) -> int:
    """Processes that a configuration asks for on this machine.

    Raises:
        MissingExtraError: there are fewer GPUs.
    """
    if config.num_gpus > 1:
        _need_gpus(config.num_gpus)
    return config.num_gpus if config.num_gpus and torch.cuda.is_available() else config.num_processes


def build_fabric(config: TrainerConfig, processes: Processes) -> Fabric:
    """Fabric on the device that a configuration asks for, with DDP where there are several processes.

    Raises:
        MissingExtraError: there are fewer GPUs than processes on this machine.
    """
    accelerator = "cpu" if config.num_gpus == 0 or not torch.cuda.is_available() else "cuda"
    precision = resolve_precision(config.precision, torch.device(accelerator))
    if processes.world_size == 1:
        return Fabric(accelerator=accelerator, devices=1, precision=precision)
    if accelerator == "cuda":
        _need_gpus(processes.local_world_size)
    # buffers stay as they are in a forward pass: `Processes.average_statistics` does better after the step
    switch = {"forward_sync_buffers", "broadcast_buffers"} & set(inspect.signature(DistributedDataParallel).parameters)
    strategy = DDPStrategy(
        cluster_environment=_Joined(),
        timeout=GRADIENT_TIMEOUT,
        find_unused_parameters=True,  # frozen stages, and branches that a batch has no use for
        **{max(switch): False},  # the newer of torch's two names for it
    )
    fabric = Fabric(accelerator=accelerator, strategy=strategy, devices=processes.local_world_size, precision=precision)
    fabric.launch()
    return fabric


def _need_gpus(count: int) -> None:
    """Make sure that this machine has so many GPUs.

    Raises:
        MissingExtraError: it has fewer.
    """
    found = torch.cuda.device_count()
    if found < count:
        raise MissingExtraError(
            f"{count} processes need a GPU each, and this machine has {found}",
            where="trainer.num_gpus",
            hint=f"set trainer.num_gpus={found}; for processes on the CPU, trainer.num_gpus=0 trainer.num_processes={count}",
        )


class _Joined(TorchElasticEnvironment):  # type: ignore[misc]
    """The group that `join` found, whose machines may have different numbers of processes."""

    def validate_settings(self, num_devices: int, num_nodes: int) -> None:
        pass
