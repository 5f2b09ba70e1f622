"""The one family of errors that users see: what was found, where, what was expected, what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

_V = TypeVar("_V")


class OcrtuneError(Exception):
    """A fault that the user can act on; the CLI and the servers turn it into a message without a traceback.

    Args:
        what: what was found, as one sentence.
        where: file, ``file:line``, sample id or configuration key.
        expected: what would have been right.
        hint: what to do next, if possible a command or a setting.
        code: what kind of fault, where a diagnosis names it.
        evidence: the numbers behind it, for the same.

    Attributes:
        diagnosis: what was found out about a training before it ended with this fault, as JSON objects.
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        expected: str | None = None,
        hint: str | None = None,
        code: str | None = None,
        evidence: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = None if where is None else str(where)
        self.expected = expected
        self.hint = hint
        self.code = code
        self.evidence = dict(evidence or {})
        self.diagnosis: Sequence[Mapping[str, Any]] = ()

    def __str__(self) -> str:
        lines = [self.what if self.where is None else f"{self.where}: {self.what}"]
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.hint:
            lines.append(f"  to do: {self.hint}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The same fault for ``--json`` output and servers."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "where": self.where,
            "expected": self.expected,
            "to_do": self.hint,
            **({"diagnosis": list(self.diagnosis)} if self.diagnosis else {}),
        }


class UsageError(OcrtuneError):
    """A command was called in a way that makes no sense."""


class ConfigError(OcrtuneError):
    """A configuration holds an unknown key or a value that does not fit."""


class DataError(OcrtuneError):
    """Images or label files cannot be used as they are."""


class ImageError(DataError):
    """One image cannot be decoded."""


class BundleError(OcrtuneError):
    """A bundle or a weight file is missing, damaged or does not fit."""


class MissingExtraError(OcrtuneError):
    """An optional dependency or a device is missing."""

    exit_code = 3


class GateError(OcrtuneError):
    """A check, gate or budget was not met."""

    exit_code = 1


class ProcessLost(GateError):
    """One of the processes of a run has ended before its time."""


class BudgetError(GateError):
    """The time, or what is left of it, is too short for the work."""


class Interrupted(OcrtuneError):
    """The user stopped the work; its state is saved."""

    exit_code = 130


def named(name: str, known: Mapping[str, _V], what: str, where: str) -> _V:
    """The entry that a user named.

    Args:
        name: as the user typed it.
        known: all entries.
        what: kind of thing, for the message.
        where: the setting that named it.

    Raises:
        ConfigError: there is none of this name; the nearest one is told.
    """
    if name not in known:
        close = nearest(name, known)
        raise ConfigError(
            f"no {what} is called '{name}'",
            where=where,
            expected=", ".join(sorted(known)),
            hint=f"did you mean '{close}'?" if close else None,
        )
    return known[name]


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name that the user most likely meant, or None when nothing is close."""
    found = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return found[0] if found else None


def need(extra: str, *modules: str) -> None:
    """Make sure that what an extra installs is there.

    Raises:
        MissingExtraError: it is not.
    """
    for module in modules:
        try:
            __import__(module)
        except ImportError as error:
            raise_missing_extra(module, extra, error)


def raise_missing_extra(module: str, extra: str, cause: BaseException) -> NoReturn:
    """Turn an ImportError into the one line that names the extra to install.

    Raises:
        MissingExtraError: always.
    """
    raise MissingExtraError(
        f"this needs the Python package '{module}', which is not installed",
        hint=f"pip install 'ocrtune[{extra}]'",
    ) from cause
