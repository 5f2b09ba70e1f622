"""The tab training."""

from __future__ import annotations

import gradio as gr

from ocrtune.webui.language import Language
from ocrtune.webui.workspace import Workspace


def training_tab(workspace: Workspace, say: Language) -> None:
    """Its components and what they do."""
    with gr.Tab(say("Training", "训练"), id="training"):
        pass
