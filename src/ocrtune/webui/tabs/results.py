"""The tab results: what the trainings have come to, side by side, and one of them looked at closely."""

from __future__ import annotations

import base64
import time
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from ocrtune.webui import words
from ocrtune.webui.errors import told
from ocrtune.webui.language import Language
from ocrtune.webui.live import diagnoses
from ocrtune.webui.markup import duration, empty, notice, table
from ocrtune.webui.outcomes import Outcome
from ocrtune.webui.plots import curve_plots, drawn
from ocrtune.webui.workspace import Workspace

_DOWNLOADS = 4
_STAGES = 2
"""Models of a training at most: a detector and a recogniser."""


def results_tab(workspace: Workspace, say: Language) -> None:
    """Its components and what they do."""
    with gr.Tab(say("Results", "结果"), id="results") as tab:
        with gr.Row():
            gr.Markdown(
                say(
                    "Every finished training. Figures are from pages that nothing was fitted to.",
                    "所有已完成的训练。指标来自未参与训练和校准的页面。",
                )
            )
            reload = gr.Button(say("Refresh", "刷新"), size="sm", scale=0, min_width=110)
        runs = gr.HTML()
        chosen = gr.Dropdown(
            [],
            label=say("Training", "训练"),
            info=say("Choose one to look at.", "选择一个查看详情。"),
            elem_id="result",
        )
        shown = gr.HTML()
        with gr.Row():
            files = [gr.DownloadButton(visible=False, size="sm", min_width=160) for _ in range(_DOWNLOADS)]
        plots = [plot for _ in range(_STAGES) for plot in curve_plots(say)]
        found = gr.HTML()
        legend = gr.HTML(visible=False)
        pages = gr.Gallery(
            visible=False,
            columns=2,
            height="auto",
            object_fit="contain",
            show_label=False,
            interactive=False,
            buttons=["fullscreen"],
            elem_id="worst",
            elem_classes="pages",
        )

    def overview(name: str | None) -> tuple[Any, Any]:
        outcomes = Outcome.all(workspace)
        names = [outcome.name(workspace) for outcome in outcomes]
        value = name if name in names else next(iter(names), None)
        shown = table(_headers(say), [_row(o, workspace, say) for o in outcomes]) if outcomes else ""
        return shown, gr.update(choices=names, value=value)

    def look(name: str | None) -> list[Any]:
        outcome = next((o for o in Outcome.all(workspace) if o.name(workspace) == name), None)
        if outcome is None:
            nothing = empty(say("No training has come to its end yet.", "还没有完成的训练。"))
            hidden = gr.update(visible=False)
            return [nothing, *[hidden] * _DOWNLOADS, *[hidden] * 3 * _STAGES, "", hidden, hidden]
        worst = [(_picture(kind, content, pages), text) for kind, content, text in outcome.worst_pages(say)]
        detection = outcome.bundle.manifest.task == "detection"
        return [
            _closely(outcome, say),
            *_offered(outcome, workspace, say),
            *_drawn(outcome, say),
            diagnoses(outcome.stages, say),
            gr.update(value=_legend(detection, say), visible=bool(worst)),
            gr.update(value=worst, visible=bool(worst)),
        ]

    details = [shown, *files, *plots, found, legend, pages]
    gr.on([tab.select, reload.click], told(overview), chosen, [runs, chosen], show_progress="hidden").then(
        told(look), chosen, details, show_progress="minimal"
    )
    chosen.input(told(look), chosen, details, show_progress="minimal")


def _headers(say: Language) -> list[str]:
    return [
        say("training", "训练"),
        say("task", "任务"),
        say("base → after", "基础 → 训练后"),
        say("95 % interval", "95 % 区间"),
        say("thresholds", "阈值"),
        say("size", "大小"),
        say("took", "用时"),
        say("date", "日期"),
    ]


def _row(outcome: Outcome, workspace: Workspace, say: Language) -> list[object]:
    name = outcome.figure
    before = outcome.before.get(name) if name else None
    then = "–" if before is None else f"{before:.4f}"
    return [
        outcome.name(workspace),
        words.short_task(outcome.bundle.manifest.task, say),
        f"{words.figure(name, say)} {then} → {outcome.after[name]:.4f}" if name else "–",
        outcome.interval(name) if name else "–",
        outcome.settings or "–",
        f"{outcome.megabytes:.1f} MB",
        "–" if outcome.seconds is None else duration(say, outcome.seconds),
        time.strftime("%Y-%m-%d", time.localtime(outcome.written)),
    ]


def _closely(outcome: Outcome, say: Language) -> str:
    """The verdict and the figures before and after."""
    better, name = outcome.better(), outcome.figure
    if better is None or name is None:
        verdict = say("There is no base to compare with.", "没有可对比的基础模型。")
    else:
        change = f"{words.figure(name, say)} {outcome.before[name]:.4f} → {outcome.after[name]:.4f}"
        verdict = (
            say(f"Better than the base: {change}", f"优于基础模型：{change}")
            if better
            else say(f"Not better than the base: {change}", f"不优于基础模型：{change}")
        )
    columns = [
        "",
        say("base, calibrated", "基础模型（已校准）"),
        say("after training", "训练后"),
        say("95 % interval", "95 % 区间"),
    ]
    rows = outcome.comparison(say)
    if all(row[-1] == "–" for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return f'<div class="training">{notice(verdict, bad=not better)}{table(columns, rows)}</div>'


def _offered(outcome: Outcome, workspace: Workspace, say: Language) -> list[dict[str, Any]]:
    """Updates of the download buttons."""
    offered = [
        gr.update(value=str(path), label=label, visible=True)
        for label, path in outcome.downloads(say)
        if workspace.holds(path.resolve())
    ]
    return [*offered, *[gr.update(visible=False)] * _DOWNLOADS][:_DOWNLOADS]


def _drawn(outcome: Outcome, say: Language) -> list[dict[str, Any]]:
    """Updates of the plots of each model."""
    several = len(outcome.stages) > 1
    updates = [
        update
        for stage in outcome.stages
        for update in drawn(stage, say, words.short_task(stage.folder.name, say) if several else "")
    ]
    return [*updates, *[gr.update(visible=False)] * 3][: 3 * _STAGES]


def _legend(detection: bool, say: Language) -> str:
    head = f"<h4>{say('Pages with the most errors', '错误最多的页面')}</h4>"
    if not detection:
        return head
    keys = (
        ("#00a03c", say("found", "正确")),
        ("#e60000", say("missed", "漏检")),
        ("#0050e6", say("wrong", "误检")),
        ("#a0a0a0", say("ignored", "忽略")),
    )
    return (
        head
        + '<p class="legend">'
        + "".join(f'<span style="background:{colour}"></span>{name}' for colour, name in keys)
        + "</p>"
    )


def _picture(kind: str, content: bytes, gallery: gr.Gallery) -> str:
    return str(save_bytes_to_cache(base64.b64decode(content), f"page.{kind}", gallery.GRADIO_CACHE))
