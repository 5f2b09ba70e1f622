"""The gate of ``onnx-boxes``: the file must find what the normal path finds on images of its size."""

from __future__ import annotations

from ocrtune.runtime.preprocess import DetectionPreprocess


class StretchedPreprocess(DetectionPreprocess):
    """Every page is stretched to one size, as users of an ``onnx-boxes`` file do it."""

    width: int
    height: int

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        return self.width, self.height
