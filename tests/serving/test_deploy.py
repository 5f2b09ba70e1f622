"""The files of deploy/ are well-formed, and what they run is a command that exists."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from ocrtune.cli.main import app
from ocrtune.serving.limits import Limits
from support.paths import ROOT

DEPLOY = ROOT / "deploy"
INSTRUCTIONS = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"}
STOP_SECONDS = Limits().seconds + Limits().receive_seconds


def assert_is_a_command(arguments: list[str]) -> None:
    """``ocrtune serve`` with options that it has."""
    assert Path(arguments[0]).name == "ocrtune"
    name, command, rest = get_command(app).resolve_command(None, arguments[1:])  # type: ignore[attr-defined]
    assert name == "serve"
    command.make_context(name, rest)


def dockerfile() -> list[tuple[str, str]]:
    """Instructions and what follows them."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def test_the_dockerfile() -> None:
    instructions = dockerfile()
    assert instructions[0][0] == "FROM"
    assert {name for name, _ in instructions} == INSTRUCTIONS
    for name, rest in instructions:
        if name == "COPY":
            assert all((ROOT / source).exists() for source in rest.split()[:-1])
    found = dict(instructions)
    assert_is_a_command(json.loads(found["CMD"]))
    probe = json.loads(found["HEALTHCHECK"].split("CMD", 1)[1])
    assert probe[:2] == ["python", "-c"]
    compile(probe[2], "HEALTHCHECK", "exec")
    assert found["EXPOSE"].split() == ["8000", "50051"]
    assert found["USER"] != "root"


def test_the_compose_file() -> None:
    content = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    (service,) = content["services"].values()
    assert (DEPLOY / service["build"]["context"]).resolve() == ROOT
    assert (ROOT / service["build"]["dockerfile"]).is_file()
    assert_is_a_command(service["command"])
    assert int(service["stop_grace_period"].removesuffix("s")) > STOP_SECONDS
    assert all(re.fullmatch(r"\d+:\d+", port) for port in service["ports"])
    known = {
        *("build", "command", "environment", "volumes", "ports", "read_only", "tmpfs", "cap_drop", "security_opt"),
        *("restart", "stop_grace_period", "mem_limit"),
    }
    assert set(service) <= known, "a key that the Compose specification does not know is a typing error"


def test_the_systemd_unit(tmp_path: Path) -> None:
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read(DEPLOY / "ocrtune.service", encoding="utf-8")
    assert unit.sections() == ["Unit", "Service", "Install"]
    assert_is_a_command(shlex.split(unit["Service"]["ExecStart"]))
    assert int(unit["Service"]["TimeoutStopSec"]) > STOP_SECONDS


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is absent")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    text = (DEPLOY / "ocrtune.service").read_text(encoding="utf-8")
    (tmp_path / "ocrtune.service").write_text(text.replace("/opt/ocrtune/bin/ocrtune", "/bin/true"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(tmp_path / "ocrtune.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
