"""Batches for the loop: positions in an endless stream of samples, made by worker processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from ocrtune.errors import OcrtuneError
from ocrtune.task import Samples, Task


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

    def __getitem__(self, position: int) -> Any:
        epoch, place = divmod(position, len(self.samples))
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, self.samples.order(np.random.default_rng([self.seed, epoch]))
        try:
            return self.samples.sample(epoch, int(self._order[1][place]))
        except OcrtuneError as error:
            return _BadSample(error)


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

    def __call__(self, samples: Sequence[Any]) -> Any:
        bad = next((sample for sample in samples if isinstance(sample, _BadSample)), None)
        return bad or self.task.collate(samples)


def batches(
    task: Task,
    *,
    first_batch: int,
    count: int,
    batch_size: int,
    seed: int,
    num_workers: int,
    rank: int = 0,
    world_size: int = 1,
) -> Iterator[Any]:
    """Batches number ``first_batch`` to ``count`` of one process; the same ones for any number of workers.

    Raises:
        OcrtuneError: a sample cannot be made.
    """
    positions = _Positions(first_batch, count, batch_size, rank, world_size)
    # not fork: a forked child inherits OpenCV's and OpenMP's locks without their threads, and hangs
    methods = multiprocessing.get_all_start_methods()
    context = ("forkserver" if "forkserver" in methods else "spawn") if num_workers else None
    loader = DataLoader(
        _Stream(task.samples, seed),
        batch_sampler=positions,
        num_workers=num_workers,
        collate_fn=_Collate(task),
        multiprocessing_context=context,
        worker_init_fn=_start_worker if num_workers else None,
        prefetch_factor=2 if num_workers else None,
    )
    for batch in loader:
        if isinstance(batch, _BadSample):
            raise batch.error
        yield batch


def _start_worker(worker: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
