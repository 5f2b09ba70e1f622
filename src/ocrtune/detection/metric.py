"""Detection metrics: precision, recall and hmean as PaddleOCR's DetMetric counts them, mAP@0.5, bootstrap intervals.

Source: the ICDAR 2015 evaluation protocol (IoU > 0.5, detections mostly inside ignored regions do not count).
NumPy and shapely only, so that `eval` needs no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely

from ocrtune.page import Page, Polygon, TextRegion

IOU_THRESHOLD = 0.5
_Ints: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True)
class PageMatch:
    """How one page's predictions met its labels.

    Attributes:
        labels: labelled regions that count.
        predictions: predicted regions that count.
        pairs: matched (label index, prediction index), indices into the page's own lists.
        scored: for mAP: (score, is true positive) of each prediction that counts, matched in order of score.
        counted: indices of the predictions that count.
    """

    labels: int
    predictions: int
    pairs: tuple[tuple[int, int], ...]
    scored: tuple[tuple[float, bool], ...] = ()
    counted: tuple[int, ...] = ()

    @property
    def matched(self) -> int:
        return len(self.pairs)


@dataclass(frozen=True)
class DetectionScore:
    """The figures of a set of pages; all between 0 and 1."""

    pages: int
    precision: float
    recall: float
    hmean: float
    hmean_ci95: tuple[float, float]
    map50: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "pages": self.pages,
            "precision": round(self.precision, 6),
            "recall": round(self.recall, 6),
            "hmean": round(self.hmean, 6),
            "hmean_ci95": [round(bound, 6) for bound in self.hmean_ci95],
            "map50": round(self.map50, 6),
        }


@dataclass
class Overlaps:
    """The overlapping (label, prediction) pairs of one page, in label order, then prediction order.

    Attributes:
        ignored: bool [labels], labels that do not count.
        valid_labels, valid_predictions: bool, False for self-crossing outlines, which do not count at all.
        label, prediction: int [P], the pair's indices.
        iou: float [P].
        inside: float [P], share of the prediction's area that lies in the label.
    """

    ignored: npt.NDArray[np.bool_]
    valid_labels: npt.NDArray[np.bool_]
    valid_predictions: npt.NDArray[np.bool_]
    label: _Ints
    prediction: _Ints
    iou: npt.NDArray[np.float64]
    inside: npt.NDArray[np.float64]

    def match(self, keep: npt.NDArray[np.bool_] | None = None) -> tuple[int, int, list[tuple[int, int]]]:
        """Greedy matching: each label in order takes the first free prediction with IoU > 0.5.

        Args:
            keep: bool [predictions], which predictions take part; None for all.

        Returns:
            labels that count, predictions that count, matched (label, prediction) pairs.
        """
        counts = self.counting_predictions(keep)
        care = self.valid_labels & ~self.ignored
        candidate = (self.iou > IOU_THRESHOLD) & care[self.label] & counts[self.prediction]
        pairs: list[tuple[int, int]] = []
        used_labels: set[int] = set()
        used_predictions: set[int] = set()
        for i, j in zip(self.label[candidate].tolist(), self.prediction[candidate].tolist(), strict=True):
            if i not in used_labels and j not in used_predictions:
                used_labels.add(i)
                used_predictions.add(j)
                pairs.append((i, j))
        return int(care.sum()), int(counts.sum()), pairs

    def counting_predictions(self, keep: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.bool_]:
        """bool [predictions]: valid, kept, and not mostly inside an ignored label."""
        counts = self.valid_predictions.copy() if keep is None else self.valid_predictions & keep
        counts[self.prediction[self.ignored[self.label] & (self.inside > IOU_THRESHOLD)]] = False
        return counts


def overlaps(labels: Sequence[TextRegion], predictions: Sequence[TextRegion]) -> Overlaps:
    """Intersect every label with every prediction whose bounding boxes touch."""
    label_shapes = _shapes([region.polygon for region in labels])
    shapes = _shapes([region.polygon for region in predictions])
    valid_labels, valid_predictions = shapely.is_valid(label_shapes), shapely.is_valid(shapes)
    label, prediction = _touching(label_shapes, shapes)
    usable = valid_labels[label] & valid_predictions[prediction]
    label, prediction = label[usable], prediction[usable]
    shared = shapely.area(shapely.intersection(label_shapes[label], shapes[prediction]))
    area_label, area = shapely.area(label_shapes)[label], shapely.area(shapes)[prediction]
    # the union is measured, not derived, as the reference does: derived values differ in the last bits at IoU = 0.5
    union = shapely.area(shapely.union(label_shapes[label], shapes[prediction])) if len(label) else area_label
    with np.errstate(divide="ignore", invalid="ignore"):
        iou = np.where(union > 0, shared / union, 0.0)
        inside = np.where(area > 0, shared / area, 0.0)
    ignored = np.array([region.ignore for region in labels], dtype=bool)
    return Overlaps(ignored, valid_labels, valid_predictions, label, prediction, iou, inside)


def match_page(labels: Page, predictions: Page) -> PageMatch:
    """Match one page's predictions with its labels."""
    found = overlaps(labels.regions, predictions.regions)
    care, counted, pairs = found.match()
    counts = found.counting_predictions()
    scores = np.array([r.score if r.score is not None else 1.0 for r in predictions.regions], dtype=np.float64)
    indices = tuple(np.flatnonzero(counts).tolist())
    return PageMatch(care, counted, tuple(pairs), _true_positives(found, counts, scores), indices)


