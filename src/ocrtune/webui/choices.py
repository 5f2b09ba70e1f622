"""What several tabs let the visitor choose from."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import gradio as gr
from gradio.context import Context

from ocrtune.bundle import Bundle, TaskName
from ocrtune.errors import BundleError
from ocrtune.webui.language import Language
from ocrtune.webui.workspace import Workspace
from ocrtune.weights.registry import NAMES


def model_choice(workspace: Workspace, say: Language, tab: gr.Tab, tasks: Collection[TaskName]) -> gr.Dropdown:
    """A list of the bundles, brought up to date whenever the page or its tab is opened.

    Args:
        workspace: holds them.
        say: the page's language.
        tab: that the list is on.
        tasks: the newest bundle for one of them is chosen at first.
    """

    def newest() -> gr.Dropdown:
        names = workspace.bundles()
        return gr.Dropdown(choices=names, value=_first_for(workspace, names, tasks))

    def refreshed() -> gr.Dropdown:
        return gr.Dropdown(choices=workspace.bundles())

    dropdown = gr.Dropdown(
        choices=list(NAMES),
        value=NAMES[0],
        label=say("Model", "模型"),
        info=say(
            "Your own, newest first, then the published ones.", "先列出你自己的模型（最新的在前），然后是已发布的模型。"
        ),
    )
    page = Context.root_block
    assert page is not None, "a tab is part of a page"
    page.load(newest, None, dropdown, show_progress="hidden")
    tab.select(refreshed, None, dropdown, show_progress="hidden")
    return dropdown


def dataset_choice(workspace: Workspace, label: str, info: str, **look: Any) -> gr.Dropdown:
    """A field for labelled data, ``PATH`` or ``FORMAT:PATH``, that lists what lies in the folders; None while empty.

    Args:
        workspace: has the folders.
        label, info: shown beside it.
        look: further arguments of the component.
    """
    dropdown = gr.Dropdown([], value=None, allow_custom_value=True, label=label, info=info, **look)
    dropdown.focus(lambda: gr.update(choices=workspace.datasets()), None, dropdown, show_progress="hidden")
    return dropdown


def _first_for(workspace: Workspace, names: list[str], tasks: Collection[TaskName]) -> str:
    for name in names:
        if name in NAMES:
            break
        try:
            if Bundle.load(workspace.path(name), verify=False).manifest.task in tasks:
                return name
        except BundleError:
            continue
    return NAMES[0]
