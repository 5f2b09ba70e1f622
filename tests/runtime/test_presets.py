from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from ocrtune.charset import Charset
from ocrtune.errors import ConfigError
from ocrtune.page import Image
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.pipeline import OcrPipeline
from ocrtune.runtime.preprocess import Batch, DetectionPreprocess, LinePreprocess
from ocrtune.runtime.presets import PRESETS, Preset, preset_by_name, with_preset
from ocrtune.runtime.recognizer import RecognitionThresholds, TextRecognizer


class Flat:
    """A detector's network that finds nothing, and remembers what it was shown."""

    def __init__(self) -> None:
        self.seen: list[Batch] = []

    def __call__(self, batch: Batch) -> npt.NDArray[np.float32]:
        self.seen.append(batch)
        return np.zeros((1, 1, *batch.shape[2:]), np.float32)


class TwoBoxes:
    """A detector's network that finds a box in each half of the page."""

    def __call__(self, batch: Batch) -> npt.NDArray[np.float32]:
        prob = np.zeros((1, 1, *batch.shape[2:]), np.float32)
        prob[..., 8:24, 8:56] = prob[..., 40:56, 8:56] = 0.95
        return prob


class Doubtful:
    """A recogniser's network that reads "a" everywhere, in bright lines surely and in dark ones not."""

    def __call__(self, batch: Batch) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        sure = batch[:, 0, :, :32].mean(axis=(1, 2)) > 0
        return np.ones((len(batch), 1), np.int64), np.where(sure, 0.9, 0.5).astype(np.float32)[:, None]


def detector(size: int = 960, box_thresh: float = 0.45) -> TextDetector:
    return TextDetector(Flat(), DetectionPreprocess(size=size), DetectionThresholds(box_thresh=box_thresh))


def pipeline() -> OcrPipeline:
    finder = replace(detector(), engine=TwoBoxes())
    return OcrPipeline(finder, TextRecognizer(Doubtful(), LinePreprocess(), Charset(("a",)), RecognitionThresholds()))


CLEAN = Preset("p", "P.", clean=True)


def noisy(width: int, height: int) -> Image:
    """Grey with a camera's noise."""
    return np.random.default_rng(0).normal(128, 15, (height, width, 3)).astype(np.uint8)


def test_presets_are_told_in_order_and_each_says_what_it_is_for() -> None:
    assert list(PRESETS) == ["document", "photo", "small-text", "complex"]
    assert all(preset.name == name and preset.summary.endswith(".") for name, preset in PRESETS.items())


def test_an_unknown_preset_is_refused_with_the_nearest_name() -> None:
    assert preset_by_name("photo") is PRESETS["photo"]
    with pytest.raises(ConfigError, match=r"--preset: no preset is called 'smalltext'(.|\n)*did you mean 'small-text'"):
        preset_by_name("smalltext")


def test_a_view_shares_the_engines_and_leaves_the_model_as_it_is() -> None:
    own = pipeline()
    before = replace(own.detector), own.min_text_score
    view = with_preset(own, Preset("p", "P.", 2.0, 0.1, 0.5, True))
    assert view.detector.engine is own.detector.engine
    assert view.recognizer.engine is own.recognizer.engine
    assert (own.detector, own.min_text_score) == before


def test_values_are_relative_to_the_bundles_own() -> None:
    preset = Preset("p", "P.", box_thresh=0.1)
    assert with_preset(pipeline(), preset).detector.thresholds == DetectionThresholds(box_thresh=0.55)
    assert with_preset(detector(box_thresh=0.97), preset).thresholds.box_thresh == 1.0


def test_doubtful_lines_are_left_out() -> None:
    image = np.full((64, 64, 3), 255, np.uint8)
    image[32:] = 0
    own = pipeline()
    assert [region.text_score for region in own.read(image)] == pytest.approx([0.9, 0.5])
    view = with_preset(own, Preset("p", "P.", min_text_score=0.7))
    assert [region.text_score for region in view.read(image)] == pytest.approx([0.9])


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1920, 1280, (1440, 960)),  # shrunk to 960 x 640 by the bundle
        (320, 192, (480, 288)),  # left as it is by the bundle
    ],
)
def test_the_detector_sees_the_page_larger(width: int, height: int, expected: tuple[int, int]) -> None:
    view = with_preset(detector(), Preset("p", "P.", input_scale=1.5))
    assert view.preprocess.input_size(width, height) == expected


def test_an_enlarged_page_stays_below_the_bundles_limit() -> None:
    view = with_preset(detector(size=3000), Preset("p", "P.", input_scale=2.0))
    assert view.preprocess.input_size(6000, 1000)[0] == 4000


def shown(model: TextDetector, image: Image) -> Batch:
    """What the network is shown."""
    model.detect(image)
    assert isinstance(model.engine, Flat)
    return model.engine.seen[-1]


@pytest.mark.parametrize("size", [(64, 32), (1920, 960)])  # as it is, and shrunk
def test_cleaning_takes_noise_out_of_what_the_detector_sees(size: tuple[int, int]) -> None:
    own, view = (shown(model, noisy(*size))[0, 0] for model in (detector(), with_preset(detector(), CLEAN)))
    assert view.shape == own.shape
    assert view.std() < 0.8 * own.std()


def test_cleaning_makes_blurred_edges_steeper() -> None:
    edge = np.full((64, 64, 3), 60, np.uint8)
    edge[:, 32:] = 180
    noise = np.random.default_rng(0).normal(0, 4, edge.shape)
    blurred = np.clip(cv2.GaussianBlur(edge, (0, 0), 2.0) + noise, 0, 255).astype(np.uint8)
    own, view = (shown(model, blurred)[0, 0].mean(axis=0) for model in (detector(), with_preset(detector(), CLEAN)))
    assert np.abs(np.diff(view)).max() > 1.05 * np.abs(np.diff(own)).max()


def test_cleaning_leaves_pages_and_lines_without_noise_as_they_are() -> None:
    image = np.full((64, 2000, 3), 230, np.uint8)
    cv2.putText(image, "text", (10, 40), cv2.FONT_HERSHEY_SIMPLEX, 1, (20, 20, 20), 2)
    own, view = pipeline(), with_preset(pipeline(), CLEAN)
    np.testing.assert_array_equal(view.detector.preprocess(image), own.detector.preprocess(image))
    line = image[:, :96]
    np.testing.assert_array_equal(view.recognizer.preprocess([line], 96), own.recognizer.preprocess([line], 96))


def test_cleaning_takes_noise_out_of_the_lines_that_are_read() -> None:
    own, view = pipeline(), with_preset(pipeline(), CLEAN)
    line = noisy(100, 48)
    plain, smooth = (model.recognizer.preprocess([line], 128)[0, 0, :, :100] for model in (own, view))
    assert smooth.std() < 0.8 * plain.std()


def test_cleaning_and_enlarging_together_enlarge_once() -> None:
    both = with_preset(detector(), Preset("p", "P.", input_scale=1.25, clean=True))
    assert shown(both, noisy(1920, 1280)).shape == (1, 3, 800, 1216)


def test_a_preset_tells_each_of_its_changes() -> None:
    preset = Preset("p", "P.", 1.5, 0.1, 0.5, True)
    assert preset.changes() == (
        "detector's input x1.5",
        "where noisy, detector's input shrunk by averaging, denoised and sharpened",
        "noisy lines denoised",
        "box_thresh +0.1",
        "lines read with less confidence than 0.5 left out",
    )
