"""What only a detector's file has: views, targets, the loss of DB."""

from __future__ import annotations

from ocrtune.config.paddle.ledger import Ledger
from ocrtune.config.paddle.networks import ONLY_STUDENT
from ocrtune.config.paddle.silent import skip_fixed_transforms, transforms
from ocrtune.config.paddle.weights import backbone_only

_MAIN_LOSSES = {"DiceLoss": "dice", "DiceFocalLoss": "dice-focal", "BCELoss": "bce"}
_LARGEST_LIMIT = 1600  # a larger "at most" is meant to leave pages as they are
_LARGEST_ESTIMATE = 0.75  # of a base's shrink ratio; seals are trained with 0.8
_GEOMETRY = (
    ("Fliplr", "HorizontalFlip"),
    ("Affine",),
    ("Resize", "RandomScale"),
)


def import_detection(ledger: Ledger) -> None:
    """Set ``input``, ``augment``, ``targets`` and ``loss``."""
    train = transforms(ledger, "Train")
    _views(ledger, train)
    _geometry(ledger, train)
    _targets(ledger, train)
    _page_size(ledger, transforms(ledger, "Eval"))
    _loss(ledger)
    skip_fixed_transforms(ledger)
    ledger.propose(
        "loss.main, beta, gamma",
        "dice, 10, 1",
        "bce-dice, 0, 0",
        "theirs",
        "a released detector is so sure that dice gives its mistakes no gradient; see docs/studies/detection-recipe.md",
    )


