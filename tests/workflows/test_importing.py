from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest

from ocrtune.bundle import Bundle
from ocrtune.charset import Charset
from ocrtune.detection.network import FAMILY as DETECTORS
from ocrtune.errors import BundleError, ConfigError, GateError
from ocrtune.runtime.load import load_detector
from ocrtune.weights.network import load_network
from ocrtune.weights.report import MisfitError
from ocrtune.workflows.importing import import_weights
from support.golden import generated_state, load_json
from support.runs import fails, ocrtune


def official(folder: Path, model: str) -> Path:
    path = folder / f"{model}.pdparams"
    path.write_bytes(pickle.dumps(generated_state(load_json(f"models/{model}.json")), protocol=4))
    return path


def quiet(message: str) -> None:
    pass


def test_published_onnx_file_becomes_a_bundle_that_finds_the_same(
    tmp_path: Path, v4_mobile: Bundle, receipt_pages: list[object]
) -> None:
    done = import_weights(str(v4_mobile.onnx), tmp_path / "bundle", tell=quiet)
    manifest = done.bundle.manifest
    assert (manifest.task, manifest.arch, done.guessed) == ("detection", "db_pplcnetv3_mobile", True)
    assert manifest.preprocess == v4_mobile.manifest.preprocess
    assert manifest.thresholds == v4_mobile.manifest.thresholds
    assert manifest.provenance["sha256"] == v4_mobile.manifest.files["model.onnx"]
    image = receipt_pages[0].load()  # type: ignore[attr-defined]
    boxes, others = (load_detector(bundle).detect(image) for bundle in (done.bundle, v4_mobile))
    assert len(boxes) == len(others) > 10
    for box, other in zip(boxes, others, strict=True):
        np.testing.assert_allclose(box.polygon, other.polygon, atol=1.0)


@pytest.mark.parametrize("model", ["v4_mobile_det", "v6_small_det", "cls_mv3"])
def test_our_own_onnx_files_come_back(tmp_path: Path, model: str) -> None:
    """The import compares outputs, so that it succeeds says that the weights found their places."""
    first = import_weights(str(official(tmp_path, model)), tmp_path / "first", tell=quiet).bundle
    second = import_weights(str(first.onnx), tmp_path / "second", tell=quiet).bundle
    assert second.manifest.arch == first.manifest.arch
    assert (first.manifest.form, second.manifest.form) == ("training", "deployed")


def test_recogniser_with_its_dictionary(tmp_path: Path) -> None:
    path = official(tmp_path, "v4_mobile_rec")
    with pytest.raises(ConfigError, match="do not say which characters"):
        import_weights(str(path), tmp_path / "bundle", tell=quiet)
    assert not (tmp_path / "bundle").exists()
    characters = tuple(chr(0x4E00 + index) for index in range(6623))
    (tmp_path / "dict.txt").write_bytes(Charset(characters).dump())
    done = import_weights(str(path), tmp_path / "bundle", dictionary=str(tmp_path / "dict.txt"), tell=quiet)
    assert done.bundle.manifest.arch == "ctc_pplcnetv3_mobile"
    assert Charset.read(done.bundle.charset).characters == (*characters, " ")
    assert done.bundle.manifest.provenance["gate"]["texts_equal"] == 1.0
    assert done.report is not None
    assert done.report.complete


def test_onnx_file_that_computes_something_else_is_refused(tmp_path: Path, v4_mobile: Bundle) -> None:
    """Shapes alone do not tell a network: here an activation was changed."""
    model = onnx.load(str(v4_mobile.onnx))
    node = next(node for node in model.graph.node if node.op_type == "HardSigmoid")
    alpha = next(attribute for attribute in node.attribute if attribute.name == "alpha")
    alpha.f *= 0.3
    onnx.save(model, str(tmp_path / "changed.onnx"))
    with pytest.raises(GateError, match="does not compute what the file computes"):
        import_weights(str(tmp_path / "changed.onnx"), tmp_path / "bundle", tell=quiet)
    assert not (tmp_path / "bundle").exists()


def test_what_is_no_weight_file(tmp_path: Path, v4_mobile: Bundle) -> None:
    for name in (str(v4_mobile.path), "ppocrv4-mobile-det", "nothing-at-all"):
        with pytest.raises(BundleError, match="is no weight file"):
            import_weights(name, tmp_path / "bundle", tell=quiet)
    with pytest.raises(ConfigError, match="no network is called 'db_pplcnetv3_mobil'") as caught:
        import_weights(str(v4_mobile.onnx), tmp_path / "bundle", arch="db_pplcnetv3_mobil", tell=quiet)
    assert "db_pplcnetv3_mobile" in (caught.value.hint or "")


def test_command_line_from_file_to_bundle(tmp_path: Path) -> None:
    state = generated_state(load_json("models/cls_mv3.json"))
    both = {f"{part}.{name}": value for part in ("Student", "Teacher") for name, value in state.items()}
    path = tmp_path / "best_accuracy.pdparams"
    path.write_bytes(pickle.dumps(both, protocol=2))
    fails(2, "weights", "import", path, "--out", tmp_path / "bundle", says="student (213 tensors), teacher")
    done = ocrtune("weights", "import", path, "--part", "teacher", "--out", tmp_path / "bundle", "--json")
    result = json.loads(done.stdout)
    assert (result["task"], result["arch"], result["guessed"]) == ("orientation", "cls_mobilenetv3_x0_35", True)
    assert result["report"] == {"loaded": 213, "missing": [], "unexpected": [], "mismatched": [], "ignored": {}}
    assert "next: ocrtune eval" in done.stderr
    bundle = Bundle.load(tmp_path / "bundle")
    assert bundle.manifest.provenance["part"] == "teacher"
    assert bundle.manifest.preprocess["max_width"] == 192


def test_command_line_of_a_partial_load(tmp_path: Path) -> None:
    state = generated_state(load_json("models/v4_mobile_det.json"))
    path = tmp_path / "backbone.pdparams"
    path.write_bytes(pickle.dumps({n: v for n, v in state.items() if n.startswith("backbone.")}, protocol=4))
    said = fails(2, "weights", "import", path, "--out", tmp_path / "bundle", says="--partial")
    assert "missing" in said or "closest is db_pplcnetv3_mobile" in said
    done = ocrtune("weights", "import", path, "--partial", "--out", tmp_path / "bundle")
    assert "fresh weights" in done.stdout
    load = Bundle.load(tmp_path / "bundle").manifest.provenance["load"]
    assert load["loaded"] == sum(name.startswith("backbone.") for name in state)
    assert load["missing"]
    network = load_network(DETECTORS, str(tmp_path / "bundle"))
    assert network.arch == "db_pplcnetv3_mobile"


def test_file_of_no_known_network_shows_the_table(tmp_path: Path) -> None:
    path = tmp_path / "other.pdparams"
    path.write_bytes(pickle.dumps({"encoder.weight": np.zeros((3, 3), np.float32)}, protocol=4))
    with pytest.raises(MisfitError, match="fit none of the known networks"):
        import_weights(str(path), tmp_path / "bundle", tell=quiet)
    assert "unexpected" in fails(2, "weights", "import", path, "--out", tmp_path / "bundle", says="encoder.weight")
