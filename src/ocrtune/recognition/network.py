"""Recognisers as the weight loader sees them, and what happens to the last layer when the characters change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ocrtune.bundle import TaskName
from ocrtune.charset import BLANK, Charset
from ocrtune.errors import ConfigError
from ocrtune.recognition.model import RECOGNIZERS, CTCRecognizer, build_recognizer
from ocrtune.weights.network import Network
from ocrtune.weights.onnx_graph import graph_layers
from ocrtune.weights.registry import charset_in_onnx, published_bundle

_PUBLISHED_CLASSES = 6625


class RecognizerFamily:
    """CTC recognisers; the number of classes follows from what is loaded."""

    task: TaskName = "recognition"
    names: Sequence[str] = tuple(RECOGNIZERS)
    example = torch.zeros(1, 3, 48, 64)

    def build(self, arch: str, tensors: Mapping[str, Tensor] | None = None) -> CTCRecognizer:
        known = None if tensors is None else tensors.get("head.bias")
        return build_recognizer(arch, _PUBLISHED_CLASSES if known is None else len(known))

    def build_for_graph(self, arch: str, graph: Path) -> CTCRecognizer:
        return build_recognizer(arch, graph_layers(graph)[-1].weight.shape[0])

    def drop_training_branches(self, model: CTCRecognizer) -> None:
        """There are none."""

    def is_training_branch(self, name: str) -> bool:
        """The guide of the official training (NRTR or SAR), which is not trained on here."""
        return name.startswith(("head.gtc_head.", "head.before_gtc.", "head.sar_head."))


FAMILY = RecognizerFamily()


def start_charset(network: Network[CTCRecognizer], named: str | None) -> Charset:
    """The characters of the classes of a network that was loaded; a head with fresh weights is made for those named.

    Args:
        network: the network.
        named: a dictionary file, for weights that do not say.

    Raises:
        ConfigError: the weights do not say, and no file was named; or the file does not fit.
        BundleError: the file cannot be read.
    """
    classes = network.model.head.out_features
    if named is not None:
        charset = Charset.read(Path(named))
        if network.fresh_head:
            network.model.head = build_recognizer(network.arch, charset.classes).head
            return charset
        if charset.classes == classes - 1:
            charset = Charset((*charset.characters, " "))  # PaddleOCR's use_space_char
        if charset.classes != classes:
            raise ConfigError(
                f"the dictionary has {len(charset.characters)} characters, the network {classes} classes",
                where=named,
                expected=f"{classes - 1} characters, or {classes - 2} and the space behind them",
            )
        return charset
    if network.bundle is not None:
        return Charset.read(network.bundle.charset)
    if network.characters is not None:
        return Charset.read(published_bundle(network.characters).charset)
    if network.file is not None and network.file.suffix == ".onnx":
        return charset_in_onnx(network.file, network.file)
    raise ConfigError(
        "these weights do not say which characters their classes are",
        where="text.dictionary",
        hint="name a file with one character a line as text.dictionary, or --dictionary on the command line",
    )


@torch.no_grad()
def with_charset(model: CTCRecognizer, old: Charset, new: Charset) -> None:
    """Give a recogniser another character set, in place, keeping what it knows.

    Rows of the last layer move with their characters; the blank stays class 0. A new character starts half way between
    the mean of all rows and the row of its nearest relative (see `Charset.relative`), or at the mean: low enough to
    leave every reading of the old characters as it was.

    Args:
        model: the network whose classes are those of ``old``.
        old, new: character sets.
    """
    if old == new:
        return
    head = model.head
    weight, bias = head.weight, head.bias
    mean_weight, mean_bias = weight.mean(0), bias.mean()
    replaced = nn.Linear(head.in_features, new.classes, device=weight.device, dtype=weight.dtype)
    replaced.weight[BLANK], replaced.bias[BLANK] = weight[BLANK], bias[BLANK]
    for index, character in enumerate(new.characters, start=1):
        if character in old:
            source = old.index(character)
            replaced.weight[index], replaced.bias[index] = weight[source], bias[source]
            continue
        relative = old.relative(character)
        near = old.index(relative) if relative is not None else None
        replaced.weight[index] = mean_weight if near is None else (mean_weight + weight[near]) / 2
        replaced.bias[index] = mean_bias if near is None else (mean_bias + bias[near]) / 2
    model.head = replaced
