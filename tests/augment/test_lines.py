from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrtune.augment.lines import (
    AutoAugment,
    Blur,
    Coarse,
    Colour,
    Erase,
    Invert,
    Jpeg,
    LineTransform,
    MotionBlur,
    Noise,
    Perspective,
    RandAugment,
    Rotation,
    Shadow,
    Tia,
)
from ocrtune.page import Image

ALWAYS: dict[str, LineTransform] = {
    "tia": Tia(1.0),
    "rotation": Rotation(1.0, 10.0),
    "perspective": Perspective(1.0),
    "blur": Blur(1.0),
    "motion": MotionBlur(1.0),
    "noise": Noise(1.0),
    "coarse": Coarse(1.0),
    "jpeg": Jpeg(1.0),
    "invert": Invert(1.0),
    "colour": Colour(1.0),
    "shadow": Shadow(1.0),
    "cutout": Erase(1.0, "cutout"),
    "random_erasing": Erase(1.0, "random_erasing"),
    "hide_and_seek": Erase(1.0, "hide_and_seek"),
    "grid_mask": Erase(1.0, "grid_mask"),
    "rand_augment": RandAugment(prob=1.0),
    "auto_augment": AutoAugment(),
}


def line(height: int, width: int) -> Image:
    image = np.full((height, width, 3), 230, np.uint8)
    image[height // 4 : -height // 4 or None, width // 5 : width // 4 + 1] = 20
    image[height // 4 : -height // 4 or None, width // 2 : -width // 5 or None] = (20, 60, 90)
    return image


@pytest.mark.parametrize("name", ALWAYS)
@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 300), seed=st.integers(0, 10**6))
def test_any_line_stays_a_line_and_chance_comes_from_the_generator(
    name: str, height: int, width: int, seed: int
) -> None:
    image = line(height, width)
    before = image.copy()
    changed = ALWAYS[name](image, np.random.default_rng(seed))
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert np.array_equal(image, before), "the line itself must not change"
    assert np.array_equal(changed, ALWAYS[name](image, np.random.default_rng(seed)))


@pytest.mark.parametrize("name", ALWAYS)
def test_each_change_changes_something(name: str) -> None:
    image = line(48, 200)
    seen = [ALWAYS[name](image, np.random.default_rng(seed)) for seed in range(8)]
    assert any(not np.array_equal(one, image) for one in seen)


@pytest.mark.parametrize("transform", [Rotation(1.0, 45.0), Perspective(1.0)])
@pytest.mark.parametrize("width", [60, 150, 600])
def test_no_letter_is_lost_where_a_line_is_turned_or_tilted(transform: LineTransform, width: int) -> None:
    image = np.full((40, width, 3), 250, np.uint8)
    image[16:24, 4:12] = image[16:24, -12:-4] = 0
    for seed in range(20):
        seen = transform(image, np.random.default_rng(seed))[..., 0] < 90
        assert seen[:, : width // 3].sum() > 12
        assert seen[:, -width // 3 :].sum() > 12
