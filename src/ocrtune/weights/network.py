"""From a bundle or a weight file to a network of any task that can be trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ocrtune.bundle import Bundle, TaskName, sha256
from ocrtune.config.schema import TrainConfig
from ocrtune.errors import BundleError, ConfigError
from ocrtune.nn.fuse import deployed, deployed_like
from ocrtune.weights.download import Tell, quiet
from ocrtune.weights.files import NamedTensors, Source, find_source, read_tensors
from ocrtune.weights.onnx_graph import load_graph_weights
from ocrtune.weights.registry import resolve_part
from ocrtune.weights.report import LoadReport, MisfitError, compare

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

    def example(self, model: M) -> Tensor:
        """An input on which a network runs."""
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
        report: which of that file's tensors were loaded; None for a bundle, an ONNX file or fresh weights.
        characters: the registered recogniser with the same characters, for a registered weight file.
    """

    model: M
    arch: str
    form: Form
    provenance: dict[str, Any]
    bundle: Bundle | None = None
    file: Path | None = None
    report: LoadReport | None = None
    characters: str | None = None

    @property
    def folded(self) -> bool:
        """Whether normalisation is folded into the weights, which are then trained at rates relative to their size."""
        return self.form == "deployed"

    @property
    def fresh_head(self) -> bool:
        """Whether the last layers hold fresh weights."""
        if self.bundle is not None or (self.file is not None and self.report is None):
            return False
        return self.report is None or not any(name.startswith("head.") for name in self.report.loaded)


def load_start(family: Family[M], config: TrainConfig, tell: Tell) -> Network[M]:
    """The network that a configuration starts from; see `load_network`."""
    model = config.model
    return load_network(family, model.pretrained, model.arch, model.form, model.partial, tell, seed=config.trainer.seed)


