"""A detector's ONNX file with pre-processing before it and box extraction behind it."""

from __future__ import annotations

import numpy as np
import onnx

from ocrtune.errors import BundleError, UsageError
from ocrtune.export.boxes.components import connected_runs
from ocrtune.export.boxes.graph import OPSET, Graph, Tensor
from ocrtune.export.boxes.rectangles import (
    MIN_SIDE,
    Quads,
    large_enough,
    outermost_points,
    smallest_around,
    smallest_rectangles,
)
from ocrtune.export.boxes.scores import filled_quads, mean_of_runs
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.runtime.preprocess import DetectionPreprocess

SIZES = range(320, 1537, 32)
"""Widths and heights that a file can be made for."""


def detector_with_boxes(
    network: onnx.ModelProto,
    preprocess: DetectionPreprocess,
    thresholds: DetectionThresholds,
    width: int,
    height: int,
) -> onnx.ModelProto:
    """One graph from pixels to boxes, for images of one size.

    Args:
        network: a detector, normalised float32 [1, 3, H, W] -> probability map [1, 1, H, W].
        preprocess, thresholds: of its bundle; how pages are resized is left to whoever runs the file.
        width, height: of the images, in pixels; see `parsed_size`.

    Returns:
        ``input`` float32 [1, 3, height, width], BGR from 0 to 1 -> ``boxes`` float32 [K, 8], corners x, y clockwise from
        the top left in input pixels, in the order of their first pixels, and ``scores`` float32 [K].

    Raises:
        UsageError: the bundle finds outlines of more than four corners.
        BundleError: the network cannot be brought to this operator set.
    """
    if thresholds.box_type != "quad":
        raise UsageError(
            "the bundle finds outlines of any number of corners, and the boxes of this format have four",
            where="thresholds.box_type",
            hint="--format onnx gives the probability map for a decoding of your own",
        )
    g = Graph()
    image = g.input("input", "float", [1, 3, height, width])
    prob, weights = _run(g, network, normalised(g, image, preprocess))
    quads, scores = boxes_of_map(g, prob.reshape(1, 1, height, width), thresholds, width, height)
    boxes = g.stack([quads.x, quads.y], axis=2).reshape(-1, 8)
    return g.model([(g.named(boxes, "boxes"), "float", ["K", 8]), (g.named(scores, "scores"), "float", ["K"])], weights)


def normalised(g: Graph, image: Tensor, preprocess: DetectionPreprocess) -> Tensor:
    """An image, float32 [1, 3, H, W], BGR from 0 to 1, in the network's range and order of channels."""
    if preprocess.channels == "rgb":
        image = image.take(g.constant(np.array([2, 1, 0])), axis=1)
    mean, std = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in (preprocess.mean, preprocess.std))
    return (image - g.constant(mean)) / g.constant(std)


def boxes_of_map(
    g: Graph, prob: Tensor, thresholds: DetectionThresholds, width: int, height: int
) -> tuple[Quads, Tensor]:
    """What `ocrtune.runtime.decode.decode_map` does, stage by stage.

    Args:
        prob: float32 [1, 1, height, width], 0 to 1.

    Returns:
        the quads and their scores, float32 [K].
    """
    seen = g.node("MaxPool", prob, kernel_shape=[2, 2], pads=[1, 1, 0, 0]) if thresholds.dilation else prob
    prob = prob.reshape(height, width)
    runs = connected_runs(g, seen.reshape(height, width) > thresholds.bin_thresh, width, height)
    runs = large_enough(g, runs, width)
    rectangles = smallest_rectangles(g, outermost_points(g, runs, width))
    whole = rectangles.quads(g).truncated()
    # filled contours include holes, which are left out here: they are below the threshold and rare
    score = mean_of_runs(g, prob, runs if thresholds.score_mode == "slow" else filled_quads(g, whole, width, height))

    kept = (rectangles.short_side(g) >= MIN_SIDE) & (score >= thresholds.box_thresh)
    rectangles, whole, score = rectangles.where(kept), whole.where(kept), score.where(kept)
    distance = rectangles.area * thresholds.unclip_ratio / ((rectangles.width + rectangles.height) * 2.0)
    grown = smallest_around(g, whole, distance)
    kept = grown.short_side(g) >= MIN_SIDE + 2
    return grown.where(kept).quads(g).clipped(g, width, height), score.where(kept)


def _run(g: Graph, network: onnx.ModelProto, image: Tensor) -> tuple[Tensor, list[onnx.TensorProto]]:
    """The network's output for an image, and its weights."""
    try:
        network = onnx.version_converter.convert_version(network, OPSET)
    except Exception as error:  # the converter raises what its C++ code raises
        raise BundleError(f"the network cannot be brought to ONNX operator set {OPSET}: {error}") from error
    network = onnx.compose.add_prefix(network, "network/")
    weights = {tensor.name for tensor in network.graph.initializer}
    (name,) = (value.name for value in network.graph.input if value.name not in weights)
    g.nodes.append(onnx.helper.make_node("Identity", [image.name], [name]))
    g.nodes.extend(network.graph.node)
    return Tensor(g, network.graph.output[0].name), list(network.graph.initializer)


def parsed_size(text: str) -> tuple[int, int]:
    """Width and height, as a user names them.

    Raises:
        UsageError: no file can be made for that.
    """
    width, separator, height = text.partition("x")
    if separator and width.isdecimal() and height.isdecimal() and int(width) in SIZES and int(height) in SIZES:
        return int(width), int(height)
    raise UsageError(
        f"no file can be made for the size '{text}'",
        where="--size",
        expected=f"WIDTHxHEIGHT, each {SIZES[0]} to {SIZES[-1]} in steps of {SIZES.step}, for example 800x800",
    )
