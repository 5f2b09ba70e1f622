"""The tab deploy: a bundle as a service over HTTP and gRPC."""

from __future__ import annotations

import shlex
from html import escape
from typing import Any
from urllib.parse import urlsplit

import gradio as gr

from ocrtune.errors import UsageError
from ocrtune.webui.choices import model_choice
from ocrtune.webui.deployment import EVERYWHERE, HERE, Deployment, State, fault
from ocrtune.webui.errors import told
from ocrtune.webui.language import Language
from ocrtune.webui.markup import empty, figures, notice
from ocrtune.webui.workspace import Workspace
from ocrtune.weights.registry import NAMES

_EVERY = 2.0  # seconds between questions to the server


def deploy_tab(workspace: Workspace, say: Language) -> None:
    """Its components and what they do."""
    with gr.Tab(say("Deploy", "部署"), id="deploy") as tab:
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                model = model_choice(workspace, say, tab, ("ocr", "detection"))
                host = gr.Radio(
                    [
                        (say("This machine", "仅本机"), HERE),
                        (say("The whole network", "整个网络"), EVERYWHERE),
                    ],
                    value=HERE,
                    label=say("Who may reach it", "谁可以访问"),
                    info=say(
                        "In a network, set a token: everybody who reaches the machine can use the service.",
                        "对网络开放时请设置令牌，否则能连到本机的人都可以使用该服务。",
                    ),
                )
                with gr.Row():
                    http_port = _port(say("HTTP port", "HTTP 端口"), 8000, "deploy-http")
                    grpc_port = _port(say("gRPC port", "gRPC 端口"), 50051, "deploy-grpc")
                token = gr.Textbox(
                    label=say("Token", "令牌"),
                    type="password",
                    info=say(
                        "Clients have to send it. The page does not keep it: note it down. Left empty: none is asked for.",
                        "客户端必须携带。本页面不保存令牌，请自行记下。留空表示不需要令牌。",
                    ),
                    elem_id="deploy-token",
                )
                with gr.Row():
                    start = gr.Button(say("Start", "启动"), variant="primary", elem_id="deploy-start")
                    stop = gr.Button(say("Stop", "停止"), variant="stop", interactive=False, elem_id="deploy-stop")
            with gr.Column(scale=3, min_width=320):
                nothing = empty(say("No service runs.", "没有正在运行的服务。"))
                state = gr.HTML(nothing, elem_id="deploy-state")
                curl = gr.Code(
                    language="shell",
                    label=say("Ask it", "调用方法"),
                    interactive=False,
                    visible=False,
                    wrap_lines=True,
                    show_line_numbers=False,
                    lines=1,
                    buttons=["copy"],
                    elem_id="deploy-curl",
                )
                with gr.Accordion(say("Log", "日志"), open=False, visible=False) as log_box:
                    log = gr.Code(
                        show_label=False,
                        interactive=False,
                        max_lines=20,
                        wrap_lines=True,
                        show_line_numbers=False,
                        buttons=["copy"],
                    )
        timer = gr.Timer(_EVERY, active=False)
        view = [state, curl, log_box, log, start, stop, timer]

        def seen(given: str, request: gr.Request) -> dict[Any, Any]:
            server = Deployment.find(workspace.outputs)
            if server is None:
                return {state: nothing, curl: gr.update(visible=False), log_box: gr.update(visible=False)}
            how, numbers = server.look(given)
            running = how in ("starting", "ready", "stopping")
            where = f"http://{_reached_at(server, request)}:{server.port}"
            bearer = ""
            if given.strip() or _locked(how, numbers):
                bearer = f"-H {shlex.quote('Authorization: Bearer ' + (given.strip() or 'TOKEN'))} "
            shown = _state(say, how, server, where)
            if how == "ready":
                shown += _figures(say, numbers)
            return {
                state: nothing if how == "off" else shown,
                curl: gr.update(value=f"curl {bearer}-F image=@page.jpg {where}/predict", visible=how == "ready"),
                log_box: gr.update(visible=True),
                log: server.log(),
                start: gr.update(interactive=not running),
                stop: gr.update(interactive=how in ("starting", "ready")),
                timer: gr.Timer(active=running),
            }

        @told
        def begin(
            spec: str, where: str, over_http: float, over_grpc: float, given: str, request: gr.Request
        ) -> dict[Any, Any]:
            if int(over_http) == int(over_grpc):
                raise UsageError(
                    say("both ports are the same", "两个端口相同"), expected=say("two ports", "两个不同的端口")
                )
            bundle = spec if spec in NAMES else str(workspace.bundle(spec).path)
            ports = int(over_http), int(over_grpc)
            Deployment.start(workspace.outputs, bundle, where, *ports, given.strip())
            return seen(given, request)

        def end(given: str, request: gr.Request) -> dict[Any, Any]:
            if (server := Deployment.find(workspace.outputs)) is not None:
                server.job.stop()
            return seen(given, request)

        start.click(begin, [model, host, http_port, grpc_port, token], view)
        stop.click(end, token, view)
        timer.tick(seen, token, view, show_progress="hidden")
        tab.select(seen, token, view, show_progress="hidden")


def _port(label: str, port: int, name: str) -> gr.Number:
    return gr.Number(port, label=label, precision=0, minimum=1, maximum=65535, min_width=120, elem_id=name)


def _reached_at(server: Deployment, request: gr.Request) -> str:
    """The name of the machine for this visitor's programs."""
    if server.host == HERE:
        return HERE
    return urlsplit(f"//{request.headers.get('host', '')}").hostname or HERE


def _locked(how: State, numbers: object) -> bool:
    """Whether it asks for a token that it was not given."""
    return how == "ready" and numbers is None


def _state(say: Language, how: State, server: Deployment, where: str) -> str:
    if how == "failed":
        return notice(say("The service could not run", "服务无法运行"), fault(server.job), bad=True)
    told = {
        "starting": say("Starting …", "正在启动……"),
        "stopping": say("Stopping: what was accepted is finished", "正在停止：先完成已接收的请求"),
        "ready": say("Running", "正在运行"),
    }
    name, where = escape(server.bundle), escape(where)
    links = f'<p><a href="{where}/docs" target="_blank">{where}/docs</a></p>' if how == "ready" else ""
    return notice(told.get(how, "")) + f"<p>{name}</p>{links}"


def _figures(say: Language, numbers: Any) -> str:
    if numbers is None:
        return notice(
            say("It asks for a token: enter it to see its figures", "该服务需要令牌：输入令牌后可查看统计"),
        )
    return figures(
        {
            say("requests", "请求数"): f"{numbers['requests']:.0f}",
            say("refused or failed", "拒绝或失败"): f"{numbers['faults']:.0f}",
            say("pages", "页数"): f"{numbers['pages']:.0f}",
            say("pages in work", "处理中"): f"{numbers['in_flight']:.0f}",
            say("seconds a request", "平均耗时（秒）"): f"{numbers['seconds']:.2f}",
        }
    )
