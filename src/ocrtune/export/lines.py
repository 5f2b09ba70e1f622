"""From a trained recogniser or direction classifier to a bundle: folded, exported, proven equal, written at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ocrtune.bundle import CHARSET, Bundle, Manifest
from ocrtune.calibration.confidence import calibrate_reading
from ocrtune.charset import Charset
from ocrtune.export.bundle import provenance_of, write_bundle
from ocrtune.export.line_gate import compare_lines, gate_lines
from ocrtune.export.onnx import line_model_onnx
from ocrtune.nn.engine import TorchEngine
from ocrtune.orientation.model import LineClassifier
from ocrtune.orientation.network import FAMILY as CLASSIFIERS
from ocrtune.page import Page
from ocrtune.recognition.metric import TextPolicy
from ocrtune.recognition.model import CTCRecognizer
from ocrtune.recognition.network import FAMILY as RECOGNIZERS
from ocrtune.runtime.engines import OnnxEngine, OnnxTextEngine
from ocrtune.runtime.orientation import OrientationThresholds
from ocrtune.runtime.preprocess import LinePreprocess
from ocrtune.runtime.recognizer import RecognitionThresholds, TextRecognizer
from ocrtune.weights.network import Form, inference_form


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
    gate = compare_lines(TorchEngine(folded), OnnxEngine(content), gate_lines(val, preprocess))
    after = TextRecognizer(OnnxTextEngine(content), preprocess, charset, RecognitionThresholds())
    fitted = calibrate_reading(after, val, policy) if thresholds is None else replace(after, thresholds=thresholds)
    manifest = Manifest(
        task="recognition",
        arch=arch,
        form=form,
        preprocess=fitted.preprocess.model_dump(mode="json"),
        thresholds=fitted.thresholds.model_dump(mode="json"),
        provenance=provenance_of(provenance, gate.as_dict()),
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
    gate = compare_lines(TorchEngine(folded), OnnxEngine(content), gate_lines(val, preprocess))
    manifest = Manifest(
        task="orientation",
        arch=arch,
        form=form,
        preprocess=preprocess.model_dump(mode="json"),
        thresholds=thresholds.model_dump(mode="json"),
        provenance=provenance_of(provenance, gate.as_dict()),
    )
    return write_bundle(path, manifest, content, model, {})
