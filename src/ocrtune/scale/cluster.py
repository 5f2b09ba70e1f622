"""A Ray cluster to work on: one that runs, or one on this machine for as long as it is needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ocrtune.errors import GateError, UsageError, need

LOCAL = "local"
_STARTS = 4  # that a busy machine gets
_LOCAL_STORE = 200 * 1024**2  # bytes of shared memory for objects; ours are small


def need_ray() -> None:
    """Make sure that what `[scale]` installs is there.

    Raises:
        MissingExtraError: it is not.
    """
    need("scale", "ray", "pyarrow", "pandas")


@contextmanager
def cluster(address: str, cores: int) -> Iterator[None]:
    """Be connected to a cluster; a connection that exists is used.

    Args:
        address: ``HOST:PORT``, ``ray://HOST:PORT``, ``auto`` for the one that this machine is part of, or ``local`` for
            one that is started.
        cores: what a local one offers.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: no cluster answers.
        GateError: the machine is too busy to start one.
    """
    need_ray()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # Ray's next default, about which it warns
    import ray

    if ray.is_initialized():
        yield
        return
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address == LOCAL:
            _start_local(cores, quiet)
        else:
            ray.init(address, **quiet)
    except (ConnectionError, ValueError) as error:
        raise UsageError(
            f"no Ray cluster answers: {str(error).splitlines()[0]}",
            where=address,
            hint="start one with 'ray start --head' and join it with 'ray start --address HOST:6379', or say local",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _start_local(cores: int, quiet: dict[str, Any]) -> None:
    """A cluster on this machine; Ray gives its start 30 s, which a busy machine may need more of."""
    import ray

    for attempt in range(_STARTS):
        try:
            ray.init(LOCAL, num_cpus=cores, object_store_memory=_LOCAL_STORE, include_dashboard=False, **quiet)
        except Exception as error:  # Ray raises no other kind here
            ray.shutdown()
            if "timed out during startup" not in str(error):
                raise
            if attempt == _STARTS - 1:
                raise GateError(
                    "Ray does not start in time on this machine", hint="try again when it is less busy"
                ) from error
        else:
            return
