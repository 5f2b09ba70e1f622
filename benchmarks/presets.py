"""What each preset of prediction changes in finding and reading, on real pages that fit it.

The presets were chosen on other pages. The bundle's own settings and the preset take turns page by page, so that whatever
else the machine does hits both. An interval is the middle 95 % of the gain when the pages are drawn with replacement.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
from _common import pages, show

from ocrtune.augment.photometric import add_noise, motion_blur
from ocrtune.detection.metric import PageMatch, match_page
from ocrtune.ocr.evaluate import count_page
from ocrtune.page import Image, Page
from ocrtune.recognition.metric import TextPolicy
from ocrtune.runtime.load import load_pipeline
from ocrtune.runtime.pipeline import OcrPipeline
from ocrtune.runtime.preprocess import DetectionPreprocess
from ocrtune.runtime.presets import PRESETS, with_preset
from ocrtune.training.diagnose.limits import text_heights
from ocrtune.weights.registry import published_bundle

BUNDLES = ("ppocrv6-small", "ppocrv4-mobile")
STANDARD = DetectionPreprocess()
SMALL = 12.0
"""Pixels of the detector's input below which a page's median text is small print."""
SHRUNK = 9.0
"""Pixels that the median text of a shrunk page is high."""
BLURRED = 110.0
"""Variance of the Laplacian of the detector's view, in grey levels squared, below which a photo is blurred."""
ROUNDS = 2000


@dataclass(frozen=True)
class Set:
    """Pages that fit a preset.

    Attributes:
        preset: its name.
        label: what the pages are.
        pages: labelled.
        policy: what is no difference between texts.
    """

    preset: str
    label: str
    pages: Sequence[Page]
    policy: TextPolicy = "ignore-case-space"


def sets(count: int) -> list[Set]:
    """Pages by preset, at most so many of each; the other halves of receipts/train and scene_text chose the presets."""
    receipts, dense = pages("receipts/val")[1], pages("receipts/train")[1]
    scenes, signs = pages("scene_text")[1], pages("scene_text/test_list.txt")[1]
    small = [page for page in dense if median_height(page) < SMALL][1::2]
    blurred = [page for page in scenes if sharpness(page) < BLURRED][1::2]
    damages = {"noise": noisy, "out of focus and noise": defocused, "moved and noise": moved, "dark and noise": dark}
    return [
        *(
            Set("photo", f"receipts, made: {name}", [damaged(p, damage, i) for i, p in enumerate(receipts[:count])])
            for name, damage in damages.items()
        ),
        Set("photo", "scene_text, blurred as taken", blurred[:count]),
        Set("small-text", "receipts with small print", small[:count]),
        Set("small-text", "receipts, made: small", [shrunk(page) for page in receipts[:count]]),
        Set("complex", "scene_text", signs[:count]),
    ]


def median_height(page: Page) -> float:
    """Of the texts as the detector sees the page by standard settings, in pixels."""
    heights = text_heights(page, STANDARD)
    return float(np.median(heights)) if heights else np.inf


