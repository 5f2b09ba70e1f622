from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from itertools import chain

import numpy as np
import pytest

from ocrtune.errors import MissingExtraError
from ocrtune.page import Image, Page, TextRegion
from ocrtune.runtime.engines import ENGINES, EngineName
from ocrtune.runtime.load import load_pipeline
from ocrtune.runtime.pages import pages_model
from ocrtune.runtime.parallel import each
from ocrtune.runtime.pipeline import OcrPipeline
from ocrtune.weights.registry import published_bundle

PIXELS, PROBABILITY = 1.0, 2e-3
"""How much two engines may differ: a box moves by a pixel where a probability lies on the threshold."""


@pytest.fixture(scope="module")
def pages(receipt_pages: list[Page], cable_pages: list[Page]) -> list[Image]:
    """Parts of real pages, small enough for a test, of different sizes."""
    receipts = [page.load()[:400] for page in receipt_pages[1:3]]
    return [receipts[0], cable_pages[0].load(), receipts[1], cable_pages[1].load()]


def pipeline(engine: EngineName = "onnxruntime", threads: int = 1) -> OcrPipeline:
    return load_pipeline(published_bundle("ppocrv4-mobile"), threads, engine)


@pytest.fixture(scope="module")
def read(pages: list[Image]) -> list[list[TextRegion]]:
    """One page after the other, on one thread."""
    reader = pipeline()
    return [reader.read(page) for page in pages]


def assert_same(found: Sequence[Sequence[TextRegion]], expected: Sequence[Sequence[TextRegion]]) -> None:
    assert [[region.text for region in page] for page in found] == [[r.text for r in page] for page in expected]
    for region, other in zip(chain(*found), chain(*expected), strict=True):
        np.testing.assert_allclose(region.polygon, other.polygon, atol=PIXELS)
        assert region.score == pytest.approx(other.score, abs=PROBABILITY)
        assert region.text_score == pytest.approx(other.text_score, abs=PROBABILITY)
        assert region.angle == other.angle


def test_openvino_finds_and_reads_the_same(pages: list[Image], read: list[list[TextRegion]]) -> None:
    assert sum(map(len, read)) > 20
    assert_same(pipeline("openvino", threads=2).read_pages(pages), read)


def test_neighbours_and_threads_change_nothing(pages: list[Image], read: list[list[TextRegion]]) -> None:
    reader = pipeline(threads=3)
    assert_same(reader.read_pages(pages), read)
    assert_same(reader.read_pages(pages[::-1]), read[::-1])
    assert_same([reader.read(page) for page in pages], read)
    assert reader.read_pages([]) == []


@pytest.mark.parametrize("part", ["detection", "recognition", "orientation"])
def test_every_part_runs_on_every_engine(part: str, pages: list[Image]) -> None:
    bundle = published_bundle("ppocrv4-mobile").part(part)  # type: ignore[arg-type]
    assert bundle is not None
    line = pages[1]
    answers = [pages_model(bundle, engine=engine)([line])[0] for engine in ENGINES]
    for found in answers[1:]:
        assert [region.text for region in found] == [region.text for region in answers[0]]
        assert [region.angle for region in found] == [region.angle for region in answers[0]]


def test_without_openvino_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError) as caught:
        pipeline("openvino")
    assert caught.value.hint == "pip install 'ocrtune[openvino]'"


@pytest.mark.parametrize("threads", [1, 3])
def test_pieces_keep_their_order_and_their_faults(threads: int) -> None:
    assert each(lambda piece: piece * 2, range(20), threads) == list(range(0, 40, 2))
    with pytest.raises(ZeroDivisionError):
        each(lambda piece: 1 // piece, [1, 0, 1], threads)


LETS_GO_IN_A_THREAD = """
import os, signal, sys, threading
from pathlib import Path
from ocrtune.runtime.engines import OpenVinoEngine
signals = []
signal.signal(signal.SIGTERM, lambda *_: signals.append("reached"))
engines = [OpenVinoEngine(Path(sys.argv[1]))]
thread = threading.Thread(target=engines.clear)
thread.start()
thread.join()
os.kill(os.getpid(), signal.SIGTERM)
print(*signals)
"""


def test_a_signal_reaches_a_process_that_let_go_of_openvino_in_another_thread() -> None:
    """OpenVINO's plug-in has a stack for signals, and gives it back whichever thread lets it go."""
    model = published_bundle("ppocrv4-mobile-det").onnx
    done = subprocess.run(
        [sys.executable, "-c", LETS_GO_IN_A_THREAD, model], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "reached\n"), done.stderr
