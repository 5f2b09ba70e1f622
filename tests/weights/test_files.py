"""Weight files as users have them: which tensors are found in them, and which files are refused."""

from __future__ import annotations

import builtins
import io
import json
import os
import pickle
import tarfile
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import save_file

from ocrtune.bundle import ONNX
from ocrtune.detection.model import build_detector
from ocrtune.detection.network import FAMILY as DETECTORS
from ocrtune.errors import BundleError, ConfigError
from ocrtune.export.onnx import detector_onnx
from ocrtune.nn.fuse import deployed
from ocrtune.orientation.network import FAMILY as CLASSIFIERS
from ocrtune.recognition.network import FAMILY as RECOGNIZERS
from ocrtune.recognition.network import start_charset
from ocrtune.weights.files import NamedTensors, Source, find_source, read_tensors
from ocrtune.weights.network import Family, inference_form, load_network, tensor_fits
from ocrtune.weights.paddle import read_pdparams, torch_name
from ocrtune.weights.report import MisfitError
from support.golden import generated_state, load_json
from support.paths import SHARED, need

State = dict[str, npt.NDArray[Any]]


@pytest.fixture(scope="module")
def classifier() -> State:
    """A small complete state dict in Paddle's names."""
    return dict(generated_state(load_json("models/cls_mv3.json")))


@pytest.fixture(scope="module")
def detector() -> State:
    return dict(generated_state(load_json("models/v4_mobile_det.json")))


FAMILIES: tuple[Family[Any], ...] = (DETECTORS, RECOGNIZERS, CLASSIFIERS)


def write(path: Path, content: object, protocol: int = 4) -> Path:
    with path.open("wb") as file:
        pickle.dump(content, file, protocol=protocol)
    return path


def assert_loaded(path: Path | str, state: State, **options: Any) -> None:
    network = load_network(CLASSIFIERS, str(path), **options)
    tensors = network.model.state_dict()
    assert torch.equal(tensors["head.weight"], torch.from_numpy(state["head.fc.weight"].T.astype(np.float32)))
    for name, value in state.items():
        if value.ndim != 2:
            assert torch.equal(tensors[torch_name(name)], torch.from_numpy(value.astype(np.float32))), name


