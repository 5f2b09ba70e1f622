"""Views: outlines move exactly as the pixels, can be brought back, and stay where they are seen."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrtune.augment.geometry import Matrix, RandomView, moved_regions, transform_polygon, warp
from ocrtune.page import Image, Polygon, TextRegion, as_polygon, bounds
from support.pages import rectangle

WIDTH, HEIGHT = 300, 220


def band(x: float, y: float, length: float, height: float, bend: float, points: int = 7) -> Polygon:
    """A curved text: an upper edge from left to right and a lower one back."""
    t = np.linspace(0, 1, points)
    middle = y + bend * np.sin(np.pi * t)
    xs = x + length * t
    return as_polygon(np.concatenate([np.stack([xs, middle], 1), np.stack([xs, middle + height], 1)[::-1]]))


outlines = st.one_of(
    st.builds(
        lambda x, y, w, h: rectangle(x, y, x + w, y + h).polygon,
        st.floats(0, 220), st.floats(0, 190), st.floats(6, 80), st.floats(4, 30),
    ),
    st.builds(band, st.floats(5, 200), st.floats(25, 160), st.floats(30, 90), st.floats(6, 20), st.floats(-20, 20)),
)  # fmt: skip
pages = st.lists(st.builds(TextRegion, outlines, st.just("text"), st.booleans()), max_size=8)
looks = st.fixed_dictionaries(
    {
        "size": st.sampled_from([(96, 96), (256, 192), (400, 400)]),
        "scale": st.sampled_from([(0.2, 0.3), (0.8, 1.3), (2.0, 3.0)]),
        "stretch": st.sampled_from([(1.0, 1.0), (0.7, 1.4)]),
        "rotate": st.sampled_from([0.0, 10.0, 180.0]),
        "flip_prob": st.sampled_from([0.0, 1.0]),
        "perspective": st.sampled_from([0.0, 0.1, 0.3]),
        "crop": st.sampled_from(["window", "between"]),
    }
)


def look(**values: Any) -> RandomView:
    return RandomView(base_scale=lambda width, height: 1.0, rotate_prob=1.0, perspective_prob=1.0, **values)


@settings(max_examples=150, deadline=None)
@given(pages, looks, st.integers(0, 10**6))
def test_outlines_can_be_brought_back_and_lie_in_the_view(
    regions: list[TextRegion], values: dict[str, Any], seed: int
) -> None:
    view = look(**values)
    named = [TextRegion(r.polygon, str(i), r.ignore) for i, r in enumerate(regions)]
    matrix, used, kept = view.draw(WIDTH, HEIGHT, named, np.random.default_rng(seed))
    assert used[0] <= view.size[0]
    assert used[1] <= view.size[1]
    back: Matrix = np.linalg.inv(matrix).astype(np.float64)
    back /= back[2, 2]
    window = shapely.box(0, 0, *used)
    for region in kept:
        before = named[int(region.text or "")]
        assert np.isfinite(region.polygon).all()
        assert region.polygon.dtype == np.float32
        assert np.abs(transform_polygon(region.polygon, back) - before.polygon).max() < 0.02
        shape = shapely.Polygon(region.polygon)
        assert region.ignore or shape.intersection(window).area >= 0.949 * shape.area
        assert not (before.ignore and not region.ignore)
    left_out = {r.text for r in named} - {r.text for r in kept}
    for name in left_out:
        moved = transform_polygon(named[int(name or "")].polygon, matrix)
        assert shapely.Polygon(moved).intersection(window).area < 1e-3


def painted(polygons: list[Polygon], size: tuple[int, int]) -> Image:
    """White where texts are, uint8 [h, w], as a share of each pixel."""
    fine = np.zeros((size[1] * 4, size[0] * 4), np.uint8)
    for polygon in polygons:
        points = np.clip(polygon * 4 - 0.5, -4000, 4000)
        cv2.fillPoly(fine, [np.rint(points * 16).astype(np.int32)], 255, shift=4)
    return np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA), np.uint8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.builds(TextRegion, outlines, st.just("t")), min_size=1, max_size=5), looks, st.integers(0, 10**6))
def test_pixels_move_with_the_outlines(regions: list[TextRegion], values: dict[str, Any], seed: int) -> None:
    view = look(**values)
    page_image = cv2.merge([painted([region.polygon for region in regions], (WIDTH, HEIGHT))] * 3)
    seen, _ = view(np.asarray(page_image, np.uint8), regions, np.random.default_rng(seed))
    matrix, used, _ = view.draw(WIDTH, HEIGHT, regions, np.random.default_rng(seed))
    assert seen.shape == (view.size[1], view.size[0], 3)
    drawn = painted([transform_polygon(region.polygon, matrix) for region in regions], view.size)
    drawn[used[1] :], drawn[:, used[0] :] = 0, 0
    rim = np.ones((7, 7), np.uint8) if values["scale"][1] < 2 else np.ones((11, 11), np.uint8)
    whole = np.where(drawn == 255, 255, 0).astype(np.uint8)
    inner = cv2.erode(whole, rim, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    outer = cv2.dilate(drawn, rim)
    # where the page's own border is near, its pixels fade out
    page = np.zeros_like(drawn)
    corners = transform_polygon(rectangle(0, 0, WIDTH, HEIGHT).polygon, matrix)
    cv2.fillPoly(page, [np.rint(corners).astype(np.int32)], 255)
    inner &= cv2.erode(page, rim, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    bright = seen[..., 0] > 127
    assert bright[inner == 255].all()
    assert not bright[outer == 0].any()


def sampled(image: Image, matrix: Matrix, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """The plain definition of a view: every pixel's centre brought back and interpolated between four pixels."""
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    places = np.stack([x.ravel(), y.ravel(), np.ones(x.size)]).T @ np.linalg.inv(matrix).T
    places = places[:, :2] / places[:, 2:] - 0.5
    low = np.floor(places).astype(int)
    share = places - low
    result = np.zeros((x.size, 3))
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        at = low + np.array((dx, dy))
        inside = ((at >= 0) & (at < (image.shape[1], image.shape[0]))).all(axis=1)
        weight = np.abs(1 - dx - share[:, 0]) * np.abs(1 - dy - share[:, 1]) * inside
        at = np.where(inside[:, None], at, 0)
        result += weight[:, None] * image[at[:, 1], at[:, 0]]
    return result.reshape(size[1], size[0], 3)


