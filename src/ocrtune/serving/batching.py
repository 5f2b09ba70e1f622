"""Dynamic micro-batching: pages that came in while the model was busy are worked on together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from ocrtune.page import TextRegion

_I = TypeVar("_I")


class Batcher(Generic[_I]):
    """Hands images to a model, several at a time; nobody waits for a batch to fill.

    Args:
        model: works in a thread of its own; takes images as they are given to `predict`.
        size: images in one batch at most.
        observe: told of each batch, how many images it had and how many seconds it took.
    """

    def __init__(
        self,
        model: Callable[[Sequence[_I]], list[list[TextRegion]]],
        size: int,
        observe: Callable[[int, float], None],
    ) -> None:
        self._model, self._size, self._observe = model, size, observe
        self._waiting: asyncio.Queue[tuple[_I, asyncio.Future[list[TextRegion]]]] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")

    async def predict(self, image: _I) -> list[TextRegion]:
        """What the model finds on one image; who stops waiting is left out of the next batch.

        Raises:
            Exception: whatever the model raises for this image.
        """
        result: asyncio.Future[list[TextRegion]] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((image, result))
        return await result

    async def run(self) -> None:
        """Work until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < self._size and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            batch = [(image, result) for image, result in batch if not result.done()]
            if not batch:
                continue
            started = time.perf_counter()
            outcomes = await loop.run_in_executor(self._thread, self._outcomes, [image for image, _ in batch])
            self._observe(len(batch), time.perf_counter() - started)
            for (_, result), outcome in zip(batch, outcomes, strict=True):
                if result.done():  # cancelled meanwhile
                    continue
                if isinstance(outcome, Exception):
                    result.set_exception(outcome)
                else:
                    result.set_result(outcome)

    def close(self) -> None:
        """Let the model's thread end."""
        self._thread.shutdown()

    def _outcomes(self, images: Sequence[_I]) -> list[list[TextRegion] | Exception]:
        """What the model finds on each image, or raises for it; one that breaks a batch harms no other."""
        try:
            return [regions for _, regions in zip(images, self._model(images), strict=True)]
        except Exception as error:
            if len(images) == 1:
                return [error]
            return [outcome for image in images for outcome in self._outcomes([image])]
