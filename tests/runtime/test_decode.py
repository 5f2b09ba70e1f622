from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrtune.runtime.decode import DetectionThresholds, decode_map
from support.golden import load_arrays, load_json

NAMES = {
    "thresh": "bin_thresh",
    "box_thresh": "box_thresh",
    "max_candidates": "max_candidates",
    "unclip_ratio": "unclip_ratio",
    "score_mode": "score_mode",
    "box_type": "box_type",
    "use_dilation": "dilation",
}
OFFICIAL_DEFAULTS = {"bin_thresh": 0.3, "box_thresh": 0.7, "max_candidates": 1000, "unclip_ratio": 2.0}


def test_boxes_are_those_of_the_official_code() -> None:
    golden, arrays = load_json("postprocess.json"), load_arrays("postprocess.npz")
    compared = 0
    for name, info in golden["maps"].items():
        stored = arrays[next(key for key in arrays if name in key)]
        prob = stored.astype(np.float32).reshape(info["map_shape"])
        prob = prob / 255 if prob.max() > 1 else prob
        height, width = info["src_h_w"]
        for setting, config in golden["configs"].items():
            values = OFFICIAL_DEFAULTS | {NAMES[key]: value for key, value in config.items()}
            polygons, scores = decode_map(prob, DetectionThresholds.model_validate(values), (width, height))
            expected = golden["results"][name][setting]
            assert len(polygons) == len(expected["points"]), (name, setting)
            for mine, theirs in zip(polygons, expected["points"], strict=True):
                assert mine.shape == np.shape(theirs), (name, setting)
                assert np.abs(mine - np.array(theirs)).max() <= 1, (name, setting)
            np.testing.assert_allclose(scores, expected["scores"], atol=1e-5)
            compared += 1
    assert compared == len(golden["maps"]) * len(golden["configs"]) > 0


def test_a_shrunk_box_comes_back_in_its_own_size() -> None:
    prob = np.zeros((96, 160), np.float32)
    cv2.rectangle(prob, (30, 40), (109, 51), 1.0, -1)  # 80 x 12 pixels
    polygons, scores = decode_map(prob, DetectionThresholds(unclip_ratio=1.5), (320, 192))
    assert len(polygons) == 1
    assert scores[0] == pytest.approx(1.0, abs=0.05)
    # area * ratio / perimeter of the outline through pixel centres, doubled by the source's size
    offset = 79 * 11 * 1.5 / (2 * (79 + 11))
    low, high = polygons[0].min(axis=0), polygons[0].max(axis=0)
    assert low == pytest.approx([2 * (30 - offset), 2 * (40 - offset)], abs=3)
    assert high == pytest.approx([2 * (109 + offset), 2 * (51 + offset)], abs=3)


def test_empty_and_full_maps() -> None:
    assert decode_map(np.zeros((32, 32), np.float32), DetectionThresholds(), (32, 32))[0] == []
    polygons, _ = decode_map(np.ones((32, 64), np.float32), DetectionThresholds(), (64, 32))
    assert len(polygons) == 1
    assert polygons[0].min() >= 0
    assert (polygons[0].max(axis=0) <= (64, 32)).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["quad", "poly"]), st.sampled_from(["fast", "slow"]), st.booleans())
def test_any_map_gives_outlines_inside_the_image(seed: int, box_type: str, score_mode: str, dilation: bool) -> None:
    rng = np.random.default_rng(seed)
    prob = cv2.GaussianBlur(rng.random((64, 96)).astype(np.float32), (0, 0), 1.5)
    prob = (prob - prob.min()) / np.ptp(prob)
    thresholds = DetectionThresholds.model_validate(
        {"box_type": box_type, "score_mode": score_mode, "dilation": dilation, "box_thresh": 0.3, "bin_thresh": 0.5}
    )
    polygons, scores = decode_map(prob.astype(np.float32), thresholds, (200, 100))
    assert len(polygons) == len(scores)
    for polygon in polygons:
        assert polygon.dtype == np.float32
        assert polygon.shape[1] == 2
        assert (polygon >= 0).all()
        assert (polygon <= (200, 100)).all()
