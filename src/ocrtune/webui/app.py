"""The page in each of its languages, as one web application."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported: the page calls nobody

import gradio as gr
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from ocrtune.webui.language import LANGUAGES, Language, preferred
from ocrtune.webui.scratch import KEPT_SECONDS
from ocrtune.webui.tabs import TABS
from ocrtune.webui.workspace import Workspace

STYLES = sorted(Path(__file__).parent.glob("*.css"))
MAX_UPLOAD = "200mb"
_FONT = ("system-ui", "-apple-system", "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "Microsoft YaHei", "sans-serif")
_MONO = ("ui-monospace", "Consolas", "monospace")


def build_app(workspace: Workspace, login: tuple[str, str] | None = None) -> FastAPI:
    """The web application: ``/en`` and ``/zh``, and ``/`` in the language that the browser asks for.

    Args:
        workspace: what it may see.
        login: name and password that every request has to bring (HTTP Basic); None asks for none.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    if login is not None:
        app.middleware("http")(_asks_for(login))

    @app.get("/")
    def root(request: Request) -> RedirectResponse:
        return RedirectResponse(f"{preferred(request.headers.get('accept-language', '')).code}/")

    for language in LANGUAGES:
        gr.mount_gradio_app(
            app,
            build_page(workspace, language),
            f"/{language.code}",
            allowed_paths=[str(workspace.outputs)],
            max_file_size=MAX_UPLOAD,
            show_error=True,
            ssr_mode=False,
            footer_links=[],
            theme=_theme(),
            css_paths=STYLES,
        )
    return app


def build_page(workspace: Workspace, say: Language) -> gr.Blocks:
    """The page in one language."""
    with gr.Blocks(
        title="ocrtune", analytics_enabled=False, fill_width=True, delete_cache=(3600, KEPT_SECONDS)
    ) as page:
        with gr.Row(elem_id="head"):
            purpose = say(
                "From labelled images to a model that reads your documents.", "从带标注的图片到能读懂你文档的模型。"
            )
            gr.HTML(f"<h1>ocrtune</h1><p>{purpose}</p>")
            gr.HTML(
                " · ".join(
                    f"<b>{other.name}</b>" if other == say else f'<a href="../{other.code}/">{other.name}</a>'
                    for other in LANGUAGES
                ),
                elem_id="languages",
            )
        with gr.Tabs(elem_id="tabs"):
            for tab in TABS:
                tab(workspace, say)
    page.queue(default_concurrency_limit=4)
    return page


def _theme() -> gr.themes.Base:
    quiet = {
        "block_title_background_fill": "none",
        "block_title_text_color": "*body_text_color",
        "block_label_background_fill": "*background_fill_primary",
        "block_label_text_color": "*body_text_color",
    }
    dark = {f"{name}_dark": value for name, value in quiet.items()}
    theme = gr.themes.Soft(primary_hue="teal", neutral_hue="slate", font=_FONT, font_mono=_MONO)
    return theme.set(
        **quiet,
        **dark,
        block_title_padding="0",
        background_fill_primary="*neutral_50",  # Soft's own, which Gradio 6 forgets here
        link_text_color="*primary_600",
    )


def _asks_for(
    login: tuple[str, str],
) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    """Middleware that lets only requests with a name and password through."""
    expected = ":".join(login).encode()

    async def check(request: Request, forward: Callable[[Request], Awaitable[Response]]) -> Response:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            known = scheme.lower() == "basic" and secrets.compare_digest(base64.b64decode(given), expected)
        except binascii.Error:
            known = False
        if known:
            return await forward(request)
        return Response("log in", 401, {"WWW-Authenticate": 'Basic realm="ocrtune", charset="UTF-8"'})

    return check
