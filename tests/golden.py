"""Reads the reference outputs of the official code; everything (seeds, inputs, sizes, cases) comes from that folder."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).parent.parent
FOLDER = Path(os.environ.get("OCRTUNE_GOLDEN", ROOT.parent / "shared" / "golden"))


def load_json(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def load_arrays(name: str) -> dict[str, npt.NDArray[Any]]:
    with np.load(FOLDER / name) as archive:
        return {key: archive[key] for key in archive.files}


def stream(seed: str, key: str) -> np.random.Generator:
    """The generator rule of the golden set's README, section 1."""
    digest = hashlib.sha256(f"{seed}/{key}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def generated_state(model: dict[str, Any]) -> dict[str, npt.NDArray[np.float32]]:
    """The state dict of a golden model in Paddle's names and layouts; its checksum is verified."""
    digest = hashlib.sha256()
    state = {}
    for key, (shape, _kind, draw, add, mul) in model["weights"].items():
        rng = stream(model["seed"], key)
        values = rng.random(shape, dtype=np.float32) if draw == "uniform" else rng.standard_normal(shape, np.float32)
        state[key] = np.asarray(np.float32(add) + np.float32(mul) * values, np.float32)
        digest.update(np.ascontiguousarray(state[key]).tobytes())
    assert digest.hexdigest() == model["sha256_of_all_generated_tensors"], "the generator rule was not followed"
    return state
