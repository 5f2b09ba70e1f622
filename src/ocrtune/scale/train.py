"""The processes of a training as workers of Ray Train, on any number of machines.

All machines see the run folder and the data at the same paths; only the first worker writes.
"""

from __future__ import annotations

import os
import threading
import traceback
from dataclasses import replace
from typing import Any

from ocrtune.config.schema import TrainerConfig
from ocrtune.errors import Interrupted, OcrtuneError, ProcessLost, UsageError
from ocrtune.scale.cluster import cluster
from ocrtune.training.loop import State
from ocrtune.workflows.console import Console
from ocrtune.workflows.launch import explaining
from ocrtune.workflows.train import Job, take_part


def workers(config: TrainerConfig) -> tuple[int, bool]:
    """How many workers a configuration asks for, and whether each has a GPU.

    Raises:
        UsageError: it does not say.
    """
    if config.processes > 1:
        return config.processes, config.num_gpus > 1
    raise UsageError(
        "the configuration does not say how many workers Ray shall start",
        where="--ray",
        expected="trainer.num_gpus=N, or trainer.num_processes=N for workers without a GPU",
    )


def launched_on_ray(job: Job, console: Console, address: str) -> State:
    """Run a job's processes on a cluster.

    Raises:
        ProcessLost: a worker or its machine died; the others were ended.
        OcrtuneError: what a worker raised, or no cluster answers.
    """
    settings = job.config.trainer
    count, gpus = workers(settings)
    if not gpus:
        settings = settings.model_copy(update={"num_gpus": 0})
    job = replace(job, config=job.config.model_copy(update={"trainer": settings}))
    with cluster(address, cores=count + 1):
        from ray.train import RunConfig, ScalingConfig, TrainingFailedError
        from ray.train.torch import TorchTrainer
        from ray.util.queue import Queue

        letters = Queue(actor_options={"num_cpus": 0})
        ends: dict[int, Any] = {}
        reader = threading.Thread(target=_read, args=(letters, ends, console), daemon=True)
        trainer = TorchTrainer(
            _worker,
            train_loop_config={"job": job, "letters": letters, "here": os.getcwd()},
            scaling_config=ScalingConfig(num_workers=count, use_gpu=gpus),
            run_config=RunConfig(name="ray", storage_path=str(job.folder.resolve())),
        )
        reader.start()
        failure = None
        try:
            trainer.fit()
        except TrainingFailedError as error:
            failure = error
        except KeyboardInterrupt as error:
            raise Interrupted("interrupted", where=job.folder, hint=job.resume_command) from error
        letters.put(None)
        reader.join()
        if (fault := explaining(ends.values())) is not None:
            raise fault
        if failure is not None:
            if crashes := [end for end in ends.values() if isinstance(end, str)]:
                raise RuntimeError(f"a worker failed:\n{crashes[0]}") from failure
            raise ProcessLost(f"a worker on Ray has died: {str(failure).strip().splitlines()[-1]}") from failure
        return ends[0]


def _worker(config: dict[str, Any]) -> None:
    """What Ray Train runs on each worker, with torch's group and environment variables set up."""
    from ray.train import get_context

    rank, letters = get_context().get_world_rank(), config["letters"]
    os.chdir(config["here"])
    console = Console()
    if rank == 0:
        console = Console(lambda line: letters.put(("say", line)), lambda progress: letters.put(("watch", progress)))
    try:
        letters.put((rank, take_part(config["job"], console)))
    except OcrtuneError as error:
        letters.put((rank, error))
        raise RuntimeError(str(error)) from None
    except Exception:
        letters.put((rank, traceback.format_exc()))
        raise


def _read(letters: Any, ends: dict[int, Any], console: Console) -> None:
    """Pass on what the workers write, until None; how a worker ended is kept by its rank."""
    while (letter := letters.get()) is not None:
        kind, content = letter
        if kind == "say":
            console.say(content)
        elif kind == "watch":
            console.watch(content)
        else:
            ends[kind] = content
