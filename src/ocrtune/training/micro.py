"""Batches in pieces: what does not fit into memory at once is run one piece after the other, for the same step."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from ocrtune.errors import GateError


def divided(batch: Any, pieces: int) -> Iterator[tuple[Any, float]]:
    """A batch cut into pieces of about equal size, each with its share of the samples.

    Args:
        batch: as a task's ``collate`` makes it: tensors, lists and tuples over the samples, or dataclasses and named
            tuples of such.
        pieces: how many; no more than there are samples.
    """
    if pieces == 1:
        yield batch, 1.0
        return
    count = samples_in(batch)
    pieces = min(pieces, count)
    bounds = [count * i // pieces for i in range(pieces + 1)]
    for start, end in itertools.pairwise(bounds):
        yield _slice(batch, start, end), (end - start) / count


def samples_in(batch: Any) -> int:
    """Number of samples in a batch."""
    if isinstance(batch, Tensor | list):
        return len(batch)
    return samples_in(next(iter(_parts(batch))))


def fewer_at_once(pieces: int, micro_batch: int) -> int:
    """Into how many pieces a batch is cut next.

    Args:
        pieces: into how many it was cut when memory ran out.
        micro_batch: samples in a batch.

    Raises:
        GateError: a piece was a single sample already.
    """
    if pieces >= micro_batch:
        raise GateError(
            "memory is too small for a single sample",
            hint="make samples smaller (input.view_size for pages, input.max_width for lines), or free some memory",
        )
    return min(2 * pieces, micro_batch)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors of a batch or of a layer's output, in their order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple) or dataclasses.is_dataclass(value):
        for part in _parts(value):
            yield from tensors_in(part)


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif dataclasses.is_dataclass(value):
        yield from (getattr(value, field.name) for field in dataclasses.fields(value))
    else:
        yield from value


def _slice(batch: Any, start: int, end: int) -> Any:
    if isinstance(batch, Tensor | list):
        return batch[start:end]
    parts = [_slice(part, start, end) for part in _parts(batch)]
    if dataclasses.is_dataclass(batch):
        names = [field.name for field in dataclasses.fields(batch)]
        return dataclasses.replace(batch, **dict(zip(names, parts, strict=True)))  # type: ignore[type-var]
    return type(batch)(*parts)
