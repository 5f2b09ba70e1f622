"""What can be said before a training: about labels, their scale, the base, the learning rate, and what is frozen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ocrtune.charset import TextPlan
from ocrtune.config.schema import TargetSpec
from ocrtune.detection.warmstart import BaseFit
from ocrtune.page import Page
from ocrtune.recognition.task import LineCheck
from ocrtune.training.diagnose.diagnosis import Diagnosis, Remedy
from ocrtune.training.freeze import NEVER, Part

HIGH_RATE, LOW_RATE = 10.0, 0.05
"""Times the automatic learning rate, beyond which a rate is told; SGD may take ten times more."""
_MANY_IGNORED = 0.5
_RATIO_APART = 0.1
_RATIO_MOVES = 0.05
_FROZEN_BUG = 0.8096
"""The constant ratio of PaddleOCR from April 2023 to August 2024: 0.4 + 0.2 * 1024 / 500, the data's seed as the epoch."""
_SMALL_TEXT = 8.0  # pixels of height at the training size
_SMALL_LINE = 12.0  # pixels of height in the image
_MANY_SMALL = 0.25
_LARGE_TEXT = 0.5  # of the view's side
_OTHER_CHARACTERS = 0.5
_FAR = 0.5


def labels(pages: Sequence[Page], data: str) -> Iterator[Diagnosis]:
    """How many of the labels count."""
    texts = sum(len(page.regions) for page in pages)
    ignored = sum(region.ignore for page in pages for region in page.regions)
    if ignored > _MANY_IGNORED * texts:
        yield Diagnosis(
            "labels-ignored",
            "before",
            "warning",
            f"{ignored / texts:.0%} of the labels are marked as ignored (### or *): only {texts - ignored} texts on "
            f"{len(pages)} pages are learnt",
            {"texts": texts, "ignored": ignored, "pages": len(pages)},
            (Remedy(f"ocrtune data check {data}", "shows where; write what the texts say instead of ###"),),
        )


def rate(lr: float, automatic: float, batch: int, optimizer: str) -> Iterator[Diagnosis]:
    """The learning rate against that for the effective batch."""
    times = lr / automatic
    evidence = {"lr": lr, "automatic_lr": automatic, "times": times, "effective_batch": batch}
    remedy = Remedy("optimizer.lr=auto", f"takes {automatic:.2g}, from the effective batch of {batch}")
    if times >= HIGH_RATE * (10 if optimizer == "SGD" else 1):
        yield Diagnosis(
            "lr-high",
            "before",
            "warning",
            f"the learning rate of {lr:g} is {times:.3g} times what suits batches of {batch} ({automatic:.2g}): the base's "
            "weights will probably be destroyed in the first steps",
            evidence,
            (remedy,),
        )
    elif times <= LOW_RATE:
        yield Diagnosis(
            "lr-low",
            "before",
            "warning",
            f"the learning rate of {lr:g} is a {1 / times:.3g}th of what suits batches of {batch} ({automatic:.2g}): the "
            "weights will hardly move",
            evidence,
            (remedy,),
        )


def frozen(parts: Sequence[Part], steps: int) -> Iterator[Diagnosis]:
    """What a run of so many steps leaves untouched."""
    total = sum(part.parameters for part in parts)
    late = [part for part in parts if steps <= part.start < NEVER]
    trained = sum(part.parameters for part in parts if part.start < steps)
    if late:
        names = ", ".join(sorted({part.name for part in late}))
        yield Diagnosis(
            "stage-never-comes",
            "before",
            "warning",
            f"{names} would train from step {min(part.start for part in late) + 1:.0f}, but the run ends after {steps}: "
            f"only {trained / total:.0%} of the parameters ever train",
            {"steps": steps, "parameters": total, "trained": trained},
            (Remedy("freeze.backbone_epochs=1", "or a longer run: schedule.epochs"),),
        )
    elif trained < 0.02 * total:
        yield Diagnosis(
            "little-trains",
            "before",
            "warning",
            f"only {trained:,} of {total:,} parameters ({trained / total:.2%}) train",
            {"parameters": total, "trained": trained},
            (Remedy("freeze.layers={}", "lets everything train; at the start of the log is a table of what trains"),),
        )


