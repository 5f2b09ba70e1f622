from __future__ import annotations

import numpy as np
import pytest

from ocrtune.data.draw import contact_sheet, draw_texts
from ocrtune.page import Polygon, TextRegion, as_polygon
from support.pages import rectangle

GREY = np.full((200, 300, 3), 128, np.uint8)


@pytest.mark.parametrize(
    "polygon",
    [
        as_polygon([(20, 30), (200, 30), (200, 60), (20, 60)]),
        as_polygon([(50, 40), (180, 115), (165, 140), (35, 65)]),  # slanted
        as_polygon([(20, 10), (45, 10), (45, 180), (20, 180)]),  # running down
        as_polygon([(200, 60), (20, 60), (20, 30), (200, 30)]),  # upside down
        as_polygon([(20, 40), (110, 30), (200, 40), (200, 70), (110, 60), (20, 70)]),  # curved
    ],
)
def test_a_text_is_written_inside_its_outline(polygon: Polygon) -> None:
    drawn = draw_texts(GREY, [TextRegion(polygon, "Some text")])
    assert drawn.shape == (200, 600, 3)
    ink = np.argwhere((drawn[:, 300:] < 100).all(axis=2))[:, ::-1]
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    assert len(ink) > 50
    assert (ink >= low - 3).all()
    assert (ink <= high + 3).all()
    assert np.ptp(ink, axis=0).max() > 0.4 * (high - low).max(), "it fills its place"


@pytest.mark.parametrize(
    "region",
    [
        rectangle(400, 10, 500, 40),
        rectangle(-90, -50, -10, -5),
        rectangle(-1e6, 10, 1e6, 40),
        rectangle(10, 10, 10, 10),
        rectangle(10, 10, 60, 30, "\n\t"),
        TextRegion(as_polygon([(np.nan, 0), (10, 0), (10, 10), (0, 10)]), "x"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
def test_odd_labels_are_drawn_as_far_as_they_can(region: TextRegion) -> None:
    assert draw_texts(GREY, [region]).shape == (200, 600, 3)


def test_contact_sheet_with_captions() -> None:
    sheet = contact_sheet([GREY] * 5, columns=4, cell=(100, 100), captions=["a/very/long/path/that/cannot/fit.png"] * 5)
    assert sheet.shape == (200, 400, 3)
    caption = sheet[74:96, 4:96]
    assert (caption < 100).any()
    assert (sheet[:, 98:102] == 255).all(), "captions end with their picture"
