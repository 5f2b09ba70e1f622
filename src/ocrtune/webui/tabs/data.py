"""The tab data."""

from __future__ import annotations

import gradio as gr

from ocrtune.webui.language import Language
from ocrtune.webui.workspace import Workspace


def data_tab(workspace: Workspace, say: Language) -> None:
    """Its components and what they do."""
    with gr.Tab(say("Data", "数据"), id="data"):
        pass
