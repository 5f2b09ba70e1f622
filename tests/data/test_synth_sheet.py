"""Outlines are exact: compared with the ink that is really there, on the sheet and through the camera."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrtune.data.synth.camera import view
from ocrtune.data.synth.fonts import FontBook, default_fonts, read_fonts
from ocrtune.data.synth.generate import Generator, Recipe
from ocrtune.data.synth.scenarios import SCENARIOS, Scenario, picture
from ocrtune.data.synth.sheet import Sheet
from ocrtune.data.synth.templates import LINE, TEMPLATES
from ocrtune.page import Image, Polygon, signed_area
from ocrtune.runtime.crop import crop_region

BOOK = FontBook(read_fonts(default_fonts())[0])
PAD = 0.06  # around the ink, in font sizes
PLAIN = Scenario(ink=(1, 1), paper=(255, 255), spread=(0.3, 0.3), blur=(0.3, 0.3), noise=(0, 0))
TALL = st.text("ABCDEFHKLMNPRTUXYZ247", min_size=2, max_size=9)  # from the baseline to the height of capitals


def sheet_of(texts: list[str], size: int, font: int) -> Sheet:
    sheet = Sheet(640, 80 + 3 * size * len(texts), BOOK, BOOK.fonts[font], np.random.default_rng(0), size=size)
    sheet.colour = (0.0, 0.0, 0.0)
    for row, text in enumerate(texts):
        assert sheet.text(40, 40 + size + 3 * size * row, text, size)
    return sheet


def ink_margins(image: Image, quad: Polygon, grown: float) -> np.ndarray:
    """Distances of the ink from the left, top, right and bottom of a quad in pixels, inwards positive."""
    crop = cv2.cvtColor(crop_region(image, quad, grown), cv2.COLOR_BGR2GRAY)
    height = np.linalg.norm(quad[3] - quad[0] + quad[2] - quad[1]) / 2
    extra = np.ceil(grown * height)
    ink = crop < 190
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    outer = np.array([columns[0], rows[0], crop.shape[1] - 1 - columns[-1], crop.shape[0] - 1 - rows[-1]])
    return outer - extra


@settings(deadline=None, max_examples=40)
@given(
    texts=st.lists(TALL, min_size=1, max_size=4),
    size=st.integers(18, 44),
    font=st.integers(0, len(BOOK.fonts) - 1),
    turn=st.floats(0, 35),
    tilt=st.floats(0, 0.05),
    seed=st.integers(0, 1000),
)
def test_quads_follow_the_ink_through_perspective(
    texts: list[str], size: int, font: int, turn: float, tilt: float, seed: int
) -> None:
    sheet = sheet_of(texts, size, font)
    scenario = Scenario(**{**vars(PLAIN), "turn": turn, "tilt": tilt})
    taken = picture(sheet, scenario, size, np.random.default_rng(seed))
    for region in sheet.regions("line"):
        quad = taken.view.outline(region.polygon)
        margins = ink_margins(taken.image, quad, 0.3)
        # faint edges of strokes, the crop's whole pixels and the change of size by perspective
        assert np.abs(margins - PAD * size).max() < 2.2, (region.text, margins)


def test_quads_are_not_shifted_by_parts_of_a_pixel() -> None:
    rng, margins = np.random.default_rng(1), []
    for seed in range(25):
        texts = ["".join(rng.choice(list("HEFTLKMN"), 6)) for _ in range(4)]
        scenario = Scenario(**{**vars(PLAIN), "turn": 20.0, "tilt": 0.03})
        taken = picture(sheet_of(texts, 30, 0), scenario, 30, np.random.default_rng(seed))
        quads = [taken.view.outline(region.polygon) for region in sheet_of(texts, 30, 0).regions("line")]
        margins += [ink_margins(taken.image, quad, 0.3) for quad in quads]
    left, top, right, bottom = np.mean(margins, axis=0)
    assert abs(left - right) < 0.3
    assert abs(top - bottom) < 0.3
    assert np.abs(np.array([left, top, right, bottom]) - PAD * 30).max() < 0.8


def test_quad_starts_where_the_text_does_on_a_sheet_that_stands_on_its_head() -> None:
    sheet = sheet_of(["FT"], 40, 0)
    seen = view(sheet.width, sheet.height, np.random.default_rng(0), turn=0, tilt=0, margin=(0, 0))
    upside_down = seen.matrix.copy()
    upside_down[:2, :2] *= -1
    upside_down[:2, 2] = sheet.width, sheet.height
    region = sheet.regions("line")[0]
    turned = type(seen)(upside_down, sheet.width, sheet.height).outline(region.polygon)
    assert turned[0] == pytest.approx([sheet.width, sheet.height] - region.polygon[0])
    assert signed_area(turned) > 0


def test_words_and_lines_are_the_same_ink() -> None:
    sheet = sheet_of(["HELLO BIG WORLD", "ONE"], 30, 3)
    lines, words = sheet.regions("line"), sheet.regions("word")
    assert [r.text for r in lines] == ["HELLO BIG WORLD", "ONE"]
    assert [r.text for r in words] == ["HELLO", "BIG", "WORLD", "ONE"]
    hull = np.concatenate([r.polygon for r in words[:3]])
    assert np.allclose(lines[0].polygon[0], hull.min(axis=0))
    assert np.allclose(lines[0].polygon[2], hull.max(axis=0))
    for word in words:
        (x0, y0), (x1, y1) = np.round(word.polygon[[0, 2]]).astype(int).tolist()
        ink = sheet.ink[y0:y1, x0:x1]
        assert ink.max() > 200
        assert not sheet.ink[y0:y1, x1 : x1 + 3].any()


def test_a_dash_is_labelled_as_high_as_a_small_letter() -> None:
    (dash,), (letter,) = sheet_of(["-"], 40, 0).regions("line"), sheet_of(["x"], 40, 0).regions("line")
    assert np.ptp(dash.polygon[:, 1]) == pytest.approx(np.ptp(letter.polygon[:, 1]), abs=5)


def test_texts_never_overlap_and_never_leave_the_sheet() -> None:
    sheet = sheet_of(["FIRST"], 30, 0)
    assert not sheet.text(60, 75, "SECOND", 30)
    assert not sheet.text(600, 75, "TOO WIDE", 30)
    assert not sheet.text(40, 10, "TOO HIGH", 30)
    assert [r.text for r in sheet.regions("line")] == ["FIRST"]


def test_what_must_fit_is_set_smaller_then_shortened() -> None:
    sheet = sheet_of(["X"], 30, 0)
    assert sheet.text(150, 70, "one two three four five six seven", 30, fit=200)
    text = sheet.regions("line")[1].text
    assert text is not None
    assert "one two three four five six seven".startswith(text)
    assert 0.5 * 200 < np.ptp(sheet.regions("line")[1].polygon[:, 0]) < 210


@pytest.mark.parametrize("template", [name for name in TEMPLATES if name != LINE])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_template_in_every_scenario(template: str, scenario: str) -> None:
    sample = Generator(Recipe((template,), (scenario,), seed=7)).sample(1)
    height, width = sample.image.shape[:2]
    assert sample.regions
    assert sample.skipped == 0
    grey = cv2.cvtColor(sample.image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    contrasts = []
    for region in sample.regions:
        assert (region.polygon >= 0).all()
        assert (region.polygon <= [width, height]).all()
        assert signed_area(region.polygon) > 20
        assert region.text == region.text.strip() != "" if region.text else False
        inside = crop_region(grey[..., None].repeat(3, axis=2).astype(np.uint8), region.polygon)
        contrasts.append(float(np.percentile(inside, 90)) - float(np.percentile(inside, 5)))
    assert np.median(contrasts) > 30  # there is ink to be read inside the outlines


def test_running_text_has_no_ink_outside_of_its_outlines() -> None:
    for index in range(4):
        sample = Generator(Recipe(("text",), ("clean",), seed=3)).sample(index)
        ink = cv2.cvtColor(sample.image, cv2.COLOR_BGR2GRAY) < 150
        mask = np.zeros(ink.shape, np.uint8)
        for region in sample.regions:
            (x0, y0), (x1, y1) = region.polygon[0], region.polygon[2]
            mask[int(np.floor(y0)) : int(np.ceil(y1)), int(np.floor(x0)) : int(np.ceil(x1))] = 1
        assert ink[mask == 1].mean() > 0.05
        assert not ink[mask == 0].any()
