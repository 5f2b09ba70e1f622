from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from ocrtune.errors import BundleError
from ocrtune.runtime.engines import OnnxEngine
from ocrtune.runtime.graph import Model, read_model, simplify
from ocrtune.weights.registry import published_bundle

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 7, 9)).astype(np.float32)


def constant(value: npt.ArrayLike) -> npt.NDArray[np.float32]:
    return np.asarray(value, np.float32)


def convolution(x: str, out: str, pad: int = 0, bias: bool = True, groups: int = 1) -> tuple[list[object], Model]:
    """A node and its weights, of 4 channels."""
    weight = RNG.normal(size=(4, 4 // groups, 1 + 2 * pad, 1 + 2 * pad))
    names = [f"{out}_w", f"{out}_b"][: 1 + bias]
    values = [constant(weight), constant(RNG.normal(size=4))][: 1 + bias]
    node = helper.make_node("Conv", [x, *names], [out], pads=[pad] * 4, group=groups)
    return [node], dict(zip(names, values, strict=True))


def hard_swish(x: str, out: str) -> list[object]:
    """As PaddleOCR's files spell it."""
    return [
        helper.make_node("Add", [x, "three"], [f"{out}_1"]),
        helper.make_node("Clip", [f"{out}_1", "zero", "six"], [f"{out}_2"]),
        helper.make_node("Mul", [x, f"{out}_2"], [f"{out}_3"]),
        helper.make_node("Div", [f"{out}_3", "six"], [out]),
    ]


def scaled(x: str, out: str, number: str) -> list[object]:
    """A learnt scale and shift of one number each."""
    return [
        helper.make_node("Mul", [f"{number}_scale", x], [f"{out}_1"]),
        helper.make_node("Add", [f"{out}_1", f"{number}_shift"], [out]),
    ]


def model(nodes: list[object], weights: dict[str, npt.NDArray[np.float32]], outputs: tuple[str, ...] = ("y",)) -> Model:
    numbers = {"zero": 0.0, "three": 3.0, "six": 6.0}
    numbers |= {"a_scale": 1.7, "a_shift": -0.4, "b_scale": -0.03, "b_shift": 0.6}
    tensors = {**weights, **{name: constant([value]) for name, value in numbers.items()}}
    tensors |= {"zero": constant(0.0), "six": constant(6.0)}
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4, None, None])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=8)


def block(pad: int, groups: int, bias: bool = True) -> Model:
    """Convolution, scale, hard swish, scale, convolution: what PP-LCNetV3 is made of."""
    first, weights = convolution("x", "c", bias=bias)
    second, more = convolution("s", "y", pad, bias, groups)
    nodes = [*first, *scaled("c", "a", "a"), *hard_swish("a", "h"), *scaled("h", "s", "b"), *second]
    return model(nodes, {**weights, **more})


