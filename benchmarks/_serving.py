"""Clients of a running server, for the benchmarks and the tests."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
import numpy as np

from ocrtune.serving.grpc import SERVICE
from ocrtune.serving.ocr_pb2 import PredictRequest, PredictResponse

Send = Callable[[bytes], tuple[str, Any]]
"""Sends an image over a kept connection; gives the answer's code (as text) and what it holds."""
Client: TypeAlias = "Callable[[], AbstractContextManager[Send]]"
"""Opens a connection."""
DONE = ("200", "OK")


@dataclass
class Answers:
    """What clients were answered.

    Attributes:
        seconds: of each request with a result.
        codes: how often each came.
        results: by index of the image, each time that it was asked for.
        elapsed: seconds from the first request to the last answer.
    """

    seconds: list[float] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    results: list[tuple[int, Any]] = field(default_factory=list)
    elapsed: float = 0.0

    def percentile(self, share: float) -> float:
        """Seconds within which so many percent of the results came."""
        return float(np.percentile(self.seconds, share))


def load(clients: int, images: Sequence[bytes], client: Client) -> Answers:
    """Let clients share images, each sending one after the other as soon as it has an answer.

    Args:
        clients: at the same time.
        images: file contents; each is sent once.
        client: opens a connection.
    """
    answers, lock = Answers(), threading.Lock()
    waiting = iter(range(len(images)))

    def work() -> None:
        with client() as send:
            while True:
                with lock:
                    index = next(waiting, None)
                if index is None:
                    return
                started = time.perf_counter()
                code, result = send(images[index])
                took = time.perf_counter() - started
                with lock:
                    answers.codes[code] += 1
                    if code in DONE:
                        answers.seconds.append(took)
                        answers.results.append((index, result))

    threads = [threading.Thread(target=work) for _ in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.elapsed = time.perf_counter() - started
    return answers


@contextmanager
def http_client(port: int) -> Iterator[Send]:
    """A client that keeps its connection."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=300)) as connection:

        def send(image: bytes) -> tuple[str, Any]:
            connection.request("POST", "/predict", image, {"content-type": "application/octet-stream"})
            answer = connection.getresponse()
            return str(answer.status), json.loads(answer.read())

        yield send


@contextmanager
def grpc_client(port: int) -> Iterator[Send]:
    """The same over gRPC."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        predict = channel.unary_unary(
            f"/{SERVICE}/Predict",
            request_serializer=PredictRequest.SerializeToString,
            response_deserializer=PredictResponse.FromString,
        )

        def send(image: bytes) -> tuple[str, Any]:
            try:
                return "OK", predict(PredictRequest(image=image), timeout=300)
            except grpc.RpcError as error:
                return error.code().name, None

        yield send


@dataclass
class ServerProcess:
    """``ocrtune serve`` in a process of its own.

    Attributes:
        process: of the server.
        http, grpc: its ports.
    """

    process: subprocess.Popen[str]
    http: int
    grpc: int

    def stop(self) -> int:
        """Ask it to stop with SIGTERM; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=120)

    def figure(self, name: str) -> float:
        """One of its figures without labels."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.http, timeout=60)) as connection:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        found = re.search(rf"^{name} (\S+)$", text, flags=re.MULTILINE)
        if found is None:
            raise KeyError(name)
        return float(found[1])


@contextmanager
def server_process(bundle: str, *options: str, http_port: int = 0) -> Iterator[ServerProcess]:
    """Start a server on free ports, and stop it in the end if it still runs."""
    command = [sys.executable, "-m", "ocrtune", "serve", bundle, "--http", str(http_port), "--grpc", "0", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy()
    )
    assert process.stdout is not None
    assert process.stderr is not None
    drain = threading.Thread(target=process.stderr.read)  # its log must not fill the pipe
    try:
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("{") and json.loads(line)["event"] == "started":
                break
        else:
            raise RuntimeError("the server did not start: " + "".join(said))
        drain.start()
        yield ServerProcess(process, json.loads(line)["http"], json.loads(line)["grpc"])
    finally:
        process.kill()
        process.wait()
        if drain.is_alive():
            drain.join()
        process.stdout.close()
        process.stderr.close()