def load_network(
    family: Family[M],
    pretrained: str | None,
    arch: str = "auto",
    form: str = "auto",
    partial: bool = False,
    tell: Tell = quiet,
    seed: int = 0,
) -> Network[M]:
    """Build a network and fill it; weights below 1.2e-38 become 0.

    Args:
        family: the networks of the task.
        pretrained: bundle, run, registered name, or a weight file (see `ocrtune.weights.files.find_source`); None for
            fresh weights in training form.
        arch: one of the family's names; ``auto`` finds the one that the weights fit.
        form: ``deployed`` or ``training``; ``auto`` takes the form of the weights. Folded weights cannot be unfolded.
        partial: load what fits and leave the rest fresh, for backbone-only files and changed last layers.
        tell: takes one line about a download, and about what a partial load left fresh.
        seed: of what is left fresh; the same for the same seed, in every process.

    Raises:
        BundleError: the weights are missing, damaged, or do not fit and ``partial`` was not asked for.
        ConfigError: the architecture is unknown or has to be named.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _loaded(family, pretrained, arch, form, partial, tell)
    _drop_denormals(network.model)
    return network


def _loaded(family: Family[M], pretrained: str | None, arch: str, form: str, partial: bool, tell: Tell) -> Network[M]:
    if pretrained is None:
        if arch == "auto":
            raise ConfigError(
                "fresh weights need a network", where="model.arch", expected=", ".join(sorted(family.names))
            )
        return _in_form(Network(family.build(arch, None), arch, "training", {"name": "fresh weights"}), form)
    source = find_source(pretrained, tell)
    if source is None:
        return _in_form(_from_bundle(family, resolve_part(pretrained, family.task), arch), form)
    network = _from_file(family, source, arch, partial)
    if network.report is not None and not network.report.complete:
        tell(f"only a part of the weights was loaded from {source.path.name}: {network.report.summary()}")
    return _in_form(network, form)


@torch.no_grad()
def _drop_denormals(model: nn.Module) -> None:
    """Set weights to 0 that are too small for a normal float32, in place.

    Weight decay leaves them in dead channels (a tenth of PP-OCRv6 small's detector), and processors take three times as long
    for a training step with them.
    """
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor[tensor.abs() < torch.finfo(tensor.dtype).tiny] = 0


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
    tensors = load_file(bundle.weights)
    model = family.build(manifest.arch, tensors)
    if manifest.form == "deployed":
        model = deployed(model)
    fill(family, model, tensors, bundle.weights)
    return Network(model, manifest.arch, manifest.form, provenance, bundle)


def _from_file(family: Family[M], source: Source, arch: str, partial: bool) -> Network[M]:
    path = source.path
    name = path.parent.name if path.name == "model.safetensors" else path.name
    provenance: dict[str, Any] = {"name": name, "sha256": sha256(path)}
    if path.suffix == ".onnx":
        chosen = arch if arch != "auto" else one_of(graph_fits(family, path), path)
        return Network(_from_onnx(family, path, chosen), chosen, "deployed", provenance, file=path)
    file = read_tensors(source)
    if file.part is not None:
        provenance["part"] = file.part
    chosen = arch if arch != "auto" else one_of(chosen_fits(tensor_fits(family, file), path, partial), path)
    model, tensors, folded, report = _prepared(family, file, chosen)
    if not report.complete:
        if not partial or not report.loaded:
            raise MisfitError(report, path)
        provenance["load"] = report.as_dict()
    _copy(model, tensors, report)
    if folded:
        model = deployed(model)
    form: Form = "deployed" if folded else "training"
    return Network(model, chosen, form, provenance, file=path, report=report, characters=source.characters)


def _prepared(family: Family[M], file: NamedTensors, arch: str) -> tuple[M, dict[str, Tensor], bool, LoadReport]:
    """A network in the form of a file's tensors, those tensors in its layouts, whether they are folded, how they fit."""
    model = family.build(arch, file.tensors)
    tensors = file.for_network(model)
    model, folded = deployed_like(model, tensors)
    if any(not name.startswith("backbone.") for name in tensors):
        _drop_absent_branches(family, model, tensors)
    return model, tensors, folded > 0, compare(model.state_dict(), tensors, family.is_training_branch)


def tensor_fits(family: Family[M], file: NamedTensors) -> dict[str, LoadReport]:
    """How a file's tensors fit each network of a family; no weights are made for that."""
    with torch.device("meta"):
        return {name: _prepared(family, file, name)[-1] for name in family.names}


def graph_fits(family: Family[M], path: Path) -> list[str]:
    """The networks of a family whose operators are those of an ONNX file; no weights are made for that.

    Raises:
        BundleError: the file is no ONNX model.
    """
    found = []
    for name in family.names:
        try:
            with torch.device("meta"):
                _from_onnx(family, path, name)
        except BundleError as error:
            if "architecture" not in (error.hint or ""):
                raise
        else:
            found.append(name)
    return found


def chosen_fits(reports: Mapping[str, LoadReport], where: Path, partial: bool) -> list[str]:
    """The networks that a file's tensors fit; with ``partial`` those whose backbone it fills, where none fits wholly.

    Raises:
        MisfitError: there is none.
    """
    complete = [name for name, report in reports.items() if report.complete]
    if complete:
        return complete
    backbones = [name for name, report in reports.items() if report.whole_backbone]
    if partial and backbones:
        most = max(len(reports[name].loaded) for name in backbones)
        return [name for name in backbones if len(reports[name].loaded) == most]
    closest = max(reports, key=lambda name: len(reports[name].loaded))
    raise MisfitError(reports[closest], where, f"the weights fit none of the known networks; closest is {closest}: ")


def one_of(fits: Sequence[str], where: Path) -> str:
    """The only network that fits.

    Raises:
        BundleError: none does.
        ConfigError: several do.
    """
    if not fits:
        raise BundleError("the weights fit none of the known networks", where=where)
    if len(fits) > 1:
        raise ConfigError(
            f"the weights fit {len(fits)} networks alike",
            where=where,
            expected=f"one of {', '.join(fits)}",
            hint="name it: --arch, or model.arch",
        )
    return fits[0]


def _from_onnx(family: Family[M], path: Path, arch: str) -> M:
    model = deployed(family.build_for_graph(arch, path))
    family.drop_training_branches(model)
    load_graph_weights(path, model, family.example(model))
    return model


def fill(family: Family[M], model: M, tensors: Mapping[str, Tensor], where: Path) -> None:
    """Load named tensors; all that the network uses at inference must be there, nothing may be left over.

    Training branches are removed from the network where the file has none of them; those that only the file has are
    left out.

    Raises:
        MisfitError: names or shapes differ.
    """
    _drop_absent_branches(family, model, tensors)
    report = compare(model.state_dict(), tensors, family.is_training_branch)
    if not report.complete:
        raise MisfitError(report, where)
    _copy(model, tensors, report)


def _drop_absent_branches(family: Family[M], model: M, tensors: Mapping[str, Tensor]) -> None:
    if not any(family.is_training_branch(name) for name in tensors):
        family.drop_training_branches(model)


def _copy(model: nn.Module, tensors: Mapping[str, Tensor], report: LoadReport) -> None:
    own = model.state_dict()
    model.load_state_dict({name: tensors[name].to(own[name].dtype) for name in report.loaded}, strict=False)


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
