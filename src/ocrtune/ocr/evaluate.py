"""Measure a pipeline end to end: a text counts when it is found and read.

Source: the ICDAR "end-to-end" protocol: a prediction matches a label by IoU 0.5, and is right if the texts agree too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rapidfuzz.distance import Levenshtein

from ocrtune.data.lines import readable
from ocrtune.detection.metric import PageMatch, match_page, score
from ocrtune.page import Page
from ocrtune.recognition.metric import LineResult, TextPolicy, compared
from ocrtune.runtime.pipeline import OcrPipeline


@dataclass(frozen=True)
class OcrResult:
    """What a pipeline did on labelled pages.

    Attributes:
        pages: how many.
        hmean: of finding alone, IoU 0.5.
        end_to_end_hmean: of finding and reading: precision and recall of texts that agree with their label.
        end_to_end_precision, end_to_end_recall: its parts.
        cer: edits over labelled characters; a text that is missed costs all of its characters, one that is too much
            all that was read.
        policy: what was not counted as a difference.
        predictions: the pages with what was read.
        matches: how each page's predictions met its labels.
    """

    pages: int
    hmean: float
    end_to_end_hmean: float
    end_to_end_precision: float
    end_to_end_recall: float
    cer: float
    policy: TextPolicy
    predictions: list[Page]
    matches: list[PageMatch]

    def as_dict(self) -> dict[str, Any]:
        """The interface's JSON object, without ``task``."""
        return {
            "pages": self.pages,
            "hmean": round(self.hmean, 6),
            "end_to_end_hmean": round(self.end_to_end_hmean, 6),
            "end_to_end_precision": round(self.end_to_end_precision, 6),
            "end_to_end_recall": round(self.end_to_end_recall, 6),
            "cer": round(self.cer, 6),
            "text_policy": self.policy,
        }


def evaluate_pipeline(
    pipeline: OcrPipeline, pages: Sequence[Page], policy: TextPolicy, each: Callable[[], None] = lambda: None
) -> OcrResult:
    """Read every page and compare.

    Labels without a text count for finding, and neither way for reading.

    Raises:
        ImageError: a page's image is missing or damaged.
    """
    return score_readings(pages, *read_all(pipeline, pages, each), policy)


def read_all(
    pipeline: OcrPipeline, pages: Sequence[Page], each: Callable[[], None] = lambda: None
) -> tuple[list[Page], list[PageMatch]]:
    """Every page as it was read, and how its texts met the labels.

    Raises:
        ImageError: a page's image is missing or damaged.
    """
    predictions, matches = [], []
    for page in pages:
        predictions.append(pipeline.predict(page))
        matches.append(match_page(page, predictions[-1]))
        each()
    return predictions, matches


def paired_lines(pages: Sequence[Page], predictions: Sequence[Page], matches: Sequence[PageMatch]) -> list[LineResult]:
    """Texts that were found, labelled and read."""
    return [
        LineResult(page.regions[i].text or "", prediction.regions[j].text or "", 1.0, 1, 1)
        for page, prediction, match in zip(pages, predictions, matches, strict=True)
        for i, j in match.pairs
        if readable(page.regions[i])
    ]


class PageCount(NamedTuple):
    """What a page adds to the figures.

    Attributes:
        right: texts that were found, and read as they are labelled.
        read: texts that were read and count.
        labels: labelled texts.
        edits: characters that would have to change.
        characters: of the labelled texts.
    """

    right: int
    read: int
    labels: int
    edits: int
    characters: int


def count_page(page: Page, prediction: Page, match: PageMatch, policy: TextPolicy) -> PageCount:
    """What one page that was read adds to the figures."""
    wanted = {i: compared(r.text or "", policy) for i, r in enumerate(page.regions) if readable(r)}
    unlabelled = {j for i, j in match.pairs if i not in wanted}
    texts = {j: compared(prediction.regions[j].text or "", policy) for j in set(match.counted) - unlabelled}
    paired = [(i, j) for i, j in match.pairs if i in wanted]
    edits = sum(Levenshtein.distance(wanted[i], texts[j]) for i, j in paired)
    edits += sum(len(text) for i, text in wanted.items() if i not in {i for i, _ in paired})
    edits += sum(len(text) for j, text in texts.items() if j not in {j for _, j in paired})
    right = sum(wanted[i] == texts[j] for i, j in paired)
    return PageCount(right, len(texts), len(wanted), edits, sum(map(len, wanted.values())))


def score_readings(
    pages: Sequence[Page], predictions: Sequence[Page], matches: Sequence[PageMatch], policy: TextPolicy
) -> OcrResult:
    """Figures of pages that were read."""
    counts = [count_page(*each, policy) for each in zip(pages, predictions, matches, strict=True)]
    right, read, labels, edits, characters = (
        sum(column) for column in zip(PageCount(0, 0, 0, 0, 0), *counts, strict=True)
    )
    precision, recall = right / max(read, 1), right / max(labels, 1)
    both = 2 * precision * recall / (precision + recall) if right else 0.0
    return OcrResult(
        len(pages),
        score(matches).hmean,
        both,
        precision,
        recall,
        edits / max(characters, 1),
        policy,
        list(predictions),
        list(matches),
    )
