"""From a trained network to a bundle: folded, exported, proven equal, written at once."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

import ocrtune
from ocrtune.bundle import ONNX, WEIGHTS, Bundle, Manifest, save_bundle
from ocrtune.detection.model import DBDetector
from ocrtune.detection.network import FAMILY
from ocrtune.export.gate import GateResult, check_parity
from ocrtune.export.onnx import detector_onnx
from ocrtune.nn.engine import TorchEngine
from ocrtune.page import Page
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.engines import OnnxEngine
from ocrtune.runtime.preprocess import DetectionPreprocess
from ocrtune.weights.network import Form, inference_form


def write_detection_bundle(
    path: Path,
    model: DBDetector,
    *,
    arch: str,
    form: Form,
    preprocess: DetectionPreprocess,
    thresholds: DetectionThresholds,
    gate_pages: Sequence[Page],
    metrics: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Bundle:
    """Export a detector and write its bundle, through the gate.

    Args:
        path: the bundle folder.
        model: the network in the form that it was trained in.
        arch: its name.
        form: that form.
        preprocess, thresholds: what belongs to it.
        gate_pages: labelled pages on which the exported file is compared with the network.
        metrics, provenance: for the manifest; versions and the gate's figures are added.

    Raises:
        GateError: the exported file does not do the same as the network; nothing is written.
    """
    content, gate = gated_detector_onnx(model, preprocess, thresholds, gate_pages)
    manifest = Manifest(
        task="detection",
        arch=arch,
        form=form,
        preprocess=preprocess.model_dump(mode="json"),
        thresholds=thresholds.model_dump(mode="json"),
        metrics=dict(metrics or {}),
        provenance=provenance_of(provenance or {}, gate.as_dict()),
    )
    return write_bundle(path, manifest, content, model, {})


def write_bundle(
    path: Path, manifest: Manifest, content: bytes, model: nn.Module, files: Mapping[str, Path | bytes]
) -> Bundle:
    """Write a bundle of a network of any task.

    Args:
        path: the bundle folder.
        manifest: of the bundle.
        content: the exported ONNX file.
        model: the network in the form that it was trained in.
        files: what else belongs to it, by name.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / WEIGHTS
        safetensors.torch.save_file(tensors, weights)
        return save_bundle(path, manifest, {ONNX: content, WEIGHTS: weights, **files})


def provenance_of(provenance: Mapping[str, Any], gate: Mapping[str, Any]) -> dict[str, Any]:
    """A bundle's provenance with the gate's figures, versions and time."""
    return {**provenance, "gate": dict(gate), "versions": versions(), "created": _now()}


def gated_detector_onnx(
    model: DBDetector, preprocess: DetectionPreprocess, thresholds: DetectionThresholds, pages: Sequence[Page]
) -> tuple[bytes, GateResult]:
    """A detector as ONNX, and how it compared with the network on labelled pages.

    Raises:
        GateError: it does not do the same.
    """
    folded = inference_form(FAMILY, model)
    content = detector_onnx(folded)
    gate = check_parity(
        TextDetector(TorchEngine(folded), preprocess, thresholds),
        TextDetector(OnnxEngine(content), preprocess, thresholds),
        pages,
    )
    return content, gate


def versions() -> dict[str, str]:
    """What a bundle was made with."""
    return {"ocrtune": ocrtune.__version__, "torch": torch.__version__, "python": platform.python_version()}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
