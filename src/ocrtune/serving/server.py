"""Both servers in one event loop, from the first request to a stop that loses none."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ocrtune.errors import UsageError
from ocrtune.serving.grpc import OcrServer
from ocrtune.serving.http import build_app
from ocrtune.serving.logs import log
from ocrtune.serving.service import Service

HEAD_SECONDS = 10.0
"""For the head of an HTTP request to arrive."""
_HEAD_BYTES = 32 << 10


@dataclass(frozen=True)
class Address:
    """Where the servers listen.

    Attributes:
        host: name or IP address.
        http, grpc: ports; 0 takes a free one.
    """

    host: str
    http: int
    grpc: int


async def serve(
    service: Service, address: Address, token: str | None, stop: asyncio.Event, started: Callable[[Address], None]
) -> None:
    """Serve until told to stop; then finish what was accepted.

    Args:
        service: does the work.
        address: where to listen.
        token: see `build_app`.
        stop: ends it.
        started: told of the address with the real ports as soon as requests are taken.

    Raises:
        UsageError: the address cannot be used.
    """
    http = _HttpServer(
        uvicorn.Config(
            build_app(service, token),
            http=_HeadInTime,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            h11_max_incomplete_event_size=_HEAD_BYTES,
        )
    )
    grpc = OcrServer(service, token)
    listening = bound(address.host, address.http)
    try:
        grpc_port = await grpc.start(address.host, address.grpc)
    except RuntimeError as error:
        listening.close()
        raise _unusable(address.host, address.grpc) from error
    work = asyncio.create_task(service.run())
    http_work = asyncio.create_task(http.serve(sockets=[listening]))
    try:
        address = Address(address.host, listening.getsockname()[1], grpc_port)
        log("started", host=address.host, http=address.http, grpc=address.grpc)
        started(address)
        await stop.wait()
        log("stopping", pages_in_flight=service.in_flight)
        service.stopping = True
        http.should_exit = True
        await asyncio.gather(http_work, grpc.stop(service.limits.receive_seconds + service.limits.seconds))
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        log("stopped")


async def serve_until_signal(
    service: Service, address: Address, token: str | None, started: Callable[[Address], None]
) -> None:
    """`serve` in a process of its own: SIGTERM and SIGINT stop it; a second SIGINT does not wait."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def stopped() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped)
    await serve(service, address, token, stop, started)


class _HttpServer(uvicorn.Server):
    """Leaves signals to `serve`'s caller."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _HeadInTime(H11Protocol):
    """Closes a connection on which the head of a request does not arrive in time; uvicorn would wait for ever."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self) -> None:
        awaits_head = self.conn.their_state is h11.IDLE
        if self._timer is not None and not awaits_head:
            self._timer.cancel()
            self._timer = None
        elif self._timer is None and awaits_head:
            self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)


def bound(host: str, port: int) -> socket.socket:
    """A socket at an address.

    Raises:
        UsageError: the address cannot be used.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(place)
            listening.listen()  # uvicorn comes a moment later; until then the kernel keeps connections
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise _unusable(host, port) from error
    return listening


def _unusable(host: str, port: int) -> UsageError:
    return UsageError(
        "the address cannot be listened on", where=f"{host}:{port}", hint="stop what uses the port, or name another"
    )
