"""What a data set is like: figures and plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
import numpy as np
import pandas as pd

from ocrtune.data.stats import PERCENTILES, DatasetStats, dataset_stats
from ocrtune.webui.errors import told
from ocrtune.webui.labels.markup import table
from ocrtune.webui.language import Language
from ocrtune.webui.workspace import Workspace

_BINS = 30
_CHARACTERS = 40  # that are shown
_SCRIPTS = {
    "Latin": "拉丁字母",
    "Han": "汉字",
    "digits": "数字",
    "punctuation": "标点",
    "symbols": "符号",
    "spaces": "空格",
}


def stats_panel(workspace: Workspace, say: Language, name: gr.BrowserState) -> None:
    """Its components and what they do."""
    with gr.Row():
        size = gr.Number(
            1280,
            minimum=32,
            precision=0,
            label=say("Page size in training", "训练时的页面尺寸"),
            info=say("longer side in pixels; text heights are given for it", "长边像素数；文字高度按此尺寸计算"),
        )
        compute = gr.Button(say("Show figures", "统计"), variant="primary", min_width=140, scale=0, elem_classes="low")
    with gr.Row():
        with gr.Column(min_width=320):
            counts = gr.HTML(elem_id="data-counts", apply_default_css=False)
        with gr.Column(min_width=320):
            spread = gr.HTML(apply_default_css=False)
    plots = []
    for _ in range(2):
        with gr.Row():
            plots += [gr.BarPlot(visible=False, x="x", y="y", height=240, min_width=300) for _ in range(3)]

    @told
    def show(desk_name: str, page_size: int, progress: gr.Progress = gr.Progress()) -> list[Any]:  # noqa: B008
        desk = workspace.desks.get(desk_name, say)
        pages, done = desk.labels.pages, 0

        def each() -> None:
            nonlocal done
            done += 1
            progress((done, len(pages)), unit=say("pages", "页"))

        stats = dataset_stats(pages, int(page_size), each)
        return [count_table(stats, say), spread_table(stats, say), *_plots(stats, say)]

    compute.click(show, [name, size], [counts, spread, *plots])


def count_table(stats: DatasetStats, say: Language) -> str:
    """Counts as a table."""
    scripts = ", ".join(f"{say(name, _SCRIPTS.get(name, name))} {count}" for name, count in stats.scripts.items())
    rows = [
        [say("pages", "页面"), str(stats.pages)],
        [say("pages without a text that counts", "没有有效文本的页面"), str(stats.empty_pages)],
        [say("texts that count", "有效文本"), str(sum(stats.texts_on_a_page))],
        [say("ignored texts", "忽略的文本"), str(stats.ignored)],
        [say("texts nobody has typed", "未填写的文本"), str(stats.unlabelled)],
        [say("different characters", "不同字符"), str(len(stats.characters))],
        [say("of these fewer than 10 times", "其中出现不足 10 次"), str(len(stats.rare))],
        [say("rarest", "最少见"), " ".join(stats.rare[:_CHARACTERS])],
        [say("kinds of characters", "字符类别"), scripts],
    ]
    return table([say("What", "项目"), say("Value", "数值")], rows, clicks=False)


def spread_table(stats: DatasetStats, say: Language) -> str:
    """Percentiles as a table."""
    values: list[tuple[str, Sequence[float]]] = [
        (say("page width", "页面宽度"), stats.widths),
        (say("page height", "页面高度"), stats.heights),
        (say("texts on a page", "每页文本数"), stats.texts_on_a_page),
        (say(f"text height at {stats.page_size}", f"文字高度（{stats.page_size}）"), stats.text_heights),
        (say("text width / height", "文本宽高比"), stats.aspect_ratios),
        (say("slant in degrees", "倾斜角度"), stats.slants),
        (say("characters of a text", "文本字符数"), stats.lengths),
    ]
    rows = [
        [what, *(round(float(v), 1) for v in np.percentile(numbers, PERCENTILES))]
        for what, numbers in values
        if len(numbers)
    ]
    headers = [say("Not larger than this", "不大于该值的比例"), *(f"{percentile} %" for percentile in PERCENTILES)]
    return table(headers, rows, clicks=False)


def _plots(stats: DatasetStats, say: Language) -> list[Any]:
    texts = say("texts", "文本数")
    common = stats.characters.most_common(_CHARACTERS)
    characters = pd.DataFrame({"x": [c for c, _ in common], "y": [n for _, n in common]})
    return [
        _histogram(
            stats.text_heights,
            say(f"Text height at {stats.page_size}, pixels", f"文字高度（{stats.page_size}），像素"),
            texts,
        ),
        _histogram(stats.lengths, say("Characters of a text", "文本字符数"), texts),
        _histogram(stats.texts_on_a_page, say("Texts on a page", "每页文本数"), say("pages", "页数")),
        _histogram(stats.aspect_ratios, say("Text width / height", "文本宽高比"), texts),
        _histogram(stats.slants, say("Slant in degrees", "倾斜角度"), texts),
        gr.update(
            value=characters,
            visible=bool(common),
            title=say("Most frequent characters", "最常见字符"),
            x_title=" ",
            y_title=say("times", "次数"),
            sort="-y",
        ),
    ]


def _histogram(values: Sequence[float], title: str, counted: str) -> Any:
    """Counts of values; the last hundredth is in the last bar, so that single ones do not hide the others."""
    if not len(values):
        return gr.update(visible=False)
    top = max(float(np.percentile(values, 99)), min(values) + 1.0)
    counts, edges = np.histogram(np.minimum(values, top), bins=_BINS, range=(float(min(values)), top))
    middles = ((edges[:-1] + edges[1:]) / 2).round(1)
    frame = pd.DataFrame({"x": middles, "y": counts})
    return gr.update(value=frame, visible=True, title=title, x_title=" ", y_title=counted)
