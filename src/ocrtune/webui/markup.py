"""Pieces of HTML that several tabs show; style.css gives them their looks."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from ocrtune.webui.language import Language


def progress_bar(say: Language, done: int, total: int, seconds_left: float | None, note: str = "") -> str:
    """HTML of a bar with the time left below it.

    Args:
        say: the page's language.
        done, total: pieces of work.
        seconds_left: None where nobody knows yet.
        note: what else there is to say.
    """
    told = [say(f"{done} of {total}", f"{done} / {total}")]
    if seconds_left is not None and done < total:
        told.append(say(f"{duration(say, seconds_left)} left", f"还需 {duration(say, seconds_left)}"))
    told += [note] if note else []
    share = 100 * done / max(total, 1)
    bar = (
        f'<div class="bar" role="progressbar" aria-valuenow="{share:.0f}"><div style="width: {share:.1f}%"></div></div>'
    )
    return f"{bar}{escape(' · '.join(told))}"


def empty(text: str) -> str:
    """What stands where results will be."""
    return f'<div class="empty">{escape(text)}</div>'


def notice(text: str, details: str = "", bad: bool = False) -> str:
    """Something that has happened, with what a program said about it."""
    below = f"<pre>{escape(details)}</pre>" if details else ""
    return f'<div class="notice{" bad" if bad else ""}"><b>{escape(text)}</b>{below}</div>'


def figures(shown: Mapping[str, str]) -> str:
    """Numbers with what each is, side by side."""
    tiles = "".join(f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in shown.items())
    return f'<div class="figures">{tiles}</div>'


def duration(say: Language, seconds: float) -> str:
    """A length of time in words: seconds, minutes, or hours and minutes."""
    whole = round(seconds)
    if whole < 60:
        return say(f"{whole} s", f"{whole} 秒")
    minutes = round(whole / 60)
    if minutes < 60:
        return say(f"{minutes} min", f"{minutes} 分钟")
    return say(f"{minutes // 60} h {minutes % 60} min", f"{minutes // 60} 小时 {minutes % 60} 分钟")


def table(columns: list[str], rows: list[list[object]]) -> str:
    """An HTML table."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="wide"><table class="compared"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )
