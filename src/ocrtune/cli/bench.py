"""``ocrtune bench``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output

NAME = "bench"
EXAMPLES = "Examples:\n\nocrtune bench\n\nocrtune bench det_decode"


def command(name: Annotated[str | None, typer.Argument(help="Which one; without it, they are listed.")] = None) -> None:
    """Run a benchmark of the source checkout's benchmarks/ folder."""
    from ocrtune.errors import MissingExtraError, UsageError, nearest

    folder = Path(__file__).parents[3] / "benchmarks"
    if not folder.is_dir():
        raise MissingExtraError(
            "benchmarks are part of the source checkout, not of the installed package",
            hint="clone the repository and run make demo there first",
        )
    scripts = {path.stem: path for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")}
    if name is None:
        output = Output()
        output.table("benchmarks", ("name", "what"), [(stem, _headline(path)) for stem, path in scripts.items()])
        output.next(f"ocrtune bench {next(iter(scripts))}")
        return
    if name not in scripts:
        close = nearest(name, scripts)
        raise UsageError(
            f"no benchmark is called '{name}'",
            expected=", ".join(scripts),
            hint=f"did you mean '{close}'?" if close else None,
        )
    raise typer.Exit(subprocess.run([sys.executable, str(scripts[name])], check=False).returncode)


def _headline(path: Path) -> str:
    return path.read_text(encoding="utf-8").split('"""')[1].splitlines()[0]