def ratio(fit: BaseFit, spec: TargetSpec, epochs: float) -> Iterator[Diagnosis]:
    """The shrink ratio of the targets against that of the base's own maps."""
    first, last = spec.ratio(0), spec.ratio(int(epochs))
    own = fit.shrink_ratio
    evidence = {"shrink_ratio": first, "base_ratio": own, "last_ratio": last, "dice_of_base": fit.dice_by_ratio[own]}
    keep = Remedy("targets.shrink_ratio=auto", f"goes on with the base's own {own}")
    if abs(first - own) > _RATIO_APART:
        kernels, boxes = ("grow", "large") if first > own else ("shrink", "small")
        frozen_bug = (
            "; 0.81 is what PaddleOCR of 2023 and 2024 trained with by mistake"
            if abs(first - _FROZEN_BUG) < 0.01
            else ""
        )
        yield Diagnosis(
            "ratio-apart",
            "before",
            "warning",
            f"the targets have a shrink ratio of {first:g}, the base's own maps fit {own} best: every kernel has to "
            f"{kernels}, boxes come out too {boxes} at the base's unclip ratio, and the usual end is a result below the "
            f"base{frozen_bug}",
            evidence,
            (keep,),
        )
    if last - first > _RATIO_MOVES:
        yield Diagnosis(
            "ratio-moves",
            "before",
            "warning",
            f"targets.total_epoch = {spec.total_epoch} lets the shrink ratio grow from {first:.2f} to {last:.2f} in these "
            f"{epochs:.0f} epochs, while the base fits {own}: the target moves all the time, and thresholds with it",
            evidence,
            (Remedy("targets.total_epoch=null", "keeps the ratio"), keep),
        )


def page_scale(heights: Sequence[float], page_size: int, view_size: int) -> Iterator[Diagnosis]:
    """Text heights in pixels at the training size."""
    if not len(heights):
        return
    values = np.asarray(heights)
    median, small = float(np.median(values)), float((values < _SMALL_TEXT).mean())
    large = float((values > _LARGE_TEXT * view_size).mean())
    evidence = {"median_height": median, "share_small": small, "share_large": large, "page_size": page_size}
    if small > _MANY_SMALL:
        wanted = 32 * round(page_size * min(2.0, 1.25 * _SMALL_TEXT / max(float(np.quantile(values, 0.25)), 1.0)) / 32)
        yield Diagnosis(
            "texts-small",
            "before",
            "warning",
            f"{small:.0%} of the texts are lower than {_SMALL_TEXT:g} pixels where pages are read with a longer side of "
            f"{page_size}: their kernels are a pixel high or vanish",
            evidence,
            (
                Remedy(
                    f"input.page_size={max(wanted, page_size + 320)}", "shows them larger; a step takes the same time"
                ),
            ),
        )
    if large > _MANY_SMALL:
        yield Diagnosis(
            "texts-large",
            "before",
            "warning",
            f"{large:.0%} of the texts are higher than half of the view of {view_size} pixels that is trained on: most "
            "views show a piece of one text",
            evidence,
            (Remedy(f"input.page_size={max(320, page_size // 2)}", "shows pages smaller"),),
        )


def line_scale(heights: Sequence[float]) -> Iterator[Diagnosis]:
    """Line heights in pixels of the image."""
    small = float((np.asarray(heights) < _SMALL_LINE).mean()) if len(heights) else 0.0
    if small > _MANY_SMALL:
        yield Diagnosis(
            "texts-small",
            "before",
            "warning",
            f"{small:.0%} of the lines are lower than {_SMALL_LINE:g} pixels in their images: what is not there is not read",
            {"share_small": small, "median_height": float(np.median(heights)), "lines": len(heights)},
            (Remedy("augment.small=0.4", "trains on coarse lines; better: scan or photograph at a higher resolution"),),
        )


