"""What is changed in a network's ONNX graph before it runs: less work, or less data to take out; the same numbers.

ONNX Runtime and OpenVINO optimise graphs themselves. Here is what they leave: ONNX Runtime runs activations that are spelled
out in four operators and learnt scales of one number as operators of their own, which takes half of PP-OCRv4's time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ocrtune.errors import BundleError

Model: TypeAlias = Any
"""``onnx.ModelProto``; the package is imported where it is used, since it takes 0.1 s."""
_Node: TypeAlias = Any


def read_model(model: Path | bytes) -> Model:
    """An ONNX file as a graph.

    Args:
        model: path of an ``.onnx`` file, or its bytes.

    Raises:
        BundleError: the file is missing or no ONNX model.
    """
    import onnx

    try:
        loaded = onnx.load_from_string(model.read_bytes() if isinstance(model, Path) else model)
    except FileNotFoundError as error:
        raise BundleError("the ONNX file does not exist", where=named(model)) from error
    except Exception as error:  # protobuf raises its own types
        raise BundleError(f"the file is no ONNX model: {error}", where=named(model)) from error
    if not loaded.graph.output:
        raise BundleError("the file is no ONNX model: it gives nothing", where=named(model))
    return loaded


def named(model: Path | bytes) -> Path | str:
    """What messages call a file or its bytes."""
    return model if isinstance(model, Path) else "ONNX bytes"


def give_best_class(model: Model) -> None:
    """Let a recogniser give each column's best class, int64 [N, T], and its probability instead of all probabilities.

    With 18,710 classes the probabilities of one line are 3 MB: copying and searching them in Python takes longer than
    the network does.
    """
    import onnx

    graph = model.graph
    probabilities = graph.output[0].name
    graph.node.extend(
        [
            onnx.helper.make_node("ArgMax", [probabilities], ["best_class"], axis=2, keepdims=0),
            onnx.helper.make_node("ReduceMax", [probabilities], ["best_probability"], axes=[2], keepdims=0),
        ]
    )
    del graph.output[:]
    graph.output.extend(
        [
            onnx.helper.make_tensor_value_info("best_class", onnx.TensorProto.INT64, None),
            onnx.helper.make_tensor_value_info("best_probability", onnx.TensorProto.FLOAT, None),
        ]
    )


def simplify(model: Model) -> None:
    """Merge what ONNX Runtime does not: hard swish in four operators, and scales of one number beside convolutions.

    Float32 results differ by rounding alone.
    """
    graph = _Graph(model)
    for div in graph.of_type("Div"):
        _merge_hard_swish(graph, div)
    for conv in graph.of_type("Conv"):
        _merge_numbers(graph, conv)
    graph.write()


def keep_means_exact(model: Model) -> None:
    """Average with ReduceMean: ONNX Runtime's fastest graph level sums what GlobalAveragePool gives less exactly.

    On large white pages that changes a detector's probabilities by up to 1.6e-3.
    """
    import onnx

    version = max(opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx"))
    for node in model.graph.node:
        if node.op_type == "GlobalAveragePool":
            node.op_type = "ReduceMean"
            if version < 18:
                node.attribute.append(onnx.helper.make_attribute("axes", [2, 3]))
            else:
                name = f"{node.output[0]}_axes"
                model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2, 3]), name))
                node.input.append(name)
            node.attribute.append(onnx.helper.make_attribute("keepdims", 1))


class _Graph:
    """A graph whose nodes can be looked up by what they take and give.

    Attributes:
        constants: arrays by name.
    """

    def __init__(self, model: Model) -> None:
        import onnx

        self._graph = model.graph
        self._nodes = list(model.graph.node)
        self._gone: set[int] = set()  # of nodes, by id: they are kept alive by the list
        self._outputs = {output.name for output in model.graph.output}
        self.constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self._producers: dict[str, _Node] = {}
        self._users: dict[str, list[_Node]] = defaultdict(list)
        for node in self._nodes:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
            for name in node.output:
                self._producers[name] = node
            for name in node.input:
                self._users[name].append(node)
            self._outputs.update(_taken_inside(node))

    def of_type(self, op_type: str) -> list[_Node]:
        return [node for node in self._nodes if node.op_type == op_type]

    def user(self, name: str) -> _Node:
        """The node that takes a tensor, where there is exactly one and the tensor is no output; else None."""
        users = self._users[name]
        return users[0] if len(users) == 1 and name not in self._outputs else None

    def source(self, name: str) -> _Node:
        """The node that gives a tensor, where exactly one takes it and the tensor is no output; else None."""
        return self._producers.get(name) if self.user(name) is not None else None

    def scalar(self, name: str) -> float | None:
        """A float32 constant of one number."""
        constant = self.constants.get(name)
        if constant is None or constant.size != 1 or constant.dtype != np.float32:
            return None
        return float(constant.reshape(()))

    def with_scalar(self, node: _Node | None, op_type: str) -> tuple[str, float] | None:
        """The tensor and the number that a node of this type adds or multiplies; None where it does not."""
        if node is None or node.op_type != op_type:
            return None
        for tensor, number in (node.input, reversed(node.input)):
            value = self.scalar(number)
            if value is not None:
                return tensor, value
        return None

    def is_hard_swish(self, name: str) -> bool:
        """Whether a tensor is x * HardSigmoid(x), in one operator or two."""
        node = self._producers.get(name)
        if node is None or node.op_type != "Mul":
            return node is not None and node.op_type == "HardSwish"
        factors = [self._producers.get(factor) for factor in node.input]
        return any(factor is not None and factor.op_type == "HardSigmoid" for factor in factors)

    def new_constant(self, value: npt.NDArray[Any]) -> str:
        name = f"ocrtune_{len(self.constants)}"
        self.constants[name] = value
        return name

    def absorb(self, node: _Node, user: _Node) -> None:
        """Let a node give what its only user gave, which falls out."""
        self._gone.add(id(user))
        self._producers[user.output[0]] = node
        node.output[0] = user.output[0]

    def bypass(self, node: _Node, tensor: str) -> None:
        """Let a node fall out: its only user takes ``tensor``, one of its inputs."""
        self._gone.add(id(node))
        user = self._users[node.output[0]][0]
        user.input[:] = [tensor if name == node.output[0] else name for name in user.input]
        self._users[tensor] = [user if other is node else other for other in self._users[tensor]]

    def write(self) -> None:
        """Put what is left into the model."""
        import onnx

        kept = [node for node in self._nodes if id(node) not in self._gone and node.output[0] not in self.constants]
        kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
        needed = {name for node in kept for name in node.input} | self._outputs
        constants = [(name, value) for name, value in self.constants.items() if name in needed]
        tensors = [onnx.numpy_helper.from_array(value, name) for name, value in constants]
        del self._graph.node[:]
        self._graph.node.extend(kept)
        del self._graph.initializer[:]
        self._graph.initializer.extend(tensors)


def _taken_inside(node: _Node) -> Iterator[str]:
    """Names of tensors that the body of a loop or branch takes."""
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from inner.input
            yield from _taken_inside(inner)


def _merge_hard_swish(graph: _Graph, div: _Node) -> None:
    """x * clip(x + 3, 0, 6) / 6 becomes x * HardSigmoid(x)."""
    import onnx

    product = graph.source(div.input[0])
    if graph.scalar(div.input[1]) != 6 or product is None or product.op_type != "Mul":
        return
    for x, clipped in (product.input, reversed(product.input)):
        clip = graph.source(clipped)
        if clip is None or clip.op_type != "Clip" or [graph.scalar(limit) for limit in clip.input[1:]] != [0, 6]:
            continue
        add = graph.source(clip.input[0])
        if graph.with_scalar(add, "Add") == (x, 3.0):
            graph.bypass(add, x)
            clip.op_type = "HardSigmoid"
            clip.input[:] = [x]
            clip.attribute.extend(onnx.helper.make_attribute(*each) for each in (("alpha", 1 / 6), ("beta", 0.5)))
            graph.absorb(product, div)
            return


def _merge_numbers(graph: _Graph, conv: _Node) -> None:
    """Scales and shifts by one number after a convolution, or between it and a hard swish, go into its weights and bias.

    A shift of an input that is then padded with zeros stays, divided by the scale. Scales after other activations stay:
    ONNX Runtime merges some with these.
    """
    arrays = [graph.constants[name] for name in conv.input[1:] if name in graph.constants]
    if len(arrays) != len(conv.input) - 1 or any(array.dtype != np.float32 for array in arrays):
        return
    weight = arrays[0].astype(np.float64)
    bias = arrays[1].astype(np.float64) if len(arrays) > 1 else np.zeros(len(weight))
    merged = False
    while (user := graph.user(conv.output[0])) is not None:
        if (scaled := graph.with_scalar(user, "Mul")) is not None:
            weight, bias = weight * scaled[1], bias * scaled[1]
        elif (shifted := graph.with_scalar(user, "Add")) is not None:
            bias = bias + shifted[1]
        else:
            break
        graph.absorb(conv, user)
        merged = True
    add = graph.source(conv.input[0])
    shifted = graph.with_scalar(add, "Add")
    if shifted is not None and not _is_padded(conv):
        bias = bias + shifted[1] * weight.sum(axis=tuple(range(1, weight.ndim)))
        graph.bypass(add, shifted[0])
        shifted, merged = None, True
    mul = graph.source(conv.input[0] if shifted is None else shifted[0])
    scaled = graph.with_scalar(mul, "Mul")
    if scaled is not None and scaled[1] != 0 and graph.is_hard_swish(scaled[0]):
        weight = weight * scaled[1]
        graph.bypass(mul, scaled[0])
        if shifted is not None:
            add.input[:] = [scaled[0], graph.new_constant(np.array([shifted[1] / scaled[1]], np.float32))]
        merged = True
    if merged:  # a bias of zeros would keep ONNX Runtime from merging what comes after
        conv.input[1:] = [graph.new_constant(array.astype(np.float32)) for array in (weight, bias)]


def _is_padded(conv: _Node) -> bool:
    return any(
        any(attribute.ints) if attribute.name == "pads" else attribute.s not in (b"NOTSET", b"VALID")
        for attribute in conv.attribute
        if attribute.name in ("pads", "auto_pad")
    )
