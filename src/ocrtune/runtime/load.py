"""From a bundle to something that runs."""

from __future__ import annotations

from pydantic import ValidationError

from ocrtune.bundle import MANIFEST, Bundle
from ocrtune.errors import BundleError
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.engines import OnnxEngine
from ocrtune.runtime.preprocess import DetectionPreprocess


def load_detector(bundle: Bundle, threads: int | None = None) -> TextDetector:
    """The bundle's detector on ONNX Runtime, with its own pre-processing and thresholds.

    Args:
        bundle: a bundle whose task is detection.
        threads: of ONNX Runtime; None takes every core.

    Raises:
        BundleError: the bundle has no ONNX file, or its settings do not fit.
    """
    preprocess, thresholds = detection_settings(bundle)
    return TextDetector(OnnxEngine(bundle.onnx, threads), preprocess, thresholds)


def detection_settings(bundle: Bundle) -> tuple[DetectionPreprocess, DetectionThresholds]:
    """A detection bundle's pre-processing and thresholds.

    Raises:
        BundleError: a setting is unknown or out of range.
    """
    try:
        return (
            DetectionPreprocess.model_validate(bundle.manifest.preprocess),
            DetectionThresholds.model_validate(bundle.manifest.thresholds),
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BundleError(
            f"a setting does not fit: {'.'.join(map(str, first['loc']))}: {first['msg']}", where=bundle.path / MANIFEST
        ) from error
