from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ocrtune.charset import Charset
from ocrtune.page import Image, Page, TextRegion, as_polygon
from ocrtune.recognition.evaluate import evaluate_recognizer
from ocrtune.runtime.crop import crop_region, is_tall, turned_left, turned_over
from ocrtune.runtime.load import load_pipeline
from ocrtune.runtime.preprocess import Batch, LinePreprocess
from ocrtune.runtime.recognizer import RecognitionThresholds, TextRecognizer, decode_ctc, tempered
from ocrtune.weights.registry import published_bundle
from support.golden import load_arrays, load_json
from support.pages import sample_pages

CHARSET = Charset(tuple("ab"))


@pytest.mark.parametrize("name", ["space", "no_space", "default_dict"])
def test_decoding_is_the_official_one(name: str) -> None:
    reference = load_json("decode.json")["decode"][name]
    charset = Charset(tuple(reference["class_list"][1:]))
    probabilities = load_arrays("decode.npz")[name]
    for line, (text, confidence) in zip(probabilities, reference["result"], strict=True):
        found = decode_ctc(line.argmax(-1), line.max(-1), charset)
        assert found[0] == text
        assert found[1] == pytest.approx(confidence, abs=1e-5)


def test_a_plain_rectangle_is_cut_without_resampling() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    crop = crop_region(image, as_polygon([(10, 20), (70, 20), (70, 45), (10, 45)]))
    np.testing.assert_array_equal(crop, image[20:45, 10:70])


def test_a_crop_follows_the_text_not_the_image() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[40:60, 20:50] = (255, 0, 0)  # the first half of the text
    quad = as_polygon([(20, 40), (80, 40), (80, 60), (20, 60)])
    upright = crop_region(image, quad)
    upside_down = crop_region(image, np.roll(quad, -2, axis=0))
    assert upright[:, :25, 0].min() > 200
    assert upright[:, 35:, 0].max() < 50
    np.testing.assert_allclose(turned_over(upside_down).astype(int), upright.astype(int), atol=1)
    down = crop_region(image, np.roll(quad, -1, axis=0))  # starts at the right: the text runs downwards in this view
    assert is_tall(down)
    assert turned_left(down).shape == upright.shape


def test_many_points_and_places_outside_the_image_are_no_problem() -> None:
    image = np.full((40, 40, 3), 7, np.uint8)
    curved = as_polygon([(5, 10), (15, 8), (30, 10), (30, 20), (15, 18), (5, 20)])
    assert crop_region(image, curved).shape[1] > crop_region(image, curved).shape[0]
    outside = crop_region(image, as_polygon([(-20, -20), (60, -20), (60, 60), (-20, 60)]))
    assert outside.shape == (80, 80, 3)
    assert (outside == 7).all(), "the border is repeated"
    assert crop_region(image, as_polygon([(3, 3), (3, 3), (3, 3), (3, 3)])).size > 0


@pytest.mark.parametrize(
    ("width", "height", "expected"), [(10, 48, 32), (33, 48, 64), (320, 48, 320), (9000, 48, 3200)]
)
def test_input_width_depends_on_the_crop_alone(width: int, height: int, expected: int) -> None:
    assert LinePreprocess().input_width(width, height) == expected


class Reader:
    """An engine that reads "a" with a confidence that depends on how bright the left of a line is."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def __call__(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        self.seen.append(batch.shape)
        brightness = (batch[:, :, :, :8].mean(axis=(1, 2, 3)) + 1) / 2
        steps = batch.shape[3] // 8
        return np.ones((len(batch), steps), np.int64), np.repeat(brightness[:, None], steps, 1).astype(np.float32)


def line(left: int, right: int, width: int = 64, height: int = 48) -> Image:
    image = np.full((height, width, 3), right, np.uint8)
    image[:, : width // 2] = left
    return image


def test_doubtful_lines_are_read_again_upside_down() -> None:
    recognizer = TextRecognizer(Reader(), LinePreprocess(), CHARSET, RecognitionThresholds(second_look=0.6))
    sure, doubtful = recognizer.read([line(255, 0), line(0, 255)])
    assert not sure.turned
    assert doubtful.turned
    assert doubtful.confidence == pytest.approx(1.0, abs=0.01)
    once = TextRecognizer(Reader(), LinePreprocess(), CHARSET, RecognitionThresholds())
    assert not any(reading.turned for reading in once.read([line(255, 0), line(0, 255)]))


def test_lines_of_one_width_share_a_batch_and_order_is_kept() -> None:
    engine = Reader()
    recognizer = TextRecognizer(engine, LinePreprocess(), CHARSET, RecognitionThresholds())
    readings = recognizer.read([line(200, 200, 200), line(255, 0, 64), line(100, 100, 200)])
    assert sorted(shape[0] for shape in engine.seen) == [1, 2]
    assert readings[0].confidence > readings[2].confidence
    assert recognizer.read([]) == []


def test_results_carry_the_size_of_the_label_whatever_margin_it_is_cut_with(tmp_path: Path) -> None:
    pages = sample_pages(tmp_path, 2)
    sizes = []
    for margin in (0.0, 0.15):
        recognizer = TextRecognizer(Reader(), LinePreprocess(margin=margin), CHARSET, RecognitionThresholds())
        sizes.append([(result.width, result.height) for result in evaluate_recognizer(recognizer, pages)])
    assert sizes[0] == sizes[1]
    assert sizes[0][0] == (50, 15)


def test_temperature_moves_confidence_towards_a_half_and_threshold_hides() -> None:
    assert 0.5 < tempered(0.9, 2.0) < 0.9 < tempered(0.9, 0.5) < 1.0
    assert tempered(0.9, 1.0) == 0.9
    assert tempered(0.0, 2.0) == 0.0
    strict = TextRecognizer(Reader(), LinePreprocess(), CHARSET, RecognitionThresholds(min_confidence=0.7))
    assert [r.text for r in strict.read([line(255, 255), line(90, 90)])] == ["a", ""]


def test_pipeline_reads_a_receipt_turned_over(receipt_pages: list[Page]) -> None:
    pipeline = load_pipeline(published_bundle("ppocrv4-mobile"))
    page = receipt_pages[1]
    image = page.load()
    upright = pipeline.read(image)
    turned = pipeline.read(turned_over(image))
    texts = {region.text for region in upright if region.text and len(region.text) > 6}
    again = {region.text for region in turned}
    assert len(texts) > 10
    assert len(texts & again) > 0.5 * len(texts)
    angles = [region.angle for region in turned if region.text and len(region.text) > 6]
    assert np.mean([angle == 180 for angle in angles]) > 0.8
    assert all(isinstance(region, TextRegion) and region.text_score is not None for region in upright)


def test_margin_is_cut_out_around_a_line_in_whole_pixels() -> None:
    image = np.arange(40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3)
    box = as_polygon([[10, 10], [40, 10], [40, 20], [10, 20]])
    np.testing.assert_array_equal(crop_region(image, box, 0.15), image[8:22, 8:42])
    np.testing.assert_array_equal(crop_region(image, box), image[10:20, 10:40])
    turned = np.roll(box, -2, axis=0)
    np.testing.assert_array_equal(crop_region(image, turned, 0.15), image[8:22, 8:42][::-1, ::-1])
