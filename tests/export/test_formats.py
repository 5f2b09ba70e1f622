"""Bundles of every task in the formats of other engines."""

from __future__ import annotations

import copy
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

from ocrtune.bundle import ONNX, Bundle, save_bundle
from ocrtune.data.synth.receipts import write_receipts
from ocrtune.errors import GateError
from ocrtune.export.examples import drawn_pages
from ocrtune.export.formats import (
    MAX_DIFFERENCE,
    Format,
    Precision,
    as_onnx,
    as_openvino,
    as_torchscript,
    check_export,
    gated_export,
)
from ocrtune.export.gate import GateResult
from ocrtune.export.half import half_onnx
from ocrtune.export.openvino_ir import write_openvino
from ocrtune.export.torchscript import folded_network, torchscript
from ocrtune.runtime.crop import crop_region
from ocrtune.runtime.engines import OnnxEngine, OnnxTextEngine
from ocrtune.runtime.load import detection_settings, load_recognizer
from ocrtune.weights.registry import published_bundle
from support.paths import ROOT
from support.runs import fails, ocrtune, quiet_environment

PAGES = drawn_pages()
FORMATS: list[tuple[Format, Precision]] = [
    ("onnx", "fp16"),
    ("torchscript", "fp32"),
    ("openvino", "fp32"),
    ("openvino", "fp16"),
]


@pytest.mark.parametrize(("format", "precision"), FORMATS)
@pytest.mark.parametrize("name", ["ppocrv4-mobile-det", "ppocrv4-mobile-rec", "ppocr-mobile-ori"])
def test_every_network_does_the_same_in_every_format(name: str, format: Format, precision: Precision) -> None:
    bundle = published_bundle(name)
    files, gate = gated_export(bundle, format, precision, PAGES)
    if isinstance(gate, GateResult):
        assert gate.boxes_equal >= 0.99
    else:
        assert gate.lines == sum(len(page.regions) for page in PAGES)
        assert (gate.texts_equal, gate.tensor <= MAX_DIFFERENCE[precision]) == (1, True)
    assert sorted(files) == {"onnx": [".onnx"], "torchscript": [".pt"], "openvino": [".bin", ".xml"]}[format]
    if precision == "fp16":
        assert len(next(iter(files.values()))) < 0.75 * bundle.onnx.stat().st_size


def test_the_drawn_pages_are_of_several_sizes(v4_mobile: Bundle) -> None:
    preprocess, _ = detection_settings(v4_mobile)
    assert len({preprocess(page.load()).shape for page in PAGES}) == 2


@pytest.fixture(scope="module")
def damaged(v4_mobile: Bundle) -> tuple[bytes, str]:
    """A detector whose middle convolution has other weights, as ONNX, and that node."""
    model = onnx.load(str(v4_mobile.onnx))
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    tensors |= {node.output[0]: node.attribute[0].t for node in model.graph.node if node.op_type == "Constant"}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv" and node.input[1] in tensors]
    node = convolutions[len(convolutions) // 2]
    tensor = tensors[node.input[1]]
    tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), tensor.name))
    return bytes(model.SerializeToString()), f"{node.name or node.output[0]} (Conv)"


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_damaged_onnx_file_is_refused(v4_mobile: Bundle, damaged: tuple[bytes, str], precision: Precision) -> None:
    content, node = damaged
    exported = as_onnx(v4_mobile, half_onnx(content) if precision == "fp16" else content, precision)
    with pytest.raises(GateError, match=re.escape(f"the first layer that differs is {node}")) as caught:
        check_export(v4_mobile, exported, PAGES)
    assert caught.value.exit_code == 1


def test_a_damaged_openvino_file_is_refused(v4_mobile: Bundle, damaged: tuple[bytes, str], tmp_path: Path) -> None:
    (tmp_path / "damaged.onnx").write_bytes(damaged[0])
    write_openvino(tmp_path / "damaged.onnx", tmp_path / "damaged.xml", half=True)
    with pytest.raises(GateError, match=re.escape(f"the first layer that differs is {damaged[1]}")):
        check_export(v4_mobile, as_openvino(v4_mobile, tmp_path / "damaged.xml", "fp16"), PAGES)


