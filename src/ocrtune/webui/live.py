"""A training as the page shows it: where it stands, its curves, its diagnosis."""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ocrtune.report.figures import series
from ocrtune.webui import words
from ocrtune.webui.language import Language
from ocrtune.webui.markup import duration, notice, progress_bar
from ocrtune.webui.trainings import REPORT, Training
from ocrtune.webui.watching import PHASES, Phase, Stage, phase
from ocrtune.webui.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

POINTS = 200
"""Points of a curve; more are no easier to read."""
COLOURS = ("#0f766e", "#94a3b8", "#b45309")
_STATES = {
    "running": ("running", "运行中"),
    "finished": ("finished", "已完成"),
    "stopped": ("stopped", "已停止"),
    "failed": ("failed", "失败"),
}
_PHASES: dict[Phase, tuple[str, str]] = {
    "check": ("Check the data", "检查数据"),
    "base": ("Measure the base", "评测基础模型"),
    "train": ("Train", "训练"),
    "export": ("Export", "导出"),
    "calibrate": ("Calibrate, compare", "校准与对比"),
    "report": ("Report", "报告"),
}


def title(training: Training, say: Language) -> str:
    """A training as an entry to choose."""
    return f"{training.name} · {say(*_STATES[training.state])}"


def status(training: Training, several: Sequence[Stage], workspace: Workspace, say: Language) -> str:
    """Where a training stands, as HTML: what is done, what is at work, how long it takes, what to do.

    Args:
        training: whose state is told.
        several: its models, which keep what they have read.
        workspace, say: the page's.
    """
    at = phase(training.result)
    state = training.state
    parts = [_facts(training, say), _ladder(at, state, say)]
    if state == "running" and len(several) > 1 and at != "done":
        model = words.short_task(several[-1].folder.name, say)
        parts.append(f"<p>{say('at work on:', '当前部分：')} <b>{escape(model)}</b></p>")
    if at == "train" and (steps := several[-1].steps()) is not None:
        left = steps.seconds_left if state == "running" else None
        parts.append(progress_bar(say, steps.done, steps.total, left, say("training steps", "训练步数")))
    if state == "failed":
        parts.append(notice(say("The training has failed", "训练失败"), training.error, bad=True))
    elif state == "stopped":
        told = say(
            "Stopped. “Resume” goes on from where it was; nothing is lost.", "已停止。点“继续”会从停下的地方接着训练。"
        )
        parts.append(f"<p>{told}</p>")
    elif state == "finished":
        parts.append(_paths(training, several, workspace, say))
    return f'<div class="training">{"".join(parts)}</div>'


def curves(stage: Stage, say: Language) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Loss, learning rate and the figure that decides over the steps, with columns ``step``, ``value`` and ``what``."""
    loss_steps, losses = series(stage.metrics, "train", "loss")
    rate_steps, rates = series(stage.metrics, "train", "lr")
    figure_steps, figures = series(stage.metrics, "val", stage.monitor)
    each, smooth = curve_names(say)[0]
    tuned, base = curve_names(say)[2]
    loss = _rows(loss_steps, losses, each) + _rows(loss_steps, _smoothed(losses), smooth)
    if stage.base is not None and loss_steps:  # before the first step the network is the base
        value = _rows([0, *figure_steps], [stage.base, *figures], tuned)
        value += _rows([0, max(loss_steps)], [stage.base] * 2, base)
    else:
        value = _rows(figure_steps, figures, tuned)
    return _frame(loss), _frame(_rows(rate_steps, rates, curve_names(say)[1][0])), _frame(value)


def curve_names(say: Language) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """What the lines of the three plots are called."""
    return (
        (say("each step", "每一步"), say("smoothed", "平滑")),
        (say("learning rate", "学习率"),),
        (say("fine-tuned", "微调后"), say("base", "基础模型")),
    )


def diagnoses(several: Sequence[Stage], say: Language) -> str:
    """What was found wrong with a training, in words, with what to do; as HTML."""
    found = [(stage, entry) for stage in several for entry in stage.diagnoses]
    if not found:
        return ""
    parts = [f"<h4>{say('Diagnosis', '诊断')}</h4>"]
    for stage, entry in found:
        model = f"{words.short_task(stage.folder.name, say)} · " if len(several) > 1 else ""
        head = f"{model}{words.severity(entry['severity'], say)}: {words.diagnosis(entry['code'], say)}"
        remedies = "".join(
            f"<li>{say('To do:', '建议：')} <code>{escape(remedy['do'])}</code>"
            + (f" – {escape(remedy['why'])}" if remedy["why"] else "")
            + "</li>"
            for remedy in entry["remedies"]
        )
        suspects = "".join(f"<li>{escape(suspect)}</li>" for suspect in entry["suspects"][:5])
        parts.append(
            f'<div class="found {escape(entry["severity"])}"><b>{escape(head)}</b><p>{escape(entry["message"])}</p>'
            f"<ul>{suspects}{remedies}</ul></div>"
        )
    return "".join(parts)


def _facts(training: Training, say: Language) -> str:
    state = training.state
    given = training.job.arguments
    facts = [
        f'<span class="state {state}">{say(*_STATES[state])}</span>',
        f"{say('begun', '开始于')} {time.strftime('%Y-%m-%d %H:%M', time.localtime(training.job.created))}",
    ]
    if state == "running":
        facts.append(f"{say('for', '已运行')} {duration(say, time.time() - training.job.created)}")
    shown = escape(" ".join(given[: given.index("--out")] if "--out" in given else given))
    return f"<p>{' · '.join(facts)}</p><p><code>ocrtune {shown}</code></p>"


def _ladder(at: Phase, state: str, say: Language) -> str:
    """The phases of a training with the one that it is at."""
    reached = len(PHASES) if at == "done" else PHASES.index(at)
    steps = []
    for number, name in enumerate(PHASES):
        kind = "done" if number < reached else "next"
        if number == reached:
            kind = "now" if state == "running" else "held"
        steps.append(f'<li class="{kind}">{say(*_PHASES[name])}</li>')
    return f'<ol class="ladder">{"".join(steps)}</ol>'


def _paths(training: Training, several: Sequence[Stage], workspace: Workspace, say: Language) -> str:
    """Where the result lies."""
    result = training.result
    entries = [
        (say("model (bundle)", "模型（bundle）"), result / "bundle"),
        *((say("weights", "权重"), stage.run / "best_model.pth") for stage in several),
        (say("report", "报告"), result / REPORT),
    ]
    lines = "".join(f"<li>{name}: <code>{escape(workspace.shown(path))}</code></li>" for name, path in entries)
    more = say("“Results” shows what it has become.", "在“结果”页查看效果。")
    return f"<ul>{lines}</ul><p>{more}</p>"


def _rows(steps: Sequence[int], values: Sequence[float], what: str) -> list[tuple[int, float, str]]:
    """At most `POINTS` points of a curve; the last one always."""
    stride = -(-len(steps) // POINTS) or 1
    kept = sorted({*range(0, len(steps), stride), *([len(steps) - 1] if steps else [])})
    return [(steps[i], values[i], what) for i in kept]


def _smoothed(values: Sequence[float], weight: float = 0.9) -> list[float]:
    smoothed: list[float] = []
    for value in values:
        smoothed.append(value if not smoothed else weight * smoothed[-1] + (1 - weight) * value)
    return smoothed


def _frame(rows: list[tuple[int, float, str]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=["step", "value", "what"])
