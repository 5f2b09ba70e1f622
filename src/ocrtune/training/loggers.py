"""MLflow and Weights & Biases as further places for a run's figures; where they send them is theirs to be told.

Both read their own environment variables: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME; WANDB_PROJECT, WANDB_MODE, ...
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ocrtune.config.load import flatten
from ocrtune.config.schema import TrainConfig
from ocrtune.errors import ConfigError, raise_missing_extra
from ocrtune.files import write_whole

_IDS = "loggers.json"
_PARAMETERS_AT_ONCE = 100  # MLflow's own limit


class FigureLogger(Protocol):
    """A place for a run's figures."""

    name: str

    def figures(self, step: int, figures: Mapping[str, float]) -> None:
        """Figures of a step, by name."""
        ...

    def close(self, failed: bool) -> None:
        """The run has ended, or has ``failed`` to."""
        ...


class MLflowLogger:
    """A run of MLflow's.

    Args:
        folder: the run folder, whose name the run gets.
        known: id of the run to go on with; None for a new one.
        settings: the configuration, by dotted key.
    """

    name = "MLflow"

    def __init__(self, folder: Path, known: str | None, settings: Mapping[str, Any]) -> None:
        import mlflow

        self._mlflow = mlflow
        self.id = mlflow.start_run(run_id=known, run_name=folder.name).info.run_id
        keys = [] if known else list(settings)
        for start in range(0, len(keys), _PARAMETERS_AT_ONCE):
            mlflow.log_params({key: settings[key] for key in keys[start : start + _PARAMETERS_AT_ONCE]})

    def figures(self, step: int, figures: Mapping[str, float]) -> None:
        self._mlflow.log_metrics(dict(figures), step=step, synchronous=False)

    def close(self, failed: bool) -> None:
        self._mlflow.flush_async_logging()
        self._mlflow.end_run("FAILED" if failed else "FINISHED")


class WandbLogger:
    """A run of Weights & Biases'; for the arguments see `MLflowLogger`."""

    name = "Weights & Biases"

    def __init__(self, folder: Path, known: str | None, settings: Mapping[str, Any]) -> None:
        import wandb

        self._run = wandb.init(
            id=known, resume="allow" if known else None, name=folder.name, dir=str(folder), config=dict(settings)
        )
        self.id = self._run.id

    def figures(self, step: int, figures: Mapping[str, float]) -> None:
        self._run.log(dict(figures), step=step)

    def close(self, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


_KINDS: dict[str, type[MLflowLogger] | type[WandbLogger]] = {"mlflow": MLflowLogger, "wandb": WandbLogger}


def require_loggers(names: Sequence[str]) -> None:
    """Make sure that the packages of loggers are installed.

    Raises:
        MissingExtraError: one is not; its extra has the same name.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise_missing_extra(name, name, ModuleNotFoundError(name))


def open_loggers(config: TrainConfig, folder: Path, resume: bool) -> list[FigureLogger]:
    """The loggers that a configuration names; a resumed run goes on in the runs that it had there.

    Args:
        config: of the run.
        folder: of the run; gets ``loggers.json`` with the ids of its runs elsewhere.
        resume: whether the run goes on.

    Raises:
        ConfigError: one cannot be started.
    """
    if not config.trainer.loggers:
        return []
    path = folder / _IDS
    ids: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if resume and path.is_file() else {}
    settings = {key: value for key, value, _ in flatten(config)}
    opened: list[FigureLogger] = []
    for name in config.trainer.loggers:
        try:
            logger = _KINDS[name](folder, ids.get(name), settings)
        except Exception as error:  # a service's client raises what it likes
            raise ConfigError(
                f"{name} cannot be started: {error}",
                where="trainer.loggers",
                hint="set the service up as its own documentation says, or train without it: trainer.loggers=[]",
            ) from error
        ids[name] = logger.id
        opened.append(logger)
    write_whole(path, json.dumps(ids))
    return opened
