"""The tab training: what to train on and how, and how the trainings fare."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ocrtune.bundle import PARTS
from ocrtune.webui import words
from ocrtune.webui.choices import dataset_choice
from ocrtune.webui.errors import told
from ocrtune.webui.found import Found, demo_data
from ocrtune.webui.language import Language
from ocrtune.webui.live import diagnoses, status, title
from ocrtune.webui.markup import empty
from ocrtune.webui.plots import curve_plots, drawn
from ocrtune.webui.training_form import Form
from ocrtune.webui.trainings import Training
from ocrtune.webui.watching import stages
from ocrtune.webui.workspace import Workspace

_EVERY = 2.0  # seconds
_LOG_LINES = 200


def training_tab(workspace: Workspace, say: Language) -> None:
    """Its components and what they do."""
    with gr.Tab(say("Training", "训练"), id="training"), gr.Row():
        with gr.Column(scale=2, min_width=340):
            start, fields = _form(workspace, say)
        with gr.Column(scale=3, min_width=340):
            chosen = _live(workspace, say)

    def begin(*values: Any) -> dict[str, Any]:
        if any(training.state == "running" for training in Training.all(workspace)):
            gr.Warning(
                say(
                    "Another training is running on this machine: both get slower.",
                    "本机还有一个训练正在运行：两者都会变慢。",
                )
            )
        data, val, task, base, by_time, minutes, epochs, *others = values
        form = Form(data, val, task, base, minutes if by_time else None, None if by_time else epochs, *others)
        training = Training.start(workspace, form.arguments(workspace))
        return gr.update(choices=[(title(t, say), t.name) for t in Training.all(workspace)], value=training.name)

    start.click(told(begin), fields, chosen, concurrency_limit=1)


def _form(workspace: Workspace, say: Language) -> tuple[gr.Button, list[gr.components.Component]]:
    """The form; its button, and its fields in the order of `Form`."""
    folders = ", ".join(map(str, workspace.folders))
    gr.Markdown(f"### {say('New training', '新的训练')}")
    data = dataset_choice(
        workspace,
        say("Training data", "训练数据"),
        say(
            f"Folder or label file in {folders}; those found are listed, others can be typed (also FORMAT:PATH).",
            f"{folders} 中的文件夹或标注文件；列表中是已发现的数据，也可以手动输入（或 FORMAT:PATH）。",
        ),
    )
    val = dataset_choice(
        workspace,
        say("Validation data (optional)", "验证数据（可选）"),
        say(
            "Only for the before/after figures. Without it a part of the training data is kept apart.",
            "仅用于训练前后的对比。不填则从训练数据中留出一部分。",
        ),
    )
    with gr.Row():
        check = gr.Button(say("Check the data", "检查数据"), size="sm")
        demo = gr.Button(say("No data? Make demo receipts", "没有数据？生成演示小票"), size="sm")
    found = gr.HTML()
    task = gr.Dropdown(
        [(words.task(name, say), name) for name in ("auto", *PARTS, "ocr")],
        value="auto",
        label=say("Task", "任务"),
        info=say("What is to become better.", "要改进什么。"),
    )
    base = gr.Dropdown(
        _bases(workspace, say),
        value="",
        allow_custom_value=True,
        label=say("Base model", "基础模型"),
        info=say(
            "Training goes on from this model; yours or a published one.",
            "从这个模型继续训练；可选自己的或已发布的模型。",
        ),
    )
    by_time = gr.Radio(
        [(say("for a time", "按时间"), True), (say("for a number of epochs", "按轮数"), False)],
        value=True,
        label=say("Train", "训练长度"),
    )
    minutes = gr.Number(
        20,
        minimum=1,
        label=say("Minutes for everything", "总时间（分钟）"),
        info=say(
            "Check, training, calibration and report together; 10 show an effect, 60 are better.",
            "包括检查、训练、校准和报告；10 分钟可见效果，60 分钟更好。",
        ),
    )
    epochs = gr.Number(
        20,
        minimum=1,
        precision=0,
        visible=False,
        label=say("Epochs", "轮数"),
        info=say("How often each training page is seen.", "每一页训练数据被看到的次数。"),
    )
    with gr.Accordion(say("More settings", "更多设置"), open=False):
        batch = gr.Number(
            None,
            minimum=1,
            precision=0,
            label=say("Batch size", "批大小"),
            info=say("Samples in one step; empty: what suits the task.", "每一步的样本数；留空则按任务自动选择。"),
        )
        lr = gr.Textbox(
            "auto",
            label=say("Learning rate", "学习率"),
            info=say(
                "auto suits the batch size; 0.001 is high, 0.0001 careful.",
                "auto 会按批大小选择；0.001 偏高，0.0001 较谨慎。",
            ),
        )
        freeze = gr.Number(
            0,
            minimum=0,
            label=say("Two stages: freeze the backbone for (epochs)", "两阶段训练：先冻结骨干网络（轮数）"),
            info=say(
                "So long only neck and head are trained, then everything. 0: one stage.",
                "这些轮里只训练颈部和头部，然后训练全部。0 表示不分阶段。",
            ),
        )
        anchor = gr.Textbox(
            "",
            label=say("Must not get worse at (anchor data)", "防遗忘数据（锚点）"),
            info=say(
                "Labels of another kind that the base reads well; “synth” generates some; empty: no guard.",
                "基础模型原本擅长的另一类标注数据；填 synth 则自动生成；留空表示不设防护。",
            ),
        )
        sizes = gr.Textbox(
            "",
            label=say("Input sizes to try (detection)", "尝试的输入尺寸（检测）"),
            placeholder="960,1120,1280,1440,1600",
            info=say(
                "Longer side of a page in pixels; fewer sizes calibrate faster.",
                "页面长边的像素数；尺寸越少，校准越快。",
            ),
        )
        further = gr.Textbox(
            "",
            lines=2,
            label=say("Further settings", "其他设置"),
            placeholder="optimizer.weight_decay=0.001",
            info=say("key=value, one a line, as on the command line.", "key=value，每行一个，与命令行相同。"),
        )
    start = gr.Button(say("Start", "开始训练"), variant="primary", elem_id="start-training")

    def look(spec: str | None, val_spec: str | None, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
        def each(label: str) -> Any:
            def bar(total: int) -> Any:
                done = iter(range(1, total + 1))
                return lambda: progress((next(done, total), total), desc=label, unit=say("pages", "页"))

            return bar

        shown = Found.of(workspace.dataset(spec), each(say("checking", "正在检查"))).html(say)
        if compared := workspace.optional_dataset(val_spec):
            head = say("Validation data", "验证数据")
            shown += f"<h4>{head}</h4>" + Found.of(compared, each(head)).html(say)
        return shown

    def make(progress: gr.Progress = gr.Progress()) -> tuple[str, str]:  # noqa: B008
        folders = demo_data(workspace, lambda share: progress(share, desc=say("drawing receipts", "正在生成小票")))
        return workspace.shown(folders["train"]), workspace.shown(folders["val"])

    check.click(told(look), [data, val], found)
    data.input(told(look), [data, val], found)
    demo.click(told(make), None, [data, val], show_progress_on=found, concurrency_limit=1).success(
        told(look), [data, val], found
    )
    by_time.change(lambda timed: (gr.update(visible=timed), gr.update(visible=not timed)), by_time, [minutes, epochs])
    base.focus(lambda: gr.update(choices=_bases(workspace, say)), None, base, show_progress="hidden")
    return start, [data, val, task, base, by_time, minutes, epochs, batch, lr, freeze, anchor, sizes, further]


def _bases(workspace: Workspace, say: Language) -> list[tuple[str, str]]:
    return [(say("the task's default", "任务默认"), ""), *((name, name) for name in workspace.bundles())]


def _live(workspace: Workspace, say: Language) -> gr.Dropdown:
    """The trainings and how the chosen one fares; the list to choose from."""
    gr.Markdown(f"### {say('Trainings', '训练列表')}")
    chosen = gr.Dropdown(
        [],
        label=say("Shown below", "下方显示"),
        info=say("A training goes on when this page is closed.", "关闭页面后训练仍会继续。"),
        elem_id="trainings",
    )
    shown = gr.HTML(
        empty(say("No training yet: fill in the form and press “Start”.", "还没有训练：填写表单后点“开始训练”。"))
    )
    with gr.Row():
        stop = gr.Button(say("Stop", "停止"), variant="stop", size="sm", visible=False)
        resume = gr.Button(say("Resume", "继续"), size="sm", visible=False)
    plots = curve_plots(say)
    found = gr.HTML()
    with gr.Accordion(say("Log", "日志"), open=False):
        log = gr.Textbox(lines=12, max_lines=12, show_label=False, container=False, autoscroll=True, elem_id="log")
    seen = gr.State(dict)

    def refresh(name: str | None, known: dict[str, Any]) -> list[Any]:
        """What has changed since the last look; the same for every visitor, since it is read from the files."""
        trainings = Training.all(workspace)
        training = next((t for t in trainings if t.name == name), trainings[0] if trainings else None)
        if training is None:
            return [*[gr.skip()] * (len(outputs) - 1), known]
        choices = [(title(t, say), t.name) for t in trainings]
        several = stages(training.result)
        state = training.state
        now = {
            "choices": (choices, training.name),
            "shown": status(training, several, workspace, say),
            "state": (training.name, state),
            "plots": (training.name, _stamp(several[-1].run / "metrics.csv")),
            "found": diagnoses(several, say),
            "log": training.job.output(_LOG_LINES),
        }
        new = {key for key, value in now.items() if known.get(key) != value}
        return [
            gr.update(choices=choices, value=training.name) if "choices" in new else gr.skip(),
            now["shown"] if "shown" in new else gr.skip(),
            gr.update(visible=state == "running") if "state" in new else gr.skip(),
            gr.update(visible=state in ("stopped", "failed")) if "state" in new else gr.skip(),
            *(drawn(several[-1], say) if "plots" in new else [gr.skip()] * 3),
            now["found"] if "found" in new else gr.skip(),
            now["log"] if "log" in new else gr.skip(),
            now,
        ]

    def halt(name: str) -> None:
        training = Training.named(workspace, name)
        if training is not None:
            training.job.stop()
            gr.Info(say("It saves its state, then stops.", "正在保存状态，随后停止。"))

    def go_on(name: str) -> None:
        training = Training.named(workspace, name)
        if training is not None:
            training.resume()

    outputs = [chosen, shown, stop, resume, *plots, found, log, seen]
    gr.on(
        [gr.Timer(_EVERY).tick, chosen.change],
        refresh,
        [chosen, seen],
        outputs,
        show_progress="hidden",
        trigger_mode="always_last",
        concurrency_limit=8,
    )
    stop.click(told(halt), chosen, None)
    resume.click(told(go_on), chosen, None)
    return chosen


def _stamp(path: Any) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