class Reduced:
    """Asks the unpickler to call something."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


ATTACKS: dict[str, Any] = {
    "a function of the system": Reduced(os.system, "touch attacked"),
    "eval": Reduced(builtins.eval, "open('attacked', 'w')"),
    "exec": Reduced(builtins.exec, "open('attacked', 'w')"),
    "getattr": Reduced(getattr, "text", "upper"),
    "import": Reduced(builtins.__import__, "os"),
    "a file": Reduced(open, "attacked", "w"),
    "another unpickler": Reduced(pickle.loads, pickle.dumps(Reduced(os.system, "touch attacked"), 2)),
    "numpy's file reader": Reduced(np.load, "other.npy"),
    "a codec that unpacks": Reduced(__import__("_codecs").encode, "00", "hex"),
    "a class inside a list inside the table": [{"deep": Reduced(Path, "attacked")}],
    "the key of a table": {Reduced(complex, 1): 1},
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("attack", sorted(ATTACKS))
def test_pickles_that_ask_for_more_than_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: str, protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "evil.pdparams", {"backbone.weight": np.zeros(3), "x": ATTACKS[attack]}, protocol)
    with pytest.raises(BundleError, match="was refused: it asks for"):
        read_pdparams(path)
    assert not (tmp_path / "attacked").exists()


@pytest.mark.parametrize("name", [b"numpy\nload\n", b"numpy.core.multiarray\nfromstring\n", b"numpy\nndarray.tofile\n"])
def test_nested_and_neighbouring_names_are_refused(tmp_path: Path, name: bytes) -> None:
    (tmp_path / "evil.pdparams").write_bytes(b"\x80\x02c" + name + b".")
    with pytest.raises(BundleError, match="was refused: it asks for"):
        read_pdparams(tmp_path / "evil.pdparams")


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"no pickle at all", b"\x80\x02]q\x00."])
def test_files_that_are_no_weights(tmp_path: Path, content: bytes) -> None:
    for suffix in (".pdparams", ".pth"):
        (tmp_path / f"bad{suffix}").write_bytes(content)
        with pytest.raises(BundleError):
            load_network(CLASSIFIERS, str(tmp_path / f"bad{suffix}"))
    with pytest.raises(BundleError, match="holds no numbers"):
        load_network(CLASSIFIERS, str(write(tmp_path / "objects.pdparams", {"a": np.array([None])})))
    with pytest.raises(BundleError, match="holds no tensors"):
        load_network(CLASSIFIERS, str(write(tmp_path / "empty.pdparams", {"epoch": 3})))
    (tmp_path / "weights.bin").write_bytes(b"")
    with pytest.raises(BundleError, match="no known weight format"):
        read_tensors(Source(tmp_path / "weights.bin"))


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("core", [b"numpy.core", b"numpy._core"])
def test_pickles_of_every_protocol_and_numpy(
    tmp_path: Path, classifier: State, monkeypatch: pytest.MonkeyPatch, protocol: int, core: bytes
) -> None:
    """The names of functions inside numpy changed with version 2; the official files hold both."""
    content = pickle.dumps({**classifier, "StructuredToParameterName@@": {"a": "conv2d_0.w_0"}}, protocol=protocol)
    assert (b"numpy._core" in content) == (np.__version__ >= "2")
    if protocol == 2:  # names are written in full there; elsewhere their lengths stand before them
        content = content.replace(b"numpy._core", core).replace(b"numpy.core", core)
    elif core == b"numpy.core":
        for module in (b"multiarray", b"numeric"):
            old, new = b"numpy._core." + module, b"numpy.core." + module
            content = content.replace(bytes([len(old)]) + old, bytes([len(new)]) + new)
        content = _without_frames(content)
    (tmp_path / "weights.pdparams").write_bytes(content)
    assert_loaded(tmp_path / "weights.pdparams", classifier)


def _without_frames(content: bytes) -> bytes:
    """A pickle without its frame lengths, which a changed name makes wrong; they are optional."""
    import pickletools

    cuts = [place for code, _, place in pickletools.genops(content) if code.name == "FRAME" and place is not None]
    for place in reversed(cuts):
        content = content[:place] + content[place + 9 :]
    return content


def test_half_precision_becomes_single(tmp_path: Path, classifier: State) -> None:
    half = {name: value.astype(np.float16) for name, value in classifier.items()}
    path = write(tmp_path / "half.pdparams", half)
    assert_loaded(path, half)
    assert load_network(CLASSIFIERS, str(path)).model.head.weight.dtype == torch.float32


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_torch_checkpoints_with_wrappers(tmp_path: Path, wrapper: str, prefix: str) -> None:
    torch.manual_seed(0)
    model = build_detector("db_resnet18_vd")
    state = OrderedDict((prefix + name, value) for name, value in model.state_dict().items())
    torch.save({wrapper: state, "epoch": 7, "optimizer": {"state": {}, "lr": 0.1}}, tmp_path / "checkpoint.pth")
    loaded = load_network(DETECTORS, str(tmp_path / "checkpoint.pth"))
    assert loaded.report is not None
    assert loaded.report.complete
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], value), name


def test_torch_files_in_paddles_names(tmp_path: Path, classifier: State) -> None:
    """Conversions of official weights keep Paddle's names, in torch's layouts."""
    state = {
        name.replace("_mean", "running_mean").replace("_variance", "running_var"): torch.from_numpy(
            np.ascontiguousarray(value.T if value.ndim == 2 else value)
        )
        for name, value in classifier.items()
    }
    torch.save(state, tmp_path / "converted.pth")
    assert_loaded(tmp_path / "converted.pth", classifier)


def test_part_of_a_distillation_checkpoint_has_to_be_chosen(tmp_path: Path, classifier: State) -> None:
    teacher = {name: value + 1 for name, value in classifier.items()}
    both = {
        **{f"Student.{name}": value for name, value in classifier.items()},
        **{f"Teacher.{name}": value for name, value in teacher.items()},
    }
    path = write(tmp_path / "best_accuracy.pdparams", both)
    with pytest.raises(BundleError, match="holds 2 networks") as caught:
        load_network(CLASSIFIERS, str(path))
    assert f"student ({len(classifier)} tensors), teacher" in caught.value.what
    assert f"{path}#part=student" in (caught.value.expected or "")
    assert_loaded(f"{path}#part=student", classifier)
    assert_loaded(f"{path}#part=Teacher", teacher)
    assert load_network(CLASSIFIERS, f"{path}#part=teacher").provenance["part"] == "teacher"
    with pytest.raises(BundleError, match="no part 'student2'"):
        load_network(CLASSIFIERS, f"{path}#part=student2")


def test_single_part_needs_no_choice(tmp_path: Path, classifier: State) -> None:
    path = write(tmp_path / "student.pdparams", {f"Student.{name}": value for name, value in classifier.items()})
    assert_loaded(path, classifier)
    whole = write(tmp_path / "whole.pdparams", classifier)
    with pytest.raises(BundleError, match="not divided into parts"):
        load_network(CLASSIFIERS, f"{whole}#part=student")
    assert read_tensors(Source(whole, "student", or_whole=True)).part is None


def test_backbone_alone_is_loaded_only_when_that_was_asked_for(tmp_path: Path, detector: State) -> None:
    backbone = {name: value for name, value in detector.items() if name.startswith("backbone.")}
    bare = {name.removeprefix("backbone."): value for name, value in backbone.items()}
    bare["fc.weight"], bare["last_conv.weight"] = np.zeros((8, 1000)), np.zeros((8, 8, 1, 1))  # as ImageNet leaves it
    told: list[str] = []
    for index, content in enumerate((backbone, bare)):
        path = write(tmp_path / f"{index}.pdparams", content)
        with pytest.raises(MisfitError, match="closest is db_pplcnetv3_mobile") as caught:
            load_network(DETECTORS, str(path))
        assert "--partial" in (caught.value.hint or "")
        assert caught.value.report.whole_backbone
        network = load_network(DETECTORS, str(path), partial=True, tell=told.append)
        assert (network.arch, network.form) == ("db_pplcnetv3_mobile", "training")
        assert network.report is not None
        assert len(network.report.loaded) == len(backbone)
        assert all(not name.startswith("backbone.") for name in network.report.missing)
        assert network.report.missing
        assert network.provenance["load"]["loaded"] == len(backbone)
        assert network.fresh_head
        assert network.model.head.thresh is not None, "all branches are fresh, none is dropped"
        name = "backbone.conv1.conv.weight"
        assert torch.equal(network.model.state_dict()[name], torch.from_numpy(detector[name]))
    assert network.report is not None
    assert set(network.report.ignored) == {"backbone.fc.weight", "backbone.last_conv.weight"}
    assert all("only a part of the weights" in line for line in told)
    assert len(told) == 2


def test_table_of_what_does_not_fit(tmp_path: Path, detector: State) -> None:
    changed = dict(detector)
    changed["neck.new.weight"] = changed.pop("neck.ins_conv.0.in_conv.weight")
    changed["head.binarize.conv1.weight"] = np.zeros((24, 95, 3, 3), np.float32)
    changed["head.gru.0.cell.weight_ih"] = np.zeros(3)
    path = write(tmp_path / "changed.pdparams", changed)
    with pytest.raises(MisfitError) as caught:
        load_network(DETECTORS, str(path), "db_pplcnetv3_mobile")
    report = caught.value.report
    assert report.missing == ("neck.ins_conv.0.in_conv.weight",)
    assert report.unexpected == ("neck.new.weight",)
    assert report.mismatched == {"head.binarize.conv1.weight": ((24, 95, 3, 3), (24, 96, 3, 3))}
    assert report.ignored == {"head.gru.0.cell.weight_ih": "second name of an LSTM's tensor"}
    assert len(report.loaded) == len(detector) - 2
    assert "[24, 95, 3, 3] instead of [24, 96, 3, 3]" in str(caught.value)
    network = load_network(DETECTORS, str(path), "db_pplcnetv3_mobile", partial=True)
    assert network.report == report
    assert not network.fresh_head
    other = write(tmp_path / "other.pdparams", {"something.else": np.zeros(3)})
    with pytest.raises(MisfitError, match="0 tensors fit"):
        load_network(DETECTORS, str(other), "db_pplcnetv3_mobile", partial=True)


def test_fresh_last_layer_is_made_for_the_dictionary(tmp_path: Path) -> None:
    state = generated_state(load_json("models/v4_mobile_rec.json"))
    backbone = {name: value for name, value in state.items() if name.startswith("backbone.")}
    path = write(tmp_path / "backbone.pdparams", backbone)
    network = load_network(RECOGNIZERS, str(path), partial=True)
    (tmp_path / "dict.txt").write_text("a\nb\nc\n", encoding="utf-8")
    assert start_charset(network, str(tmp_path / "dict.txt")).characters == ("a", "b", "c")
    assert network.model.head.out_features == 4
    with pytest.raises(ConfigError, match="do not say which characters"):
        start_charset(load_network(RECOGNIZERS, str(path), partial=True), None)


def test_guide_of_official_training_is_ignored_with_the_reason(tmp_path: Path) -> None:
    state = generated_state(load_json("models/v4_mobile_rec.json"))
    table = {**state, "head.gtc_head.positional_encoding.pe": np.zeros((50, 1, 384), np.float32)}
    network = load_network(RECOGNIZERS, str(write(tmp_path / "rec.pdparams", table)))
    assert network.report is not None
    assert network.report.complete
    assert set(network.report.as_dict()["ignored"]) == {"used in training alone"}
    assert len(network.report.ignored) + len(network.report.loaded) == len(table)


def test_classifier_that_official_servers_carry_along_is_ignored(tmp_path: Path) -> None:
    state = generated_state(load_json("models/v5_server_det.json"))
    network = load_network(DETECTORS, str(write(tmp_path / "server.pdparams", state)))
    assert network.arch == "db_pphgnetv2_server"
    assert network.report is not None
    assert network.report.complete
    assert network.report.ignored == {"backbone.last_conv.weight": "classifier of the backbone's own pretraining"}


@pytest.mark.parametrize(("family", "model"), [(DETECTORS, "v6_small_det"), (RECOGNIZERS, "v6_small_rec")])
def test_only_one_network_fits(tmp_path: Path, family: Family[Any], model: str) -> None:
    path = write(tmp_path / "weights.pdparams", generated_state(load_json(f"models/{model}.json")))
    file = read_tensors(Source(path))
    fits = {name for each in FAMILIES for name, r in tensor_fits(each, file).items() if r.complete}
    assert fits == {("db" if family is DETECTORS else "ctc") + "_pplcnetv4_small"}


OFFICIAL = {
    "cls_mv3": "cls_mobilenetv3_x0_35",
    "v20_mobile_det": "db_mobilenetv3_dbfpn",
    "v20_mobile_rec": "ctc_mobilenetv3_crnn",
    "v20_server_det": "db_resnet18_vd",
    "v2_rec": "ctc_mobilenetv1_crnn",
    "v3_mobile_det": "db_mobilenetv3_rsefpn",
    "v3_mobile_rec": "ctc_mobilenetv1_svtr",
    "v3_server_det": "db_resnet50_vd_lkpan",
    "v4_mobile_det": "db_pplcnetv3_mobile",
    "v4_mobile_rec": "ctc_pplcnetv3_mobile",
    "v4_server_det": "db_pphgnet_server",
    "v4_server_rec": "ctc_pphgnet_server",
    "v5_mobile_rec": "ctc_pplcnetv3_mobile",
    "v5_server_det": "db_pphgnetv2_server",
    "v5_server_rec": "ctc_pphgnetv2_server",
    "v6_small_det": "db_pplcnetv4_small",
    "v6_small_rec": "ctc_pplcnetv4_small",
    "v6_tiny_det": "db_pplcnetv4_tiny",
}


@pytest.mark.parametrize("model", sorted(OFFICIAL))
def test_official_networks_are_recognised_by_names_and_shapes(model: str) -> None:
    table = load_json(f"models/{model}.json")["weights"]
    tensors = {torch_name(name): torch.empty(row[0], device="meta") for name, row in table.items()}
    family = next(family for family in FAMILIES if OFFICIAL[model] in family.names)
    reports = tensor_fits(family, NamedTensors(tensors, paddle_layout=True))
    assert [name for name, report in reports.items() if report.complete] == [OFFICIAL[model]]


@pytest.mark.parametrize(
    ("network", "prefix", "arch"),
    [
        ("v4_rec_svtr_large", "", "ctc_svtrnet_large"),
        ("v4_mobile_rec_distill", "Student.", "ctc_pplcnetv3_mobile"),
        ("v4_mobile_rec_distill", "Teacher.", None),  # the small SVTRNet, whose own head does not run in PaddleOCR
    ],
)
def test_what_teaches_is_told_from_what_learns(network: str, prefix: str, arch: str | None) -> None:
    rows = need(SHARED / "facts" / "paddle_keys" / f"{network}.tsv").read_text(encoding="utf-8").splitlines()
    shapes = {key: json.loads(shape) for key, shape, _ in (row.split("\t") for row in rows) if key.startswith(prefix)}
    tensors = {torch_name(key.removeprefix(prefix)): torch.empty(s, device="meta") for key, s in shapes.items()}
    reports = tensor_fits(RECOGNIZERS, NamedTensors(tensors, paddle_layout=True))
    assert [name for name, report in reports.items() if report.complete] == ([] if arch is None else [arch])


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.task)
def test_every_network_fits_its_own_tensors_in_both_forms_and_no_other(family: Family[Any]) -> None:
    """Which network a file belongs to is found out without making weights, so every one has to stand that."""
    for arch in family.names:
        with torch.device("meta"):
            model = family.build(arch, None)
            forms = (model, deployed(model))
        for form in forms:
            reports = tensor_fits(family, NamedTensors(form.state_dict(), paddle_layout=False))
            assert [name for name, report in reports.items() if report.complete] == [arch]


def test_ambiguous_weights_ask_for_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classifier: State
) -> None:
    path = write(tmp_path / "weights.pdparams", classifier)
    monkeypatch.setattr(CLASSIFIERS, "names", ("cls_mobilenetv3_x0_35",) * 2)
    fits = tensor_fits(CLASSIFIERS, read_tensors(Source(path)))
    monkeypatch.setattr(
        "ocrtune.weights.network.tensor_fits",
        lambda *_: {"one": fits["cls_mobilenetv3_x0_35"], "two": fits["cls_mobilenetv3_x0_35"]},
    )
    with pytest.raises(ConfigError, match="fit 2 networks alike") as caught:
        load_network(CLASSIFIERS, str(path))
    assert caught.value.expected == "one of one, two"


def archive(path: Path, **members: bytes) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name.replace("__", "/").replace("_dot_", "."))
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_official_archive_gives_its_weight_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classifier: State
) -> None:
    monkeypatch.setenv("OCRTUNE_CACHE", str(tmp_path / "cache"))
    content = pickle.dumps(classifier, protocol=2)
    path = archive(
        tmp_path / "cls_train.tar",
        cls_train__train_dot_log=b"log",
        cls_train__best_accuracy_dot_pdparams=content,
        cls_train__best_accuracy_dot_pdopt=b"optimiser",
        **{"..__..__outside_dot_txt": b"not to be written"},
    )
    assert_loaded(path, classifier)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["best_accuracy.pdparams", "cls_train.tar"]


def test_archives_without_exactly_one_weight_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCRTUNE_CACHE", str(tmp_path / "cache"))
    inference = archive(tmp_path / "infer.tar", infer__inference_dot_pdiparams=b"x", infer__inference_dot_pdmodel=b"y")
    with pytest.raises(BundleError, match="inference model of Paddle"):
        find_source(str(inference))
    twice = archive(tmp_path / "two.tar", a__best_accuracy_dot_pdparams=b"x", b__best_accuracy_dot_pdparams=b"y")
    with pytest.raises(BundleError, match="holds 2 files"):
        find_source(str(twice))
    (tmp_path / "broken.tar").write_bytes(b"\x00" * 100 + b"no archive")
    with pytest.raises(BundleError, match="cannot be read"):
        find_source(str(tmp_path / "broken.tar"))
    with tarfile.open(tmp_path / "link.tar", "w") as tar:
        link = tarfile.TarInfo("best_accuracy.pdparams")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(BundleError, match="no file of a sensible size"):
        find_source(str(tmp_path / "link.tar"))
    assert not (tmp_path / "cache").exists()


def test_mobile_detector_is_small_and_loads_quickly(tmp_path: Path, detector: State) -> None:
    """PP-OCRv4 mobile: at most 4.7 MB in fp32 once deployed, and read in under a second of processor time."""
    path = write(tmp_path / "weights.pdparams", detector)
    load_network(
        DETECTORS, str(path), "db_pplcnetv3_mobile"
    )  # what Python imports on first use is not the file's fault
    started = time.process_time()
    network = load_network(DETECTORS, str(path), "db_pplcnetv3_mobile")
    assert time.process_time() - started < 1.0
    folded = inference_form(DETECTORS, network.model)
    save_file(
        {name: value.contiguous() for name, value in folded.state_dict().items()}, tmp_path / "folded.safetensors"
    )
    assert (tmp_path / "folded.safetensors").stat().st_size <= 4.75e6
    assert sum(p.numel() for p in folded.parameters()) * 4 <= 4.7e6
    (tmp_path / ONNX).write_bytes(detector_onnx(folded))
    assert (tmp_path / ONNX).stat().st_size <= 4.8e6
