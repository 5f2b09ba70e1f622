from __future__ import annotations

import numpy as np
import pytest
import shapely

from ocrtune.augment.copypaste import CopyPaste, Scrap, cut_scraps
from ocrtune.page import Image, TextRegion, as_polygon, whole_image
from support.pages import rectangle

CURVED = as_polygon([(10, 60), (60, 40), (110, 60), (110, 80), (60, 60), (10, 80)])


def donor() -> tuple[Image, list[TextRegion]]:
    image = np.full((120, 200, 3), 40, np.uint8)
    image[10:30, 10:90] = 200
    return image, [
        rectangle(10, 10, 90, 30, "plain"),
        TextRegion(CURVED, "curved"),
        rectangle(0, 90, 50, 110, "no", True),
    ]


def scraps(seed: int = 0, scale: float = 1.0) -> list[Scrap]:
    image, regions = donor()
    return cut_scraps(image, regions * 5, scale, np.random.default_rng(seed))


def test_scraps_are_a_fifth_of_the_texts_that_count() -> None:
    found = scraps()
    assert len(found) == 3
    assert {scrap.text for scrap in found} <= {"plain", "curved"}
    image, regions = donor()
    assert len(cut_scraps(image, regions, 1.0, np.random.default_rng(0))) == 1
    assert cut_scraps(image, regions[2:], 1.0, np.random.default_rng(0)) == []
    assert cut_scraps(image, [rectangle(300, 10, 350, 30)], 1.0, np.random.default_rng(0)) == []


@pytest.mark.parametrize("rotate", [0.0, 30.0, 180.0])
def test_pasted_texts_lie_on_the_page_and_on_no_other_text(rotate: float) -> None:
    view = np.full((240, 320, 3), 90, np.uint8)
    texts = [rectangle(20, 20, 140, 60, "a"), rectangle(150, 120, 300, 150, "b", ignore=True)]
    page = as_polygon([(0, 30), (320, -10), (320, 210), (0, 240)])
    pasted = 0
    for seed in range(25):
        before = view.copy()
        seen, regions = CopyPaste(rotate=rotate, prob=1.0)(
            view, texts, [scraps(seed), scraps(seed + 1)], page, np.random.default_rng(seed)
        )
        assert np.array_equal(view, before), "the view itself must not change"
        assert regions[:2] == texts
        shapes = [shapely.Polygon(region.polygon) for region in regions]
        changed = np.zeros(view.shape[:2], bool)
        for number, region in enumerate(regions[2:], 2):
            pasted += 1
            assert region.text in ("plain", "curved")
            assert not region.ignore
            assert np.isfinite(region.polygon).all()
            assert shapely.Polygon(page).buffer(0.1).covers(shapes[number])
            assert not any(shapes[number].intersects(other) for i, other in enumerate(shapes) if i != number)
            x0, y0 = np.floor(region.polygon.min(axis=0)).astype(int)
            x1, y1 = np.ceil(region.polygon.max(axis=0)).astype(int)
            changed[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1] = True  # and a soft edge
            middle = shapes[number].representative_point()
            assert (seen[int(middle.y), int(middle.x)] != 90).any()
        assert np.array_equal(seen[~changed], view[~changed])
    assert pasted > 25


def test_a_full_view_stays_as_it_is() -> None:
    view = np.full((100, 100, 3), 90, np.uint8)
    full = [rectangle(0, 0, 100, 100, "all")]
    seen, regions = CopyPaste(prob=1.0)(view, full, [scraps()], whole_image(100, 100), np.random.default_rng(0))
    assert np.array_equal(seen, view)
    assert regions == full


def test_nothing_to_paste() -> None:
    view = np.full((100, 100, 3), 90, np.uint8)
    nothing: list[list[list[Scrap]]] = [[], [[]]]
    for donors in nothing:
        seen, regions = CopyPaste(prob=1.0)(view, [], donors, whole_image(100, 100), np.random.default_rng(0))
        assert np.array_equal(seen, view)
        assert regions == []
