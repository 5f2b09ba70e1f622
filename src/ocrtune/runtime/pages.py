"""What every user of a bundle does with it: whole images in, texts out, and these as the interface's JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from ocrtune.bundle import Bundle
from ocrtune.errors import UsageError
from ocrtune.page import Image, Page, Polygon, TextRegion, whole_image
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.engines import EngineName
from ocrtune.runtime.load import LineModel, PageFinder, load_model
from ocrtune.runtime.pipeline import OcrPipeline
from ocrtune.runtime.presets import PRESETS, with_preset
from ocrtune.runtime.recognizer import TextRecognizer

PagesModel: TypeAlias = Callable[[Sequence[Image]], list[list[TextRegion]]]
"""Finds or reads the texts of several images, uint8 [H, W, 3] BGR each; one list of regions an image."""


class PageModel(Protocol):
    """Something that finds or reads texts on a page: a detector, a recogniser of single lines, a pipeline."""

    def __call__(self, image: Image) -> list[TextRegion]: ...


def pages_models(bundle: Bundle, engine: EngineName = "onnxruntime") -> Mapping[str, PagesModel]:
    """A bundle of any task as something that looks at whole images: as it is, under "", and through each preset.

    All share their engines. A recogniser or direction classifier takes an image as one line, and has no presets.

    Raises:
        BundleError: the bundle has no ONNX file, or its settings do not fit.
        MissingExtraError: the engine is not installed.
    """
    model = load_model(bundle, engine)
    if not isinstance(model, (OcrPipeline, TextDetector)):
        return {"": reader_of(model)}
    views = {"": model, **{name: with_preset(model, preset) for name, preset in PRESETS.items()}}
    return {name: reader_of(view) for name, view in views.items()}


def pages_model(bundle: Bundle, preset: str = "", engine: EngineName = "onnxruntime") -> PagesModel:
    """The one of them for a preset, which exists; "" is the bundle as it is.

    Raises:
        UsageError: the bundle has no presets.
    """
    models = pages_models(bundle, engine)
    if preset not in models:
        raise UsageError(
            f"presets are for bundles that find texts, and this one is for {bundle.manifest.task}", where="--preset"
        )
    return models[preset]


def reader_of(model: PageFinder | LineModel) -> PagesModel:
    """What runs a bundle as something that looks at whole images."""
    if isinstance(model, OcrPipeline):
        return model.read_pages
    if isinstance(model, TextDetector):
        return lambda images: [model.detect(image) for image in images]
    if isinstance(model, TextRecognizer):

        def read(images: Sequence[Image]) -> list[list[TextRegion]]:
            return [
                [TextRegion(_outline(image), line.text, text_score=line.confidence, angle=180.0 * line.turned)]
                for image, line in zip(images, model.read(images), strict=True)
            ]

        return read

    def turned(images: Sequence[Image]) -> list[list[TextRegion]]:
        found = []
        for image, probability in zip(images, model.probabilities(images).tolist(), strict=True):
            angle = 180.0 if probability > model.thresholds.turn_thresh else 0.0
            score = probability if angle else 1 - probability
            found.append([TextRegion(_outline(image), score=score, angle=angle)])
        return found

    return turned


def page_model(bundle: Bundle, preset: str = "", engine: EngineName = "onnxruntime") -> PageModel:
    """The same for one image after the other."""
    model = pages_model(bundle, preset, engine)
    return lambda image: model([image])[0]


def page_json(page: Page, size: tuple[int, int]) -> dict[str, Any]:
    """The interface's JSON object of one predicted page.

    Args:
        page: with what was found on it.
        size: width and height of its image in pixels.
    """
    return {
        "image": page.name,
        "width": size[0],
        "height": size[1],
        "regions": [_region_json(region) for region in page.regions],
    }


def _region_json(region: TextRegion) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "polygon": [[round(float(v), 2) for v in point] for point in region.polygon],
        "score": None if region.score is None else round(region.score, 4),
    }
    if region.text is not None:
        shown["text"] = region.text
        shown["text_score"] = None if region.text_score is None else round(region.text_score, 4)
    if region.angle is not None:
        shown["angle"] = region.angle
    return shown


def _outline(image: Image) -> Polygon:
    return whole_image(image.shape[1], image.shape[0])
