"""``ocrtune serve``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.extras import need_serving
from ocrtune.cli.options import BundleArg

if TYPE_CHECKING:
    from ocrtune.serving.server import Address

NAME = "serve"
EXAMPLES = """Examples:

ocrtune serve adapted/bundle

OCRTUNE_TOKEN=secret ocrtune serve ppocrv6-small --host 0.0.0.0 --queue 64"""


def command(
    bundle: BundleArg,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 is every one of this machine.")
    ] = "127.0.0.1",
    http: Annotated[int, typer.Option(min=0, max=65535, help="Port for HTTP; 0 takes a free one.")] = 8000,
    grpc: Annotated[int, typer.Option(min=0, max=65535, help="Port for gRPC; 0 takes a free one.")] = 50051,
    queue: Annotated[int, typer.Option(min=1, help="Pages accepted at the same time; more are told to wait.")] = 32,
    batch: Annotated[int, typer.Option(min=1, help="Pages whose lines are read together.")] = 4,
    max_mib: Annotated[float, typer.Option(min=0.001, help="Size of a request.")] = 20,
    max_megapixels: Annotated[float, typer.Option(min=0.001, help="Size of an image.")] = 40,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for a result, waiting included.")] = 60,
    token: Annotated[
        str | None, typer.Option(envvar="OCRTUNE_TOKEN", help="Bearer token that clients have to send.")
    ] = None,
) -> None:
    """Serve a bundle over HTTP and gRPC; SIGTERM and Ctrl-C finish what was accepted.

    The log, JSON lines on stderr, holds no image content and no file names.
    """
    need_serving()
    from ocrtune.runtime.pages import pages_models
    from ocrtune.serving.limits import MIB, Limits
    from ocrtune.serving.logs import log_to_stderr
    from ocrtune.serving.server import Address, serve_until_signal
    from ocrtune.serving.service import Service, described
    from ocrtune.weights.registry import resolve_bundle

    output = Output()
    found = resolve_bundle(bundle)
    limits = Limits(
        queue=queue,
        batch=batch,
        request_bytes=int(max_mib * MIB),
        pixels=int(max_megapixels * 1e6),
        seconds=timeout,
    )
    by_preset, models = pages_models(found), [described(found)]
    token = token or None  # an empty variable asks for nothing
    if token is None and host not in ("127.0.0.1", "::1", "localhost"):
        output.warn(f"everybody who reaches {host} can use this server: set OCRTUNE_TOKEN to ask for a token")
    log_to_stderr()

    def started(address: Address) -> None:
        output.say(f"HTTP: http://{address.host}:{address.http} (documentation: /docs)")
        output.say(f"gRPC: {address.host}:{address.grpc} (ocrtune.v1.Ocr)")
        bearer = "-H 'Authorization: Bearer TOKEN' " if token else ""
        output.next(f"curl {bearer}-F image=@page.jpg http://{address.host}:{address.http}/predict")

    service = Service(by_preset[""], limits, models, by_preset)
    asyncio.run(serve_until_signal(service, Address(host, http, grpc), token, started))
