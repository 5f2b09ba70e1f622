"""Batches for the loop: positions in an endless stream of samples, made by worker processes."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from ocrtune.errors import DataError, ImageError, OcrtuneError
from ocrtune.task import Samples, Task

_NEIGHBOURS = 8
"""Samples that are tried in the place of one whose image is damaged; with as many failing in a row, something else is."""
_DEATHS = 3
"""How often worker processes may die."""


@dataclass(frozen=True)
class Loaded:
    """A batch and where it comes from.

    Attributes:
        batch: as the task's ``collate`` makes it.
        indices: of its samples.
        damaged: images that could not be used; samples of them were replaced.
    """

    batch: Any
    indices: list[int]
    damaged: list[ImageError]


@dataclass(frozen=True)
class _Made:
    """A sample, the index that it is of, and what was damaged in the places before it."""

    sample: Any
    index: int
    damaged: list[ImageError] = field(default_factory=list)


@dataclass(frozen=True)
class _BadSample:
    """Stands for a sample that could not be made, so that the fault reaches the loop as it is."""

    error: OcrtuneError


@dataclass
class _Stream(Dataset[Any]):
    """Maps a position in the endless stream to a sample; every epoch has its own order."""

    samples: Samples
    seed: int
    _order: tuple[int, npt.NDArray[np.int64]] | None = None

    def __getitem__(self, position: int) -> _Made | _BadSample:
        epoch, place = divmod(position, len(self.samples))
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, self.samples.order(np.random.default_rng([self.seed, epoch]))
        order = self._order[1]
        damaged: list[ImageError] = []
        for neighbour in range(min(1 + _NEIGHBOURS, len(order))):
            index = int(order[(place + neighbour) % len(order)])
            try:
                return _Made(self.samples.sample(epoch, index), index, damaged)
            except ImageError as error:
                damaged.append(error)
            except OcrtuneError as error:
                return _BadSample(error)
        return _BadSample(damaged[0])


@dataclass
class _Positions(Sampler[list[int]]):
    """Positions of each batch of one process, from a step on."""

    first_batch: int
    batches: int
    batch_size: int
    rank: int
    world_size: int

    def __iter__(self) -> Iterator[list[int]]:
        for batch in range(self.first_batch, self.batches):
            start = (batch * self.world_size + self.rank) * self.batch_size
            yield list(range(start, start + self.batch_size))

    def __len__(self) -> int:
        return self.batches - self.first_batch


@dataclass(frozen=True)
class _Collate:
    task: Task

    def __call__(self, samples: Sequence[_Made | _BadSample]) -> Loaded | _BadSample:
        made: list[_Made] = []
        for sample in samples:
            if isinstance(sample, _BadSample):
                return sample
            made.append(sample)
        damaged = [error for sample in made for error in sample.damaged]
        return Loaded(self.task.collate([s.sample for s in made]), [s.index for s in made], damaged)


def loaded_batches(
    task: Task,
    *,
    first_batch: int,
    count: int,
    batch_size: int,
    seed: int,
    num_workers: int,
    rank: int = 0,
    world_size: int = 1,
    tell: Callable[[str], None] = lambda line: None,
) -> Iterator[Loaded]:
    """Batches number ``first_batch`` to ``count`` of one process; the same ones for any number of workers.

    A sample whose image is damaged is replaced by the next one of its epoch, the same one in every process. Where a worker
    process dies, half as many go on at the batch that was due.

    Args:
        tell: takes one line when a worker has died.

    Raises:
        OcrtuneError: a sample cannot be made, nor those after it.
        DataError: workers died again and again.
    """
    deaths = 0
    while first_batch < count:
        positions = _Positions(first_batch, count, batch_size, rank, world_size)
        try:
            for loaded in _loader(task, positions, seed, num_workers):
                if isinstance(loaded, _BadSample):
                    raise loaded.error
                first_batch += 1
                yield loaded
        except (RuntimeError, ConnectionError, EOFError) as error:
            if not _of_dead_worker(error):
                raise
            deaths += 1
            if deaths == _DEATHS:
                raise DataError(
                    f"processes that prepare samples died {deaths} times, last: {error}",
                    expected="enough memory for data.num_workers processes, and enough shared memory (/dev/shm)",
                    hint="set data.num_workers: 0 in the run's config.yaml, then resume the run; its results stay the same",
                ) from error
            num_workers = max(1, num_workers // 2)
            tell(f"a process that prepares samples died: {error}; going on with {num_workers}")


def _of_dead_worker(error: Exception) -> bool:
    """Whether torch says that a worker died, or a batch broke off because one died while it was handed over."""
    text = str(error)
    if isinstance(error, RuntimeError):
        return text.startswith("DataLoader worker (pid")
    return not text.startswith("Caught ")  # as torch marks what was raised in a worker that lives


def _loader(task: Task, positions: _Positions, seed: int, num_workers: int) -> DataLoader[Any]:
    # not fork: a forked child inherits OpenCV's and OpenMP's locks without their threads, and hangs
    methods = multiprocessing.get_all_start_methods()
    context = ("forkserver" if "forkserver" in methods else "spawn") if num_workers else None
    return DataLoader(
        _Stream(task.samples, seed),
        batch_sampler=positions,
        num_workers=num_workers,
        collate_fn=_Collate(task),
        multiprocessing_context=context,
        worker_init_fn=_start_worker if num_workers else None,
        prefetch_factor=2 if num_workers else None,
        generator=torch.Generator(),  # otherwise it draws a number that the network's dropout would have had
    )


def _start_worker(worker: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that trains has gone, by kill -9 too; torch watches the forkserver instead."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
