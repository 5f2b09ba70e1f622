"""Several processes of one run on this machine: started, listened to, stopped together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch
import torch.distributed as dist

from ocrtune.errors import OcrtuneError, ProcessLost
from ocrtune.runtime.engines import available_cores
from ocrtune.training.loop import State
from ocrtune.workflows.console import Console

Work = Callable[[Console], State]
"""What each process of a run does; it can be pickled."""
_GRACE = 15.0  # seconds to end in: once another process has failed, and again once told to


@dataclass
class _Member:
    """A process of the run, seen from outside; ``ended`` becomes what it left behind."""

    rank: int
    process: BaseProcess
    channel: Connection
    ended: State | OcrtuneError | str | None = None

    def kill(self, kind: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            if self.process.pid is not None and self.process.exitcode is None:
                os.kill(self.process.pid, kind)


def launched(work: Work, count: int, console: Console) -> State:
    """Run ``count`` processes to their end; SIGINT and SIGTERM reach all of them.

    Raises:
        ProcessLost: one died without a word; the others were ended.
        OcrtuneError: what one of them raised; a fault, before a process that only missed another.
    """
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    context = multiprocessing.get_context("spawn")
    members = []
    for rank in range(count):
        ours, theirs = context.Pipe(duplex=False)
        place = {
            "RANK": rank,
            "WORLD_SIZE": count,
            "LOCAL_RANK": rank,
            "LOCAL_WORLD_SIZE": count,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": store.port,
            "TORCHELASTIC_USE_AGENT_STORE": True,
        }
        process = context.Process(target=_process, args=(work, place, theirs), name=f"ocrtune-{rank}")
        members.append((_Member(rank, process, ours), theirs))
    try:
        # torch tells each process at length what finding unused parameters costs; read when torch is imported
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        for member, theirs in members:
            member.process.start()
            theirs.close()  # so that its end is seen here
        with _forwarding([member for member, _ in members]):
            return _watched([member for member, _ in members], console)
    finally:
        for member, _ in members:
            member.kill(signal.SIGKILL)


def _watched(members: list[_Member], console: Console) -> State:
    """Listen until every process has ended."""
    talking = {member.channel: member for member in members}
    failed_at: float | None = None
    told: signal.Signals | None = None
    while talking:
        for channel in wait(list(talking), timeout=None if failed_at is None else 0.5):
            member = talking[channel]  # type: ignore[index]
            if not _listened(member, console):
                del talking[member.channel]
                member.process.join()
                if not isinstance(member.ended, State):
                    failed_at = failed_at or time.monotonic()
        late = 0.0 if failed_at is None else time.monotonic() - failed_at
        wanted = signal.SIGKILL if late > 2 * _GRACE else signal.SIGTERM if late > _GRACE else None
        if wanted is not told and wanted is not None:
            told = wanted
            for member in talking.values():
                member.kill(wanted)
    return _verdict(members)


def _listened(member: _Member, console: Console) -> bool:
    """Take one message; False once there will be no more."""
    try:
        kind, content = member.channel.recv()
    except (EOFError, OSError):
        return False
    if kind == "say":
        console.say(content)
    elif kind == "watch":
        console.watch(content)
    else:
        member.ended = content
    return True


def _verdict(members: list[_Member]) -> State:
    """How a run ended all of whose processes have."""
    fault = explaining(member.ended for member in members)
    if fault is not None and not isinstance(fault, ProcessLost):
        raise fault
    for member in members:
        if isinstance(member.ended, str):
            raise RuntimeError(f"process {member.rank} of {len(members)} failed:\n{member.ended}")
    for member in members:
        if member.ended is None:
            code = member.process.exitcode or 0
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            raise ProcessLost(f"process {member.rank} (of 0 to {len(members) - 1}) {how}; the others were stopped")
    if fault is not None:
        raise fault
    assert isinstance(members[0].ended, State)
    return members[0].ended


def explaining(ends: Iterable[object]) -> OcrtuneError | None:
    """Of what processes ended with, the error that says most: the first that is more than missing another process."""
    faults = [end for end in ends if isinstance(end, OcrtuneError)]
    return min(faults, key=lambda fault: isinstance(fault, ProcessLost), default=None)


@contextmanager
def _forwarding(members: list[_Member]) -> Iterator[None]:
    """Pass the first SIGINT or SIGTERM on, which lets the processes save their state; a second SIGINT ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    requested = False

    def forward(kind: int, frame: object) -> None:
        nonlocal requested
        if requested:
            raise KeyboardInterrupt
        requested = True
        for member in members:
            member.kill(signal.SIGTERM)

    previous = {kind: signal.signal(kind, forward) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for kind, handler in previous.items():
            signal.signal(kind, handler)


def _process(work: Work, place: dict[str, object], channel: Connection) -> None:
    """What a started process does: its work, with all words going to the process that started it."""
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C reaches the process that started this one, which passes it on
    os.environ.update({name: str(value) for name, value in place.items()})
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    if not torch.cuda.is_available():
        torch.set_num_threads(max(1, available_cores() // int(str(place["WORLD_SIZE"]))))
    threading.Thread(target=_stop_with_parent, daemon=True).start()

    def send(kind: str, content: object) -> None:
        with suppress(OSError):  # who would listen has gone
            channel.send((kind, content))

    first = place["RANK"] == 0
    console = Console(lambda line: send("say", line), lambda progress: send("watch", progress)) if first else Console()
    try:
        send("end", work(console))
    except OcrtuneError as error:
        send("end", error)
        os._exit(error.exit_code)  # threads of a broken group may not end
    except BaseException:
        send("end", traceback.format_exc())
        os._exit(1)
    if dist.is_initialized():
        dist.destroy_process_group()


def _stop_with_parent() -> None:
    """Save and stop where the process that started this one has died."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
