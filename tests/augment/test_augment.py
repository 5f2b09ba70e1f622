from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrtune.augment import Compose, Transform
from ocrtune.augment.geometry import RandomView
from ocrtune.augment.occlusion import Occlusion
from ocrtune.augment.photometric import (
    ColourJitter,
    GaussianBlur,
    GaussianNoise,
    Jpeg,
    MotionBlur,
    Shadow,
    add_noise,
    motion_blur,
)
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


@pytest.mark.parametrize("transform", [ColourJitter(), GaussianBlur(), GaussianNoise(), MotionBlur(), Jpeg(), Shadow()])
def test_photometric_changes_pixels_only(transform: Transform) -> None:
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


def test_noise_is_normal() -> None:
    grey = np.full((400, 500, 3), 128, np.uint8)
    for sigma in (1.0, 6.0, 14.0):
        noise = add_noise(grey, sigma, np.random.default_rng(1)).astype(float) - 128 + 0.5  # rounded down
        assert abs(noise.mean()) < 0.03 * sigma
        assert noise.std() == pytest.approx(np.hypot(sigma, 12**-0.5), rel=0.01)
        inside = [(np.abs(noise) <= k * sigma).mean() for k in (1, 2, 3)]
        assert inside == pytest.approx([0.683, 0.954, 0.997], abs=0.25 / sigma + 0.01)
        assert abs(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]) < 0.01


def test_motion_blurs_along_one_direction() -> None:
    point = np.zeros((41, 41, 3), np.uint8)
    point[20, 20] = 255
    spread = motion_blur(point, 9, 0.0)[..., 0]
    assert (spread > 0).sum(axis=1).tolist() == [0] * 20 + [9] + [0] * 20
    upright = motion_blur(point, 9, np.pi / 2)[..., 0]
    assert np.array_equal(upright, spread.T)


def test_shadows_only_darken_and_leave_some_light() -> None:
    grey = np.full((90, 160, 3), 200, np.uint8)
    for seed in range(20):
        seen = Shadow(prob=1.0)(grey, [], np.random.default_rng(seed))[0]
        assert seen.max() <= 200
        assert seen.min() >= 200 * 0.4 - 1


def test_compression_is_lossy() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    rough, fine = (Jpeg((q, q + 1), prob=1.0)(noise, [], np.random.default_rng(0))[0] for q in (20, 95))
    assert np.abs(rough - noise.astype(int)).mean() > np.abs(fine - noise.astype(int)).mean() > 0
