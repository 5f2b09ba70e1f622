"""The three curves of a training as components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from ocrtune.webui import words
from ocrtune.webui.language import Language
from ocrtune.webui.live import COLOURS, curve_names, curves
from ocrtune.webui.watching import Stage


def curve_plots(say: Language) -> list[gr.LinePlot]:
    """Empty plots of loss, learning rate and the figure that decides, side by side."""
    heads = (say("Loss", "损失"), say("Learning rate", "学习率"), say("Validation", "验证指标"))
    colours = (COLOURS[1::-1], COLOURS[:1], (COLOURS[0], COLOURS[2]))
    with gr.Row():
        return [
            gr.LinePlot(
                x="step",
                y="value",
                color="what",
                color_map=dict(zip(names, shades, strict=True)),
                color_title=" ",
                title=head,
                x_title=say("step", "步"),
                y_title=" ",
                height=240,
                min_width=260,
                visible=False,
                buttons=[],
            )
            for head, names, shades in zip(heads, curve_names(say), colours, strict=True)
        ]


def drawn(stage: Stage | None, say: Language) -> Sequence[dict[str, Any]]:
    """Updates of the three plots; hidden where there is nothing to draw."""
    if stage is None:
        return [gr.update(visible=False)] * 3
    heads = (
        None,
        None,
        say(f"Validation: {words.figure(stage.monitor, say)}", f"验证：{words.figure(stage.monitor, say)}"),
    )
    return [
        gr.update(value=frame, visible=len(frame) > 0, **({} if head is None else {"title": head}))
        for frame, head in zip(curves(stage, say), heads, strict=True)
    ]
