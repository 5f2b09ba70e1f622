"""Files of a run that survive kill -9: written beside the old one, then moved into its place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ocrtune.errors import BundleError, DataError

FORMAT_VERSION = 2


def save_atomically(content: Any, path: Path) -> None:
    """`torch.save` that leaves either the complete new file or the old one.

    Raises:
        DataError: the disk is full or not writable; the old file is untouched.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # torch turns what the file raises into its own
        partial.unlink(missing_ok=True)
        free = shutil.disk_usage(path.parent).free
        raise DataError(
            f"the file cannot be written ({free / 1e6:.0f} MB are free on its disk): {str(error).splitlines()[0]}",
            where=path,
            hint="free some space, then resume the run: what was there before is still whole",
        ) from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running code from it.

    Raises:
        BundleError: the file is missing, damaged, or from another version.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise BundleError(
            "the run has no checkpoint to resume from", where=path, expected="a run folder with last.ckpt"
        ) from error
    except Exception as error:  # torch raises pickle, zip and runtime errors alike
        raise BundleError(f"the checkpoint is damaged: {str(error).splitlines()[0]}", where=path) from error
    if not isinstance(content, dict) or content.get("format_version") != FORMAT_VERSION:
        raise BundleError("the checkpoint is from another version of ocrtune", where=path)
    return content


def require_unchanged(before: Mapping[str, int], now: Mapping[str, int], folder: Path) -> None:
    """Make sure that a run can go on exactly.

    Args:
        before: what its course follows from, by name, when it was saved.
        now: the same as it is.
        folder: of the run.

    Raises:
        DataError: something has changed.
    """
    changed = [f"{name}: {value} before, {now[name]} now" for name, value in before.items() if now[name] != value]
    if changed:
        raise DataError(
            f"the run cannot go on where it was, because its data or settings have changed ({', '.join(changed)})",
            where=folder,
            hint=f"bring them back, or start a new run from what this one has learnt: model.pretrained={folder}",
        )


def plain_tensors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Detached copies on the CPU, for ``best_model.pth`` and ``final_model.pth``."""
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
