"""The one training loop: steps, evaluations, checkpoints. What is trained is the task's business."""

from __future__ import annotations

import copy
import itertools
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ocrtune.config.schema import TrainConfig
from ocrtune.errors import ConfigError, GateError, Interrupted
from ocrtune.nn.memory import freed_memory_kept, out_of_memory, release_memory
from ocrtune.task import Evaluation, Task
from ocrtune.training.averaging import MovingAverage
from ocrtune.training.checkpoint import (
    FORMAT_VERSION,
    load_checkpoint,
    plain_tensors,
    require_unchanged,
    save_atomically,
)
from ocrtune.training.damage import DamagedImages
from ocrtune.training.evaluation import evaluate_within_memory
from ocrtune.training.finite import broken_weights, finite_gradients, finite_loss, gravest_blame, trace
from ocrtune.training.freeze import table_lines
from ocrtune.training.loading import Loaded, loaded_batches
from ocrtune.training.loggers import open_loggers
from ocrtune.training.micro import divided, fewer_at_once
from ocrtune.training.optim import build_optimizer, set_lr
from ocrtune.training.outline import make_outline
from ocrtune.training.processes import build_fabric, join, lost_processes_named
from ocrtune.training.recovery import SLOWER, recover
from ocrtune.training.rewind import Rewind
from ocrtune.training.runlog import RunLog, SilentLog
from ocrtune.training.schedule import lr_factor
from ocrtune.training.timelimit import Remaining, TimeLimit, tail_factor
from ocrtune.training.verdicts import Verdict

LAST, BEST, FINAL = "last.ckpt", "best_model.pth", "final_model.pth"


@dataclass
class Progress:
    """Where a run stands, for whoever shows it.

    Attributes:
        step, total: steps done and steps in all.
        loss: moving average of the loss.
        lr: current learning rate.
        seconds_left: estimate; None before the first steps.
        best: best monitored figure so far; None before the first evaluation.
        evaluated: whether an evaluation has just been written to the folder's ``metrics.csv``.
    """

    step: int
    total: int
    loss: float
    lr: float
    seconds_left: float | None
    best: float | None
    evaluated: bool = False


@dataclass
class State:
    """What is counted beside the tensors; part of the checkpoint.

    Attributes:
        loss: moving average over the steps.
        pieces: into how many each batch is cut, so that it fits into memory.
        skipped, bad_in_a_row, rollbacks: see `ocrtune.training.recovery.Counters`.
        damaged: names of images that could not be used.
        cut: where the schedule was cut short for lack of time: step at which its tail began, and steps in all.
        evaluation_seconds: time of the last evaluation.
    """

    step: int = 0
    best: float | None = None
    best_merit: float | None = None
    best_step: int = 0
    evals_since_best: int = 0
    best_details: dict[str, Any] = field(default_factory=dict)
    stopped_early: bool = False
    loss: float | None = None
    pieces: int = 1
    skipped: int = 0
    bad_in_a_row: int = 0
    rollbacks: int = 0
    damaged: list[str] = field(default_factory=list)
    cut: tuple[int, int] | None = None
    evaluation_seconds: float = 0.0


