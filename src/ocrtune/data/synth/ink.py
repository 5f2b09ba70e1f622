"""How ink meets paper: coverage of a clean print in, coverage of a real one out, float32 [H, W] from 0 to 1."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Cover = npt.NDArray[np.float32]


def bleed(ink: Cover, spread: float, gain: float) -> Cover:
    """Ink that runs into the paper.

    Args:
        ink: clean print.
        spread: sigma of the running in pixels.
        gain: strokes grow where positive, as on wet paper, and pale where negative, as in a weak copy; -0.2 to 0.3.
    """
    return np.clip(cv2.GaussianBlur(ink, (0, 0), spread) * (1.3 + 2.5 * gain), 0, 1)


def uneven(ink: Cover, rng: np.random.Generator, strength: float, patch: int = 40) -> Cover:
    """Patches of paler ink, ``patch`` pixels wide; ``strength`` is the share that the palest lose."""
    return ink * (1 - np.float32(strength) * np.clip(cloud(ink.shape, rng, patch), 0, 1))


def streaked(ink: Cover, rng: np.random.Generator, strength: float) -> Cover:
    """A thermal print: heads that no longer heat leave pale columns, changing speed leaves pale bands, edges fade."""
    height, width = ink.shape
    columns = np.ones(width, np.float32)
    for _ in range(int(rng.integers(1, 5))):
        at, wide = int(rng.integers(width)), int(rng.integers(1, 4))
        columns[at : at + wide] = rng.uniform(0.15, 0.6)
    columns *= 1 - 0.5 * strength * _profile(width, rng, 150)
    rows = 1 - strength * _profile(height, rng, 45) * rng.uniform(0.4, 1)
    end = np.linspace(0, 1, height)[:: rng.choice([-1, 1])]
    rows *= 1 - strength * rng.uniform(0, 0.6) * end**2
    return np.asarray(ink * columns[None] * rows[:, None], np.float32)


def dotted(ink: Cover, rng: np.random.Generator, pitch: float) -> Cover:
    """A needle print: one round dot a cell of ``pitch`` pixels, some paler, some missing."""
    height, width = ink.shape
    cells = cv2.resize(ink, (max(1, round(width / pitch)), max(1, round(height / pitch))), interpolation=cv2.INTER_AREA)
    struck = np.clip((cells - 0.1) * 2.2, 0, 1)  # edges print paler, else 8 and 6 could not be told apart
    struck *= np.float32(1) - np.float32(0.25) * rng.random(cells.shape, np.float32)
    struck *= rng.random(cells.shape, np.float32) > 0.01
    fine = 4  # a dot is drawn on a raster of this many points a cell
    y, x = np.mgrid[:fine, :fine] - (fine - 1) / 2
    dot = np.clip(1.6 - np.hypot(x, y) / (0.4 * fine), 0, 1).astype(np.float32)
    raster = np.kron(struck, dot)
    return cv2.resize(raster, (width, height), interpolation=cv2.INTER_AREA if pitch < fine else cv2.INTER_LINEAR)


def specked(ink: Cover, rng: np.random.Generator, share: float) -> Cover:
    """A photocopy: toner where there should be none, and holes where there should be some."""
    dirt = rng.random(ink.shape, np.float32)
    spots = cv2.GaussianBlur((dirt < share).astype(np.float32), (0, 0), 0.7) * 3
    holes = cv2.GaussianBlur((dirt > 1 - 12 * share).astype(np.float32), (0, 0), 0.7) * 2
    return np.clip(np.maximum(ink * (1 - np.clip(holes, 0, 1)), np.clip(spots, 0, 0.9)), 0, 1)


def cloud(shape: tuple[int, ...], rng: np.random.Generator, patch: int) -> Cover:
    """Smooth noise from about 0 to 1 with features of ``patch`` pixels, float32 [H, W]."""
    height, width = shape[:2]
    coarse = rng.random((height // patch + 2, width // patch + 2), np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _profile(length: int, rng: np.random.Generator, patch: int) -> Cover:
    """Smooth noise from 0 to 1 along a line, float32 [length]."""
    coarse = rng.random((1, length // patch + 2), np.float32)
    return np.clip(cv2.resize(coarse, (length, 1), interpolation=cv2.INTER_CUBIC)[0], 0, 1)
