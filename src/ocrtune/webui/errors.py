"""Faults that the user can act on become messages on the page."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import gradio as gr

from ocrtune.errors import OcrtuneError

_P = ParamSpec("_P")
_R = TypeVar("_R")


def told(handler: Callable[_P, _R]) -> Callable[_P, _R]:
    """An event handler whose errors the visitor reads: what, where, what was expected, what to do."""

    @functools.wraps(handler)
    def handle(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with _as_message():
            return handler(*args, **kwargs)

    return handle


def told_each(handler: Callable[_P, Iterator[_R]]) -> Callable[_P, Iterator[_R]]:
    """The same for an event handler that yields one state of the page after the other."""

    @functools.wraps(handler)
    def handle(*args: _P.args, **kwargs: _P.kwargs) -> Iterator[_R]:
        with _as_message():
            yield from handler(*args, **kwargs)

    return handle


@contextmanager
def _as_message() -> Iterator[None]:
    try:
        yield
    except OcrtuneError as error:
        raise gr.Error(str(error), print_exception=False) from error
