"""A server inside the test's process, with a model whose answers and timing the test decides."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import cv2
import grpc
import numpy as np

from ocrtune.page import Image, TextRegion, whole_image
from ocrtune.runtime.pages import PagesModel
from ocrtune.serving.grpc import SERVICE
from ocrtune.serving.limits import Limits
from ocrtune.serving.ocr_pb2 import PredictRequest, PredictResponse
from ocrtune.serving.server import Address, serve
from ocrtune.serving.service import Service

FREE = Address("127.0.0.1", 0, 0)


def painted(width: int, height: int, suffix: str = ".png") -> bytes:
    """An image file of one grey that its width decides."""
    return bytes(cv2.imencode(suffix, np.full((height, width, 3), width % 256, np.uint8))[1])


def size_model(images: Sequence[Image]) -> list[list[TextRegion]]:
    """Reads an image's size on it: each answer tells which image it is for."""
    return [[TextRegion(whole_image(w, h), f"{w}x{h}", score=0.5, text_score=1.0)] for h, w, _ in map(np.shape, images)]


@dataclass
class Gate:
    """A model that works when it is allowed to, and fails on images that are 13 pixels wide.

    Attributes:
        batches: the number of images in each.
    """

    batches: list[int] = field(default_factory=list)
    _open: threading.Event = field(default_factory=threading.Event)

    def __call__(self, images: Sequence[Image]) -> list[list[TextRegion]]:
        self.batches.append(len(images))
        assert self._open.wait(60), "the test opens the gate"
        if any(image.shape[1] == 13 for image in images):
            raise ValueError("thirteen")
        return size_model(images)

    def open(self) -> None:
        self._open.set()


@dataclass(frozen=True)
class Answer:
    """Of an HTTP server."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass
class Running:
    """A server that runs.

    Attributes:
        address: with its real ports.
    """

    address: Address
    _loop: asyncio.AbstractEventLoop
    _stop: asyncio.Event

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.address.http, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def predict(self, image: bytes) -> Answer:
        return self.ask("POST", "/predict", image)

    @contextmanager
    def channel(self) -> Iterator[grpc.Channel]:
        with grpc.insecure_channel(f"127.0.0.1:{self.address.grpc}") as channel:
            yield channel

    def grpc_predict(self, image: bytes, name: str = "", token: str | None = None, preset: str = "") -> PredictResponse:
        with self.channel() as channel:
            call = channel.unary_unary(
                f"/{SERVICE}/Predict",
                request_serializer=PredictRequest.SerializeToString,
                response_deserializer=PredictResponse.FromString,
            )
            metadata = [("authorization", f"Bearer {token}")] if token else None
            return call(PredictRequest(image=image, name=name, preset=preset), timeout=60, metadata=metadata)

    def until(self, figure: str, value: float, **labels: str) -> None:
        """Ask until one of the server's figures has a value."""
        shown = ",".join(f'{key}="{text}"' for key, text in labels.items())
        name = f"{figure}{{{shown}}}" if labels else figure
        for _ in range(20_000):
            lines = self.ask("GET", "/metrics").content.decode().splitlines()
            if f"{name} {value:.1f}" in lines:
                return
        raise AssertionError(f"{name} was never {value}")

    def until_in_flight(self, pages: int) -> None:
        """Ask until so many pages are accepted and not answered."""
        self.until("ocrtune_pages_in_flight", pages)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)


@contextmanager
def running(
    model: PagesModel = size_model,
    limits: Limits | None = None,
    token: str | None = None,
    address: Address = FREE,
    presets: Mapping[str, PagesModel] = MappingProxyType({}),
) -> Iterator[Running]:
    """A server in a thread of its own; it is stopped, and has to end, when the block is left."""
    started = threading.Event()
    servers: list[Running] = []
    faults: list[BaseException] = []

    async def main() -> None:
        stop = asyncio.Event()

        def tell(address: Address) -> None:
            servers.append(Running(address, asyncio.get_running_loop(), stop))
            started.set()

        await serve(Service(model, limits or Limits(), presets=presets), address, token, stop, tell)

    def work() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            faults.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=work, name="server")
    thread.start()
    started.wait()
    if not servers:
        raise faults[0]
    try:
        yield servers[0]
    finally:
        if thread.is_alive():
            servers[0].stop()
        thread.join(60)
    assert not thread.is_alive(), "the server ends"
    assert not faults, faults


def form(*files: tuple[str, bytes], field: str = "image") -> tuple[bytes, dict[str, str]]:
    """A multipart body of named files, and its headers."""
    parts = b"".join(
        b'--edge\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s\r\n'
        % (field.encode(), name.encode(), content)
        for name, content in files
    )
    return parts + b"--edge--\r\n", {"content-type": "multipart/form-data; boundary=edge"}
