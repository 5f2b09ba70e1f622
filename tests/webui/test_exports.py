"""Exports and the service: which command runs, and what is made of what it says."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ocrtune.bundle import Bundle
from ocrtune.errors import UsageError
from ocrtune.webui.background import ENDED, JOB, OUTPUT, Job
from ocrtune.webui.deployment import Deployment, fault, summary
from ocrtune.webui.exports import Export, last_export, outcome
from ocrtune.weights.registry import published_bundle
from support.paths import ROOT


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Arguments of the jobs that would have been started."""
    seen: list[tuple[str, ...]] = []

    def start(folder: Path, arguments: list[str], secrets: object = None) -> Job:
        seen.append(tuple(arguments))
        return Job(folder, tuple(arguments), 1, 0.0)

    monkeypatch.setattr(Job, "start", start)
    return seen


def ended(folder: Path, code: int, output: str, *arguments: str) -> Job:
    """A job that has ended like this."""
    folder.mkdir(parents=True)
    (folder / OUTPUT).write_text(output, encoding="utf-8")
    (folder / ENDED).write_text(f"{code}\n", encoding="ascii")
    (folder / JOB).write_text(json.dumps({"arguments": arguments, "pid": 2**22 + 1, "created": 0.0}), encoding="utf-8")
    job = Job.find(folder)
    assert job is not None
    return job


@pytest.mark.parametrize(
    ("wanted", "part", "name", "options"),
    [
        (Export("onnx-boxes"), "recognition", "detection", ("--size", "800x800")),
        (Export("onnx-boxes", width=736, height=1280), "", "detection", ("--size", "736x1280")),
        (Export("onnx", half=True), "recognition", "recognition", ("--precision", "fp16")),
        (Export("torchscript"), "orientation", "orientation", ()),
        (Export("openvino"), "detection", "detection", ()),
    ],
)
def test_a_pipeline_is_exported_by_part(
    tmp_path: Path, started: list[tuple[str, ...]], wanted: Export, part: str, name: str, options: tuple[str, ...]
) -> None:
    bundle = published_bundle("ppocrv4-mobile")
    job = wanted.start(bundle, part, None, tmp_path)
    file = tmp_path / "exports" / f"ppocrv4-mobile-{name}" / Path(wanted.file).stem / wanted.file
    head = ("export", str(bundle.path / name), "--format", wanted.format, "--out", str(file))
    assert started == [(*head, *options, "--json")]
    assert Export.of(job) == wanted


def test_a_part_that_is_not_there_is_said(tmp_path: Path, started: list[tuple[str, ...]]) -> None:
    with pytest.raises(UsageError, match="no part for"):
        Export("onnx").start(published_bundle("ppocrv4-mobile"), "../detection", None, tmp_path)
    assert started == []


def test_the_gate_may_see_labelled_pages(tmp_path: Path, v4_mobile: Bundle, started: list[tuple[str, ...]]) -> None:
    Export("openvino").start(v4_mobile, "", "icdar:/data/val", tmp_path)
    assert started[0][-3:] == ("--gate", "icdar:/data/val", "--json")


def test_the_snippet_is_the_documented_one() -> None:
    documented = (ROOT / "docs" / "onnx-boxes.md").read_text(encoding="utf-8")
    assert f"```python\n{Export('onnx-boxes').snippet}\n```" in documented


def test_an_export_tells_its_files_and_figures(tmp_path: Path) -> None:
    folder = tmp_path / "exports" / "m" / "model"
    said = json.dumps({"file": str(folder / "model.xml"), "format": "openvino", "bytes": 2, "gate": {"pages": 2}})
    job = ended(folder, 0, f"gate: 2 pages\nwritten\n{said}\nnext: …\n", "export", "m", "--format", "openvino")
    for suffix in (".xml", ".bin"):
        (folder / f"model{suffix}").touch()
    found = outcome(job)
    assert [path.name for path in found.files] == ["model.xml", "model.bin"]
    assert (found.gate, found.fault) == ({"pages": 2}, None)
    assert last_export(tmp_path) == job


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ('{"error": "GateError", "what": "the exported file differs", "to_do": "look"}\nerror: …', "differs"),
        ("Killed", "Killed"),
    ],
)
def test_an_export_that_fails_tells_why(tmp_path: Path, output: str, says: str) -> None:
    found = outcome(ended(tmp_path / "job", 1, output, "export", "m"))
    assert found.files == ()
    assert found.fault is not None
    assert says in found.fault["what"]


def test_a_job_that_has_ended_is_forgotten(tmp_path: Path) -> None:
    job = ended(tmp_path / "job", 1, "old\n", "export", "m")
    job.forget()
    assert list((tmp_path / "job").iterdir()) == []


def test_a_server_that_could_not_start_tells_why(tmp_path: Path) -> None:
    log = '{"event": "started"}\nerror: 127.0.0.1:8000: the address cannot be listened on\n  to do: stop what uses it\n'
    arguments = ("serve", "b", "--host", "127.0.0.1", "--http", "8000", "--grpc", "50051")
    job = ended(tmp_path / "servers" / "page", 2, log, *arguments)
    server = Deployment.find(tmp_path)
    assert server is not None
    assert server.look("") == ("failed", None)
    assert (server.bundle, server.host, server.port) == ("b", "127.0.0.1", 8000)
    assert fault(job).splitlines()[0] == "error: 127.0.0.1:8000: the address cannot be listened on"


def test_a_token_is_in_no_file_and_no_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/true")
    server = Deployment.start(tmp_path, "ppocrv4-mobile", "127.0.0.1", 8000, 50051, "sesame")
    while server.job.running:
        time.sleep(0)
    assert server.job.exit_code == 0
    for path in (tmp_path / "servers" / "page").iterdir():
        assert "sesame" not in path.read_text(encoding="utf-8")


def test_the_pages_own_questions_are_no_news(tmp_path: Path) -> None:
    own = '{"event": "request", "protocol": "http", "method": "GET /metrics", "code": 200}\n'
    job = ended(tmp_path / "servers" / "page", 0, "HTTP: http://127.0.0.1:8000\n" + 9 * own, "serve", "b")
    assert Deployment(job).log() == "HTTP: http://127.0.0.1:8000"


def test_figures_of_a_server() -> None:
    metrics = """\
# TYPE ocrtune_requests counter
ocrtune_requests_total{code="200",method="POST /predict",protocol="http"} 3.0
ocrtune_requests_total{code="422",method="POST /predict",protocol="http"} 1.0
ocrtune_requests_total{code="OK",method="Predict",protocol="grpc"} 2.0
ocrtune_requests_total{code="200",method="GET /metrics",protocol="http"} 50.0
# TYPE ocrtune_request_seconds histogram
ocrtune_request_seconds_sum{method="POST /predict",protocol="http"} 2.0
ocrtune_request_seconds_count{method="POST /predict",protocol="http"} 4.0
# TYPE ocrtune_pages counter
ocrtune_pages_total 5.0
# TYPE ocrtune_pages_in_flight gauge
ocrtune_pages_in_flight 1.0
"""
    assert summary(metrics) == {"requests": 6, "faults": 1, "pages": 5, "in_flight": 1, "seconds": 0.5}
