from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrtune.augment import Compose
from ocrtune.augment.geometry import RandomView
from ocrtune.augment.occlusion import Occlusion
from ocrtune.augment.photometric import ColourJitter, GaussianBlur, GaussianNoise
from ocrtune.page import Image, TextRegion
from support.pages import rectangle


def page_of_blocks() -> tuple[Image, list[TextRegion]]:
    """White blocks on black where the regions are."""
    image = np.zeros((300, 240, 3), np.uint8)
    regions = []
    for row in range(6):
        for column in range(3):
            x, y = 15 + 75 * column, 15 + 46 * row
            image[y : y + 20, x : x + 55] = 255
            regions.append(rectangle(x, y, x + 55, y + 20, f"{row}{column}"))
    return image, regions


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.sampled_from([(96, 96), (256, 256), (320, 128)]),
    rotate=st.sampled_from([0.0, 10.0, 45.0]),
    flip=st.sampled_from([0.0, 1.0]),
)
def test_outlines_move_with_the_pixels(seed: int, size: tuple[int, int], rotate: float, flip: float) -> None:
    image, regions = page_of_blocks()
    view = RandomView(size, lambda width, height: 1.0, scale=(0.8, 1.3), rotate=rotate, rotate_prob=1.0, flip_prob=flip)
    seen, moved = view(image, regions, np.random.default_rng(seed))
    assert seen.shape == (size[1], size[0], 3)
    drawn = np.zeros(seen.shape[:2], np.uint8)
    cv2.fillPoly(drawn, [np.round(region.polygon).astype(np.int32) for region in moved], 255)
    # equal but for a rim of interpolated pixels
    kernel = np.ones((5, 5))
    inner = cv2.erode(drawn, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    outer = cv2.dilate(drawn, kernel)
    bright = seen[..., 0] > 127
    within = np.s_[3:-3, 3:-3]  # a text that only touches the border is left out
    assert bright[within][inner[within] == 255].all()
    assert not bright[within][outer[within] == 0].any()


def test_view_is_a_function_of_the_generator() -> None:
    image, regions = page_of_blocks()
    transform = Compose(
        [RandomView((128, 128), lambda w, h: 1.0), ColourJitter(), GaussianBlur(), GaussianNoise(), Occlusion()]
    )
    first = transform(image, regions, np.random.default_rng(3))
    again = transform(image, regions, np.random.default_rng(3))
    assert np.array_equal(first[0], again[0])
    for a, b in zip(first[1], again[1], strict=True):
        assert np.array_equal(a.polygon, b.polygon)
        assert a.ignore == b.ignore


def test_cut_texts_do_not_count_and_whole_ones_do() -> None:
    image, regions = page_of_blocks()
    view = RandomView((150, 150), lambda w, h: 1.0, scale=(1.0, 1.0), rotate=0.0)
    for seed in range(20):
        _, moved = view(image, regions, np.random.default_rng(seed))
        assert any(not region.ignore for region in moved)
        for region in moved:
            low, high = region.polygon.min(axis=0), region.polygon.max(axis=0)
            visible = np.prod(np.minimum(high, 150) - np.maximum(low, 0)) / np.prod(high - low)
            assert region.ignore == (visible < 0.95)


@pytest.mark.parametrize("transform", [ColourJitter(), GaussianBlur(), GaussianNoise()])
def test_photometric_changes_pixels_only(transform: ColourJitter | GaussianBlur | GaussianNoise) -> None:
    image, regions = page_of_blocks()
    before = image.copy()
    changed = False
    for seed in range(12):
        seen, same = transform(image, regions, np.random.default_rng(seed))
        assert seen.shape == image.shape
        assert seen.dtype == np.uint8
        assert [r.text for r in same] == [r.text for r in regions]
        changed |= not np.array_equal(seen, image)
    assert changed
    assert np.array_equal(image, before), "the page itself must not change"


def test_occluded_texts_do_not_count() -> None:
    image, regions = page_of_blocks()
    hidden = 0
    for seed in range(40):
        seen, same = Occlusion(prob=1.0)(image, regions, np.random.default_rng(seed))
        for region in same:
            x0, y0 = region.polygon.min(axis=0).astype(int)
            x1, y1 = region.polygon.max(axis=0).astype(int)
            untouched = np.array_equal(seen[y0:y1, x0:x1], image[y0:y1, x0:x1])
            assert not (untouched and region.ignore)
            hidden += region.ignore
    assert hidden
