"""Where references and real images lie; a test that needs them fails in CI when they are absent, and skips elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
GOLDEN = Path(os.environ.get("OCRTUNE_GOLDEN", SHARED / "golden"))
DATA = SHARED / "data"


def need(path: Path) -> Path:
    """The path, if it is there."""
    if path.exists():
        return path
    if os.environ.get("CI"):
        pytest.fail(f"{path.name} is needed here and absent: expected at {path}")
    pytest.skip(f"{path.name} is absent")
