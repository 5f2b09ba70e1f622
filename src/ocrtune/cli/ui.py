"""``ocrtune ui``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.extras import need_page

NAME = "ui"
EXAMPLES = """Examples:

ocrtune ui

ocrtune ui --folder data --folder models --port 8080

OCRTUNE_LOGIN=name:password ocrtune ui --host 0.0.0.0"""


def command(
    folder: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder that the page may read; may be given several times, the first takes what it makes.",
            show_default="the current folder",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 is every one of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 7860,
    login: Annotated[
        str | None, typer.Option(envvar="OCRTUNE_LOGIN", metavar="NAME:PASSWORD", help="What visitors have to enter.")
    ] = None,
) -> None:
    """Open the web page: read images, check data, train, compare, calibrate, export and serve, in a browser."""
    need_page()
    from ocrtune.webui.server import login_of, serve_page
    from ocrtune.webui.workspace import Workspace

    output = Output()
    workspace = Workspace.of(folder or [Path.cwd()])
    entered = login_of(login) if login else None
    if entered is None and host not in ("127.0.0.1", "::1", "localhost"):
        output.warn(
            f"everybody who reaches {host} can use this page: set OCRTUNE_LOGIN=NAME:PASSWORD to ask for a login"
        )
    serve_page(workspace, host, port, entered, lambda url: output.say(f"the page is at {url} (Ctrl-C ends it)"))
