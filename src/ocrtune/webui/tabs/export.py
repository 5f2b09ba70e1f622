"""The tab export: a bundle as a file for other engines, through the gate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ocrtune.bundle import PARTS
from ocrtune.webui.background import Job
from ocrtune.webui.choices import dataset_choice, model_choice
from ocrtune.webui.errors import told
from ocrtune.webui.exports import BOXES, HALVES, Export, Outcome, last_export, outcome
from ocrtune.webui.language import Language
from ocrtune.webui.markup import empty, figures, notice
from ocrtune.webui.workspace import Workspace


def export_tab(workspace: Workspace, say: Language) -> None:
    """Its components and what they do."""
    with gr.Tab(say("Export", "导出"), id="export") as tab:
        shown = gr.State(None)  # folder of the job whose state is shown
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                model = model_choice(workspace, say, tab, ("detection", "ocr"))
                format = gr.Radio(
                    [
                        (say("ONNX with boxes", "ONNX（直接输出文字框）"), BOXES),
                        ("ONNX", "onnx"),
                        ("TorchScript", "torchscript"),
                        ("OpenVINO", "openvino"),
                    ],
                    value=BOXES,
                    label=say("Format", "格式"),
                    info=say(
                        "With boxes: an image goes in, boxes and scores come out. The others give probabilities.",
                        "直接输出文字框：输入图片，输出框和得分。其余格式输出概率图。",
                    ),
                    elem_id="export-format",
                )
                with gr.Row() as size:
                    width = _side(say("Image width", "图片宽度"))
                    height = _side(say("Image height", "图片高度"))
                part = gr.Radio(
                    [
                        (say("Detection", "检测"), "detection"),
                        (say("Direction", "方向"), "orientation"),
                        (say("Recognition", "识别"), "recognition"),
                    ],
                    value=PARTS[0],
                    label=say("Part of the pipeline", "流程中的部分"),
                    visible=False,
                )
                half = gr.Checkbox(
                    label=say("Half precision (fp16)", "半精度（fp16）"),
                    info=say("Half the size, for GPUs and NPUs.", "文件减半，适合 GPU 和 NPU。"),
                    visible=False,
                )
                data = dataset_choice(
                    workspace,
                    say("Labelled pages for the gate", "用于一致性检查的标注数据"),
                    say(
                        "The file must do the same as the model on them. Left empty: on drawn pages.",
                        "导出文件在这些页面上必须与模型结果一致。留空则使用内置的示例页面。",
                    ),
                )
                start = gr.Button(say("Export", "导出"), variant="primary", elem_id="export-start")
            with gr.Column(scale=3, min_width=320):
                state = gr.HTML(
                    empty(
                        say(
                            "The file appears here once it is proven to do the same as the model.",
                            "确认与模型结果一致后，导出的文件会显示在这里。",
                        )
                    ),
                    elem_id="export-state",
                )
                files = gr.File(
                    label=say("Download", "下载"),
                    file_count="multiple",
                    interactive=False,
                    visible=False,
                    elem_id="export-files",
                )
                snippet = gr.Code(
                    language="python",
                    label=say("Run it", "运行方法"),
                    interactive=False,
                    visible=False,
                    wrap_lines=True,
                    show_line_numbers=False,
                    buttons=["copy"],
                    elem_id="export-snippet",
                )
        timer = gr.Timer(1, active=False)
        view = [shown, state, files, snippet, start, timer]

        @told
        def chosen(spec: str, kind: str) -> dict[Any, Any]:
            pipeline = workspace.bundle(spec).manifest.task == "ocr"
            return {
                size: gr.update(visible=kind == BOXES),
                part: gr.update(visible=pipeline and kind != BOXES),
                half: gr.update(visible=kind in HALVES, value=False),
            }

        @told
        def make(
            spec: str, kind: str, wide: float, high: float, task: str, fp16: bool, pages: str | None
        ) -> dict[Any, Any]:
            wanted = Export(kind, fp16 and kind in HALVES, int(wide), int(high))
            gate = workspace.optional_dataset(pages)
            return told_of(wanted.start(workspace.bundle(spec), task, gate, workspace.outputs))

        def told_of(job: Job | None) -> dict[Any, Any]:
            if job is None:
                return {timer: gr.Timer(active=False)}
            running, ended = job.running, Outcome()
            if running:
                shown_state = notice(say("Being made and compared …", "正在导出并比对……"), job.output())
            else:
                ended = outcome(job)
                shown_state = _ended(say, ended)
            done = bool(ended.files)
            return {
                shown: str(job.folder),
                state: shown_state,
                files: gr.update(value=[str(path) for path in ended.files], visible=done),
                snippet: gr.update(value=Export.of(job).snippet, visible=done),
                start: gr.update(interactive=not running),
                timer: gr.Timer(active=running),
            }

        def found_again(folder: str | None) -> dict[Any, Any]:
            """This visitor's export; after a reload of the page, the last one that was started."""
            return told_of(Job.find(Path(folder)) if folder else last_export(workspace.outputs))

        gr.on(
            [model.input, format.input, tab.select], chosen, [model, format], [size, part, half], show_progress="hidden"
        )
        start.click(make, [model, format, width, height, part, half, data], view)
        timer.tick(found_again, shown, view, show_progress="hidden")
        tab.select(found_again, shown, view, show_progress="hidden")


def _side(label: str) -> gr.Slider:
    return gr.Slider(320, 1536, 800, step=32, label=label, buttons=[], min_width=200)


def _ended(say: Language, ended: Outcome) -> str:
    if ended.fault is not None:
        said = [str(ended.fault[key]) for key in ("what", "expected", "to_do") if ended.fault.get(key)]
        return notice(say("Nothing was written", "没有导出文件"), "\n".join(said), bad=True)
    gate = ended.gate or {}
    names = {
        "pages": say("pages compared", "比对页数"),
        "lines": say("lines compared", "比对行数"),
        "boxes_equal": say("of the boxes equal", "文字框一致"),
        "texts_equal": say("of the lines alike", "文本行一致"),
        "max_tensor_difference": say("largest difference", "最大差异"),
        "tensor": say("largest difference", "最大差异"),
        "hmean_before": say("hmean of the model", "模型 hmean"),
        "hmean_after": say("hmean of the file", "文件 hmean"),
    }
    shown = {names[key]: _figure(key, value) for key, value in gate.items() if key in names}
    if not shown:
        return notice(say("The model's own file", "模型自带的文件"))
    return notice(say("The file does the same as the model", "导出文件与模型结果一致")) + figures(shown)


def _figure(key: str, value: float) -> str:
    if key in ("pages", "lines"):
        return f"{value:g}"
    if key.endswith("_equal"):
        return f"{value:.1%}"
    return f"{value:.4f}" if key.startswith("hmean") else f"{value:.1e}"
