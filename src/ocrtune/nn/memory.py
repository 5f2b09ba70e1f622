"""Telling that memory ran out, and giving back what is left of the attempt."""

from __future__ import annotations

import gc

import torch

_SIGNS = (
    "out of memory",  # CUDA, MPS, XPU
    "can't allocate memory",  # torch's CPU allocator
    "not enough memory",  # the same on Windows
    "ALLOC_FAILED",  # cuBLAS, cuDNN
)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; libraries raise it as plain errors, told apart by their words."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def release_memory() -> None:
    """Give a GPU's unused memory back; to be called outside the ``except`` block, whose traceback holds tensors."""
    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()
