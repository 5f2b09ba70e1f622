"""The tab image."""

from __future__ import annotations

import gradio as gr

from ocrtune.webui.language import Language
from ocrtune.webui.workspace import Workspace


def image_tab(workspace: Workspace, say: Language) -> None:
    """Its components and what they do."""
    with gr.Tab(say("Image", "图片"), id="image"):
        pass
