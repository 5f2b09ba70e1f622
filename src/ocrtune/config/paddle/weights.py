"""Where the weights come from."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ocrtune.config.paddle.ledger import Ledger
from ocrtune.config.paddle.networks import Known

_SUFFIXES = (".pdparams", ".onnx", ".safetensors", ".pth", ".pt")
_BACKBONES = re.compile(r"^(MobileNetV\d|ResNet\d+|PPLCNet|PPHGNet|SVTR)", re.IGNORECASE)
_REGISTERED = re.compile(r"^ppocr[a-z0-9]*-[a-z0-9-]+$")


def import_weights(ledger: Ledger, known: Known, root: str) -> str | None:
    """Set ``model.pretrained``; returns it."""
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
    if known.published is not None and (value is None or backbone_only(value)) and _reads_the_same(ledger, known):
        ledger.propose(
            "model.pretrained",
            value,
            known.published,
            "theirs",
            "a whole published model needs far fewer pages; take optimizer.lr=auto schedule.epochs=20 with it",
        )
    return value


def backbone_only(pretrained: str | None) -> bool:
    """Whether a weight file's name is one of PaddleOCR's for a backbone without neck and head."""
    return pretrained is not None and bool(_BACKBONES.match(PurePosixPath(pretrained).name))


def is_registered(pretrained: str | None) -> bool:
    """Whether weights are named as `ocrtune weights list` does, not by a file."""
    return pretrained is not None and bool(_REGISTERED.match(pretrained))


def _weight_file(value: str) -> str:
    if value.endswith(_SUFFIXES) or is_registered(value):
        return value
    return f"{value}.pdparams"


def _reads_the_same(ledger: Ledger, known: Known) -> bool:
    named = ledger.text("Global.character_dict_path")
    return known.dictionary is None or PurePosixPath(named).name == known.dictionary
