"""Faults that the user can act on become messages on the page."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gradio as gr

from ocrtune.errors import OcrtuneError

_P = ParamSpec("_P")
_R = TypeVar("_R")


def told(handler: Callable[_P, _R]) -> Callable[_P, _R]:
    """An event handler whose errors the visitor reads: what, where, what was expected, what to do."""

    @functools.wraps(handler)
    def handle(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return handler(*args, **kwargs)
        except OcrtuneError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return handle
