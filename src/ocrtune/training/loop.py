"""The one training loop: steps, evaluations, checkpoints. What is trained is the task's business."""

from __future__ import annotations

import itertools
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ocrtune.config.schema import TrainConfig
from ocrtune.errors import ConfigError, GateError, Interrupted
from ocrtune.task import Evaluation, Task
from ocrtune.training.averaging import MovingAverage
from ocrtune.training.checkpoint import FORMAT_VERSION, load_checkpoint, plain_tensors, save_atomically
from ocrtune.training.freeze import Freeze, lr_factors, parts, table_lines, table_rows
from ocrtune.training.loading import batches
from ocrtune.training.optim import automatic_lr, build_optimizer, set_lr
from ocrtune.training.precision import resolve_precision
from ocrtune.training.runlog import RunLog
from ocrtune.training.schedule import lr_factor

LAST, BEST, FINAL = "last.ckpt", "best_model.pth", "final_model.pth"
_MAX_EVALS = 10


@dataclass(frozen=True)
class Plan:
    """How many steps of which size a run has.

    Attributes:
        micro_batch: samples of one process in one forward pass.
        accumulate: forward passes a step.
        world_size: processes.
        total_steps: steps in all.
        steps_per_epoch: steps that show as many samples as there are pages.
        eval_steps: after how many steps the network is evaluated; the last one is always among them.
    """

    micro_batch: int
    accumulate: int
    world_size: int
    total_steps: int
    steps_per_epoch: float
    eval_steps: frozenset[int]

    @property
    def effective_batch(self) -> int:
        return self.micro_batch * self.accumulate * self.world_size


@dataclass
class Progress:
    """Where a run stands, for whoever shows it.

    Attributes:
        step, total: steps done and steps in all.
        loss: moving average of the loss.
        lr: current learning rate.
        seconds_left: estimate; None before the first steps.
        best: best monitored figure so far; None before the first evaluation.
    """

    step: int
    total: int
    loss: float
    lr: float
    seconds_left: float | None
    best: float | None


@dataclass
class State:
    """What is counted beside the tensors; part of the checkpoint."""

    step: int = 0
    best: float | None = None
    best_merit: float | None = None
    best_step: int = 0
    evals_since_best: int = 0
    best_details: dict[str, Any] = field(default_factory=dict)
    stopped_early: bool = False


def make_plan(config: TrainConfig, pages: int, world_size: int) -> Plan:
    """Resolve epochs, steps and evaluations."""
    batch = config.batch_size * config.trainer.accumulate * world_size
    steps_per_epoch = max(1.0, pages / batch)
    total = config.schedule.steps or max(1, math.ceil(config.schedule.epochs * steps_per_epoch))
    evals = min(config.trainer.evals or min(_MAX_EVALS, math.ceil(total / steps_per_epoch)), total)
    at = frozenset(round(total * (i + 1) / evals) for i in range(evals))
    return Plan(config.batch_size, config.trainer.accumulate, world_size, total, steps_per_epoch, at)


