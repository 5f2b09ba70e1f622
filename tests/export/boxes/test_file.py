"""The whole file: what it finds, where it runs, and what it is made of."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pytest

from ocrtune.bundle import Bundle
from ocrtune.data.synth.receipts import render_receipt
from ocrtune.detection.metric import overlaps
from ocrtune.detection.network import FAMILY
from ocrtune.errors import GateError, UsageError
from ocrtune.export.boxes.gate import StretchedPreprocess, check_boxes, gated_boxes_onnx
from ocrtune.export.boxes.graph import Graph
from ocrtune.export.boxes.model import boxes_of_map, detector_with_boxes, parsed_size
from ocrtune.export.examples import drawn_pages
from ocrtune.export.onnx import detector_onnx
from ocrtune.page import TextRegion
from ocrtune.runtime.boxes import BoxDetector
from ocrtune.runtime.decode import DetectionThresholds, ProbMap, decode_map
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.engines import OnnxBoxEngine, OnnxEngine
from ocrtune.runtime.load import detection_settings, load_detector
from ocrtune.weights.network import inference_form, load_network
from support.paths import ROOT
from support.runs import fails, ocrtune

WIDTH, HEIGHT = 416, 320
BASE = "ppocrv4-mobile-det"
WEB = "onnxruntime-web@1.30.0"
DOCUMENT = ROOT / "docs" / "onnx-boxes.md"


def found_on(prob: ProbMap, thresholds: DetectionThresholds) -> tuple[list[TextRegion], list[TextRegion]]:
    """Regions of a map from the graph and from the normal path."""
    height, width = prob.shape
    g = Graph()
    quads, mean = boxes_of_map(g, g.input("prob", "float", [1, 1, height, width]), thresholds, width, height)
    outputs = [g.named(quads.x, "x"), g.named(quads.y, "y"), g.named(mean, "scores")]
    model = g.model([(tensor, "float", list("KC"[:axes])) for tensor, axes in zip(outputs, (2, 2, 1), strict=True)])
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x, y, means = session.run(None, {"prob": prob[None, None]})
    mine = [TextRegion(q, score=float(s)) for q, s in zip(np.stack([x, y], -1), means, strict=True)]
    polygons, scores = decode_map(prob, thresholds, (width, height))
    return mine, [TextRegion(q, score=float(s)) for q, s in zip(polygons, scores, strict=True)]


def lines(seed: int, count: int = 25) -> ProbMap:
    """A map of separate text lines, each turned a little, with speckles."""
    rng = np.random.default_rng(seed)
    taken = np.zeros((HEIGHT, WIDTH), np.uint8)
    prob = (rng.random((HEIGHT, WIDTH)) > 0.999).astype(np.float32)
    for _ in range(count):
        middle = (rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT))
        rect = (middle, (rng.uniform(25, 120), rng.uniform(8, 14)), rng.choice([0.0, 0.0, 3.0, -10.0, 40.0, 90.0]))
        around = np.zeros_like(taken)
        cv2.fillPoly(
            around, [cv2.boxPoints((rect[0], (rect[1][0] + 12, rect[1][1] + 12), rect[2])).astype(np.int32)], 1
        )
        if not (around & taken).any():
            taken |= around
            cv2.fillPoly(prob, [cv2.boxPoints(rect).astype(np.int32)], 1.0)
    return np.asarray(cv2.GaussianBlur(prob, (0, 0), 1.0), np.float32)


@pytest.mark.parametrize(
    "settings",
    [{}, {"unclip_ratio": 2.2, "bin_thresh": 0.2}, {"dilation": True}, {"score_mode": "slow"}, {"unclip_ratio": 0.0}],
    ids=str,
)
def test_boxes_and_scores_are_those_of_the_normal_path(settings: dict[str, object]) -> None:
    thresholds = DetectionThresholds.model_validate(settings)
    total = 0
    for seed in range(3):
        mine, expected = found_on(lines(seed), thresholds)
        assert len(mine) == len(expected)
        for region in expected:
            near = min(mine, key=lambda other: float(np.abs(other.polygon - region.polygon).max()))
            assert np.abs(near.polygon - region.polygon).max() < 2.0
            assert near.score == pytest.approx(region.score, abs=0.1)
        total += len(expected)
    assert total > 20


def test_an_empty_page_has_no_boxes() -> None:
    assert found_on(np.zeros((HEIGHT, WIDTH), np.float32), DetectionThresholds()) == ([], [])


def test_a_page_of_text_is_one_box() -> None:
    ((box,), (expected,)) = found_on(np.ones((HEIGHT, WIDTH), np.float32), DetectionThresholds())
    assert box.polygon.tolist() == expected.polygon.tolist() == [[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]]
    assert box.score == pytest.approx(1)


def test_noise_of_single_pixels_is_no_text() -> None:
    noise = np.zeros((HEIGHT, WIDTH), np.float32)
    noise[::3, ::3] = 1
    noise[1, 0:2] = 1
    assert found_on(noise, DetectionThresholds(box_thresh=0))[0] == []


def test_thousands_of_regions_are_all_found() -> None:
    prob = np.zeros((1024, 1280), np.float32)
    cell = np.zeros((16, 16), np.float32)
    cell[4:9, 3:12] = 0.9
    prob[:] = np.tile(cell, (64, 80))
    mine, expected = found_on(prob, DetectionThresholds(max_candidates=10_000))
    assert len(mine) == len(expected) == 64 * 80
    assert len(np.unique(overlaps(mine, expected).label)) == 64 * 80
    assert mine[0].polygon.max() < 16, "in the order of the page"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("boxes") / "model_800x800.onnx"
    shown = json.loads(ocrtune("export", BASE, "--format", "onnx-boxes", "--out", path, "--json").stdout)
    assert shown["gate"]["boxes_equal"] >= 0.95
    assert shown["gate"]["hmean_before"] == shown["gate"]["hmean_after"] > 0.9
    return path


@pytest.fixture(scope="module")
def image() -> npt.NDArray[np.uint8]:
    return drawn_pages()[0].load()


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_documented_snippets_run_as_written(
    exported: Path, image: npt.NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(exported.parent)
    cv2.imwrite("test.jpg", image)
    stretching, keeping = snippets("python")
    names: dict[str, npt.NDArray[np.float32]] = {}
    exec(stretching, names)
    height, width = image.shape[:2]
    scale = np.array([width, height], np.float32) / 800
    texts = drawn_pages()[0].regions
    for _ in range(2):
        boxes = names["boxes"].reshape(-1, 4, 2) * scale
        found = overlaps(texts, [TextRegion(box) for box in boxes])
        assert len(np.unique(found.label[found.iou > 0.5])) == len(texts) == len(boxes) == len(names["scores"])
        exec(keeping, names)
        scale = np.ones(2, np.float32)


def operators(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return [*graph.node, *(node for body in inner for node in operators(body))]


def test_the_file_is_standard_onnx_of_a_fixed_size(exported: Path) -> None:
    model = onnx.load(exported)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert {node.domain for node in operators(model.graph)} == {""}
    assert not model.functions
    session = ort.InferenceSession(exported, providers=["CPUExecutionProvider"])
    assert [(value.name, value.type, value.shape) for value in (*session.get_inputs(), *session.get_outputs())] == [
        ("input", "tensor(float)", [1, 3, 800, 800]),
        ("boxes", "tensor(float)", ["K", 8]),
        ("scores", "tensor(float)", ["K"]),
    ]
    boxes, scores = session.run(None, {"input": np.ones((1, 3, 800, 800), np.float32)})
    assert (boxes.shape, scores.shape) == ((0, 8), (0,))


def test_it_runs_in_javascript(exported: Path, image: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    """The documented lines, in onnxruntime-web's WebAssembly build, which is what browsers run."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("node and npm are needed here and absent")
        pytest.skip("node or npm is absent")
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(tmp_path), WEB]
    subprocess.run(install, check=True, capture_output=True)
    resized = cv2.resize(image, (800, 800))
    cv2.cvtColor(resized, cv2.COLOR_BGR2RGBA).tofile(tmp_path / "rgba")
    (documented,) = snippets("javascript")
    script = f"""
        import {{ readFileSync }} from "node:fs";
        const [model, rgba] = [readFileSync("{exported}"), readFileSync("rgba")];
        {documented}
        console.log(JSON.stringify([Array.from(boxes.data), Array.from(scores.data)]));
    """
    (tmp_path / "run.mjs").write_text(script, encoding="utf-8")
    done = subprocess.run(["node", "run.mjs"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    boxes, scores = json.loads(done.stdout)
    blob = resized.transpose(2, 0, 1)[np.newaxis].astype(np.float32) / 255.0
    expected = OnnxBoxEngine(exported)(blob)
    np.testing.assert_allclose(np.reshape(boxes, (-1, 8)), expected[0], atol=0.05)
    np.testing.assert_allclose(scores, expected[1], atol=1e-3)


def test_the_gate_passes_equal_files_and_refuses_others(v4_mobile: Bundle) -> None:
    pages = [render_receipt(11, index) for index in range(2)]
    _, result = gated_boxes_onnx(v4_mobile, 480, 704, pages)
    assert result.pages == 2
    assert result.boxes > 20
    assert result.boxes_equal >= 0.97
    preprocess, thresholds = detection_settings(v4_mobile)
    other = thresholds.model_copy(update={"unclip_ratio": 0.6})
    model = detector_with_boxes(onnx.load(v4_mobile.onnx), preprocess, other, 480, 704)
    with pytest.raises(GateError, match="differs from the normal path"):
        check_boxes(load_detector(v4_mobile), BoxDetector(OnnxBoxEngine(model.SerializeToString())), pages)


def test_networks_of_the_training_are_taken_over() -> None:
    """Their files come from another exporter than the published ones, in another operator set."""
    content = detector_onnx(inference_form(FAMILY, load_network(FAMILY, BASE).model))
    preprocess, thresholds = StretchedPreprocess(width=480, height=704), DetectionThresholds()
    model = detector_with_boxes(onnx.load_from_string(content), preprocess, thresholds, 480, 704)
    normal = TextDetector(OnnxEngine(content), preprocess, thresholds)
    result = check_boxes(normal, BoxDetector(OnnxBoxEngine(model.SerializeToString())), [render_receipt(11, 0)])
    assert result.boxes > 10
    assert result.boxes_equal >= 0.97


def test_impossible_wishes_are_refused(v4_mobile: Bundle, tmp_path: Path) -> None:
    assert parsed_size("1536x320") == (1536, 320)
    for text in ("800", "800x801", "288x800", "800x1568", "x", "800x-800", "dynamic"):
        with pytest.raises(UsageError, match="no file can be made"):
            parsed_size(text)
    preprocess, thresholds = detection_settings(v4_mobile)
    outlines = thresholds.model_copy(update={"box_type": "poly"})
    with pytest.raises(UsageError, match="have four"):
        detector_with_boxes(onnx.load(v4_mobile.onnx), preprocess, outlines, 320, 320)
    out = tmp_path / "no.onnx"
    fails(2, "export", BASE, "--format", "onnx-boxes", "--size", "800x81", "--out", out, says="in steps of 32")
    fails(2, "export", BASE, "--size", "800x800", "--out", out, says="expected: dynamic")
    assert not out.exists()
