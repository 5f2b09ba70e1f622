"""Which batch fits: by a line through measured peaks, or by trying until memory is out."""

from __future__ import annotations

import gc
import mmap

import pytest
import torch

from ocrtune.training import batch_probe
from ocrtune.training.batch_probe import (
    BatchProbe,
    available_memory,
    largest_by_measuring,
    largest_by_trial,
    peak_memory,
    probe_batch,
    reset_peak,
    resident_memory,
)
from support.line_task import LineTask, line_config

MIB = 2**20


def test_peak_memory_is_measured_and_forgotten() -> None:
    gc.collect()  # what earlier tests left is not given back in between
    reset_peak()
    before = peak_memory()
    with mmap.mmap(-1, 64 * MIB) as large:  # never out of memory that the allocator keeps
        for _ in range(64):
            large.write(bytes(MIB))
        assert peak_memory() - before > 60 * MIB
    reset_peak()
    assert peak_memory() - before < 32 * MIB
    assert resident_memory() <= peak_memory()
    assert available_memory() > 0


@pytest.fixture
def peaks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Batches that were trained on; one needs 100 bytes and 10 for each sample."""
    sizes: list[int] = []
    monkeypatch.setattr(batch_probe, "reset_peak", lambda: None)
    monkeypatch.setattr(batch_probe, "peak_memory", lambda: 100 + 10 * sizes[-1])
    return sizes


@pytest.mark.parametrize(
    ("limit", "wanted", "largest", "tried"),
    [
        (1005, 32, 90, [1, 2, 4, 8]),  # measured small, told by the line
        (1005, 3, 90, [1, 2]),
        (145, 32, 4, [1, 2, 4]),  # 8 is not even tried: the line says that it would not fit
        (105, 32, 0, [1]),
        (115, 1, 1, [1]),
    ],
)
def test_a_line_through_small_batches(
    peaks: list[int], limit: int, wanted: int, largest: int, tried: list[int]
) -> None:
    found, measured = largest_by_measuring(peaks.append, limit, wanted)
    assert found == largest
    assert [t.batch for t in measured] == tried


@pytest.mark.parametrize(("room", "limit"), [(100, 10**9), (10**9, 700), (1, 10**9), (10**9, 10**9)])
def test_trying_until_memory_is_out(monkeypatch: pytest.MonkeyPatch, room: int, limit: int) -> None:
    """``room`` samples before the device refuses; a peak of 10 bytes a sample must stay below ``limit``."""
    last = 0

    def step(size: int) -> None:
        nonlocal last
        if size > room:
            raise torch.OutOfMemoryError("no memory")
        last = size

    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 10 * last)
    found, tried = largest_by_trial(step, limit)
    best = min(room, limit // 10, batch_probe.MAX_BATCH)
    assert 7 / 8 * best - 1 <= found <= best
    assert [t.batch for t in tried] == sorted(t.batch for t in tried)


def test_what_fits_on_this_machine() -> None:
    told: list[int] = []
    found = probe_batch(LineTask(), line_config(), lambda tried: told.append(tried.batch))
    assert told == [1, 2, 4]
    assert found.fits, "some numbers always fit"
    assert found.settings == ()
    assert found.as_dict()["largest"] >= 4


def test_advice_takes_the_same_steps_in_portions() -> None:
    probe = BatchProbe("cpu", 32, 2, 12, 10**9, [])
    assert not probe.fits
    assert probe.settings == ("data.batch_size=11", "trainer.accumulate=6")
    assert "data.batch_size=11" in probe.sentence()
    assert "one sample" in BatchProbe("cpu", 32, 1, 0, 10**9, []).sentence()
