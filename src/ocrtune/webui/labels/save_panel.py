"""Corrected labels saved: as a new data set, or back into the one that was opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ocrtune.data.formats import FORMATS, DatasetPath, Written, write_dataset
from ocrtune.errors import UsageError
from ocrtune.page import Page
from ocrtune.webui.errors import told
from ocrtune.webui.labels.desk import Desk
from ocrtune.webui.labels.editing import Labels
from ocrtune.webui.labels.pages_panel import PagesPanel, page_values, sheet_values
from ocrtune.webui.labels.saving import new_place, write_back
from ocrtune.webui.labels.words import loss_word
from ocrtune.webui.language import Language
from ocrtune.webui.workspace import Workspace


def save_panel(workspace: Workspace, say: Language, name: gr.BrowserState, pages: PagesPanel) -> list[gr.Component]:
    """Its components and what they do.

    Returns:
        format and place of a new data set, to be filled with `save_values` when one was opened.
    """
    with gr.Accordion(say("Save", "保存"), open=True, elem_id="data-save"), gr.Row():
        with gr.Column(min_width=320):
            gr.Markdown(
                say("**As a new data set** – what you opened stays as it is", "**另存为新数据集**：原数据保持不变")
            )
            label_format = gr.Dropdown(sorted(FORMATS), label=say("Format", "格式"), value="json")
            place = gr.Textbox(label=say("Where", "保存位置"), elem_id="data-place")
            save = gr.Button(say("Save as new", "另存为"), variant="primary", elem_id="data-save-new")
        with gr.Column(min_width=320):
            gr.Markdown(
                say(
                    "**Into the data set that is open** – a copy of its labels is kept",
                    "**写回当前数据集**：会保留原标注的副本",
                )
            )
            sure = gr.Checkbox(
                label=say("Yes, replace the labels", "是的，替换原标注"),
                info=say(
                    "only pages that you changed; what others saved meanwhile stays",
                    "只写入你修改的页面；其他人已保存的内容会保留",
                ),
                elem_id="data-sure",
            )
            back = gr.Button(say("Write back", "写回"), variant="stop", elem_id="data-write-back")
    result = gr.Markdown(elem_id="data-saved")

    @told
    def new(desk_name: str, written_format: str, where: str) -> list[Any]:
        desk = workspace.desks.get(desk_name, say)
        fresh, told_losses = save_new(workspace, desk, written_format, where, say)
        workspace.desks.put(desk_name, fresh)
        said = say(
            f"Saved as `{workspace.shown(fresh.labels.dataset.path)}`, which is open now.",
            f"已保存为 `{workspace.shown(fresh.labels.dataset.path)}`，并已打开。",
        )
        return [said + told_losses, *sheet_values(fresh, say), *page_values(fresh, say)]

    @told
    def replace(desk_name: str, confirmed: bool) -> list[Any]:
        desk = workspace.desks.get(desk_name, say)
        if not confirmed:
            raise UsageError(say("tick the box above first", "请先勾选上方的确认框"))
        unread = len(desk.labels.faults)
        kept, written = write_back(desk.labels, workspace.outputs / "data" / "backups", say)
        desk.choose(desk.region)
        said = say(
            f"Saved. The labels as they were: `{workspace.shown(kept)}`",
            f"已保存。原标注副本：`{workspace.shown(kept)}`",
        )
        if unread:
            said += say(
                f"\n\n{unread} labels that could not be read may be in that copy only.",
                f"\n\n有 {unread} 条无法读取的标注可能只保留在副本中。",
            )
        return [said + losses(written, say), False, *sheet_values(desk, say), *page_values(desk, say)]

    @told
    def other_format(desk_name: str, written_format: str) -> str:
        desk = workspace.desks.get(desk_name, say)
        return workspace.shown(new_place(workspace.outputs, desk.labels.dataset, "corrected", written_format))

    label_format.input(other_format, [name, label_format], place, show_progress="hidden")
    save.click(new, [name, label_format, place], [result, *pages.sheet, *pages.page])
    back.click(replace, [name, sure], [result, sure, *pages.sheet, *pages.page])
    return [label_format, place]


def save_values(workspace: Workspace, desk: Desk) -> list[Any]:
    """Format and place that are proposed for a new data set."""
    dataset = desk.labels.dataset
    return [dataset.format, workspace.shown(new_place(workspace.outputs, dataset, "corrected", dataset.format))]


def save_new(workspace: Workspace, desk: Desk, label_format: str, where: str, say: Language) -> tuple[Desk, str]:
    """Save a desk's pages as a new data set.

    Returns:
        the same place in the new data set, and what its format could not say.

    Raises:
        UsageError: the place lies outside the folders.
        DataError: something is there, or the format cannot hold such pages.
    """
    path = workspace.path(where)
    if path.exists():
        what = say("something is already there", "该位置已存在文件")
        raise UsageError(what, where=path, hint=say("choose another name", "请换一个名称"))
    written = write_dataset(desk.labels.pages, label_format, path)
    fresh = Desk(Labels.read(DatasetPath(path, label_format, detected=False)), desk.may_show)
    fresh.go(_same_page(desk.current, fresh.labels.pages))
    return fresh, losses(written, say)


def losses(written: Written, say: Language) -> str:
    """What a format could not say, as Markdown; "" where it could say everything."""
    listed = "".join(
        say(f"\n- {loss_word(loss, say)}: {count} regions", f"\n- {loss_word(loss, say)}：{count} 个区域")
        for loss, count in written.lost.most_common()
    )
    return say("\n\nThe format cannot say everything:", "\n\n该格式无法表达全部内容：") + listed if listed else ""


def _same_page(page: Page, others: list[Page]) -> int:
    """The index of a page among those of another data set: by its image's file, else by that one's name."""
    paths = [other.image.resolve() if isinstance(other.image, Path) else Path(other.name) for other in others]
    wanted = page.image.resolve() if isinstance(page.image, Path) else Path(page.name)
    names = [path.name for path in paths]
    return paths.index(wanted) if wanted in paths else names.index(wanted.name) if wanted.name in names else 0
