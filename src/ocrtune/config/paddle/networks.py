"""Which of our networks an ``Architecture`` section means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ocrtune.config.paddle.known import DEFAULTS, KNOWN, Known
from ocrtune.config.paddle.ledger import Ledger

STUDENT = "Architecture.Models.Student"
ONLY_STUDENT = "only the student is trained, without the other models"
_TASKS = {"det": "detection", "rec": "recognition", "cls": "orientation"}
_ALIASES = {"UniRepLKFPN": "RepLKFPN", "UniRepLKPAN": "RepLKPAN", "ResNet": "ResNet_vd"}
_STRUCTURE = {*DEFAULTS, *(part for known in KNOWN for part in known.parts)}
_NAMES = ("Backbone.name", "Neck.name", "Head.name")
# keys of a description that change nothing about what runs in use
_SILENT = {
    "Backbone.in_channels": "images have three channels",
    "Backbone.pretrained": "model.pretrained says where weights come from",
    "Backbone.disable_se": "this backbone has none to disable",
    "Backbone.use_rep": "the training form has the branches, the deployed one has them folded",
    "Backbone.stem_type": "the network's size says it",
    "Backbone.stem_channels": "the network's size says it",
    "Backbone.config_name": "the network's size says it",
    "Backbone.out_channels": "the network's size says it",
    "Backbone.out_char_num": "the network's size says it",
    "Neck.encoder": "the neck says it",
    "Neck.use_guide": "model.guide says it: with a guide, the networks that leave their backbone to it do so here as well",
    "Head.use_guide": "model.guide says it: with a guide, the networks that leave their backbone to it do so here as well",
    "Head.fix_nan": "steps with an infinite loss stop the run with advice",
    "Head.aux_in_channels": "the network's size says it",
    "Head.fc_decay": "optimizer.weight_decay holds for the last layer as well",
    "Head.return_feats": "the recogniser's features are used by no loss here",
    "Head.kind": "CTC is the head, model.guide says whether a second decoder trains along",
}


@dataclass(frozen=True)
class Part:
    """One leaf of a network's description.

    Attributes:
        name: ``Backbone.scale``, ``Neck.out_channels``, ...; the same for plain and multiple heads.
        key: of the leaf.
        value: as written, other names of the same thing replaced.
    """

    name: str
    key: str
    value: Any


def task_of(ledger: Ledger) -> tuple[str, str]:
    """(our task, key of the network's description); of a distillation the student's.

    Raises:
        ConfigError: the model is of another kind, or a distillation has no student.
    """
    root = "Architecture"
    if ledger.get("Architecture.algorithm") == "Distillation" or "Architecture.Models" in ledger:
        root = STUDENT
        if STUDENT not in ledger:
            raise ledger.error("Architecture.Models", "no model is called Student", "the one that is to be used")
    kind = ledger.get("Architecture.model_type") or ledger.get(f"{root}.model_type")
    if not isinstance(kind, str) or kind not in _TASKS:
        raise ledger.error(
            "Architecture.model_type", f"'{kind}' is no kind of model that is trained here", "det, rec or cls"
        )
    ledger.map("Architecture.model_type", "task", _TASKS[kind])
    return _TASKS[kind], root


def import_network(ledger: Ledger, task: str, root: str) -> Known:
    """Set ``model.arch`` from a description.

    Raises:
        ConfigError: no network here is like it; the nearest ones are named.
    """
    parts = _normalised(list(_parts(ledger, root)))
    given = {part.name: part.value for part in parts}
    candidates = sorted((known for known in KNOWN if known.task == task), key=lambda known: _distance(given, known))
    best = candidates[0]
    if _differences(given, best):
        raise ledger.error(
            root,
            f"no network here is {_described(given)}",
            "; ".join(f"{k.arch} ({k.name}; {_told(_differences(given, k))})" for k in candidates[:3]),
            "take the section of an official file of PP-OCR v2 to v6; of SVTRNet there is the large one, of RotNet none",
        )
    for part in parts:
        if part.name in best.parts or (part.name in DEFAULTS and part.name not in _SILENT):
            note = "ResNet means the vd variant, as before PaddleOCR 2.5" if _old_resnet(ledger, part, task) else ""
            ledger.note(part.key, "model.arch", best.arch, note)
        elif part.name in _SILENT:
            ledger.skip(part.key, _SILENT[part.name])
    ledger.put("model.arch", best.arch)
    for key in ("Transform", "Neck", "algorithm", "model_type", "return_all_feats", "freeze_params"):
        ledger.skip_leaf(f"{root}.{key}", "the network says it")
    for key in ("algorithm", "name"):
        ledger.skip_leaf(f"Architecture.{key}", "the network says it")
    for key in ledger.open_below("Architecture.Models"):
        if not key.startswith(f"{STUDENT}."):
            ledger.refuse(key, ONLY_STUDENT)
    return best


def _parts(ledger: Ledger, root: str) -> Iterator[Part]:
    multiple = ledger.get(f"{root}.Head.name") == "MultiHead"
    sequence = ledger.get(f"{root}.Neck.name") == "SequenceEncoder"
    for key in ledger.below(root):
        name = key.removeprefix(f"{root}.")
        section, _, rest = name.partition(".")
        value = ledger.get(key)
        if section == "Head" and multiple:
            if rest == "name":
                yield Part("Head.kind", key, value)
                yield Part("Head.name", "", "CTCHead")
            elif rest.startswith("head_list"):
                inner = rest.partition(".")[2]
                if inner.startswith(("CTCHead.Neck.", "CTCHead.Head.")):
                    yield Part(inner.removeprefix("CTCHead."), key, value)
            else:
                yield Part(name, key, value)
        elif section == "Neck" and sequence:
            renamed = {"name": "encoder", "encoder_type": "name"}.get(rest, rest)
            yield Part(f"Neck.{renamed}", key, value)
        elif section in ("Backbone", "Neck", "Head") or name == "Transform.name":
            yield Part(name, key, value)


def _normalised(parts: list[Part]) -> list[Part]:
    """With one name for one thing; the first PP-OCRv6 files did not say a network's size."""
    parts = [Part(p.name, p.key, _ALIASES.get(str(p.value), p.value) if p.name in _NAMES else p.value) for p in parts]
    given = {part.name: part.value for part in parts}
    if given.get("Backbone.name") == "PPLCNetV4" and "Backbone.model_size" not in given:
        size = given.get("Backbone.config_name") or ("small" if given.get("Backbone.stem_type") == "branch" else None)
        parts.append(Part("Backbone.model_size", "", size))
    return parts


def _differences(given: Mapping[str, Any], known: Known) -> dict[str, tuple[Any, Any]]:
    """{part: (theirs, the known network's)} of everything that makes another network."""
    found = {}
    for part in _STRUCTURE:
        wanted = known.parts.get(part, DEFAULTS.get(part))
        value = given.get(part)
        value = DEFAULTS.get(part) if value is None else value
        silent = part in _SILENT and part not in known.parts
        if value != wanted and not silent:
            found[part] = (value, wanted)
    return found


def _distance(given: Mapping[str, Any], known: Known) -> int:
    return sum(5 if part in _NAMES else 1 for part in _differences(given, known))


def _described(given: Mapping[str, Any]) -> str:
    return " + ".join(str(given[name]) for name in _NAMES if given.get(name)) or "an empty description"


def _told(differences: Mapping[str, tuple[Any, Any]]) -> str:
    told = [f"{part} {wanted} instead of {value}" for part, (value, wanted) in sorted(differences.items())]
    return ", ".join(told[:3]) + (", ..." if len(told) > 3 else "")


def _old_resnet(ledger: Ledger, part: Part, task: str) -> bool:
    return task == "detection" and part.name == "Backbone.name" and ledger.get(part.key) == "ResNet"
