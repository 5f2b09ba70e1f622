"""A weight file of any kind becomes a bundle: read, recognised, exported, compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ocrtune.bundle import Bundle
from ocrtune.detection.network import FAMILY as DETECTORS
from ocrtune.errors import BundleError, GateError, named
from ocrtune.export.bundle import write_detection_bundle
from ocrtune.export.examples import drawn_pages
from ocrtune.export.line_gate import MAX_DIFFERENCE
from ocrtune.export.lines import write_orientation_bundle, write_recognition_bundle
from ocrtune.nn.engine import TorchEngine
from ocrtune.orientation.network import FAMILY as CLASSIFIERS
from ocrtune.recognition.network import FAMILY as RECOGNIZERS
from ocrtune.recognition.network import start_charset
from ocrtune.runtime.crop import crop_region
from ocrtune.runtime.engines import OnnxEngine
from ocrtune.runtime.orientation import OrientationThresholds
from ocrtune.runtime.preprocess import Batch
from ocrtune.runtime.recognizer import RecognitionThresholds
from ocrtune.weights.defaults import line_preprocess, page_preprocess, page_thresholds
from ocrtune.weights.download import Tell
from ocrtune.weights.files import Source, find_source, read_tensors
from ocrtune.weights.network import (
    Family,
    Form,
    chosen_fits,
    graph_fits,
    inference_form,
    load_network,
    one_of,
    tensor_fits,
)
from ocrtune.weights.published import WEIGHTS
from ocrtune.weights.report import LoadReport

_FAMILIES: tuple[Family[Any], ...] = (DETECTORS, RECOGNIZERS, CLASSIFIERS)


@dataclass(frozen=True)
class Imported:
    """What an import made.

    Attributes:
        bundle: the bundle.
        guessed: whether the network was found out from the tensors.
        form: of the weights.
        report: which tensors were loaded; None for an ONNX file, whose operators all have to fit.
    """

    bundle: Bundle
    guessed: bool
    form: Form
    report: LoadReport | None


def import_weights(
    file: str,
    out: Path,
    *,
    arch: str = "auto",
    dictionary: str | None = None,
    part: str | None = None,
    partial: bool = False,
    tell: Tell,
) -> Imported:
    """Make a bundle of a weight file.

    Args:
        file: see `ocrtune.weights.files.find_source`; also the name of a registered weight file.
        out: the bundle folder.
        arch: the network; ``auto`` finds out which one of any task has these tensors.
        dictionary: characters of a recogniser whose weights do not say them.
        part: of a distillation checkpoint.
        partial: leave fresh what the file does not have.
        tell: takes lines about what is done.

    Raises:
        BundleError: the file is missing, damaged, or fits no network.
        ConfigError: it fits several networks, or its characters are unknown.
        GateError: what was written would not do the same as the weights; nothing is written.
    """
    spec = file if part is None else f"{file}{'&' if '#' in file else '#'}part={part}"
    source = find_source(spec, tell)
    if source is None:
        raise BundleError(
            f"'{file}' is no weight file",
            expected=".pdparams, .onnx, .safetensors, .pth, an official .tar, or a registered weight file",
            hint="bundles and registered models need no import",
        )
    guessed = arch == "auto"
    if guessed:
        arch = _guess(source, partial) if file not in WEIGHTS else WEIGHTS[file].arch
        tell(f"network: {arch}")
    family = named(arch, {name: family for family in _FAMILIES for name in family.names}, "network", "--arch")
    network = load_network(family, spec, arch, partial=partial, tell=tell)
    provenance = {**network.provenance, "imported_from": source.path.name}
    common: dict[str, Any] = {"arch": arch, "form": network.form, "provenance": provenance}
    pages = drawn_pages()
    crops = [crop_region(page.load(), region.polygon) for page in pages for region in page.regions]
    if family is DETECTORS:
        page_settings = page_preprocess()
        _need_same(network.file, family, network.model, page_settings(pages[0].load()))
        bundle = write_detection_bundle(
            out, network.model, preprocess=page_settings, thresholds=page_thresholds(arch), gate_pages=pages, **common
        )
        return Imported(bundle, guessed, network.form, network.report)
    preprocess = line_preprocess(arch)
    widest = max(preprocess.input_width(crop.shape[1], crop.shape[0]) for crop in crops)
    _need_same(network.file, family, network.model, preprocess(crops, widest))
    if family is RECOGNIZERS:
        bundle = write_recognition_bundle(
            out,
            network.model,
            preprocess=preprocess,
            charset=start_charset(network, dictionary),
            policy="exact",
            val=pages,
            thresholds=RecognitionThresholds(),
            **common,
        )
    else:
        bundle = write_orientation_bundle(
            out, network.model, preprocess=preprocess, thresholds=OrientationThresholds(), val=pages, **common
        )
    return Imported(bundle, guessed, network.form, network.report)


def _guess(source: Source, partial: bool) -> str:
    """The only network of any task that a file fits.

    Raises:
        BundleError: there is none.
        ConfigError: there are several.
    """
    if source.path.suffix == ".onnx":
        return one_of([name for family in _FAMILIES for name in graph_fits(family, source.path)], source.path)
    file = read_tensors(source)
    reports: Mapping[str, LoadReport] = {
        name: report for family in _FAMILIES for name, report in tensor_fits(family, file).items()
    }
    return one_of(chosen_fits(reports, source.path, partial), source.path)


def _need_same(file: Path | None, family: Family[Any], model: Any, batch: Batch) -> None:
    """Compare an ONNX file's output with that of the network that was filled from it, on a batch of drawn images.

    Raises:
        GateError: they differ.
    """
    if file is None or file.suffix != ".onnx":
        return
    theirs, ours = OnnxEngine(file.read_bytes())(batch), TorchEngine(inference_form(family, model))(batch)
    difference = float(np.abs(theirs - ours).max()) if theirs.shape == ours.shape else float("inf")
    if difference > MAX_DIFFERENCE:
        raise GateError(
            f"the network does not compute what the file computes: outputs differ by {difference:.1e}",
            where=file,
            expected=f"at most {MAX_DIFFERENCE:g}",
            hint="the file belongs to another network of the same shapes; name it with --arch",
        )
