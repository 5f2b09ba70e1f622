"""Engines run a network file on a batch; the torch engines live with the networks, in `ocrtune.nn.engine`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ocrtune.errors import BundleError, raise_missing_extra
from ocrtune.runtime.preprocess import Batch


class Engine(Protocol):
    """Something that maps a normalised batch, float32 [N, 3, H, W], to the network's output, float32."""

    def __call__(self, batch: Batch) -> npt.NDArray[np.float32]: ...


class TextEngine(Protocol):
    """Something that maps a batch of lines, float32 [N, 3, H, W], to each column's best class.

    Returns:
        classes, int64 [N, T], and their probabilities, float32 [N, T].
    """

    def __call__(self, batch: Batch) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]: ...


class _Session:
    """ONNX Runtime on the CPU.

    Args:
        model: path of an ``.onnx`` file, or its bytes.
        threads: intra-operator threads; None takes every core that this process may use.

    Raises:
        BundleError: the file is missing or ONNX Runtime cannot load it.
    """

    LEVEL = "ORT_ENABLE_EXTENDED"
    """Graph optimisation. The next level's blocked layout sums global averages less exactly (1e-3 on large white pages)."""

    def __init__(self, model: Path | bytes, threads: int | None = None) -> None:
        import onnxruntime as ort  # here, because it takes 0.1 s to import and training does not need it

        if isinstance(model, Path) and not model.is_file():
            raise BundleError("the ONNX file does not exist", where=model)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or available_cores()
        options.log_severity_level = 3
        options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, self.LEVEL)
        try:
            self._session = ort.InferenceSession(
                str(model) if isinstance(model, Path) else model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises a dozen types of its own
            name = model if isinstance(model, Path) else "ONNX bytes"
            raise BundleError(f"ONNX Runtime cannot load the model: {str(error)[:300]}", where=name) from error
        self._input = self._session.get_inputs()[0].name

    def outputs(self, batch: Batch) -> list[npt.NDArray[Any]]:
        return list(self._session.run(None, {self._input: batch}))


class OnnxEngine(_Session):
    """Gives the network's first output."""

    def __call__(self, batch: Batch) -> npt.NDArray[np.float32]:
        return np.asarray(self.outputs(batch)[0], np.float32)


class OnnxTextEngine(_Session):
    """Gives each column's best class; the search for it is added to the graph, so that only it leaves the engine.

    With 18,710 classes the probabilities of one line are 3 MB: copying and searching them in Python takes longer than
    the network does.
    """

    LEVEL = "ORT_ENABLE_ALL"  # lines have no large averages, and gain a fifth

    def __init__(self, model: Path | bytes, threads: int | None = None) -> None:
        super().__init__(with_best_class(model), threads)

    def __call__(self, batch: Batch) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        classes, probabilities = self.outputs(batch)
        return classes, probabilities


class OnnxBoxEngine(_Session):
    """Gives what an ``onnx-boxes`` file finds on an image."""

    LEVEL = "ORT_ENABLE_ALL"  # of every session that does not choose: what users run

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image, in pixels."""
        _, _, height, width = self._session.get_inputs()[0].shape
        return width, height

    def __call__(self, image: Batch) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Boxes, float32 [K, 8], in pixels of the image, float32 [1, 3, H, W] BGR from 0 to 1; and scores, float32 [K]."""
        boxes, scores = self.outputs(image)
        return boxes, scores


class OpenVinoEngine:
    """Gives the network's first output, from OpenVINO on the CPU; it computes in float32 however weights are stored.

    Args:
        model: path of an ``.xml`` file with its ``.bin`` beside it, or of an ``.onnx`` file.
        threads: None takes every core that this process may use.

    Raises:
        BundleError: the file is missing or OpenVINO cannot load it.
        MissingExtraError: OpenVINO is not installed.
    """

    def __init__(self, model: Path, threads: int | None = None) -> None:
        openvino = import_openvino()
        if not model.is_file():
            raise BundleError("the file does not exist", where=model)
        # without the hint, OpenVINO computes in bfloat16 on processors that are faster at it
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads or available_cores()}
        try:
            self._model = openvino.Core().compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise BundleError(f"OpenVINO cannot load the model: {str(error)[:300]}", where=model) from error

    def __call__(self, batch: Batch) -> npt.NDArray[np.float32]:
        request = self._model.create_infer_request()  # one a call: a request serves one thread at a time
        return np.asarray(request.infer([batch])[0], np.float32)


def import_openvino() -> Any:
    """The module ``openvino``, imported so that it reports to nobody: by itself it tells its makers of every import.

    Raises:
        MissingExtraError: it is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # "cannot be imported": it goes without
    try:
        import openvino
    except ImportError as error:
        raise_missing_extra("openvino", "openvino", error)
    return openvino


def with_best_class(model: Path | bytes) -> bytes:
    """A recogniser's ONNX file whose outputs are each column's best class and its probability instead of all of them.

    Raises:
        BundleError: the file is missing or no ONNX model.
    """
    import onnx

    name = model if isinstance(model, Path) else "ONNX bytes"
    try:
        loaded = onnx.load_from_string(model.read_bytes() if isinstance(model, Path) else model)
    except FileNotFoundError as error:
        raise BundleError("the ONNX file does not exist", where=name) from error
    except Exception as error:  # protobuf raises its own types
        raise BundleError(f"the file is no ONNX model: {error}", where=name) from error
    graph = loaded.graph
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
    return bytes(loaded.SerializeToString())


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
