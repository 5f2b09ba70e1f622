"""Serves the page until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from ocrtune.errors import UsageError
from ocrtune.serving.server import bound
from ocrtune.webui.app import build_app
from ocrtune.webui.workspace import Workspace


class PageServer(uvicorn.Server):
    """Says where the page is once it can be opened."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._started()


def page_server(
    workspace: Workspace,
    host: str,
    port: int,
    login: tuple[str, str] | None,
    started: Callable[[str], None],
) -> tuple[PageServer, socket.socket]:
    """The page's server and the socket that it is to listen on.

    Raises:
        UsageError: the address cannot be used.
    """
    listening = bound(host, port)
    shown = "127.0.0.1" if host == "0.0.0.0" else host
    url = f"http://{shown}:{listening.getsockname()[1]}"
    config = uvicorn.Config(build_app(workspace, login), log_level="warning", timeout_graceful_shutdown=3)
    return PageServer(config, lambda: started(url)), listening


def serve_page(
    workspace: Workspace, host: str, port: int, login: tuple[str, str] | None, started: Callable[[str], None]
) -> None:
    """Serve the page until SIGTERM or SIGINT; trainings that it started go on.

    Args:
        workspace: what the page may see.
        host, port: where to listen; port 0 takes a free one.
        login: see `build_app`.
        started: told of the page's address once it can be opened.

    Raises:
        UsageError: the address cannot be used.
    """
    server, listening = page_server(workspace, host, port, login, started)
    server.run(sockets=[listening])


def login_of(text: str) -> tuple[str, str]:
    """Name and password of ``NAME:PASSWORD``.

    Raises:
        UsageError: one of them is missing.
    """
    name, _, password = text.partition(":")
    if not name or not password:
        raise UsageError("the login cannot be used", where="OCRTUNE_LOGIN", expected="NAME:PASSWORD")
    return name, password