def _views(ledger: Ledger, train: dict[str, str]) -> None:
    key = train.get("EastRandomCropData") or train.get("RandomCrop") or "Train.dataset.transforms"
    sides = ledger.pair(f"{key}.size", (640, 640))
    side = max(64, -(-int(max(sides)) // 32) * 32)
    ledger.map(f"{key}.size", "input.view_size", side, "square, a multiple of 32" if sides != (side, side) else "")
    for name in ("max_tries", "keep_ratio", "min_crop_side_ratio"):
        ledger.skip(f"{key}.{name}", "a view is a window on the scaled page, where it cuts the fewest texts")
    for name in ("EastRandomCropData", "RandomCrop"):
        ledger.skip_leaf(train.get(name, ""), "the default size, 640 x 640")
    if "CopyPaste" in train:
        key = train["CopyPaste"]
        ledger.put("augment.copy_paste", 1.0)
        ledger.put("augment.paste_rotate", 180.0)
        ledger.note(key, "augment.copy_paste, paste_rotate", [1.0, 180.0], "into the view, once it is chosen")
        for name, usual in (("objects_paste_ratio", 0.2), ("limit_paste", True)):
            if ledger.get(f"{key}.{name}", usual) == usual:
                ledger.skip(f"{key}.{name}", "the same here")
            else:
                ledger.refuse(f"{key}.{name}", f"{usual} here")
    if "RandomPerspective" in train:
        ledger.refuse(train["RandomPerspective"], "give augment.perspective; theirs is measured otherwise")


def _geometry(ledger: Ledger, train: dict[str, str]) -> None:
    flip, rotate, prob, scale = 0.0, 0.0, 0.0, (1.0, 1.0)
    if "IaaAugment" in train:
        root = f"{train['IaaAugment']}.augmenter_args"
        if root not in ledger:
            flip, rotate, prob, scale = 0.5, 10.0, 1.0, (0.5, 3.0)
            ledger.note(train["IaaAugment"], "augment.flip_prob, rotate, scale", [flip, rotate, list(scale)])
        for index in range(len(list(ledger.below(root)))):
            item = f"{root}[{index}]"
            kind = ledger.text(f"{item}.type")
            args = f"{item}.args"
            if kind in _GEOMETRY[0]:
                flip = ledger.number(f"{args}.p", 0.5)
                ledger.note(f"{args}.p", "augment.flip_prob", flip)
            elif kind in _GEOMETRY[1]:
                low, high = ledger.pair(f"{args}.rotate", (-10, 10))
                rotate, prob = min(max(abs(low), abs(high)), 180.0), ledger.number(f"{args}.p", 1.0)
                ledger.note(f"{args}.rotate", "augment.rotate", rotate, "either way" if low != -high else "")
                ledger.note(f"{args}.p", "augment.rotate_prob", prob)
                ledger.skip(f"{args}.fit_output", "rotated pages keep their corners")
            elif kind in _GEOMETRY[2]:
                size = "size" if kind == "Resize" else "scale_limit"
                scale = ledger.pair(f"{args}.{size}", (0.5, 3.0))
                note = "of the page at input.page_size, drawn in its logarithm; PaddleOCR scales the file's own pixels"
                ledger.note(f"{args}.{size}", "augment.scale", list(scale), note)
            else:
                ledger.refuse(item, "there is no such change of a view")
                continue
            ledger.note(f"{item}.type", "augment.*", kind)
    for ours, value in (
        ("flip_prob", flip),
        ("rotate", rotate),
        ("rotate_prob", prob),
        ("scale", sorted(scale)),
        ("stretch", 1.0),
    ):
        ledger.put(f"augment.{ours}", value)
    colour = "ColorJitter" in train
    if colour:
        ledger.note(train["ColorJitter"], "augment.colour", True)
        for key in ledger.open_below(train["ColorJitter"]):
            ledger.note(key, "augment.colour", True, "at our strength")
    for ours, value in (("colour", colour), ("blur", False), ("noise", False), ("occlusion", False)):
        ledger.put(f"augment.{ours}", value)
    ledger.propose(
        "augment.colour, blur, noise, occlusion",
        "colour" if colour else "none",
        "all",
        "theirs",
        "some hundred pages are soon known by heart without them",
    )
    if flip:
        ledger.propose("augment.flip_prob", flip, 0.0, "theirs", "mirrored text is no text")


def _targets(ledger: Ledger, train: dict[str, str]) -> None:
    shrink = train.get("MakeShrinkMap", "Train.dataset.transforms")
    border = train.get("MakeBorderMap", "Train.dataset.transforms")
    ratio = ledger.number(f"{shrink}.shrink_ratio", 0.4)
    total = ledger.get(f"{shrink}.total_epoch")
    pretrained = ledger.config["model"]["pretrained"]
    whole = pretrained is not None and not backbone_only(pretrained) and ratio <= _LARGEST_ESTIMATE
    ours = "auto" if whole else ratio
    if whole:
        ledger.propose(
            "targets.shrink_ratio",
            ratio,
            "auto",
            "ours",
            "targets start where the base left off: its own ratio is estimated, another one unlearns what it knows",
        )
    if total is not None:
        ledger.propose(
            "targets.total_epoch",
            ledger.whole(f"{shrink}.total_epoch", 1),
            None,
            "ours",
            f"r would grow from {ratio:g} to {ratio + 0.2:.2g}; in PaddleOCR's releases since 2.9 it never does, "
            "and it fights a base of another ratio",
        )
    for key in (shrink, border):
        theirs = ledger.number(f"{key}.shrink_ratio", ratio)
        if theirs == ratio:
            ledger.note(f"{key}.shrink_ratio", "targets.shrink_ratio", ours)
        else:
            ledger.refuse(f"{key}.shrink_ratio", f"both maps have one ratio: {ratio:g} is taken")
        ledger.note(f"{key}.total_epoch", "targets.total_epoch", None, "see the proposals")
    ledger.put("targets.shrink_ratio", ours)
    ledger.put("targets.total_epoch", None)
    ledger.map(f"{shrink}.min_text_size", "targets.min_text_size", ledger.number(f"{shrink}.min_text_size", 8))
    for theirs_name, name, default in (("thresh_min", "threshold_min", 0.3), ("thresh_max", "threshold_max", 0.7)):
        ledger.map(f"{border}.{theirs_name}", f"targets.{name}", ledger.number(f"{border}.{theirs_name}", default))
    ledger.put("targets.gap_weight", 0.0)
    for name in ("MakeShrinkMap", "MakeBorderMap"):
        ledger.skip_leaf(train.get(name, ""), "with PaddleOCR's defaults")


def _page_size(ledger: Ledger, evaluation: dict[str, str]) -> None:
    key = evaluation.get("DetResizeForTest", "Eval.dataset.transforms.DetResizeForTest")
    ledger.refuse(f"{key}.image_shape", "pages keep their shape; input.page_size is their longer side")
    for name in ("keep_ratio", "max_side_limit"):
        ledger.skip(f"{key}.{name}", "pages keep their shape; input.page_size is their longer side")
    if ledger.get(f"{key}.resize_long") is not None:
        size = ledger.whole(f"{key}.resize_long", 960)
        ledger.map(f"{key}.resize_long", "input.page_size", size)
        return
    limit, kind = ledger.whole(f"{key}.limit_side_len", 736), ledger.text(f"{key}.limit_type", "min")
    names = [f"{key}.limit_side_len", f"{key}.limit_type"]
    if kind == "max" and limit <= _LARGEST_LIMIT:
        for name in names:
            ledger.map(name, "input.page_size", limit, "longer side; smaller pages are enlarged to it as well")
    elif kind in ("max", "min"):
        for name in [key, *names]:
            ledger.note(name, "input.page_size", "auto", "see the proposals")
        theirs = f"shorter side at least {limit}" if kind == "min" else f"longer side at most {limit}"
        ledger.propose(
            "input.page_size",
            f"{theirs} in evaluation, longer side at most 960 in deployment",
            "auto",
            "ours",
            "one size in training, evaluation and use: the two of PaddleOCR are why results differ after export",
        )
    else:
        ledger.refuse(f"{key}.limit_type", "min or max; input.page_size stays automatic")
    ledger.skip_leaf(key, "input.page_size decides")


def _loss(ledger: Ledger) -> None:
    root, name = "Loss", ledger.text("Loss.name", "DBLoss")
    if name == "CombinedLoss":
        root = _student_loss(ledger)
    elif name != "DBLoss":
        raise ledger.error("Loss.name", f"there is no {name} here", "DBLoss, or CombinedLoss with DistillationDBLoss")
    main = ledger.text(f"{root}.main_loss_type", "DiceLoss")
    if main not in _MAIN_LOSSES:
        raise ledger.error(f"{root}.main_loss_type", f"there is no {main} here", ", ".join(_MAIN_LOSSES))
    ledger.note("Loss.name", "loss.*", name)
    ledger.map(f"{root}.main_loss_type", "loss.main", _MAIN_LOSSES[main])
    ledger.map(f"{root}.alpha", "loss.alpha", ledger.number(f"{root}.alpha", 5))
    ledger.map(f"{root}.beta", "loss.beta", ledger.number(f"{root}.beta", 10))
    ledger.put("loss.gamma", 1.0)
    ledger.map(
        f"{root}.ohem_ratio", "loss.ohem_ratio", ledger.number(f"{root}.ohem_ratio", 3), "without effect on dice"
    )
    if ledger.flag(f"{root}.balance_loss", True):
        ledger.skip(f"{root}.balance_loss", "losses are balanced here as well")
    else:
        ledger.refuse(f"{root}.balance_loss", "losses are balanced here")
    for theirs, default in (("focal_alpha", 0.25), ("focal_gamma", 2.5)):
        ledger.map(f"{root}.{theirs}", f"loss.{theirs}", ledger.number(f"{root}.{theirs}", default))
    levels = {level: f"{root}.aux_weight_p{level}" for level in (4, 3, 2)}
    if any(key in ledger for key in levels.values()):
        weights = {level: ledger.number(key, 0.0) for level, key in levels.items()}
        for key in levels.values():
            ledger.map(key, "loss.auxiliary", weights)
    ledger.skip(f"{root}.eps", "1e-6, as in PaddleOCR")


def _student_loss(ledger: Ledger) -> str:
    """Key of the plain loss among those of a distillation; the others are refused."""
    found = "Loss.absent"
    for key in ledger.open_below("Loss.loss_config_list"):
        entry, _, rest = key.partition("].")
        kind = rest.partition(".")[0]
        if kind == "DistillationDBLoss":
            found = f"{entry}].{kind}"
        else:
            ledger.refuse(key, ONLY_STUDENT)
    for name in ("weight", "model_name_list", "name", "key"):
        ledger.skip(f"{found}.{name}", "only the student's loss is left")
    return found
