"""What only the files of recognisers and direction classifiers have: characters, changes of lines, losses."""

from __future__ import annotations

from ocrtune.config.paddle.known import Known
from ocrtune.config.paddle.ledger import Ledger
from ocrtune.config.paddle.networks import ONLY_STUDENT
from ocrtune.config.paddle.silent import skip_fixed_transforms, transforms
from ocrtune.config.paddle.weights import is_folded, is_registered

_AUG_PROB = 0.4  # of every change of RecAug and BaseDataAugmentation that is not set
_SHIFT = 0.04  # share of a line's height, for PaddleOCR's 1 to 8 pixels of cropping and shifting
_CHANGES = {
    "blur_prob": "blur",
    "noise_prob": "noise",
    "reverse_prob": "invert",
    "hsv_aug_prob": "colour",
    "crop_prob": "jitter",
    "jitter_prob": "jitter",
}
_CTC_LOSSES = ("CTCLoss", "DistillationCTCLoss")
_GUIDE_LOSSES = ("NRTRLoss", "SARLoss", "DistillationNRTRLoss", "DistillationSARLoss")
_RESIZES = ("RecResizeImg", "SVTRRecResizeImg", "ClsResizeImg")


def import_recognition(ledger: Ledger, known: Known, root: str) -> None:
    """Set ``model.guide``, ``text``, ``input`` and ``augment``."""
    train = transforms(ledger, "Train")
    _characters(ledger)
    _changes(ledger, train, "RecAug", tia=_AUG_PROB)
    join = 0.0
    if "RecConAug" in train:
        join = ledger.number(f"{train['RecConAug']}.prob", 0.5)
        ledger.note(f"{train['RecConAug']}.prob", "augment.join", join, "one line is set behind another, with a space")
        ledger.skip(train["RecConAug"], "one further line of any length that fits input.max_width")
    ledger.put("augment.join", join)
    _shapes(ledger, known)
    _guide(ledger, known, root)
    _losses(ledger)
    ignored = "Metric.ignore_space"
    if ledger.get(ignored) is not None:
        policy = "ignore-space" if ledger.flag(ignored, True) else "exact"
        ledger.map(ignored, "text.policy", policy)
    ledger.refuse("Metric.is_filter", "texts are compared with all their characters; see text.policy")
    skip_fixed_transforms(ledger)
    if known.width is None:
        ledger.propose(
            "input.max_width",
            "320 in training and evaluation, any in deployment",
            1600,
            "ours",
            "a line is seen at its own width everywhere: squeezed long lines are why results differ after export",
        )
    longest = ledger.whole("Global.max_text_length", 25)
    ledger.skip("Global.max_text_length", "a label may be as long as its line is wide: CTC feasibility is checked")
    ledger.propose(
        "data.train",
        f"labels of more than {longest - 2} characters are dropped where a guiding branch trains along ({longest} without)",
        "all labels that fit their width",
        "ours",
        "PaddleOCR drops them without a word",
    )


def import_orientation(ledger: Ledger, known: Known) -> None:
    """Set ``augment``."""
    train = transforms(ledger, "Train")
    _changes(ledger, train, "BaseDataAugmentation", tia=0.0)
    magnitude = 0
    if "RandAugment" in train:
        key = train["RandAugment"]
        magnitude = min(9, max(0, ledger.whole(f"{key}.magnitude", 5)))
        for name in (key, f"{key}.magnitude"):
            ledger.note(name, "augment.rand_augment", magnitude)
        for name, usual in (("prob", 0.5), ("num_layers", 2)):
            if ledger.number(f"{key}.{name}", usual) == usual:
                ledger.skip(f"{key}.{name}", "the same here")
            else:
                ledger.refuse(f"{key}.{name}", f"{usual:g} here")
    ledger.put("augment.rand_augment", magnitude)
    for ours, value in (("erase", "none"), ("mix", "none"), ("auto_augment", False)):
        ledger.put(f"augment.{ours}", value)
    ledger.propose("augment.erase", "none", "random_erasing", "theirs", "a hidden part of a line should not decide")
    labels = ledger.get("Global.label_list", ["0", "180"])
    if isinstance(labels, list) and [str(label) for label in labels] == ["0", "180"]:
        ledger.skip("Global.label_list", "the same here")
    else:
        ledger.refuse("Global.label_list", "directions are 0 and 180 here")
    _shapes(ledger, known)
    name = ledger.text("Loss.name", "ClsLoss")
    if name == "ClsLoss":
        ledger.skip("Loss.name", "cross-entropy, as here")
    else:
        ledger.refuse("Loss.name", "directions are learnt with cross-entropy")
    for key in ("character_dict_path", "max_text_length", "use_space_char"):
        ledger.skip(f"Global.{key}", "nothing is read")
    skip_fixed_transforms(ledger)


def _characters(ledger: Ledger) -> None:
    named, space = "Global.character_dict_path", "Global.use_space_char"
    value = ledger.get(named)
    if is_registered(ledger.config["model"]["pretrained"]):
        for key in (named, space):
            ledger.skip(key, "published weights say their characters; unknown ones are learnt (text.unknown)")
        return
    note = "of the weights' classes; characters that labels need beyond them are added (text.unknown: extend)"
    ledger.map(named, "text.dictionary", None if value is None else str(value), note)
    ledger.note(space, "text.dictionary", value, "the space is added behind where the weights have a class for it")


