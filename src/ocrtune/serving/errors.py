"""What a request can be refused for, and which status codes say so over HTTP and gRPC."""

from __future__ import annotations

import math
from http import HTTPStatus

import grpc

from ocrtune.errors import ImageError, OcrtuneError


class RequestError(OcrtuneError):
    """A request that is not answered with a result.

    Attributes:
        http_status, grpc_status: status codes that tell the client.
    """

    http_status = HTTPStatus.BAD_REQUEST
    grpc_status = grpc.StatusCode.INVALID_ARGUMENT


class Unauthorised(RequestError):
    """The bearer token is missing or wrong."""

    http_status = HTTPStatus.UNAUTHORIZED
    grpc_status = grpc.StatusCode.UNAUTHENTICATED


class TooLarge(RequestError):
    """A request has more bytes, images or pages than the server takes."""

    http_status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class SlowClient(RequestError):
    """A request did not arrive in time."""

    http_status = HTTPStatus.REQUEST_TIMEOUT
    grpc_status = grpc.StatusCode.DEADLINE_EXCEEDED


class TimeLimit(RequestError):
    """A request was accepted, and its result was not there in time."""

    http_status = HTTPStatus.GATEWAY_TIMEOUT
    grpc_status = grpc.StatusCode.DEADLINE_EXCEEDED


class Busy(RequestError):
    """The server has taken all that it can.

    Args:
        what: is full.
        seconds: after which it is worth trying again.
    """

    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    grpc_status = grpc.StatusCode.RESOURCE_EXHAUSTED

    def __init__(self, what: str, seconds: float) -> None:
        self.retry_after = min(max(math.ceil(seconds), 1), 60)
        super().__init__(what, hint=f"try again in {self.retry_after} s")


class Stopping(RequestError):
    """The server finishes what it has accepted and takes nothing new."""

    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    grpc_status = grpc.StatusCode.UNAVAILABLE


class ServerFault(RequestError):
    """The server failed at a request, which is nobody's fault but its own."""

    http_status = HTTPStatus.INTERNAL_SERVER_ERROR
    grpc_status = grpc.StatusCode.INTERNAL

    def __init__(self) -> None:
        super().__init__("the server failed at this request", hint="its log says where")


def http_status(error: OcrtuneError) -> int:
    """The HTTP status code that tells of an error."""
    if isinstance(error, RequestError):
        return int(error.http_status)
    return int(HTTPStatus.UNPROCESSABLE_ENTITY if isinstance(error, ImageError) else HTTPStatus.INTERNAL_SERVER_ERROR)


def grpc_status(error: OcrtuneError) -> grpc.StatusCode:
    """The gRPC status code that tells of an error."""
    if isinstance(error, RequestError):
        return error.grpc_status
    return grpc.StatusCode.INVALID_ARGUMENT if isinstance(error, ImageError) else grpc.StatusCode.INTERNAL