def sharpness(page: Page) -> float:
    """Variance of the Laplacian of what the detector sees, in grey levels squared."""
    grey = cv2.cvtColor(STANDARD.resized(page.load()), cv2.COLOR_BGR2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


Damage = Callable[[Image, float, np.random.Generator], Image]


def damaged(page: Page, damage: Damage, seed: int) -> Page:
    """A page as a bad camera takes it; damage is as large as a page of 1000 pixels."""
    image = page.load()
    return replace(page, image=damage(image, max(image.shape) / 1000, np.random.default_rng(seed)))


def noisy(image: Image, scale: float, rng: np.random.Generator) -> Image:
    return add_noise(image, 40 * min(scale, 1.5), rng)


def defocused(image: Image, scale: float, rng: np.random.Generator) -> Image:
    return add_noise(np.asarray(cv2.GaussianBlur(image, (0, 0), 2.2 * scale), np.uint8), 8, rng)


def moved(image: Image, scale: float, rng: np.random.Generator) -> Image:
    return add_noise(motion_blur(image, int(9 * scale) | 1, rng.uniform(0, np.pi)), 8, rng)


def dark(image: Image, scale: float, rng: np.random.Generator) -> Image:
    light = np.linspace(0.15, 0.6, image.shape[1])[None, :, None]
    return add_noise((image * light).astype(np.uint8), 10, rng)


def shrunk(page: Page) -> Page:
    """A page whose median text is `SHRUNK` pixels high in the image itself."""
    image = page.load()
    unscaled = DetectionPreprocess(size=max(image.shape), multiple=1)
    factor = min(SHRUNK / float(np.median(text_heights(page, unscaled))), 1.0)
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    regions = [replace(region, polygon=region.polygon * np.float32(factor)) for region in page.regions]
    return replace(page, image=np.asarray(small, np.uint8), regions=regions)


@dataclass(frozen=True)
class Outcome:
    """What one side did.

    Attributes:
        predictions: in the order of the pages.
        matches: with the labels.
        seconds: for all pages.
    """

    predictions: list[Page]
    matches: list[PageMatch]
    seconds: float


def measured(some: Sequence[Page], sides: Sequence[OcrPipeline]) -> list[Outcome]:
    """What each side reads on the pages."""
    found: list[list[Page]] = [[] for _ in sides]
    seconds = [0.0] * len(sides)
    for page in some:
        image = page.load()
        for index, side in enumerate(sides):
            started = time.perf_counter()
            regions = side.read(image)
            seconds[index] += time.perf_counter() - started
            found[index].append(page.with_regions(regions))
    return [
        Outcome(predictions, list(map(match_page, some, predictions)), taken)
        for predictions, taken in zip(found, seconds, strict=True)
    ]


def tallies(some: Set, outcome: Outcome) -> npt.NDArray[np.float64]:
    """What each page adds to the figures, float64 [pages, 6]: numerator and denominator of each."""
    counts = []
    for page, prediction, match in zip(some.pages, outcome.predictions, outcome.matches, strict=True):
        read = count_page(page, prediction, match, some.policy)
        finding = 2 * match.matched, match.predictions + match.labels
        counts.append((*finding, 2 * read.right, read.read + read.labels, read.edits, read.characters))
    return np.array(counts, np.float64)


def figures(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Hmean, end-to-end hmean and CER, float64 [..., 3], of tallies, float64 [..., pages, 6]."""
    totals = counts.sum(axis=-2)
    return np.asarray(totals[..., 0::2] / np.maximum(totals[..., 1::2], 1), np.float64)


def row(bundle: str, some: Set, own: Outcome, seen: Outcome) -> tuple[str, ...]:
    """Both sides' figures, and the preset's gain in each with its interval."""
    before, after = tallies(some, own), tallies(some, seen)
    drawn = np.random.default_rng(0).integers(0, len(before), (ROUNDS, len(before)))
    low, high = np.percentile(figures(after[drawn]) - figures(before[drawn]), (2.5, 97.5), axis=0)
    cells = [
        f"{a:.3f} -> {b:.3f}\n({least:+.3f} to {most:+.3f})"
        for a, b, least, most in zip(figures(before), figures(after), low, high, strict=True)
    ]
    return bundle, some.preset, f"{some.label} ({len(before)})", *cells, f"{seen.seconds / own.seconds:.1f}x"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pages", type=int, default=20, help="of each set at most")
    arguments.add_argument("--bundle", choices=BUNDLES, help="one of them alone")
    given = arguments.parse_args()
    measured_sets = sets(given.pages)
    rows = []
    for name in [given.bundle] if given.bundle else BUNDLES:
        own = load_pipeline(published_bundle(name))
        for some in measured_sets:
            if some.pages:
                sides = (own, with_preset(own, PRESETS[some.preset]))
                rows.append(row(name, some, *measured(some.pages, sides)))
    columns = ("bundle", "preset", "pages", "hmean", "read", "CER", "time")
    show("the bundle's own settings -> the preset", columns, rows)


if __name__ == "__main__":
    main()
