"""What can be said while a training runs, from its figures alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from statistics import median, stdev

from ocrtune.detection.search import QUICK_GRID
from ocrtune.training.diagnose.before import HIGH_RATE, LOW_RATE
from ocrtune.training.diagnose.course import Course, Setting
from ocrtune.training.diagnose.diagnosis import Diagnosis, Remedy

_FIRST = 5  # steps whose lowest loss is the start
_ROSE, _ROSE_EARLY = 1.5, 3.0  # times the start; losses of single batches differ much, so early on more is asked for
_EARLY, _LEAST = 20, 4  # steps
_JUMPED = 5.0
_FLAT = 0.03  # relative change of the loss from the first to the last fifth
_CHANCE = 1.5  # standard errors that such a change may have by chance
_FLAT_STEPS = 30
_SWING = 0.02  # of the monitored figure between two evaluations
_WORSE = 0.01
_DRIFT = 0.35  # of the unclip ratio


def during(course: Course, setting: Setting) -> list[Diagnosis]:
    """Everything that the course of a run shows so far."""
    return [found for rule in _RULES for found in rule(course, setting)]


def _rising(course: Course, setting: Setting) -> Iterator[Diagnosis]:
    losses = [loss for loss in course.losses if loss > 0]  # CTC gives 0 for what it cannot compute
    if len(losses) < _LEAST:
        return
    # the first loss is of the untouched weights, the later ones of what was made of them
    start, recent = min(losses[:_FIRST]), min(losses[-max(3, len(losses) // 4) :])
    peak = max(median(three) for three in zip(losses, losses[1:], losses[2:], strict=False))
    evidence = {"loss_at_start": start, "loss_now": recent, "loss_peak": peak, **_rate(setting)}
    if recent > (_ROSE if len(losses) >= _EARLY else _ROSE_EARLY) * start:
        yield Diagnosis(
            "loss-rose",
            "during",
            "warning",
            f"the loss has risen from {start:.3g} to {recent:.3g}: {_why_rising(setting)}",
            evidence,
            slower(setting),
        )
    elif peak > _JUMPED * start:
        yield Diagnosis(
            "loss-jumped",
            "during",
            "warning",
            f"the loss jumped from {start:.3g} to {peak:.3g} before it fell: what the base knew was thrown away first; "
            f"{_why_rising(setting)}",
            evidence,
            slower(setting),
        )


def _flat(course: Course, setting: Setting) -> Iterator[Diagnosis]:
    losses = course.losses
    if len(losses) < max(_FLAT_STEPS, setting.total_steps // 3):
        return
    fifth = len(losses) // 5
    first, last = median(losses[:fifth]), median(losses[-fifth:])
    chance = _CHANCE * math.hypot(
        *(1.25 * stdev(part) / math.sqrt(fifth) for part in (losses[:fifth], losses[-fifth:]))
    )
    best = max(course.figures, default=0.0)
    learnt = best > 0.5 if setting.base is None else best > setting.base
    if learnt or abs(first - last) > max(_FLAT * first, chance):
        return
    cause, remedy = _why_flat(course, setting)
    yield Diagnosis(
        "loss-flat",
        "during",
        "warning",
        f"the loss does not fall: {first:.3g} at first, {last:.3g} after {len(losses)} steps, and {setting.monitor} is no "
        f"better; probable cause: {cause}",
        {"loss_first": first, "loss_last": last, "steps": len(losses), "trained_share": setting.trained_share}
        | _rate(setting),
        (remedy,),
    )


def _why_flat(course: Course, setting: Setting) -> tuple[str, Remedy]:
    if course.text and max(course.text) == 0:
        return "no batch holds a text that counts", Remedy(
            f"ocrtune data check {setting.data}", "shows what is ignored, and why"
        )
    if setting.trained_share < 0.02:
        return (
            f"only {setting.trained_share:.2%} of the parameters train",
            Remedy("freeze.layers={} freeze.backbone_epochs=0", "lets everything train"),
        )
    if setting.lr_times < LOW_RATE * 2:
        return (
            f"the learning rate is {setting.lr_times:.2g} times what suits the batch",
            Remedy("optimizer.lr=auto", f"takes {setting.automatic_lr:.2g}"),
        )
    if course.signs.get("empty", 0.0) > 0.5:
        return "the network says blank to everything", Remedy(
            f"optimizer.lr={setting.lr / 3:.2g}", "and a longer warm-up"
        )
    if setting.lr_times > HIGH_RATE:
        return "the learning rate", Remedy("optimizer.lr=auto", f"takes {setting.automatic_lr:.2g}")
    return (
        "labels that contradict each other or their images, or a base that has nothing left to learn here",
        Remedy("--sanity", "on a new run: shows whether one batch can be learnt at all; if so, it is the labels"),
    )


def _oscillating(course: Course, setting: Setting) -> Iterator[Diagnosis]:
    figures = course.figures
    if len(figures) < 5:
        return
    changes = [b - a for a, b in itertools.pairwise(figures)]
    turns = sum(a * b < 0 for a, b in itertools.pairwise(changes)) / (len(changes) - 1)
    swing = sum(map(abs, changes)) / len(changes)
    if turns >= 0.6 and swing >= _SWING and abs(figures[-1] - figures[0]) < swing:
        yield Diagnosis(
            "figure-oscillates",
            "during",
            "warning",
            f"{setting.monitor} swings by {swing:.3f} from one evaluation to the next and gets nowhere: steps are too large "
            "for the batch, or the validation data too few",
            {"mean_swing": swing, "share_of_turns": turns, "evaluations": len(figures), **_rate(setting)},
            (
                Remedy(f"optimizer.lr={setting.lr / 3:.2g}", "a third of it"),
                Remedy("trainer.accumulate=4", "steps over four batches, in the same memory"),
                Remedy("trainer.ema=true", "evaluates an average of the weights"),
            ),
        )


def _overfitting(course: Course, setting: Setting) -> Iterator[Diagnosis]:
    figures = course.figures
    if len(figures) < 4:
        return
    best = max(range(len(figures)), key=lambda index: figures[index])
    step = course.evaluations[best][0]
    after, before = course.losses[step:], course.losses[max(0, step - max(1, course.steps - step)) : step]
    if len(figures) - best < 3 or not before or max(figures[-2:]) > figures[best] - _WORSE:
        return
    if median(after) < 0.9 * median(before):
        yield Diagnosis(
            "overfitting",
            "during",
            "warning",
            f"{setting.monitor} was best after {step} steps ({figures[best]:.4f}) and is {figures[-1]:.4f} now, while the "
            f"training loss fell from {median(before):.3g} to {median(after):.3g}: the training data are learnt by heart",
            {
                "best": figures[best],
                "best_step": step,
                "now": figures[-1],
                "loss_before": median(before),
                "loss_after": median(after),
            },
            (
                Remedy(f"schedule.steps={step}", "ends where it was best; the best state is kept in any case"),
                Remedy("augment.preset=document", "or another scenario: more variety from the same labels"),
                Remedy("ocrtune data synth --out more", "further pages; or label more"),
            ),
        )


def _blank(course: Course, setting: Setting) -> Iterator[Diagnosis]:
    empty, base = course.signs.get("empty", 0.0), setting.base_signs.get("empty")
    early = base is None and course.steps < 0.3 * setting.total_steps  # fresh weights say blank at first
    if empty < 0.5 or early or (base is not None and empty < base + 0.25):
        return
    was = "" if base is None else f", {base:.0%} by the base"
    yield Diagnosis(
        "blank-collapse",
        "during",
        "warning",
        f"{empty:.0%} of the validation lines are read as nothing{was}: the network has learnt that blank is the safest; "
        + (_why_rising(setting) if setting.lr_times > HIGH_RATE else "labels and images may not belong together"),
        {"empty_share": empty, **({} if base is None else {"empty_share_of_base": base}), **_rate(setting)},
        (
            *slower(setting),
            Remedy(f"ocrtune data show {setting.data} --draw drawn", "draws the labels on their images"),
        ),
    )


def _without_text(course: Course, setting: Setting) -> Iterator[Diagnosis]:
    if len(course.text) < 4:
        return
    share = sum(value == 0 for value in course.text) / len(course.text)
    if share > 0.3:
        yield Diagnosis(
            "batches-without-text",
            "during",
            "warning",
            f"{share:.0%} of the batches hold no text that counts (all ignored, too small, or outside of the views): "
            "nothing is learnt from them but background",
            {"share_of_batches": share, "batches": len(course.text)},
            (
                Remedy(f"ocrtune data check {setting.data}", "shows which texts are ignored or too small"),
                Remedy("data.batch_size=16", "makes it less probable"),
            ),
        )


def _drifting(course: Course, setting: Setting) -> Iterator[Diagnosis]:
    now, base = course.signs.get("unclip_ratio"), setting.base_signs.get("unclip_ratio")
    if now is None or base is None:
        return
    low, high = min(QUICK_GRID.unclip_ratio), max(QUICK_GRID.unclip_ratio)
    at_edge = now in (low, high) and now != base
    if abs(now - base) < _DRIFT and not at_edge:
        return
    size = "large" if now < base else "small"
    yield Diagnosis(
        "boxes-drift",
        "during",
        "warning",
        f"the maps have changed their size: right boxes take an unclip ratio of {now:g} now, {base:g} with the base; "
        f"with the base's they would be too {size}"
        + (", and even the end of the searched range may be too far from what is needed" if at_edge else ""),
        {"unclip_ratio": now, "base_unclip_ratio": base, "lowest_searched": low, "highest_searched": high},
        (
            Remedy("targets.shrink_ratio=auto targets.total_epoch=null", "draws targets as the base's maps are"),
            Remedy("ocrtune calibrate RUN HELD_OUT", "fits unclip ratio and thresholds anew; adapt does so by itself"),
        ),
    )


def _below_base(course: Course, setting: Setting) -> Iterator[Diagnosis]:
    if setting.base is None or not course.figures or course.steps < setting.total_steps / 2:
        return
    best = max(course.figures)
    if best < setting.base:
        yield Diagnosis(
            "below-base",
            "during",
            "warning",
            f"after {course.steps} of {setting.total_steps} steps the best {setting.monitor} is {best:.4f}, the base's "
            f"{setting.base:.4f}: the training has only cost so far",
            {"best": best, "base": setting.base, "steps": course.steps, **_rate(setting)},
            slower(setting),
        )


def _collapsed(course: Course, setting: Setting) -> Iterator[Diagnosis]:
    turned = course.signs.get("turned")
    if turned is not None and turned in (0.0, 1.0):
        yield Diagnosis(
            "direction-collapse",
            "during",
            "warning",
            f"the classifier calls every line {'turned' if turned else 'upright'}, whatever it is",
            {"called_turned": turned, **_rate(setting)},
            (
                Remedy(
                    f"ocrtune data show {setting.data} --draw drawn",
                    "do labels start at the text's own top left?",
                ),
                *slower(setting),
            ),
        )


def _rate(setting: Setting) -> dict[str, float]:
    return {"lr": setting.lr, "lr_times_automatic": setting.lr_times}


def _why_rising(setting: Setting) -> str:
    if setting.lr_times >= 3:
        return f"the learning rate is {setting.lr_times:.3g} times what suits the batch"
    return "the steps are too large for these weights, or the labels contradict what the base knows"


def slower(setting: Setting) -> tuple[Remedy, ...]:
    """What to do against steps that are too large."""
    if setting.lr_times >= 3:
        return (Remedy("optimizer.lr=auto", f"takes {setting.automatic_lr:.2g} instead of {setting.lr:g}"),)
    return (
        Remedy(f"optimizer.lr={setting.lr / 3:.2g}", "a third of the rate"),
        Remedy("freeze.backbone_epochs=1", "lets the head settle before the rest moves"),
    )


_RULES: tuple[Callable[[Course, Setting], Iterator[Diagnosis]], ...] = (
    _rising,
    _without_text,
    _blank,
    _collapsed,
    _flat,
    _oscillating,
    _overfitting,
    _drifting,
    _below_base,
)
