from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from ocrtune.export.half import half_onnx
from ocrtune.export.layers import differing_module, differing_node, differing_openvino_node
from ocrtune.export.openvino_ir import write_openvino
from ocrtune.export.torchscript import torchscript
from ocrtune.runtime.engines import OnnxEngine, OpenVinoEngine

IMAGE = np.random.default_rng(0).standard_normal((1, 3, 20, 24)).astype(np.float32)


def network(**changed: float) -> bytes:
    """Three convolutions, as ONNX; to the weights of a named one something is added."""
    rng = np.random.default_rng(1)
    nodes, tensors, before, channels = [], [], "input", 3
    for place, (name, wide) in enumerate((("stem", 8), ("neck", 8), ("head", 1))):
        weight = 0.2 * rng.standard_normal((wide, channels, 3, 3)) + changed.get(name, 0.0)
        tensors.append(numpy_helper.from_array(weight.astype(np.float32), f"w{place}"))
        nodes.append(helper.make_node("Conv", [before, f"w{place}"], [name], name=f"/{name}/Conv", pads=[1, 1, 1, 1]))
        before, channels = name, wide
    nodes.append(helper.make_node("Sigmoid", [before], ["prob"], name="/Sigmoid"))
    size = ["batch", 3, "height", "width"]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info("prob", TensorProto.FLOAT, None)],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("name", ["stem", "neck", "head"])
def test_the_first_node_that_differs_is_named(name: str, tmp_path: Path) -> None:
    damaged = network(**{name: 0.1})
    assert differing_node(network(), damaged, IMAGE, 1e-3) == f"/{name}/Conv (Conv)"
    assert differing_node(network(), half_onnx(damaged), IMAGE, 2e-2) == f"/{name}/Conv (Conv)"
    (tmp_path / "damaged.onnx").write_bytes(damaged)
    for half in (False, True):
        write_openvino(tmp_path / "damaged.onnx", tmp_path / "damaged.xml", half)
        assert differing_openvino_node(network(), tmp_path / "damaged.xml", IMAGE, 2e-2) == f"/{name}/Conv (Conv)"


def test_rounding_is_no_difference(tmp_path: Path) -> None:
    assert differing_node(network(), network(), IMAGE, 0.0) is None
    halved = half_onnx(network())
    assert differing_node(network(), halved, IMAGE, 2e-2) is None
    assert differing_node(network(), halved, IMAGE, 1e-6) == "/stem/Conv (Conv)"
    (tmp_path / "network.onnx").write_bytes(network())
    write_openvino(tmp_path / "network.onnx", tmp_path / "network.xml", True)
    assert differing_openvino_node(network(), tmp_path / "network.xml", IMAGE, 2e-2) is None


def test_half_precision_takes_and_gives_float32() -> None:
    halved = onnx.load_from_string(half_onnx(network()))
    onnx.checker.check_model(halved, full_check=True)
    for value in (*halved.graph.input, *halved.graph.output):
        assert value.type.tensor_type.elem_type == TensorProto.FLOAT
    assert {each.data_type for each in halved.graph.initializer} == {TensorProto.FLOAT16}
    before, after = OnnxEngine(network())(IMAGE), OnnxEngine(halved.SerializeToString())(IMAGE)
    assert 0 < np.abs(before - after).max() < 2e-3


def test_openvino_takes_any_size_and_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(network())
    write_openvino(path, tmp_path / "network.xml", False)
    engine = OpenVinoEngine(tmp_path / "network.xml", threads=1)
    for batch in (IMAGE, IMAGE[:, :, :13, :7], np.repeat(IMAGE, 3, 0)):
        assert np.abs(engine(batch) - OnnxEngine(path)(batch)).max() < 1e-5


class Sum(nn.Module):
    """Two branches that are added by no module of their own."""

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        return self.first(x) + self.gain * self.second(x)


def test_the_first_module_that_differs_is_named() -> None:
    torch.manual_seed(0)
    right = Sum()

    def first(gain: float = 1.0, **changes: float) -> str | None:
        other = Sum(gain)
        other.load_state_dict(
            {name: tensor + changes.get(name.replace(".", "_"), 0.0) for name, tensor in right.state_dict().items()}
        )
        exported = torch.jit.load(io.BytesIO(torchscript(other, torch.zeros(1, 3, 8, 8))))
        return differing_module(right, exported, IMAGE, 1e-3)

    assert first() is None
    assert first(first_weight=0.1) == "first (Conv2d)"
    assert first(second_0_bias=0.1) == "second.0 (Conv2d)"
    assert first(gain=2.0) == "Sum"
