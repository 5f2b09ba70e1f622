"""The HTTP server's paths."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Coroutine
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Query, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import ocrtune
from ocrtune.errors import OcrtuneError
from ocrtune.serving.errors import Busy, RequestError, ServerFault, Unauthorised, http_status
from ocrtune.serving.logs import log, log_fault
from ocrtune.serving.metrics import CONTENT_TYPE, Metrics
from ocrtune.serving.schema import (
    ONE_FILE,
    SEVERAL_FILES,
    BatchPrediction,
    Models,
    PagePrediction,
    State,
    faults,
)
from ocrtune.serving.service import Service
from ocrtune.serving.upload import Buffers, received

_T = TypeVar("_T")
_BEARER = HTTPBearer(auto_error=False)
_CLIENT_GONE = 499  # nginx' code for a client that did not wait for its answer
_WORK_FAULTS = (400, 401, 408, 413, 422, 503, 504)


def build_app(service: Service, token: str | None = None) -> FastAPI:
    """The application.

    Args:
        service: does the work.
        token: that clients have to send as ``Authorization: Bearer ...``; None asks for nothing.
    """
    app = FastAPI(
        title="ocrtune",
        version=ocrtune.__version__,
        description="Finds and reads the texts on images.",
        redoc_url=None,
    )
    app.add_exception_handler(OcrtuneError, _fault)
    app.add_exception_handler(HTTPException, _http_fault)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(_Observed, metrics=service.metrics)
    secured = [Security(_guard(token))] if token else []
    buffers = Buffers(service.limits.buffered_bytes)
    preset_of: Any = Query(
        "",
        description="Kind of image; nothing for the bundle's own settings.",
        json_schema_extra={"enum": ["", *service.presets]},
    )

    @app.post(
        "/predict",
        response_model=PagePrediction | list[PagePrediction],
        responses=faults(*_WORK_FAULTS),
        openapi_extra=ONE_FILE,
        dependencies=secured,
    )
    async def predict(
        request: Request,
        name: Annotated[str, Query(max_length=255, description="Of an image that is no form.")] = "",
        preset: str = preset_of,
    ) -> Response:
        """The texts of one image; of a PDF, a list with an entry for each page."""
        service.open()
        async with received(request, service, buffers) as uploads:
            if len(uploads) > 1:
                raise RequestError(f"the form has {len(uploads)} files", expected="one", hint="use /predict/batch")
            pages = await _while_connected(request, service.predict(replace(uploads[0], preset=preset)))
        return JSONResponse(pages if uploads[0].is_pdf else pages[0])

    @app.post(
        "/predict/batch",
        response_model=BatchPrediction,
        responses=faults(*_WORK_FAULTS),
        openapi_extra=SEVERAL_FILES,
        dependencies=secured,
    )
    async def predict_batch(request: Request, preset: str = preset_of) -> Response:
        """The texts of several images and PDFs; a broken one gives an error in its place."""
        service.open()
        async with received(request, service, buffers) as uploads:
            seen = [replace(upload, preset=preset) for upload in uploads]
            outcomes = await _while_connected(request, service.predict_each(seen))
        results: list[dict[str, Any]] = []
        for upload, outcome in zip(uploads, outcomes, strict=True):
            if isinstance(outcome, OcrtuneError):
                results.append({"image": upload.name, "error": outcome.as_dict()})
            else:
                results += outcome
        return JSONResponse({"results": results})

    @app.get("/models", response_model=Models, responses=faults(401), dependencies=secured)
    async def models() -> Response:
        """What the server runs, and its limits."""
        return JSONResponse({"models": service.models, "presets": service.presets, "limits": vars(service.limits)})

    @app.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {CONTENT_TYPE: {"schema": {"type": "string"}}}}, **faults(401)},
        dependencies=secured,
    )
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(service.metrics.text(), headers={"content-type": CONTENT_TYPE})

    @app.get("/health", response_model=State)
    async def health() -> Response:
        """Whether the process is alive."""
        return JSONResponse({"status": "ok"})

    @app.get("/ready", response_model=State, responses={503: {"model": State}})
    async def ready() -> Response:
        """Whether new requests are taken."""
        if service.stopping:
            return JSONResponse({"status": "stopping"}, HTTPStatus.SERVICE_UNAVAILABLE)
        return JSONResponse({"status": "ready"})

    app.openapi()  # now, because it takes long and is kept
    return app


def _guard(token: str) -> Any:
    def check(given: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]) -> None:
        if given is None or not hmac.compare_digest(given.credentials.encode(), token.encode()):
            raise Unauthorised("the bearer token is missing or wrong", expected="Authorization: Bearer TOKEN")

    return check


async def _while_connected(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """The work's result; it is given up when the client has gone.

    Raises:
        ClientDisconnect: it has.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


def _fault(request: Request, error: Exception) -> Response:
    assert isinstance(error, OcrtuneError)
    headers = {}
    if isinstance(error, Busy):
        headers["retry-after"] = str(error.retry_after)
    if isinstance(error, Unauthorised):
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(error.as_dict(), http_status(error), headers)


def _http_fault(request: Request, error: Exception) -> Response:
    """Unknown paths and methods, in the same shape."""
    assert isinstance(error, HTTPException)
    content = RequestError(str(error.detail), where=request.url.path, hint="see /docs").as_dict()
    return JSONResponse(content, error.status_code, error.headers)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return JSONResponse(RequestError(str(first["msg"]), where=where).as_dict(), HTTPStatus.UNPROCESSABLE_ENTITY)


class _Observed:
    """Counts and logs every request, and answers 500 where the application failed."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, code = time.perf_counter(), _CLIENT_GONE

        async def noted(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except ClientDisconnect:
            pass
        except Exception as error:
            log_fault("request failed", error, protocol="http")
            if code == _CLIENT_GONE:
                await JSONResponse(ServerFault().as_dict(), ServerFault.http_status)(scope, receive, noted)
        # clients may ask for any path with any method: these are no names for figures
        route = None if code == HTTPStatus.METHOD_NOT_ALLOWED else scope.get("route")
        method, seconds = f"{scope['method']} {route.path}" if route else "other", time.perf_counter() - started
        self._metrics.request("http", method, str(code), seconds)
        log("request", protocol="http", method=method, code=code, ms=round(1000 * seconds, 1))
