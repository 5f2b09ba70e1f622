"""Processes that begin with everything imported: a command in one of them takes what it does, without seconds of start.

The process of ``python -m support.forks`` imports, starts no thread and no engine, and forks for each command that it is
told on stdin; the child goes on as ``ocrtune`` would.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
IMPORTED = ("ocrtune.workflows.adapt", "ocrtune.export.bundle", "tensorboard", "matplotlib.figure")
"""Not ONNX Runtime: it starts a thread, and a child that is forked beside one hangs."""


def forked(
    arguments: Sequence[str], cwd: Path | None, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """What ``ocrtune ARGUMENTS`` in a process of its own printed, and how it ended."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: str(Path(folder) / name) for name in ("stdout", "stderr")}
        asked = {"arguments": list(arguments), "cwd": str(cwd or Path.cwd()), "environment": dict(environment), **paths}
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        answer = server.stdout.readline()
        assert answer, "the process that forks has died"
        printed = {name: Path(path).read_text(encoding="utf-8") for name, path in paths.items()}
    return subprocess.CompletedProcess(list(arguments), int(answer), **printed)


@lru_cache(maxsize=1)
def _server() -> subprocess.Popen[str]:
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-m", "support.forks"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def _next_command() -> bool:
    """Fork for each command; True in a child that is to run one, False in the parent after the last."""
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            _become(**json.loads(line))
            return True
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    return False


def _become(arguments: list[str], cwd: str, environment: dict[str, str], stdout: str, stderr: str) -> None:
    for stream, path in ((sys.stdout, stdout), (sys.stderr, stderr)):
        with open(path, "wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["ocrtune", *arguments]


def _end(code: object) -> None:
    """End as the interpreter would, without taking apart all that is imported, which takes longer than most commands."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    from ocrtune.cli.main import run

    gc.freeze()  # else a child's first collection copies all that is imported
    if _next_command():
        try:
            run()
        except SystemExit as end:
            _end(end.code)
