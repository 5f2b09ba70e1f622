"""Checks that run behind the page: seen by every visitor, and kept when the page is closed."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ocrtune.bundle import Bundle
from ocrtune.data.check import CheckReport, CheckSettings, Finding, check_dataset
from ocrtune.data.check.base import ask_base, load_base
from ocrtune.data.formats import DatasetPath
from ocrtune.errors import OcrtuneError
from ocrtune.report.check import write_check_report
from ocrtune.weights.cache import cache_dir

_KEPT = 8
_BASE_PAGES = 50  # that a model is asked about, spread over the data


class _Stopped(Exception):
    """Somebody does not want to wait for the end."""


@dataclass
class Check:
    """The check of one data set.

    Attributes:
        dataset: what is checked.
        base: model that is asked about the labels, with the name that it is called by.
        page_size: longer side in pixels at which pages will be trained on.
        done, total: pages of the present stage.
        asking: whether the model is being asked.
        report: what was found; None until the end.
        error: why there is no report.
        html: the report as a file.
        stopped: set it to end the check early.
    """

    dataset: DatasetPath
    base: tuple[Bundle, str] | None
    page_size: int
    done: int = 0
    total: int = 0
    asking: bool = False
    report: CheckReport | None = None
    error: str = ""
    html: Path | None = None
    stopped: bool = False
    _thread: threading.Thread | None = field(default=None, repr=False)

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self, folder: Path, may_show: Callable[[Path], bool]) -> None:
        """Begin in a thread.

        Args:
            folder: for the HTML report.
            may_show: whether an image file may be drawn.
        """
        self._thread = threading.Thread(target=self._run, args=(folder, may_show), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for its end."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, folder: Path, may_show: Callable[[Path], bool]) -> None:
        try:
            report = self._checked()
            report.findings = [_drawable(finding, may_show) for finding in report.findings]
            name = hashlib.sha256(str(self.dataset).encode()).hexdigest()[:8]
            html = folder / f"{self.dataset.path.name}_{name}.html"
            write_check_report([report], html, f"ocrtune data check {self.dataset} --fix")
            self.html, self.report = html, report
        except _Stopped:
            pass
        except OcrtuneError as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
            raise

    def _checked(self) -> CheckReport:
        cache = cache_dir() / "check"
        settings = CheckSettings(self.page_size)
        model = load_base(*self.base) if self.base is not None else None
        if model is not None:
            settings = model.settings(settings)
        report = check_dataset(self.dataset, settings, self._bar, cache=cache)
        if model is not None:
            self.asking = True
            report.add(ask_base(self.dataset, model, report.total_pages, _BASE_PAGES, self._bar, cache))
        return report

    def _bar(self, total: int) -> Callable[[], None]:
        self.done, self.total = 0, total

        def each() -> None:
            self.done += 1
            if self.stopped:
                raise _Stopped

        return each


@dataclass
class Checks:
    """The last few checks; one data set is checked once at a time, however many ask for it."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _kept: OrderedDict[str, Check] = field(default_factory=OrderedDict)

    def of(self, dataset: DatasetPath) -> Check | None:
        """The last check of a data set, running or ended."""
        return self._kept.get(str(dataset))

    def start(self, check: Check, folder: Path, may_show: Callable[[Path], bool]) -> Check:
        """Begin a check, unless one of the same data set is running: that one is given then."""
        key = str(check.dataset)
        with self._lock:
            before = self._kept.get(key)
            if before is not None and before.running:
                return before
            check.start(folder, may_show)
            self._kept[key] = check
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return check


def _drawable(finding: Finding, may_show: Callable[[Path], bool]) -> Finding:
    outside = isinstance(finding.image, Path) and not may_show(finding.image)
    return replace(finding, image=None) if outside else finding
