"""Time and peak memory of a training step of PP-OCRv4 mobile, batch 8 of 640x640: fp32 against the default precision.

Each case runs in a process of its own, because peak memory is counted per process.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from contextlib import nullcontext

import torch
from _common import median_of, show

from ocrtune.config.schema import LossSpec
from ocrtune.detection.loss import TargetBatch, db_loss
from ocrtune.detection.model import DBDetector, build_detector
from ocrtune.detection.network import FAMILY
from ocrtune.nn.layers import Affine
from ocrtune.nn.memory import freed_memory_kept
from ocrtune.training.precision import resolve_precision
from ocrtune.weights.network import load_network

BATCH, SIZE, STEPS = 8, 640, 3


def network(form: str) -> tuple[DBDetector, LossSpec]:
    """The network and the loss that belongs to the form: the default recipe's, or the official one with all branches."""
    if form == "training":
        return build_detector("db_pplcnetv3_mobile"), LossSpec(main="dice", alpha=5, beta=10, gamma=1)
    model = load_network(FAMILY, "ppocrv4-mobile-det").model
    for module in model.modules():
        if isinstance(module, Affine):
            module.requires_grad_(False)
    return model, LossSpec()


def measure(form: str, precision: str) -> dict[str, float]:
    torch.manual_seed(0)
    model, loss = network(form)
    fast = precision == "default"
    half = fast and resolve_precision("auto", torch.device("cpu")) != "32-true"
    layout = torch.channels_last if fast else torch.contiguous_format
    model = model.train().to(memory_format=layout)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)
    images = torch.randn(BATCH, 3, SIZE, SIZE).to(memory_format=layout)
    text = (torch.rand(BATCH, 1, SIZE, SIZE) > 0.8).float()
    targets = TargetBatch(text, torch.ones_like(text), 0.3 + 0.4 * text, torch.ones_like(text))

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            output = model(images)
        db_loss(output, targets, loss)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    with freed_memory_kept() if fast else nullcontext():
        seconds = median_of(STEPS, step)
    return {"seconds": seconds, "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def main() -> None:
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], sys.argv[2])))
        return
    rows = []
    for form in ("deployed", "training"):
        results = {}
        for precision in ("fp32", "default"):
            done = subprocess.run(
                [sys.executable, __file__, form, precision], capture_output=True, text=True, check=True
            )
            results[precision] = json.loads(done.stdout.splitlines()[-1])
        for precision, result in results.items():
            factor = results["fp32"]["seconds"] / result["seconds"]
            rows.append((form, precision, f"{result['seconds']:.2f}", f"{factor:.1f}x", f"{result['peak_gib']:.1f}"))
    show(
        f"training step, PP-OCRv4 mobile, batch {BATCH} at {SIZE}x{SIZE}",
        ("form", "precision", "seconds", "against fp32", "peak memory, GiB"),
        rows,
        ("default: bf16 autocast where the CPU has bf16; channels-last; freed memory is kept.",),
    )


if __name__ == "__main__":
    main()
