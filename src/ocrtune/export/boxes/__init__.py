"""``onnx-boxes``: one ONNX file from pixels to boxes, in standard operators; each file is one stage."""
