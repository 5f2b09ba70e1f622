"""Small data sets and configurations that train within seconds, and the command line as users call it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from ocrtune.data.synth.receipts import write_receipts
from support.forks import forked

OCRTUNE = [sys.executable, "-m", "ocrtune"]


def small_dataset(folder: Path, pages: int = 6, seed: int = 1) -> str:
    write_receipts(folder, pages, seed)
    return f"icdar:{folder}"


def small_config(folder: Path, **sections: dict[str, object]) -> Path:
    """A configuration that trains a few steps on small views in fp32."""
    values: dict[str, dict[str, object]] = {
        "data": {
            "train": small_dataset(folder / "train"),
            "val": small_dataset(folder / "val", 3, seed=2),
            "batch_size": 2,
            "num_workers": 0,
        },
        "input": {"page_size": 480, "view_size": 96},
        "schedule": {"steps": 8, "warmup_epochs": 0.5},
        "trainer": {"precision": "fp32", "evals": 2, "checkpoint_minutes": 0, "num_gpus": 0},
    }
    for section, keys in sections.items():
        values.setdefault(section, {}).update(keys)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**values, "output_dir": str(folder / "runs")}), encoding="utf-8")
    return path


def ocrtune(*arguments: object, cwd: Path | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    done = forked([str(argument) for argument in arguments], cwd, quiet_environment())
    if check:
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def fails(code: int, *arguments: object, says: str) -> str:
    """Run a command that must fail with one clear error; returns what it said."""
    done = ocrtune(*arguments, check=False)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    assert says in done.stderr, done.stderr
    return done.stderr


def quiet_environment() -> dict[str, str]:
    return {**os.environ, "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "200"}
