"""Where downloads are kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """``$OCRTUNE_CACHE``, else ``ocrtune`` in the user's cache folder."""
    if folder := os.environ.get("OCRTUNE_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ocrtune"
