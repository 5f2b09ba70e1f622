"""``ocrtune doctor``."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys

from ocrtune.cli.console import Output
from ocrtune.cli.options import Json

NAME = "doctor"
EXAMPLES = "Example:\n\nocrtune doctor --json"
_COLLECTIONS = ("all", "dev")
"""Extras that repeat others, or are for whoever works on ocrtune."""
_REQUIREMENT = re.compile(r"([\w.-]+)(\[[^]]*\])?[^;]*(?:;.*extra == [\"'](?P<extra>[\w-]+)[\"'])?")


def command(json: Json = False) -> None:
    """Show what is installed, what works and what is missing."""
    from ocrtune.runtime.engines import available_cores
    from ocrtune.weights.cache import cache_dir
    from ocrtune.weights.registry import NAMES

    output = Output(json)
    rows: list[tuple[str, str, str]] = []
    missing: list[str] = []
    for extra, packages in needed_packages().items():
        for package in packages:
            try:
                rows.append((package, importlib.metadata.version(package), extra))
            except importlib.metadata.PackageNotFoundError:
                rows.append((package, "missing", extra))
                missing.append(extra)
    if _installed("opencv-python"):
        output.warn("opencv-python is installed beside opencv-python-headless; they overwrite each other: remove one")
    output.table("packages", ("package", "version", "extra"), rows)
    facts = {"python": platform.python_version(), "cores": available_cores(), "cache": str(cache_dir())}
    if "train" not in missing:
        try:
            facts |= _training_facts()
        except ImportError as error:
            missing.append("train")
            output.warn(f"torch is installed and cannot be imported: {error}")
    facts["weights here"] = ", ".join(n for n in NAMES if (cache_dir() / "bundles" / n).is_dir()) or "none yet"
    output.table("machine", ("what", "value"), [(key, value) for key, value in facts.items()])
    output.result(
        {"packages": {name: version for name, version, _ in rows}, "missing_extras": sorted(set(missing)), **facts}
    )
    if missing:
        output.next(f"{sys.executable} -m pip install 'ocrtune[{sorted(set(missing))[0]}]'")
    else:
        output.next("ocrtune demo")


def needed_packages() -> dict[str, list[str]]:
    """Packages that each extra asks for, by the installed package's own description; ``base`` is what all need."""
    packages: dict[str, list[str]] = {"base": []}
    for requirement in importlib.metadata.requires("ocrtune") or []:
        found = _REQUIREMENT.match(requirement)
        extra = (found and found["extra"]) or "base"
        if found is not None and found[1] != "ocrtune" and extra not in _COLLECTIONS:
            packages.setdefault(extra, []).append(found[1])
    return packages


def _training_facts() -> dict[str, str]:
    """On what and how training would run."""
    import torch

    from ocrtune.training.precision import resolve_precision

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return {"device": device.type, "automatic precision": resolve_precision("auto", device)}


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
