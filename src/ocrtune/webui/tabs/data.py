"""The tab data: labels checked, looked at, corrected, split, converted and made by a model."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ocrtune.webui.choices import dataset_choice
from ocrtune.webui.errors import told
from ocrtune.webui.labels.check_panel import check_panel
from ocrtune.webui.labels.desk import Desk
from ocrtune.webui.labels.jobs_panel import convert_panel, preannotate_panel, split_panel
from ocrtune.webui.labels.lines_panel import lines_panel
from ocrtune.webui.labels.pages_panel import page_values, pages_panel, sheet_values
from ocrtune.webui.labels.save_panel import save_panel, save_values
from ocrtune.webui.labels.stats_panel import stats_panel
from ocrtune.webui.language import Language
from ocrtune.webui.workspace import Workspace

_STORAGE = "ocrtune-desk"


def data_tab(workspace: Workspace, say: Language) -> None:
    """Its components and what they do."""
    with gr.Tab(say("Data", "数据"), id="data"):
        name = gr.BrowserState("", storage_key=_STORAGE, secret=workspace.desks.secret)
        with gr.Row():
            dataset = dataset_choice(
                workspace,
                say("Data set", "数据集"),
                say(
                    "a folder or label file, also FORMAT:PATH; those found are listed",
                    "文件夹或标注文件，也可写“格式:路径”；列表中是已发现的数据集",
                ),
                elem_id="data-dataset",
                scale=4,
            )
            opening = gr.Button(
                say("Open", "打开"), variant="primary", min_width=120, scale=0, elem_id="data-open", elem_classes="low"
            )
        summary = gr.Markdown(elem_id="data-summary")
        with gr.Tabs(elem_id="data-tabs") as tabs:
            with gr.Tab(say("Check", "检查"), id="check"):
                check_place = gr.Column()
            with gr.Tab(say("Pages", "页面"), id="pages"):
                pages = pages_panel(workspace, say, name)
                saving = save_panel(workspace, say, name, pages)
            with gr.Tab(say("Lines", "文本行"), id="lines") as lines:
                lines_panel(workspace, say, name, lines, pages)
            with gr.Tab(say("Figures", "统计"), id="figures"):
                stats_panel(workspace, say, name)
            with gr.Tab(say("Split", "拆分"), id="split"):
                split_panel(workspace, say, dataset)
            with gr.Tab(say("Convert", "转换"), id="convert"):
                convert_panel(workspace, say, dataset)
            with gr.Tab(say("Label by a model", "模型预标注"), id="preannotate"):
                preannotate_panel(workspace, say, dataset)
        with check_place:
            checking, check_values = check_panel(workspace, say, name, pages, lambda: gr.Tabs(selected="pages"), tabs)
        shown: list[Any] = [summary, *pages.sheet, *pages.page, *saving, *checking]

    @told
    def open_dataset(spec: str | None, desk_name: str) -> Any:
        before = workspace.desks.known(desk_name)
        if before is not None and before.labels.changed and not before.warned:
            before.warned = True
            count = len(before.labels.changed)
            gr.Warning(
                say(
                    f"{count} pages have changes that are not saved. Press Open again to lose them.",
                    f"有 {count} 页的修改尚未保存。再次点击“打开”将放弃这些修改。",
                )
            )
            return gr.skip()
        wanted = workspace.dataset(spec)
        return workspace.desks.open(wanted, lambda path: workspace.holds(path.resolve()), desk_name)[0]

    def show(desk_name: str) -> list[Any]:
        """After a data set was opened, or the page was loaded again."""
        desk = workspace.desks.known(desk_name)
        if desk is None:
            return [gr.skip()] * (len(shown) + 1)
        opened = desk.labels.dataset
        spec = workspace.shown(opened.path) if opened.detected else f"{opened.format}:{workspace.shown(opened.path)}"
        return [
            gr.update(value=spec),
            summary_text(desk, say),
            *sheet_values(desk, say),
            *page_values(desk, say),
            *save_values(workspace, desk),
            *check_values(desk_name),
        ]

    opening.click(open_dataset, [dataset, name], name, show_progress_on=summary)
    name.change(show, name, [dataset, *shown], show_progress_on=summary)


def summary_text(desk: Desk, say: Language) -> str:
    """What was opened, in a line."""
    labels = desk.labels
    texts = sum(len(page.regions) for page in labels.pages)
    said = say(
        f"**{labels.dataset.format}** · {len(labels.pages)} pages · {texts} regions",
        f"**{labels.dataset.format}** · {len(labels.pages)} 页 · {texts} 个区域",
    )
    if labels.faults:
        first = labels.faults[0]
        said += say(
            f" · {len(labels.faults)} labels cannot be read and are left out (first: {first.what}, `{first.where}`)",
            f" · {len(labels.faults)} 条标注无法读取，已忽略（第一条：{first.what}，`{first.where}`）",
        )
    return said
