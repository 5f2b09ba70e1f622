"""The loop: processes, precision, evaluations, where a run is written."""

from __future__ import annotations

import math
from collections.abc import Callable

from ocrtune.config.paddle.ledger import Ledger

CountLines = Callable[[str], int | None]
"""Number of lines of a label file that a configuration names; None where it cannot be counted."""


def import_loop(ledger: Ledger, task: str, num_gpus: int, count: CountLines) -> None:
    """Set ``trainer``, ``early_stopping.monitor`` and ``output_dir``."""
    ledger.map("Global.save_model_dir", "output_dir", ledger.text("Global.save_model_dir", "workdirs"))
    if ledger.flag("Global.use_gpu", True):
        ledger.put("trainer.num_gpus", num_gpus)
        ledger.skip("Global.use_gpu", "a GPU is used where there is one; trainer.num_gpus=0 forces the CPU")
    else:
        ledger.map("Global.use_gpu", "trainer.num_gpus", 0)
    if ledger.get("Global.seed") is not None:
        ledger.map("Global.seed", "trainer.seed", max(0, ledger.whole("Global.seed", 0)))
    _precision(ledger)
    if ledger.get("Global.use_ema") is not None:
        ledger.map("Global.use_ema", "trainer.ema", ledger.flag("Global.use_ema", False))
    if ledger.get("Global.ema_decay") is not None:
        ledger.map("Global.ema_decay", "trainer.ema_decay", ledger.number("Global.ema_decay", 0.99))
    ledger.refuse("Global.ema_decay_type", "the decay grows as (1 + n) / (10 + n) up to trainer.ema_decay")
    _evaluations(ledger, num_gpus, count)
    monitor = ledger.text("Metric.main_indicator", "hmean" if task == "detection" else "acc")
    figure = {"hmean": "hmean", "acc": "accuracy"}.get(monitor)
    if figure is None or (figure == "hmean") != (task == "detection"):
        ledger.refuse(
            "Metric.main_indicator", "the best state is the one of the best hmean (pages) or accuracy (lines)"
        )
    else:
        ledger.map("Metric.main_indicator", "early_stopping.monitor", figure)


def _precision(ledger: Ledger) -> None:
    if ledger.get("Global.use_amp") is None:
        ledger.skip("Global.amp_dtype", "without use_amp it says nothing")
    else:
        half = "bf16" if ledger.text("Global.amp_dtype") == "bfloat16" else "fp16"
        value = half if ledger.flag("Global.use_amp", False) else "fp32"
        for key in ("use_amp", "amp_dtype"):
            ledger.map(f"Global.{key}", "trainer.precision", value)
    for key in (
        "amp_level",
        "amp_custom_black_list",
        "amp_custom_white_list",
        "scale_loss",
        "use_dynamic_loss_scaling",
    ):
        ledger.skip(
            f"Global.{key}", "trainer.precision decides; losses are scaled and computed in fp32 where it matters"
        )


def _evaluations(ledger: Ledger, num_gpus: int, count: CountLines) -> None:
    every, step = "Global.eval_batch_epoch", "Global.eval_batch_step"
    epochs = ledger.whole("Global.epoch_num", 20)
    if ledger.get(every) is not None:
        evals = max(1, epochs // max(1, ledger.whole(every, 1)))
        ledger.map(every, "trainer.evals", evals)
        ledger.skip(step, "eval_batch_epoch goes first")
        return
    value = ledger.get(step)
    if value is None:
        return
    start, interval = ledger.pair(step, (0, 0)) if isinstance(value, list) else (0.0, ledger.number(step, 0.0))
    train = ledger.config["data"]["train"]
    counts = [count(spec.partition(":")[2]) for spec in ([train] if isinstance(train, str) else train)]
    if interval < 1 or any(lines is None for lines in counts):
        ledger.refuse(step, "evaluations are counted over the run; the steps are not known without the label files")
        return
    batch = int(ledger.config["data"]["batch_size"]) * max(1, num_gpus)
    steps = epochs * math.ceil(sum(lines or 0 for lines in counts) / batch)
    ledger.map(step, "trainer.evals", max(1, int((steps - start) // interval)), f"of a run of {steps} steps")
