"""Files that a visitor is about to download, for a day."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

KEPT_SECONDS = 24 * 3600
_PREFIX = "ocrtune-page-"


def fresh_folder() -> Path:
    """A new temporary folder; those that are older than a day are removed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # another page was faster
    return Path(tempfile.mkdtemp(prefix=_PREFIX))