def score(matches: Sequence[PageMatch], seed: int = 0) -> DetectionScore:
    """Figures over all pages; counts are summed over the pages before dividing."""
    counts = np.array([(m.matched, m.predictions, m.labels) for m in matches], dtype=np.float64).reshape(-1, 3)
    precision, recall, hmean = precision_recall_hmean(*counts.sum(axis=0))
    return DetectionScore(
        pages=len(matches),
        precision=precision,
        recall=recall,
        hmean=hmean,
        hmean_ci95=bootstrap_hmean(counts, seed),
        map50=average_precision(matches),
    )


def precision_recall_hmean(matched: float, predictions: float, labels: float) -> tuple[float, float, float]:
    """Official definitions; each is 0 where its denominator is 0."""
    precision = matched / predictions if predictions else 0.0
    recall = matched / labels if labels else 0.0
    hmean = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return float(precision), float(recall), float(hmean)


def bootstrap_hmean(counts: npt.NDArray[np.float64], seed: int = 0, rounds: int = 2000) -> tuple[float, float]:
    """95 % percentile interval of hmean under resampling of pages.

    Args:
        counts: float64 [pages, 3], matched, predictions and labels of each page.
        seed: of the resampling.
        rounds: number of resamples.
    """
    if not len(counts):
        return 0.0, 0.0
    low, high = np.percentile(_resampled_hmeans(counts, seed, rounds), (2.5, 97.5))
    return float(low), float(high)


def hmean_difference_error(
    counts: npt.NDArray[np.float64], other: npt.NDArray[np.float64], seed: int = 0, rounds: int = 2000
) -> float:
    """Standard error of the difference of two hmeans on the same pages, which are resampled together.

    Args:
        counts, other: float64 [pages, 3], matched, predictions and labels of each page in two ways of finding.
        seed: of the resampling.
        rounds: number of resamples.
    """
    return float(np.std(_resampled_hmeans(counts, seed, rounds) - _resampled_hmeans(other, seed, rounds)))


def _resampled_hmeans(counts: npt.NDArray[np.float64], seed: int, rounds: int) -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    totals = counts[rng.integers(0, len(counts), (rounds, len(counts)))].sum(axis=1)
    denominator = totals[:, 1] + totals[:, 2]
    return np.divide(2 * totals[:, 0], denominator, out=np.zeros(rounds), where=denominator > 0)


def average_precision(matches: Sequence[PageMatch]) -> float:
    """Area under the precision envelope over recall, all pages ranked together (VOC 2010 and later)."""
    precision, recall = precision_recall_curve(matches)
    if not len(precision):
        return 0.0
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def precision_recall_curve(matches: Sequence[PageMatch]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Precision and recall, float64 [K] each, after each prediction of all pages in order of falling score."""
    ranked = sorted((entry for match in matches for entry in match.scored), key=lambda entry: -entry[0])
    labels = sum(match.labels for match in matches)
    hits = np.cumsum([hit for _, hit in ranked], dtype=np.float64)
    if not len(hits) or not labels:
        return np.zeros(0), np.zeros(0)
    return hits / np.arange(1, len(hits) + 1), hits / labels


def _true_positives(
    found: Overlaps, counts: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]
) -> tuple[tuple[float, bool], ...]:
    """Matching in order of score, each prediction taking the free label with the highest IoU above 0.5."""
    care = found.valid_labels & ~found.ignored
    options: dict[int, list[tuple[float, int]]] = {}
    for i, j, iou in zip(found.label.tolist(), found.prediction.tolist(), found.iou.tolist(), strict=True):
        if iou > IOU_THRESHOLD and care[i]:
            options.setdefault(j, []).append((iou, i))
    taken: set[int] = set()
    result = []
    for j in np.argsort(-scores, kind="stable").tolist():
        if not counts[j]:
            continue
        free = [option for option in options.get(j, ()) if option[1] not in taken]
        if free:
            taken.add(max(free)[1])
        result.append((float(scores[j]), bool(free)))
    return tuple(result)


def _shapes(polygons: Sequence[Polygon]) -> npt.NDArray[Any]:
    if not polygons:
        return np.empty(0, dtype=object)
    if len({len(p) for p in polygons}) == 1:
        return np.asarray(shapely.polygons(np.stack(polygons).astype(np.float64)))
    return np.array([shapely.Polygon(p.astype(np.float64)) for p in polygons], dtype=object)


def _touching(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> tuple[_Ints, _Ints]:
    if not len(a) or not len(b):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    x0, y0, x1, y1 = shapely.bounds(a).T[:, :, None]
    u0, v0, u1, v1 = shapely.bounds(b).T[:, None, :]
    first, second = np.nonzero((x0 < u1) & (u0 < x1) & (y0 < v1) & (v0 < y1))
    return first, second
