"""The shapes of requests and answers, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from ocrtune.serving.upload import FIELD


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Region(_Answer):
    """One text; what the bundle cannot say is left out."""

    polygon: list[tuple[float, float]]
    score: float | None
    text: str = ""
    text_score: float | None = None
    angle: float = 0.0


class PagePrediction(_Answer):
    """What was found on one image or page of a PDF, in its pixels after EXIF rotation."""

    image: str
    width: int
    height: int
    regions: list[Region]


class Fault(_Answer):
    """Why a request, or one file of it, has no result."""

    error: str
    what: str
    where: str | None
    expected: str | None
    to_do: str | None


class FileFault(_Answer):
    """A file of a batch that has no result."""

    image: str
    error: Fault


class BatchPrediction(_Answer):
    """In the order of the files; a PDF has an entry for each of its pages."""

    results: list[PagePrediction | FileFault]


class State(_Answer):
    """How the server is."""

    status: str


class Models(_Answer):
    """What the server runs, and its limits."""

    models: list[dict[str, Any]]
    presets: list[str]
    limits: dict[str, float]


_BINARY = {"type": "string", "format": "binary"}
_IMAGES = ("image/png", "image/jpeg", "image/webp", "image/tiff", "image/bmp", "application/pdf")


def _form(image: dict[str, Any]) -> dict[str, Any]:
    properties = {FIELD: image}
    return {"multipart/form-data": {"schema": {"type": "object", "properties": properties, "required": [FIELD]}}}


ONE_FILE = {
    "requestBody": {
        "required": True,
        "content": {**_form(_BINARY), **{kind: {"schema": _BINARY} for kind in _IMAGES}},
    }
}
"""An image or PDF, as a form or as it is."""
SEVERAL_FILES = {"requestBody": {"required": True, "content": _form({"type": "array", "items": _BINARY})}}
"""Images and PDFs in a form whose field is repeated."""


def faults(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Errors that a path may answer with, for its ``responses``."""
    return {code: {"model": Fault} for code in codes}
