"""Writing ONNX graphs as arithmetic on tensors: ``(x + 1.0) * y`` adds two nodes and their constants.

Of a number the type decides: ``float`` is float32, ``int`` is int64. Every operator is of the default ONNX domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
"""The first one in which ScatterElements takes the largest or smallest of what meets in one place."""
IR_VERSION = 8
"""Of that opset, so that engines of its age read the file."""
_TYPES = {"bool": TensorProto.BOOL, "int64": TensorProto.INT64, "float": TensorProto.FLOAT}
TypeName: TypeAlias = Literal["bool", "int64", "float"]
Shape: TypeAlias = Sequence[int | str]


@dataclass(frozen=True)
class Tensor:
    """A tensor of a graph under construction; operators on it add nodes."""

    graph: Graph
    name: str

    def __add__(self, other: Operand) -> Tensor:
        return self.graph.node("Add", self, other)

    def __sub__(self, other: Operand) -> Tensor:
        return self.graph.node("Sub", self, other)

    def __mul__(self, other: Operand) -> Tensor:
        return self.graph.node("Mul", self, other)

    def __truediv__(self, other: Operand) -> Tensor:
        return self.graph.node("Div", self, other)

    def __floordiv__(self, other: Operand) -> Tensor:
        """Of whole numbers that are not negative; ONNX truncates."""
        return self.graph.node("Div", self, other)

    def __mod__(self, other: Operand) -> Tensor:
        return self.graph.node("Mod", self, other)

    def __abs__(self) -> Tensor:
        return self.graph.node("Abs", self)

    def __lt__(self, other: Operand) -> Tensor:
        return self.graph.node("Less", self, other)

    def __le__(self, other: Operand) -> Tensor:
        return self.graph.node("LessOrEqual", self, other)

    def __gt__(self, other: Operand) -> Tensor:
        return self.graph.node("Greater", self, other)

    def __ge__(self, other: Operand) -> Tensor:
        return self.graph.node("GreaterOrEqual", self, other)

    def __and__(self, other: Tensor) -> Tensor:
        return self.graph.node("And", self, other)

    def __invert__(self) -> Tensor:
        return self.graph.node("Not", self)

    def equals(self, other: Operand) -> Tensor:
        return self.graph.node("Equal", self, other)

    def to(self, type_name: TypeName) -> Tensor:
        return self.graph.node("Cast", self, to=_TYPES[type_name])

    def reshape(self, *shape: int) -> Tensor:
        return self.graph.node("Reshape", self, self.graph.constant(np.array(shape, np.int64)))

    def slice(self, start: int, end: int | None, axis: int = 0) -> Tensor:
        last = np.iinfo(np.int64).max if end is None else end
        bounds = (self.graph.constant(np.array([bound], np.int64)) for bound in (start, last, axis))
        return self.graph.node("Slice", self, *bounds)

    def take(self, index: Operand, axis: int = 0) -> Tensor:
        """Entries by index along an axis."""
        return self.graph.node("Gather", self, index, axis=axis)

    def where(self, mask: Tensor) -> Tensor:
        """Entries of the first axis for which the mask, bool [N], holds."""
        return self.graph.node("Compress", self, mask, axis=0)

    def count(self) -> Tensor:
        """Length of the first axis, int64 []."""
        return self.graph.node("Shape", self, start=0, end=1).reshape()


Operand: TypeAlias = Tensor | float | int


@dataclass
class Graph:
    """Nodes and constants on their way to a model.

    Args:
        outer: the graph whose loop body this is; names are unique over both, constants are kept there.
    """

    outer: Graph | None = None
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    _constants: dict[tuple[str, tuple[int, ...], bytes], onnx.TensorProto] = field(default_factory=dict)
    _names: int = 0

    def input(self, name: str, type_name: TypeName, shape: Shape) -> Tensor:
        self.inputs.append(helper.make_tensor_value_info(name, _TYPES[type_name], shape))
        return Tensor(self, name)

    def constant(self, value: npt.NDArray[Any]) -> Tensor:
        if self.outer is not None:
            return Tensor(self, self.outer.constant(value).name)
        key = (value.dtype.str, value.shape, value.tobytes())
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(value, f"constant_{len(self._constants)}")
        return Tensor(self, self._constants[key].name)

    def node(self, operator: str, *operands: Operand, **attributes: Any) -> Tensor:
        """The output of a new node; numbers among the operands become constants."""
        names = [self._tensor(operand).name for operand in operands]
        output = f"{operator}_{self._number()}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return Tensor(self, output)

    def named(self, tensor: Tensor, name: str) -> Tensor:
        """The same tensor under a name that users see."""
        self.nodes.append(helper.make_node("Identity", [tensor.name], [name]))
        return Tensor(self, name)

    def smallest(self, *tensors: Operand) -> Tensor:
        return self.node("Min", *tensors)

    def largest(self, *tensors: Operand) -> Tensor:
        return self.node("Max", *tensors)

    def minimum(self, tensor: Tensor, axis: int) -> Tensor:
        return self.node("ReduceMin", tensor, self.constant(np.array([axis], np.int64)), keepdims=0)

    def maximum(self, tensor: Tensor, axis: int) -> Tensor:
        return self.node("ReduceMax", tensor, self.constant(np.array([axis], np.int64)), keepdims=0)

    def choose(self, mask: Tensor, yes: Operand, no: Operand) -> Tensor:
        return self.node("Where", mask, yes, no)

    def stack(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
        """Tensors side by side along a new axis."""
        at = self.constant(np.array([axis], np.int64))
        return self.join([self.node("Unsqueeze", tensor, at) for tensor in tensors], axis)

    def join(self, tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
        return self.node("Concat", *tensors, axis=axis)

    def filled(self, value: float | int, *sizes: Tensor | int) -> Tensor:
        """A tensor of one value; sizes are numbers or int64 []."""
        return self.node("Expand", value, self.join([self._tensor(size).reshape(1) for size in sizes]))

    def positions(self, count: Tensor) -> Tensor:
        """0, 1, ... for a number, int64 []."""
        return self.node("Range", 0, count, 1)

    def running_sum(self, values: Tensor, axis: int = 0, before: bool = False) -> Tensor:
        """Sums up to and with each entry; ``before`` leaves that entry out."""
        return self.node("CumSum", values, axis, exclusive=int(before))

    def nonzero(self, values: Tensor) -> Tensor:
        """Indices of what is not zero, int64 [N], of a tensor of one axis."""
        return self.node("NonZero", values).reshape(-1)

    def scattered(
        self, start: Tensor, index: Tensor, values: Tensor, reduction: Literal["add", "min", "max"]
    ) -> Tensor:
        """``start`` with each value added to, or compared with, the entry at its index along the first axis."""
        return self.node("ScatterElements", start, index, values, axis=0, reduction=reduction)

    def repeat_until_stable(self, start: Tensor, step: Graph, before: Tensor, after: Tensor) -> Tensor:
        """Apply a loop body until its result, int64 [N], is what it was given.

        Args:
            start: what it is given first.
            step: the body, with this graph as ``outer``.
            before, after: in the body, what it is given and its result.
        """
        changed = step.nonzero(after - before).count() > 0
        count, condition = f"round_{self._number()}", f"again_{self._number()}"
        body = helper.make_graph(
            step.nodes,
            "step",
            [
                helper.make_tensor_value_info(count, TensorProto.INT64, []),
                helper.make_tensor_value_info(condition, TensorProto.BOOL, []),
                helper.make_tensor_value_info(before.name, TensorProto.INT64, ["N"]),
            ],
            [
                helper.make_tensor_value_info(changed.name, TensorProto.BOOL, []),
                helper.make_tensor_value_info(after.name, TensorProto.INT64, ["N"]),
            ],
        )
        output = f"Loop_{self._number()}"
        self.nodes.append(helper.make_node("Loop", ["", "", start.name], [output], body=body))
        return Tensor(self, output)

    def model(
        self, outputs: Sequence[tuple[Tensor, TypeName, Shape]], initializers: Sequence[TensorProto] = ()
    ) -> onnx.ModelProto:
        """The finished model, checked.

        Args:
            outputs: each with its type and shape.
            initializers: of nodes that were taken over from another model.
        """
        infos = [helper.make_tensor_value_info(tensor.name, _TYPES[kind], shape) for tensor, kind, shape in outputs]
        graph = helper.make_graph(self.nodes, "ocrtune", self.inputs, infos, [*initializers, *self._constants.values()])
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="ocrtune"
        )
        onnx.checker.check_model(model)
        return model

    def _tensor(self, operand: Operand) -> Tensor:
        if isinstance(operand, Tensor):
            return operand
        return self.constant(np.array(operand, np.float32 if isinstance(operand, float) else np.int64))

    def _number(self) -> int:
        if self.outer is not None:
            return self.outer._number()
        self._names += 1
        return self._names
