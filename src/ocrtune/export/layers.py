"""Where an exported file begins to differ from its network: the first layer whose output is another.

Outputs are compared relative to the largest value of each, in the order in which the network computes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnx

from ocrtune.runtime.engines import OnnxEngine, openvino_core
from ocrtune.runtime.preprocess import Batch

if TYPE_CHECKING:
    import torch

Values = Mapping[str, npt.NDArray[Any]]
"""Outputs of layers by name."""


def differing_node(network: bytes, exported: bytes, batch: Batch, tolerance: float) -> str | None:
    """The first node of an ONNX file whose output another ONNX file gives otherwise, or None.

    Args:
        network: the file that is right.
        exported: one whose tensors have the same names; those that only one of them has are left out.
        batch: an input.
        tolerance: relative to the largest value of an output.
    """
    graph = onnx.load_from_string(exported).graph
    known = {name for node in graph.node for name in node.output}
    return _first(network, known, lambda names: _onnx_values(exported, names, batch), batch, tolerance)


def differing_openvino_node(network: bytes, exported: Path, batch: Batch, tolerance: float) -> str | None:
    """The same for IR that was made from an ONNX file; conversion keeps the names of tensors.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    core = openvino_core()
    model = core.read_model(exported)
    results = {name for output in model.outputs for name in output.get_names()}
    known = {name for node in model.get_ordered_ops() for output in node.outputs() for name in output.get_names()}

    def values(names: Sequence[str]) -> Values:
        model.add_outputs([name for name in names if name not in results])
        compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        found = compiled([batch])
        return {name: found[name] for name in names}

    return _first(network, known, values, batch, tolerance)


def differing_module(
    network: torch.nn.Module, exported: torch.jit.ScriptModule, batch: Batch, tolerance: float
) -> str | None:
    """The first module of a network whose traced form gives another output for the same input, or None.

    Modules come in the order in which they end, so that one is only named when all that it is made of does the same.
    Those that do not map one tensor to one tensor are left out.
    """
    import torch

    parts = dict(exported.named_modules())
    found: list[str] = []

    def compared_with(name: str) -> Callable[..., None]:
        def compare(module: torch.nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            part = parts.get(name)
            if found or part is None or not hasattr(part, "forward") or not isinstance(output, torch.Tensor):
                return
            arguments = part.forward.schema.arguments[1:]
            if len(inputs) != 1 or len(arguments) != 1 or not isinstance(inputs[0], torch.Tensor):
                return
            try:
                same = _alike(output.numpy(), part(inputs[0]).numpy(), tolerance)
            except RuntimeError:  # a size that was made constant
                same = False
            if not same:
                found.append(f"{name} ({type(module).__name__})" if name else type(module).__name__)

        return compare

    hooks = [module.register_forward_hook(compared_with(name)) for name, module in network.named_modules()]
    try:
        with torch.no_grad():
            network.eval()(torch.from_numpy(batch))
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None


def _first(
    network: bytes, known: set[str], values: Callable[[Sequence[str]], Values], batch: Batch, tolerance: float
) -> str | None:
    nodes = [
        (node, name)
        for node in onnx.load_from_string(network).graph.node
        for name in node.output
        if name and name in known and node.op_type != "Constant"
    ]
    names = [name for _, name in nodes]
    right, exported = _onnx_values(network, names, batch), values(names)
    for node, name in nodes:
        if right[name].dtype.kind == "f" and not _alike(right[name], exported[name], tolerance):
            return f"{node.name or name} ({node.op_type})"
    return None


def _onnx_values(model: bytes, names: Sequence[str], batch: Batch) -> Values:
    loaded = onnx.load_from_string(model)
    del loaded.graph.output[:]
    loaded.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return dict(zip(names, OnnxEngine(loaded.SerializeToString()).outputs(batch), strict=True))


def _alike(right: npt.NDArray[Any], other: npt.NDArray[Any], tolerance: float) -> bool:
    if right.shape != other.shape:
        return False
    if right.size == 0:
        return True
    difference = np.abs(right.astype(np.float32) - other.astype(np.float32)).max()
    return bool(difference <= tolerance * max(float(np.abs(right).max()), 1e-6))
