"""The gRPC server: ``ocrtune.v1.Ocr``, standard health and reflection."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeAlias

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ocrtune.errors import OcrtuneError
from ocrtune.serving.errors import Busy, ServerFault, SlowClient, Stopping, Unauthorised, grpc_status
from ocrtune.serving.logs import log, log_fault
from ocrtune.serving.ocr_pb2 import DESCRIPTOR, Error, Page, Point, PredictRequest, PredictResponse, Region
from ocrtune.serving.service import Service, Upload

Context: TypeAlias = "grpc.aio.ServicerContext[PredictRequest, PredictResponse]"
_Answers: TypeAlias = "asyncio.Queue[asyncio.Task[PredictResponse] | None]"
SERVICE = DESCRIPTOR.services_by_name["Ocr"].full_name
_AHEAD = 4  # requests of one stream that are worked on at the same time
_ENVELOPE = 4096  # bytes of a message around its image
_WITHOUT_IMAGE = 64  # calls beyond the queue's places: health, reflection, and what is refused


class OcrServer:
    """A gRPC server around a service; made inside the event loop that it runs in.

    Args:
        service: does the work.
        token: that clients have to send as the metadata ``authorization: Bearer ...``; None asks for nothing.
    """

    def __init__(self, service: Service, token: str | None = None) -> None:
        self._service, self._token = service, token
        self._stopping = asyncio.Event()
        self.health = health.aio.HealthServicer()
        self.server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", service.limits.request_bytes + _ENVELOPE),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
            ],
            maximum_concurrent_rpcs=service.limits.queue + _WITHOUT_IMAGE,
        )
        handlers = {
            "Predict": grpc.unary_unary_rpc_method_handler(
                self._predict, PredictRequest.FromString, PredictResponse.SerializeToString
            ),
            "PredictStream": grpc.stream_stream_rpc_method_handler(
                self._predict_stream, PredictRequest.FromString, PredictResponse.SerializeToString
            ),
        }
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self.server)

    async def start(self, host: str, port: int) -> int:
        """Bind and serve; returns the port, which is a free one where 0 was asked for.

        Raises:
            RuntimeError: the address cannot be bound.
        """
        bound = int(self.server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))
        await self.server.start()
        for name in ("", SERVICE):
            await self.health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return bound

    async def stop(self, seconds: float) -> None:
        """Take nothing new, and finish what there is within so many seconds."""
        self._stopping.set()
        await self.health.enter_graceful_shutdown()
        await self.server.stop(seconds)

    async def _predict(self, request: PredictRequest, context: Context) -> PredictResponse:
        await self._authorise("Predict", context)
        try:
            return await self._answer("Predict", request)
        except OcrtuneError as error:
            if isinstance(error, Busy):
                context.set_trailing_metadata((("retry-after", str(error.retry_after)),))
            return await context.abort(grpc_status(error), str(error))

    async def _predict_stream(
        self, requests: AsyncIterator[PredictRequest], context: Context
    ) -> AsyncIterator[PredictResponse]:
        await self._authorise("PredictStream", context)
        answers: _Answers = asyncio.Queue()
        room = asyncio.Semaphore(_AHEAD)
        reader = asyncio.create_task(self._read(requests, answers, room))
        try:
            while (answer := await answers.get()) is not None:
                yield await answer
                room.release()
            await reader
        except (SlowClient, Stopping) as error:
            await context.abort(grpc_status(error), str(error))
        finally:
            reader.cancel()
            while not answers.empty():
                if (left := answers.get_nowait()) is not None:
                    left.cancel()

    async def _read(self, requests: AsyncIterator[PredictRequest], answers: _Answers, room: asyncio.Semaphore) -> None:
        """Start the work for each request of a stream as there is room, until the stream ends; None marks the end.

        Raises:
            SlowClient: nothing came for longer than any work may take.
            Stopping: the server stops.
        """
        limits = self._service.limits
        patience = limits.receive_seconds + limits.seconds
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            while True:
                await room.acquire()
                coming = asyncio.ensure_future(anext(requests))
                try:
                    await asyncio.wait({coming, stopping}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                    if not coming.done():
                        self._service.open()
                        raise SlowClient(f"no request came within {patience:g} s")
                    answers.put_nowait(asyncio.create_task(self._answer_or_error(coming.result())))
                finally:
                    coming.cancel()
        except StopAsyncIteration:
            pass
        finally:
            stopping.cancel()
            answers.put_nowait(None)

    async def _answer_or_error(self, request: PredictRequest) -> PredictResponse:
        try:
            return await self._answer("PredictStream", request)
        except OcrtuneError as error:
            return PredictResponse(error=Error(code=grpc_status(error).value[0], message=str(error)))

    async def _answer(self, method: str, request: PredictRequest) -> PredictResponse:
        started, code = time.perf_counter(), grpc.StatusCode.CANCELLED
        try:
            self._service.open()
            pages = await self._service.predict(Upload(request.image, request.name, request.preset))
            code = grpc.StatusCode.OK
            return PredictResponse(pages=[_page(page) for page in pages])
        except OcrtuneError as error:
            code = grpc_status(error)
            raise
        except Exception as error:
            code = grpc.StatusCode.INTERNAL
            log_fault("request failed", error, protocol="grpc")
            raise ServerFault from None
        finally:
            self._observe(method, code, started)

    async def _authorise(self, method: str, context: Context) -> None:
        """End the call unless it has the token."""
        if self._token is None:
            return
        given = dict(context.invocation_metadata() or ()).get("authorization", "")
        if not hmac.compare_digest(str(given).encode(), f"Bearer {self._token}".encode()):
            error = Unauthorised("the bearer token is missing or wrong", expected="authorization: Bearer TOKEN")
            self._observe(method, error.grpc_status, time.perf_counter())
            await context.abort(error.grpc_status, str(error))

    def _observe(self, method: str, code: grpc.StatusCode, started: float) -> None:
        seconds = time.perf_counter() - started
        self._service.metrics.request("grpc", method, code.name, seconds)
        log("request", protocol="grpc", method=method, code=code.name, ms=round(1000 * seconds, 1))


def _page(found: Mapping[str, Any]) -> Page:
    """A page's predict JSON as a message."""
    regions = [
        Region(**{**region, "polygon": [Point(x=x, y=y) for x, y in region["polygon"]]}) for region in found["regions"]
    ]
    return Page(image=found["image"], width=found["width"], height=found["height"], regions=regions)
