"""Lines read through beside what their labels say: many on a sheet, and a field to correct the one that is wrong."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ocrtune.errors import ImageError, UsageError
from ocrtune.page import Image
from ocrtune.webui.errors import told
from ocrtune.webui.labels.desk import Desk
from ocrtune.webui.labels.drawing import line_picture, rgb
from ocrtune.webui.labels.markup import TELL_CLICK, cards
from ocrtune.webui.labels.pages_panel import PagesPanel, page_values, sheet_values
from ocrtune.webui.language import Language
from ocrtune.webui.workspace import Workspace

ON_A_SHEET = 30


def lines_panel(workspace: Workspace, say: Language, name: gr.BrowserState, tab: gr.Tab, pages: PagesPanel) -> None:
    """Its components and what they do.

    Args:
        workspace: what the page may see.
        say: the page's language.
        name: of the visitor's desk.
        tab: what it stands in: opened, it shows the lines.
        pages: shows the same page and region.
    """
    gr.Markdown(
        say(
            "Read through the lines; click one that is wrong, type what it says and press Enter. The search of the tab "
            "Pages counts here too.",
            "逐行核对；点击有误的一行，输入正确文本并按回车。“页面”标签中的查找条件在此同样有效。",
        )
    )
    with gr.Row():
        crop = gr.Image(interactive=False, format="png", show_label=False, height=90, buttons=[], min_width=320)
        said = gr.Textbox(
            label=say("Text of the chosen line", "所选行的文本"),
            info=say("Enter applies it and goes to the next line", "回车：应用并转到下一行"),
            elem_id="data-line-text",
            min_width=320,
        )
    sheet = gr.HTML(elem_id="data-lines", js_on_load=TELL_CLICK, apply_default_css=False)
    with gr.Row(elem_classes="pager"):
        back = gr.Button(say("◀ Sheet", "◀ 上一版"), size="sm", min_width=100)
        at = gr.Markdown(elem_classes="pager-text")
        on = gr.Button(say("Sheet ▶", "下一版 ▶"), size="sm", min_width=100)
    number = gr.State(0)

    shown: list[gr.components.Component] = [sheet, at, crop, said, number]
    elsewhere = [*pages.sheet, *pages.page]

    def values(desk: Desk, wanted: int) -> list[Any]:
        lines = lines_of(desk)
        last = max(0, -(-len(lines) // ON_A_SHEET) - 1)
        wanted = min(max(0, wanted), last)
        part = lines[wanted * ON_A_SHEET : (wanted + 1) * ON_A_SHEET]
        line = _picture(desk) if (desk.page, desk.region) in lines else None
        text = desk.chosen.text or "" if line is not None and desk.chosen is not None else ""
        return [
            cards(_pictures(desk, part, say), "lines"),
            say(
                f"{len(lines)} lines · sheet {wanted + 1} of {last + 1}",
                f"{len(lines)} 行 · 第 {wanted + 1} / {last + 1} 版",
            ),
            gr.update(value=None if line is None else rgb(line), visible=line is not None),
            gr.update(value=text, interactive=line is not None),
            wanted,
        ]

    @told
    def show(desk_name: str, wanted: int) -> list[Any]:
        desk = workspace.desks.known(desk_name)
        return values(desk, wanted) if desk is not None else [gr.skip()] * len(shown)

    @told
    def choose(desk_name: str, wanted: int, event: gr.EventData) -> list[Any]:
        desk = workspace.desks.get(desk_name, say)
        page, region = lines_of(desk)[wanted * ON_A_SHEET + event.index]
        desk.go(page)
        desk.choose(region)
        return [*values(desk, wanted), *sheet_values(desk, say), *page_values(desk, say)]

    @told
    def write(desk_name: str, wanted: int, text: str) -> list[Any]:
        desk = workspace.desks.get(desk_name, say)
        if desk.chosen is not None and desk.region is not None:
            desk.apply(text, desk.chosen.ignore, None)
            lines = lines_of(desk)
            position = lines.index((desk.page, desk.region)) + 1 if (desk.page, desk.region) in lines else len(lines)
            if position < len(lines):
                page, region = lines[position]
                if page != desk.page:
                    desk.go(page)
                desk.choose(region)
                wanted = position // ON_A_SHEET
        return [*values(desk, wanted), *sheet_values(desk, say), *page_values(desk, say)]

    quiet: dict[str, Any] = {"show_progress": "hidden"}
    tab.select(show, [name, number], shown, **quiet)
    back.click(lambda n, i: show(n, i - 1), [name, number], shown, **quiet)
    on.click(lambda n, i: show(n, i + 1), [name, number], shown, **quiet)
    sheet.select(choose, [name, number], [*shown, *elsewhere], **quiet)
    said.submit(write, [name, number, said], [*shown, *elsewhere], **quiet)


def lines_of(desk: Desk) -> list[tuple[int, int]]:
    """(page, region) of every text that counts on the pages that fit the search."""
    pages = desk.labels.pages
    return [(i, j) for i in desk.rows for j, region in enumerate(pages[i].regions) if not region.ignore]


def _pictures(desk: Desk, part: list[tuple[int, int]], say: Language) -> list[tuple[Image, str, bool]]:
    pictures: list[tuple[Image, str, bool]] = []
    images: dict[int, Image | None] = {}
    for page, number in part:
        if page not in images:
            try:
                images = {page: desk.load(desk.labels.pages[page])}
            except (ImageError, UsageError):
                images = {page: None}
        region, image = desk.labels.pages[page].regions[number], images[page]
        line = line_picture(image, region.polygon) if image is not None else None
        if line is not None:
            pictures.append(
                (line, region.text or say("– no text –", "– 无文本 –"), (page, number) == (desk.page, desk.region))
            )
    return pictures


def _picture(desk: Desk) -> Image | None:
    if desk.chosen is None:
        return None
    try:
        return line_picture(desk.image(), desk.chosen.polygon)
    except (ImageError, UsageError):
        return None
