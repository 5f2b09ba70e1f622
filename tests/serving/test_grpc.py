from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from ocrtune.serving import ocr_pb2
from ocrtune.serving.grpc import SERVICE
from ocrtune.serving.limits import Limits
from ocrtune.serving.ocr_pb2 import PredictRequest, PredictResponse
from support.paths import ROOT
from support.serving import Gate, Running, painted, running

GOOD = painted(40, 30)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(limits=Limits(request_bytes=200_000)) as started:
        yield started


def refusal(server: Running, image: bytes, **options: str) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        server.grpc_predict(image, **options)
    return caught.value.code(), caught.value.details()


def stream(channel: grpc.Channel) -> Any:
    return channel.stream_stream(
        f"/{SERVICE}/PredictStream",
        request_serializer=PredictRequest.SerializeToString,
        response_deserializer=PredictResponse.FromString,
    )


def test_a_client_that_knows_nothing_asks_by_reflection(server: Running) -> None:
    """What grpcurl does: list, describe, call."""
    with server.channel() as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert set(database.get_services()) >= {"ocrtune.v1.Ocr", "grpc.health.v1.Health"}
        pool = DescriptorPool(database)
        method = pool.FindServiceByName("ocrtune.v1.Ocr").methods_by_name["Predict"]
        request = GetMessageClass(method.input_type)(image=GOOD, name="a.png")
        call = channel.unary_unary(
            "/ocrtune.v1.Ocr/Predict",
            request_serializer=type(request).SerializeToString,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        (page,) = MessageToDict(call(request, timeout=60))["pages"]
    assert (page["image"], page["width"], page["height"]) == ("a.png", 40, 30)
    assert page["regions"][0]["text"] == "40x30"
    assert page["regions"][0]["polygon"][2] == {"x": 40.0, "y": 30.0}
    assert "angle" not in page["regions"][0], "what is not known is left out"


def test_health_is_the_standard_one(server: Running) -> None:
    with server.channel() as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        for name in ("", "ocrtune.v1.Ocr"):
            answer = check(health_pb2.HealthCheckRequest(service=name), timeout=60)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_what_is_refused_says_why(server: Running) -> None:
    code, message = refusal(server, b"broken", name="a.png")
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert message.startswith("a.png: this is no image\n  expected: a PNG")
    assert refusal(server, b"")[0] == grpc.StatusCode.INVALID_ARGUMENT
    assert refusal(server, bytes(300_000))[0] == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert server.grpc_predict(GOOD).pages[0].width == 40


def test_a_full_queue_a_late_result_and_a_fault() -> None:
    gate = Gate()
    with running(gate, Limits(queue=1)) as server, ThreadPoolExecutor(1) as clients:
        accepted = clients.submit(server.grpc_predict, GOOD)
        server.until_in_flight(1)
        code, message = refusal(server, GOOD)
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "the queue is full" in message
        gate.open()
        assert accepted.result().pages[0].width == 40
        assert refusal(server, painted(13, 9)) == (
            grpc.StatusCode.INTERNAL,
            "the server failed at this request\n  to do: its log says where",
        )
    gate = Gate()
    with running(gate, Limits(seconds=0.2)) as server:
        assert refusal(server, GOOD)[0] == grpc.StatusCode.DEADLINE_EXCEEDED
        gate.open()


def test_a_cancelled_call_gives_its_place_back() -> None:
    gate = Gate()
    with running(gate, Limits(queue=1)) as server, server.channel() as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/Predict",
            request_serializer=PredictRequest.SerializeToString,
            response_deserializer=PredictResponse.FromString,
        ).future(PredictRequest(image=GOOD))
        server.until_in_flight(1)
        call.cancel()
        server.until_in_flight(0)
        gate.open()
        assert server.grpc_predict(GOOD).pages[0].width == 40


def test_a_token_is_asked_for() -> None:
    with running(token="secret") as server:
        assert refusal(server, GOOD)[0] == grpc.StatusCode.UNAUTHENTICATED
        assert refusal(server, GOOD, token="wrong")[0] == grpc.StatusCode.UNAUTHENTICATED
        assert server.grpc_predict(GOOD, token="secret").pages[0].width == 40
        with server.channel() as channel:
            with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
                next(stream(channel)(iter([PredictRequest(image=GOOD)]), timeout=60))
            assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=60).status


def test_a_stream_answers_in_order_and_survives_a_broken_image(server: Running) -> None:
    widths = [*range(20, 40)]
    with server.channel() as channel:
        requests = [PredictRequest(image=painted(width, 9), name=str(width)) for width in widths]
        requests.insert(5, PredictRequest(image=b"broken", name="b.png"))
        answers = [*stream(channel)(iter(requests), timeout=60)]
    broken = answers.pop(5)
    assert (broken.error.code, len(broken.pages)) == (grpc.StatusCode.INVALID_ARGUMENT.value[0], 0)
    assert broken.error.message.startswith("b.png: this is no image")
    assert [answer.pages[0].width for answer in answers] == widths
    assert not any(answer.HasField("error") for answer in answers)


def test_a_stream_may_wait_for_each_answer_but_not_for_ever() -> None:
    with running(limits=Limits(receive_seconds=1, seconds=1)) as server, server.channel() as channel:
        answered, end = threading.Semaphore(1), threading.Event()

        def requests() -> Iterator[PredictRequest]:
            for _ in range(3):
                answered.acquire()
                yield PredictRequest(image=GOOD)
            end.wait(60)

        call = stream(channel)(requests(), timeout=60)
        for _ in range(3):
            assert next(call).pages[0].width == 40
            answered.release()
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        end.set()
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert caught.value.details() == "no request came within 2 s"


def test_an_open_stream_does_not_hold_up_a_stop() -> None:
    end = threading.Event()

    def requests() -> Iterator[PredictRequest]:
        yield PredictRequest(image=GOOD)
        end.wait(60)

    with running() as server, server.channel() as channel:
        call = stream(channel)(requests(), timeout=60)
        assert next(call).pages[0].width == 40
        server.stop()
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        end.set()
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_a_stream_that_is_left_gives_its_places_back() -> None:
    gate = Gate()
    with running(gate) as server, server.channel() as channel:
        call = stream(channel)(iter([PredictRequest(image=GOOD)] * 9), timeout=60)
        server.until_in_flight(4)
        call.cancel()
        server.until_in_flight(0)
        gate.open()


def test_the_generated_code_is_what_the_proto_file_says(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("generate_grpc", ROOT / "tools" / "generate_grpc.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.generate(tmp_path)
    kept = Path(ocr_pb2.__file__).read_text(encoding="utf-8")
    fresh = (tmp_path / "ocr_pb2.py").read_text(encoding="utf-8")
    assert description(kept) == description(fresh), "run python tools/generate_grpc.py"


def description(code: str) -> str:
    """The line that holds the description; those around it name protoc's version."""
    (line,) = [line for line in code.splitlines() if "AddSerializedFile" in line]
    return line
