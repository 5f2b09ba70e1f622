"""From a bundle or a weight file to a network that can be trained, and back to tensors on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ocrtune.bundle import Bundle, sha256
from ocrtune.detection.model import DETECTORS, DBDetector, build_detector
from ocrtune.errors import BundleError, ConfigError
from ocrtune.nn.fuse import deployed
from ocrtune.weights.download import download, is_url
from ocrtune.weights.onnx_graph import load_graph_weights
from ocrtune.weights.paddle import read_pdparams, to_torch
from ocrtune.weights.registry import PUBLISHED, resolve_bundle

Form = Literal["deployed", "training"]


@dataclass(frozen=True)
class Network:
    """A detector with its weights.

    Attributes:
        model: the network.
        arch: key of `DETECTORS`.
        form: folded, or with branches and normalisation.
        provenance: where the weights come from, for the bundle.
        bundle: the bundle that they come from, whose settings are taken over; None for a plain weight file.
    """

    model: DBDetector
    arch: str
    form: Form
    provenance: dict[str, Any]
    bundle: Bundle | None = None


def load_network(pretrained: str | None, arch: str = "auto", form: str = "auto") -> Network:
    """Build a detector and fill it.

    Args:
        pretrained: bundle, run, registered name, or path or web address (``#sha256=...`` behind it is checked) of a
            ``.onnx``, ``.pdparams``, ``.safetensors`` or ``.pth`` file; None for fresh weights in training form.
        arch: key of `DETECTORS`; ``auto`` finds the one that the weights fit.
        form: ``deployed`` or ``training``; ``auto`` takes the form of the weights. Folded weights cannot be unfolded.

    Raises:
        BundleError: the weights are missing, damaged or do not fit; a partial load is always an error.
        ConfigError: the architecture is unknown or has to be named.
    """
    if pretrained is None:
        if arch == "auto":
            raise ConfigError("fresh weights need a network", where="model.arch", expected=", ".join(sorted(DETECTORS)))
        model = build_detector(arch)
        return _in_form(Network(model, arch, "training", {"name": "fresh weights"}), form)
    path = download(pretrained) if is_url(pretrained) else Path(pretrained)
    if path.is_file():
        return _in_form(_from_file(path, arch), form)
    if path.suffix in (".onnx", ".pdparams", ".safetensors", ".pth") and pretrained not in PUBLISHED:
        raise BundleError("the weight file does not exist", where=path)
    return _in_form(_from_bundle(resolve_bundle(pretrained), arch), form)


def _from_bundle(bundle: Bundle, arch: str) -> Network:
    manifest = bundle.manifest
    if arch not in ("auto", manifest.arch):
        raise ConfigError(
            f"the weights belong to {manifest.arch}, not to {arch}", where="model.arch", hint="leave model.arch at auto"
        )
    source = bundle.weights or bundle.onnx
    provenance = {
        "name": manifest.provenance.get("name", bundle.path.name),
        "sha256": sha256(source),
        "bundle_fingerprint": bundle.fingerprint(),
    }
    if bundle.weights is None:
        return Network(_from_onnx(bundle.onnx, manifest.arch), manifest.arch, "deployed", provenance, bundle)
    model = build_detector(manifest.arch)
    if manifest.form == "deployed":
        model = deployed(model)
    fill(model, _safetensors(bundle.weights), bundle.weights)
    return Network(model, manifest.arch, manifest.form, provenance, bundle)


def _from_file(path: Path, arch: str) -> Network:
    provenance = {"name": path.name, "sha256": sha256(path)}
    candidates = [arch] if arch != "auto" else list(DETECTORS)
    errors: list[str] = []
    for name in candidates:
        try:
            if path.suffix == ".onnx":
                return Network(_from_onnx(path, name), name, "deployed", provenance)
            model = build_detector(name)
            tensors = _file_tensors(path, model)
            folded = not any(key.endswith("running_var") for key in tensors)
            if folded:
                model = deployed(model)
            fill(model, tensors, path)
            return Network(model, name, "deployed" if folded else "training", provenance)
        except BundleError as error:
            if len(candidates) == 1 or "architecture" not in (error.hint or ""):
                raise
            errors.append(f"{name}: {error.what}")
    raise BundleError("the weights fit none of the known networks: " + "; ".join(errors), where=path)


def _file_tensors(path: Path, model: nn.Module) -> dict[str, Tensor]:
    if path.suffix == ".pdparams":
        return to_torch(read_pdparams(path), model)
    if path.suffix == ".safetensors":
        return _safetensors(path)
    if path.suffix in (".pth", ".pt"):
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises pickle, zip and runtime errors alike
            raise BundleError(f"the file is no plain tensor file: {str(error).splitlines()[0]}", where=path) from error
        if isinstance(content, Mapping) and all(isinstance(value, Tensor) for value in content.values()):
            return dict(content)
        raise BundleError("the file holds more than named tensors", where=path)
    raise BundleError(
        f"'{path.suffix}' is no known weight format", where=path, expected=".onnx, .pdparams, .safetensors or .pth"
    )


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise BundleError(f"the file is no valid safetensors file: {error}", where=path) from error


def _from_onnx(path: Path, arch: str) -> DBDetector:
    model = deployed(build_detector(arch))
    model.head.drop_training_branches()
    load_graph_weights(path, model, torch.zeros(1, 3, 64, 64))
    return model


def fill(model: DBDetector, tensors: Mapping[str, Tensor], where: Path) -> None:
    """Load named tensors; all that the network uses at inference must be there, nothing may be left over.

    Training branches that the file does not have (threshold, auxiliary heads) are removed from the network.

    Raises:
        BundleError: names or shapes differ; the first few are listed.
    """
    if not any(name.startswith(("head.thresh", "head.aux_")) for name in tensors):
        model.head.drop_training_branches()
    own = model.state_dict()
    missing = [name for name in own if name not in tensors and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in tensors if name not in own]
    mismatched = [
        f"{name} {list(tensors[name].shape)} instead of {list(own[name].shape)}"
        for name in own
        if name in tensors and tensors[name].shape != own[name].shape
    ]
    if missing or unexpected or mismatched:
        raise BundleError(
            f"the weights do not fit: {len(missing)} tensors missing ({_some(missing)}), "
            f"{len(unexpected)} unexpected ({_some(unexpected)}), {len(mismatched)} of another shape ({_some(mismatched)})",
            where=where,
            hint="the file belongs to another architecture",
        )
    model.load_state_dict({name: tensors[name].to(own[name].dtype) for name in own if name in tensors}, strict=False)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "") if names else "none"


def _in_form(network: Network, form: str) -> Network:
    if form in ("auto", network.form):
        return network
    if form == "training":
        raise ConfigError(
            "these weights are folded and cannot be unfolded into the training form",
            where="model.form",
            hint="leave model.form at auto, or start from a .pdparams file",
        )
    return Network(deployed(network.model), network.arch, "deployed", network.provenance, network.bundle)


def inference_form(model: DBDetector) -> DBDetector:
    """A folded copy in eval mode without training branches, for export; float32."""
    folded = deployed(model).float()
    folded.head.drop_training_branches()
    return folded
