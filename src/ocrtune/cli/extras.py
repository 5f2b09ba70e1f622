"""Says which extra is missing, in one line, before a verb starts."""

from __future__ import annotations

import os

from ocrtune.errors import UsageError, need


def need_training(alone: bool = True) -> None:
    """Make sure that what `[train]` installs is there.

    Args:
        alone: refuse to be one of several processes: whoever started them expects each to do a part.

    Raises:
        MissingExtraError: it is not.
        UsageError: torchrun, or the like, has started several of this.
    """
    if alone and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "several processes of this were started, and each would do all of it",
            where="WORLD_SIZE",
            hint="torchrun starts 'ocrtune train CONFIG.yaml'; everything else starts its processes by itself",
        )
    need("train", "torch", "lightning_fabric", "tensorboard")


def need_serving() -> None:
    """The same for `[serve]`."""
    need(
        "serve", "fastapi", "uvicorn", "python_multipart", "grpc", "grpc_health", "grpc_reflection", "prometheus_client"
    )


def need_page() -> None:
    """The same for `[ui]`, and for `[serve]`, whose server it runs on."""
    need_serving()
    need("ui", "gradio", "psutil")
