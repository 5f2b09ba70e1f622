"""Where the weights come from."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ocrtune.config.paddle.known import NO_DICTIONARY, Known
from ocrtune.config.paddle.ledger import Ledger

_SUFFIXES = (".pdparams", ".onnx", ".safetensors", ".pth", ".pt", ".tar")
_BACKBONES = re.compile(r"^(MobileNetV\d|ResNet\d+|PPLCNet|PPHGNet|SVTR)|-backbone$", re.IGNORECASE)
_REGISTERED = re.compile(r"^[a-z0-9.]+(-[a-z0-9.]+)*-(det|rec|ori|train|pre|backbone)$")
_FOLDED = ("-det", "-rec", "-ori")


def import_weights(ledger: Ledger, known: Known, root: str) -> None:
    """Set ``model.pretrained`` and ``model.partial``."""
    keys = ("Global.checkpoints", f"{root}.pretrained", "Global.pretrained_model")
    chosen = next((key for key in keys if ledger.get(key)), None)
    value = _weight_file(ledger.text(chosen)) if chosen is not None else None
    for key in keys:
        if key == chosen == "Global.checkpoints":
            note = "its weights are the start; optimiser and epoch are not taken over"
            ledger.map(key, "model.pretrained", value, note)
        elif key == chosen:
            note = "weights of the backbone alone" if backbone_only(value) else ""
            ledger.map(key, "model.pretrained", value, note)
        elif ledger.get(key):
            ledger.refuse(key, f"{chosen} goes first, as in PaddleOCR")
        elif chosen is None and key == "Global.pretrained_model":
            ledger.map(key, "model.pretrained", None, "fresh weights")
        else:
            ledger.skip_leaf(key, "nothing is named")
    ledger.put("model.pretrained", value)
    if backbone_only(value):
        ledger.put("model.partial", True)
    whole = known.published.get(PurePosixPath(ledger.text("Global.character_dict_path")).name)
    whole = known.published.get(NO_DICTIONARY, whole)
    if whole is not None and (value is None or backbone_only(value)):
        ledger.propose(
            "model.pretrained",
            value,
            whole,
            "theirs",
            "a whole published model needs far fewer pages; take schedule.epochs=20 with it"
            + (", and optimizer.lr=auto" if is_folded(whole) else ""),
        )


def backbone_only(pretrained: str | None) -> bool:
    """Whether a weight file's name is one of PaddleOCR's for a backbone without neck and head."""
    return pretrained is not None and bool(_BACKBONES.search(PurePosixPath(pretrained).name))


def is_registered(pretrained: str | None) -> bool:
    """Whether weights are named as `ocrtune weights list` does, not by a file."""
    return pretrained is not None and bool(_REGISTERED.match(pretrained))


def is_folded(pretrained: str | None) -> bool:
    """Whether weights are registered ones without the branches and normalisation of training."""
    return pretrained is not None and is_registered(pretrained) and pretrained.endswith(_FOLDED)


def _weight_file(value: str) -> str:
    if value.partition("#")[0].endswith(_SUFFIXES) or is_registered(value):
        return value
    return f"{value}.pdparams"
