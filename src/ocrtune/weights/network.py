"""From a bundle or a weight file to a network of any task that can be trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ocrtune.bundle import Bundle, TaskName, sha256
from ocrtune.errors import BundleError, ConfigError
from ocrtune.nn.fuse import deployed
from ocrtune.weights.download import download, is_url
from ocrtune.weights.onnx_graph import load_graph_weights
from ocrtune.weights.paddle import read_pdparams, to_torch
from ocrtune.weights.registry import NAMES, resolve_part

Form = Literal["deployed", "training"]
M = TypeVar("M", bound=nn.Module)


class Family(Protocol[M]):
    """The networks of one task, as the loader sees them."""

    @property
    def task(self) -> TaskName:
        """What they do."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Architectures, by the names that users type."""
        ...

    @property
    def example(self) -> Tensor:
        """An input on which every one of them runs."""
        ...

    def build(self, arch: str, tensors: Mapping[str, Tensor] | None) -> M:
        """A network in its training form with fresh weights.

        Args:
            arch: one of ``names``.
            tensors: what will be loaded, where that decides about sizes.

        Raises:
            ConfigError: the architecture is unknown.
        """
        ...

    def build_for_graph(self, arch: str, graph: Path) -> M:
        """The same for the weights of an ONNX file."""
        ...

    def drop_training_branches(self, model: M) -> None:
        """Remove what only training uses, in place."""
        ...

    def is_training_branch(self, name: str) -> bool:
        """Whether a tensor of this name is only used in training."""
        ...


@dataclass(frozen=True)
class Network(Generic[M]):
    """A network with its weights.

    Attributes:
        model: the network.
        arch: its name.
        form: folded, or with branches and normalisation.
        provenance: where the weights come from, for the bundle.
        bundle: the bundle that they come from, whose settings are taken over; None for a plain weight file.
        file: the weight file that they come from; None for a bundle or fresh weights.
    """

    model: M
    arch: str
    form: Form
    provenance: dict[str, Any]
    bundle: Bundle | None = None
    file: Path | None = None


def load_network(family: Family[M], pretrained: str | None, arch: str = "auto", form: str = "auto") -> Network[M]:
    """Build a network and fill it.

    Args:
        family: the networks of the task.
        pretrained: bundle, run, registered name, or path or web address (``#sha256=...`` behind it is checked) of a
            ``.onnx``, ``.pdparams``, ``.safetensors`` or ``.pth`` file; None for fresh weights in training form.
        arch: one of the family's names; ``auto`` finds the one that the weights fit.
        form: ``deployed`` or ``training``; ``auto`` takes the form of the weights. Folded weights cannot be unfolded.

    Raises:
        BundleError: the weights are missing, damaged or do not fit; a partial load is always an error.
        ConfigError: the architecture is unknown or has to be named.
    """
    if pretrained is None:
        if arch == "auto":
            raise ConfigError(
                "fresh weights need a network", where="model.arch", expected=", ".join(sorted(family.names))
            )
        return _in_form(Network(family.build(arch, None), arch, "training", {"name": "fresh weights"}), form)
    path = download(pretrained) if is_url(pretrained) else Path(pretrained)
    if path.is_file():
        return _in_form(_from_file(family, path, arch), form)
    if path.suffix in (".onnx", ".pdparams", ".safetensors", ".pth") and pretrained not in NAMES:
        raise BundleError("the weight file does not exist", where=path)
    return _in_form(_from_bundle(family, resolve_part(pretrained, family.task), arch), form)


def _from_bundle(family: Family[M], bundle: Bundle, arch: str) -> Network[M]:
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
        return Network(_from_onnx(family, bundle.onnx, manifest.arch), manifest.arch, "deployed", provenance, bundle)
    tensors = _safetensors(bundle.weights)
    model = family.build(manifest.arch, tensors)
    if manifest.form == "deployed":
        model = deployed(model)
    fill(family, model, tensors, bundle.weights)
    return Network(model, manifest.arch, manifest.form, provenance, bundle)


def _from_file(family: Family[M], path: Path, arch: str) -> Network[M]:
    provenance = {"name": path.name, "sha256": sha256(path)}
    candidates = [arch] if arch != "auto" else list(family.names)
    errors: list[str] = []
    for name in candidates:
        try:
            if path.suffix == ".onnx":
                return Network(_from_onnx(family, path, name), name, "deployed", provenance, file=path)
            tensors = _file_tensors(path, name, family)
            model = family.build(name, tensors)
            folded = not any(key.endswith("running_var") for key in tensors)
            if folded:
                model = deployed(model)
            fill(family, model, tensors, path)
            return Network(model, name, "deployed" if folded else "training", provenance, file=path)
        except BundleError as error:
            if len(candidates) == 1 or "architecture" not in (error.hint or ""):
                raise
            errors.append(f"{name}: {error.what}")
    raise BundleError("the weights fit none of the known networks: " + "; ".join(errors), where=path)


def _file_tensors(path: Path, arch: str, family: Family[M]) -> dict[str, Tensor]:
    if path.suffix == ".pdparams":
        return to_torch(read_pdparams(path), family.build(arch, None))
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


def _from_onnx(family: Family[M], path: Path, arch: str) -> M:
    model = deployed(family.build_for_graph(arch, path))
    family.drop_training_branches(model)
    load_graph_weights(path, model, family.example)
    return model


def fill(family: Family[M], model: M, tensors: Mapping[str, Tensor], where: Path) -> None:
    """Load named tensors; all that the network uses at inference must be there, nothing may be left over.

    Training branches are removed from the network where the file has none of them; those that only the file has are
    left out.

    Raises:
        BundleError: names or shapes differ; the first few are listed.
    """
    if not any(family.is_training_branch(name) for name in tensors):
        family.drop_training_branches(model)
    own = model.state_dict()
    missing = [name for name in own if name not in tensors and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in tensors if name not in own and not family.is_training_branch(name)]
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


def _in_form(network: Network[M], form: str) -> Network[M]:
    if form in ("auto", network.form):
        return network
    if form == "training":
        raise ConfigError(
            "these weights are folded and cannot be unfolded into the training form",
            where="model.form",
            hint="leave model.form at auto, or start from a .pdparams file",
        )
    return replace(network, model=deployed(network.model), form="deployed")


def inference_form(family: Family[M], model: M) -> M:
    """A folded copy in eval mode without training branches, for export; float32."""
    folded = deployed(model).float()
    family.drop_training_branches(folded)
    return folded
