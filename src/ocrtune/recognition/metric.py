"""How well lines are read: accuracy, 1-NED, CER, WER with intervals, confusions, results by kind of line.

Source: PaddleOCR's RecMetric for accuracy and the normalised edit distance (Levenshtein over the longer text).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from ocrtune.charset import normalised
from ocrtune.scripts import main_script

TextPolicy = Literal["exact", "ignore-case", "ignore-space", "ignore-case-space"]
POLICIES: tuple[TextPolicy, ...] = get_args(TextPolicy)
_Z95 = 1.959964


@dataclass(frozen=True)
class LineResult:
    """One line, labelled and read.

    Attributes:
        label, text: what it says, and what was read.
        confidence: of the reading, 0 to 1.
        width, height: of the label's box in pixels, whatever margin it was cut out with.
        page, region: where it is, as indices.
    """

    label: str
    text: str
    confidence: float
    width: int
    height: int
    page: int = 0
    region: int = 0

    def right(self, policy: TextPolicy) -> bool:
        """Whether label and text agree under a policy."""
        return compared(self.label, policy) == compared(self.text, policy)


@dataclass(frozen=True)
class RecognitionScore:
    """Figures over all lines.

    Attributes:
        lines: how many.
        accuracy: share that is read without a mistake.
        accuracy_ci95: its 95 % interval (Wilson).
        one_minus_ned: 1 - mean edit distance over the longer text's length.
        cer: character error rate: edits over labelled characters.
        wer: word error rate: the same for words between spaces.
        policy: what was not counted as a difference.
    """

    lines: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    one_minus_ned: float
    cer: float
    wer: float
    policy: TextPolicy

    def as_dict(self) -> dict[str, Any]:
        """The interface's JSON object, without ``task``."""
        return {
            "lines": self.lines,
            "accuracy": round(self.accuracy, 6),
            "accuracy_ci95": [round(bound, 6) for bound in self.accuracy_ci95],
            "one_minus_ned": round(self.one_minus_ned, 6),
            "cer": round(self.cer, 6),
            "wer": round(self.wer, 6),
            "text_policy": self.policy,
        }


@dataclass(frozen=True)
class RecognitionResult:
    """What a recogniser did on labelled lines.

    Attributes:
        lines: every line.
        score: their figures.
    """

    lines: list[LineResult]
    score: RecognitionScore

    @property
    def figure(self) -> float:
        return self.score.accuracy

    def as_dict(self) -> dict[str, Any]:
        return self.score.as_dict()

    def tallies(self) -> npt.NDArray[np.float64]:
        """float64 [pages, 2]: the accuracy is the sum of the first column over that of the second."""
        counts = np.zeros((1 + max((line.page for line in self.lines), default=-1), 2))
        for line in self.lines:
            counts[line.page] += (line.right(self.score.policy), 1)
        return counts

    @classmethod
    def of(cls, lines: list[LineResult], policy: TextPolicy) -> RecognitionResult:
        return cls(lines, score_lines(lines, policy))


def compared(text: str, policy: TextPolicy) -> str:
    """A text as a policy compares it: NFC, and without what the policy ignores."""
    text = normalised(text)
    if policy in ("ignore-case", "ignore-case-space"):
        text = text.upper()
    return "".join(text.split()) if policy in ("ignore-space", "ignore-case-space") else text


