"""Memory that a training step frees stays with the process, and goes back after training."""

from __future__ import annotations

import os
import platform
import resource

import pytest
import torch

from ocrtune.nn.memory import freed_memory_kept
from ocrtune.training.batch_probe import resident_memory

LARGE = 48 << 20  # bytes; above what glibc ever keeps of its own accord
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other C libraries keep memory or not as they like"
)


def cleared(times: int) -> int:
    """Pages that the system has to clear while a large block is asked for, used and freed again and again."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.empty(LARGE, dtype=torch.uint8)[::PAGE] = 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_a_freed_block_is_used_again_instead_of_cleared() -> None:
    with freed_memory_kept():
        cleared(8)  # until small blocks have settled around it
        kept = cleared(8)
    assert kept < 0.5 * cleared(8)


def test_memory_goes_back_at_the_end() -> None:
    with freed_memory_kept():
        with freed_memory_kept():
            blocks = [torch.ones(LARGE, dtype=torch.uint8) for _ in range(4)]
        before = resident_memory()
        del blocks
        assert before - resident_memory() < LARGE  # kept: the outer one has not ended
    assert before - resident_memory() > 3 * LARGE
