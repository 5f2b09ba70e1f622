from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from ocrtune.page import Image, TextRegion
from ocrtune.serving.batching import Batcher
from support.serving import Gate, size_model


def image(width: int) -> Image:
    return np.zeros((4, width, 3), np.uint8)


async def texts(*results: asyncio.Future[list[TextRegion]]) -> list[str | None]:
    return [(await result)[0].text for result in results]


def test_pages_that_wait_are_batched_and_each_gets_its_own_result() -> None:
    gate, seen = Gate(), []

    async def work() -> None:
        batcher = Batcher(gate, 4, lambda pages, seconds: seen.append(pages))
        runner = asyncio.create_task(batcher.run())
        first = asyncio.create_task(batcher.predict(image(1)))
        while not gate.batches:  # the model has the first page, alone
            await asyncio.sleep(0)
        others = [asyncio.create_task(batcher.predict(image(width))) for width in range(2, 8)]
        await asyncio.sleep(0)
        gate.open()
        assert await texts(first, *others) == [f"{width}x4" for width in range(1, 8)]
        runner.cancel()
        batcher.close()

    asyncio.run(work())
    assert gate.batches == seen == [1, 4, 2]


def test_who_stops_waiting_is_left_out() -> None:
    gate = Gate()

    async def work() -> None:
        batcher = Batcher(gate, 4, lambda pages, seconds: None)
        runner = asyncio.create_task(batcher.run())
        first = asyncio.create_task(batcher.predict(image(1)))
        while not gate.batches:
            await asyncio.sleep(0)
        gone, other = (asyncio.create_task(batcher.predict(image(width))) for width in (2, 3))
        await asyncio.sleep(0)
        gone.cancel()
        first.cancel()  # while the model works on it
        gate.open()
        assert await texts(other) == ["3x4"]
        runner.cancel()
        batcher.close()

    asyncio.run(work())
    assert gate.batches == [1, 1]


def test_a_page_that_breaks_the_model_harms_no_other() -> None:
    def model(images: Sequence[Image]) -> list[list[TextRegion]]:
        if any(image.shape[1] == 13 for image in images):
            raise ValueError("thirteen")
        return size_model(images)

    async def work() -> None:
        batcher = Batcher(model, 4, lambda pages, seconds: None)
        waiting = [asyncio.create_task(batcher.predict(image(width))) for width in (12, 13, 14)]
        await asyncio.sleep(0)
        runner = asyncio.create_task(batcher.run())
        assert await texts(waiting[0], waiting[2]) == ["12x4", "14x4"]
        with pytest.raises(ValueError, match="thirteen"):
            await waiting[1]
        runner.cancel()
        batcher.close()

    asyncio.run(work())
