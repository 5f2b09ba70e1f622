"""Work on whole data sets behind the page: split, convert, label by a model. Each is an ``ocrtune data`` command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import gradio as gr

from ocrtune.data.formats import FORMATS, DatasetPath, parse_dataset_path
from ocrtune.errors import UsageError
from ocrtune.webui.background import Job
from ocrtune.webui.errors import told
from ocrtune.webui.labels.saving import new_place
from ocrtune.webui.language import Language
from ocrtune.webui.workspace import Workspace

_PARTS = {"train": ("training", "训练"), "val": ("validation", "验证"), "test": ("test", "测试")}
_LINES = 10_000  # of a job's output, searched for warnings
_RULE_FILES = (".csv", ".json")


def split_panel(workspace: Workspace, say: Language, dataset: gr.Dropdown) -> None:
    """Cut a data set into two or three."""
    gr.Markdown(
        say(
            "Which part a page goes to depends on its pixels: the same page always goes to the same part, and equal pages "
            "stay together. Labels are written anew; images stay where they are.",
            "页面按图像内容分配：同一页面总是进入同一部分，相同的页面不会被拆开。只写出新的标注，图片保持原位。",
        )
    )
    with gr.Row():
        shares = [
            gr.Number(value, minimum=0, maximum=100, label=f"{say(*names)} %", min_width=100)
            for value, names in zip((80, 20, 0), _PARTS.values(), strict=True)
        ]
        group = gr.Textbox(
            label=say("Keep together (optional)", "保持同组（可选）"),
            info=say(
                "a regular expression on file names, such as ^(\\w+)_page, or a .csv file (file,group)",
                "文件名的正则表达式，例如 ^(\\w+)_page；或 .csv 文件（file,group）",
            ),
            min_width=280,
        )
        label_format = _format(say)
    out = gr.Textbox(
        label=say("Folder for the parts", "输出文件夹"),
        placeholder=say("empty: in the folder workdirs/data", "留空：存入 workdirs/data"),
    )

    def arguments(spec: str, train: float, val: float, test: float, rule: str, wanted: str, where: str) -> list[str]:
        found = parse_dataset_path(workspace.dataset(spec))
        folder = workspace.path(where) if where.strip() else new_place(workspace.outputs, found, "parts", "icdar")
        sizes = [train or 0, val or 0, test or 0]
        if sum(size > 0 for size in sizes) < 2:
            raise UsageError(say("a split needs two parts at least", "拆分至少需要两部分"))
        command = ["split", str(found), "--out", str(folder), "--shares", ",".join(f"{size:g}" for size in sizes)]
        if rule.strip():
            is_file = rule.strip().lower().endswith(_RULE_FILES)
            command += ["--group", str(workspace.path(rule)) if is_file else rule.strip()]
        return command + (["--format", wanted] if wanted else [])

    def result(content: dict[str, Any]) -> list[tuple[str, str]]:
        return [
            (
                say(f"{say(*_PARTS[part])}: {entry['pages']} pages", f"{say(*_PARTS[part])}：{entry['pages']} 页"),
                str(entry["path"]),
            )
            for part, entry in content.items()
            if part in _PARTS
        ]

    _work(
        workspace, say, "split", say("Split", "拆分"), [dataset, *shares, group, label_format, out], arguments, result
    )


def convert_panel(workspace: Workspace, say: Language, dataset: gr.Dropdown) -> None:
    """Write a data set in another format."""
    with gr.Row():
        label_format = gr.Dropdown(sorted(FORMATS), value="paddle", label=say("Format", "格式"))
        out = gr.Textbox(
            label=say("Where", "保存位置"),
            placeholder=say("empty: in the folder workdirs/data", "留空：存入 workdirs/data"),
        )
    skip = gr.Checkbox(
        label=say("Leave out labels that cannot be read", "忽略无法读取的标注"),
        info=say("else the first one ends the work", "否则遇到第一条就停止"),
    )

    def arguments(spec: str, wanted: str, where: str, skip_faulty: bool) -> list[str]:
        found = parse_dataset_path(workspace.dataset(spec))
        path = workspace.path(where) if where.strip() else new_place(workspace.outputs, found, wanted, wanted)
        command = ["convert", str(found), "--format", wanted, "--out", str(path)]
        return command + (["--skip-faulty"] if skip_faulty else [])

    def result(content: dict[str, Any]) -> list[tuple[str, str]]:
        pages, texts = content["pages"], content["regions"]
        return [(say(f"{pages} pages, {texts} texts", f"{pages} 页，{texts} 个文本"), str(content["path"]))]

    _work(workspace, say, "convert", say("Convert", "转换"), [dataset, label_format, out, skip], arguments, result)


def preannotate_panel(workspace: Workspace, say: Language, dataset: gr.Dropdown) -> None:
    """Label images by a model, for a person to correct."""
    gr.Markdown(
        say(
            "A model labels images without labels, the least certain pages first; then correct them under Pages. "
            "Labels that a person made are never changed.",
            "用模型为未标注的图片生成标注，最不确定的页面排在最前；之后可在“页面”中修正。人工标注不会被改动。",
        )
    )
    with gr.Row():
        images = gr.Textbox(label=say("Folder of images", "图片文件夹"), min_width=240)
        bundle = gr.Dropdown(
            [],
            allow_custom_value=True,
            label=say("Model", "模型"),
            info=say("a detector or a pipeline", "检测模型或完整流程"),
        )
        label_format = gr.Dropdown(sorted(FORMATS), value="json", label=say("Format", "格式"))
    join = gr.Checkbox(
        label=say("Join with the data set chosen above", "与上方选择的数据集合并"),
        info=say(
            "its pages stay as they are; the other images are labelled", "其中已标注的页面保持不变，只标注其余图片"
        ),
    )

    def arguments(spec: str, folder: str, model: str, wanted: str, joined: bool) -> list[str]:
        source = workspace.path(folder)
        if not source.is_dir():
            raise UsageError(say("there is no such folder", "该文件夹不存在"), where=source)
        place = new_place(workspace.outputs, DatasetPath(source, wanted, detected=False), "predicted", wanted)
        found = workspace.bundle(model or "").path
        command = ["preannotate", str(found), str(source), "--format", wanted, "--out", str(place)]
        return command + (["--labels", workspace.dataset(spec)] if joined else [])

    def result(content: dict[str, Any]) -> list[tuple[str, str]]:
        pages = len(content["pages"])
        return [(say(f"{pages} pages", f"{pages} 页"), str(content["path"]))]

    bundle.focus(lambda: gr.update(choices=workspace.bundles()), None, bundle, show_progress="hidden")
    inputs = [dataset, images, bundle, label_format, join]
    _work(workspace, say, "preannotate", say("Label", "预标注"), inputs, arguments, result)


def _format(say: Language) -> gr.Dropdown:
    choices = [(say("as it is", "与原数据相同"), ""), *((name, name) for name in sorted(FORMATS))]
    return gr.Dropdown(choices, value="", label=say("Format", "格式"), min_width=160)


def _work(
    workspace: Workspace,
    say: Language,
    verb: str,
    button: str,
    inputs: Sequence[gr.components.Component],
    arguments: Callable[..., list[str]],
    result: Callable[[dict[str, Any]], list[tuple[str, str]]],
) -> None:
    """A button that starts ``ocrtune data VERB``, and what became of it; it goes on when the page is closed.

    Args:
        workspace: where its output goes.
        say: the page's language.
        verb: of ``ocrtune data``.
        button: its text.
        inputs: the form.
        arguments: makes the command's arguments of the form's values.
        result: makes (what, where) of the JSON object at the end.
    """
    jobs = workspace.outputs / "data" / "jobs"
    with gr.Row():
        start = gr.Button(button, variant="primary", elem_id=f"data-{verb}", min_width=140, scale=0)
        stop = gr.Button(say("Stop", "停止"), interactive=False, min_width=140, scale=0)
    state = gr.Markdown(elem_id=f"data-{verb}-state")
    timer = gr.Timer(1.0, active=True)

    def shown(written: str) -> str:
        label_format, _, path = written.partition(":")
        return f"{label_format}:{workspace.shown(Path(path))}"

    def values() -> list[Any]:
        job = last_job(jobs, verb)
        running = job is not None and job.running
        return [
            job_text(job, result, shown, say) if job is not None else "",
            gr.update(interactive=running),
            gr.Timer(active=running),
        ]

    @told
    def begin(*form: Any) -> list[Any]:
        command = ["data", *arguments(*form), "--json"]
        before = last_job(jobs, verb)
        if before is not None and before.running:
            raise UsageError(
                say("such work is running; wait for its end, or stop it", "同类任务正在运行，请等待或先停止")
            )
        Job.start(jobs / f"{verb}-{datetime.now():%Y%m%d-%H%M%S-%f}", command)
        return values()

    def end() -> None:
        job = last_job(jobs, verb)
        if job is not None:
            job.stop()

    start.click(begin, list(inputs), [state, stop, timer])
    stop.click(end, None, None)
    timer.tick(values, None, [state, stop, timer], show_progress="hidden")


def last_job(jobs: Path, verb: str) -> Job | None:
    """The work of this kind that was started last, by whoever it was."""
    folders = sorted(jobs.glob(f"{verb}-*"))
    return Job.find(folders[-1]) if folders else None


def job_text(
    job: Job, result: Callable[[dict[str, Any]], list[tuple[str, str]]], shown: Callable[[str], str], say: Language
) -> str:
    """How far it is, or what came of it, as Markdown.

    Args:
        job: the work.
        result: makes (what, where) of the JSON object at the end.
        shown: how visitors read a data set that was written.
        say: the page's language.
    """
    if job.running:
        last = job.output(1)
        return say("Working …", "正在处理…") + (f"\n\n`{last}`" if last else "")
    lines, content = job.output(_LINES).splitlines(), job.result()
    if content is not None and "error" in content and "what" in content:
        rest = [content.get(key) for key in ("where", "expected", "to_do")]
        return "" + "\n\n".join(str(part) for part in (content["what"], *rest) if part)
    warnings = "".join(f"\n- {line}" for line in lines if line.startswith("warning: "))
    if content is None:
        last = "\n".join(lines[-5:])
        return say("It ended without a result:", "已结束但没有结果：") + f"\n```\n{last}\n```"
    done = "".join(f"\n- {what}: `{shown(where)}`" for what, where in result(content))
    return say("Done", "完成") + done + warnings
