"""Make ``src/ocrtune/serving/ocr_pb2.py`` (and its types) of ``ocr.proto``: ``python tools/generate_grpc.py``."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from grpc_tools import protoc

SERVING = Path(__file__).parents[1] / "src" / "ocrtune" / "serving"
NAMES = ("ocr_pb2.py", "ocr_pb2.pyi")


def generate(folder: Path) -> None:
    """Write the generated files into a folder."""
    with tempfile.TemporaryDirectory() as made:
        options = [f"--proto_path={SERVING / 'proto'}", f"--python_out={made}", f"--pyi_out={made}"]
        if protoc.main(["protoc", *options, "ocrtune/v1/ocr.proto"]) != 0:
            raise SystemExit("protoc failed")
        for name in NAMES:
            shutil.copyfile(Path(made) / "ocrtune" / "v1" / name, folder / name)


if __name__ == "__main__":
    generate(SERVING)
