"""The tab batch: many images at once, and their results to take along."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ocrtune.errors import UsageError
from ocrtune.webui.archive import TAKEN
from ocrtune.webui.batch import LABELS, Batch
from ocrtune.webui.choices import model_choice
from ocrtune.webui.errors import told_each
from ocrtune.webui.language import Language
from ocrtune.webui.markup import empty, progress_bar
from ocrtune.webui.presets import preset_choice
from ocrtune.webui.scratch import fresh_folder
from ocrtune.webui.workspace import Workspace

_PICTURES = 12


def batch_tab(workspace: Workspace, say: Language) -> None:
    """Its components and what they do."""
    stops: dict[str, threading.Event] = {}  # of the batches that run, by the visitor's session
    with gr.Tab(say("Batch", "批量"), id="batch") as tab:
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                files = gr.File(
                    label=say("Images, PDFs, or a zip of them", "图片、PDF，或它们的 zip 压缩包"),
                    file_count="multiple",
                    file_types=[".zip", *sorted(TAKEN)],
                    height=160,
                    elem_id="batch-files",
                )
                folder = gr.Textbox(
                    label=say("Or a folder on this machine", "或本机上的文件夹"),
                    info=say("In the folders of this page.", "必须位于本页面的文件夹之内。"),
                    placeholder=say("scans/2024", "scans/2024"),
                )
                model = model_choice(workspace, say, tab, ("ocr", "detection"))
                preset = preset_choice(say)
                labels = gr.Dropdown(
                    [(say("None", "不需要"), ""), *((name, name) for name in LABELS)],
                    value="",
                    label=say("Label files", "标注文件"),
                    info=say(
                        "The result holds texts, JSON lines and drawn pictures; this adds labels, to correct and train on.",
                        "结果包含文本、JSON Lines 和画框图片；此项会另加标注文件，可修改后用于训练。",
                    ),
                )
                with gr.Row():
                    start = gr.Button(say("Read all", "开始识别"), variant="primary", elem_id="batch-start")
                    stop = gr.Button(say("Stop", "停止"), variant="stop", interactive=False)
            with gr.Column(scale=3, min_width=320):
                state = gr.HTML(empty(say("Progress and results appear here.", "进度和结果会显示在这里。")))
                result = gr.DownloadButton(
                    say("Download the results (zip)", "下载结果（zip）"),
                    variant="primary",
                    visible=False,
                    elem_id="batch-result",
                )
                table = gr.Dataframe(
                    headers=_headers(say),
                    interactive=False,
                    wrap=True,
                    max_height=320,
                    column_widths=["45%", "20%", "35%"],
                    visible=False,
                    elem_id="batch-table",
                )
                gallery = gr.Gallery(
                    show_label=False,
                    columns=3,
                    height="auto",
                    object_fit="contain",
                    visible=False,
                    buttons=["fullscreen", "download"],
                )

        @told_each
        def work(
            sent: list[str] | None, typed: str, spec: str, kind: str, format: str, request: gr.Request
        ) -> Iterator[dict[Any, Any]]:
            batch, stopped = Batch(fresh_folder()), threading.Event()
            if sent:
                batch.take_uploads([Path(file) for file in sent])
            elif typed.strip():
                batch.take_folder(workspace.path(typed))
            else:
                raise UsageError(
                    say("there is nothing to read", "没有可识别的内容"),
                    hint=say("add images, a PDF or a zip, or name a folder", "请添加图片、PDF 或 zip，或填写文件夹"),
                )
            bundle, session = workspace.bundle(spec), str(request.session_hash)
            stops[session] = stopped
            busy = {start: gr.update(interactive=False), stop: gr.update(interactive=True)}
            try:
                yield {
                    **busy,
                    state: _state(say, batch, None),
                    result: gr.update(visible=False),
                    table: gr.update(visible=False),
                    gallery: gr.update(visible=False, value=None),
                }
                for left in batch.run(bundle, kind, workspace.models, format or None, stopped):
                    yield {
                        state: _state(say, batch, left),
                        table: gr.update(value=_rows(say, batch), visible=True),
                    }
                yield {
                    **_idle(),
                    state: _state(say, batch, None),
                    result: gr.update(value=str(batch.zip), visible=True),
                    table: gr.update(value=_rows(say, batch), visible=True),
                    gallery: gr.update(
                        value=[str(path) for path in batch.drawn[:_PICTURES]], visible=bool(batch.drawn)
                    ),
                }
            finally:
                stops.pop(session, None)

        def _idle() -> dict[Any, Any]:
            return {start: gr.update(interactive=True), stop: gr.update(interactive=False)}

        def halt(request: gr.Request) -> Any:
            if (running := stops.get(str(request.session_hash))) is not None:
                running.set()
            return gr.update(interactive=False)

        start.click(
            work,
            [files, folder, model, preset, labels],
            [start, stop, state, result, table, gallery],
            show_progress="hidden",
        ).failure(_idle, None, [start, stop])
        stop.click(halt, None, stop)


def _headers(say: Language) -> list[str]:
    return [say("Image", "图片"), say("Texts", "文字数"), say("Remark", "备注")]


def _rows(say: Language, batch: Batch) -> dict[str, list[Any]]:
    """Skipped images first: there is something to do about them."""
    skipped = [[name, 0, say(f"skipped: {error.what}", f"已跳过：{error.what}")] for name, error in batch.faults]
    return {"headers": _headers(say), "data": [*skipped, *([page.name, len(page.regions), ""] for page in batch.pages)]}


def _state(say: Language, batch: Batch, left: float | None) -> str:
    skipped = len(batch.faults)
    note = say(f"{skipped} skipped", f"跳过 {skipped} 张") if skipped else ""
    bar = progress_bar(say, batch.done, batch.count, left, note)
    if left is None and batch.zip.is_file():
        texts = sum(len(page.regions) for page in batch.pages)
        told = say(
            f"{len(batch.pages)} images read, {texts} texts", f"已识别 {len(batch.pages)} 张图片，共 {texts} 处文字"
        )
        if batch.sources:
            told = say("Stopped: ", "已停止：") + told
        return f"<p><b>{escape(told)}</b></p>{bar}"
    return bar
