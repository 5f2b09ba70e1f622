"""What can be said after a training: what limits the result, from the mistakes that are left and those on training data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np

from ocrtune.data.check.disagree import apart
from ocrtune.detection.evaluate import DetectionResult
from ocrtune.orientation.metric import OrientationResult
from ocrtune.page import Page
from ocrtune.recognition.metric import RecognitionResult
from ocrtune.runtime.preprocess import DetectionPreprocess
from ocrtune.training.diagnose.course import Course, Setting
from ocrtune.training.diagnose.diagnosis import Diagnosis, Remedy
from ocrtune.training.diagnose.during import slower

_LEAST_MISTAKES = 5  # fewer say nothing
_LEAST_SMALL = 10
_SHARE = 0.3  # of the mistakes, from which a cause is told
_SMALL_TEXT = 10.0  # pixels of height as a detector sees the page
_SMALL_LINE = 16  # pixels of height in the image
_SURE = 0.9
_SUSPECTS = 5
_SPOILT = 0.02  # below the base, from which the result is no longer worth an explanation of what limits it
_FALLING = 0.05  # of the loss, over the last quarter of a run
_LARGER = {
    "db_pplcnetv3_mobile": "ppocrv6-medium-det",
    "db_pplcnetv4_tiny": "ppocrv6-small-det",
    "db_pplcnetv4_small": "ppocrv6-medium-det",
    "ctc_pplcnetv3_mobile": "ppocrv6-medium-rec",
    "ctc_pplcnetv4_tiny": "ppocrv6-small-rec",
    "ctc_pplcnetv4_small": "ppocrv6-medium-rec",
}
"""A base with more capacity, by architecture."""


@dataclass(frozen=True)
class Remains:
    """What is still wrong on the validation data, counted by what may explain it.

    Attributes:
        texts: that are labelled.
        wrong: not found, or not read right.
        extra: found where none is labelled, as surely as what is right.
        small, small_wrong: texts that are small as the network sees them, and those of them that are wrong.
        contradicted: texts of which the model says something else, and is sure.
        suspects: the labels behind ``extra`` and ``contradicted``, the surest first.
    """

    texts: int
    wrong: int
    extra: int = 0
    small: int = 0
    small_wrong: int = 0
    contradicted: int = 0
    suspects: tuple[str, ...] = ()


def text_heights(page: Page, preprocess: DetectionPreprocess) -> list[float]:
    """Height in pixels of each region as a detector sees it.

    Raises:
        ImageError: the page's image is missing or damaged.
    """
    width, height = page.size()
    scale = preprocess.input_size(width, height)[0] / width
    return [scale * min(cv2.minAreaRect(region.polygon)[1]) for region in page.regions]


def detection_remains(pages: Sequence[Page], result: DetectionResult, preprocess: DetectionPreprocess) -> Remains:
    """Texts that were not found, and boxes without a label whose score is that of right ones."""
    texts = wrong = small = small_wrong = 0
    right, unlabelled = [], []
    for page, prediction, match in zip(pages, result.predictions, result.matches, strict=True):
        found, paired = {i for i, _ in match.pairs}, {j for _, j in match.pairs}
        for index, height in enumerate(text_heights(page, preprocess)):
            if page.regions[index].ignore:
                continue
            texts += 1
            wrong += index not in found
            small += height < _SMALL_TEXT
            small_wrong += height < _SMALL_TEXT and index not in found
        right += [prediction.regions[j].score or 0.0 for j in paired]
        alone = apart(page.regions, prediction.regions)
        for j in match.counted:
            if alone[j] and j not in paired:
                unlabelled.append((prediction.regions[j].score or 0.0, page.name, prediction.regions[j]))
    usual = median(right) if right else 1.0
    sure = sorted((entry for entry in unlabelled if entry[0] >= usual), key=lambda entry: -entry[0])
    places = [
        f"{name}: a text at x {region.polygon[:, 0].min():.0f}, y {region.polygon[:, 1].min():.0f} without a label "
        f"(score {score:.2f})"
        for score, name, region in sure
    ]
    return Remains(texts, wrong, len(sure), small, small_wrong, suspects=tuple(places[:_SUSPECTS]))


def recognition_remains(pages: Sequence[Page], result: RecognitionResult) -> Remains:
    """Lines that are read wrong, those of small images, and those of which the model is sure."""
    policy = result.score.policy
    wrong = [line for line in result.lines if not line.right(policy)]
    small = [line for line in result.lines if min(line.width, line.height) < _SMALL_LINE]
    sure = sorted((line for line in wrong if line.confidence >= _SURE), key=lambda line: -line.confidence)
    places = [
        f"{pages[line.page].regions[line.region].source or pages[line.page].name}: labelled '{line.label}', read "
        f"'{line.text}' ({line.confidence:.2f})"
        for line in sure
    ]
    return Remains(
        texts=len(result.lines),
        wrong=len(wrong),
        small=len(small),
        small_wrong=sum(not line.right(policy) for line in small),
        contradicted=len(sure),
        suspects=tuple(places[:_SUSPECTS]),
    )


def orientation_remains(result: OrientationResult) -> Remains:
    """Lines whose direction is told wrong, and those of which the model is sure."""
    wrong = (result.probabilities > result.threshold) != result.turned
    sure = np.abs(result.probabilities - 0.5) > _SURE - 0.5
    return Remains(texts=result.lines, wrong=int(wrong.sum()), contradicted=int((wrong & sure).sum()))


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        val, train: the monitored figure on validation data, and on a sample of the training data.
        remains: what is still wrong on the validation data.
        arch: the network.
        page_size: longer side at which pages are seen; None for tasks of lines.
        data: training data, as the user named them.
        run: the run folder.
        mixed: whether the weights are a mixture with the base's, so that how they were trained explains little.
    """

    val: float
    train: float
    remains: Remains
    arch: str
    page_size: int | None
    data: str
    run: str
    mixed: bool = False


