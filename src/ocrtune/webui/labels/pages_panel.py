"""Pages looked at and corrected: a contact sheet, one page large, and the region that is chosen on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np

from ocrtune.errors import ImageError, UsageError
from ocrtune.page import Polygon
from ocrtune.webui.errors import told
from ocrtune.webui.labels.desk import Desk
from ocrtune.webui.labels.drawing import (
    line_picture,
    page_picture,
    rgb,
    shown_name,
    thumbnail,
)
from ocrtune.webui.labels.editing import drawn_outline
from ocrtune.webui.labels.markup import TELL_CLICK, cards, place, table
from ocrtune.webui.labels.words import kind_word
from ocrtune.webui.language import Language
from ocrtune.webui.workspace import Workspace


@dataclass(frozen=True)
class PagesPanel:
    """What other panels have to fill when the page or the data set changes.

    Attributes:
        search: text, file name and kind of finding.
        sheet: takes `sheet_values`.
        page: takes `page_values`.
    """

    search: list[gr.components.Component]
    sheet: list[gr.components.Component]
    page: list[gr.components.Component]


def pages_panel(workspace: Workspace, say: Language, name: gr.BrowserState) -> PagesPanel:
    """Its components and what they do.

    Args:
        workspace: what the page may see.
        say: the page's language.
        name: of the visitor's desk.
    """
    with gr.Row():
        text = gr.Textbox(label=say("Text contains", "文本包含"), min_width=160)
        file = gr.Textbox(label=say("File name contains", "文件名包含"), min_width=160)
        code = gr.Dropdown(
            choices=[(say("all", "全部"), "")],
            value="",
            label=say("Has the finding", "存在的问题"),
            info=say("known after a check", "检查之后可选"),
            min_width=200,
        )
        look = gr.Button(say("Search", "查找"), min_width=100, scale=0, elem_classes="low")
    sheet_html = gr.HTML(elem_id="data-sheet", js_on_load=TELL_CLICK, apply_default_css=False)
    with gr.Row(elem_classes="pager"):
        back = gr.Button(say("◀ Sheet", "◀ 上一版"), size="sm", min_width=100)
        at = gr.Markdown(elem_classes="pager-text")
        on = gr.Button(say("Sheet ▶", "下一版 ▶"), size="sm", min_width=100)
    with gr.Row():
        with gr.Column(scale=3, min_width=340):
            with gr.Row(elem_classes="pager"):
                previous = gr.Button(say("◀ Page", "◀ 上一页"), size="sm", min_width=100)
                title = gr.Markdown(elem_classes="pager-text", elem_id="data-page-title")
                following = gr.Button(say("Page ▶", "下一页 ▶"), size="sm", min_width=100)
            action = gr.Radio(
                [
                    (say("chooses a region", "选择区域"), "choose"),
                    (say("moves a corner", "移动角点"), "corner"),
                    (say("adds a box (2 clicks)", "添加矩形（点两角）"), "box"),
                    (say("adds a slanted box (4 clicks)", "添加四边形（点四角）"), "quad"),
                ],
                value="choose",
                label=say("A click on the page …", "点击页面时…"),
                info=say(
                    "Boxes: two opposite corners. Slanted: all four, the text's own top left first, clockwise.",
                    "矩形：点击两个对角。四边形：从文字自身的左上角起，顺时针点击四个角。",
                ),
            )
            picture = gr.Image(
                label=say("Page", "页面"),
                interactive=False,
                format="jpeg",
                elem_id="data-page",
                buttons=["fullscreen", "download"],
            )
        with gr.Column(scale=2, min_width=320, elem_classes="beside"):
            state = gr.Markdown(elem_id="data-state")
            chosen = gr.Markdown(elem_id="data-chosen")
            crop = gr.Image(
                interactive=False, format="png", show_label=False, height=80, elem_id="data-crop", buttons=[]
            )
            said = gr.Textbox(
                label=say("Text", "文本"),
                info=say("Enter applies it and goes to the next region", "回车：应用并转到下一区域"),
                elem_id="data-text",
            )
            ignore = gr.Checkbox(
                label=say("Ignore", "忽略"),
                info=say(
                    "neither learnt nor counted: unreadable or unwanted", "不参与训练和评估：看不清或不需要的文字"
                ),
            )
            corners = gr.Dataframe(
                headers=["x", "y"],
                datatype="number",
                type="array",
                column_count=2,
                interactive=True,
                label=say("Corners in pixels", "角点（像素）"),
                elem_id="data-corners",
                buttons=[],
                max_height=240,
            )
            with gr.Row():
                apply = gr.Button(say("Apply", "应用"), variant="primary", min_width=90, elem_id="data-apply")
                delete = gr.Button(say("Delete", "删除"), min_width=90)
                undo = gr.Button(say("Undo", "撤销"), min_width=90)
            gr.Markdown(say("Regions of the page", "本页区域"), elem_classes="caption")
            regions = gr.HTML(elem_id="data-regions", js_on_load=TELL_CLICK, apply_default_css=False)

    sheet: list[gr.components.Component] = [sheet_html, at]
    page: list[gr.components.Component] = [title, picture, state, chosen, crop, said, ignore, corners, regions]

    def on_desk(desk_name: str) -> Desk:
        return workspace.desks.get(desk_name, say)

    def both(desk: Desk) -> list[Any]:
        return [*sheet_values(desk, say), *page_values(desk, say)]

    @told
    def search(desk_name: str, wanted: str, in_name: str, finding: str) -> list[Any]:
        desk = on_desk(desk_name)
        desk.search(wanted, in_name, workspace.desks.checks.of(desk.labels.dataset), finding)
        return both(desk)

    @told
    def turn(desk_name: str, step: int) -> list[Any]:
        desk = on_desk(desk_name)
        desk.turn(step)
        return sheet_values(desk, say)

    @told
    def open_card(desk_name: str, event: gr.EventData) -> list[Any]:
        desk = on_desk(desk_name)
        desk.go(desk.on_sheet()[event.index])
        return both(desk)

    @told
    def step(desk_name: str, by: int) -> list[Any]:
        desk = on_desk(desk_name)
        desk.step(by)
        return both(desk)

    @told
    def click(desk_name: str, what: str, event: gr.EventData) -> list[Any]:
        desk = on_desk(desk_name)
        x, y = event.index
        if not desk.click(x, y, what):
            if what == "corner" and desk.chosen is None:
                gr.Warning(say("Choose a region first.", "请先选择一个区域。"))
            else:
                gr.Warning(say("These points enclose nothing.", "这些点没有围成区域。"))
        return page_values(desk, say)

    @told
    def choose(desk_name: str, event: gr.EventData) -> list[Any]:
        desk = on_desk(desk_name)
        desk.choose(event.index)
        return page_values(desk, say)

    @told
    def change(desk_name: str, new: str, left_out: bool, points: list[list[Any]]) -> list[Any]:
        desk = on_desk(desk_name)
        apply_corners(desk, new, left_out, points, say)
        return page_values(desk, say)

    @told
    def change_and_on(desk_name: str, new: str, left_out: bool, points: list[list[Any]]) -> list[Any]:
        desk = on_desk(desk_name)
        apply_corners(desk, new, left_out, points, say)
        if desk.region is not None and desk.region + 1 < len(desk.current.regions):
            desk.choose(desk.region + 1)
        return page_values(desk, say)

    @told
    def remove(desk_name: str) -> list[Any]:
        desk = on_desk(desk_name)
        desk.delete()
        return both(desk)

    @told
    def take_back(desk_name: str) -> list[Any]:
        desk = on_desk(desk_name)
        if not desk.undo():
            gr.Info(say("There is nothing to undo.", "没有可撤销的修改。"))
        return both(desk)

    quiet: dict[str, Any] = {"show_progress": "hidden"}
    gr.on([look.click, text.submit, file.submit], search, [name, text, file, code], [*sheet, *page])
    back.click(lambda n: turn(n, -1), name, sheet, **quiet)
    on.click(lambda n: turn(n, 1), name, sheet, **quiet)
    sheet_html.select(open_card, name, [*sheet, *page], **quiet)
    previous.click(lambda n: step(n, -1), name, [*sheet, *page], **quiet)
    following.click(lambda n: step(n, 1), name, [*sheet, *page], **quiet)
    picture.select(click, [name, action], page, **quiet)
    regions.select(choose, name, page, **quiet)
    apply.click(change, [name, said, ignore, corners], page, **quiet)
    said.submit(change_and_on, [name, said, ignore, corners], page, **quiet)
    delete.click(remove, name, [*sheet, *page], **quiet)
    undo.click(take_back, name, [*sheet, *page], **quiet)
    return PagesPanel([text, file, code], sheet, page)


def sheet_values(desk: Desk, say: Language) -> list[Any]:
    """The contact sheet, and which one it is."""
    pages = [(index, desk.labels.pages[index]) for index in desk.on_sheet()]
    pictures = [
        (thumbnail(page, desk.load), f"{shown_name(page)} · {len(page.regions)}", index == desk.page)
        for index, page in pages
    ]
    count = len(desk.rows)
    where = say(
        f"{count} pages · sheet {desk.sheet + 1} of {desk.sheets}",
        f"{count} 页 · 第 {desk.sheet + 1} / {desk.sheets} 版",
    )
    return [cards(pictures, "pages"), where if count else say("No page fits.", "没有符合的页面。")]


def page_values(desk: Desk, say: Language) -> list[Any]:
    """The page that is shown large, and the chosen region."""
    page, region = desk.current, desk.chosen
    try:
        image = desk.image()
    except (ImageError, UsageError) as error:
        gr.Warning(str(error))
        picture = crop = None
    else:
        picture = rgb(page_picture(image, page.regions, desk.region, desk.marked, desk.clicks))
        line = line_picture(image, region.polygon) if region is not None else None
        crop = None if line is None else rgb(line)
    changed = len(desk.labels.changed)
    state = (
        say(
            f"**{changed} pages changed**, not saved yet (below: Save)",
            f"**已修改 {changed} 页**，尚未保存（见下方“保存”）",
        )
        if changed
        else say("No unsaved changes", "没有未保存的修改")
    )
    number = say("No region is chosen", "未选择区域")
    if region is not None and desk.region is not None:
        source = f" · `{place(region.source)}`" if region.source else ""
        number = say(f"Region **{desk.region + 1}**{source}", f"区域 **{desk.region + 1}**{source}")
    mark = say("yes", "是")
    return [
        f"**{desk.page + 1}** / {len(desk.labels.pages)} · {shown_name(page)}",
        picture,
        state,
        number,
        gr.update(value=crop, visible=crop is not None),
        gr.update(value=(region.text or "") if region is not None else "", interactive=region is not None),
        gr.update(value=region is not None and region.ignore, interactive=region is not None),
        gr.update(value=corner_rows(region.polygon if region is not None else None), visible=region is not None),
        table(
            ["#", say("Text", "文本"), say("Ignored", "忽略")],
            [(i, r.text or "", mark if r.ignore else "") for i, r in enumerate(page.regions, start=1)],
            desk.region,
        ),
    ]


def finding_choices(codes: Sequence[str], say: Language) -> dict[str, Any]:
    """What the search offers after a check."""
    return gr.update(choices=[(say("all", "全部"), ""), *((kind_word(code, say), code) for code in codes)], value="")


def corner_rows(outline: Polygon | None) -> list[list[float]]:
    """An outline as a table."""
    return [] if outline is None else [[round(float(x), 1), round(float(y), 1)] for x, y in outline]


def apply_corners(desk: Desk, text: str, ignore: bool, points: Sequence[Sequence[Any]], say: Language) -> None:
    """Apply a form to the chosen region.

    Raises:
        UsageError: the corners are no numbers, or enclose nothing.
    """
    if desk.chosen is None:
        return
    outline = None
    if points != corner_rows(desk.chosen.polygon) and len(points):
        try:
            corners = np.asarray(points, np.float32)
        except (TypeError, ValueError) as error:
            raise UsageError(say("a corner is no pair of numbers", "角点不是一对数字")) from error
        outline = drawn_outline(corners.tolist(), desk.size())
        if outline is None or len(points) != len(desk.chosen.polygon):
            raise UsageError(say("these corners enclose nothing", "这些角点没有围成区域"))
    desk.apply(text, ignore, outline)
