"""Labels that a model makes for unlabelled images, where it is sure enough, to learn from beside a person's.

Sources: Lee, "Pseudo-Label" (2013); Tarvainen and Valpola, "Mean Teachers Are Better Role Models" (2017), for the teacher
whose weights are a moving average; Xie et al., "Self-Training with Noisy Student" (2020), for the student that sees changed
images where the teacher saw them as they are. How sure is sure enough is told by labelled pages that were not trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ocrtune.bundle import Bundle
from ocrtune.calibration.boxes import BoxConfidence, fit_box_confidence
from ocrtune.data.formats import is_line, write_dataset
from ocrtune.data.lines import readable
from ocrtune.data.preannotate import elsewhere
from ocrtune.detection.evaluate import evaluate_detector
from ocrtune.errors import ImageError
from ocrtune.page import Image, Page, TextRegion, whole_image
from ocrtune.recognition.metric import single_case
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.load import load_detector, load_recognizer
from ocrtune.runtime.pipeline import OcrPipeline
from ocrtune.runtime.recognizer import TextRecognizer
from ocrtune.workflows.adapt.job import Parts
from ocrtune.workflows.console import Console

TEACHER_SHARE = 0.4
"""Of the time for training, for the teacher, which learns from a person's labels alone."""
TRUSTED_BOX = 0.9
"""Boxes that are at least so likely right become labels; all else that might be a text there is left out of the loss."""
TRUSTED_TEXT = 0.95
"""The same for texts; lines that are less likely right are not learnt from at all."""
_ANY_BOX = 0.2  # lowest score of a box that is looked at


@dataclass
class PseudoLabels:
    """What a teacher labelled.

    Attributes:
        pages: with trusted texts, and what is left out of the loss marked as ignored.
        trusted, doubtful: how many of each.
        empty: images without a single trusted text, which are left out.
        errors: damaged images.
    """

    pages: list[Page] = field(default_factory=list)
    trusted: int = 0
    doubtful: int = 0
    empty: int = 0
    errors: list[ImageError] = field(default_factory=list)

    def sentence(self) -> str:
        return (
            f"{self.trusted} texts on {len(self.pages)} unlabelled images are sure enough to learn from, {self.doubtful} "
            f"are doubtful and left out; {self.empty} images have none"
        )


def box_labels(
    detector: TextDetector, labelled: Sequence[Page], images: Sequence[Page], each: Callable[[], None] = lambda: None
) -> PseudoLabels:
    """Label images with a detector.

    Args:
        detector: the teacher, with thresholds that suit it.
        labelled: pages that it was not trained on, by which its scores become confidences.
        images: pages without regions.
        each: called after each of them.

    Raises:
        GateError: the labelled pages have too few texts to tell right boxes from wrong ones.
    """
    low = replace(detector, thresholds=detector.thresholds.model_copy(update={"box_thresh": _ANY_BOX}))
    confidence = fit_box_confidence(evaluate_detector(low, labelled).matches)
    return _labelled(images, lambda image: _boxes(detector, confidence, image), each)


def _boxes(detector: TextDetector, confidence: BoxConfidence, image: Image) -> list[TextRegion]:
    """Trusted boxes; and, ignored, other boxes and all places where the map shows half as much as it takes for a text."""
    prob, own = detector.prob_map(image), detector.thresholds

    def regions(**thresholds: float) -> list[TextRegion]:
        return replace(detector, thresholds=own.model_copy(update=thresholds)).regions(prob, image)

    found = [replace(region, score=confidence(region.score or 0.0)) for region in regions(box_thresh=_ANY_BOX)]
    trusted = [region for region in found if (region.score or 0.0) >= TRUSTED_BOX]
    doubtful = elsewhere([region for region in found if (region.score or 0.0) < TRUSTED_BOX], trusted)
    faint = regions(bin_thresh=own.bin_thresh / 2, box_thresh=own.bin_thresh / 2)
    doubtful += elsewhere(faint, [*trusted, *doubtful])
    return [*trusted, *(replace(region, ignore=True) for region in doubtful)]


def text_labels(
    recognizer: TextRecognizer,
    detector: TextDetector | None,
    images: Sequence[Page],
    case: str | None,
    each: Callable[[], None] = lambda: None,
) -> PseudoLabels:
    """Label images with a recogniser.

    Args:
        recognizer: the teacher, with fitted confidence.
        detector: finds the lines; None where each image is one.
        images: pages without regions.
        case: ``upper`` or ``lower`` where all of a person's labels are: texts are written the same way.
        each: called after each image.
    """

    def read(image: Image) -> list[TextRegion]:
        if detector is None:
            height, width = image.shape[:2]
            reading = recognizer.read([image])[0]
            outline, angle = whole_image(width, height), 180.0 * reading.turned
            found = [TextRegion(outline, reading.text, text_score=reading.confidence, angle=angle)]
        else:
            found = OcrPipeline(detector, recognizer).read(image)
        return [_judged(region, case) for region in found if region.text]

    return _labelled(images, read, each)


def _judged(region: TextRegion, case: str | None) -> TextRegion:
    text = region.text or ""
    text = {"upper": text.upper(), "lower": text.lower()}.get(case or "", text)
    # a line that was read upside down has its label at the far corner: others may learn it, this one is left out
    trusted = (region.text_score or 0.0) >= TRUSTED_TEXT and not region.angle
    return replace(region, text=text, ignore=not trusted)


def _labelled(
    images: Sequence[Page], label: Callable[[Image], list[TextRegion]], each: Callable[[], None]
) -> PseudoLabels:
    result = PseudoLabels()
    for page in images:
        try:
            regions = label(page.load())
        except ImageError as error:
            result.errors.append(error)
            regions = []
        trusted = sum(not region.ignore for region in regions)
        result.trusted += trusted
        if trusted:
            result.doubtful += len(regions) - trusted
            result.pages.append(page.with_regions(regions))
        else:
            result.empty += 1
        each()
    return result


def with_box_labels(parts: Parts, teacher: Bundle, folder: Path, console: Console) -> Parts:
    """The parts with the unlabelled images labelled by a detector.

    Args:
        parts: the job's pages.
        teacher: bundle of the detector.
        folder: of the stage; gets the label file ``pseudo.json``, which can be looked at with ``ocrtune data show``.
        console: where to report to.
    """
    bar = console.bar("labelling images", len(parts.unlabelled))
    return _taught(parts, box_labels(load_detector(teacher), parts.holdout, parts.unlabelled, bar), folder, console)


def with_text_labels(parts: Parts, teacher: Bundle, finder: Bundle, folder: Path, console: Console) -> Parts:
    """The parts with the unlabelled images read by a recogniser; see `with_box_labels`.

    Args:
        finder: bundle of the detector that finds lines; not used where the labelled pages are lines themselves.
    """
    lines = all(is_line(page) for page in parts.train[:20])
    detector = None if lines else load_detector(finder)
    case = single_case(r.text or "" for page in parts.train for r in page.regions if readable(r))
    bar = console.bar("reading images", len(parts.unlabelled))
    labels = text_labels(load_recognizer(teacher), detector, parts.unlabelled, case, bar)
    return _taught(parts, labels, folder, console)


def _taught(parts: Parts, labels: PseudoLabels, folder: Path, console: Console) -> Parts:
    console.say(labels.sentence())
    if not labels.pages:
        return parts
    path = folder / "pseudo.json"
    write_dataset(labels.pages, "json", path, replace=True)
    return replace(parts, pseudo_file=path, pseudo_pages=len(labels.pages), pseudo_note=labels.sentence())
