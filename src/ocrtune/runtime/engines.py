"""Engines run a network file on a batch; the torch engines live with the networks, in `ocrtune.nn.engine`."""

from __future__ import annotations

import functools
import io
import os
import sys
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from ocrtune.errors import BundleError, raise_missing_extra
from ocrtune.runtime.graph import Model, give_best_class, keep_means_exact, named, read_model, simplify
from ocrtune.runtime.preprocess import Batch

EngineName: TypeAlias = Literal["onnxruntime", "openvino", "openvino-bf16"]
"""What runs a bundle's ONNX file; in float32, or in bfloat16 where the processor has it: faster, and less exact."""
ENGINES: tuple[EngineName, ...] = get_args(EngineName)


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

    def __init__(self, model: Path | bytes, threads: int | None = None) -> None:
        import onnxruntime as ort  # here, because it takes 0.1 s to import and training does not need it

        loaded = read_model(model)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or available_cores()
        # threads that wait in a loop would take their core from other pages and lines
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_mem_pattern = False  # a pattern is kept for each shape that was ever seen, and saves no time
        options.log_severity_level = 3
        try:
            self._prepare(loaded)
            self._session = ort.InferenceSession(
                loaded.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises a dozen types of its own
            raise BundleError(f"ONNX Runtime cannot load the model: {str(error)[:300]}", where=named(model)) from error
        self._input = self._session.get_inputs()[0].name

    def _prepare(self, model: Model) -> None:
        """Change the graph before it is optimised."""

    def outputs(self, batch: Batch) -> list[npt.NDArray[Any]]:
        return list(self._session.run(None, {self._input: batch}))


class OnnxEngine(_Session):
    """Gives the network's first output."""

    def _prepare(self, model: Model) -> None:
        simplify(model)
        keep_means_exact(model)

    def __call__(self, batch: Batch) -> npt.NDArray[np.float32]:
        return np.asarray(self.outputs(batch)[0], np.float32)


class OnnxTextEngine(_Session):
    """Gives each column's best class; the search for it is added to the graph, so that only it leaves the engine."""

    def _prepare(self, model: Model) -> None:
        simplify(model)
        give_best_class(model)

    def __call__(self, batch: Batch) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        classes, probabilities = self.outputs(batch)
        return classes, probabilities


class OnnxBoxEngine(_Session):
    """Gives what an ``onnx-boxes`` file finds on an image."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image, in pixels."""
        _, _, height, width = self._session.get_inputs()[0].shape
        return width, height

    def __call__(self, image: Batch) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Boxes, float32 [K, 8], in pixels of the image, float32 [1, 3, H, W] BGR from 0 to 1; and scores, float32 [K]."""
        boxes, scores = self.outputs(image)
        return boxes, scores


class _OpenVino:
    """OpenVINO on the CPU.

    Args:
        model: path of an ``.xml`` file with its ``.bin`` beside it, or of an ``.onnx`` file.
        threads: None takes every core that this process may use.
        together: batches that may be worked on at the same time; they share the threads.
        bf16: compute in bfloat16 on processors that have it; else in float32, however weights are stored.

    Raises:
        BundleError: the file is missing or OpenVINO cannot load it.
        MissingExtraError: OpenVINO is not installed.
    """

    def __init__(self, model: Path, threads: int | None = None, together: int = 1, bf16: bool = False) -> None:
        core = openvino_core()
        if not model.is_file():
            raise BundleError("the file does not exist", where=model)
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",  # without it, OpenVINO takes bfloat16 by itself
            "INFERENCE_NUM_THREADS": threads or available_cores(),
            "NUM_STREAMS": together,
        }
        try:
            self._model = core.compile_model(core.read_model(self._prepared(model)), "CPU", settings)
        except RuntimeError as error:
            raise BundleError(f"OpenVINO cannot load the model: {str(error)[:300]}", where=model) from error
        self._free: SimpleQueue[Any] = SimpleQueue()  # requests: each serves one thread at a time
        for _ in range(together):
            self._free.put(self._model.create_infer_request())

    def _prepared(self, model: Path) -> Path | io.BytesIO:
        """The file that is loaded."""
        return model

    def outputs(self, batch: Batch) -> list[npt.NDArray[Any]]:
        request = self._free.get()
        try:
            request.infer([batch], share_inputs=True)
            return [np.array(tensor.data) for tensor in request.output_tensors]
        finally:
            self._free.put(request)


class OpenVinoEngine(_OpenVino):
    """Gives the network's first output."""

    def __call__(self, batch: Batch) -> npt.NDArray[np.float32]:
        return np.asarray(self.outputs(batch)[0], np.float32)


class OpenVinoTextEngine(_OpenVino):
    """Gives each column's best class, as `OnnxTextEngine` does, from an ``.onnx`` file."""

    def _prepared(self, model: Path) -> Path | io.BytesIO:
        loaded = read_model(model)
        give_best_class(loaded)
        return io.BytesIO(loaded.SerializeToString())

    def __call__(self, batch: Batch) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        classes, probabilities = self.outputs(batch)
        return classes, probabilities


def load_engine(model: Path, name: EngineName, threads: int, together: int = 1) -> Engine:
    """The first output of an ONNX file on an engine.

    Args:
        model: path of the file.
        name: of the engine.
        threads: of all batches together.
        together: batches that will be worked on at the same time.

    Raises:
        BundleError: the file is missing or the engine cannot load it.
        MissingExtraError: the engine is not installed.
    """
    if name == "onnxruntime":
        return OnnxEngine(model, max(1, threads // together))
    return OpenVinoEngine(model, threads, together, name == "openvino-bf16")


def load_text_engine(model: Path, name: EngineName, threads: int, together: int = 1) -> TextEngine:
    """The same for a recogniser's best classes."""
    if name == "onnxruntime":
        return OnnxTextEngine(model, max(1, threads // together))
    return OpenVinoTextEngine(model, threads, together, name == "openvino-bf16")


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


def openvino_core() -> Any:
    """The process's one ``openvino.Core``.

    It is kept, because a core that goes takes OpenVINO's plug-in with it, and this one its stack for signals: where that
    happens in another thread than the one that loaded it, the next signal ends the process (2026.4).

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    return _core(import_openvino())


@functools.cache
def _core(openvino: Any) -> Any:
    return openvino.Core()


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
