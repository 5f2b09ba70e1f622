"""Says which extra is missing, in one line, before a verb starts."""

from __future__ import annotations

from ocrtune.errors import raise_missing_extra


def need_training() -> None:
    """Make sure that what `[train]` installs is there.

    Raises:
        MissingExtraError: it is not.
    """
    need("train", "torch", "lightning_fabric", "tensorboard")


def need_serving() -> None:
    """The same for `[serve]`."""
    need(
        "serve", "fastapi", "uvicorn", "python_multipart", "grpc", "grpc_health", "grpc_reflection", "prometheus_client"
    )


def need(extra: str, *modules: str) -> None:
    """Make sure that what an extra installs is there.

    Raises:
        MissingExtraError: it is not.
    """
    for module in modules:
        try:
            __import__(module)
        except ImportError as error:
            raise_missing_extra(module, extra, error)
