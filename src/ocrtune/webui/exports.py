"""Files for other engines: the command that makes one, what it said at its end, and the lines that run the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrtune.bundle import PARTS, Bundle
from ocrtune.errors import UsageError
from ocrtune.webui.background import JOB, Job

BOXES = "onnx-boxes"
SUFFIXES = {BOXES: ".onnx", "onnx": ".onnx", "torchscript": ".pt", "openvino": ".xml"}
HALVES = ("onnx", "openvino")
"""Formats that also come in float16."""
_SNIPPETS = {
    BOXES: """import cv2
import numpy as np
import onnxruntime as ort

session = ort.InferenceSession("{file}")
blob = cv2.resize(cv2.imread("test.jpg"), ({width}, {height})).transpose(2, 0, 1)[np.newaxis].astype(np.float32) / 255.0
boxes, scores = session.run(None, {{"input": blob}})  # boxes [K, 8] clockwise quads in input pixels, scores [K]
boxes[scores > 0.3]""",
    "onnx": """import onnxruntime as ort

session = ort.InferenceSession("{file}")
prob = session.run(None, {{session.get_inputs()[0].name: batch}})[0]  # batch: float32 [n, 3, h, w], as bundle.yaml says""",
    "torchscript": """import torch

with torch.inference_mode():  # batch: float32 [n, 3, h, w], as bundle.yaml says
    prob = torch.jit.load("{file}")(torch.from_numpy(batch)).numpy()""",
    "openvino": """import openvino

prob = openvino.Core().compile_model("{file}", "CPU")(batch)[0]  # batch: float32 [n, 3, h, w], as bundle.yaml says""",
}


@dataclass(frozen=True)
class Export:
    """What a visitor wants to have made.

    Attributes:
        format: key of `SUFFIXES`.
        half: in float16.
        width, height: of the images, in pixels; for `BOXES` alone.
    """

    format: str
    half: bool = False
    width: int = 800
    height: int = 800

    @property
    def file(self) -> str:
        """Its name."""
        size = f"_{self.width}x{self.height}" if self.format == BOXES else ""
        return f"model{size}{'_fp16' if self.half else ''}{SUFFIXES[self.format]}"

    @property
    def snippet(self) -> str:
        """Python that runs it."""
        return _SNIPPETS[self.format].format(file=self.file, width=self.width, height=self.height)

    def start(self, bundle: Bundle, part: str, data: str | None, outputs: Path) -> Job:
        """Make it in the background.

        Args:
            bundle: what is exported.
            part: of a pipeline, for all formats but `BOXES`.
            data: labelled pages for the gate; None takes drawn ones.
            outputs: the page's folder for what it makes.

        Raises:
            UsageError: the pipeline has no such part, or the same is being made already.
        """
        source = bundle
        if bundle.manifest.task == "ocr":
            wanted = "detection" if self.format == BOXES else part
            found = next((bundle.part(task) for task in PARTS if task == wanted), None)
            if found is None:
                raise UsageError(f"the pipeline has no part for {wanted}", where=bundle.path)
            source = found
        folder = exports_folder(outputs) / _file_name(source.path) / Path(self.file).stem
        arguments = ["export", str(source.path), "--format", self.format, "--out", str(folder / self.file)]
        arguments += ["--precision", "fp16"] if self.half else []
        arguments += ["--size", f"{self.width}x{self.height}"] if self.format == BOXES else []
        arguments += ["--gate", data] if data else []
        if (before := Job.find(folder)) is not None:
            before.forget()
        return Job.start(folder, [*arguments, "--json"])

    @classmethod
    def of(cls, job: Job) -> Export:
        """What a job makes, or made."""
        options = dict(zip(job.arguments[2::2], job.arguments[3::2], strict=False))
        width, _, height = options.get("--size", "800x800").partition("x")
        return cls(options["--format"], options.get("--precision") == "fp16", int(width), int(height))


@dataclass(frozen=True)
class Outcome:
    """How an export ended.

    Attributes:
        files: that it wrote.
        gate: figures of the comparison with the bundle.
        fault: what it said where it failed: ``what``, ``expected``, ``to_do``.
    """

    files: tuple[Path, ...] = ()
    gate: Mapping[str, float] | None = None
    fault: Mapping[str, Any] | None = None


def outcome(job: Job) -> Outcome:
    """What the last line of JSON of a job that has ended says."""
    said = job.result() or {"what": job.output(5)}
    if job.exit_code != 0:
        return Outcome(fault=said)
    file = Path(said["file"])
    return Outcome(tuple(path for path in (file, file.with_suffix(".bin")) if path.is_file()), said["gate"])


def last_export(outputs: Path) -> Job | None:
    """The export that was started last, by anyone."""
    jobs = sorted(exports_folder(outputs).glob(f"*/*/{JOB}"), key=lambda path: path.stat().st_mtime)
    return Job.find(jobs[-1].parent) if jobs else None


def exports_folder(outputs: Path) -> Path:
    """Where exports go."""
    return outputs / "exports"


def _file_name(bundle: Path) -> str:
    """A bundle's name as that of a folder: its own, or its run's, and for a pipeline's part both."""
    parts = [part for part in bundle.parts[-3:] if part not in ("bundle", "/")]
    own = parts[-2:] if bundle.name in PARTS else parts[-1:]
    return re.sub(r"[^\w.-]", "_", "-".join(own))
