from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrtune.config.schema import TargetSpec
from ocrtune.detection.targets import make_targets
from ocrtune.page import as_polygon
from support.golden import load_arrays, load_json

BOX = as_polygon([(20, 20), (120, 20), (120, 44), (20, 44)])


def test_targets_are_those_of_the_official_code() -> None:
    golden, arrays = load_json("targets.json"), load_arrays("targets.npz")
    compared = 0
    for case in golden["sets"]:
        longest = max(len(polygon) for polygon in case["polys"])
        # the official label encoder pads all outlines of a page to the longest one by repeating the last point
        polygons = [as_polygon(list(p) + [p[-1]] * (longest - len(p))) for p in case["polys"]]
        height, width = case["hw"]
        for name, run in case["runs"].items():
            arguments = run["args"]
            spec = TargetSpec(
                shrink_ratio=arguments["ratio"],
                total_epoch=arguments.get("total"),
                threshold_min=golden["thresh_min"],
                threshold_max=golden["thresh_max"],
                min_text_size=golden["min_text_size"],
                gap_weight=0.0,
                drawing="whole",
            )
            targets, masked = make_targets(
                polygons, case["ignore"], (width, height), spec, epoch=arguments.get("epoch", 0)
            )
            prefix = f"s{case['index']:02d}/{run.get('identical_to', name)}/"
            for key in ("shrink_map", "shrink_mask", "threshold_mask"):
                assert np.array_equal(getattr(targets, key), arrays[prefix + key]), (prefix, name, key)
            np.testing.assert_allclose(targets.threshold_map, arrays[prefix + "threshold_map"], atol=1e-5)
            assert masked == run["ignore_after"], (prefix, name)
            compared += 1
    assert compared >= len(golden["sets"])


def test_subpixel_drawing_has_the_area_of_the_shrunk_outline() -> None:
    # D = A (1 - r^2) / L, and a rectangle loses D on each side
    area, length, ratio = 100 * 24, 2 * (100 + 24), 0.5
    distance = area * (1 - ratio**2) / length
    expected = (100 - 2 * distance) * (24 - 2 * distance)
    spec = TargetSpec(shrink_ratio=ratio, gap_weight=0)
    targets, masked = make_targets([BOX], [False], (160, 64), spec)
    assert masked == [False]
    assert targets.shrink_map.sum() == pytest.approx(expected, rel=0.01)


def test_ignored_text_is_masked_and_not_learnt() -> None:
    targets, masked = make_targets([BOX], [True], (160, 64), TargetSpec(shrink_ratio=0.5))
    assert masked == [True]
    assert targets.shrink_map.sum() == 0
    assert targets.shrink_mask[30, 60] == 0
    assert targets.shrink_mask[5, 5] == 1


def test_gap_between_neighbours_weighs_more() -> None:
    left = as_polygon([(10, 20), (60, 20), (60, 40), (10, 40)])
    right = as_polygon([(66, 20), (120, 20), (120, 40), (66, 40)])
    spec = TargetSpec(shrink_ratio=0.5, gap_weight=4.0)
    targets, _ = make_targets([left, right], [False, False], (160, 64), spec)
    assert targets.shrink_mask[30, 63] == 5
    assert targets.shrink_mask[5, 150] == 1
    assert (targets.shrink_mask[targets.shrink_map >= 0.5] == 1).all()


def test_no_polygons_and_no_threshold_maps() -> None:
    targets, masked = make_targets([], [], (64, 32), TargetSpec(shrink_ratio=0.5), with_threshold=False)
    assert masked == []
    assert targets.shrink_map.shape == (32, 64)
    assert targets.shrink_map.sum() == 0
    assert (targets.shrink_mask == 1).all()
    assert targets.threshold_map.size == targets.threshold_mask.size == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(-40, 140), st.floats(-40, 90)), min_size=4, max_size=8), min_size=0, max_size=5
    ),
    st.sampled_from(["subpixel", "whole"]),
)
def test_any_outline_gives_maps_in_range(outlines: list[list[tuple[float, float]]], drawing: str) -> None:
    polygons = [as_polygon(points) for points in outlines]
    spec = TargetSpec.model_validate({"shrink_ratio": 0.5, "drawing": drawing})
    targets, masked = make_targets(polygons, [False] * len(polygons), (96, 64), spec)
    assert len(masked) == len(polygons)
    assert np.isfinite(targets.shrink_map).all()
    assert 0 <= targets.shrink_map.min() <= targets.shrink_map.max() <= 1
    assert 0.3 - 1e-6 <= targets.threshold_map.min() <= targets.threshold_map.max() <= 0.7 + 1e-6