def score_lines(results: Sequence[LineResult], policy: TextPolicy = "exact") -> RecognitionScore:
    """Figures of lines under a text policy."""
    pairs = [(compared(r.label, policy), compared(r.text, policy)) for r in results]
    count = len(pairs)
    right = sum(label == text for label, text in pairs)
    characters = sum(len(label) for label, _ in pairs)
    words = [(label.split(), text.split()) for label, text in pairs]
    distance = sum(Levenshtein.normalized_distance(label, text) for label, text in pairs)
    return RecognitionScore(
        lines=count,
        accuracy=right / count if count else 0.0,
        accuracy_ci95=wilson(right, count),
        one_minus_ned=1 - distance / count if count else 0.0,
        cer=sum(Levenshtein.distance(label, text) for label, text in pairs) / max(characters, 1),
        wer=sum(Levenshtein.distance(label, text) for label, text in words) / max(sum(len(w) for w, _ in words), 1),
        policy=policy,
    )


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); (0, 1) without any observation."""
    if count == 0:
        return 0.0, 1.0
    share, z2 = right / count, _Z95**2 / count
    centre = (share + z2 / 2) / (1 + z2)
    half = _Z95 * math.sqrt(share * (1 - share) / count + z2 / (4 * count)) / (1 + z2)
    return max(0.0, centre - half), min(1.0, centre + half)


def confusions(results: Sequence[LineResult], policy: TextPolicy = "exact") -> Counter[tuple[str, str]]:
    """Pairs of (labelled, read) characters that differ; "" stands for a missing or an extra one."""
    counts: Counter[tuple[str, str]] = Counter()
    for result in results:
        label, text = compared(result.label, policy), compared(result.text, policy)
        for operation in Levenshtein.editops(label, text):
            wanted = label[operation.src_pos] if operation.tag != "insert" else ""
            read = text[operation.dest_pos] if operation.tag != "delete" else ""
            counts[wanted, read] += 1
    return counts


@dataclass(frozen=True)
class Group:
    """Lines of one kind.

    Attributes:
        by: ``length``, ``height`` or ``script``.
        name: of the kind.
        score: their figures.
    """

    by: str
    name: str
    score: RecognitionScore


def breakdown(results: Sequence[LineResult], policy: TextPolicy = "exact") -> list[Group]:
    """Figures by length of the label, height of the label in pixels, and script."""
    keys: dict[str, Callable[[LineResult], str]] = {
        "length": lambda r: _bin(len(r.label), (1, 2, 5, 10, 20, 40)),
        "height": lambda r: _bin(min(r.height, r.width), (0, 12, 16, 24, 32, 48)),
        "script": lambda r: main_script(r.label),
    }
    groups = []
    for by, key in keys.items():
        parts: dict[str, list[LineResult]] = {}
        for result in results:
            parts.setdefault(key(result), []).append(result)
        ordered = sorted(parts, key=_bin_start) if by != "script" else sorted(parts, key=lambda n: -len(parts[n]))
        groups += [Group(by, name, score_lines(parts[name], policy)) for name in ordered]
    return groups


def single_case(texts: Iterable[str]) -> str | None:
    """``upper`` or ``lower`` where all letters of the texts are capitals or all are small; None otherwise."""
    letters = "".join(texts)
    if letters.upper() == letters.lower():
        return None
    return "upper" if letters.upper() == letters else "lower" if letters.lower() == letters else None


def label_case_conflict(results: Sequence[LineResult]) -> str | None:
    """Whether labels are in capitals (or small letters) alone where the images are read as mixed.

    Returns:
        ``upper`` or ``lower``: the case of all labels, where lines that agree but for their case are common; None
        otherwise.
    """
    case = single_case(r.label for r in results)
    if case is None:
        return None
    differ = sum(not r.right("ignore-space") and r.right("ignore-case-space") for r in results)
    return case if differ >= 0.02 * len(results) else None


def suitable_policy(results: Sequence[LineResult]) -> TextPolicy:
    """The strictest policy under which labels and images do not contradict each other."""
    return "ignore-case" if label_case_conflict(results) else "exact"


CASE_NOTICE = (
    "the labels are in one case while the images are not: lines are compared without case (text.policy=exact compares as "
    "labelled)"
)
"""What is said where `suitable_policy` chose another than ``exact`` for a training."""


def _bin(value: int, edges: Sequence[int]) -> str:
    for low, high in itertools.pairwise(edges):
        if value < high:
            return f"{low}" if high == low + 1 else f"{low}-{high - 1}"
    return f">= {edges[-1]}"


def _bin_start(name: str) -> int:
    return int(name.removeprefix(">= ").partition("-")[0])
