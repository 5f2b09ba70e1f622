"""Weights out of an inference ONNX file, whose tensor names say nothing: operators are aligned by execution order.

The graph's convolutions, linear layers, layer normalisations and scalar affines are read in order, with batch
normalisation and scalar affines after a convolution folded into it. The deployed network's modules are recorded in the
order in which they run. Both lists must agree in kind and shape; the caller proves the result by comparing outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from ocrtune.errors import BundleError
from ocrtune.nn.layers import Affine

_Array: TypeAlias = npt.NDArray[np.float32]
_KINDS: dict[type[nn.Module], str] = {
    nn.Conv2d: "Conv",
    nn.ConvTranspose2d: "ConvTranspose",
    nn.Linear: "Linear",
    nn.LayerNorm: "LayerNorm",
    Affine: "Affine",
}


@dataclass
class GraphLayer:
    """One operator with weights.

    Attributes:
        kind: ``Conv``, ``ConvTranspose``, ``Linear``, ``LayerNorm`` or ``Affine`` (a scalar scale and bias on their own).
        weight: in torch's layout; shape [1] for ``Affine``.
        bias: [out], or [1] for ``Affine``; None where the graph has none.
        output: name of the tensor that it ends in, after what was folded into it.
    """

    kind: str
    weight: _Array
    bias: _Array | None
    output: str

    def scale_output(self, scale: _Array, shift: _Array) -> None:
        """Fold y -> scale * y + shift, each [1] or [out]."""
        channels = self.weight.shape[1 if self.kind == "ConvTranspose" else 0]
        shape = (1, -1, 1, 1) if self.kind == "ConvTranspose" else (-1, 1, 1, 1)
        self.weight = self.weight * np.broadcast_to(scale, channels).reshape(shape)
        self.bias = np.broadcast_to((0 if self.bias is None else self.bias) * scale + shift, channels).copy()


def graph_layers(path: Path) -> list[GraphLayer]:
    """The file's weighted operators in execution order.

    Raises:
        BundleError: the file is missing or no ONNX model.
    """
    try:
        graph = onnx.load(str(path)).graph
    except FileNotFoundError as error:
        raise BundleError("the ONNX file does not exist", where=path) from error
    except Exception as error:  # protobuf raises its own types
        raise BundleError(f"the file is no ONNX model: {error}", where=path) from error
    return _Reader(graph).layers


class _Reader:
    def __init__(self, graph: Any) -> None:
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.alias: dict[str, str] = {}  # tensors that Identity nodes only rename
        self.layers: list[GraphLayer] = []
        self.scaled: dict[str, tuple[str, _Array]] = {}  # product with a constant: its other factor and that
        for node in graph.node:
            self._read(node)

    def _read(self, node: Any) -> None:
        if node.op_type == "Constant":
            value = next(attribute for attribute in node.attribute if attribute.name == "value")
            self.constants[node.output[0]] = numpy_helper.to_array(value.t)
            return
        inputs = [self._name(name) for name in node.input]
        output = node.output[0]
        if node.op_type == "Identity":
            self.alias[output] = inputs[0]
        elif node.op_type == "Reshape" and all(name in self.constants for name in inputs):
            self.constants[output] = self.constants[inputs[0]].reshape(self.constants[inputs[1]].tolist())
        elif node.op_type == "MatMul" and inputs[1] in self.constants:
            weight = np.ascontiguousarray(self.constants[inputs[1]].astype(np.float32).T)
            self.layers.append(GraphLayer("Linear", weight, None, output))
        elif node.op_type == "Gemm" and inputs[1] in self.constants:
            weight = self.constants[inputs[1]].astype(np.float32)
            transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            bias = self.constants[inputs[2]].astype(np.float32) if len(inputs) > 2 else None
            self.layers.append(GraphLayer("Linear", weight if transposed else weight.T.copy(), bias, output))
        elif node.op_type == "LayerNormalization":
            weight, bias = (self.constants[name].astype(np.float32) for name in inputs[1:3])
            self.layers.append(GraphLayer("LayerNorm", weight, bias, output))
        elif node.op_type in ("Conv", "ConvTranspose"):
            bias = self.constants[inputs[2]].astype(np.float32) if len(inputs) > 2 else None
            weight = self.constants[inputs[1]].astype(np.float32)
            if weight.ndim == 3:
                weight = weight[:, :, None]  # along a line, which is a map of height 1 here
            self.layers.append(GraphLayer(node.op_type, weight, bias, output))
        elif node.op_type == "BatchNormalization":
            gamma, beta, mean, var = (self.constants[name].astype(np.float64) for name in inputs[1:5])
            epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
            scale = gamma / np.sqrt(var + epsilon)
            self._fold(inputs[0], output, scale, beta - mean * scale)
        elif node.op_type in ("Mul", "Add"):
            self._read_affine(node.op_type, inputs, output)

    def _read_affine(self, kind: str, inputs: list[str], output: str) -> None:
        constant = next((name for name in inputs if name in self.constants), None)
        if constant is None:
            return
        source = next(name for name in inputs if name != constant)
        value = self.constants[constant].astype(np.float32)
        if kind == "Mul" and value.size == 1 and source in self.scaled:
            # torch writes scale * x + bias with a further factor, 1, between them
            source, scale = self.scaled.pop(source)
            self.scaled[output] = (source, scale * value.reshape(-1))
        elif kind == "Mul" and value.ndim == 1:
            self.scaled[output] = (source, value)
        elif kind == "Add" and source in self.scaled and value.shape == self.scaled[source][1].shape:
            source, scale = self.scaled.pop(source)
            if value.size > 1:
                self.layers.append(GraphLayer("LayerNorm", scale, value, output))
            elif not self._fold(source, output, scale, value):
                self.layers.append(GraphLayer("Affine", scale, value, output))
        elif kind == "Add" and value.ndim == 1 and self.layers and self.layers[-1].output == source:
            if self.layers[-1].kind == "Linear":
                self.layers[-1].bias, self.layers[-1].output = value, output
        elif kind == "Add" and value.ndim == 4 and value.size == value.shape[1]:
            self._fold(source, output, np.ones(1), value.reshape(-1))

    def _fold(self, source: str, output: str, scale: npt.NDArray[Any], shift: npt.NDArray[Any]) -> bool:
        layer = next((layer for layer in reversed(self.layers) if layer.output == source), None)
        if layer is None or layer.kind not in ("Conv", "ConvTranspose"):
            return False
        layer.scale_output(scale.astype(np.float32), shift.astype(np.float32))
        layer.output = output
        return True

    def _name(self, name: str) -> str:
        while name in self.alias:
            name = self.alias[name]
        return name


@torch.no_grad()
def load_graph_weights(path: Path, network: nn.Module, example: torch.Tensor) -> None:
    """Fill a deployed network (see `ocrtune.nn.fuse.deployed`) with the weights of an ONNX file.

    Args:
        path: the ONNX file.
        network: deployed form, whose modules run in the same order as the graph's operators.
        example: an input on which the network runs, to record that order.

    Raises:
        BundleError: kinds or shapes of the operators differ from the network's, or it has an LSTM, whose weights a
            graph may hold in any form; nothing has been changed then.
    """
    layers, modules = graph_layers(path), _in_execution_order(network, example)
    expected = [(_KINDS[type(module)], _weight(module).shape) for _, module in modules]
    found = [(layer.kind, layer.weight.shape) for layer in layers]
    for index, (want, have) in enumerate(zip(expected, found, strict=False)):
        if want[0] != have[0] or tuple(want[1]) != tuple(have[1]):
            raise BundleError(
                f"operator {index} of the graph is {have[0]} {list(have[1])}, but the network's {modules[index][0]} "
                f"is {want[0]} {list(want[1])}",
                where=path,
                hint="the file belongs to another architecture",
            )
    if len(expected) != len(found):
        raise BundleError(
            f"the graph has {len(found)} weighted operators, the network {len(expected)}",
            where=path,
            hint="the file belongs to another architecture",
        )
    if any(isinstance(module, nn.LSTM) for module in network.modules()):
        raise BundleError(
            "the weights of an LSTM cannot be taken from an ONNX file",
            where=path,
            expected="a .pdparams, .safetensors or .pth file",
        )
    for layer, (_, module) in zip(layers, modules, strict=True):
        _weight(module).copy_(torch.from_numpy(layer.weight.copy()))
        bias = module.bias
        if isinstance(bias, torch.Tensor):
            bias.copy_(torch.zeros_like(bias) if layer.bias is None else torch.from_numpy(layer.bias.copy()))
        elif layer.bias is not None:
            raise BundleError("the graph has a bias where the network has none", where=path)


def _weight(module: nn.Module) -> torch.Tensor:
    weight = module.scale if isinstance(module, Affine) else module.weight
    assert isinstance(weight, torch.Tensor)
    return weight


def _in_execution_order(network: nn.Module, example: torch.Tensor) -> list[tuple[str, nn.Module]]:
    order: list[tuple[str, nn.Module]] = []
    hooks = [
        module.register_forward_pre_hook(lambda m, _, name=name: order.append((name, m)))
        for name, module in network.named_modules()
        if type(module) in _KINDS
    ]
    try:
        network(example)
    finally:
        for hook in hooks:
            hook.remove()
    return order
