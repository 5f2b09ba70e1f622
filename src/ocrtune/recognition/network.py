"""Recognisers as the weight loader sees them, and what happens to the last layer when the characters change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ocrtune.bundle import TaskName
from ocrtune.charset import BLANK, Charset
from ocrtune.errors import ConfigError
from ocrtune.recognition.model import RECOGNIZERS, CTCRecognizer, build_guide, build_recognizer
from ocrtune.weights.network import Network
from ocrtune.weights.onnx_graph import graph_layers
from ocrtune.weights.registry import charset_in_onnx, published_bundle

_PUBLISHED_CLASSES = 6625
_GUIDE = "guide."


class RecognizerFamily:
    """CTC recognisers; the number of classes follows from what is loaded."""

    task: TaskName = "recognition"
    names: Sequence[str] = tuple(RECOGNIZERS)

    def build(self, arch: str, tensors: Mapping[str, Tensor] | None = None) -> CTCRecognizer:
        known = None if tensors is None else tensors.get("head.bias")
        model = build_recognizer(arch, _PUBLISHED_CLASSES if known is None else len(known))
        if tensors is None or any(name.startswith(_GUIDE) for name in tensors):
            model.guide = build_guide(arch, model)
        return model

    def build_for_graph(self, arch: str, graph: Path) -> CTCRecognizer:
        return build_recognizer(arch, graph_layers(graph)[-1].weight.shape[0])

    def example(self, model: CTCRecognizer) -> Tensor:
        return torch.zeros(1, 3, model.seen.height, model.seen.width or 64)

    def drop_training_branches(self, model: CTCRecognizer) -> None:
        model.guide = None

    def is_training_branch(self, name: str) -> bool:
        """The guide (NRTR or SAR)."""
        return name.startswith(_GUIDE)


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
            if network.model.guide is not None:
                network.model.guide = build_guide(network.arch, network.model)
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
    leave every reading of the old characters as it was. A guide's tensors change likewise.

    Args:
        model: the network whose classes are those of ``old``.
        old, new: character sets.
    """
    if old == new:
        return
    head = model.head
    replaced = nn.Linear(head.in_features, new.classes, device=head.weight.device, dtype=head.weight.dtype)
    replaced.weight.copy_(_moved(head.weight, old, new, first=BLANK + 1))
    replaced.bias.copy_(_moved(head.bias, old, new, first=BLANK + 1))
    model.head = replaced
    guide = model.guide
    if guide is not None:
        first = guide.tokens(old.classes).first
        model.guide = type(guide)(guide.in_channels, new.classes, guide.width).to(head.weight)
        model.guide.load_state_dict(
            {
                name: _moved(tensor, old, new, first) if name in guide.CHARACTER_ROWS else tensor
                for name, tensor in guide.state_dict().items()
            }
        )


def _moved(rows: Tensor, old: Charset, new: Charset, first: int) -> Tensor:
    """Rows of one tensor, [rows, ...], of which ``len(old.characters)`` from ``first`` on belong to characters."""
    behind = first + len(old.characters)
    mean = rows.mean(0)
    moved = []
    for character in new.characters:
        if character in old:
            moved.append(rows[first - 1 + old.index(character)])
            continue
        relative = old.relative(character)
        moved.append(mean if relative is None else (mean + rows[first - 1 + old.index(relative)]) / 2)
    return torch.cat([rows[:first], torch.stack(moved), rows[behind:]])
