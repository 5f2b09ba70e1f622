"""Receiving the files of an HTTP request: counted, in time, and in memory alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ocrtune.serving.errors import RequestError, SlowClient, TooLarge
from ocrtune.serving.limits import MIB
from ocrtune.serving.service import Service, Upload

FIELD = "image"
"""The form's field that holds a file."""


class Buffers:
    """Bytes of all requests that are in memory.

    Args:
        most: that may be.
    """

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0

    @contextmanager
    def share(self) -> Iterator[Callable[[int], bool]]:
        """One request's bytes; yields what takes some more, and says whether there was place."""
        mine = 0

        def take(count: int) -> bool:
            nonlocal mine
            if self._held + count > self._most:
                return False
            self._held += count
            mine += count
            return True

        try:
            yield take
        finally:
            self._held -= mine


class _Form(MultiPartParser):
    spool_max_size = 1 << 40  # never on a disk


@asynccontextmanager
async def received(request: Request, service: Service, buffers: Buffers) -> AsyncIterator[list[Upload]]:
    """The files of a request's body, which is one file or a form.

    Raises:
        TooLarge: the body is larger than the limit.
        Busy: other requests fill the memory that is set aside for them.
        SlowClient: the body did not arrive in time.
        RequestError: the form is damaged or holds no file.
    """
    limits = service.limits
    too_large = TooLarge(
        f"the request is larger than {limits.request_bytes / MIB:g} MiB", hint="send a smaller or fewer images"
    )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.request_bytes:
        raise too_large
    with buffers.share() as take:

        async def chunks() -> AsyncGenerator[bytes, None]:
            size = 0
            async for chunk in request.stream():
                size += len(chunk)
                if size > limits.request_bytes:
                    raise too_large
                if not take(len(chunk)):
                    raise service.busy("the memory for requests is full")
                yield chunk

        try:
            files = await asyncio.wait_for(_files(request, chunks()), limits.receive_seconds)
        except asyncio.TimeoutError:
            raise SlowClient(f"the request did not arrive within {limits.receive_seconds:g} s") from None
        yield files


async def _files(request: Request, chunks: AsyncGenerator[bytes, None]) -> list[Upload]:
    if not request.headers.get("content-type", "").lower().startswith("multipart/"):
        return [Upload(b"".join([chunk async for chunk in chunks]), request.query_params.get("name", ""))]
    try:
        form = await _Form(request.headers, chunks).parse()
    except (MultiPartException, ValueError, LookupError) as error:  # the parsers raise all of these
        raise RequestError("the form is damaged", expected="multipart/form-data") from error
    try:
        files = [value for key, value in form.multi_items() if key == FIELD and isinstance(value, UploadFile)]
        if not files:
            raise RequestError(f"the form has no file '{FIELD}'", expected=f"curl -F {FIELD}=@FILE")
        return [Upload(await file.read(), file.filename or "") for file in files]
    finally:
        await form.close()
