"""Long work as processes of their own: they outlive a page that is closed, and the page's server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from ocrtune.errors import UsageError
from ocrtune.files import write_whole

_LONG_LINE = 1 << 10  # bytes
_WHOLE = 10_000  # lines, or an object that is as long: it may name every page
JOB, OUTPUT, ENDED = "job.json", "job.log", "job.exit"
_KEEP_CODE = 'trap : TERM INT; "$@"; code=$?; echo $code > "$0"; exit $code'
"""Waits for a command through the signals that stop it, and leaves its exit status in the file that is named first."""

_started: list[subprocess.Popen[bytes]] = []  # by this process, which has to ask after them when they have ended


@dataclass(frozen=True)
class Job:
    """An ``ocrtune`` command that runs, or ran, in the background.

    Attributes:
        folder: holds its output and its exit status.
        arguments: of ``ocrtune``.
        pid: of the process.
        created: when that process began, seconds since 1970; tells it from a later one with the same number.
    """

    folder: Path
    arguments: tuple[str, ...]
    pid: int
    created: float

    @classmethod
    def start(cls, folder: Path, arguments: Sequence[str], secrets: Mapping[str, str] | None = None) -> Job:
        """Start ``ocrtune ARGUMENTS``; the output goes to a file in the folder.

        Args:
            folder: of the job; its output goes behind that of the last one there.
            arguments: anybody on this machine can see them.
            secrets: environment variables that nobody else does.

        Raises:
            UsageError: a job runs in this folder already.
        """
        if (before := cls.find(folder)) is not None and before.running:
            raise UsageError("a job is running here already", where=folder, hint="stop it first, or wait for its end")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ENDED).unlink(missing_ok=True)
        command = [sys.executable, "-m", "ocrtune", *arguments]
        with (folder / OUTPUT).open("ab") as output:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _KEEP_CODE, str(folder / ENDED), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(secrets or {})},
            )
        _started[:] = [process, *(other for other in _started if other.poll() is None)]
        job = cls(folder, tuple(arguments), process.pid, psutil.Process(process.pid).create_time())
        record = {"arguments": job.arguments, "pid": job.pid, "created": job.created}
        write_whole(folder / JOB, json.dumps(record, indent=1) + "\n")
        return job

    @classmethod
    def find(cls, folder: Path) -> Job | None:
        """The last job that was started in a folder, if any."""
        try:
            record = json.loads((folder / JOB).read_text(encoding="utf-8"))
            return cls(folder, tuple(record["arguments"]), int(record["pid"]), float(record["created"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def running(self) -> bool:
        """Whether it is still at work."""
        try:
            process = psutil.Process(self.pid)
            return process.create_time() == self.created and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    @property
    def exit_code(self) -> int | None:
        """Of a job that came to its end by itself; None while it runs, and after it was killed."""
        try:
            return int((self.folder / ENDED).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def output(self, lines: int = 40) -> str:
        """The last lines of what it printed."""
        try:
            with (self.folder / OUTPUT).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - lines * _LONG_LINE))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def result(self) -> dict[str, Any] | None:
        """The JSON object that a command with ``--json`` printed last; None where it came to none."""
        for line in reversed(self.output(_WHOLE).splitlines()):
            if line.startswith("{"):
                try:
                    found: dict[str, Any] = json.loads(line)
                except ValueError:
                    continue
                return found
        return None

    def forget(self) -> None:
        """Remove what a job that has ended left in its folder."""
        if not self.running:
            for name in (JOB, OUTPUT, ENDED):
                (self.folder / name).unlink(missing_ok=True)

    def stop(self) -> None:
        """Ask it to stop: a training saves its state and ends."""
        if self.running:
            for process in psutil.Process(self.pid).children():
                process.send_signal(signal.SIGTERM)
