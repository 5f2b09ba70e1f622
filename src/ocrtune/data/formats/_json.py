"""JSON label files, read one entry after the other so that a file of any size needs the memory of one entry."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from ocrtune.errors import DataError

_CHUNK = 1 << 16
_NEAR_END = 64  # characters; a fault so close to the end of what was read may be no more than a cut
_GOES_ON = 2  # characters behind what looks like a number, "1" in "1e+", that may yet belong to it
_START = 1 << 20
_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\n\r]*")


def read_json(path: Path) -> Any:
    """A JSON file that is small enough to be read at once.

    Raises:
        DataError: it is no JSON in UTF-8, or nested too deeply.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataError(f"the file is no valid JSON: {error.msg}", where=f"{path}:{error.lineno}") from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(error, path) from error


def json_entries(path: Path) -> Iterator[tuple[str, str | int, Any]]:
    """The members of a JSON object's lists and objects, or of a list: name of the list, key or index, value.

    The name is "" for the members of a file that is one list, for members that are no list or object themselves, and in
    front of each list or object, with its name as the key and None as the value.

    Raises:
        DataError: the file is no JSON in UTF-8, or nested too deeply.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from _Scanner(file).document()
    except _Fault as error:
        raise DataError(f"the file is no valid JSON: {error}", where=f"{path}:{error.line}") from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(error, path) from error


def json_keys(path: Path) -> tuple[type, frozenset[str]]:
    """What a file starts with, looking at its first 1 MiB: ``dict`` with its first keys, ``list`` with those of its
    first member, or ``object`` where it is no JSON."""
    if not path.is_file() or path.suffix.lower() != ".json":
        return object, frozenset()
    with path.open("rb") as file:
        start = file.read(_START).decode("utf-8-sig", errors="replace")
    keys: dict[str, None] = {}
    kind: type = {"{": dict, "[": list}.get(start.lstrip(" \t\n\r")[:1], object)
    try:
        for section, key, value in _Scanner(io.StringIO(start)).document():
            if kind is list:
                return kind, frozenset(value if isinstance(value, dict) else ())
            if not section:
                keys[str(key)] = None
    except (_Fault, ValueError, RecursionError):
        pass  # cut off, or to be told when it is read
    return kind, frozenset(keys)


def _unreadable(error: Exception, path: Path) -> DataError:
    if isinstance(error, UnicodeDecodeError):
        return DataError("the file is not UTF-8", where=path, hint="save it as UTF-8")
    if isinstance(error, RecursionError):
        return DataError("the file's lists and objects are nested too deeply", where=path)
    return DataError(f"the file is no valid JSON: {str(error)[:100]}", where=path)


class _Fault(Exception):
    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.line = line


class _Scanner:
    """Walks the two outermost levels of a JSON text, and has the standard library decode what is below.

    Args:
        file: opened as text.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._buffer = ""
        self._at = 0
        self._line = 1
        self._ended = False

    def document(self) -> Iterator[tuple[str, str | int, Any]]:
        if self._peek() == "[":
            for index, _ in enumerate(self._members("]")):
                yield "", index, self._value()
        else:
            self._expect("{")
            self._at -= 1
            for _ in self._members("}"):
                key = self._key()
                opening = self._peek()
                if opening in ("[", "{"):
                    yield "", key, None
                if opening == "[":
                    for index, _ in enumerate(self._members("]")):
                        yield key, index, self._value()
                elif opening == "{":
                    for _ in self._members("}"):
                        inner = self._key()
                        yield key, inner, self._value()
                else:
                    yield "", key, self._value()
        if self._peek():
            raise self._fault("Extra data")

    def _members(self, closing: str) -> Iterator[None]:
        """Stands before each member of the list or object that opens here; the caller reads it."""
        self._at += 1
        if self._peek() == closing:
            self._at += 1
            return
        while True:
            yield
            if self._peek() == closing:
                self._at += 1
                return
            self._expect(",")

    def _key(self) -> str:
        if self._peek() != '"':
            raise self._fault("Expecting property name enclosed in double quotes")
        key = self._value()
        self._expect(":")
        return str(key)

    def _value(self) -> Any:
        self._peek()
        wanted = _CHUNK
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                cut = error.pos > len(self._buffer) - _NEAR_END or error.msg.startswith("Unterminated string")
                if self._ended or not cut:
                    self._at = min(error.pos, len(self._buffer))
                    raise self._fault(error.msg) from error
            else:
                if end + _GOES_ON < len(self._buffer) or self._ended:
                    self._at = end
                    return value
            self._more(wanted)
            wanted *= 2

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            raise self._fault(f"Expecting '{character}'")
        self._at += 1

    def _peek(self) -> str:
        """The next character that is no blank; "" at the end."""
        while True:
            blanks = _BLANK.match(self._buffer, self._at)
            self._at = blanks.end() if blanks else self._at
            if self._at < len(self._buffer) or self._ended:
                return self._buffer[self._at : self._at + 1]
            self._more(_CHUNK)

    def _more(self, count: int) -> None:
        added = self._file.read(count)
        self._ended = not added
        self._line += self._buffer.count("\n", 0, self._at)
        self._buffer = self._buffer[self._at :] + added
        self._at = 0

    def _fault(self, what: str) -> _Fault:
        return _Fault(what, self._line + self._buffer.count("\n", 0, self._at))
