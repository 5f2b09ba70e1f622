"""Everything that runs a model: pre-processing, engines, decoding. NumPy, OpenCV and ONNX Runtime only; no torch."""