def test_a_damaged_torchscript_file_is_refused() -> None:
    bundle = published_bundle("ppocrv4-mobile-rec")
    network, example = folded_network(bundle)
    other = copy.deepcopy(network)
    convolutions = [(name, module) for name, module in other.named_modules() if isinstance(module, nn.Conv2d)]
    name, module = convolutions[len(convolutions) // 2]
    with torch.no_grad():
        module.weight.neg_()
    with pytest.raises(GateError, match=re.escape(f"the first layer that differs is {name} (")):
        check_export(bundle, as_torchscript(network, torchscript(other, example)), PAGES)


class OfOneSize(nn.Module):
    """A network of which tracing makes one that takes its example's size alone."""

    zeros: torch.Tensor

    def __init__(self, network: nn.Module, example: torch.Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("zeros", torch.zeros_like(example))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x + self.zeros)


def test_a_file_of_one_size_is_refused(v4_mobile: Bundle) -> None:
    network, example = folded_network(v4_mobile)
    content = torchscript(OfOneSize(network, example), example)
    with pytest.raises(GateError, match="the exported file does not run"):
        check_export(v4_mobile, as_torchscript(network, content), PAGES)


def test_the_same_reader_takes_half_precision() -> None:
    bundle = published_bundle("ppocrv4-mobile-rec")
    files, _ = gated_export(bundle, "onnx", "fp16", PAGES)
    normal = load_recognizer(bundle)
    half = replace(normal, engine=OnnxTextEngine(files[".onnx"]))
    crops = [crop_region(page.load(), region.polygon) for page in PAGES for region in page.regions]
    pairs = list(zip(normal.read(crops), half.read(crops), strict=True))
    assert sum(first.text == second.text for first, second in pairs) >= len(pairs) - 1
    assert max(abs(first.confidence - second.confidence) for first, second in pairs) < 0.02
    assert sum(len(first.text) > 3 for first, _ in pairs) >= 10


@pytest.fixture(scope="module")
def beyond_half(v4_mobile: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A detector bundle that does the same, by way of numbers that a float16 cannot hold."""
    model = onnx.load(str(v4_mobile.onnx))
    graph = model.graph
    name = graph.input[0].name
    for node in graph.node:
        node.input[:] = ["scaled_back" if each == name else each for each in node.input]
    for place, (factor, before, after) in enumerate(((1e6, name, "scaled"), (1e-6, "scaled", "scaled_back"))):
        graph.initializer.append(numpy_helper.from_array(np.float32(factor), f"factor{place}"))
        node = helper.make_node("Mul", [before, f"factor{place}"], [after], name=f"/{after}/Mul")
        graph.node.insert(place, node)
    path = tmp_path_factory.mktemp("beyond") / "bundle"
    return save_bundle(path, v4_mobile.manifest, {ONNX: bytes(model.SerializeToString())})


def test_a_network_that_half_precision_cannot_hold_is_refused(beyond_half: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "half.onnx"
    said = fails(1, "export", beyond_half.path, "--precision", "fp16", "--out", out, says="differs from the network")
    assert "the first layer that differs is /scaled/Mul (Mul)" in " ".join(said.split())
    assert not list(tmp_path.iterdir())


def test_impossible_wishes_are_refused(v4_mobile: Bundle, tmp_path: Path) -> None:
    def refused(*options: str, says: str, out: str = "file") -> None:
        fails(2, "export", v4_mobile.path, *options, "--out", tmp_path / out, says=says)

    refused("--format", "torchscript", "--precision", "fp16", says="torchscript is written in fp32 alone")
    refused("--format", "onnx-boxes", "--precision", "fp16", says="onnx-boxes is written in fp32 alone")
    refused("--precision", "int8", says="'int8' is no precision")
    refused("--format", "openvino", out="file.onnx", says="file.xml")
    refused("--format", "openvino", "--size", "640x640", out="file.xml", says="takes any size")
    assert not list(tmp_path.iterdir())
    pipeline = published_bundle("ppocrv4-mobile").path
    fails(2, "export", pipeline, "--precision", "fp16", "--out", tmp_path / "file", says="part by part")


def test_openvino_needs_no_torch_and_tells_nobody() -> None:
    check = (
        "import sys; from ocrtune.export.formats import gated_export; from ocrtune.runtime.engines import import_openvino;"
        "assert import_openvino().Core; assert 'torch' not in sys.modules;"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry.')]"
    )
    subprocess.run([sys.executable, "-c", check], env=quiet_environment(), check=True)


def test_the_documentation_runs_as_written(v4_mobile: Bundle, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    write_receipts(tmp_path / "receipts" / "val", 2, seed=3)
    (tmp_path / "adapted").mkdir()
    (tmp_path / "adapted" / "bundle").symlink_to(v4_mobile.path)
    commands = re.findall(r"^ {4}ocrtune (export .*)$", text, flags=re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        said = ocrtune(*shlex.split(command), cwd=tmp_path).stdout
        assert "gate: 4 pages, tensors within" in said, said
        assert "written: detector" in said
    batch = detection_settings(v4_mobile)[0](PAGES[0].load())
    np.save(tmp_path / "batch.npy", batch)
    expected = OnnxEngine(v4_mobile.onnx)(batch)
    assert expected.mean() > 0.02
    snippets = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(snippets) == 3
    for snippet in snippets:
        program = f"import numpy as np\nbatch = np.load('batch.npy')\n{snippet}\nnp.save('prob.npy', prob)"
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=quiet_environment(), check=True)
        assert np.abs(np.load(tmp_path / "prob.npy") - expected).mean() < 1e-3
