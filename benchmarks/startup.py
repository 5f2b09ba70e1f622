"""Seconds until ``import ocrtune`` and ``ocrtune --help`` are done, beside a bare interpreter."""

from __future__ import annotations

import subprocess
import sys

from _common import best_of, show


def started(*arguments: str) -> float:
    """Seconds a run of the interpreter takes, the best of 5."""
    return best_of(5, lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True))


def main() -> None:
    bare = started("-c", "pass")
    rows = [
        ("bare interpreter", bare, "-"),
        ("import ocrtune", started("-c", "import ocrtune") - bare, "< 0.3 beyond the interpreter"),
        ("ocrtune --help", started("-m", "ocrtune", "--help"), "< 0.6"),
    ]
    show("Start", ("what", "seconds", "target"), [(name, f"{seconds:.3f}", target) for name, seconds, target in rows])


if __name__ == "__main__":
    main()
