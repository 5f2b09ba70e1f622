"""Weights out of an inference ONNX file, whose tensor names say nothing: operators are aligned by execution order.

The graph's convolutions, linear layers, LSTM layers, layer normalisations, learned positions and scalar affines are read
in order, with batch normalisation and scalar affines after a convolution folded into it. The deployed network's modules
are recorded in the order in which they run. Both lists must agree in kind and shape; the caller proves the result by
comparing outputs.
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
from onnx.reference import ReferenceEvaluator
from torch import nn

from ocrtune.errors import BundleError
from ocrtune.nn.layers import Affine, Positions

_Array: TypeAlias = npt.NDArray[np.float32]
_KINDS: dict[type[nn.Module], str] = {
    nn.Conv2d: "Conv",
    nn.ConvTranspose2d: "ConvTranspose",
    nn.Linear: "Linear",
    nn.LayerNorm: "LayerNorm",
    nn.LSTM: "LSTM",
    Affine: "Affine",
    Positions: "Positions",
}


@dataclass
class GraphLayer:
    """One operator with weights.

    Attributes:
        kind: ``Conv``, ``ConvTranspose``, ``Linear``, ``LSTM``, ``LayerNorm``, ``Positions`` or ``Affine`` (a scalar
            scale and bias on their own).
        weight: in torch's layout; [1] for ``Affine``; [directions, 4 hidden, in + hidden] for ``LSTM``, what it multiplies
            its input with before what it multiplies its state with.
        bias: [out]; [1] for ``Affine``; [directions, 4 hidden, 2] for ``LSTM``; None where the graph has none.
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
        elif inputs and all(name in self.constants for name in inputs if name):
            given = {there: self.constants[name] for there, name in zip(node.input, inputs, strict=True) if name}
            for name, value in zip(node.output, ReferenceEvaluator(node).run(None, given), strict=True):
                self.constants[name] = value
        elif node.op_type == "LSTM":
            weight, state = (self._gates(self.constants[name]) for name in inputs[1:3])
            has_bias = len(inputs) > 3 and inputs[3]
            bias = np.stack(np.split(self.constants[inputs[3]], 2, axis=1), axis=-1) if has_bias else None
            self.layers.append(
                GraphLayer(
                    "LSTM", np.concatenate([weight, state], axis=2), None if bias is None else self._gates(bias), output
                )
            )
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
        elif kind == "Add" and value.ndim == 3 and value.shape[1] > 1:
            self.layers.append(GraphLayer("Positions", value, None, output))
        elif kind == "Add" and value.ndim == 4 and value.size == value.shape[1]:
            self._fold(source, output, np.ones(1), value.reshape(-1))

    def _fold(self, source: str, output: str, scale: npt.NDArray[Any], shift: npt.NDArray[Any]) -> bool:
        layer = next((layer for layer in reversed(self.layers) if layer.output == source), None)
        if layer is None or layer.kind not in ("Conv", "ConvTranspose"):
            return False
        layer.scale_output(scale.astype(np.float32), shift.astype(np.float32))
        layer.output = output
        return True

    @staticmethod
    def _gates(array: npt.NDArray[Any]) -> _Array:
        """[directions, 4 hidden, ...] from ONNX's order of gates (input, output, forget, cell) into torch's."""
        into, out, forget, cell = np.split(array.astype(np.float32), 4, axis=1)
        return np.concatenate([into, forget, cell, out], axis=1)

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
        BundleError: kinds or shapes of the operators differ from the network's; nothing has been changed then.
    """
    layers, slots = graph_layers(path), _in_execution_order(network, example)
    for index, (slot, layer) in enumerate(zip(slots, layers, strict=False)):
        if (slot.kind, slot.shape) != (layer.kind, layer.weight.shape):
            raise BundleError(
                f"operator {index} of the graph is {layer.kind} {list(layer.weight.shape)}, but the network's "
                f"{slot.name} is {slot.kind} {list(slot.shape)}",
                where=path,
                hint="the file belongs to another architecture",
            )
    if len(slots) != len(layers):
        raise BundleError(
            f"the graph has {len(layers)} weighted operators, the network {len(slots)}",
            where=path,
            hint="the file belongs to another architecture",
        )
    for slot, layer in zip(slots, layers, strict=True):
        if layer.bias is not None and not slot.biases:
            raise BundleError(f"the graph has a bias where the network's {slot.name} has none", where=path)
    for slot, layer in zip(slots, layers, strict=True):
        slot.fill(layer)


@dataclass(frozen=True)
class _Slot:
    """Where the weights of one operator go.

    Attributes:
        name: of the module.
        kind: as in `GraphLayer`.
        weights: tensors that the weight is spread over: one, or two of each direction of an LSTM layer.
        biases: the same for the bias; empty where there is none.
    """

    name: str
    kind: str
    weights: list[torch.Tensor]
    biases: list[torch.Tensor]

    @property
    def shape(self) -> tuple[int, ...]:
        """What the operator's weight must have."""
        if self.kind != "LSTM":
            return tuple(self.weights[0].shape)
        into, state = self.weights[:2]
        return len(self.weights) // 2, into.shape[0], into.shape[1] + state.shape[1]

    def fill(self, layer: GraphLayer) -> None:
        """Copy an operator of the same kind and shape."""
        weight, bias = torch.from_numpy(layer.weight.copy()), layer.bias
        if self.kind == "LSTM":
            width = self.weights[0].shape[1]
            parts = [part for direction in weight for part in (direction[:, :width], direction[:, width:])]
        else:
            parts = [weight]
        for tensor, part in zip(self.weights, parts, strict=True):
            tensor.copy_(part)
        for number, tensor in enumerate(self.biases):
            if bias is None:
                tensor.zero_()
            else:
                tensor.copy_(torch.from_numpy(bias[number // 2, :, number % 2] if self.kind == "LSTM" else bias))


def _in_execution_order(network: nn.Module, example: torch.Tensor) -> list[_Slot]:
    order: list[_Slot] = []
    hooks = [
        module.register_forward_pre_hook(lambda m, _, name=name: order.extend(_slots(name, m)))
        for name, module in network.named_modules()
        if type(module) in _KINDS
    ]
    try:
        network(example)
    finally:
        for hook in hooks:
            hook.remove()
    return order


def _slots(name: str, module: nn.Module) -> list[_Slot]:
    kind = _KINDS[type(module)]
    if isinstance(module, nn.LSTM):
        ends = ("", "_reverse") if module.bidirectional else ("",)
        return [
            _Slot(
                f"{name}, layer {layer}",
                kind,
                [getattr(module, f"weight_{of}_l{layer}{end}") for end in ends for of in ("ih", "hh")],
                [getattr(module, f"bias_{of}_l{layer}{end}") for end in ends for of in ("ih", "hh") if module.bias],
            )
            for layer in range(module.num_layers)
        ]
    weight = module.scale if isinstance(module, Affine) else module.weight
    bias = getattr(module, "bias", None)
    assert isinstance(weight, torch.Tensor)
    return [_Slot(name, kind, [weight], [bias] if isinstance(bias, torch.Tensor) else [])]
