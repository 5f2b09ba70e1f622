"""ocrtune: from labelled images to a deployed OCR model that reads your documents measurably better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Bundle", "OcrtuneError", "Page", "TextRegion", "__version__"]

if TYPE_CHECKING:
    from ocrtune.bundle import Bundle
    from ocrtune.errors import OcrtuneError
    from ocrtune.page import Page, TextRegion

_HOMES = {
    "Bundle": "ocrtune.bundle",
    "OcrtuneError": "ocrtune.errors",
    "Page": "ocrtune.page",
    "TextRegion": "ocrtune.page",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that `import ocrtune` stays fast.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ocrtune' has no attribute {name!r}")
