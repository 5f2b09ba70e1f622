"""Which batch fits into memory when every sample in it is the largest that can come.

On a GPU batches grow until one does not fit. On a CPU nobody says no before the system ends the process, so that peaks of
small batches are measured and the line through them tells the rest: memory grows linearly with the batch.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from ocrtune.config.schema import TrainConfig
from ocrtune.errors import UsageError
from ocrtune.nn.memory import freed_memory_kept
from ocrtune.task import Task
from ocrtune.training.averaging import MovingAverage
from ocrtune.training.bare import BareSteps

SHARE = 0.8
"""Of the memory that is free a batch may take so much: samples in preparation and evaluations want the rest."""
MAX_BATCH = 1024
_STEPS = 2  # of each size; the second meets the memory as the first left it
_CPU_SIZES = 4  # sizes that are measured on a CPU at most: 1, 2, 4, 8


class Probed(Task, Protocol):
    """A task that knows its largest sample."""

    def largest_sample(self) -> Any:
        """A sample of the largest shape that training can meet."""
        ...


@dataclass(frozen=True)
class Tried:
    """A batch that was trained on.

    Attributes:
        batch: samples.
        peak: largest memory in bytes: of the process on a CPU, of the tensors on a GPU.
        seconds: of a step.
    """

    batch: int
    peak: int
    seconds: float


@dataclass(frozen=True)
class BatchProbe:
    """What fits.

    Attributes:
        device: ``cpu`` or ``cuda``.
        wanted: ``data.batch_size`` of the configuration.
        accumulate: ``trainer.accumulate`` of the configuration.
        largest: largest batch that fits, at most `MAX_BATCH`; 0 where not even one sample does.
        limit: memory in bytes that a batch may take.
        tried: what was measured, in order of size.
    """

    device: str
    wanted: int
    accumulate: int
    largest: int
    limit: int
    tried: Sequence[Tried]

    @property
    def fits(self) -> bool:
        return self.wanted <= self.largest

    @property
    def settings(self) -> tuple[str, ...]:
        """Overrides with which the run fits and takes steps of at least as many samples; none where it fits as it is."""
        if self.fits or self.largest == 0:
            return ()
        portions = -(-self.wanted // self.largest)
        batch = -(-self.wanted // portions)
        return (f"data.batch_size={batch}", f"trainer.accumulate={portions * self.accumulate}")

    def sentence(self) -> str:
        """What it means for the run."""
        if self.fits:
            return (
                f"Batches of {self.wanted} fit; up to {self.largest} would. A larger batch than the data need makes fewer "
                "steps out of the same time: raise it for speed on a GPU, seldom on a CPU."
            )
        if not self.settings:
            return "Not even one sample fits: make input.view_size (detection) or input.max_width (lines) smaller."
        return (
            f"Batches of {self.wanted} do not fit, {self.largest} do: {' '.join(self.settings)} takes the same steps in "
            "smaller portions."
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "device": self.device,
            "batch_size": self.wanted,
            "fits": self.fits,
            "largest": self.largest,
            "limit_bytes": self.limit,
            "settings": list(self.settings),
            "tried": [{"batch": t.batch, "peak_bytes": t.peak, "seconds": round(t.seconds, 4)} for t in self.tried],
        }


@freed_memory_kept()
def probe_batch(task: Probed, config: TrainConfig, each: Callable[[Tried], None] = lambda tried: None) -> BatchProbe:
    """Find the largest batch for a run on this machine as it is now.

    Args:
        task: what would be trained.
        config: of the run.
        each: takes each measurement.

    Raises:
        OcrtuneError: a sample cannot be made, or the system does not tell how much memory is free.
    """
    steps = BareSteps(task, config)
    # the loop keeps a moving average beside the network; held until the end, for its memory alone
    average = MovingAverage(task.network(), config.trainer.ema_decay) if config.trainer.ema else None
    if average is not None:
        average.model.to(steps.device)
    sample = task.largest_sample()

    def step(size: int) -> None:
        steps.step(task.collate([sample] * size), 0.0)

    kind = steps.device.type
    step(1)  # whatever is made once: optimiser state, kernels, workspaces
    if kind == "cuda":
        free, _ = torch.cuda.mem_get_info()
        limit = int(SHARE * (free + torch.cuda.memory_reserved()))
        largest, tried = largest_by_trial(step, limit, each)
    else:
        limit = resident_memory() + int(SHARE * available_memory())
        largest, tried = largest_by_measuring(step, limit, config.batch_size, each)
    return BatchProbe(kind, config.batch_size, config.trainer.accumulate, largest, limit, tried)


def largest_by_measuring(
    step: Callable[[int], None], limit: int, wanted: int, each: Callable[[Tried], None] = lambda tried: None
) -> tuple[int, list[Tried]]:
    """Measure 1, 2, 4, ... up to the wanted size, as far as the line through them stays below the limit.

    Args:
        step: makes a training step with a batch of a size.
        limit: bytes.
        wanted: size of the run's batches.
        each: takes each measurement.

    Returns:
        the largest batch by the line, and the measurements.
    """
    tried: list[Tried] = []
    for size in [2**i for i in range(_CPU_SIZES) if 2**i <= wanted] or [1]:
        if len(tried) > 1 and _by_line(tried, limit) < size:
            break
        reset_peak()
        seconds = _timed(step, size)
        tried.append(Tried(size, peak_memory(), seconds))
        each(tried[-1])
        if tried[-1].peak > limit:
            break
    fitting = [t.batch for t in tried if t.peak <= limit]
    if len(tried) == 1 or len(fitting) < len(tried):
        return max(fitting, default=0), tried
    return _by_line(tried, limit), tried


def largest_by_trial(
    step: Callable[[int], None], limit: int, each: Callable[[Tried], None] = lambda tried: None
) -> tuple[int, list[Tried]]:
    """Double the batch until one does not fit, then halve the doubt down to an eighth.

    Args:
        step: makes a training step with a batch of a size.
        limit: bytes that a batch may take; more counts as not fitting, so that room is left.
        each: takes each measurement.

    Returns:
        the largest batch that fitted, and the measurements.
    """
    tried: list[Tried] = []

    def fits(size: int) -> bool:
        torch.cuda.reset_peak_memory_stats()
        try:
            seconds = _timed(step, size)
        except torch.OutOfMemoryError:
            seconds = None
        if seconds is None:  # not inside of the handler, where the exception still holds what was computed
            torch.cuda.empty_cache()
            return False
        tried.append(Tried(size, torch.cuda.max_memory_allocated(), seconds))
        each(tried[-1])
        return tried[-1].peak <= limit

    good, bad = 0, MAX_BATCH + 1
    size = 1
    while size < bad:
        if fits(size):
            good, size = size, 2 * size
        else:
            bad = size
    while bad - good > max(1, good // 8):
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good, sorted(tried, key=lambda t: t.batch)


def available_memory() -> int:
    """Bytes that this process may still take: of the machine, or of the container where that has less.

    Raises:
        UsageError: the system does not tell.
    """
    free = _bytes_in(Path("/proc/meminfo"), "MemAvailable")
    group = Path("/sys/fs/cgroup")
    with suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        room = int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
        free = min(free, max(0, room))
    return free


def reset_peak() -> None:
    """Forget the largest memory that this process has had so far."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Largest memory in bytes of this process since `reset_peak`."""
    return _bytes_in(Path("/proc/self/status"), "VmHWM")


def resident_memory() -> int:
    """Memory in bytes of this process now."""
    return _bytes_in(Path("/proc/self/status"), "VmRSS")


def _bytes_in(path: Path, key: str) -> int:
    """A line ``key:  123 kB`` of one of Linux's tables."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise UsageError(
            "this system does not tell how much memory is used",
            where=path,
            expected="Linux, or a GPU",
            hint="halve data.batch_size and double trainer.accumulate until the run fits",
        ) from error
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def _timed(step: Callable[[int], None], size: int) -> float:
    """Seconds of the fastest of some steps."""
    times = []
    for _ in range(_STEPS):
        started = time.perf_counter()
        step(size)
        times.append(time.perf_counter() - started)
    return min(times)


def _by_line(tried: Sequence[Tried], limit: int) -> int:
    """The batch at which a line from the last peak, as steep as the steepest between two of them, meets the limit.

    The first samples cost less than later ones: part of what they need was taken by the step before.
    """
    slope = max((b.peak - a.peak) / (b.batch - a.batch) for a, b in itertools.pairwise(tried))
    if slope <= 0:
        return MAX_BATCH
    return int(np.clip(tried[-1].batch + (limit - tried[-1].peak) / slope, 0, MAX_BATCH))
