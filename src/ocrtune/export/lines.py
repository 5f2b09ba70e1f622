"""From a trained recogniser or direction classifier to a bundle: folded, exported, proven equal, written at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ocrtune.bundle import CHARSET, Bundle, Manifest
from ocrtune.calibration.confidence import calibrate_reading
from ocrtune.charset import Charset
from ocrtune.data.lines import readable
from ocrtune.errors import GateError
from ocrtune.export.bundle import provenance_of, write_bundle
from ocrtune.export.onnx import line_model_onnx
from ocrtune.nn.engine import TorchEngine
from ocrtune.orientation.model import LineClassifier
from ocrtune.orientation.network import FAMILY as CLASSIFIERS
from ocrtune.page import Image, Page
from ocrtune.recognition.metric import TextPolicy
from ocrtune.recognition.model import CTCRecognizer
from ocrtune.recognition.network import FAMILY as RECOGNIZERS
from ocrtune.runtime.crop import crop_region
from ocrtune.runtime.engines import Engine, OnnxEngine, OnnxTextEngine
from ocrtune.runtime.orientation import OrientationThresholds
from ocrtune.runtime.preprocess import Batch, LinePreprocess
from ocrtune.runtime.recognizer import RecognitionThresholds, TextRecognizer
from ocrtune.weights.network import Form, inference_form

GATE_LINES = 64
MAX_DIFFERENCE = 1e-3
"""Of a probability; ONNX Runtime's own rounding through a softmax over thousands of classes reaches 1e-4."""


@dataclass(frozen=True)
class LineGate:
    """How an exported file compared with its network.

    Attributes:
        lines: compared lines.
        tensor: largest difference of a probability, over all classes.
        texts_equal: share of lines that both read (or turn) alike, or between equally likely readings.
    """

    lines: int
    tensor: float
    texts_equal: float


def write_recognition_bundle(
    path: Path,
    model: CTCRecognizer,
    *,
    arch: str,
    form: Form,
    preprocess: LinePreprocess,
    charset: Charset,
    policy: TextPolicy,
    val: Sequence[Page],
    provenance: Mapping[str, Any],
    thresholds: RecognitionThresholds | None = None,
) -> Bundle:
    """Export a recogniser through the gate, fit how it is used, and write its bundle.

    Args:
        path: the bundle folder.
        model: the network in the form that it was trained in; loses its guide.
        arch: its name.
        form: that form.
        preprocess, charset: what belongs to it.
        policy: how lines are compared when settings are fitted.
        val: labelled lines that were not trained on, for the gate and the settings.
        provenance: for the manifest; versions and the gate's figures are added.
        thresholds: how it is decoded; None fits that to ``val``.

    Raises:
        GateError: the exported file does not do the same as the network; nothing is written.
    """
    RECOGNIZERS.drop_training_branches(model)
    folded = inference_form(RECOGNIZERS, model)
    content = line_model_onnx(folded, RECOGNIZERS.example(folded), columns=folded.seen.width is None)
    crops = itertools.islice(_crops(val), GATE_LINES)
    batches = (preprocess([crop], preprocess.input_width(crop.shape[1], crop.shape[0])) for crop in crops)
    gate = compare_lines(TorchEngine(folded), OnnxEngine(content), batches)
    after = TextRecognizer(OnnxTextEngine(content), preprocess, charset, RecognitionThresholds())
    fitted = calibrate_reading(after, val, policy) if thresholds is None else replace(after, thresholds=thresholds)
    manifest = Manifest(
        task="recognition",
        arch=arch,
        form=form,
        preprocess=fitted.preprocess.model_dump(mode="json"),
        thresholds=fitted.thresholds.model_dump(mode="json"),
        provenance=provenance_of(provenance, asdict(gate)),
    )
    return write_bundle(path, manifest, content, model, {CHARSET: charset.dump()})


def write_orientation_bundle(
    path: Path,
    model: LineClassifier,
    *,
    arch: str,
    form: Form,
    preprocess: LinePreprocess,
    thresholds: OrientationThresholds,
    val: Sequence[Page],
    provenance: Mapping[str, Any],
) -> Bundle:
    """The same for a direction classifier.

    Raises:
        GateError: the exported file does not do the same as the network; nothing is written.
    """
    folded = inference_form(CLASSIFIERS, model)
    example = torch.zeros(1, 3, preprocess.height, preprocess.max_width)
    content = line_model_onnx(folded, example, columns=False)
    batches = (preprocess([crop], preprocess.max_width) for crop in itertools.islice(_crops(val), GATE_LINES))
    gate = compare_lines(TorchEngine(folded), OnnxEngine(content), batches)
    manifest = Manifest(
        task="orientation",
        arch=arch,
        form=form,
        preprocess=preprocess.model_dump(mode="json"),
        thresholds=thresholds.model_dump(mode="json"),
        provenance=provenance_of(provenance, asdict(gate)),
    )
    return write_bundle(path, manifest, content, model, {})


def compare_lines(network: Engine, exported: Engine, batches: Iterable[Batch]) -> LineGate:
    """Compare a network with its exported file, line by line.

    Raises:
        GateError: they differ in a probability, or in what they choose between unequal ones.
    """
    lines, alike, difference = 0, 0, 0.0
    for batch in batches:
        before, after = network(batch), exported(batch)
        difference = max(difference, float(np.abs(before - after).max()))
        chosen = np.take_along_axis(before, after.argmax(-1)[..., None], -1)[..., 0]
        lines += 1
        alike += bool((before.max(-1) - chosen <= MAX_DIFFERENCE).all())
    equal = alike / max(lines, 1)
    if difference > MAX_DIFFERENCE or equal < 1.0:
        raise GateError(
            f"the exported file differs from the network: probabilities by up to {difference:.1e}, "
            f"{1 - equal:.1%} of {lines} lines",
            expected=f"at most {MAX_DIFFERENCE:g}, and every line alike",
        )
    return LineGate(lines, difference, equal)


def _crops(pages: Sequence[Page]) -> Iterator[Image]:
    for page in pages:
        regions = [region for region in page.regions if readable(region)]
        if regions:
            image = page.load()
            yield from (crop_region(image, region.polygon) for region in regions)
