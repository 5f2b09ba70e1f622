"""The tab calibration: a detector's thresholds moved by hand or fitted, with what they do to labelled pages."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from ocrtune.detection.metric import bootstrap_hmean, precision_recall_hmean
from ocrtune.detection.search import Counts
from ocrtune.errors import UsageError
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.webui import words
from ocrtune.webui.calibrating import EXAMPLES, Calibrating
from ocrtune.webui.choices import dataset_choice, model_choice
from ocrtune.webui.errors import told
from ocrtune.webui.language import Language
from ocrtune.webui.maps import LOWEST_BOX_THRESH
from ocrtune.webui.markup import table
from ocrtune.webui.workspace import Workspace

_NAME = re.compile(r"\w[\w.-]*")
_COLOURS = ("#00a03c", "#e60000", "#0050e6")


def calibration_tab(workspace: Workspace, say: Language) -> None:
    """Its components and what they do."""
    with gr.Tab(say("Calibration", "校准"), id="calibration") as tab:
        gr.Markdown(
            say(
                "Three thresholds turn a detector's map into boxes. Set them by hand, or let the best be found, on "
                "labelled pages that were **not** trained on.",
                "三个阈值决定检测器的概率图如何变成文本框。可以手动调整，也可以自动寻找最佳值；请使用**未参与训练**的标注页面。",
            )
        )
        with gr.Row():
            model = model_choice(workspace, say, tab, ("detection", "ocr"))
            data = dataset_choice(
                workspace,
                say("Labelled pages", "标注页面"),
                say("Folder or label file, held out of training.", "未参与训练的文件夹或标注文件。"),
                scale=3,
                min_width=280,
            )
            most = gr.Number(
                40,
                minimum=1,
                precision=0,
                min_width=150,
                label=say("Pages at most", "最多页数"),
                info=say("More: surer, slower.", "越多越准，也越慢。"),
            )
        begin = gr.Button(say("Compute the maps", "计算概率图"), variant="primary")
        way = gr.HTML()
        with gr.Row(visible=False) as work:
            with gr.Column(scale=2, min_width=320):
                bin_thresh = gr.Slider(
                    0.05,
                    0.95,
                    0.3,
                    step=0.01,
                    label=say("Bin threshold", "二值化阈值（bin）"),
                    info=say(
                        "Pixels above it are text; lower joins more.", "高于此值的像素视为文字；越低，文字区域越大。"
                    ),
                )
                box_thresh = gr.Slider(
                    LOWEST_BOX_THRESH,
                    0.95,
                    0.6,
                    step=0.01,
                    label=say("Box threshold", "文本框阈值（box）"),
                    info=say(
                        "Boxes less sure are dropped; lower finds more.", "置信度低于此值的框被丢弃；越低，检出越多。"
                    ),
                )
                unclip_ratio = gr.Slider(
                    0.5,
                    3.0,
                    1.5,
                    step=0.05,
                    label=say("Unclip ratio", "扩张比例（unclip）"),
                    info=say("How far boxes grow around the text.", "文本框向外扩张的程度。"),
                )
                figures = gr.HTML(elem_id="figures")
                sizes = gr.Checkbox(
                    label=say("Try other input sizes, too (several times slower)", "同时尝试其他输入尺寸（慢数倍）")
                )
                fit = gr.Button(say("Find the best", "寻找最佳阈值"))
                with gr.Row():
                    name = gr.Textbox(show_label=False, container=False, placeholder=say("name", "名称"), min_width=140)
                    save = gr.Button(say("Save as new bundle", "另存为新模型"), min_width=140)
                saved = gr.HTML()
            with gr.Column(scale=3, min_width=320):
                gr.HTML(_legend(say))
                pages = gr.Gallery(
                    columns=2,
                    height="auto",
                    elem_classes="pages",
                    object_fit="contain",
                    show_label=False,
                    interactive=False,
                    buttons=["fullscreen"],
                )
        session = gr.State()
    sliders = [bin_thresh, box_thresh, unclip_ratio]

    def prepare(
        bundle: str,
        spec: str | None,
        number: float,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> list[Any]:
        label, unit = say("computing maps", "正在计算概率图"), say("pages", "页")

        def each(done: int, total: int) -> None:
            progress((done, total), desc=label, unit=unit)

        began = Calibrating.begin(workspace, bundle, spec, int(number), each)
        own, count = began.own, len(began.maps.pages)
        note = say(
            f"The maps of {escape(bundle)} for {count} pages are ready: moving a slider only decodes them anew.",
            f"{escape(bundle)} 在 {count} 页上的概率图已就绪：移动滑块只需重新解码。",
        )
        values = [own.bin_thresh, max(own.box_thresh, LOWEST_BOX_THRESH), own.unclip_ratio]
        return [
            began,
            *values,
            f"<p>{note}</p>",
            gr.update(visible=True),
            time.strftime("calibrated_%m%d_%H%M"),
            "",
        ]

    def score(now: Calibrating | None, *values: float) -> str:
        if now is None:
            return ""
        moved = now.thresholds(*values)
        models = [
            (say("as it was", "原来"), now.before, now.own),
            (say("now", "当前"), now.maps.counts(moved), moved),
        ]
        if now.fitted is not None:
            models.append((say("best", "最佳"), now.fitted[1], now.fitted[0]))
        return _compared(models, say)

    def draw(now: Calibrating | None, *values: float) -> list[tuple[str, str]]:
        if now is None:
            return []
        return [
            (
                str(save_bytes_to_cache(picture, "page.jpeg", pages.GRADIO_CACHE)),
                say(f"{missed} missed, {wrong} wrong · {title}", f"漏检 {missed}，误检 {wrong} · {title}"),
            )
            for picture, missed, wrong, title in now.worst(now.thresholds(*values))
        ]

    def find(
        now: Calibrating,
        others: bool,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> list[float]:
        label = say("trying thresholds", "正在尝试阈值")
        progress(None, desc=label)
        best = now.fit(others, workspace.models.busy, lambda line: progress(None, desc=f"{label}: {line}"))
        return [best.bin_thresh, best.box_thresh, best.unclip_ratio]

    def keep(now: Calibrating, title: str, *values: float) -> str:
        if not _NAME.fullmatch(title.strip()):
            raise UsageError(
                say("the name cannot be used", "名称不可用"),
                expected=say("letters, digits, - and _", "字母、数字、- 和 _"),
            )
        bundle = now.save(workspace.outputs / title.strip(), now.thresholds(*values))
        return f"<p>{say('Saved:', '已保存：')} <code>{workspace.shown(bundle.path)}</code></p>"

    shown = {"show_progress": "hidden", "trigger_mode": "always_last"}
    begin.click(
        told(prepare), [model, data, most], [session, *sliders, way, work, name, saved], show_progress_on=way
    ).success(score, [session, *sliders], figures, **shown).then(draw, [session, *sliders], pages, **shown)
    gr.on([slider.change for slider in sliders], score, [session, *sliders], figures, **shown).then(
        draw, [session, *sliders], pages, **shown
    )
    fit.click(told(find), [session, sizes], sliders, show_progress_on=figures).success(
        score, [session, *sliders], figures, **shown
    )
    save.click(told(keep), [session, name, *sliders], saved)


def _compared(models: Sequence[tuple[str, Counts, DetectionThresholds]], say: Language) -> str:
    """A table of figures with a column for each of some thresholds."""
    names = ("precision", "recall", "hmean")
    rows: list[list[object]] = [[words.figure(name, say)] for name in names]
    interval: list[object] = [say("95 % interval", "95 % 区间")]
    settings: list[list[object]] = [["bin"], ["box"], ["unclip"]]
    for _, counts, at in models:
        for row, value in zip(rows, precision_recall_hmean(*counts.sum(axis=0)), strict=True):
            row.append(f"{value:.4f}")
        low, high = bootstrap_hmean(counts)
        interval.append(f"{low:.3f} … {high:.3f}")
        for row, value in zip(settings, (at.bin_thresh, at.box_thresh, at.unclip_ratio), strict=True):
            row.append(f"{value:g}")
    return table(["", *(name for name, _, _ in models)], [*rows, interval, *settings])


def _legend(say: Language) -> str:
    names = (say("right", "正确"), say("missed", "漏检"), say("false", "误检"))
    keys = "".join(
        f'<span style="background:{colour}"></span>{name}' for colour, name in zip(_COLOURS, names, strict=True)
    )
    head = say(f"The {EXAMPLES} pages with the most errors", f"错误最多的 {EXAMPLES} 页")
    return f'<p class="legend"><b>{head}</b>{keys}</p>'
