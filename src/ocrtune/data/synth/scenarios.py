"""Ways in which documents reach a recogniser, each with its literal numbers, and a sheet's way through one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ocrtune.data.synth import camera
from ocrtune.data.synth import ink as prints
from ocrtune.data.synth.sheet import Sheet
from ocrtune.page import Image, read_image

Range = tuple[float, float]
"""Least and greatest value; each picture has one of its own."""


@dataclass(frozen=True)
class Scenario:
    """What happens between a clean print and a picture of it.

    Attributes:
        ink: darkness of the print, 1 is black.
        paper: brightness of the paper, 0 to 255.
        roughness: of the paper, 0 to 1.
        spread: sigma in pixels of ink that runs; ``gain`` says whether strokes grow or shrink by it.
        uneven: share that the palest patches of the ink lose.
        streaks: strength of a thermal print's bands and columns.
        dots: cell of a needle print in shares of the text's usual size, or None.
        specks: share of dirty pixels.
        creases: most folds.
        turn: degrees; ``tilt``, ``margin``: see `camera.view`.
        light: strength of slope and shadow.
        blur: sigma in pixels; ``motion``: pixels.
        noise: sigma of the sensor's noise.
        quality: of the JPEG file.
        grey: share of pictures without colour.
        threshold: share of pictures in black and white.
    """

    ink: Range = (0.8, 1.0)
    paper: Range = (225, 255)
    roughness: Range = (0.0, 0.0)
    spread: Range = (0.3, 0.6)
    gain: Range = (-0.05, 0.05)
    uneven: Range = (0.0, 0.0)
    streaks: Range = (0.0, 0.0)
    dots: bool = False
    specks: Range = (0.0, 0.0)
    creases: int = 0
    turn: float = 0.0
    tilt: float = 0.0
    margin: Range = (0.0, 0.0)
    light: Range = (0.0, 0.0)
    blur: Range = (0.3, 0.5)
    motion: Range = (0.0, 0.0)
    noise: Range = (0.0, 1.0)
    quality: tuple[int, int] = (85, 96)
    grey: float = 0.0
    threshold: float = 0.0


SCENARIOS: dict[str, Scenario] = {
    "clean": Scenario(paper=(248, 255), ink=(0.85, 1.0)),
    "scan": Scenario(
        roughness=(0.1, 0.5),
        spread=(0.4, 0.9),
        gain=(-0.08, 0.15),
        uneven=(0.0, 0.25),
        creases=1,
        turn=1.5,
        tilt=0.002,
        light=(0.0, 0.08),
        blur=(0.3, 0.9),
        noise=(1.0, 4.0),
        quality=(60, 92),
        grey=0.5,
    ),
    "photo": Scenario(
        roughness=(0.1, 0.6),
        paper=(205, 250),
        uneven=(0.0, 0.3),
        creases=3,
        turn=7.0,
        tilt=0.045,
        margin=(0.01, 0.12),
        light=(0.1, 0.5),
        blur=(0.5, 1.3),
        motion=(0.0, 3.0),
        noise=(2.0, 8.0),
        quality=(50, 90),
    ),
    "loose": Scenario(
        roughness=(0.1, 0.5),
        paper=(205, 250),
        uneven=(0.0, 0.2),
        turn=180.0,
        tilt=0.06,
        margin=(0.02, 0.15),
        light=(0.1, 0.5),
        blur=(0.4, 1.2),
        motion=(0.0, 2.5),
        noise=(2.0, 8.0),
        quality=(50, 90),
    ),
    "thermal": Scenario(
        ink=(0.45, 0.85),
        paper=(205, 245),
        roughness=(0.05, 0.3),
        spread=(0.5, 0.9),
        gain=(0.0, 0.15),
        uneven=(0.05, 0.3),
        streaks=(0.2, 0.65),
        creases=2,
        turn=2.5,
        tilt=0.012,
        margin=(0.0, 0.04),
        light=(0.0, 0.25),
        blur=(0.4, 1.1),
        noise=(1.0, 6.0),
        quality=(50, 90),
        grey=0.3,
    ),
    "dot-matrix": Scenario(
        ink=(0.7, 0.95),
        gain=(0.0, 0.15),
        paper=(215, 250),
        roughness=(0.1, 0.5),
        spread=(0.4, 0.7),
        uneven=(0.05, 0.3),
        dots=True,
        turn=1.5,
        tilt=0.004,
        light=(0.0, 0.15),
        blur=(0.4, 0.8),
        noise=(1.0, 5.0),
        quality=(60, 92),
        grey=0.4,
    ),
    "copy": Scenario(
        paper=(235, 255),
        roughness=(0.0, 0.3),
        spread=(0.5, 1.0),
        gain=(-0.05, 0.2),
        uneven=(0.0, 0.3),
        specks=(0.0001, 0.0012),
        turn=2.0,
        tilt=0.003,
        blur=(0.3, 0.7),
        noise=(0.0, 3.0),
        quality=(40, 85),
        grey=1.0,
        threshold=0.4,
    ),
}
UPRIGHT = tuple(name for name in SCENARIOS if name != "loose")
"""Scenarios in which pages stand upright; in the others they lie in any direction."""
_LEAST_INK = 0.4  # of the coverage that wear leaves
_SHADOW = 0.35  # darkness that a sheet throws on what it lies on
_LEVEL: Range = (170, 205)  # between black and white
_ROOM: Range = (0.03, 0.2)  # margin where a background is to be seen


@dataclass(frozen=True)
class Picture:
    """A finished picture.

    Attributes:
        image: uint8 [h, w, 3] BGR.
        view: where the sheet's points lie in it.
        quality: that its JPEG file should have.
    """

    image: Image
    view: camera.View
    quality: int


def picture(
    sheet: Sheet, scenario: Scenario, size: int, rng: np.random.Generator, backgrounds: Sequence[Path] = ()
) -> Picture:
    """Print a sheet and take a picture of it.

    Args:
        sheet: clean print.
        scenario: what happens to it.
        size: usual size of its texts in pixels.
        rng: decides everything.
        backgrounds: photos to lay it on; none paints a table.

    Raises:
        ImageError: a background is damaged.
    """

    def one(limits: Range) -> float:
        return float(rng.uniform(*limits))

    cover = _printed(sheet.ink, scenario, size, one, rng)
    surface = _surface(sheet, cover, scenario, one, rng)
    margin = scenario.margin
    if backgrounds:
        margin = (max(margin[0], _ROOM[0]), max(margin[1], _ROOM[1]))
    view = camera.view(sheet.width, sheet.height, rng, turn=scenario.turn, tilt=scenario.tilt, margin=margin)
    photo = _laid(surface, view, scenario, rng, backgrounds)
    if strength := one(scenario.light):
        photo *= camera.light(view.width, view.height, rng, strength)
    length, sigma = one(scenario.motion), one(scenario.blur)
    kernel = camera.motion(rng, length) if length else None
    noise = rng.standard_normal(photo.shape[1:], np.float32) * np.float32(one(scenario.noise))
    for plane in photo:
        if kernel is not None:
            plane[:] = cv2.filter2D(plane, -1, kernel)
        plane[:] = cv2.GaussianBlur(plane, (0, 0), sigma)
        plane += noise
    image = cv2.merge(list(np.clip(photo, 0, 255, out=photo).astype(np.uint8)))
    if rng.random() < scenario.grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if rng.random() < scenario.threshold:
        image = cv2.threshold(image, float(rng.uniform(*_LEVEL)), 255, cv2.THRESH_BINARY)[1]
    return Picture(image, view, int(rng.integers(scenario.quality[0], scenario.quality[1] + 1)))


def _printed(
    ink: npt.NDArray[np.uint8], scenario: Scenario, size: int, one: Callable[[Range], float], rng: np.random.Generator
) -> prints.Cover:
    """Coverage of the real print, float32 [H, W] from 0 to 1."""
    cover: prints.Cover = ink.astype(np.float32) / np.float32(255)
    if scenario.dots:
        cover = prints.dotted(cover, rng, max(1.5, size / float(rng.uniform(11, 15))))
    cover = worn = prints.bleed(cover, one(scenario.spread), one(scenario.gain))
    if scenario.uneven[1]:
        worn = prints.uneven(worn, rng, one(scenario.uneven))
    if scenario.streaks[1]:
        worn = prints.streaked(worn, rng, one(scenario.streaks))
    cover = np.maximum(worn, _LEAST_INK * cover)  # whatever comes together, a label stays readable
    if scenario.specks[1]:
        cover = prints.specked(cover, rng, one(scenario.specks))
    return np.asarray(cover * np.float32(one(scenario.ink)), np.float32)


def _surface(
    sheet: Sheet,
    cover: prints.Cover,
    scenario: Scenario,
    one: Callable[[Range], float],
    rng: np.random.Generator,
) -> camera.Planes:
    """The printed sheet."""
    bright = one(scenario.paper)
    tint = np.array([bright * rng.uniform(0.93, 1.0), bright * rng.uniform(0.98, 1.0), bright], np.float32)
    if sheet.paper is not None:
        tint = np.array(sheet.paper, np.float32) * np.float32(bright / 255)
    texture = camera.paper(cover.shape, rng, one(scenario.roughness))
    colour = np.array(sheet.colour if sheet.colour is not None else rng.uniform(0, 45, 3), np.float32)
    tone = cv2.GaussianBlur(sheet.tone, (0, 0), 0.5).astype(np.float32) / 255 if sheet.tone.any() else None
    folded = camera.creases(cover.shape, rng, int(rng.integers(0, scenario.creases + 1))) if scenario.creases else None
    surface = np.empty((3, *cover.shape), np.float32)
    for plane, paper, ink, toned in zip(surface, tint, colour, np.array(sheet.tone_colour, np.float32), strict=True):
        np.add(texture, paper, out=plane)
        if tone is not None:
            plane += tone * (toned - plane)
        plane += cover * (ink - plane)
        if folded is not None:
            plane *= folded
    return surface


def _laid(
    surface: camera.Planes,
    view: camera.View,
    scenario: Scenario,
    rng: np.random.Generator,
    backgrounds: Sequence[Path],
) -> camera.Planes:
    """The sheet as it lies there, float32 [3, h, w]."""
    if backgrounds:
        behind = camera.cut(read_image(backgrounds[int(rng.integers(len(backgrounds)))]), view.width, view.height, rng)
    elif scenario.margin[1]:
        behind = camera.table(view.width, view.height, rng)
    elif not (scenario.turn or scenario.tilt):
        return surface
    else:  # the lid of a scanner
        behind = np.full((3, view.height, view.width), rng.choice([20.0, 235.0, 252.0]), np.float32)
    seen, alpha = view.seen(surface)
    free = 1 - alpha
    if scenario.margin[1] or backgrounds:
        free *= 1 - np.float32(_SHADOW) * np.roll(cv2.blur(alpha, (25, 25)), (6, 6), (0, 1))
    behind *= free
    behind += seen
    return behind
