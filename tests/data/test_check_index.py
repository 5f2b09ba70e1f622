"""What identifies pages lies in a temporary file: memory does not grow with them, and a full disk is said."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ocrtune.data.check.image import ImageFacts
from ocrtune.data.check.index import PageIndex
from ocrtune.data.check.wholeset import twins
from ocrtune.data.scratch import Scratch
from ocrtune.errors import DataError
from ocrtune.page import Page


def indexed(pages: int) -> PageIndex:
    rng, index = np.random.default_rng(0), PageIndex()
    for number in range(pages):
        page = Page(Path(f"img/{number}.jpg"), name=f"{number}.jpg", source=f"Label.txt:{number + 1}")
        index.add(page, ImageFacts(40, 30, rng.bytes(32), rng.bytes(128)))
    return index


def test_memory_does_not_grow_with_the_pages() -> None:
    peaks = []
    for pages in (100, 3_000, 6_000):
        tracemalloc.start()
        index = indexed(pages)
        assert list(twins(index)) == []
        assert len(index) == pages
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] - peaks[1] < 30 * 3_000, "what identifies a page is 300 bytes"


def test_a_page_is_found_again() -> None:
    index = PageIndex()
    facts = [ImageFacts(4, 3, bytes([kind] * 32), bytes(128), blank=kind == 3) for kind in (1, 2, 1, 2, 3)]
    names = ["a.jpg", "b.jpg", "c.jpg", "b.jpg", "\udcff.jpg"]
    for row, (name, fact) in enumerate(zip(names, facts, strict=True)):
        index.add(Page(Path("/img") / name, name=name, source=f"Label.txt:{row + 1}"), fact)
    assert list(index.named_again()) == [(3, 1)]
    assert list(index.same_pixels()) == [(2, 0)], "of images that are named before, that is told"
    assert [row for row, _, _ in index.distinct()] == [0, 1], "the last one is blank"
    assert (index.name(4), index.where(4), index.image(4)) == ("\udcff.jpg", "Label.txt:5", Path("/img/\udcff.jpg"))
    assert (index.with_pixels(bytes([2] * 32)), index.with_pixels(bytes(32))) == (1, None)
    assert index.has_image("/img/c.jpg")
    assert not index.has_image("/img/d.jpg")
    with pytest.raises(IndexError):
        index.name(5)


def test_a_full_disk_is_said() -> None:
    scratch = Scratch("CREATE TABLE bytes (found BLOB)", "PRAGMA max_page_count = 9")
    scratch.add("bytes", [(b"kept",)])
    assert scratch.row("SELECT found FROM bytes") == (b"kept",)
    with pytest.raises(DataError, match="temporary file cannot be written") as caught:
        scratch.add("bytes", [(bytes(100_000),)])
    assert "SQLITE_TMPDIR" in str(caught.value)
