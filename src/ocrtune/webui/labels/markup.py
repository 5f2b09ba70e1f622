"""Cards and tables as HTML whose parts can be clicked: they fit narrow screens, and wrap what is long."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

from ocrtune.page import Image
from ocrtune.report.figures import jpeg

TELL_CLICK = """
const tell = (event) => {
  const part = event.target.closest('[data-number]');
  if (part) trigger('select', {index: Number(part.dataset.number), value: part.innerText});
};
const show = () => {
  const list = element.querySelector('.listed'), chosen = element.querySelector('tr.chosen');
  if (list && chosen) list.scrollTop = chosen.offsetTop - list.clientHeight / 2;
};
new MutationObserver(show).observe(element, {childList: true, subtree: true});
new ResizeObserver(show).observe(element);
element.addEventListener('click', tell);
element.addEventListener('keydown', (event) => { if (event.key === 'Enter') tell(event); });
"""
"""For ``js_on_load`` of an HTML component: a click makes its event ``select`` with the number of the part, and the row that
stands out is scrolled to."""


def place(where: str) -> str:
    """``folder/file:line`` of what may be a long path."""
    return "/".join(where.split("/")[-2:])


def cards(pictures: Sequence[tuple[Image, str, bool]], kind: str) -> str:
    """Small pictures with captions; each is a part to click.

    Args:
        pictures: image, caption, and whether it stands out.
        kind: CSS class: ``pages`` or ``lines``.
    """
    shown = "".join(
        f'<div role="button" tabindex="0" class="card{" chosen" if chosen else ""}" data-number="{number}">'
        f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(jpeg(image)).decode()}">'
        f"<span>{html.escape(caption)}</span></div>"
        for number, (image, caption, chosen) in enumerate(pictures)
    )
    return f'<div class="cards {kind}">{shown}</div>'


def table(
    headers: Sequence[str], rows: Sequence[Sequence[object]], chosen: int | None = None, clicks: bool = True
) -> str:
    """A table; on a narrow screen each row becomes a block.

    Args:
        headers: of the columns.
        rows: cells; equally many.
        chosen: index of the row that stands out.
        clicks: whether rows are parts to click.
    """
    head = "".join(f"<th>{html.escape(name)}</th>" for name in headers)
    body = "".join(_row(number, headers, cells, number == chosen, clicks) for number, cells in enumerate(rows))
    kind = "clicks" if clicks else "plain"
    inner = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="listed"><table class="{kind}">{inner}</table></div>'


def _row(number: int, headers: Sequence[str], cells: Sequence[object], chosen: bool, clicks: bool) -> str:
    shown = "".join(
        f'<td data-head="{html.escape(name)}">{html.escape(str(cell))}</td>'
        for name, cell in zip(headers, cells, strict=True)
    )
    part = f' tabindex="0" data-number="{number}"' if clicks else ""
    return f"<tr{part}{' class=chosen' if chosen else ''}>{shown}</tr>"
