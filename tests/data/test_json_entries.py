"""JSON read entry by entry gives what reading it at once gives, wherever the pieces that are read end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocrtune.data.formats import _json
from ocrtune.data.formats._json import json_entries
from ocrtune.errors import DataError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.lists(VALUES, max_size=5) | st.dictionaries(st.text(max_size=4), VALUES, max_size=5)
SETTINGS = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def expected(document: Any) -> list[tuple[str, str | int, Any]]:
    if isinstance(document, list):
        return [("", index, value) for index, value in enumerate(document)]
    entries: list[tuple[str, str | int, Any]] = []
    for key, value in document.items():
        if isinstance(value, (list, dict)):
            entries.append(("", key, None))
            members = enumerate(value) if isinstance(value, list) else value.items()
            entries += [(key, inner, member) for inner, member in members]
        else:
            entries.append(("", key, value))
    return entries


@SETTINGS
@given(document=DOCUMENTS, chunk=st.integers(1, 9), indent=st.sampled_from([None, 0, 3]), ascii_only=st.booleans())
def test_same_as_at_once(document: Any, chunk: int, indent: int | None, ascii_only: bool, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(document, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    with patch.object(_json, "_CHUNK", chunk):
        assert list(json_entries(file)) == expected(document)


@SETTINGS
@given(document=DOCUMENTS, chunk=st.integers(1, 9), share=st.floats(0, 1))
def test_cut_files_are_told(document: Any, chunk: int, share: float, tmp_path: Path) -> None:
    text = json.dumps(document)
    file = tmp_path / "a.json"
    file.write_text(text[: int(share * len(text))][: len(text) - 1], encoding="utf-8")
    with patch.object(_json, "_CHUNK", chunk), pytest.raises(DataError, match="no valid JSON"):
        list(json_entries(file))


def test_the_line_of_a_fault_far_into_a_file(tmp_path: Path) -> None:
    lines = [f'{{"file_name": "{index}.png", "annotations": []}},' for index in range(5000)]
    lines[4000] = '{"file_name": oops},'
    file = tmp_path / "a.json"
    file.write_text('{"images": [\n' + "\n".join(lines) + "\n{}]}", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        list(json_entries(file))
    assert caught.value.where == f"{file}:4002"
