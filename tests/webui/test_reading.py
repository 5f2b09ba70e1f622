"""One image on the page: thresholds move boxes without the network, and nothing is read twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from ocrtune.bundle import Bundle
from ocrtune.errors import ImageError
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.pipeline import OcrPipeline
from ocrtune.webui.models import Models
from ocrtune.webui.reading import Looks, pdf_page_count, scaled, write_pdf_page
from ocrtune.weights.registry import published_bundle
from support.pages import printed_page


@pytest.fixture(scope="module")
def pipeline() -> Bundle:
    return published_bundle("ppocrv4-mobile")


@pytest.fixture(scope="module")
def looks() -> Looks:
    return Looks(Models())


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return printed_page(tmp_path_factory.mktemp("printed") / "page.png", 3, 5).path.read_bytes()


class Counted:
    """An engine that counts its calls."""

    def __init__(self, engine: object) -> None:
        self.engine, self.calls = engine, 0

    def __call__(self, batch: np.ndarray) -> object:
        self.calls += 1
        return self.engine(batch)  # type: ignore[operator]


def test_thresholds_move_without_the_network(looks: Looks, pipeline: Bundle, printed: bytes) -> None:
    look = looks.get(pipeline, "document", printed, "page.png")
    assert isinstance(look.model, OcrPipeline)
    network, reader = Counted(look.model.detector.engine), Counted(look.model.recognizer.engine)
    look.model = replace(
        look.model,
        detector=replace(look.model.detector, engine=network),
        recognizer=replace(look.model.recognizer, engine=reader),
    )
    own = look.regions(look.own)
    assert len(own) == 5
    assert 0 < len(look.regions(replace(look.own, box_thresh=0.95))) < 5
    assert reader.calls == 0, "lines that were read before are not read again"
    wide = look.regions(replace(look.own, unclip_ratio=2.5))
    assert np.ptp(wide[0].polygon, axis=0).prod() > np.ptp(own[0].polygon, axis=0).prod()
    assert reader.calls > 0, "other crops are read"
    assert network.calls == 0


def test_less_certain_texts_are_left_out(looks: Looks, pipeline: Bundle, printed: bytes) -> None:
    look = looks.get(pipeline, "document", printed, "page.png")
    scores = sorted(region.text_score or 0.0 for region in look.regions(look.own))
    between = (scores[0] + scores[1]) / 2
    assert len(look.regions(replace(look.own, min_text_score=between))) == 4


def test_a_detector_gives_boxes_alone(looks: Looks, v4_mobile: Bundle, printed: bytes) -> None:
    look = looks.get(v4_mobile, "document", printed, "page.png")
    assert isinstance(look.model, TextDetector)
    assert (look.finds, look.reads) == (True, False)
    assert [region.text for region in look.regions(look.own)] == [None] * 5


def test_a_recogniser_takes_the_image_as_one_line(looks: Looks, pipeline: Bundle, printed: bytes) -> None:
    part = pipeline.part("recognition")
    assert part is not None
    image = cv2.imdecode(np.frombuffer(printed, np.uint8), cv2.IMREAD_COLOR)[0:40]
    line = bytes(cv2.imencode(".png", image)[1])
    look = looks.get(part, "document", line, "line.png")
    assert (look.finds, look.reads) == (False, True)
    (region,) = look.regions(look.own)
    assert region.text


def test_presets_change_what_is_own(looks: Looks, pipeline: Bundle, printed: bytes) -> None:
    document, busy = (looks.get(pipeline, name, printed, "page.png") for name in ("document", "complex"))
    assert busy.own.box_thresh > document.own.box_thresh
    assert busy.own.min_text_score > document.own.min_text_score


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"GIF89a", "this is no image"),
        (b"\x89PNG\r\n\x1a\n broken", "damaged"),
    ],
)
def test_what_is_no_image_is_said(looks: Looks, v4_mobile: Bundle, content: bytes, says: str) -> None:
    with pytest.raises(ImageError, match=says):
        looks.get(v4_mobile, "document", content, "page.png")


def test_few_looks_are_kept(v4_mobile: Bundle) -> None:
    looks = Looks(Models())
    tiny = [bytes(cv2.imencode(".png", np.full((32, 32, 3), grey, np.uint8))[1]) for grey in range(8)]
    first = looks.get(v4_mobile, "document", tiny[0], "0")
    assert looks.get(v4_mobile, "document", tiny[0], "0") is first
    for number, image in enumerate(tiny[1:], 1):
        looks.get(v4_mobile, "document", image, str(number))
    assert looks.get(v4_mobile, "document", tiny[0], "0") is not first


def test_pictures_are_scaled_with_their_boxes(tmp_path: Path) -> None:
    page = printed_page(tmp_path / "page.png", 1)
    image, regions = scaled(page.load(), page.regions, 160)
    assert image.shape == (160, 160, 3)
    np.testing.assert_allclose(regions[0].polygon, page.regions[0].polygon / 2)
    assert scaled(page.load(), page.regions, 1600)[0].shape == (320, 320, 3)


def test_pages_of_a_pdf_become_images(tmp_path: Path) -> None:
    pages = [PIL.Image.new("RGB", (72, 72), colour) for colour in ("red", "blue")]
    pages[0].save(tmp_path / "two.pdf", save_all=True, append_images=pages[1:], resolution=72)
    assert pdf_page_count(tmp_path / "two.pdf") == 2
    second = cv2.imread(str(write_pdf_page(tmp_path / "two.pdf", 2, tmp_path)))
    assert second is not None
    assert second.shape == (200, 200, 3)
    assert second[100, 100].argmax() == 0, "blue"