class Trainer:
    """One run of the loop.

    Args:
        task: what is trained.
        config: with every ``auto`` that concerns the task resolved.
        folder: the run folder; checkpoints and logs go there.
        echo: takes lines for the terminal.
        watch: takes the progress after each step.
        resume_command: told to the user when the run is interrupted.
        observe: called after each evaluation, when its figures are in the folder's ``metrics.csv``.

    Attributes:
        lr, automatic_lr: peak learning rate, and what ``auto`` would have been.
        parts: the network's parts, and from when on they train.
        what_trains: the same as rows of a table.

    Raises:
        ConfigError: the monitored figure is none of the task's, a part of the network is named that does not exist, or
            nothing would train.
    """

    def __init__(
        self,
        task: Task,
        config: TrainConfig,
        folder: Path,
        echo: Callable[[str], None] = lambda line: None,
        watch: Callable[[Progress], None] = lambda progress: None,
        resume_command: str | None = None,
        observe: Callable[[], None] = lambda: None,
    ) -> None:
        self.task, self.config, self.folder = task, config, folder
        self._echo, self._watch, self._resume_command, self._observe = echo, watch, resume_command, observe
        if config.early_stopping.monitor not in ("auto", task.monitor):
            raise ConfigError(
                f"'{config.early_stopping.monitor}' is no figure of this task",
                where="early_stopping.monitor",
                expected=f"auto or {task.monitor}",
            )
        accelerator = "cpu" if config.trainer.num_gpus == 0 or not torch.cuda.is_available() else "cuda"
        device = torch.device(accelerator)
        devices = max(1, config.trainer.num_gpus) if accelerator == "cuda" else 1
        self._fabric = Fabric(
            accelerator=accelerator, devices=devices, precision=resolve_precision(config.trainer.precision, device)
        )
        torch.manual_seed(config.trainer.seed)
        self.plan = make_plan(config, len(task.samples), self._fabric.world_size)
        network = task.network()
        scales = task.lr_scales(network)
        lr = config.optimizer.lr
        self.automatic_lr = task.lr_factor * automatic_lr(self.plan.effective_batch, scales is not None)
        self.lr = self.automatic_lr if lr == "auto" else lr
        self._freeze = Freeze(network, config.freeze, task.backbone_names(network), self.plan.steps_per_epoch)
        self.parts = parts(network, self._freeze.start, lr_factors(network, config.optimizer.lr_factors))
        self.what_trains = table_rows(self.parts, self.lr, scales is not None)
        optimizer = build_optimizer(network, config.optimizer, self.lr, scales)
        set_lr(optimizer, 1.0)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._raw = network
        self._average = MovingAverage(network, config.trainer.ema_decay) if config.trainer.ema else None
        self._network, self._optimizer = self._fabric.setup(network, optimizer)
        if self._average is not None:
            self._average.model.to(self._fabric.device)
        self.state = State()

    @property
    def evaluated(self) -> nn.Module:
        """The network that is evaluated and kept: the moving average where there is one."""
        return self._raw if self._average is None else self._average.model

    def run(self, resume: bool = False) -> State:
        """Train to the end, or until it is enough.

        Args:
            resume: go on from the run folder's last checkpoint.

        Raises:
            Interrupted: SIGINT or SIGTERM came; the state is saved.
            GateError: the loss became infinite or NaN.
            OcrtuneError: a sample cannot be read, or a file cannot be written.
        """
        if resume:
            self._load()
        with RunLog(self.folder, self.state.step, self._echo) as log, _stop_requests() as stop:
            plan = self.plan
            log.line(
                f"{'resuming at step ' + str(self.state.step) if resume else 'training'}: {plan.total_steps} steps of "
                f"{plan.effective_batch} of {len(self.task.samples)} samples, precision "
                f"{self._fabric._precision.precision}, learning rate {self.lr:.3g}"
            )
            for line in table_lines(self.what_trains):
                log.line(line)
            if not self.state.stopped_early:
                self._steps(log, stop)
            save_atomically(plain_tensors(self._raw.state_dict()), self.folder / FINAL)
            log.line(
                f"done after {self.state.step} steps"
                + (
                    f"; best {self.task.monitor} {self.state.best:.4f} after step {self.state.best_step}"
                    if self.state.best is not None
                    else ""
                )
            )
        return self.state

    def _steps(self, log: RunLog, stop: Callable[[], bool]) -> None:
        plan, state = self.plan, self.state
        stream = batches(
            self.task,
            first_batch=state.step * plan.accumulate,
            count=plan.total_steps * plan.accumulate,
            batch_size=plan.micro_batch,
            seed=self.config.trainer.seed,
            num_workers=self.config.data.num_workers,
            rank=self._fabric.global_rank,
            world_size=self._fabric.world_size,
        )
        smooth: float | None = None
        clock = _Clock(plan.total_steps - state.step)
        saved = time.monotonic()
        while state.step < plan.total_steps:
            lr = set_lr(self._optimizer, self._factor(state.step))
            parts = self._step(list(itertools.islice(stream, plan.accumulate)))
            state.step += 1
            smooth = parts["loss"] if smooth is None else 0.95 * smooth + 0.05 * parts["loss"]
            epoch = state.step / plan.steps_per_epoch
            log.figures(state.step, epoch, "train", {**parts, "lr": lr})
            left = clock.tick()
            self._watch(Progress(state.step, plan.total_steps, smooth, lr, left, state.best))
            if state.step in plan.eval_steps:
                self._evaluate(log, epoch, smooth, left)
                clock.pause()
            patience = self.config.early_stopping.patience
            if patience is not None and state.evals_since_best >= patience:
                state.stopped_early = True
                log.line(f"no better {self.task.monitor} in {patience} evaluations: stopping early")
            last = state.step == plan.total_steps or state.stopped_early
            if last or stop() or time.monotonic() - saved > 60 * self.config.trainer.checkpoint_minutes:
                self._save()
                saved = time.monotonic()
                clock.pause()
            if state.stopped_early:
                return
            if stop() and not last:
                log.line(f"interrupted after step {state.step}; the state is saved")
                raise Interrupted("interrupted; the state is saved", where=self.folder, hint=self._resume_command)

    def _step(self, micro_batches: list[Any]) -> dict[str, float]:
        self._network.train()
        self._freeze.apply(self.state.step)
        totals: dict[str, float] = {}
        for index, batch in enumerate(micro_batches):
            syncing = index == len(micro_batches) - 1
            with self._fabric.no_backward_sync(self._network, enabled=not syncing):
                parts = self.task.loss(self._network, batch)
                self._fabric.backward(parts["loss"] / len(micro_batches))
            for name, value in parts.items():
                totals[name] = totals.get(name, 0.0) + float(value.detach()) / len(micro_batches)
        self._check_finite(totals)
        if self.config.optimizer.clip_norm is not None:
            self._fabric.clip_gradients(self._network, self._optimizer, max_norm=self.config.optimizer.clip_norm)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        if self._average is not None:
            self._average.update(self._raw)
        return totals

    def _factor(self, step: int) -> float:
        return lr_factor(step, self.plan.total_steps, self.plan.steps_per_epoch, self.config.schedule)

    def _check_finite(self, parts: Mapping[str, float]) -> None:
        if not all(math.isfinite(value) for value in parts.values()):
            shown = ", ".join(f"{name} {value:g}" for name, value in parts.items())
            raise GateError(
                f"the loss is not finite in step {self.state.step + 1}: {shown}",
                where=self.folder,
                hint=f"lower the learning rate (optimizer.lr={self.lr / 3:.2g}) or set trainer.precision=fp32",
            )

    def _evaluate(self, log: RunLog, epoch: float, loss: float, left: float | None) -> None:
        state = self.state
        result: Evaluation = self.task.evaluate(self.evaluated)
        log.figures(state.step, epoch, "val", result.figures)
        log.figures(state.step, epoch, "sign", result.signs)
        merit = result.monitor if result.merit is None else result.merit
        better = state.best_merit is None or merit > state.best_merit
        if better:
            state.best_merit, state.best, state.best_step, state.evals_since_best = merit, result.monitor, state.step, 0
            state.best_details = dict(result.details)
            save_atomically(plain_tensors(self.evaluated.state_dict()), self.folder / BEST)
        else:
            state.evals_since_best += 1
        figures = "  ".join(f"{name} {value:.4f}" for name, value in result.figures.items())
        time_left = "" if left is None else f"  {_duration(left)} left"
        log.line(
            f"step {state.step}/{self.plan.total_steps}  loss {loss:.4f}  {figures}{'  best' if better else ''}{time_left}"
        )
        self._observe()

    def _save(self) -> None:
        save_atomically(
            {
                "format_version": FORMAT_VERSION,
                "state": vars(self.state),
                "network": self._raw.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "average": None if self._average is None else self._average.state_dict(),
                "torch_rng": torch.get_rng_state(),
            },
            self.folder / LAST,
        )

    def _load(self) -> None:
        content = load_checkpoint(self.folder / LAST)
        self.state = State(**content["state"])
        self._raw.load_state_dict(content["network"])
        self._optimizer.load_state_dict(content["optimizer"])
        if self._average is not None and content["average"] is not None:
            self._average.load_state_dict(content["average"])
        rng: Tensor = content["torch_rng"]
        torch.set_rng_state(rng)


class _Clock:
    """Estimates the time left from the steps alone; evaluations and checkpoints are left out."""

    def __init__(self, steps: int) -> None:
        self._left = steps
        self._last = time.monotonic()
        self._seconds: float | None = None
        self._ticks = 0

    def tick(self) -> float | None:
        now = time.monotonic()
        took, self._last = now - self._last, now
        self._ticks += 1
        self._left -= 1
        if self._ticks > 1:  # the first step also starts the workers
            self._seconds = took if self._seconds is None else 0.9 * self._seconds + 0.1 * took
        return None if self._seconds is None else self._seconds * self._left

    def pause(self) -> None:
        self._last = time.monotonic()


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn the first SIGINT or SIGTERM into a wish to stop after the step; a second SIGINT acts at once."""
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested.is_set
        return
    previous = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}

    def request(kind: int, frame: object) -> None:
        if requested.is_set():
            raise KeyboardInterrupt
        requested.set()

    for kind in previous:
        signal.signal(kind, request)
    try:
        yield requested.is_set
    finally:
        for kind, handler in previous.items():
            signal.signal(kind, handler)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
