"""From a bundle to something that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from ocrtune.bundle import MANIFEST, Bundle, TaskName
from ocrtune.charset import Charset
from ocrtune.errors import BundleError
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.engines import EngineName, available_cores, load_engine, load_text_engine
from ocrtune.runtime.orientation import LineOrientation, OrientationThresholds
from ocrtune.runtime.pipeline import OcrPipeline
from ocrtune.runtime.preprocess import DetectionPreprocess, LinePreprocess
from ocrtune.runtime.recognizer import RecognitionThresholds, TextRecognizer

_P = TypeVar("_P", bound=BaseModel)
_S = TypeVar("_S", bound=BaseModel)


def load_detector(bundle: Bundle, threads: int | None = None, engine: EngineName = "onnxruntime") -> TextDetector:
    """The bundle's detector with its own pre-processing and thresholds.

    Args:
        bundle: a bundle whose task is detection, or a pipeline that holds one.
        threads: that work on a page; None takes every core.
        engine: runs the bundle's ONNX file.

    Raises:
        BundleError: the bundle has no detector or no ONNX file, or its settings do not fit.
        MissingExtraError: the engine is not installed.
    """
    bundle = part_for(bundle, "detection")
    preprocess, thresholds = detection_settings(bundle)
    network = load_engine(bundle.onnx, engine, threads or available_cores())
    return TextDetector(network, preprocess, thresholds)


def load_recognizer(bundle: Bundle, threads: int | None = None, engine: EngineName = "onnxruntime") -> TextRecognizer:
    """The bundle's recogniser with its own characters, pre-processing and confidence.

    Args:
        bundle: a bundle whose task is recognition, or a pipeline that holds one.
        threads: that work at the same time, each on lines of its own; None takes every core.
        engine: runs the bundle's ONNX file.

    Raises:
        BundleError: the bundle has no recogniser, ONNX file or charset, or its settings do not fit.
        MissingExtraError: the engine is not installed.
    """
    bundle = part_for(bundle, "recognition")
    preprocess, thresholds = recognition_settings(bundle)
    threads = threads or available_cores()
    network = load_text_engine(bundle.onnx, engine, threads, together=threads)
    return TextRecognizer(network, preprocess, Charset.read(bundle.charset), thresholds, threads)


def load_orientation(bundle: Bundle, threads: int | None = None, engine: EngineName = "onnxruntime") -> LineOrientation:
    """The bundle's direction classifier; see `load_recognizer` for the arguments.

    Raises:
        BundleError: the bundle has none, or its settings do not fit.
        MissingExtraError: the engine is not installed.
    """
    bundle = part_for(bundle, "orientation")
    preprocess, thresholds = orientation_settings(bundle)
    threads = threads or available_cores()
    network = load_engine(bundle.onnx, engine, threads, together=threads)
    return LineOrientation(network, preprocess, thresholds, threads)


def load_pipeline(bundle: Bundle, threads: int | None = None, engine: EngineName = "onnxruntime") -> OcrPipeline:
    """A pipeline bundle, ready to run.

    Raises:
        BundleError: the bundle is no pipeline or lacks a part, or a part's settings do not fit.
        MissingExtraError: the engine is not installed.
    """
    if bundle.manifest.task != "ocr":
        raise BundleError(
            f"the bundle is for {bundle.manifest.task} alone",
            where=bundle.path,
            expected="a pipeline bundle (task ocr)",
        )
    threads = threads or available_cores()
    return OcrPipeline(
        load_detector(bundle, threads, engine),
        load_recognizer(bundle, threads, engine),
        load_orientation(bundle, threads, engine) if bundle.part("orientation") else None,
        threads=threads,
    )


LineModel: TypeAlias = TextRecognizer | LineOrientation
PageFinder: TypeAlias = OcrPipeline | TextDetector


def load_model(bundle: Bundle, engine: EngineName = "onnxruntime") -> PageFinder | LineModel:
    """A bundle of any task, ready to run.

    Raises:
        BundleError: it has no ONNX file, or its settings do not fit.
        MissingExtraError: the engine is not installed.
    """
    loaders: Mapping[TaskName, Callable[..., PageFinder | LineModel]] = {
        "ocr": load_pipeline,
        "detection": load_detector,
        "recognition": load_recognizer,
        "orientation": load_orientation,
    }
    return loaders[bundle.manifest.task](bundle, engine=engine)


def part_for(bundle: Bundle, task: TaskName) -> Bundle:
    """The bundle itself where it does the task, or a pipeline's part that does.

    Raises:
        BundleError: neither.
    """
    found = bundle.part(task) if bundle.manifest.task == "ocr" else bundle
    if found is None or found.manifest.task != task:
        raise BundleError(
            f"the bundle does {bundle.manifest.task}, without {task}",
            where=bundle.path,
            expected=f"a bundle for {task}",
        )
    return found


def detection_settings(bundle: Bundle) -> tuple[DetectionPreprocess, DetectionThresholds]:
    """A detection bundle's pre-processing and thresholds.

    Raises:
        BundleError: a setting is unknown or out of range.
    """
    return _settings(bundle, DetectionPreprocess, DetectionThresholds)


def recognition_settings(bundle: Bundle) -> tuple[LinePreprocess, RecognitionThresholds]:
    """The same of a recognition bundle."""
    return _settings(bundle, LinePreprocess, RecognitionThresholds)


def orientation_settings(bundle: Bundle) -> tuple[LinePreprocess, OrientationThresholds]:
    """The same of an orientation bundle."""
    return _settings(bundle, LinePreprocess, OrientationThresholds)


def _settings(bundle: Bundle, preprocess: type[_P], thresholds: type[_S]) -> tuple[_P, _S]:
    try:
        return (
            preprocess.model_validate(bundle.manifest.preprocess),
            thresholds.model_validate(bundle.manifest.thresholds),
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BundleError(
            f"a setting does not fit: {'.'.join(map(str, first['loc']))}: {first['msg']}", where=bundle.path / MANIFEST
        ) from error
