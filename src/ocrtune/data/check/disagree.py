"""Where labels and a base model disagree: cut differently throughout, or here and there, which makes a label suspicious."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import shapely
from rapidfuzz.distance import Levenshtein

from ocrtune.data.check.findings import Finding, Severity, called, shown
from ocrtune.page import Page, TextRegion

_SURE_BOX = 0.8
_SURE_TEXT = 0.95
_INSIDE = 0.6  # share of the smaller one from which it is part of the larger one
_APART = 0.1  # share below which two have nothing to do with each other
_LOOSE = (0.15, 0.4)  # IoU of a box that means this label and is not where it is
_OTHER_CUT = 0.3  # share of labels from which the labels as a whole are cut differently
_FINDS = 0.7  # share of labels that a base has to find for what it does not find to be suspicious


@dataclass(frozen=True)
class Seen:
    """What a base model said about a page.

    Attributes:
        boxes: what it found, with ``score``, and ``text`` and ``text_score`` where it reads.
        readings: text and confidence in the outline of each label; (None, 0) where it was not asked.
    """

    boxes: Sequence[TextRegion]
    readings: Sequence[tuple[str | None, float]]


@dataclass
class _Tally:
    labels: int = 0
    merged: int = 0
    split: int = 0
    touched: int = 0
    suspects: list[tuple[float, Finding]] = field(default_factory=list)
    unfound: list[tuple[float, Finding]] = field(default_factory=list)
    moved: list[tuple[float, Finding]] = field(default_factory=list)


def apart(labels: Sequence[TextRegion], boxes: Sequence[TextRegion]) -> npt.NDArray[np.bool_]:
    """Whether each box has nothing to do with any label, bool [boxes]."""
    shared, label_area, box_area = _shared(labels, boxes)
    smaller = np.minimum(label_area[:, None], box_area[None])
    return np.asarray(~(shared > _APART * smaller).any(axis=0))


def judge(pages: Iterable[tuple[Page, Seen]], base: str) -> list[Finding]:
    """Compare labels with what a base model said.

    Args:
        pages: labels, and what was said.
        base: the model's name.

    Returns:
        how the labels are cut, then the suspicious ones, the most suspicious of all first.
    """
    tally, boxes = _Tally(), False
    for page, seen in pages:
        boxes = boxes or bool(seen.boxes)
        _compare_boxes(page, seen, tally)
        _compare_texts(page, seen, tally)
    findings: list[Finding] = []
    other_cut = False
    if boxes and tally.labels:
        verdict = _granularity(tally, base)
        other_cut = verdict.severity == "warning"
        findings.append(verdict)
    suspects = list(tally.suspects)
    if boxes and not other_cut:
        suspects += tally.moved
        if tally.touched > _FINDS * tally.labels:
            suspects += tally.unfound
    return findings + [finding for _, finding in sorted(suspects, key=lambda entry: -entry[0])]


def _granularity(tally: _Tally, base: str) -> Finding:
    merged, split = tally.merged / tally.labels, tally.split / tally.labels
    found = (
        f"of {tally.labels} labels, {merged:.0%} share a box of {base} with others and {split:.0%} hold several boxes"
    )
    severity: Severity = "warning" if max(merged, split) >= _OTHER_CUT else "info"
    if severity == "info":
        verdict = "the labels are cut much as the base cuts"
    elif merged >= split:
        verdict = (
            "the labels are smaller (words?) than what the base finds (lines): fine-tuning has to unlearn that, so give it "
            "time and do not judge the base by its hmean here; or join the labels to lines"
        )
    else:
        verdict = (
            "the labels are larger (lines or paragraphs?) than what the base finds: fine-tuning has to unlearn that, so "
            "give it time and do not judge the base by its hmean here; or cut the labels where there are wide gaps"
        )
    return Finding("granularity", severity, f"{verdict}: {found}", base)


def _compare_boxes(page: Page, seen: Seen, tally: _Tally) -> None:
    counted = [i for i, region in enumerate(page.regions) if not region.ignore]
    tally.labels += len(counted)
    if not seen.boxes:
        return
    shared, label_area, box_area = _shared(page.regions, seen.boxes)
    in_box = shared / np.maximum(label_area, 1e-6)[:, None]
    in_label = shared / np.maximum(box_area, 1e-6)[None]
    parts = (in_box[counted] > _INSIDE).sum(axis=0)  # labels that each box takes in
    where = str(page.source or page.name)
    for i in counted:
        region = page.regions[i]
        own = np.flatnonzero(in_box[i] > _INSIDE)
        is_merged, pieces = bool((parts[own] > 1).any()), int((in_label[i] > _INSIDE).sum())
        tally.merged += is_merged
        tally.split += pieces > 1
        best = int(np.argmax(shared[i]))
        tally.touched += bool(in_box[i, best] > _APART)
        iou = shared[i, best] / max(label_area[i] + box_area[best] - shared[i, best], 1e-6)
        score = seen.boxes[best].score or 0.0
        name, place = called(region), region.source or where
        if not is_merged and pieces <= 1 and _LOOSE[0] < iou < _LOOSE[1] and score >= _SURE_BOX:
            there = _box(seen.boxes[best])
            message = f"{name} overlaps the text that the base finds here by only {iou:.0%} (its box: {there})"
            finding = Finding("suspicious-box", "warning", message, place, None, page.image, region.polygon)
            tally.moved.append((score * (1 - float(iou)), finding))
        text, confidence = seen.readings[i]
        if in_box[i, best] <= _APART and (text is None or not text or confidence < 0.5):
            message = f"{name} is labelled where the base finds nothing"
            finding = Finding("suspicious-extra", "warning", message, place, None, page.image, region.polygon)
            tally.unfound.append((0.5, finding))
    for j in np.flatnonzero(apart(page.regions, seen.boxes)).tolist():
        box = seen.boxes[j]
        read, sure = box.text, box.text_score
        if (box.score or 0.0) < _SURE_BOX:
            continue
        if read is not None and (len(read.strip()) < 2 or (sure or 0.0) < _SURE_TEXT):
            continue
        what = f" ('{shown(read)}')" if read else ""
        message = f"the base finds a text{what} where none is labelled: {_box(box)}"
        finding = Finding("suspicious-missing", "warning", message, where, None, page.image, box.polygon)
        tally.suspects.append(((box.score or 0.0) * (sure or 1.0) * 0.9, finding))


def _compare_texts(page: Page, seen: Seen, tally: _Tally) -> None:
    for region, (read, confidence) in zip(page.regions, seen.readings, strict=True):
        if read is None or confidence < _SURE_TEXT or region.text is None:
            continue
        label, said = _plain(region.text), _plain(read)
        distance = Levenshtein.normalized_distance(label, said)
        if label and distance > 0:
            message = f"{called(region)} is read as '{shown(read)}' by the base, which is {confidence:.0%} sure"
            place = region.source or str(page.source or page.name)
            finding = Finding("suspicious-text", "warning", message, place, None, page.image, region.polygon)
            tally.suspects.append((confidence * (0.5 + distance / 2), finding))


def _shared(
    labels: Sequence[TextRegion], boxes: Sequence[TextRegion]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Areas in square pixels: shared ones [labels, boxes], of the labels, of the boxes."""
    a = np.array([shapely.Polygon(region.polygon).buffer(0) for region in labels], dtype=object)
    b = np.array([shapely.Polygon(region.polygon).buffer(0) for region in boxes], dtype=object)
    shared = np.zeros((len(a), len(b)))
    first, second = shapely.STRtree(b).query(a)
    shared[first, second] = shapely.area(shapely.intersection(a[first], b[second]))
    return shared, shapely.area(a), shapely.area(b)


def _plain(text: str) -> str:
    """A text without what labellers and small models handle differently: case, width, spaces, punctuation."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(filter(str.isalnum, folded)) or "".join(folded.split())


def _box(region: TextRegion) -> str:
    (x0, y0), (x1, y1) = region.polygon.min(axis=0), region.polygon.max(axis=0)
    return f"x {x0:.0f}..{x1:.0f}, y {y0:.0f}..{y1:.0f}"
