"""`tune batch`: what fits into memory when every sample is the largest that can come."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ocrtune.config.schema import TrainConfig
from ocrtune.training.batch_probe import BatchProbe, Tried, probe_batch
from ocrtune.workflows.console import Console
from ocrtune.workflows.settings.prepared import prepared_task


def tune_batch(config: TrainConfig, console: Console) -> BatchProbe:
    """Probe batches for a configuration on this machine as it is now; nothing is written.

    Raises:
        OcrtuneError: data, weights or configuration cannot be used, or the system does not tell how much memory is free.
    """

    def told(tried: Tried) -> None:
        console.say(f"batch {tried.batch}: {tried.peak / 2**30:.2f} GiB, {tried.seconds:.2f} s a step")

    with tempfile.TemporaryDirectory(prefix="ocrtune-batch-") as folder:
        return probe_batch(prepared_task(config, Path(folder), console), config, told)
