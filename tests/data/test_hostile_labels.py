"""Every reader on files that are broken or made to break it: a clear error or a right result, nothing else."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocrtune.data.formats import FORMATS, parse_dataset_path, stream_dataset, write_dataset
from ocrtune.errors import DataError, OcrtuneError
from ocrtune.page import Page
from support.labels import LINE_FORMATS, REGIONS, target
from support.pages import rectangle, save_image

TEXT_FORMATS = sorted(set(FORMATS) - {"lmdb"})
XML_FORMATS = ("alto", "ctw1500", "cvat", "page-xml", "voc")
JSON_FORMATS = ("coco-text", "funsd", "json", "label-studio", "labelme")
TOKENS = re.compile(rb'-?\d+(?:\.\d+)?|"[^"]*"|null|true|false|[\w.-]+')
NUMBERS = [b"1e999", b"-1e400", b"NaN", b"nan", b"-Infinity", b"1" * 5000, b"-1", b"0", b"0.0000001"]
VALUES = [b"null", b"true", b'""', b"[]", b"{}", b"[[[[]]]]", b'"\\ud800"', b'"\\u0000"']
PATHS = [b'"../../.."', b'"C:\\\\x\\\\y.png"', b'"/"', b'"' + b"x" * 5000 + b'.png"']
SIGNS = [b"\xff\xfe", b"\x00", b"&amp;", b"&x;", b"<", b"]]>", b"'", b",", b"\t", b"\n"]
HOSTILE = [*NUMBERS, *VALUES, *PATHS, *SIGNS, b"[" * 3000, b'{"a":' * 3000, b"<a>" * 3000]
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def survives(name: str, path: Path) -> tuple[list[Page], list[OcrtuneError]]:
    """Read what is there; any exception but ours fails the test."""
    faults: list[OcrtuneError] = []
    pages: list[Page] = []
    for spec in (str(path), f"{name}:{path}"):
        pages = []
        try:
            for page in stream_dataset(spec, faults.append, required=False):
                pages.append(page)
        except OcrtuneError as error:
            faults.append(error)
    for page in pages:
        assert isinstance(page.image, Path)
        assert page.image.is_file()
        for region in page.regions:
            assert region.polygon.dtype == np.float32
            assert len(region.polygon) >= 4
            assert np.isfinite(region.polygon).all()
            assert region.text is None or (isinstance(region.text, str) and region.text.encode() is not None)
    for fault in faults:
        assert len(str(fault)) < 1500, "a message is for people"
        str(fault).encode()
    return pages, faults


@cache
def valid(name: str) -> tuple[str, bytes]:
    """Where the label file of a small data set lies in it, and what is in it."""
    import tempfile

    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        image = save_image(folder / "page.png", 60, 20)
        regions = [rectangle(0, 0, 60, 20, "line")] if name in LINE_FORMATS else list(REGIONS.values())
        write_dataset([Page(image, regions)], name, target(folder, name))
        (file,) = [
            file for file in folder.rglob("*") if file.is_file() and file.suffix != ".png" and file.name != "list.txt"
        ]
        return str(file.relative_to(folder)), file.read_bytes()


def planted(folder: Path, name: str, content: bytes) -> Path:
    """The small data set with this label file; its path."""
    file, _ = valid(name)
    path = target(folder, name)
    if not (folder / "page.png").exists():
        save_image(folder / "page.png", 60, 20)
        write_dataset([Page(folder / "page.png", [rectangle(0, 0, 60, 20)])], name, path)
    for old in (folder / file).parent.glob((folder / file).name):
        old.unlink()
    (folder / file).write_bytes(content)
    return path


@pytest.mark.parametrize("name", TEXT_FORMATS)
@SETTINGS
@given(content=st.binary(max_size=300))
def test_any_bytes(name: str, content: bytes, tmp_path: Path) -> None:
    survives(name, planted(tmp_path, name, content))


@pytest.mark.parametrize("name", TEXT_FORMATS)
@SETTINGS
@given(share=st.floats(0, 1), cut=st.integers(0, 40))
def test_truncated_files(name: str, share: float, cut: int, tmp_path: Path) -> None:
    _, content = valid(name)
    at = int(share * len(content))
    survives(name, planted(tmp_path, name, content[:at]))
    survives(name, planted(tmp_path, name, content[:at] + content[at + cut :]))


@pytest.mark.parametrize("name", TEXT_FORMATS)
@SETTINGS
@given(data=st.data())
def test_files_with_hostile_values(name: str, data: st.DataObject, tmp_path: Path) -> None:
    _, content = valid(name)
    for _ in range(data.draw(st.integers(1, 4))):
        places = list(TOKENS.finditer(content))
        if places:
            place = places[data.draw(st.integers(0, len(places) - 1))]
            content = content[: place.start()] + data.draw(st.sampled_from(HOSTILE)) + content[place.end() :]
    survives(name, planted(tmp_path, name, content))


@pytest.mark.parametrize("name", TEXT_FORMATS)
@SETTINGS
@given(data=st.data())
def test_files_with_changed_bytes(name: str, data: st.DataObject, tmp_path: Path) -> None:
    _, content = valid(name)
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    survives(name, planted(tmp_path, name, bytes(changed)))


@pytest.mark.parametrize("name", TEXT_FORMATS)
@pytest.mark.parametrize(
    "bomb", ["[" * 200_000, '{"a":' * 200_000, "<a>" * 200_000, "9" * 200_000, "[" + "9" * 200_000]
)
def test_deep_nesting_and_endless_numbers(name: str, bomb: str, tmp_path: Path) -> None:
    pages, faults = survives(name, planted(tmp_path, name, bomb.encode()))
    assert faults or not any(page.regions for page in pages)


@pytest.mark.parametrize("name", JSON_FORMATS)
@pytest.mark.parametrize("inside", ["[" * 100_000, '{"a":' * 100_000, "9" * 100_000])
def test_nesting_inside_a_label(name: str, inside: str, tmp_path: Path) -> None:
    _, content = valid(name)
    first = re.search(rb"\d+\.?\d*", content[content.index(b"10") :])
    assert first is not None
    at = content.index(b"10")
    _, faults = survives(name, planted(tmp_path, name, content[:at] + inside.encode() + content[at + first.end() :]))
    assert faults


@pytest.mark.parametrize("name", XML_FORMATS)
def test_entity_attacks_are_refused(name: str, tmp_path: Path) -> None:
    _, content = valid(name)
    body = re.sub(rb"^<\?xml[^>]*\?>\s*", b"", content).replace(b"TOTAL 5.00", b"&boom;")
    assert b"&boom;" in body
    secret = tmp_path / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    for entities in (
        '<!ENTITY boom "boom">',
        f'<!ENTITY l0 "ha">{laughs}<!ENTITY boom "&l11;">',
        f'<!ENTITY boom SYSTEM "{secret.as_uri()}">',
        '<!ENTITY % p SYSTEM "http://127.0.0.1:9/x">%p;<!ENTITY boom "x">',
    ):
        path = planted(tmp_path, name, f"<!DOCTYPE x [{entities}]>".encode() + body)
        pages, faults = survives(name, path)
        assert not any(region.text and "secret" in region.text for page in pages for region in page.regions)
        assert any("entities" in fault.what and "DOCTYPE" in (fault.hint or "") for fault in faults)


@pytest.mark.parametrize("name", sorted(set(TEXT_FORMATS) - {"csv", "icdar", "paddle"}))
def test_folders_in_the_place_of_label_files(name: str, tmp_path: Path) -> None:
    path = planted(tmp_path, name, valid(name)[1])
    label = tmp_path / valid(name)[0]
    label.unlink()
    label.mkdir()
    pages, faults = survives(name, path)
    assert not pages
    assert faults or not path.is_file()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file names that are not Unicode")
@pytest.mark.parametrize("name", ["json", "voc", "icdar"])
def test_image_names_that_no_label_file_can_say(name: str, tmp_path: Path) -> None:
    image = tmp_path / os.fsdecode(b"caf\xe9.png")
    image.write_bytes(save_image(tmp_path / "a.png").read_bytes())
    with pytest.raises(DataError, match="not UTF-8"):
        write_dataset([Page(image, [])], name, target(tmp_path, name))
    assert not target(tmp_path, name).exists()


def test_the_first_fault_is_raised_where_nobody_collects_them(tmp_path: Path) -> None:
    path = planted(tmp_path, "voc", valid("voc")[1].replace(b"<xmin>10</xmin>", b"<xmin>x</xmin>"))
    with pytest.raises(DataError) as caught:
        list(stream_dataset(f"voc:{path}"))
    assert re.search(r"page\.xml:\d+$", caught.value.where or "")
    assert "xmin" in (caught.value.expected or "")
    assert parse_dataset_path(str(path)).format == "voc"
