"""The tab image: one image, what is found and read on it, and thresholds to move."""

from __future__ import annotations

from dataclasses import astuple
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ocrtune.data.draw import draw_regions, draw_texts
from ocrtune.files import write_whole
from ocrtune.page import Image, TextRegion
from ocrtune.webui.choices import model_choice
from ocrtune.webui.errors import told
from ocrtune.webui.language import Language
from ocrtune.webui.markup import empty
from ocrtune.webui.presets import preset_choice
from ocrtune.webui.reading import Look, Looks, Tuning, compact_json, pdf_page_count, scaled, write_pdf_page
from ocrtune.webui.scratch import fresh_folder
from ocrtune.webui.workspace import Workspace

_SHOWN = 1600  # pixels of the longer side


def image_tab(workspace: Workspace, say: Language) -> None:
    """Its components and what they do."""
    looks = Looks(workspace.models)
    with gr.Tab(say("Image", "图片"), id="image") as tab:
        shown_for = gr.State(None)  # model and preset whose own thresholds the sliders show
        pdf = gr.State(None)
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                image = gr.Image(
                    label=say("Image", "图片"),
                    sources=["upload", "clipboard", "webcam"],
                    image_mode=None,
                    type="filepath",
                    format="png",
                    height=300,
                    buttons=["fullscreen"],
                    placeholder=say(
                        "Drop an image here, click to choose one, or paste it",
                        "将图片拖到此处、点击选择，或直接粘贴",
                    ),
                    elem_id="image-upload",
                )
                image.preprocess = _as_sent
                with gr.Row(elem_classes="tight"):
                    open_pdf = gr.UploadButton(
                        say("Open a PDF", "打开 PDF"), file_types=[".pdf"], size="sm", elem_id="image-pdf"
                    )
                    number = gr.Number(
                        1, label=say("Page", "页码"), precision=0, minimum=1, visible=False, min_width=120
                    )
                model = model_choice(workspace, say, tab, ("ocr", "detection"))
                preset = preset_choice(say)
                with gr.Accordion(say("Thresholds", "阈值"), open=False, elem_id="image-thresholds"):
                    sliders = _sliders(say)
                    own = gr.Button(say("Back to the model's own", "恢复模型自带阈值"), size="sm")
            with gr.Column(scale=3, min_width=320):
                hint = gr.HTML(
                    empty(
                        say(
                            "Boxes and texts appear here as soon as there is an image.",
                            "放入图片后，文字框和识别结果会显示在这里。",
                        )
                    )
                )
                with gr.Column(visible=False) as results:
                    summary = gr.HTML(elem_id="image-summary")
                    with gr.Row():
                        boxes = _picture(say("What was found", "检测到的文字"), "image-boxes")
                        texts = _picture(say("What was read", "识别出的文字"), "image-texts")
                    with gr.Tabs():
                        with gr.Tab(say("Text", "文本")):
                            plain = gr.Textbox(
                                show_label=False, lines=8, max_lines=16, buttons=["copy"], elem_id="image-plain"
                            )
                        with gr.Tab(say("Table", "表格")):
                            table = gr.Dataframe(
                                headers=["#"], interactive=False, wrap=True, buttons=["copy"], max_height=420
                            )
                        with gr.Tab("JSON"):
                            json = gr.Code(
                                language="json",
                                interactive=False,
                                max_lines=18,
                                show_label=False,
                                buttons=["copy"],
                                elem_id="image-json",
                            )
                    with gr.Row(elem_classes="tight"):
                        text_file = gr.DownloadButton(say("Download the text", "下载文本"), size="sm")
                        json_file = gr.DownloadButton(say("Download the JSON", "下载 JSON"), size="sm")

        @told
        def look(
            path: str | None, spec: str, kind: str, shown: tuple[str, str] | None, *values: float
        ) -> dict[Any, Any]:
            if path is None:
                return {hint: gr.update(visible=True), results: gr.update(visible=False)}
            seen = looks.get(workspace.bundle(spec), kind, Path(path).read_bytes(), Path(path).name)
            tuning = Tuning(*values) if shown == (spec, kind) else seen.own
            with workspace.models.busy:
                regions = seen.regions(tuning)
            folder, content = fresh_folder(), compact_json(seen.json(regions))
            written = "".join(f"{region.text}\n" for region in regions if region.text)
            stem = Path(path).stem
            write_whole(folder / f"{stem}.txt", written)
            write_whole(folder / f"{stem}.json", content)
            left, right = _drawn(seen, regions)
            headers, rows = _table(say, seen, regions)
            return {
                hint: gr.update(visible=False),
                results: gr.update(visible=True),
                summary: _summary(say, seen, regions),
                boxes: gr.update(value=_rgb(left)),
                texts: gr.update(value=None if right is None else _rgb(right), visible=right is not None),
                plain: written.rstrip("\n"),
                table: gr.update(value={"headers": headers, "data": rows}),
                json: content,
                text_file: gr.update(value=str(folder / f"{stem}.txt"), visible=seen.reads),
                json_file: str(folder / f"{stem}.json"),
                shown_for: (spec, kind),
                **{
                    slider: gr.update(value=value, visible=seen.reads if slider is sliders[3] else seen.finds)
                    for slider, value in zip(sliders, astuple(tuning), strict=True)
                },
            }

        @told
        def opened(file: str) -> tuple[str, Any, str]:
            count = pdf_page_count(Path(file))
            label = say(f"Page, of {count}", f"页码（共 {count} 页）")
            chosen = gr.update(value=1, maximum=count, label=label, visible=count > 1)
            return file, chosen, str(write_pdf_page(Path(file), 1, fresh_folder()))

        @told
        def turned_to(file: str, page: float) -> str:
            return str(write_pdf_page(Path(file), int(page), fresh_folder()))

        inputs = [image, model, preset, shown_for, *sliders]
        outputs = [
            *(hint, results, summary, boxes, texts, plain, table, json, text_file, json_file, shown_for),
            *sliders,
        ]
        gr.on([image.change, model.input, preset.input], look, inputs, outputs)
        own.click(lambda: None, None, shown_for).then(look, inputs, outputs)
        for slider in sliders:  # while it is dragged, the last place counts
            slider.input(look, inputs, outputs, trigger_mode="always_last", show_progress="hidden")
        open_pdf.upload(opened, open_pdf, [pdf, number, image])
        number.input(turned_to, [pdf, number], image)
        gr.on([image.upload, image.clear], lambda: (None, gr.update(visible=False)), None, [pdf, number])


