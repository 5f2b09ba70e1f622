from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import grpc
import pytest

from ocrtune.page import Image, TextRegion, whole_image
from ocrtune.runtime.pages import PagesModel
from ocrtune.serving.limits import Limits
from ocrtune.serving.service import Service, Upload
from support.serving import Gate, Running, form, painted, running, size_model

IMAGE = painted(40, 30)


def sees(name: str) -> PagesModel:
    """A model that reads its own name on every image."""

    def read(images: Sequence[Image]) -> list[list[TextRegion]]:
        return [[TextRegion(whole_image(*image.shape[1::-1]), name, text_score=1.0)] for image in images]

    return read


PRESETS = {"photo": sees("photo"), "small-text": sees("small-text")}


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(presets=PRESETS) as started:
        yield started


def test_http_looks_through_the_preset_that_was_asked_for(server: Running) -> None:
    answers = [server.ask("POST", f"/predict{query}", IMAGE) for query in ("", "?preset=", "?preset=photo")]
    assert [answer.json["regions"][0]["text"] for answer in answers] == ["40x30", "40x30", "photo"]
    body, headers = form(("a.png", IMAGE), ("b.png", IMAGE))
    results = server.ask("POST", "/predict/batch?preset=small-text", body, headers).json["results"]
    assert [result["regions"][0]["text"] for result in results] == ["small-text", "small-text"]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_http_refuses_an_unknown_preset_and_names_those_there_are(server: Running, path: str) -> None:
    body, headers = form(("a.png", IMAGE))
    answer = server.ask("POST", f"{path}?preset=nonsense", body, headers)
    assert answer.status == 400
    assert (answer.json["what"], answer.json["expected"]) == ("there is no preset 'nonsense'", "photo, small-text")
    assert server.ask("GET", "/models").json["presets"] == ["photo", "small-text"]


def test_grpc_has_the_same_presets(server: Running) -> None:
    assert server.grpc_predict(IMAGE).pages[0].regions[0].text == "40x30"
    assert server.grpc_predict(IMAGE, preset="photo").pages[0].regions[0].text == "photo"
    with pytest.raises(grpc.RpcError, match="there is no preset 'nonsense'") as raised:
        server.grpc_predict(IMAGE, preset="nonsense")
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_model_without_presets_says_so() -> None:
    with running() as server:
        answer = server.ask("POST", "/predict?preset=photo", IMAGE)
    assert (answer.status, answer.json["expected"]) == (400, "none: this model has no presets")


def test_images_of_one_batch_are_looked_at_through_their_own_presets() -> None:
    gate = Gate()

    async def work() -> list[str]:
        service = Service(gate, Limits(), presets=PRESETS)
        runner = asyncio.create_task(service.run())
        first = asyncio.create_task(service.predict(Upload(IMAGE, "")))
        while not gate.batches:  # the model has the first image; the others wait and become one batch
            await asyncio.sleep(0)
        presets = ("photo", "", "small-text", "photo")
        others = [asyncio.create_task(service.predict(Upload(IMAGE, "", preset))) for preset in presets]
        while service._batcher._waiting.qsize() < len(others):
            await asyncio.sleep(0)
        gate.open()
        texts = [str((await other)[0]["regions"][0]["text"]) for other in (first, *others)]
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)
        return texts

    assert asyncio.run(work()) == ["40x30", "photo", "40x30", "small-text", "photo"]
    assert gate.batches == [1, 1], "the one image without a preset"


def test_an_image_that_breaks_its_preset_harms_no_other() -> None:
    def broken(images: Sequence[Image]) -> list[list[TextRegion]]:
        raise ValueError("broken")

    async def work() -> list[object]:
        service = Service(size_model, Limits(), presets={"photo": broken})
        runner = asyncio.create_task(service.run())
        presets = ("", "photo", "")
        outcomes = await asyncio.gather(
            *(service.predict(Upload(IMAGE, "", preset)) for preset in presets), return_exceptions=True
        )
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)
        return list(outcomes)

    first, broke, last = asyncio.run(work())
    assert isinstance(broke, ValueError)
    assert first == last
    assert isinstance(first, list)
