"""The scenario presets, in the page's languages."""

from __future__ import annotations

import gradio as gr

from ocrtune.runtime.presets import PRESETS
from ocrtune.webui.language import Language

_DOCUMENT = next(iter(PRESETS))


def preset_choice(say: Language) -> gr.Radio:
    """Which kind of image it is."""
    names = {
        "document": say("Document", "文档"),
        "photo": say("Photo", "照片"),
        "small-text": say("Small print", "小字"),
        "complex": say("Busy scene", "复杂背景"),
    }
    return gr.Radio(
        choices=[(names[name], name) for name in PRESETS],
        value=_DOCUMENT,
        label=say("Kind of image", "图片类型"),
        info=say(
            "Document: the model as it is. Photo: noise and blur are reduced first. Small print: looked at enlarged, "
            "slower. Busy scene: enlarged, and only what surely is text.",
            "文档：按模型原样识别。照片：先降噪、锐化。小字：放大后识别，较慢。复杂背景：放大，且只保留有把握的文字。",
        ),
    )
