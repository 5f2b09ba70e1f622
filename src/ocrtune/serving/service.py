"""What HTTP and gRPC both call: takes a request or refuses it, decodes, batches, and gives the interface's JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from ocrtune.bundle import PARTS, Bundle
from ocrtune.errors import OcrtuneError
from ocrtune.page import Image, Page, TextRegion
from ocrtune.runtime.pages import PagesModel, page_json
from ocrtune.runtime.pdf import render_pdf_page
from ocrtune.serving.batching import Batcher
from ocrtune.serving.errors import Busy, RequestError, Stopping, TimeLimit, TooLarge
from ocrtune.serving.images import decoded, pdf_pages
from ocrtune.serving.limits import Limits
from ocrtune.serving.metrics import Metrics

_T = TypeVar("_T")
_PDF_HEAD = 1024  # bytes within which a PDF has to say that it is one (PDF 1.7, implementation note 13)


@dataclass(frozen=True)
class Upload:
    """One file of a request.

    Attributes:
        content: of an image file or PDF.
        name: what the client calls it; may be empty.
        preset: through which the model sees it; "" for the bundle's own settings.
    """

    content: bytes
    name: str
    preset: str = ""

    @property
    def is_pdf(self) -> bool:
        """Whether it is a PDF by what it starts with."""
        return b"%PDF-" in self.content[:_PDF_HEAD]


class _Seen(NamedTuple):
    """An image, and the preset through which it is looked at."""

    image: Image
    preset: str


class Service:
    """One model with its queue; lives in one event loop.

    Args:
        model: finds or reads the texts of several images.
        limits: what is taken at most.
        models: what ``/models`` shows.
        presets: the same model by preset (see `ocrtune.runtime.pages.pages_models`).
    """

    def __init__(
        self,
        model: PagesModel,
        limits: Limits,
        models: Sequence[dict[str, Any]] = (),
        presets: Mapping[str, PagesModel] = MappingProxyType({}),
    ) -> None:
        self._by_preset = {"": model, **presets}
        self.limits = limits
        self.models = list(models)
        self.metrics = Metrics()
        self.stopping = False
        self._batcher = Batcher(self._look, limits.batch, self._observe)
        self._decoders = ThreadPoolExecutor(2, thread_name_prefix="decoder")
        self._pdfium = ThreadPoolExecutor(1, thread_name_prefix="pdf")  # a PDF that renders for ever stops only PDFs
        self._decoded = asyncio.Semaphore(2 * limits.batch)  # bounds the decoded images in memory
        self.in_flight = 0
        self._page_seconds = 1.0  # of late, for Retry-After

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            await self._batcher.run()
        finally:
            self._batcher.close()
            self._decoders.shutdown()
            self._pdfium.shutdown(wait=False)

    def open(self) -> None:
        """Make sure that a request that begins now will be answered.

        Raises:
            Stopping: the server only finishes what it has.
        """
        if self.stopping:
            raise Stopping("the server is stopping", hint="try again in some seconds")

    @property
    def presets(self) -> list[str]:
        """Names of what `Upload.preset` may ask for."""
        return [name for name in self._by_preset if name]

    async def predict(self, upload: Upload) -> list[dict[str, Any]]:
        """The predict JSON of an image, or of each page of a PDF.

        Raises:
            RequestError: the model has no such preset.
            ImageError: the file is broken or has too many pixels.
            TooLarge: a PDF has too many pages.
            Busy: the queue is full.
            TimeLimit: the result took too long.
        """
        self._check_preset(upload.preset)
        with self._taken(1):
            return await self._in_time(self._pages(upload))

    async def predict_each(self, uploads: Sequence[Upload]) -> list[list[dict[str, Any]] | OcrtuneError]:
        """The same of several files; a broken one gives its error and harms no other.

        Raises:
            RequestError: the model has no such preset.
            TooLarge: there are more files than the queue has places.
            Busy: the queue has too few free places for all of them.
            TimeLimit: the results took too long.
        """
        for upload in uploads:
            self._check_preset(upload.preset)
        if len(uploads) > self.limits.queue:
            raise TooLarge(
                f"the request has {len(uploads)} files", expected=f"at most {self.limits.queue}", hint="send fewer"
            )

        async def one(upload: Upload) -> list[dict[str, Any]] | OcrtuneError:
            try:
                return await self._pages(upload)
            except OcrtuneError as error:
                return error

        with self._taken(len(uploads)):
            return await self._in_time(asyncio.gather(*map(one, uploads)))

    def busy(self, what: str) -> Busy:
        """The answer to a request for which there is no place."""
        return Busy(what, self._page_seconds * self.in_flight)

    def _check_preset(self, preset: str) -> None:
        if preset not in self._by_preset:
            raise RequestError(
                f"there is no preset '{preset}'", expected=", ".join(self.presets) or "none: this model has no presets"
            )

    @contextmanager
    def _taken(self, places: int) -> Iterator[None]:
        """Places in the queue."""
        if self.in_flight + places > self.limits.queue:
            raise self.busy("the queue is full")
        self._count(places)
        try:
            yield
        finally:
            self._count(-places)

    def _count(self, places: int) -> None:
        self.in_flight += places
        self.metrics.in_flight.set(self.in_flight)

    async def _in_time(self, work: Awaitable[_T]) -> _T:
        try:
            return await asyncio.wait_for(work, self.limits.seconds)
        except asyncio.TimeoutError:
            raise TimeLimit(
                f"there was no result within {self.limits.seconds:g} s", hint="send less at a time, or try again later"
            ) from None

    async def _pages(self, upload: Upload) -> list[dict[str, Any]]:
        content, name = upload.content, upload.name
        if not upload.is_pdf:
            return [await self._page(self._decoders, partial(decoded, content, name, self.limits), upload)]
        # page after page, so that a long document takes no more of the queue than an image
        names = [f"{name}#{number + 1}" for number in range(await self._pdf_pages(upload))]
        return [
            await self._page(self._pdfium, partial(render_pdf_page, content, index, page), replace(upload, name=page))
            for index, page in enumerate(names)
        ]

    async def _pdf_pages(self, upload: Upload) -> int:
        count = partial(pdf_pages, upload.content, upload.name, self.limits)
        return await asyncio.get_running_loop().run_in_executor(self._pdfium, count)

    async def _page(self, executor: Executor, load: Callable[[], Image], upload: Upload) -> dict[str, Any]:
        async with self._decoded:
            image = await asyncio.get_running_loop().run_in_executor(executor, load)
            regions = await self._batcher.predict(_Seen(image, upload.preset))
        return page_json(Page(image, regions, upload.name), (image.shape[1], image.shape[0]))

    def _look(self, batch: Sequence[_Seen]) -> list[list[TextRegion]]:
        """The texts of the images of a batch; those with the same preset are looked at together."""
        found: list[list[TextRegion]] = [[] for _ in batch]
        for preset in dict.fromkeys(seen.preset for seen in batch):
            indices = [index for index, seen in enumerate(batch) if seen.preset == preset]
            pages = self._by_preset[preset]([batch[index].image for index in indices])
            for index, regions in zip(indices, pages, strict=True):
                found[index] = regions
        return found

    def _observe(self, pages: int, seconds: float) -> None:
        self.metrics.batch(pages, seconds)
        self._page_seconds += 0.2 * (seconds / pages - self._page_seconds)


def described(bundle: Bundle) -> dict[str, Any]:
    """What ``/models`` shows of a bundle; no path of the server's machine."""
    manifest = bundle.manifest
    parts = {task: part for task in PARTS if (part := bundle.part(task)) is not None}
    return {
        "name": manifest.provenance.get("name") or bundle.path.resolve().name,
        "task": manifest.task,
        "arch": manifest.arch,
        "fingerprint": bundle.fingerprint(),
        "metrics": _without_paths(manifest.metrics),
        "parts": {
            task: {"arch": part.manifest.arch, "fingerprint": part.fingerprint()} for task, part in parts.items()
        },
    }


def _without_paths(metrics: Any) -> Any:
    """Figures without the names of the data that they were measured on, which are paths of another machine."""
    if not isinstance(metrics, dict):
        return metrics
    return {name: _without_paths(value) for name, value in metrics.items() if name != "data"}
