"""Each stage of the graph against OpenCV and pyclipper."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pyclipper
import pytest

from ocrtune.export.boxes.components import Runs, connected_runs
from ocrtune.export.boxes.graph import Graph, Tensor, TypeName
from ocrtune.export.boxes.model import normalised
from ocrtune.export.boxes.rectangles import Points, Quads, smallest_around, smallest_rectangles
from ocrtune.export.boxes.scores import filled_quads, mean_of_runs
from ocrtune.runtime.preprocess import DetectionPreprocess

Array = npt.NDArray[np.generic]
TYPES: dict[str, TypeName] = {"bool": "bool", "int64": "int64", "float32": "float"}
Output: TypeAlias = tuple[Tensor, TypeName, int]
HEIGHT, WIDTH = 61, 83


def computed(build: Callable[..., list[Output]], *arrays: Array) -> list[npt.NDArray[np.float64]]:
    """Run a stage alone: ``build`` gets the graph and a tensor for each array, and gives tensors, types and axes."""
    g = Graph()
    inputs = [g.input(f"x{i}", TYPES[str(a.dtype)], a.shape) for i, a in enumerate(arrays)]
    model = g.model([(tensor, kind, list("NMHW"[:axes])) for tensor, kind, axes in build(g, *inputs)])
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {f"x{i}": array for i, array in enumerate(arrays)}))


@pytest.mark.parametrize("channels", ["bgr", "rgb"])
def test_pixels_become_what_the_bundle_says(channels: str) -> None:
    preprocess = DetectionPreprocess.model_validate(
        {"channels": channels, "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 1)}
    )
    image = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    blob = image.transpose(2, 0, 1)[np.newaxis].astype(np.float32) / 255.0
    (found,) = computed(lambda g, x: [(normalised(g, x, preprocess), "float", 4)], blob)
    np.testing.assert_allclose(found[0], preprocess.normalise(image), atol=1e-6)


def spiral() -> npt.NDArray[np.bool_]:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    points = [(40 + a / 6 * np.cos(a / 6), 30 + a / 6 * np.sin(a / 6)) for a in range(170)]
    cv2.polylines(mask, [np.array(points, np.int32)], False, 1)
    return mask > 0


def masks() -> dict[str, npt.NDArray[np.bool_]]:
    rng = np.random.default_rng(3)
    board = np.indices((HEIGHT, WIDTH)).sum(axis=0) % 2 == 0
    comb = np.zeros((HEIGHT, WIDTH), bool)
    comb[:, ::2] = True
    comb[-1] = True
    found = {f"noise {share}": rng.random((HEIGHT, WIDTH)) < share for share in (0.01, 0.2, 0.35, 0.5, 0.7)}
    single = np.zeros((HEIGHT, WIDTH), bool)
    single[-1, -1] = True
    fixed = {"board": board, "comb": comb, "upside-down comb": comb[::-1].copy(), "spiral": spiral(), "pixel": single}
    full = {"empty": np.zeros((HEIGHT, WIDTH), bool), "full": np.ones((HEIGHT, WIDTH), bool)}
    return {**found, **fixed, **full}


def positions(runs: Runs) -> list[Output]:
    return [(runs.first, "int64", 1), (runs.last, "int64", 1), (runs.owner, "int64", 1)]


@pytest.mark.parametrize("name", masks())
def test_components_are_those_of_opencv(name: str) -> None:
    mask = masks()[name]

    def build(g: Graph, x: Tensor) -> list[Output]:
        runs = connected_runs(g, x, WIDTH, HEIGHT)
        return [*positions(runs), (runs.components, "int64", 0)]

    first, last, owner, components = computed(build, mask)
    count, expected = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    assert components == count - 1
    labels = np.zeros(mask.size, np.int64)
    for begin, end, number in zip(first, last, owner, strict=True):
        labels[begin : end + 1] = number + 1
    assert (labels.reshape(mask.shape) > 0).tolist() == mask.tolist()
    pairs = {(a, b) for a, b in zip(labels.tolist(), expected.ravel().tolist(), strict=True)}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}), "one label for one label"


def test_rectangles_are_no_larger_than_those_of_opencv() -> None:
    rng = np.random.default_rng(5)
    shapes = []
    for _ in range(60):
        size = (rng.uniform(5, 400), rng.uniform(4, 30))
        box = cv2.boxPoints(((500, 500), size, rng.uniform(-90, 90)))
        shapes.append(np.concatenate([box, rng.normal(500, 2, (20, 2))]).round().astype(np.float32))
    shapes.append(np.array([(10, 10), (90, 10), (90, 24), (10, 24)], np.float32))
    x, y = np.concatenate(shapes).T
    owner = np.repeat(np.arange(len(shapes)), [len(shape) for shape in shapes])

    def build(g: Graph, x: Tensor, y: Tensor, owner: Tensor, count: Tensor) -> list[Output]:
        rectangles = smallest_rectangles(g, Points(x, y, owner, count))
        quads = rectangles.quads(g)
        return [(rectangles.area, "float", 1), (quads.x, "float", 2), (quads.y, "float", 2)]

    areas, xs, ys = computed(build, x.copy(), y.copy(), owner, np.array(len(shapes)))
    expected = [float(np.prod(cv2.minAreaRect(shape)[1])) for shape in shapes]
    np.testing.assert_allclose(areas, expected, rtol=1e-3)
    assert xs[-1].tolist() == [10, 90, 90, 10]
    assert ys[-1].tolist() == [10, 10, 24, 24]
    for quad, shape in zip(np.stack([xs, ys], -1), shapes, strict=True):
        assert cv2.contourArea(quad, oriented=True) > 0, "clockwise in an image"
        assert all(cv2.pointPolygonTest(quad, point.tolist(), True) > -0.05 for point in shape)


def whole_quads(count: int) -> npt.NDArray[np.float32]:
    """Whole corners of turned rectangles, some of which reach beyond the map."""
    rng = np.random.default_rng(7)
    sizes = zip(rng.uniform(3, 60, count), rng.uniform(3, 20, count), rng.uniform(0, 90, count), strict=True)
    boxes = [
        cv2.boxPoints(((rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)), (w, h), angle if i % 3 else 0))
        for i, (w, h, angle) in enumerate(sizes)
    ]
    return np.trunc(np.stack(boxes)).astype(np.float32)


def test_quads_are_filled_as_opencv_fills_them() -> None:
    quads = whole_quads(200)

    def build(g: Graph, x: Tensor, y: Tensor) -> list[Output]:
        return positions(filled_quads(g, Quads(x, y), WIDTH, HEIGHT))

    first, last, owner = computed(build, quads[..., 0].copy(), quads[..., 1].copy())
    filled = np.zeros((len(quads), HEIGHT * WIDTH), np.uint8)
    for begin, end, number in zip(first, last, owner, strict=True):
        filled[number, begin : end + 1] += 1
    assert filled.max() == 1
    expected = np.zeros((len(quads), HEIGHT, WIDTH), np.uint8)
    for mask, quad in zip(expected, quads, strict=True):
        cv2.fillPoly(mask, [quad.astype(np.int32)], 1)
    differing = (filled.reshape(expected.shape) != expected).sum(axis=(1, 2))
    assert differing[::3].sum() == 0, "upright ones"
    inside = ((quads >= 0) & (quads < (WIDTH, HEIGHT))).all(axis=(1, 2))
    assert differing[inside].sum() < 0.01 * expected[inside].sum()
    # OpenCV moves an edge that it cuts off at the image's border by up to a pixel
    assert differing.sum() < 0.03 * expected.sum()


def test_means_are_those_of_the_pixels() -> None:
    rng = np.random.default_rng(2)
    prob = rng.random((HEIGHT, WIDTH), np.float32)
    first, last = np.array([0, WIDTH, 5 * WIDTH - 1, 200, 7]), np.array([WIDTH - 1, WIDTH + 4, 5 * WIDTH - 1, 240, 6])
    owner = np.array([0, 0, 1, 2, 2])

    def build(g: Graph, prob: Tensor, *runs: Tensor) -> list[Output]:
        return [(mean_of_runs(g, prob, Runs(*runs)), "float", 1)]

    (means,) = computed(build, prob, first, last, owner, np.array(3))
    flat = prob.ravel()
    expected = [np.r_[flat[:WIDTH], flat[WIDTH : WIDTH + 5]].mean(), flat[5 * WIDTH - 1], flat[200:241].mean()]
    np.testing.assert_allclose(means, expected, atol=1e-5)


def test_quads_grow_as_pyclipper_grows_them() -> None:
    quads = whole_quads(80) + 200
    rng = np.random.default_rng(9)
    distance = rng.uniform(0, 15, len(quads)).astype(np.float32)

    def build(g: Graph, x: Tensor, y: Tensor, distance: Tensor) -> list[Output]:
        grown = smallest_around(g, Quads(x, y), distance)
        return [(grown.width, "float", 1), (grown.height, "float", 1)]

    widths, heights = computed(build, quads[..., 0].copy(), quads[..., 1].copy(), distance)
    for index, quad in enumerate(quads):
        offset = pyclipper.PyclipperOffset()
        offset.AddPath(quad.tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
        (path,) = offset.Execute(float(distance[index]))
        # theirs are of whole pixels: either side may be half a pixel longer or shorter at each end
        area, sides = widths[index] * heights[index], cv2.minAreaRect(np.array(path, np.int32))[1]
        assert area == pytest.approx(np.prod(sides), abs=sum(sides)), quad
