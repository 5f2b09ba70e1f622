from __future__ import annotations

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


class Mute:
    """A recogniser's network that reads nothing."""

    def __call__(self, batch: Batch) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        return np.zeros((len(batch), 1), np.int64), np.ones((len(batch), 1), np.float32)


def detector(size: int = 960, box_thresh: float = 0.45) -> TextDetector:
    return TextDetector(Flat(), DetectionPreprocess(size=size), DetectionThresholds(box_thresh=box_thresh))


def pipeline(min_confidence: float = 0.0) -> OcrPipeline:
    thresholds = RecognitionThresholds(min_confidence=min_confidence, second_look=0.7)
    return OcrPipeline(detector(), TextRecognizer(Mute(), LinePreprocess(), Charset(("a",)), thresholds))


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
    before = own.detector.preprocess, own.detector.thresholds, own.recognizer.thresholds
    view = with_preset(own, Preset("p", "P.", 2.0, 0.1, 0.5, "denoise"))
    assert view.detector.engine is own.detector.engine
    assert view.recognizer.engine is own.recognizer.engine
    assert view.recognizer.charset is own.recognizer.charset
    assert (own.detector.preprocess, own.detector.thresholds, own.recognizer.thresholds) == before


def test_values_are_relative_to_the_bundles_own() -> None:
    preset = Preset("p", "P.", box_thresh=0.1, min_confidence=0.5)
    view = with_preset(pipeline(), preset)
    assert view.detector.thresholds == DetectionThresholds(box_thresh=0.55)
    assert view.recognizer.thresholds == RecognitionThresholds(min_confidence=0.5, second_look=0.7)
    assert with_preset(pipeline(min_confidence=0.8), preset).recognizer.thresholds.min_confidence == 0.8
    assert with_preset(detector(box_thresh=0.97), preset).thresholds.box_thresh == 1.0


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


def test_denoising_smooths_what_the_detector_sees() -> None:
    image = noisy(64, 32)
    own, view = detector(), with_preset(detector(), Preset("p", "P.", clean="denoise"))
    own.detect(image)
    view.detect(image)
    plain, smooth = (model.engine.seen[0] for model in (own, view) if isinstance(model.engine, Flat))
    assert smooth.shape == plain.shape
    assert smooth.std() < 0.7 * plain.std()


def test_a_preset_tells_each_of_its_changes() -> None:
    preset = Preset("p", "P.", 1.5, 0.1, 0.5, "denoise")
    assert preset.changes() == (
        "detector's input x1.5",
        "denoise before detection",
        "box_thresh +0.1",
        "min_confidence at least 0.5",
    )