def characters(plan: TextPlan, texts: Sequence[str], left_out: LineCheck, data: str) -> Iterator[Diagnosis]:
    """Whether the base's characters are those of the labels, and the labels fit into CTC's columns."""
    count = sum(map(len, texts))
    unknown = plan.unknown.total()
    if unknown:
        share = unknown / max(count, 1)
        shown = " ".join(f"{c}:{n}" for c, n in plan.unknown.most_common(12))
        done = {
            "extend": "they become new classes that start without any knowledge",
            "map": "they are replaced by their nearest relatives",
            "drop": "they are left out of the labels, so that the model learns to skip them",
        }[plan.policy]
        wrong = share > _OTHER_CHARACTERS
        what = (
            "this is the character set of another script or another dictionary"
            if wrong
            else f"the characters that the base knows lack {len(plan.unknown)} of the labels'"
        )
        yield Diagnosis(
            "charset-wrong" if wrong else "charset-gap",
            "before",
            "warning",
            f"{what}: {share:.1%} of the labels' characters are unknown to it, {done} ({shown})",
            {"unknown_characters": len(plan.unknown), "unknown_share": share, "characters": count},
            (
                Remedy("ocrtune weights list", "shows recognisers of other scripts, for model.pretrained"),
                Remedy("text.dictionary=FILE", "for weights that were trained with another dictionary"),
            )
            if wrong
            else (Remedy("text.unknown=map", "teaches the nearest known characters instead, where they are few"),),
        )
    if left_out.infeasible:
        lines = len(left_out.lines) + len(left_out.infeasible)
        yield Diagnosis(
            "ctc-infeasible",
            "before",
            "warning",
            f"{len(left_out.infeasible)} of {lines} lines hold more characters than their width has columns: left out",
            {"infeasible": len(left_out.infeasible), "lines": lines},
            (
                Remedy(
                    f"ocrtune data check {data}", "names them all: texts of other lines, or boxes that are too narrow"
                ),
            ),
            tuple(left_out.infeasible[:5]),
        )


def dictionary_order(figures: Mapping[str, float], signs: Mapping[str, float], data: str) -> Iterator[Diagnosis]:
    """Whether a base reads with confidence, and nearly everything wrong: its classes are other characters.

    Args:
        figures: of the base on the validation lines, with ``1-ned``.
        signs: with ``confidence`` and ``empty``.
        data: the training data, as the user named them.
    """
    right, sure = figures["1-ned"], signs["confidence"]
    if right < 0.2 and sure > 0.6 and signs["empty"] < 0.5:
        yield Diagnosis(
            "charset-order",
            "before",
            "warning",
            f"the base is {sure:.0%} sure of what it reads, and {right:.0%} of it agrees with the labels: its classes are "
            "probably not the characters of this dictionary, or the labels belong to other images",
            {"one_minus_ned": right, "confidence": sure},
            (
                Remedy("text.dictionary=FILE", "the dictionary that the weights were trained with, in its order"),
                Remedy(f"ocrtune data show {data} --draw drawn", "draws the labels on their images"),
            ),
        )


def base_far(monitor: str, figure: float, data: str, base: str) -> Iterator[Diagnosis]:
    """Whether the base is far from the labels: fine-tuning then has to unlearn first."""
    if figure < _FAR:
        yield Diagnosis(
            "base-far",
            "before",
            "info",
            f"the base has {monitor} {figure:.3f} on the validation data: either they are far from what it has seen, or the "
            "labels are cut otherwise (words where it finds lines) or wrong",
            {monitor: figure},
            (Remedy(f"ocrtune data check {data} --base {base}", "says which, and ranks the labels it contradicts"),),
        )