def _changes(ledger: Ledger, train: dict[str, str], name: str, tia: float) -> None:
    """Set ``augment`` from RecAug or BaseDataAugmentation, whose changes have a probability each."""
    key = train.get(name)
    if key is None:
        key = train.get("RecAug")
    usual = 0.0 if key is None else _AUG_PROB
    ours: dict[str, float] = {"tia": 0.0 if key is None else tia}
    if key is not None:
        usual = ledger.number(f"{key}.aug_prob", usual)
        if not ledger.flag(f"{key}.use_tia", True):
            ours["tia"] = 0.0
        elif tia:
            ours["tia"] = ledger.number(f"{key}.tia_prob", tia)
        ledger.note(f"{key}.use_tia", "augment.tia", ours["tia"])
        ledger.note(f"{key}.tia_prob", "augment.tia", ours["tia"])
        ledger.note(f"{key}.aug_prob", "augment.blur, noise, invert, colour, jitter", usual)
    for theirs, change in _CHANGES.items():
        prob = usual if key is None else ledger.number(f"{key}.{theirs}", usual)
        ours[change] = max(ours.get(change, 0.0), prob)
    colour, jitter = ours.pop("colour") > 0, _SHIFT if ours.pop("jitter") > 0 else 0.0
    for change, prob in ours.items():
        ledger.put(f"augment.{change}", prob)
    ledger.put("augment.colour", colour)
    ledger.put("augment.jitter", jitter)
    if key is not None:
        final = ledger.config["augment"]
        for theirs, change in _CHANGES.items():
            ledger.note(f"{key}.{theirs}", f"augment.{change}", final[change])
        changes = ("tia", "blur", "noise", "invert", "colour", "jitter")
        note = "crops and shifts of some pixels are shifts of the corners here"
        ledger.note(key, f"augment.{', '.join(changes)}", [final[change] for change in changes], note)
    for change, value in (("grow", [0.0, 0.0]), ("stretch", 1.0), ("rotate", 0.0), ("small", 0.0), ("jpeg", 0.0)):
        ledger.put(f"augment.{change}", value)
    ledger.propose(
        "augment.grow, stretch, rotate, small, jpeg",
        "none",
        "our defaults",
        "theirs",
        "labels are never as tight, and scans never as clean, as those that were trained on",
    )


def _shapes(ledger: Ledger, known: Known) -> None:
    """Say what becomes of the lines' size; set ``input`` where the network reads one width alone."""
    size = f"lines are {known.height} pixels high for this network, at their own width"
    if known.width is not None:
        size = f"lines are {known.width} x {known.height} pixels for this network, shorter ones padded, longer ones squeezed"
        for name in ("min_width", "max_width"):
            ledger.put(f"input.{name}", known.width)
    for section in ("Train", "Eval"):
        found = transforms(ledger, section)
        for name in _RESIZES:
            key = f"{found.get(name, section)}.image_shape"
            shape = ledger.get(key)
            if shape is None:
                continue
            fits = isinstance(shape, list) and len(shape) == 3 and shape[1] == known.height
            if fits and (known.width is None or shape[2] == known.width):
                ledger.skip(key, size)
            else:
                ledger.refuse(key, size)
            ledger.skip(found[name], size)


def _guide(ledger: Ledger, known: Known, root: str) -> None:
    """Set ``model.guide``: whether a second decoder trains beside CTC."""
    branch = f"{root}.Head.head_list"
    described = [key for key in ledger.open_below(branch) if ".CTCHead" not in key]
    folded = is_folded(ledger.config["model"]["pretrained"])
    guided = bool(described) and known.guide is not None and not folded
    ledger.put("model.guide", guided)
    for key in described:
        head, _, name = key.removeprefix(branch).partition("].")[2].partition(".")
        width = name in ("nrtr_dim", "enc_dim")
        if known.guide is None or head != known.guide[0] or (width and ledger.number(key, 0) != known.guide[1]):
            ledger.refuse(key, "a network has the guide of its official recipe, or none")
        elif name == "max_text_length":
            ledger.skip(key, "a label may be as long as its line is wide")
        else:
            ledger.note(key, "model.guide", guided)
    if described and known.guide is not None:
        why = (
            "published ONNX weights have no guide: a fresh one would keep CTC from training the backbone"
            if folded
            else "on some thousand lines the guide is slow and gains little: PaddleOCR's fine-tuning guide drops it as well"
        )
        ledger.propose("model.guide", True, False, "ours" if folded else "theirs", why)


def _losses(ledger: Ledger) -> None:
    name, guided = ledger.text("Loss.name", "CTCLoss"), ledger.config["model"]["guide"]
    ledger.skip("Loss.name", "CTC, and the guide's where model.guide asks for it")
    focal = ["Loss.use_focal_loss"] if name == "CTCLoss" else []
    for key in ledger.open_below("Loss.loss_config_list"):
        kind, _, rest = key.partition("].")[2].partition(".")
        if rest == "use_focal_loss":
            focal.append(key)
        elif kind in _CTC_LOSSES:
            ledger.skip(key, "CTC, as here")
        elif rest == "smoothing" and not ledger.flag(key, True):
            ledger.refuse(key, "the guide's answers are smoothed as in its official recipe")
        elif kind in _GUIDE_LOSSES:
            ledger.note(key, "model.guide", guided)
        else:
            ledger.refuse(key, ONLY_STUDENT if kind.startswith("Distil") else f"there is no {kind} here")
    for weight in ("weight_1", "weight_2"):
        if ledger.number(f"Loss.{weight}", 1.0) == 1:
            ledger.skip(f"Loss.{weight}", "both losses weigh the same here")
        else:
            ledger.refuse(f"Loss.{weight}", "both losses weigh the same here")
    for key in focal:
        if ledger.flag(key, False):
            ledger.refuse(key, "CTC without focal weights is trained")
        ledger.skip(key, "CTC without focal weights, as here")