def after(course: Course, setting: Setting, outcome: Outcome) -> list[Diagnosis]:
    """Whether the result is worth anything, and what limits it most, each with the next thing to try."""
    lost = 0.0 if setting.base is None else setting.base - outcome.val
    found = []
    if lost > 0:
        rate = (
            f"; the learning rate was {setting.lr_times:.3g} times the automatic one" if setting.lr_times >= 3 else ""
        )
        figures = (setting.base or 0.0, outcome.val)
        found = [below(setting.monitor, *figures, "the validation data", slower(setting), rate)]
    if lost > _SPOILT:
        return found  # nothing limits it: it was damaged
    limits = sorted(_limits(course, outcome), key=lambda pair: -pair[0])
    return found + [
        Diagnosis(
            limit.code,
            limit.when,
            limit.severity,
            ("what limits the result most: " if not place else "then: ") + limit.message,
            {"share_of_mistakes": share, **limit.evidence},
            limit.remedies,
            limit.suspects,
        )
        for place, (share, limit) in enumerate(limits)
    ]


def below(
    name: str, before: float, now: float, data: str, remedies: tuple[Remedy, ...] = (), cause: str = ""
) -> Diagnosis:
    """The result is not better than what it started from.

    Args:
        name: of the figure.
        before, now: of the base, and of the result.
        data: what they were measured on.
        remedies: what to do about it, beside leaving it.
        cause: what is known about why.
    """
    return Diagnosis(
        "below-base",
        "after",
        "error",
        f"the result is not better than the base: {name} {now:.4f} against {before:.4f} on {data}{cause}",
        {"result": now, "base": before, "lost": before - now},
        (*remedies, Remedy("keep the base", "with fitted settings ('ocrtune calibrate') it is the better model")),
    )


def _limits(course: Course, outcome: Outcome) -> Iterator[tuple[float, Diagnosis]]:
    """(share of the mistakes that it explains, diagnosis) of each cause that explains enough; shares overlap."""
    left = outcome.remains
    mistakes = left.wrong + left.extra
    if mistakes < _LEAST_MISTAKES:
        return
    doubted = (left.extra + left.contradicted) / mistakes
    if doubted >= _SHARE:
        yield doubted, _labels(outcome, mistakes)
    excess = _excess_of_small(left)
    if excess >= _SHARE * left.wrong:
        yield excess / mistakes, _resolution(outcome)
    error, train_error = 1 - outcome.val, max(0.0, 1 - outcome.train)
    if error <= 0:
        return
    gap = (error - train_error) / error
    if gap >= _SHARE:
        yield gap, _data(outcome)
    if 1 - gap >= _SHARE and not outcome.mixed:
        yield min(1.0, 1 - gap), _training(course, outcome)


