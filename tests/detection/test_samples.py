"""Training samples: the same for (seed, epoch, index) whoever asks, and what a slow and plain reference gives."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ocrtune.augment.geometry import warp
from ocrtune.config.schema import AugmentConfig, TargetSpec
from ocrtune.data.page_cache import PageCache
from ocrtune.data.synth.receipts import render_receipt
from ocrtune.detection.offset import shrink
from ocrtune.detection.samples import DetectionSamples, augmentation
from ocrtune.detection.targets import make_targets
from ocrtune.detection.threshold_map import Map
from ocrtune.page import Image, Page, Polygon, as_polygon, perimeter, signed_area
from ocrtune.runtime.preprocess import DetectionPreprocess

PREPROCESS = DetectionPreprocess(resize="long_side", size=640)
SIZE = 192


def some_pages() -> list[Page]:
    return [render_receipt(3, index) for index in range(5)]


def pages_in_files(folder: Path) -> list[Page]:
    pages = []
    for number, page in enumerate(some_pages()):
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), page.load())
        pages.append(Page(path, page.regions))
    return pages


def samples(pages: Sequence[Page], config: AugmentConfig, seed: int = 0) -> DetectionSamples:
    return DetectionSamples(pages, augmentation(config, PREPROCESS, SIZE), TargetSpec(shrink_ratio=0.5), True, seed)


@pytest.mark.parametrize("preset", ["none", "document", "receipt", "industrial-marker", "scene", "handwriting"])
def test_samples_are_functions_of_seed_epoch_and_index(preset: str) -> None:
    pages = some_pages()
    config = AugmentConfig.model_validate({"preset": preset, "copy_paste": 0.0 if preset == "none" else 1.0})
    one, other = samples(pages, config), pickle.loads(pickle.dumps(samples(pages, config)))
    order = [(0, 2), (1, 2), (0, 0), (1, 4), (0, 2)]
    first = {at: one.sample(*at) for at in order}
    again = {at: other.sample(*at) for at in sorted(order, reverse=True)}
    for at, sample in first.items():
        assert np.array_equal(sample.image, again[at].image)
        for a, b in zip(sample.targets, again[at].targets, strict=True):
            assert np.array_equal(a, b)
            assert np.isfinite(a).all()
    assert not np.array_equal(first[0, 2].image, first[1, 2].image)
    assert not np.array_equal(first[0, 2].image, samples(pages, config, seed=1).sample(0, 2).image)


def test_pages_stay_as_they_are() -> None:
    pages = some_pages()
    before = [(page.load().copy(), [r.polygon.copy() for r in page.regions]) for page in pages]
    all_on = samples(pages, AugmentConfig.model_validate({"preset": "scene", "copy_paste": 1.0, "shadow": 1.0}))
    for index in range(len(pages)):
        all_on.sample(0, index)
    for page, (image, polygons) in zip(pages, before, strict=True):
        assert np.array_equal(page.load(), image)
        assert all(np.array_equal(r.polygon, p) for r, p in zip(page.regions, polygons, strict=True))


def test_texts_of_other_pages_are_pasted_and_learnt() -> None:
    pages = some_pages()
    without, pasting = (samples(pages, AugmentConfig(copy_paste=share)) for share in (0.0, 1.0))
    more = 0
    for index, page in enumerate(pages):
        own = {(r.text, r.polygon.tobytes()) for r in page.regions}
        _, plain = without.view(0, index)
        _, regions = pasting.view(0, index)
        assert [r.text for r in regions[: len(plain)]] == [r.text for r in plain]
        others = {r.text for i, p in enumerate(pages) if i != index for r in p.regions}
        assert {r.text for r in regions[len(plain) :]} <= others
        assert own == {(r.text, r.polygon.tobytes()) for r in page.regions}
        more += len(regions) - len(plain)
    assert more >= len(pages)


def test_alone_a_page_gets_nothing_pasted() -> None:
    pages = some_pages()[:1]
    alone = [samples(pages, AugmentConfig(copy_paste=share)).view(0, 0)[1] for share in (0.0, 1.0)]
    assert len(alone[0]) == len(alone[1])


def test_views_without_changes_of_pixels_are_the_warped_page() -> None:
    pages = some_pages()
    plain = samples(pages, AugmentConfig(colour=False, blur=False, noise=False, occlusion=False))
    for index, page in enumerate(pages):
        image, regions = plain.view(0, index)
        page_image = page.load()
        matrix, used, drawn = plain.augment.look.draw(
            page_image.shape[1], page_image.shape[0], page.regions, np.random.default_rng([0, 0, index])
        )
        assert used == (SIZE, SIZE)
        assert np.array_equal(image, warp(page_image, matrix, used))
        assert all(np.array_equal(a.polygon, b.polygon) for a, b in zip(regions, drawn, strict=True))


def test_pages_that_stay_decoded_change_no_sample(tmp_path: Path) -> None:
    pages = pages_in_files(tmp_path)
    plain = samples(pages, AugmentConfig(copy_paste=1.0))
    keeping = replace(plain, cache_bytes=1 << 30)
    for epoch, index in ((0, 0), (0, 1), (1, 0), (1, 1)):
        sample, same = plain.sample(epoch, index), keeping.sample(epoch, index)
        assert np.array_equal(sample.image, same.image)
        assert all(np.array_equal(a, b) for a, b in zip(sample.targets, same.targets, strict=True))


def test_no_more_pages_stay_decoded_than_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = pages_in_files(tmp_path)
    decoded: list[str] = []
    real = Page.load

    def load(page: Page) -> Image:
        decoded.append(page.name)
        return real(page)

    monkeypatch.setattr(Page, "load", load)
    first, second = pages[0], pages[1]
    cache = PageCache(pages, limit=real(first).nbytes)
    for _ in range(2):
        assert np.array_equal(cache.load(0), real(first))
        assert np.array_equal(cache.load(1), real(second))
    assert decoded == [first.name, second.name, second.name]
    with pytest.raises(ValueError, match="read-only"):
        cache.load(0)[0, 0] = 0
    pickle.loads(pickle.dumps(cache)).load(0)
    assert decoded[3:] == [first.name], "a copy for another process arrives empty"


def plain_targets(polygons: Sequence[Polygon], size: tuple[int, int], spec: TargetSpec) -> tuple[Map, Map, Map]:
    """All maps of ``subpixel`` drawing, from whole canvases and exact distances."""
    width, height = size
    shrink_map = np.zeros((height, width), np.float32)
    mask = np.zeros((height, width), np.float32)
    threshold = np.full((height, width), spec.threshold_min, np.float64)
    ratio = spec.ratio(0)
    pixels = shapely.points(*np.meshgrid(np.arange(width), np.arange(height)))
    for polygon in polygons:
        kernels = shrink(np.clip(polygon, 0, (width - 1, height - 1)), ratio)
        fine = np.zeros((height * 4, width * 4), np.uint8)
        cv2.fillPoly(fine, [np.round(((k + 0.5) * 4 - 0.5) * 16).astype(np.int32) for k in kernels], 255, shift=4)
        covered = cv2.resize(fine, size, interpolation=cv2.INTER_AREA) / np.float32(255)
        shrink_map = np.maximum(shrink_map, covered)
        distance = abs(signed_area(polygon)) * (1 - ratio**2) / perimeter(polygon)
        near = 1 - np.minimum(shapely.distance(shapely.LinearRing(polygon), pixels) / distance, 1)
        threshold = np.maximum(threshold, near * (spec.threshold_max - spec.threshold_min) + spec.threshold_min)
        grown = shapely.Polygon(polygon).buffer(distance)
        mask = np.maximum(mask, shapely.contains(grown, pixels))
    return shrink_map, threshold.astype(np.float32), mask


boxes = st.builds(
    lambda x, y, w, h, angle: as_polygon(cv2.boxPoints(((x, y), (w, h), angle))),
    st.floats(10, 90), st.floats(10, 60), st.floats(8, 60), st.floats(5, 20), st.sampled_from([0.0, 90.0, 12.0, -40.0]),
)  # fmt: skip
quads = st.builds(
    lambda box, moves: (box + np.array(moves, np.float32)).astype(np.float32),
    boxes,
    st.lists(st.tuples(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5)), min_size=4, max_size=4),
)
curved = st.builds(
    lambda x, y, bend: as_polygon(
        [(x, y), (x + 20, y - bend), (x + 40, y), (x + 40, y + 10), (x + 20, y + 10 - bend), (x, y + 10)]
    ),
    st.floats(5, 50), st.floats(20, 50), st.floats(-8, 8),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(boxes, quads, curved), max_size=4))
def test_targets_are_those_of_whole_canvases_and_exact_distances(polygons: list[Polygon]) -> None:
    polygons = [p for p in polygons if shapely.Polygon(p).is_valid and abs(signed_area(p)) > 20]
    spec = TargetSpec(shrink_ratio=0.5, min_text_size=0, gap_weight=0)
    targets, masked = make_targets(polygons, [False] * len(polygons), (100, 70), spec)
    if any(masked):  # vanished texts are masked; what is left is compared
        polygons = [p for p, gone in zip(polygons, masked, strict=True) if not gone]
        targets, _ = make_targets(polygons, [False] * len(polygons), (100, 70), spec)
    shrink_map, threshold, mask = plain_targets(polygons, (100, 70), spec)
    np.testing.assert_allclose(targets.shrink_map, shrink_map, atol=1e-6)
    # beyond the whole pixels of the grown outline's box nothing is drawn; there the value is next to the lowest
    difference = np.abs(targets.threshold_map - threshold)
    assert np.quantile(difference, 0.99) < 1e-4
    assert (difference < 0.4 * 1.01 / 1.5 + 1e-4).all()
    assert np.abs(targets.threshold_mask - mask).mean() < 0.02 * (1 + len(polygons))


@settings(max_examples=300, deadline=None)
@given(st.one_of(boxes, quads), st.floats(0.3, 0.95), st.booleans())
def test_four_corners_shrink_to_what_clipping_gives(polygon: Polygon, ratio: float, reversed_: bool) -> None:
    polygon = polygon[::-1].copy() if reversed_ else polygon
    distance = abs(signed_area(polygon)) * (1 - ratio**2) / perimeter(polygon)
    clipped = shapely.Polygon(polygon).buffer(-distance, join_style="mitre")
    assume(shapely.Polygon(polygon).is_valid and clipped.area > 1)
    (kernel,) = shrink(polygon, ratio)
    assume(len(kernel) == 4 == len(clipped.exterior.coords) - 1)  # where an edge is lost, outlines are clipped
    assert shapely.LinearRing(kernel).hausdorff_distance(clipped.exterior) < 0.05


def test_gaps_are_where_lengthened_texts_overlap() -> None:
    rng = np.random.default_rng(4)
    polygons = [
        as_polygon(cv2.boxPoints(((float(x), float(y)), (float(w), 12.0), float(a))))
        for x, y, w, a in zip(*rng.uniform((10, 10, 15, -20), (190, 90, 60, 20), (14, 4)).T, strict=True)
    ]
    spec = TargetSpec(shrink_ratio=0.5, gap_weight=4.0)
    targets, _ = make_targets(polygons, [False] * len(polygons), (200, 100), spec, with_threshold=False)
    covered = np.zeros((100, 200), int)
    for polygon in polygons:
        along = polygon[1] - polygon[0]
        step = along / np.hypot(*along) * 0.6 * np.hypot(*(polygon[3] - polygon[0]))
        outline = polygon + np.stack([-step, step, step, -step])
        one = np.zeros((100, 200), np.uint8)
        cv2.fillPoly(one, [np.round(outline).astype(np.int32)], 1)
        covered += one
    expected = np.where((covered >= 2) & (targets.shrink_map < 0.5), 5.0, 1.0)
    assert (expected == 5).any()
    assert np.array_equal(targets.shrink_mask, expected)
