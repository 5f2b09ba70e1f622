"""The three curves of a training as components."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ocrtune.webui import words
from ocrtune.webui.language import Language
from ocrtune.webui.live import COLOURS, curve_names, curves
from ocrtune.webui.watching import Stage


def curve_plots(say: Language) -> list[gr.LinePlot]:
    """Empty plots of loss, learning rate and the figure that decides, side by side."""
    colours = (COLOURS[1::-1], COLOURS[:1], (COLOURS[0], COLOURS[2]))
    with gr.Row():
        return [
            gr.LinePlot(
                x="step",
                y="value",
                color="what",
                color_map=dict(zip(names, shades, strict=True)),
                color_title=" ",
                x_title=say("step", "步"),
                y_title=" ",
                height=240,
                min_width=260,
                visible=False,
                buttons=[],
            )
            for names, shades in zip(curve_names(say), colours, strict=True)
        ]


def drawn(stage: Stage, say: Language, model: str = "") -> list[dict[str, Any]]:
    """Updates of the three plots; one is hidden where there is nothing to draw.

    Args:
        stage: whose curves.
        say: the page's language.
        model: what the stage is called, where there are several.
    """
    figure = words.figure(stage.monitor, say)
    heads = (
        say("Loss", "损失"),
        say("Learning rate", "学习率"),
        say(f"Validation: {figure}", f"验证：{figure}"),
    )
    return [
        gr.update(value=frame, visible=len(frame) > 0, title=f"{head} · {model}" if model else head)
        for frame, head in zip(curves(stage, say), heads, strict=True)
    ]
