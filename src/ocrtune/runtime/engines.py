"""Engines run a network file on a batch; the torch engine lives with the networks, in `ocrtune.detection.model`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ocrtune.errors import BundleError
from ocrtune.runtime.preprocess import Batch


class Engine(Protocol):
    """Something that maps a normalised batch, float32 [N, 3, H, W], to the network's output, float32."""

    def __call__(self, batch: Batch) -> npt.NDArray[np.float32]: ...


class OnnxEngine:
    """ONNX Runtime on the CPU.

    Args:
        model: path of an ``.onnx`` file, or its bytes.
        threads: intra-operator threads; None takes every core that this process may use.

    Raises:
        BundleError: the file is missing or ONNX Runtime cannot load it.
    """

    def __init__(self, model: Path | bytes, threads: int | None = None) -> None:
        import onnxruntime as ort  # here, because it takes 0.1 s to import and training does not need it

        if isinstance(model, Path) and not model.is_file():
            raise BundleError("the ONNX file does not exist", where=model)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or available_cores()
        options.log_severity_level = 3
        # the last level's blocked layout sums global averages less exactly (1e-3 on large white pages) and gains nothing
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        try:
            self._session = ort.InferenceSession(
                str(model) if isinstance(model, Path) else model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises a dozen types of its own
            name = model if isinstance(model, Path) else "ONNX bytes"
            raise BundleError(f"ONNX Runtime cannot load the model: {str(error)[:300]}", where=name) from error
        self._input = self._session.get_inputs()[0].name

    def __call__(self, batch: Batch) -> npt.NDArray[np.float32]:
        return np.asarray(self._session.run(None, {self._input: batch})[0], np.float32)


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
