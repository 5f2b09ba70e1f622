"""What is in labelled data, told before a training; and generated data for visitors who have none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ocrtune.data.check import CheckReport, CheckSettings, check_dataset
from ocrtune.data.formats import parse_dataset_path
from ocrtune.data.lines import task_of
from ocrtune.data.synth.receipts import demo_parts, write_receipts
from ocrtune.webui import words
from ocrtune.webui.language import Language
from ocrtune.webui.workspace import Workspace
from ocrtune.weights.cache import cache_dir

_MIN_PAGES = 8
_FINDINGS = 6


@dataclass(frozen=True)
class Found:
    """What a look at labelled data found.

    Attributes:
        report: the check's.
        format: of the label files.
        detected: whether the format was found out.
        task: what the labels allow.
    """

    report: CheckReport
    format: str
    detected: bool
    task: str

    @classmethod
    def of(cls, spec: str, each: Callable[[int], Callable[[], None]]) -> Found:
        """Check a data set.

        Args:
            spec: ``PATH`` or ``FORMAT:PATH``.
            each: told how many pages there are, returns what to call after each.

        Raises:
            DataError: nothing can be read there.
        """
        dataset = parse_dataset_path(spec)
        report = check_dataset(dataset, CheckSettings(few_pages=0), each, cache=cache_dir() / "check")
        return cls(report, dataset.format, dataset.detected, task_of(report.pages))

    def html(self, say: Language) -> str:
        """The same for people."""
        report = self.report
        format_ = f"<b>{escape(self.format)}</b>" + (say(" (detected)", "（自动识别）") if self.detected else "")
        facts = [
            f"{say('format', '格式')} {format_}",
            say(
                f"<b>{report.total_pages}</b> pages, {report.usable_pages} usable",
                f"<b>{report.total_pages}</b> 页，其中 {report.usable_pages} 页可用",
            ),
            say(
                f"<b>{report.regions}</b> texts, {report.ignored} of them ignored",
                f"<b>{report.regions}</b> 处文字，其中 {report.ignored} 处被忽略",
            ),
            f"{say('fit for', '适合')} <b>{words.short_task(self.task, say)}</b>",
        ]
        return f'<div class="training"><p>{" · ".join(facts)}</p>{self._few(say)}{self._findings(say)}</div>'

    def _few(self, say: Language) -> str:
        if self.report.usable_pages >= 3 * _MIN_PAGES:
            return ""
        told = say(
            f"These are few pages: without validation data a training needs {3 * _MIN_PAGES}, with it {2 * _MIN_PAGES}.",
            f"页数偏少：没有验证数据时至少需要 {3 * _MIN_PAGES} 页，有验证数据时至少 {2 * _MIN_PAGES} 页。",
        )
        return f'<p class="warning">{told}</p>'

    def _findings(self, say: Language) -> str:
        groups = self.report.by_code()
        if not groups:
            return f"<p>{say('Nothing to complain about.', '没有发现问题。')}</p>"
        counts = self.report.counts()
        shown = "".join(
            f'<li><b class="{found[0].severity}">{words.severity(found[0].severity, say)}</b> <code>{escape(code)}</code> '
            f"×{counts[code]}: {escape(found[0].message)}</li>"
            for code, found in list(groups.items())[:_FINDINGS]
        )
        more = len(groups) - _FINDINGS
        rest = say(f"and {more} more kinds; see “Data”", f"另有 {more} 类，详见“数据”页") if more > 0 else ""
        return f"<ul>{shown}</ul><p>{rest}</p>"


def demo_data(workspace: Workspace, each: Callable[[float], None]) -> dict[str, Path]:
    """Folders of generated receipts to train and to compare on, as ``ocrtune demo`` draws them, unless they are there.

    Args:
        workspace: gets them.
        each: told the share that is done after each page.
    """
    folders, done = {}, 0
    parts = demo_parts()
    total = sum(count for _, count, _ in parts)
    for name, count, seed in parts:
        folder = workspace.outputs / "demo_data" / name
        folders[name] = folder
        if folder.is_dir():
            continue
        unfinished = folder.with_name(f".{name}")
        shutil.rmtree(unfinished, ignore_errors=True)

        def drawn() -> None:
            nonlocal done
            done += 1
            each(done / total)

        write_receipts(unfinished, count, seed, drawn)
        unfinished.rename(folder)
    return folders
