"""Which of our networks an ``Architecture`` section means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ocrtune.config.paddle.ledger import Ledger

STUDENT = "Architecture.Models.Student"
GUIDE = "the branch that guides a recogniser's training (NRTR, SAR) is not trained here: CTC trains the whole network"
ONLY_STUDENT = "only the student is trained, without the other models"
_TASKS = {"det": "detection", "rec": "recognition", "cls": "orientation"}


@dataclass(frozen=True)
class Known:
    """A network that PaddleOCR's files describe and that exists here.

    Attributes:
        arch: our name.
        name: PaddleOCR's.
        task: what it does.
        parts: what its description says, where that is not in `_DEFAULTS`.
        batch: samples in one step of the official training, over all its cards (lines: at a height of 48 pixels where the
            height changes); None where nobody says.
        height: of the lines that it reads, in pixels.
        published: registered name of its published weights, if there is one.
        dictionary: file name of the characters that these were trained with.
    """

    arch: str
    name: str
    task: str
    parts: Mapping[str, Any] = field(default_factory=dict)
    batch: int | None = None
    height: int = 48
    published: str | None = None
    dictionary: str | None = None


# what PaddleOCR assumes where a description is silent; whatever differs from it makes another network
_DEFAULTS: dict[str, Any] = {
    "Transform.name": None,
    "Backbone.det": False,
    "Backbone.text_rec": False,
    "Backbone.dcn_stage": None,
    "Backbone.disable_se": False,
    "Backbone.last_conv_stride": 1,
    "Backbone.last_pool_type": "max",
    "Backbone.last_pool_kernel_size": [2, 2],
    "Backbone.small_stride": [2, 2, 2, 2],
    "Neck.intracl": False,
    "Neck.use_asf": False,
    "Neck.mode": "large",
    "Neck.shortcut": True,
    "Neck.kernel_size": [3, 3],
    "Neck.local_kernel": 7,
    "Neck.hidden_dims": 120,
    "Head.k": 50,
    "Head.mode": "small",
    "Head.kernel_list": [3, 2, 2],
    "Head.mid_channels": None,
    "Head.use_pool": False,
    "Head.use_pos": False,
}
_ALIASES = {"UniRepLKFPN": "RepLKFPN", "UniRepLKPAN": "RepLKPAN", "ResNet": "ResNet_vd"}
_MOBILENET_DET = {
    "Backbone.name": "MobileNetV3",
    "Backbone.scale": 0.5,
    "Backbone.model_name": "large",
    "Backbone.disable_se": True,
    "Head.name": "DBHead",
    "Neck.out_channels": 96,
}
_LKPAN = {"Neck.name": "LKPAN", "Neck.out_channels": 256}
_LKPAN_LOCAL = {**_LKPAN, "Neck.intracl": True, "Head.name": "PFHeadLocal", "Head.mode": "large"}
_LCNETV4_DET = {"Backbone.name": "PPLCNetV4", "Backbone.det": True, "Head.name": "DBHead"}
_CTC = {"Head.name": "CTCHead"}
_SVTR = {**_CTC, "Neck.name": "svtr", "Neck.dims": 120, "Neck.depth": 2, "Neck.kernel_size": [1, 3]}
_RNN = {**_CTC, "Neck.name": "rnn"}
_V1_KEYS, _V6_KEYS = "ppocr_keys_v1.txt", "ppocrv6_dict.txt"

KNOWN = (
    Known(
        "db_mobilenetv3_dbfpn", "PP-OCR v2.0 mobile, v2 student", "detection", {**_MOBILENET_DET, "Neck.name": "DBFPN"}
    ),
    Known(
        "db_resnet18_vd",
        "PP-OCR v2.0 server",
        "detection",
        {
            "Backbone.name": "ResNet_vd",
            "Backbone.layers": 18,
            "Neck.name": "DBFPN",
            "Neck.out_channels": 256,
            "Head.name": "DBHead",
        },
    ),
    Known("db_mobilenetv3_rsefpn", "PP-OCRv3 mobile", "detection", {**_MOBILENET_DET, "Neck.name": "RSEFPN"}),
    Known(
        "db_resnet50_vd_lkpan",
        "PP-OCRv3 server",
        "detection",
        {
            **_LKPAN,
            "Backbone.name": "ResNet_vd",
            "Backbone.layers": 50,
            "Head.name": "DBHead",
            "Head.kernel_list": [7, 2, 2],
        },
    ),
    Known(
        "db_pplcnetv3_mobile",
        "PP-OCRv4 and v5 mobile",
        "detection",
        {
            "Backbone.name": "PPLCNetV3",
            "Backbone.scale": 0.75,
            "Backbone.det": True,
            "Neck.name": "RSEFPN",
            "Neck.out_channels": 96,
            "Head.name": "DBHead",
        },
        published="ppocrv4-mobile-det",
    ),
    Known(
        "db_pphgnet_server",
        "PP-OCRv4 server",
        "detection",
        {**_LKPAN_LOCAL, "Backbone.name": "PPHGNet_small", "Backbone.det": True},
    ),
    Known(
        "db_pphgnetv2_server",
        "PP-OCRv5 server",
        "detection",
        {**_LKPAN_LOCAL, "Backbone.name": "PPHGNetV2_B4", "Backbone.det": True},
    ),
    Known(
        "db_pplcnetv4_tiny",
        "PP-OCRv6 tiny",
        "detection",
        {
            **_LCNETV4_DET,
            "Backbone.model_size": "tiny",
            "Neck.name": "RepLKFPN",
            "Neck.out_channels": 64,
            "Neck.dilated_kernel_size": 5,
        },
    ),
    Known(
        "db_pplcnetv4_small",
        "PP-OCRv6 small",
        "detection",
        {
            **_LCNETV4_DET,
            "Backbone.model_size": "small",
            "Neck.name": "RepLKFPN",
            "Neck.out_channels": 96,
            "Neck.dilated_kernel_size": 7,
        },
        published="ppocrv6-small-det",
    ),
    Known(
        "db_pplcnetv4_medium",
        "PP-OCRv6 medium",
        "detection",
        {
            **_LCNETV4_DET,
            "Backbone.model_size": "medium",
            "Neck.name": "RepLKPAN",
            "Neck.out_channels": 256,
            "Neck.intracl": True,
        },
    ),
    Known(
        "ctc_mobilenetv3_crnn",
        "PP-OCR v2.0 mobile",
        "recognition",
        {
            **_RNN,
            "Backbone.name": "MobileNetV3",
            "Backbone.scale": 0.5,
            "Backbone.model_name": "small",
            "Backbone.disable_se": False,
            "Backbone.small_stride": [1, 2, 2, 2],
            "Neck.hidden_size": 48,
        },
        batch=2048,
        height=32,
    ),
    Known(
        "ctc_resnet34_crnn",
        "PP-OCR v2.0 server",
        "recognition",
        {**_RNN, "Backbone.name": "ResNet_vd", "Backbone.layers": 34, "Neck.hidden_size": 256},
        batch=2048,
        height=32,
    ),
    Known(
        "ctc_mobilenetv1_crnn",
        "PP-OCRv2",
        "recognition",
        {
            **_RNN,
            "Backbone.name": "MobileNetV1Enhance",
            "Backbone.scale": 0.5,
            "Neck.hidden_size": 64,
            "Head.mid_channels": 96,
        },
        batch=1024,
        height=32,
    ),
    Known(
        "ctc_mobilenetv1_svtr",
        "PP-OCRv3 mobile",
        "recognition",
        {
            **_SVTR,
            "Backbone.name": "MobileNetV1Enhance",
            "Backbone.scale": 0.5,
            "Backbone.last_conv_stride": [1, 2],
            "Backbone.last_pool_type": "avg",
            "Neck.dims": 64,
            "Neck.kernel_size": [3, 3],
        },
        batch=1024,
    ),
    Known(
        "ctc_pplcnetv3_mobile",
        "PP-OCRv4 and v5 mobile",
        "recognition",
        {**_SVTR, "Backbone.name": "PPLCNetV3", "Backbone.scale": 0.95},
        batch=1024,
        published="ppocrv4-mobile-rec",
        dictionary=_V1_KEYS,
    ),
    Known("ctc_pphgnet_server", "PP-OCRv4 server", "recognition", {**_SVTR, "Backbone.name": "PPHGNet_small"}, 680),
    Known(
        "ctc_pphgnetv2_server",
        "PP-OCRv5 server",
        "recognition",
        {**_SVTR, "Backbone.name": "PPHGNetV2_B4", "Backbone.text_rec": True},
        680,
    ),
    Known(
        "ctc_svtr_large",
        "PP-OCRv4 SVTR-large",
        "recognition",
        {
            **_SVTR,
            "Backbone.name": "SVTRNet",
            "Backbone.img_size": [48, 320],
            "Backbone.out_char_num": 40,
            "Backbone.out_channels": 512,
            "Backbone.patch_merging": "Conv",
            "Backbone.embed_dim": [192, 256, 512],
            "Backbone.depth": [6, 6, 9],
            "Backbone.num_heads": [6, 8, 16],
            "Backbone.mixer": ["Conv"] * 9 + ["Global"] * 12,
            "Backbone.local_mixer": [[5, 5], [5, 5], [5, 5]],
            "Backbone.last_stage": False,
            "Backbone.prenorm": True,
            "Neck.dims": 256,
            "Neck.hidden_dims": 256,
            "Head.use_pool": True,
            "Head.use_pos": True,
        },
        512,
    ),
    Known(
        "ctc_pplcnetv4_tiny",
        "PP-OCRv6 tiny",
        "recognition",
        {
            **_CTC,
            "Backbone.name": "PPLCNetV4",
            "Backbone.model_size": "tiny",
            "Neck.name": "reshape",
            "Head.mid_channels": 80,
        },
        680,
    ),
    Known(
        "ctc_pplcnetv4_small",
        "PP-OCRv6 small",
        "recognition",
        {
            **_CTC,
            "Backbone.name": "PPLCNetV4",
            "Backbone.model_size": "small",
            "Neck.name": "lightsvtr",
            "Neck.dims": 120,
            "Neck.depth": 2,
            "Neck.mlp_ratio": 2.0,
        },
        680,
        published="ppocrv6-small-rec",
        dictionary=_V6_KEYS,
    ),
    Known(
        "ctc_pplcnetv4_medium",
        "PP-OCRv6 medium",
        "recognition",
        {
            **_CTC,
            "Backbone.name": "PPLCNetV4",
            "Backbone.model_size": "medium",
            "Neck.name": "lightsvtr",
            "Neck.dims": 192,
            "Neck.depth": 2,
            "Neck.mlp_ratio": 4.0,
        },
        680,
    ),
    Known(
        "cls_mobilenetv3_x0_35",
        "PP-OCR v2.0 direction classifier",
        "orientation",
        {
            "Backbone.name": "MobileNetV3",
            "Backbone.scale": 0.35,
            "Backbone.model_name": "small",
            "Backbone.disable_se": False,
            "Head.name": "ClsHead",
            "Head.class_dim": 2,
        },
        published="ppocr-mobile-ori",
    ),
)
_STRUCTURE = {*_DEFAULTS, *(part for known in KNOWN for part in known.parts)}
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
    "Neck.encoder": "the neck says it",
    "Neck.use_guide": "the CTC branch trains the whole network here: there is no guiding branch to leave the backbone to",
    "Head.use_guide": "the CTC branch trains the whole network here: there is no guiding branch to leave the backbone to",
    "Head.fix_nan": "steps with an infinite loss stop the run with advice",
    "Head.aux_in_channels": "the network's size says it",
    "Head.fc_decay": "optimizer.weight_decay holds for the last layer as well",
    "Head.return_feats": "the recogniser's features are used by no loss here",
    "Head.kind": "training has one head here: CTC",
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
            "the official files of PP-OCR v2 to v6 are known; change the section to one of them, or train it elsewhere",
        )
    for part in parts:
        if part.name in best.parts or (part.name in _DEFAULTS and part.name not in _SILENT):
            note = "ResNet means the vd variant, as before PaddleOCR 2.5" if _old_resnet(ledger, part, task) else ""
            ledger.note(part.key, "model.arch", best.arch, note)
        elif part.name in _SILENT:
            ledger.skip(part.key, _SILENT[part.name])
    ledger.put("model.arch", best.arch)
    for key in ("Transform", "Neck", "algorithm", "model_type", "return_all_feats", "freeze_params"):
        ledger.skip_leaf(f"{root}.{key}", "the network says it")
    for key in ("algorithm", "name"):
        ledger.skip_leaf(f"Architecture.{key}", "the network says it")
    for key in ledger.open_below(f"{root}.Head.head_list"):
        if ".CTCHead" not in key:
            ledger.refuse(key, GUIDE)
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
        wanted = known.parts.get(part, _DEFAULTS.get(part))
        value = given.get(part)
        value = _DEFAULTS.get(part) if value is None else value
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