class Trainer:
    """One run of the loop.

    Args:
        task: what is trained.
        config: with every ``auto`` that concerns the task resolved.
        folder: the run folder; checkpoints and logs go there.
        echo: takes lines for the terminal.
        watch: takes the progress after each step.
        resume_command: told to the user when the run is interrupted.
        deadline: when the last step should be done, on the monotonic clock; where steps take too long for it, the
            schedule is cut short. None: never.
        each_evaluation: takes the step and its evaluation; what it raises ends the run.

    Attributes:
        outline: how it will train.

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
        deadline: float | None = None,
        each_evaluation: Callable[[int, Evaluation], None] = lambda step, result: None,
    ) -> None:
        self.task, self.config, self.folder = task, config, folder
        self._deadline, self.each_evaluation = deadline, each_evaluation
        self._echo, self._watch, self._resume_command = echo, watch, resume_command
        if config.early_stopping.monitor not in ("auto", task.monitor):
            raise ConfigError(
                f"'{config.early_stopping.monitor}' is no figure of this task",
                where="early_stopping.monitor",
                expected=f"auto or {task.monitor}",
            )
        self._processes = join()
        self._fabric = build_fabric(config.trainer, self._processes)
        torch.manual_seed(config.trainer.seed)
        network = task.network()
        scales = self._processes.on_first(lambda: task.lr_scales(network))  # one truth, whatever the machines compute
        self.outline = make_outline(task, config, network, scales is not None, self._fabric.world_size)
        self.plan, self.lr, self._freeze = self.outline.plan, self.outline.lr, self.outline.freeze
        optimizer = build_optimizer(network, config.optimizer, self.lr, scales)
        set_lr(optimizer, 1.0)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._raw = network
        self._average = MovingAverage(network, config.trainer.ema_decay) if config.trainer.ema else None
        self._network, self._optimizer = self._fabric.setup(network, optimizer)
        if self._average is not None:
            self._average.model.to(self._fabric.device)
        self.state = State()
        if not self._processes.first:  # each process draws its own dropout
            torch.manual_seed(config.trainer.seed + self._processes.rank)
        self._good: dict[str, Any] | None = None

    @property
    def total_steps(self) -> int:
        """Steps in all: the plan's, or fewer where the time did not allow them."""
        return self.plan.total_steps if self.state.cut is None else self.state.cut[1]

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
            GateError: the loss became infinite or NaN again and again, or memory is too small for a single sample.
            OcrtuneError: samples cannot be read, or a checkpoint cannot be written.
        """
        if resume:
            self._load()
        elif self.config.trainer.nonfinite == "rollback":
            self._good = copy.deepcopy(self._tensors())
        with self._log(resume) as log, _stop_requests() as stop, lost_processes_named(), freed_memory_kept():
            plan = self.plan
            log.line(
                f"{'resuming at step ' + str(self.state.step) if resume else 'training'}: {plan.total_steps} steps of "
                f"{plan.effective_batch} of {len(self.task.samples)} samples"
                f"{f' in {plan.world_size} processes' if plan.world_size > 1 else ''}, precision "
                f"{self._fabric._precision.precision}, learning rate {self.lr:.3g}"
            )
            for line in table_lines(self.outline.what_trains):
                log.line(line)
            if not self.state.stopped_early:
                self._steps(log, stop)
            self._write(plain_tensors(self._raw.state_dict()), FINAL)
            log.line(
                f"done after {self.state.step} steps"
                + (
                    f"; best {self.task.monitor} {self.state.best:.4f} after step {self.state.best_step}"
                    if self.state.best is not None
                    else ""
                )
            )
        return self.state

    def _steps(self, log: RunLog | SilentLog, stop: Callable[[], bool]) -> None:
        plan, state = self.plan, self.state
        stream = loaded_batches(
            self.task,
            first_batch=state.step * plan.accumulate,
            count=plan.total_steps * plan.accumulate,
            batch_size=plan.micro_batch,
            seed=self.config.trainer.seed,
            num_workers=self.config.data.num_workers,
            rank=self._processes.rank,
            world_size=self._processes.world_size,
            tell=log.line,
        )
        damaged = DamagedImages(state.damaged, len(self.task.samples), self.config.data.max_damaged, log.line)
        limit = TimeLimit(self._deadline, plan.total_steps, log.line)
        clock = _Clock(self.total_steps - state.step)
        saved = time.monotonic()
        while state.step < self.total_steps:
            lr = set_lr(self._optimizer, self._factor(state.step))
            loaded = self._processes.together(lambda: list(itertools.islice(stream, plan.accumulate)))
            parts = self._step(loaded, damaged, log)
            state.step += 1
            epoch = state.step / plan.steps_per_epoch
            if parts:
                state.loss = parts["loss"] if state.loss is None else 0.95 * state.loss + 0.05 * parts["loss"]
                log.figures(state.step, epoch, "train", {**parts, "lr": lr})
            left = clock.tick()
            self._keep_to(limit, clock)
            smooth = math.nan if state.loss is None else state.loss
            self._watch(Progress(state.step, self.total_steps, smooth, lr, left, state.best))
            if self._is_evaluated(state.step):
                self._evaluate(log, epoch, smooth, left)
                self._watch(Progress(state.step, self.total_steps, smooth, lr, left, state.best, evaluated=True))
                clock.pause()
            patience = self.config.early_stopping.patience
            if patience is not None and state.evals_since_best >= patience:
                state.stopped_early = True
                log.line(f"no better {self.task.monitor} in {patience} evaluations: stopping early")
            last = state.step == self.total_steps or state.stopped_early
            overdue = time.monotonic() - saved > 60 * self.config.trainer.checkpoint_minutes
            interrupted, overdue = self._processes.agree(stop(), overdue)
            if last or interrupted or overdue:
                self._save()
                saved = time.monotonic()
                clock.pause()
            if state.stopped_early:
                return
            if interrupted and not last:
                log.line(f"interrupted after step {state.step}; the state is saved")
                raise Interrupted("interrupted; the state is saved", where=self.folder, hint=self._resume_command)

    def _step(self, loaded: list[Loaded], damaged: DamagedImages, log: RunLog | SilentLog) -> dict[str, float]:
        """One step; gives the losses, or nothing where the step came to nothing."""
        for found in self._processes.gather([error for batch in loaded for error in batch.damaged]):
            damaged.count(found)
        micro_batches = [batch.batch for batch in loaded]
        self._network.train()
        self._freeze.apply(self.state.step)
        rewind = Rewind(self._raw)
        parts, verdict = self._attempt(micro_batches)
        while verdict is Verdict.OUT_OF_MEMORY:
            rewind()
            self._optimizer.zero_grad(set_to_none=True)
            release_memory()
            self._take_fewer(log)
            parts, verdict = self._attempt(micro_batches)
        if verdict is Verdict.NOT_FINITE:
            rewind()
            names = [self.task.samples.name(index) for batch in loaded for index in batch.indices]
            blame = trace(self.task, self._raw, self._fabric.autocast, micro_batches, names)
            blame = gravest_blame(self._processes.gather(blame))
            rewind()
            self._optimizer.zero_grad(set_to_none=True)
            go_back, told = recover(self.config.trainer.nonfinite, self.state, parts, blame, self.lr, self.folder)
            if go_back:
                assert self._good is not None
                self._restore(copy.deepcopy(self._good))  # an optimiser works on in what it is given
            log.line(told)
            return {}
        self.state.bad_in_a_row = 0
        if self.config.optimizer.clip_norm is not None:
            self._fabric.clip_gradients(self._network, self._optimizer, max_norm=self.config.optimizer.clip_norm)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._processes.average_statistics(self._raw)
        if self._average is not None:
            self._average.update(self._raw)
        return parts

    def _attempt(self, micro_batches: list[Any]) -> tuple[dict[str, float], Verdict]:
        """The step's losses and gradients, and whether they can be used."""
        parts: dict[str, float] = {}
        verdict = Verdict.GO
        try:
            self._gradients(micro_batches, parts)
        except Exception as error:
            if not out_of_memory(error):
                raise
            if self._processes.world_size > 1:  # the others wait for gradients by now, and cannot be told
                raise GateError(
                    f"out of memory in one of {self._processes.world_size} processes, in step {self.state.step + 1}",
                    where=self.folder,
                    hint=f"halve data.batch_size ({self.plan.micro_batch}) and double trainer.accumulate "
                    f"({self.plan.accumulate}): a step then learns from as many samples",
                ) from error
            verdict = Verdict.OUT_OF_MEMORY
        else:
            parts = self._processes.mean(parts)
            if not (finite_loss(parts) and self._finite_gradients()):
                verdict = Verdict.NOT_FINITE
        return parts, self._processes.gravest(verdict)

    def _gradients(self, micro_batches: list[Any], totals: dict[str, float]) -> None:
        pieces = [
            (piece, share / len(micro_batches))
            for batch in micro_batches
            for piece, share in divided(batch, self.state.pieces)
        ]
        for index, (batch, share) in enumerate(pieces):
            syncing = index == len(pieces) - 1
            with self._fabric.no_backward_sync(self._network, enabled=not syncing):
                parts = self.task.loss(self._network, batch)
                self._fabric.backward(parts["loss"] * share)
            for name, value in parts.items():
                totals[name] = totals.get(name, 0.0) + float(value.detach()) * share

    def _finite_gradients(self) -> bool:
        """Whether gradients are finite; in fp16, only where its scaler, whose trade overflows are, can go no lower."""
        scaler = getattr(self._fabric._precision, "scaler", None)
        return (scaler is not None and scaler.get_scale() > 1) or finite_gradients(self._raw)

    def _take_fewer(self, log: RunLog | SilentLog) -> None:
        plan, state = self.plan, self.state
        state.pieces = fewer_at_once(state.pieces, plan.micro_batch)
        at_once = -(-plan.micro_batch // state.pieces)
        log.line(
            f"out of memory in step {state.step + 1}: from here on {at_once} samples at once, {state.pieces} times for "
            f"each {plan.micro_batch}; a step still learns from {plan.effective_batch}"
        )

    def _keep_to(self, limit: TimeLimit, clock: _Clock) -> None:
        """Cut the schedule short where the time says so."""
        state, total = self.state, self.total_steps
        if state.step == total:
            return
        evaluations = sum(state.step <= step <= total for step in self.plan.eval_steps) if state.cut is None else 1
        found = self._processes.gravest(
            limit.verdict(Remaining(total - state.step, evaluations, clock.seconds, state.evaluation_seconds))
        )
        if found is Verdict.TIME_OVER:
            state.cut = (state.step if state.cut is None else state.cut[0], state.step)
        elif found is Verdict.HURRY and state.cut is None:
            state.cut = (state.step, min(state.step + limit.tail, total))
        clock.left = self.total_steps - state.step

    def _is_evaluated(self, step: int) -> bool:
        return step == self.total_steps or (self.state.cut is None and step in self.plan.eval_steps)

    def _factor(self, step: int) -> float:
        plan, schedule, cut = self.plan, self.config.schedule, self.state.cut
        factor = lr_factor(step if cut is None else cut[0], plan.total_steps, plan.steps_per_epoch, schedule)
        if cut is not None:
            factor = tail_factor(step, *cut, factor, schedule.final_factor)
        return factor * SLOWER**self.state.rollbacks

    def _evaluate(self, log: RunLog | SilentLog, epoch: float, loss: float, left: float | None) -> None:
        state = self.state
        started = time.monotonic()
        result = evaluate_within_memory(
            self.task, self.evaluated, log.line, self._processes.spread, self._processes.world_size
        )
        state.evaluation_seconds = time.monotonic() - started
        log.figures(state.step, epoch, "val", result.figures)
        log.figures(state.step, epoch, "sign", result.signs)
        merit = result.monitor if result.merit is None else result.merit
        merit = -math.inf if math.isnan(merit) else merit
        better = state.best_merit is None or merit > state.best_merit
        if better:
            state.best_merit, state.best, state.best_step, state.evals_since_best = merit, result.monitor, state.step, 0
            state.best_details = dict(result.details)
            self._write(plain_tensors(self.evaluated.state_dict()), BEST)
        else:
            state.evals_since_best += 1
        if self.config.trainer.nonfinite == "rollback" and not broken_weights(self._raw):
            self._good = copy.deepcopy(self._tensors())
        figures = "  ".join(f"{name} {value:.4f}" for name, value in result.figures.items())
        time_left = "" if left is None else f"  {_duration(left)} left"
        log.line(
            f"step {state.step}/{self.total_steps}  loss {loss:.4f}  {figures}{'  best' if better else ''}{time_left}"
        )
        if result.warning is not None:
            log.line(result.warning)
        state.stopped_early = state.stopped_early or result.enough
        self.each_evaluation(state.step, result)

    def _log(self, resume: bool) -> RunLog | SilentLog:
        if not self._processes.first:
            return SilentLog()
        return RunLog(self.folder, self.state.step, self._echo, open_loggers(self.config, self.folder, resume))

    def _write(self, content: Any, name: str) -> None:
        """A file of the run; its processes hold the same, so that the first one writes it."""
        self._processes.on_first(lambda: save_atomically(content, self.folder / name))

    def _tensors(self) -> dict[str, Any]:
        return {
            "network": self._raw.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "precision": self._fabric._precision.state_dict(),
        }

    def _restore(self, tensors: dict[str, Any]) -> None:
        self._raw.load_state_dict(tensors["network"])
        self._optimizer.load_state_dict(tensors["optimizer"])
        if self._average is not None:
            self._average.load_state_dict(tensors["average"])
        self._fabric._precision.load_state_dict(tensors["precision"])

    def _planned(self) -> dict[str, int]:
        """What has to be as it was for a run to go on exactly."""
        plan = self.plan
        return {"samples": len(self.task.samples), "batch": plan.effective_batch, "steps": plan.total_steps}

    def _save(self) -> None:
        gpus = torch.cuda.get_rng_state_all() if self._fabric.device.type == "cuda" else []
        rngs = self._processes.gather({"cpu": torch.get_rng_state(), "cuda": gpus})
        self._write(
            {
                "format_version": FORMAT_VERSION,
                "planned": self._planned(),
                "state": vars(self.state),
                **self._tensors(),
                "good": self._good,
                "rngs": rngs,
            },
            LAST,
        )

    def _load(self) -> None:
        content = self._processes.on_first(lambda: load_checkpoint(self.folder / LAST))
        rngs = content["rngs"]
        if len(rngs) != self._processes.world_size:
            raise ConfigError(
                f"the run was trained by {len(rngs)} processes, and now there are {self._processes.world_size}",
                where=self.folder,
                hint=f"torchrun --nproc-per-node {len(rngs)} -m ocrtune train --resume {self.folder}",
            )
        require_unchanged(content["planned"], self._planned(), self.folder)
        self.state = State(**content["state"])
        self._restore(content)
        self._good = content["good"]
        rng = rngs[self._processes.rank]
        torch.set_rng_state(rng["cpu"])
        if rng["cuda"]:
            torch.cuda.set_rng_state_all(rng["cuda"])


class _Clock:
    """Estimates the time left from the steps alone; evaluations and checkpoints are left out.

    Attributes:
        left: steps to do.
        seconds: moving average of a step's; None before the second one, because the first also starts the workers.
    """

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.seconds: float | None = None
        self._last = time.monotonic()
        self._ticks = 0

    def tick(self) -> float | None:
        now = time.monotonic()
        took, self._last = now - self._last, now
        self._ticks += 1
        self.left -= 1
        if self._ticks > 1:
            self.seconds = took if self.seconds is None else 0.9 * self.seconds + 0.1 * took
        return None if self.seconds is None else self.seconds * self.left

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