@pytest.mark.parametrize("rotate", [0.0, 12.0])
@pytest.mark.parametrize("perspective", [0.0, 0.1])
@pytest.mark.parametrize("base", [0.75, 1.7])
def test_views_are_what_their_definition_says(rotate: float, perspective: float, base: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    image = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5), np.uint8)
    for seed in range(4):
        view = look(size=(160, 128), scale=(base, 1.1 * base), rotate=rotate, perspective=perspective)
        seen, _ = view(image, [], np.random.default_rng(seed))
        matrix, used, _ = view.draw(WIDTH, HEIGHT, [], np.random.default_rng(seed))
        expected = sampled(image, matrix, used)
        corners = transform_polygon(rectangle(0, 0, WIDTH, HEIGHT).polygon, matrix)
        inside = np.zeros(seen.shape[:2], np.uint8)
        cv2.fillPoly(inside, [np.rint(corners).astype(np.int32)], 1)
        inside = cv2.erode(inside, np.ones((7, 7), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        difference = np.abs(seen - expected)[inside == 1]
        assert difference.mean() < 0.6
        assert difference.max() < 6  # coordinates in 1/32 pixel


def test_strong_reduction_averages_and_a_part_gives_the_same_as_the_whole() -> None:
    image = np.random.default_rng(2).integers(0, 256, (803, 1001, 3), dtype=np.uint8)
    matrix = np.array([[0.2, 0, -60], [0, 0.2, -40], [0, 0, 1.0]])
    whole = warp(image, matrix @ np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1.0]]), (100, 80))
    blocks = image[: 800 // 4 * 4, :1000].reshape(200, 4, 250, 4, 3).mean(axis=(1, 3))
    quarter = np.rint(blocks).astype(np.uint8)
    expected = sampled(quarter, matrix @ np.diag([4, 4, 1.0]), (100, 80))
    assert np.abs(whole - expected).mean() < 1.0


def test_pieces_between_texts_cut_none_that_counts() -> None:
    regions = [rectangle(20 + 90 * c, 15 + 50 * r, 90 + 90 * c, 40 + 50 * r, "t") for r in range(4) for c in range(3)]
    view = look(size=(128, 128), scale=(0.9, 1.1), rotate=0.0, crop="between")
    shown = set()
    for seed in range(30):
        _, used, kept = view.draw(WIDTH, HEIGHT, regions, np.random.default_rng(seed))
        shown.add(len(kept))
        assert kept
        for region in kept:
            assert not region.ignore
            assert (region.polygon >= -0.01).all()
            assert (region.polygon <= np.array(used) + 0.01).all()
        assert max(used) <= 128
    assert len(shown) > 2, "pieces should differ"


def test_a_page_without_texts_has_views_too() -> None:
    for crop in ("window", "between"):
        seen, kept = look(size=(64, 64), crop=crop)(np.full((40, 500, 3), 9, np.uint8), [], np.random.default_rng(0))
        assert kept == []
        assert seen.shape == (64, 64, 3)
        assert seen.max() == 9


def test_an_outline_that_crosses_itself_is_no_label() -> None:
    bow = TextRegion(as_polygon([(-5, 10), (40, 40), (40, 10), (-5, 40)]), "t")
    (kept,) = moved_regions([bow], np.eye(3), (60, 60))
    assert kept.ignore


def test_bounds_of_outlines() -> None:
    low, high = bounds([as_polygon([(1, 2), (5, 2), (5, 9), (0, 7)]), as_polygon([(-3, 4), (2, 8), (1, 1), (0, 0)])])
    assert low.tolist() == [[0, 2], [-3, 0]]
    assert high.tolist() == [[5, 9], [2, 8]]
    assert [edge.shape for edge in bounds([])] == [(0, 2), (0, 2)]
