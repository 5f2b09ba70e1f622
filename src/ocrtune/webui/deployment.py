"""The server that the page has started: how it is, what it says, how it is asked."""

from __future__ import annotations

import http.client
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Literal

from prometheus_client.parser import text_string_to_metric_families

from ocrtune.webui.background import Job

HERE, EVERYWHERE = "127.0.0.1", "0.0.0.0"
State = Literal["off", "starting", "ready", "stopping", "failed"]
_SECONDS = 3.0  # for an answer
_OWN_QUESTIONS = ('"GET /metrics"', '"GET /health"')


@dataclass(frozen=True)
class Deployment:
    """A server in the background.

    Attributes:
        job: runs it.
    """

    job: Job

    @classmethod
    def start(cls, outputs: Path, bundle: str, host: str, http_port: int, grpc_port: int, token: str) -> Deployment:
        """Start it; there is one at a time.

        Args:
            outputs: the page's folder for what it makes.
            bundle: what is served: folder or published name.
            host: `HERE` or `EVERYWHERE`.
            http_port, grpc_port: where it listens.
            token: that clients have to send; empty for none. No file and no list of processes shows it.

        Raises:
            UsageError: a server runs already.
        """
        if (before := cls.find(outputs)) is not None:
            before.job.forget()
        ports = ["--http", str(http_port), "--grpc", str(grpc_port)]
        arguments = ["serve", bundle, "--host", host, *ports]
        return cls(Job.start(_folder(outputs), arguments, {"OCRTUNE_TOKEN": token}))

    @classmethod
    def find(cls, outputs: Path) -> Deployment | None:
        """The one that was started last, by anyone."""
        job = Job.find(_folder(outputs))
        return None if job is None else cls(job)

    @property
    def bundle(self) -> str:
        """What is served."""
        return self.job.arguments[1]

    @property
    def host(self) -> str:
        """Where it listens."""
        return self._option("--host")

    @property
    def port(self) -> int:
        """For HTTP."""
        return int(self._option("--http"))

    def log(self, lines: int = 30) -> str:
        """The last lines that it wrote, without the page's own questions."""
        kept = [line for line in self.job.output(400).splitlines() if not any(own in line for own in _OWN_QUESTIONS)]
        return "\n".join(kept[-lines:])

    def look(self, token: str) -> tuple[State, Mapping[str, float] | None]:
        """How it is, and its figures; None where it does not tell them for this token."""
        if not self.job.running:
            return ("failed" if self.job.exit_code else "off"), None
        if '"event": "stopping"' in self.job.output(20):
            return "stopping", None
        answer = self._ask("/metrics", token)
        if answer is None:
            return "starting", None
        status, content = answer
        return "ready", summary(content) if status == HTTPStatus.OK else None

    def _ask(self, path: str, token: str) -> tuple[int, str] | None:
        """Status and content of an answer; None where there is none."""
        connection = http.client.HTTPConnection(HERE, self.port, timeout=_SECONDS)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token.strip() else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException, UnicodeEncodeError):
            return None
        finally:
            connection.close()

    def _option(self, name: str) -> str:
        return self.job.arguments[self.job.arguments.index(name) + 1]


def summary(metrics: str) -> Mapping[str, float]:
    """The figures that matter of a server's metrics in Prometheus' text format.

    Returns:
        ``requests`` for predictions, ``faults`` among them, ``pages``, ``in_flight`` pages, and the mean ``seconds`` of
        a request.
    """
    found: dict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            predicts = "predict" in sample.labels.get("method", "").lower()
            if sample.name == "ocrtune_requests_total" and predicts:
                found["requests"] += sample.value
                if sample.labels["code"] not in ("200", "OK"):
                    found["faults"] += sample.value
            elif sample.name == "ocrtune_request_seconds_sum" and predicts:
                found["total"] += sample.value
            elif sample.name == "ocrtune_request_seconds_count" and predicts:
                found["count"] += sample.value
            elif sample.name == "ocrtune_pages_total":
                found["pages"] = sample.value
            elif sample.name == "ocrtune_pages_in_flight":
                found["in_flight"] = sample.value
    seconds = found["total"] / found["count"] if found["count"] else 0.0
    return {**{name: found[name] for name in ("requests", "faults", "pages", "in_flight")}, "seconds": seconds}


def fault(job: Job) -> str:
    """Why a server has ended, as it said itself."""
    lines = [line for line in job.output(40).splitlines() if not _is_json(line)]
    return "\n".join(lines)


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _folder(outputs: Path) -> Path:
    return outputs / "servers" / "page"
