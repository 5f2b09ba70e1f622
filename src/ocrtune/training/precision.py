"""Which number formats a device computes fast in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

FabricPrecision = Literal["32-true", "bf16-mixed", "16-mixed"]


def resolve_precision(setting: str, device: torch.device) -> FabricPrecision:
    """Fabric's name for ``auto | fp32 | bf16 | fp16``; auto takes bf16 where the device computes in it."""
    if setting == "auto":
        fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else cpu_has_bf16()
        setting = "bf16" if fast else "fp32"
    names: dict[str, FabricPrecision] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
    return names[setting]


def cpu_has_bf16() -> bool:
    """Whether the processor multiplies bf16 in hardware (AVX-512 BF16 or AMX on x86, BF16 on Arm)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    words = set(flags.split())
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})
