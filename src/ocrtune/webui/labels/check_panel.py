"""Labels checked behind the page, and what was found shown on its pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np

from ocrtune.data.check import CheckReport, Finding
from ocrtune.data.check.findings import RANK
from ocrtune.data.formats import write_dataset
from ocrtune.errors import ImageError, UsageError
from ocrtune.page import Image, Page
from ocrtune.webui.errors import told
from ocrtune.webui.labels.checks import Check
from ocrtune.webui.labels.desk import Desk
from ocrtune.webui.labels.drawing import page_picture, rgb
from ocrtune.webui.labels.markup import TELL_CLICK, place, table
from ocrtune.webui.labels.pages_panel import PagesPanel, finding_choices, page_values, sheet_values
from ocrtune.webui.labels.save_panel import losses
from ocrtune.webui.labels.saving import new_place
from ocrtune.webui.labels.words import kind_word, remedy_word, severity_word
from ocrtune.webui.language import Language
from ocrtune.webui.workspace import Workspace

_LISTED = 200  # findings of a kind that are listed on the page; the report counts all


def check_panel(
    workspace: Workspace,
    say: Language,
    name: gr.BrowserState,
    pages: PagesPanel,
    open_page: Callable[[], Any],
    tabs: gr.Tabs,
) -> tuple[list[gr.components.Component], Callable[[str], list[Any]]]:
    """Its components and what they do.

    Args:
        workspace: what the page may see.
        say: the page's language.
        name: of the visitor's desk.
        pages: shows the page of a finding.
        open_page: what brings the tab of pages to the front.
        tabs: takes that.

    Returns:
        what shows a check, and what gives it its values for a desk.
    """
    with gr.Row():
        base = gr.Dropdown(
            choices=[(say("none", "不使用"), "")],
            value="",
            allow_custom_value=True,
            label=say("Model to ask", "参考模型"),
            info=say(
                "also finds labels that a model disagrees with, on up to 50 pages (slow)",
                "让模型找出可能标错的标注，最多 50 页（较慢）",
            ),
        )
        size = gr.Number(
            1280,
            minimum=32,
            precision=0,
            label=say("Page size in training", "训练时的页面尺寸"),
            info=say("longer side in pixels; tells which texts are too small", "长边像素数；据此判断文字是否过小"),
        )
    with gr.Row():
        start = gr.Button(say("Check", "检查"), variant="primary", elem_id="data-check", min_width=140, scale=0)
        stop = gr.Button(say("Stop", "停止"), interactive=False, min_width=140, scale=0)
        report = gr.DownloadButton(
            say("Report (HTML)", "下载报告（HTML）"), visible=False, elem_id="data-report", min_width=190, scale=0
        )
    state = gr.Markdown(elem_id="data-check-state")
    with gr.Column(visible=False) as found_all:
        gr.Markdown(say("Kinds of findings: click one to list it", "问题类别：点击可列出"), elem_classes="caption")
        kinds = gr.HTML(elem_id="data-kinds", js_on_load=TELL_CLICK, apply_default_css=False)
        gr.Markdown(
            say("Findings: click one to see it on its page", "问题列表：点击可在页面上查看"), elem_classes="caption"
        )
        listed = gr.HTML(elem_id="data-findings", js_on_load=TELL_CLICK, apply_default_css=False)
    with gr.Column(visible=False) as detail:
        about = gr.Markdown()
        correct = gr.Button(say("Correct it on the page", "到页面上修正"), variant="primary", elem_id="data-correct")
        picture = gr.Image(
            interactive=False,
            format="jpeg",
            label=say("Page", "页面"),
            elem_id="data-found-page",
            buttons=["fullscreen"],
        )
    with gr.Accordion(say("Mend what can be mended by itself", "自动修正"), open=False, visible=False) as mending:
        gr.Markdown(
            say(
                "Writes new labels without the faults that say “Mend all”. The old ones are not touched.",
                "写出一份新的标注，其中标有“自动修正”的问题已处理；原标注不会改动。",
            )
        )
        target = gr.Textbox(label=say("Where", "保存位置"))
        mend = gr.Button(say("Write mended labels", "写出修正后的标注"))
        mended = gr.Markdown()
    timer = gr.Timer(1.0, active=False)
    kind = gr.State("")
    number = gr.State(-1)

    shown: list[Any] = [
        state,
        stop,
        found_all,
        kinds,
        listed,
        detail,
        mending,
        target,
        report,
        timer,
        kind,
        pages.search[2],
    ]

    def values(desk_name: str) -> list[Any]:
        desk = workspace.desks.known(desk_name)
        check = workspace.desks.checks.of(desk.labels.dataset) if desk is not None else None
        hidden = gr.update(visible=False)
        if check is None or check.running or check.report is None:
            running = check is not None and check.running
            told_state = say("Not checked yet.", "尚未检查。") if check is None else state_text(check, say)
            return [
                told_state if desk is not None else "",
                gr.update(interactive=running),
                hidden,
                "",
                "",
                *[hidden] * 2,
                gr.skip(),
                hidden,
                gr.Timer(active=running),
                "",
                finding_choices([], say),
            ]
        found = check.report
        proposed = new_place(workspace.outputs, check.dataset, "fixed", check.dataset.format)
        return [
            state_text(check, say),
            gr.update(interactive=False),
            gr.update(visible=bool(found.findings)),
            kind_table(found, "", say),
            finding_table(found, "", say),
            hidden,
            gr.update(visible=any(finding.fixed_by for finding in found.findings)),
            workspace.shown(proposed),
            gr.update(value=str(check.html), visible=True),
            gr.Timer(active=False),
            "",
            finding_choices(list(found.by_code()), say),
        ]

    def present(desk_name: str) -> tuple[Desk, CheckReport]:
        desk = workspace.desks.get(desk_name, say)
        check = workspace.desks.checks.of(desk.labels.dataset)
        if check is None or check.report is None:
            raise UsageError(say("the data set is not checked", "数据集尚未检查"))
        return desk, check.report

    @told
    def begin(desk_name: str, model: str, page_size: int) -> list[Any]:
        desk = workspace.desks.get(desk_name, say)
        asked = (workspace.bundle(model), model) if model else None
        check = Check(desk.labels.dataset, asked, int(page_size))
        workspace.desks.checks.start(check, workspace.outputs / "data" / "checks", desk.may_show)
        return values(desk_name)

    @told
    def end(desk_name: str) -> None:
        desk = workspace.desks.get(desk_name, say)
        check = workspace.desks.checks.of(desk.labels.dataset)
        if check is not None:
            check.stopped = True

    def tick(desk_name: str) -> list[Any]:
        desk = workspace.desks.known(desk_name)
        check = workspace.desks.checks.of(desk.labels.dataset) if desk is not None else None
        if check is not None and check.running:
            return [state_text(check, say), *[gr.skip()] * (len(shown) - 1)]
        return values(desk_name)

    @told
    def list_kind(desk_name: str, event: gr.EventData) -> list[str]:
        _, found = present(desk_name)
        code = list(found.by_code())[event.index]
        return [kind_table(found, code, say), finding_table(found, code, say), code]

    @told
    def look(desk_name: str, code: str, event: gr.EventData) -> list[Any]:
        desk, found = present(desk_name)
        finding = ordered(found, code)[event.index]
        drawn = finding_picture(finding, desk)
        head = f"**{kind_word(finding.code, say)}** · `{place(finding.where)}`"
        text = f"{head}\n\n{finding.message}\n\n*{remedy_word(finding, say)}*"
        can_go = finding.image is not None
        return [
            gr.update(visible=True),
            text,
            gr.update(visible=can_go),
            gr.update(value=None if drawn is None else rgb(drawn), visible=drawn is not None),
            event.index,
        ]

    @told
    def go(desk_name: str, code: str, row: int) -> list[Any]:
        desk, found = present(desk_name)
        if not desk.find(ordered(found, code)[row]):
            raise UsageError(say("the finding is about no page that could be opened", "该问题不对应可打开的页面"))
        return [open_page(), *sheet_values(desk, say), *page_values(desk, say)]

    @told
    def fix(desk_name: str, where: str) -> str:
        desk, found = present(desk_name)
        path = workspace.path(where)
        if path.exists():
            raise UsageError(say("something is already there", "该位置已存在文件"), where=path)
        written = write_dataset(found.pages, desk.labels.dataset.format, path)
        said = say(
            f"{written.pages} pages written: `{workspace.shown(path)}` – open it above",
            f"已写出 {written.pages} 页：`{workspace.shown(path)}`，可在上方打开",
        )
        return said + losses(written, say)

    start.click(begin, [name, base, size], shown)
    stop.click(end, name, None)
    timer.tick(tick, name, shown, show_progress="hidden")
    kinds.select(list_kind, name, [kinds, listed, kind], show_progress="hidden")
    listed.select(look, [name, kind], [detail, about, correct, picture, number], show_progress="hidden")
    correct.click(go, [name, kind, number], [tabs, *pages.sheet, *pages.page])
    mend.click(fix, [name, target], mended)
    base.focus(
        lambda: gr.update(choices=[(say("none", "不使用"), ""), *workspace.bundles()]),
        None,
        base,
        show_progress="hidden",
    )
    return shown, values


def state_text(check: Check, say: Language) -> str:
    """How far a check is, or what came of it."""
    if check.running:
        share = f"{check.done} / {check.total}"
        doing = say("Asking the model", "正在询问模型") if check.asking else say("Looking at pages", "正在检查页面")
        return f"{doing}: **{share}**"
    if check.report is None:
        return check.error if check.error else say("Stopped.", "已停止。")
    report = check.report
    head = say(
        f"{report.total_pages} pages, {report.regions} texts, {report.ignored} of them ignored",
        f"{report.total_pages} 页，{report.regions} 个文本，其中 {report.ignored} 个忽略",
    )
    if not report.findings:
        return f"{head} – " + say("nothing to complain about", "没有发现问题")
    if report.errors:
        return f"{head} – " + say(
            f"**{report.errors} errors: mend them before training**", f"**{report.errors} 个错误：训练前请先修正**"
        )
    return f"{head} – " + say("no errors", "没有错误")


def kind_table(report: CheckReport, chosen: str, say: Language) -> str:
    """A row for each kind of finding, errors first."""
    counts, groups = report.counts(), report.by_code()
    headers = [say("Severity", "级别"), say("What", "问题"), say("How many", "数量"), say("Remedy", "处理办法")]
    rows = [
        (severity_word(found[0].severity, say), kind_word(code, say), counts[code], remedy_word(found[0], say))
        for code, found in groups.items()
    ]
    return table(headers, rows, list(groups).index(chosen) if chosen else None)


def ordered(report: CheckReport, code: str) -> list[Finding]:
    """The findings that are listed: of one kind, or of all, errors first."""
    chosen = report.by_code().get(code) or sorted(report.findings, key=lambda finding: RANK[finding.severity])
    return chosen[:_LISTED]


def finding_table(report: CheckReport, code: str, say: Language) -> str:
    """A row for each finding that is listed."""
    grave, what, where = say("Severity", "级别"), say("What", "问题"), say("Where", "位置")
    rows = [
        (severity_word(f.severity, say), kind_word(f.code, say), place(f.where), f.message, remedy_word(f, say))
        for f in ordered(report, code)
    ]
    return table([grave, what, where, say("Found", "说明"), say("Remedy", "处理办法")], rows)


def finding_picture(finding: Finding, desk: Desk) -> Image | None:
    """The page of a finding with the region in red, uint8 [H, W, 3] BGR; None where there is none to draw."""
    if finding.image is None:
        return None
    try:
        image = desk.load(Page(finding.image))
    except (ImageError, UsageError):
        return None
    outline = finding.outline
    return page_picture(image, [], marked=outline if outline is not None and np.isfinite(outline).all() else None)
