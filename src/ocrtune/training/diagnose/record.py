"""The diagnoses of one run: told on the terminal and in its log when they are made, kept in its folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ocrtune.errors import Interrupted, OcrtuneError
from ocrtune.files import write_whole
from ocrtune.training.diagnose.diagnosis import Diagnosis, When, ordered
from ocrtune.training.runlog import append_line

FILE = "diagnosis.json"


class Diagnostics:
    """Collects the diagnoses of a run.

    Args:
        folder: the run folder; gets ``diagnosis.json``, complete after each diagnosis.
        task: what is trained.
        say: takes lines for the terminal.

    Attributes:
        phase: in which the run is; an error that ends it is a diagnosis of that phase.
    """

    def __init__(self, folder: Path, task: str, say: Callable[[str], None]) -> None:
        self._folder, self._task, self._say = folder, task, say
        self._found: dict[str, Diagnosis] = {}
        self._told: set[tuple[str, str]] = set()
        self.phase: When = "before"

    @property
    def found(self) -> list[Diagnosis]:
        """All of them, the gravest first."""
        return ordered(self._found.values())

    def add(self, found: Iterable[Diagnosis]) -> None:
        """Take diagnoses over; of a kind that was told already only the numbers are renewed, unless it has become graver."""
        for diagnosis in found:
            self._tell(diagnosis)
            self._found[diagnosis.code] = diagnosis
        content = {"task": self._task, "diagnosis": [diagnosis.as_dict() for diagnosis in self.found]}
        with suppress(OSError):  # a full disk is told by what cannot do without it
            write_whole(self._folder / FILE, json.dumps(content, ensure_ascii=False, indent=1))

    def renew(self, found: Iterable[Diagnosis]) -> None:
        """The same for what is found during the training, in place of what was found so before: that may have passed."""
        self._found = {code: known for code, known in self._found.items() if known.when != "during"}
        self.add(found)

    def _tell(self, diagnosis: Diagnosis) -> None:
        if (diagnosis.code, diagnosis.severity) in self._told:
            return
        self._told.add((diagnosis.code, diagnosis.severity))
        for line in diagnosis.lines():
            self._say(line)
            with suppress(OSError):
                append_line(self._folder, line)

    @contextmanager
    def of_errors(self) -> Iterator[None]:
        """Make an error that ends the run a diagnosis, and give it those that were made before it."""
        try:
            yield
        except Interrupted:
            raise
        except OcrtuneError as error:
            ending = Diagnosis.of(error, self.phase)
            known = self._found.get(ending.code)
            if known is None or known.severity != "error":
                self._told.add((ending.code, ending.severity))  # whoever called shows the error itself
                self.add([ending])
            error.diagnosis = [diagnosis.as_dict() for diagnosis in self.found]
            raise
