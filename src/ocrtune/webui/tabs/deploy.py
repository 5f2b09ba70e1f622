"""The tab deploy."""

from __future__ import annotations

import gradio as gr

from ocrtune.webui.language import Language
from ocrtune.webui.workspace import Workspace


def deploy_tab(workspace: Workspace, say: Language) -> None:
    """Its components and what they do."""
    with gr.Tab(say("Deploy", "部署"), id="deploy"):
        pass
