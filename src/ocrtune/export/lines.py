"""From a trained recogniser or direction classifier to a bundle: folded, exported, proven equal, written at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
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
from ocrtune.nn.engine import TorchEngine, TorchTextEngine
from ocrtune.orientation.model import LineClassifier
from ocrtune.orientation.network import FAMILY as CLASSIFIERS
from ocrtune.page import Image, Page
from ocrtune.recognition.metric import TextPolicy
from ocrtune.recognition.model import CTCRecognizer
from ocrtune.recognition.network import FAMILY as RECOGNIZERS
from ocrtune.runtime.crop import crop_region
from ocrtune.runtime.engines import OnnxEngine, OnnxTextEngine
from ocrtune.runtime.orientation import OrientationThresholds
from ocrtune.runtime.preprocess import LinePreprocess
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
        tensor: largest difference of a probability.
        texts_equal: share of lines that both read (or turn) alike.
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
    content = line_model_onnx(folded, torch.zeros(1, 3, preprocess.height, 64), columns=True)
    plain = RecognitionThresholds()
    before = TextRecognizer(TorchTextEngine(folded), preprocess, charset, plain)
    after = TextRecognizer(OnnxTextEngine(content), preprocess, charset, plain)
    crops = list(itertools.islice(_crops(val), GATE_LINES))
    pairs = list(zip(before.read(crops), after.read(crops), strict=True))
    difference = max((abs(a.confidence - b.confidence) for a, b in pairs if a.text == b.text), default=0.0)
    gate = _checked(len(crops), difference, sum(a.text == b.text for a, b in pairs) / max(len(pairs), 1))
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
    crops = list(itertools.islice(_crops(val), GATE_LINES))
    batch = preprocess(crops, preprocess.max_width)
    first, second = TorchEngine(folded)(batch), OnnxEngine(content)(batch)
    same = (first.argmax(1) == second.argmax(1)).mean() if len(crops) else 1.0
    gate = _checked(len(crops), float(np.abs(first - second).max(initial=0.0)), float(same))
    manifest = Manifest(
        task="orientation",
        arch=arch,
        form=form,
        preprocess=preprocess.model_dump(mode="json"),
        thresholds=thresholds.model_dump(mode="json"),
        provenance=provenance_of(provenance, asdict(gate)),
    )
    return write_bundle(path, manifest, content, model, {})


def _checked(lines: int, difference: float, equal: float) -> LineGate:
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
