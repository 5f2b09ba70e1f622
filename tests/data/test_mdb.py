from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrtune.data.mdb import MdbFile
from ocrtune.errors import DataError

SIZES = (0, 1, 100, 1500, 2029, 2030, 4080, 4081, 20000)


def write(folder: Path, content: dict[bytes, bytes], deleted: Sequence[bytes] = ()) -> Path:
    environment = lmdb.open(str(folder), map_size=1 << 28)
    with environment.begin(write=True) as transaction:
        for key, value in content.items():
            transaction.put(key, value)
    with environment.begin(write=True) as transaction:
        for key in deleted:
            transaction.delete(key)
    environment.close()
    return folder / "data.mdb"


@settings(max_examples=30, deadline=None)
@given(
    keys=st.lists(st.binary(min_size=1, max_size=60), unique=True, max_size=300),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_reads_what_the_library_wrote(
    tmp_path_factory: pytest.TempPathFactory, keys: list[bytes], seed: int, data: st.DataObject
) -> None:
    rng = random.Random(seed)
    content = {key: rng.randbytes(rng.choice(SIZES)) for key in keys}
    deleted = data.draw(st.lists(st.sampled_from(keys), unique=True)) if keys else []
    file = MdbFile(write(tmp_path_factory.mktemp("mdb"), content, deleted))
    left = {key: value for key, value in content.items() if key not in deleted}
    assert file.entries == len(left)
    assert file.missing_bytes == 0
    assert {key: file.get(key) for key in content} == {key: left.get(key) for key in content}
    assert all((key in file) == (key in left) for key in content)


def numbered(count: int) -> dict[bytes, bytes]:
    rng = random.Random(0)
    return {b"%09d" % number: rng.randbytes(rng.choice(SIZES)) for number in range(count)}


def test_a_flipped_byte_anywhere_ends_in_the_right_value_or_an_error(tmp_path: Path) -> None:
    content = numbered(200)
    path = write(tmp_path, content)
    whole = path.read_bytes()
    rng = random.Random(1)
    # heads and the pages of the tree, whose every byte counts, and others
    places = [*range(200), *range(4096, 4296), *(rng.randrange(8192, len(whole)) for _ in range(300))]
    places += [page + offset for page in range(8192, len(whole), 4096) for offset in (0, 8, 10, 12, 14, 16, 18)]
    wrong = 0
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            file = MdbFile(path)
        except DataError:
            wrong += 1
            continue
        for key in content:
            try:
                wrong += file.get(key) != content[key]
            except DataError:
                wrong += 1
    assert wrong > 100, "the damage was real"


@pytest.mark.parametrize("size", [152, 4095, 4096, 5000, 8192, 12288, 100_000])
def test_a_file_that_was_cut_off(tmp_path: Path, size: int) -> None:
    content = numbered(100)
    path = write(tmp_path, content)
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[:size])
    file = MdbFile(path)
    assert file.missing_bytes == (whole if size > 4096 else 8192) - size, "below, only the first head is left"
    assert sum(value_or_none(file, key) == value for key, value in content.items()) < len(content)


def value_or_none(file: MdbFile, key: bytes) -> bytes | None:
    try:
        return file.get(key)
    except DataError:
        return None


def test_what_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        MdbFile(tmp_path / "data.mdb")
    head = write(tmp_path, {}).read_bytes()
    for size in (0, 1, 15, 100):
        (tmp_path / "data.mdb").write_bytes(head[:size])
        with pytest.raises(DataError, match="cannot be opened") as caught:
            MdbFile(tmp_path / "data.mdb")
        assert caught.value.hint
    (tmp_path / "data.mdb").write_bytes(b"\0" * 100_000)
    with pytest.raises(DataError, match="no LMDB file"):
        MdbFile(tmp_path / "data.mdb")