def _excess_of_small(left: Remains) -> float:
    """Mistakes on small texts beyond what texts of other heights would have."""
    others = left.texts - left.small
    if left.small < _LEAST_SMALL or others < _LEAST_SMALL:
        return 0.0
    return left.small_wrong - left.small * (left.wrong - left.small_wrong) / others


def _labels(outcome: Outcome, mistakes: int) -> Diagnosis:
    left = outcome.remains
    return Diagnosis(
        "limit-labels",
        "after",
        "info",
        f"labels: in {left.extra + left.contradicted} of {mistakes} remaining mistakes the model is sure of something else "
        "than the label says, or of a text that nobody has labelled",
        {"mistakes": mistakes, "unlabelled": left.extra, "contradicted": left.contradicted},
        (
            Remedy(
                f"ocrtune data check {outcome.data} --base {outcome.run}", "ranks the labels that the model contradicts"
            ),
        ),
        left.suspects,
    )


def _resolution(outcome: Outcome) -> Diagnosis:
    left = outcome.remains
    others = left.texts - left.small
    if outcome.page_size is None:
        height = f"{_SMALL_LINE} pixels in their image"
        remedy = Remedy("scan or photograph at a higher resolution", "what is not in the image cannot be read")
    else:
        height = f"{_SMALL_TEXT:g} pixels as the network sees them"
        larger = f"input.page_size={32 * round(1.25 * outcome.page_size / 32)}"
        remedy = Remedy(larger, "shows pages a quarter larger, in training and in use")
    return Diagnosis(
        "limit-resolution",
        "after",
        "info",
        f"resolution: of the {left.small} texts lower than {height} {left.small_wrong / left.small:.0%} wrong, of others "
        f"{(left.wrong - left.small_wrong) / others:.0%}",
        {
            "small": left.small,
            "small_wrong": left.small_wrong,
            "others": others,
            "others_wrong": left.wrong - left.small_wrong,
        },
        (remedy,),
    )


def _data(outcome: Outcome) -> Diagnosis:
    return Diagnosis(
        "limit-data",
        "after",
        "info",
        f"the amount of data: {outcome.train:.4f} on training data against {outcome.val:.4f} on validation data",
        {"train": outcome.train, "val": outcome.val, "gap": outcome.train - outcome.val},
        (
            Remedy(
                f"ocrtune data preannotate {outcome.run} IMAGES --out more.json",
                "label more: a model labels, you correct",
            ),
            Remedy("augment.preset=document", "or another scenario: more variety from the same labels"),
        ),
    )


def _training(course: Course, outcome: Outcome) -> Diagnosis:
    quarter = max(1, course.steps // 4)
    last, before = median(course.losses[-quarter:]), median(course.losses[-2 * quarter : -quarter] or course.losses)
    evidence = {"train": outcome.train, "val": outcome.val, "loss_third_quarter": before, "loss_last_quarter": last}
    if last < (1 - _FALLING) * before:
        return Diagnosis(
            "limit-steps",
            "after",
            "info",
            f"the length of the training: {outcome.train:.4f} on its own data, and the loss was still falling at the end "
            f"({before:.3g} to {last:.3g} over the last half)",
            evidence,
            (Remedy(f"schedule.steps={2 * course.steps}", "twice as long; adapt: twice the --budget"),),
        )
    larger = _LARGER.get(outcome.arch)
    remedies = (Remedy(f"model.pretrained={larger}", "a larger network"),) if larger else ()
    return Diagnosis(
        "limit-capacity",
        "after",
        "info",
        f"the capacity of the network: only {outcome.train:.4f} on the very data it was trained on, and the loss had "
        f"stopped falling at {last:.3g}",
        evidence,
        (*remedies, Remedy("augment.preset=none", "easier training data, where augmentation is strong")),
    )