def _as_sent(payload: Any) -> str | None:
    """In the place of Gradio's own decoding: the file itself, decoded as everywhere else, with messages of our own."""
    return None if payload is None else payload.path


def _sliders(say: Language) -> list[gr.Slider]:
    """In the order of `Tuning`."""
    own = Tuning()
    return [
        gr.Slider(
            *(0.05, 0.95, own.bin_thresh),
            step=0.01,
            label=say("Text pixel from", "像素阈值"),
            info=say("Probability from which a pixel is text.", "概率高于此值的像素视为文字。"),
            buttons=[],
        ),
        gr.Slider(
            *(0, 0.95, own.box_thresh),
            step=0.01,
            label=say("Box score from", "文字框阈值"),
            info=say("Boxes with a lower score are dropped.", "得分低于此值的文字框会被舍弃。"),
            buttons=[],
            elem_id="image-box-thresh",
        ),
        gr.Slider(
            *(0, 4, own.unclip_ratio),
            step=0.05,
            label=say("Box growth", "扩张系数"),
            info=say("How far boxes reach around the text (unclip ratio).", "文字框向外扩张的程度（unclip ratio）。"),
            buttons=[],
        ),
        gr.Slider(
            *(0, 1, own.min_text_score),
            step=0.01,
            label=say("Text score from", "识别置信度阈值"),
            info=say("Less certain texts are left out.", "置信度低于此值的文字会被舍弃。"),
            buttons=[],
        ),
    ]


def _picture(label: str, name: str) -> gr.Image:
    return gr.Image(
        label=label, interactive=False, format="jpeg", buttons=["download", "fullscreen"], elem_id=name, min_width=240
    )


def _drawn(seen: Look, regions: list[TextRegion]) -> tuple[Image, Image | None]:
    """The image with boxes, and a sheet with the texts where there are any."""
    small, shown = scaled(seen.image, regions, _SHOWN)
    if not seen.reads:
        return draw_regions(small, shown), None
    both = draw_texts(small, shown)
    return both[:, : small.shape[1]], both[:, small.shape[1] :]


def _rgb(image: Image) -> Image:
    return image[..., ::-1]


def _table(say: Language, seen: Look, regions: list[TextRegion]) -> tuple[list[str], list[list[Any]]]:
    columns: dict[str, list[Any]] = {"#": list(range(1, len(regions) + 1))}
    if seen.reads:
        columns[say("Text", "文本")] = [region.text for region in regions]
        columns[say("Text score", "识别置信度")] = [_score(region.text_score) for region in regions]
    if seen.finds:
        columns[say("Box score", "文字框得分")] = [_score(region.score) for region in regions]
    if any(region.angle for region in regions) or not (seen.reads or seen.finds):
        columns[say("Turned by", "旋转角度")] = [f"{region.angle or 0:g}°" for region in regions]
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _summary(say: Language, seen: Look, regions: list[TextRegion]) -> str:
    height, width = seen.image.shape[:2]
    count = len(regions)
    found = say(f"{count} text{'' if count == 1 else 's'}", f"{count} 处文字")
    took = say(f"{seen.seconds:.1f} s", f"用时 {seen.seconds:.1f} 秒")
    if not count:
        found = say("No text was found: try lower thresholds", "没有找到文字：可以调低阈值再试")
    return f"<b>{found}</b> · {escape(seen.name)} · {width} × {height} · {took}"
