"""Weight files of every kind as named tensors: .pdparams, .pth, safetensors; nothing in them is executed."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ocrtune.errors import BundleError
from ocrtune.weights.archive import weights_in_archive
from ocrtune.weights.download import Tell, download, is_url, quiet
from ocrtune.weights.paddle import as_tensor, oriented, read_pdparams, torch_name
from ocrtune.weights.registry import FILES, published_file
from ocrtune.weights.transformers import from_transformers, names_here

SUFFIXES = (".onnx", ".pdparams", ".safetensors", ".pth", ".pt", ".tar")
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_HUGGING_FACE = ("config.json", "model.safetensors")
_PART = re.compile(r"(Student\d*|Teacher\d*)\.")


@dataclass(frozen=True)
class Source:
    """A weight file, and which network in it is meant.

    Attributes:
        path: the file.
        part: the part of a distillation checkpoint: ``student``, ``student2`` or ``teacher``; None where there is one.
        or_whole: whether a file that is not divided into parts will do as well.
        characters: the registered recogniser with the same characters, for a registered file.
    """

    path: Path
    part: str | None = None
    or_whole: bool = False
    characters: str | None = None


@dataclass(frozen=True)
class NamedTensors:
    """The content of a weight file.

    Attributes:
        tensors: by the names that our networks would use.
        paddle_layout: whether linear weights are [in, out], as Paddle stores them.
        part: the part of a distillation checkpoint that this is; None for an undivided file.
    """

    tensors: Mapping[str, Tensor]
    paddle_layout: bool
    part: str | None = None

    def for_network(self, model: nn.Module) -> dict[str, Tensor]:
        """The tensors in a network's layouts; a bare backbone's get the prefix that they have in the network."""
        tensors = dict(self.tensors)
        own = model.state_dict().keys()
        bare = [name for name in tensors if name not in own and f"backbone.{name}" in own]
        if bare and not any(name in own for name in tensors):
            tensors = {f"backbone.{name}": tensor for name, tensor in tensors.items()}
        return oriented(tensors, model) if self.paddle_layout else tensors


def find_source(spec: str, tell: Tell = quiet) -> Source | None:
    """The weight file that a user means; None where it is no file (but a bundle, a run or a registered model).

    Args:
        spec: a ``.onnx``, ``.pdparams``, ``.safetensors`` or ``.pth`` file; an official ``.tar`` archive; a folder with
            config.json and model.safetensors, as Hugging Face lays them out; a registered weight file; or a web address.
            ``#part=student`` behind it chooses a part of a distillation checkpoint, ``#sha256=...`` is compared.
        tell: takes one line about a download.

    Raises:
        BundleError: a file of a known kind is named that does not exist, or a download fails.
    """
    address, _, fragment = (spec, "", "") if "#" not in spec or Path(spec).exists() else spec.rpartition("#")
    part = parse_qs(fragment).get("part", [None])[0]
    if address in FILES:
        known = FILES[address]
        path = published_file(address, tell)
        source = Source(path, part or known.part, or_whole=part is None, characters=known.characters)
    elif is_url(spec):
        source = Source(download(spec, tell), part)
    elif (folder := Path(address)).is_dir() and all((folder / name).is_file() for name in _HUGGING_FACE):
        source = Source(folder / _HUGGING_FACE[1], part)
    elif Path(address).is_file():
        source = Source(Path(address), part)
    elif Path(address).suffix in SUFFIXES:
        raise BundleError("the weight file does not exist", where=address)
    else:
        return None
    return replace(source, path=weights_in_archive(source.path)) if source.path.suffix == ".tar" else source


def read_tensors(source: Source) -> NamedTensors:
    """A file's tensors, out of the wrappers, prefixes and parts that training leaves around them.

    Raises:
        BundleError: the file is damaged, holds something else, or several networks of which none was chosen.
    """
    path = source.path
    if path.suffix == ".pdparams":
        content: Mapping[str, Any] = read_pdparams(path)
    elif path.suffix == ".safetensors":
        content = _read_safetensors(path)
    elif path.suffix in (".pth", ".pt"):
        content = _read_torch(path)
    else:
        raise BundleError(f"'{path.suffix}' is no known weight format", where=path, expected=", ".join(SUFFIXES))
    tensors = _without_prefix(_tensors_in(content, path), "module.")
    tensors, part = _chosen(tensors, source)
    if from_transformers(tensors):
        ours = names_here(tensors)
        return NamedTensors({ours[name]: tensor for name, tensor in tensors.items()}, False, part)
    named = {torch_name(name): tensor for name, tensor in tensors.items()}
    return NamedTensors(named, path.suffix == ".pdparams", part)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise BundleError(f"the file is no valid safetensors file: {error}", where=path) from error


def _read_torch(path: Path) -> Mapping[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols, of files that are refused anyway
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises pickle, zip and runtime errors alike
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BundleError(
            f"the file was refused: {reason}",
            where=path,
            expected="a file of plain tensors, as torch.save(model.state_dict()) writes it",
        ) from error
    if not isinstance(content, Mapping):
        raise BundleError("the file holds no table of tensors", where=path)
    return content


def _tensors_in(content: Mapping[str, Any], where: Path) -> dict[str, Tensor]:
    """The entry of a checkpoint that holds the network, or all of a plain state dict, as fp32 where it was fp16."""
    for wrapper in _WRAPPERS:
        inner = content.get(wrapper)
        if isinstance(inner, Mapping):
            return _tensors_in(inner, where)
    tensors = {}
    for name, value in content.items():
        if isinstance(value, Tensor):
            tensors[str(name)] = value.detach().float() if value.dtype in (torch.float16, torch.bfloat16) else value
        elif isinstance(value, np.ndarray):
            try:
                tensors[str(name)] = as_tensor(value)
            except TypeError as error:
                raise BundleError(f"'{name}' holds no numbers but {value.dtype}", where=where) from error
    if not tensors:
        raise BundleError(
            "the file holds no tensors",
            where=where,
            expected=f"tensors by name, also under one of the entries {', '.join(_WRAPPERS)}",
        )
    return tensors


def _without_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Names without what torch's data-parallel wrapper puts before every one of them."""
    if not all(name.startswith(prefix) for name in tensors):
        return tensors
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def _chosen(tensors: dict[str, Tensor], source: Source) -> tuple[dict[str, Tensor], str | None]:
    """The part of a distillation checkpoint that was asked for, or its only one."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if match := _PART.match(name):
            parts.setdefault(match[1].lower(), {})[name[match.end() :]] = tensor
    wanted = None if source.part is None else source.part.lower()
    if not parts and (wanted is None or source.or_whole):
        return tensors, None
    if not parts:
        raise BundleError(
            f"the file is not divided into parts, and '{source.part}' was asked for",
            where=source.path,
            hint="leave #part=... (--part) out",
        )
    sizes = ", ".join(f"{part} ({len(names)} tensors)" for part, names in parts.items())
    if wanted is None and len(parts) > 1:
        raise BundleError(
            f"the file holds {len(parts)} networks: {sizes}",
            where=source.path,
            expected=f"one of them, for example {source.path}#part={next(iter(parts))}",
            hint="on the command line --part does the same",
        )
    chosen = wanted or next(iter(parts))
    if chosen not in parts:
        raise BundleError(f"the file has no part '{source.part}'", where=source.path, expected=sizes)
    return parts[chosen], chosen
