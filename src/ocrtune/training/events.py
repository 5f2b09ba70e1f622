"""TensorBoard's event files, written at once and by nobody else, so that a full disk is met where it can be answered."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


class EventFile:
    """A further event file in a run folder.

    Args:
        folder: the run folder.
        step: from which step the run goes on; TensorBoard forgets what earlier files have after it. 0 for a new run.
    """

    def __init__(self, folder: Path, step: int) -> None:
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{step}"
        self._file = (folder / name).open("ab", buffering=0)
        self._writer = RecordWriter(self._file)
        self._write(Event(file_version="brain.Event:2"))
        if step:
            self._write(Event(step=step + 1, session_log=SessionLog(status=SessionLog.START)))

    def add(self, figures: Mapping[str, float], step: int) -> None:
        """Figures of a step, by name."""
        values = [Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        self._write(Event(step=step, summary=Summary(value=values)))

    def close(self) -> None:
        self._file.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._writer.write(event.SerializeToString())