def run(of: Model, x: npt.NDArray[np.float32] = X) -> list[npt.NDArray[np.float32]]:
    """As the graph says: nothing is optimised."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return list(ort.InferenceSession(of.SerializeToString(), options).run(None, {of.graph.input[0].name: x}))


def simplified(of: Model) -> Counter[str]:
    """Simplify a graph, compare what it gives, and count its operators."""
    before = run(of)
    simplify(of)
    for right, found in zip(before, run(of), strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-5)
    return Counter(node.op_type for node in of.graph.node)


@pytest.mark.parametrize("bias", [True, False])
def test_scales_and_shifts_go_into_the_convolutions(bias: bool) -> None:
    assert simplified(block(pad=0, groups=1, bias=bias)) == {"Conv": 2, "HardSigmoid": 1, "Mul": 1}


def test_the_shift_before_a_padded_convolution_stays() -> None:
    assert simplified(block(pad=1, groups=4)) == {"Conv": 2, "HardSigmoid": 1, "Mul": 1, "Add": 1}


def test_what_is_needed_elsewhere_stays() -> None:
    first, weights = convolution("x", "c")
    second, more = convolution("s", "y", groups=4)
    nodes = [*first, *scaled("c", "a", "a"), *hard_swish("a", "h"), *scaled("h", "s", "b"), *second]
    everything = ("y", "c", "a", "h_1", "h_2", "h_3", "h", "s")
    seen = model(nodes, {**weights, **more}, everything)
    before = Counter(node.op_type for node in seen.graph.node)
    assert simplified(seen) == before


@pytest.mark.parametrize(("three", "six"), [(2.5, 6.0), (3.0, 5.0)])
def test_another_activation_is_no_hard_swish(three: float, six: float) -> None:
    other = model(hard_swish("x", "y"), {})
    for tensor, value in (("three", constant([three])), ("six", constant(six))):
        index = next(i for i, each in enumerate(other.graph.initializer) if each.name == tensor)
        other.graph.initializer[index].CopyFrom(numpy_helper.from_array(value, tensor))
    assert simplified(other)["HardSigmoid"] == 0


def test_what_the_body_of_a_branch_takes_stays() -> None:
    first, weights = convolution("x", "c")
    branch = helper.make_graph(
        [helper.make_node("Relu", ["c"], ["inside"])],
        "branch",
        [],
        [helper.make_tensor_value_info("inside", TensorProto.FLOAT, None)],
    )
    nodes = [
        *first,
        *scaled("c", "a", "a"),
        helper.make_node("If", ["yes"], ["b"], then_branch=branch, else_branch=branch),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    looped = model(nodes, weights)
    looped.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    assert simplified(looped) == {"Conv": 1, "Mul": 1, "Add": 2, "If": 1}


@pytest.mark.parametrize(
    ("name", "shape", "less"),
    [
        ("ppocrv4-mobile-det", (1, 3, 96, 160), 130),
        ("ppocrv4-mobile-rec", (2, 3, 48, 96), 145),
        ("ppocr-mobile-ori", (2, 3, 48, 192), 30),
        ("ppocrv6-small-rec", (1, 3, 48, 64), 0),
    ],
)
def test_published_networks_give_the_same_with_fewer_operators(name: str, shape: tuple[int, ...], less: int) -> None:
    file = published_bundle(name).onnx
    network, x = read_model(file), RNG.normal(size=shape).astype(np.float32)
    operators = Counter(node.op_type for node in network.graph.node if node.op_type != "Constant")
    before = run(network, x)[0]
    simplify(network)
    after = Counter(node.op_type for node in network.graph.node if node.op_type != "Constant")
    assert operators.total() - after.total() >= less
    assert np.abs(run(network, x)[0] - before).max() < 5e-5
    assert np.abs(OnnxEngine(file, 1)(x) - before).max() < 5e-5


def test_averages_over_large_areas_are_exact() -> None:
    """ONNX Runtime's own average of these pixels is 5.7e-4 off."""
    same = numpy_helper.from_array(np.eye(16, dtype=np.float32).reshape(16, 16, 1, 1), "same")
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "same"], ["c"]),  # what follows a convolution is computed in its layout
            helper.make_node("GlobalAveragePool", ["c"], ["y"]),
        ],
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 16, None, None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [same],
    )
    for opset in (12, 18):
        averages = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        found = OnnxEngine(averages.SerializeToString(), 1)(np.full((1, 16, 240, 240), 0.1, np.float32))
        np.testing.assert_allclose(found, 0.1, rtol=1e-4)


@pytest.mark.parametrize(
    ("content", "said"), [(b"no network", "no ONNX model"), (b"", "no ONNX model: it gives nothing")]
)
def test_a_damaged_file_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(content)
    with pytest.raises(BundleError, match=said) as caught:
        OnnxEngine(file)
    assert caught.value.where == str(file)
    with pytest.raises(BundleError, match="does not exist"):
        OnnxEngine(tmp_path / "none.onnx")
