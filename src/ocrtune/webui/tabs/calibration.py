"""The tab calibration."""

from __future__ import annotations

import gradio as gr

from ocrtune.webui.language import Language
from ocrtune.webui.workspace import Workspace


def calibration_tab(workspace: Workspace, say: Language) -> None:
    """Its components and what they do."""
    with gr.Tab(say("Calibration", "校准"), id="calibration"):
        pass
