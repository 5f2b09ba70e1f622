from __future__ import annotations

import contextlib
import json
import multiprocessing
import random
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import lmdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrtune.data.content import fingerprint
from ocrtune.data.formats import parse_dataset_path, read_dataset, write_dataset
from ocrtune.data.repair import repair_store
from ocrtune.data.store import Entry, StoreHeader, StoreImage, digest
from ocrtune.data.store_writer import build_store, writing
from ocrtune.data.verify import verify_store
from ocrtune.errors import DataError, ImageError
from ocrtune.page import Page, TextRegion, as_polygon
from support.pages import rectangle, sample_pages, save_image, write_paired
from support.runs import quiet_environment


@pytest.fixture
def source(tmp_path: Path) -> str:
    """Labelled pages as files."""
    pages = sample_pages(tmp_path / "drawn", 12)
    pages[1].regions.append(
        TextRegion(as_polygon([(1.37, 2), (30, 2.1), (33, 9), (20, 12), (1 / 3, 9)]), "curved", angle=180.0)
    )
    pages[2].regions.clear()
    write_dataset(pages, "json", tmp_path / "set.json")
    return f"json:{tmp_path / 'set.json'}"


@pytest.fixture
def store(tmp_path: Path, source: str) -> Path:
    build_store(read_dataset(source), tmp_path / "store", source)
    return tmp_path / "store"


def same(mine: Page, theirs: Page) -> None:
    np.testing.assert_array_equal(mine.load(), theirs.load())
    assert mine.name == theirs.name
    assert len(mine.regions) == len(theirs.regions)
    for a, b in zip(mine.regions, theirs.regions, strict=True):
        np.testing.assert_array_equal(a.polygon, b.polygon)
        assert (a.text, a.ignore, a.score, a.angle, a.source) == (b.text, b.ignore, b.score, b.angle, b.source)


def damage(store: Path, key: str, at: int = 0) -> None:
    """Flip a bit of a value, where it lies in the file."""
    with lmdb.open(str(store), readonly=True, lock=False) as environment, environment.begin() as transaction:
        value = dict(transaction.cursor())[key.encode()]
    flipped = value[:at] + bytes([value[at] ^ 4]) + value[at + 1 :]
    data = (store / "data.mdb").read_bytes()
    assert value in data
    (store / "data.mdb").write_bytes(data.replace(value, flipped))  # free pages may hold older copies


def drop(store: Path, key: str) -> None:
    with lmdb.open(str(store), map_size=1 << 28) as environment, environment.begin(write=True) as transaction:
        assert transaction.delete(key.encode())


def test_pages_survive_exactly(store: Path, source: str) -> None:
    assert parse_dataset_path(str(store)).format == "lmdb"
    pages, stored = read_dataset(source), read_dataset(str(store))
    for mine, theirs in zip(pages, stored, strict=True):
        same(mine, theirs)
    assert fingerprint(pages) == fingerprint(stored), "a model's record says that these are the same data"
    assert {path.name for path in store.iterdir()} == {"data.mdb", "store.json"}
    assert b"\x80\x04" not in b"".join(p for _, p in entries(store) if not p.startswith(b"\x89PNG")), "no pickle"


def entries(store: Path) -> list[tuple[bytes, bytes]]:
    with lmdb.open(str(store), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return [(bytes(key), bytes(value)) for key, value in transaction.cursor()]


def test_lines_can_be_read_by_other_tools(tmp_path: Path) -> None:
    pages = [
        Page(save_image(tmp_path / f"{i}.png", 60 + i, 20, seed=i), [rectangle(0, 0, 60 + i, 20, f"text {i}")])
        for i in range(3)
    ]
    build_store(pages, tmp_path / "store")
    content = dict(entries(tmp_path / "store"))
    assert content[b"num-samples"] == b"3"
    assert [content[b"label-%09d" % i] for i in (1, 2, 3)] == [b"text 0", b"text 1", b"text 2"]
    assert [content[b"image-%09d" % i] for i in (1, 2, 3)] == [page.path.read_bytes() for page in pages]


def test_stores_of_other_tools_are_read_and_verified(tmp_path: Path) -> None:
    image = save_image(tmp_path / "a.jpg", 90, 30).read_bytes()
    with (
        lmdb.open(str(tmp_path / "store"), map_size=1 << 28) as environment,
        environment.begin(write=True) as transaction,
    ):
        transaction.put(b"num-samples", b"3")
        for number, data in ((1, image), (2, image[:-300]), (3, b"no image")):
            transaction.put(b"image-%09d" % number, data)
            transaction.put(b"label-%09d" % number, f"text {number}".encode())
    faults: list[DataError] = []
    pages = read_dataset(str(tmp_path / "store"), faults.append)
    assert [page.regions[0].text for page in pages] == ["text 1", "text 2"]
    assert pages[0].size() == (90, 30)
    assert faults[0].where == f"{tmp_path / 'store'}:3"
    report = verify_store(tmp_path / "store")
    assert [found.number for found in report.damaged] == [2, 3]
    with pytest.raises(DataError, match="entry 2") as caught:
        repair_store(tmp_path / "store")
    assert "--source DATA" in (caught.value.hint or "")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_many_processes_read_at_once(store: Path, source: str, method: str) -> None:
    images = [page.image for page in read_dataset(str(store)) * 2]
    assert isinstance(images[0], StoreImage)
    images[0].encoded()  # opened before the fork
    with ProcessPoolExecutor(3, multiprocessing.get_context(method)) as pool:
        read = list(pool.map(StoreImage.encoded, images))
    assert read == [page.path.read_bytes() for page in read_dataset(source)] * 2


def total(page: Page) -> int:
    return int(page.load().sum())


def test_every_damaged_entry_is_named_and_rebuilt(store: Path, source: str) -> None:
    damage(store, "image-000000002", 500)
    damage(store, "page-000000004", 30)
    damage(store, "origin-000000005", 12)
    damage(store, "sha256-000000007", 20)
    for key in ("image-000000009", "page-000000010", "origin-000000010", "sha256-000000010", "image-000000010"):
        drop(store, key)
    report = verify_store(store)
    assert [found.number for found in report.damaged] == [2, 4, 5, 7, 9, 10]
    assert report.damaged[0].parts == ("image",)
    assert "page_1.png" in str(report.damaged[0])
    with pytest.raises(ImageError, match="checksum") as caught:
        read_dataset(str(store), lambda fault: None)[1].load()
    assert caught.value.hint == f"ocrtune data repair {store}"
    repair = repair_store(store)
    assert sorted(found.number for found in repair.rebuilt) == [2, 4, 5, 7, 9, 10]
    assert not repair.changed
    assert not repair.lost
    assert verify_store(store).intact
    for mine, theirs in zip(read_dataset(source), read_dataset(str(store)), strict=True):
        same(mine, theirs)


@pytest.mark.parametrize("left", [0.02, 0.66, 0.999])
def test_a_store_that_was_cut_off_is_told_and_rebuilt(store: Path, source: str, left: float) -> None:
    whole = (store / "data.mdb").read_bytes()
    (store / "data.mdb").write_bytes(whole[: int(len(whole) * left)])
    with pytest.raises(DataError, match="cut off") as caught:
        read_dataset(str(store))
    assert "ocrtune data repair" in (caught.value.hint or "")
    assert verify_store(store).faults
    assert not repair_store(store).lost
    for mine, theirs in zip(read_dataset(source), read_dataset(str(store)), strict=True):
        same(mine, theirs)


def test_a_store_that_forgot_its_source_asks_for_it(store: Path, source: str) -> None:
    (store / "store.json").unlink()
    (store / "data.mdb").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be opened") as caught:
        repair_store(store)
    assert caught.value.hint == f"ocrtune data repair {store} --source DATA"
    assert repair_store(store, source).whole
    assert verify_store(store).intact
    (store / "data.mdb").write_bytes(b"")
    assert not repair_store(store).lost, "now it knows"


def test_what_cannot_be_rebuilt_is_said_and_the_rest_is_kept(store: Path, tmp_path: Path) -> None:
    for number in (3, 6):
        damage(store, f"image-{number:09d}", 100)
    (tmp_path / "drawn" / "page_2.png").unlink()
    repair = repair_store(store)
    assert [found.number for found in repair.rebuilt] == [6]
    assert [found.number for found in repair.lost] == [3]
    assert [found.number for found in verify_store(store).damaged] == [3]
    save_image(tmp_path / "drawn" / "page_2.png", seed=77)
    assert [found.number for found in repair_store(store).changed] == [3], "another image than it was"
    assert verify_store(store).intact


def test_an_entry_that_stays_lost_keeps_what_can_be_read(store: Path, tmp_path: Path) -> None:
    damage(store, "sha256-000000003", 0)  # no JSON any more: every part is blamed
    damage(store, "image-000000006", 100)
    before = dict(entries(store))
    (tmp_path / "drawn" / "page_2.png").unlink()
    repair = repair_store(store)
    assert [found.number for found in repair.rebuilt] == [6]
    assert [found.number for found in repair.lost] == [3]
    after = dict(entries(store))
    assert {key for key in before if before[key] != after.get(key)} == {b"image-000000006"}


def test_a_store_of_which_nothing_can_be_mended_stays_as_it_is(tmp_path: Path, source: str) -> None:
    build_store(read_dataset(source), tmp_path / "store")  # it does not know its source
    damage(tmp_path / "store", "sha256-000000003", 0)
    damage(tmp_path / "store", "page-000000005", 9)
    before = (tmp_path / "store" / "data.mdb").stat(), (tmp_path / "store" / "data.mdb").read_bytes()
    assert [found.number for found in repair_store(tmp_path / "store").lost] == [3, 5]
    assert ((tmp_path / "store" / "data.mdb").stat(), (tmp_path / "store" / "data.mdb").read_bytes()) == before


def test_the_beginning_of_a_store_without_a_source_stays(tmp_path: Path, source: str) -> None:
    build_store(read_dataset(source), tmp_path / "store")
    shutil.rmtree(tmp_path / "drawn")
    whole = (tmp_path / "store" / "data.mdb").read_bytes()
    beginning = whole[: int(len(whole) * 0.66)]
    (tmp_path / "store" / "data.mdb").write_bytes(beginning)
    assert repair_store(tmp_path / "store").lost
    assert (tmp_path / "store" / "data.mdb").read_bytes() == beginning, "the rest may be copied again"


def test_a_store_that_lost_nothing_but_its_end_is_whole_again(store: Path) -> None:
    before = entries(store)
    data = bytearray((store / "data.mdb").read_bytes())
    for head in (0, 4096):  # both count one page more, which holds nothing
        data[head + 136 : head + 144] = (int.from_bytes(data[head + 136 : head + 144], "little") + 1).to_bytes(
            8, "little"
        )
    (store / "data.mdb").write_bytes(data)
    report = verify_store(store)
    assert report.faults
    assert not report.damaged
    assert not repair_store(store).lost
    assert verify_store(store).intact
    assert entries(store) == before


def test_a_changed_source_is_told_without_checksums_too(store: Path, tmp_path: Path) -> None:
    for number in (3, 6):
        damage(store, f"sha256-{number:09d}", 0)
    save_image(tmp_path / "drawn" / "page_2.png", seed=77)
    repair = repair_store(store)
    assert [found.number for found in repair.rebuilt] == [6], "the image and the labels are those that are stored"
    assert [found.number for found in repair.changed] == [3], "another image than it was"
    assert verify_store(store).intact


def test_a_store_without_the_faulty_labels_of_its_source_is_built_anew(tmp_path: Path) -> None:
    write_paired(tmp_path / "set", sample_pages(tmp_path / "images", 2))
    source, path = f"icdar:{tmp_path / 'set'}", tmp_path / "store"
    with (tmp_path / "set" / "box" / "page_0.csv").open("a") as file:
        file.write("10,20,thirty\n")
    build_store(read_dataset(source, lambda fault: None), path, source)
    expected = read_dataset(str(path))
    (path / "data.mdb").write_bytes(b"")
    assert repair_store(path).whole
    for mine, theirs in zip(expected, read_dataset(str(path)), strict=True):
        same(mine, theirs)


def test_the_folder_that_one_is_in_is_repaired_and_built(
    store: Path, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(store, "image-000000003", 100)
    monkeypatch.chdir(store)
    assert [found.number for found in repair_store(Path()).rebuilt] == [3]
    assert verify_store(store).intact
    with pytest.raises(DataError, match="already there"):
        build_store(read_dataset(source), Path())
    assert {path.name for path in tmp_path.iterdir()} == {"drawn", "set.json", "store"}


def test_a_data_set_that_has_moved_repairs_too(store: Path, tmp_path: Path) -> None:
    damage(store, "page-000000001", 20)
    damage(store, "image-000000008", 20)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "drawn").rename(tmp_path / "elsewhere" / "drawn")
    (tmp_path / "set.json").rename(tmp_path / "elsewhere" / "set.json")
    with pytest.raises(DataError, match="does not exist"):
        repair_store(store)
    repair = repair_store(store, f"json:{tmp_path / 'elsewhere' / 'set.json'}")
    assert [found.number for found in repair.rebuilt + repair.changed] == [8, 1] or not repair.lost
    assert verify_store(store).intact


def test_any_flipped_bit_is_found_or_harmless(store: Path, source: str) -> None:
    whole = (store / "data.mdb").read_bytes()
    expected = [total(page) for page in read_dataset(source)]
    rng = random.Random(3)
    found = 0
    for _ in range(60):
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        (store / "data.mdb").write_bytes(data)
        if verify_store(store).intact:
            assert [total(page) for page in read_dataset(str(store))] == expected
        else:
            found += 1
    assert found > 10


BUILD = """
import os, signal, sys
from pathlib import Path
from ocrtune.data.formats import read_dataset
from ocrtune.data import store_writer
from ocrtune.data.repair import repair_store
left = int(sys.argv[3])
put = store_writer.StoreWriter.add
def add(self, items):
    global left
    put(self, items)
    self.flush()
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
store_writer.StoreWriter.add = add
if sys.argv[1] == "build":
    store_writer.build_store(read_dataset(sys.argv[2]), Path(sys.argv[4]), sys.argv[2])
else:
    repair_store(Path(sys.argv[4]))
"""


def killed(*arguments: object) -> None:
    command = [sys.executable, "-c", BUILD, *map(str, arguments)]
    done = subprocess.run(command, env=quiet_environment(), capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize("after", [1, 8, 13])
def test_a_killed_build_leaves_nothing_and_a_killed_repair_the_old_store(
    after: int, source: str, tmp_path: Path
) -> None:
    path = tmp_path / "new"
    killed("build", source, after, path)
    assert not path.exists()
    build_store(read_dataset(source), path, source)
    assert not (tmp_path / ".new.partial").exists(), "what the killed build left is gone"
    damage(path, "image-000000002", 500)
    before = (path / "data.mdb").read_bytes()
    killed("repair", source, after, path)
    assert (path / "data.mdb").read_bytes() == before
    repair_store(path)
    assert verify_store(path).intact


def test_building_streams(tmp_path: Path) -> None:
    """A page is asked for only when those before it are on their way to the disk; the file grows past its first size."""
    image = np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), np.uint8)
    alive = 0

    class Counted(Page):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def pages() -> object:
        nonlocal alive
        for index in range(30):
            alive += 1
            assert alive <= 3
            yield Counted(image, [], name=str(index))

    header = build_store(pages(), tmp_path / "store")  # type: ignore[arg-type]
    assert (header.kind, header.count) == ("pages", 30)
    assert (tmp_path / "store" / "data.mdb").stat().st_size > 100 << 20
    assert verify_store(tmp_path / "store").intact


def test_nothing_is_overwritten_and_a_full_or_forbidden_place_is_told(store: Path, tmp_path: Path) -> None:
    before = (store / "data.mdb").read_bytes()
    with pytest.raises(DataError, match="already there"):
        build_store([], store)
    assert (store / "data.mdb").read_bytes() == before
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be written"):
        build_store([], tmp_path / "file" / "store")
    write_paired(tmp_path / "set", sample_pages(tmp_path / "images", 2))
    pages = read_dataset(f"icdar:{tmp_path / 'set'}")
    pages[1].path.unlink()
    with pytest.raises(ImageError, match="cannot be read"):
        build_store(pages, tmp_path / "half")
    assert not (tmp_path / "half").exists()


def test_header_that_is_damaged(store: Path) -> None:
    content = dict(entries(store))[b"store"]
    assert json.loads(content.partition(b"\n")[0])["count"] == 12
    damage(store, "store", 25)
    with pytest.raises(DataError, match="says about itself is damaged"):
        read_dataset(str(store))
    assert not verify_store(store).intact


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
REGION = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("polygon", "text", "score", "text_score", "angle", "ignore", "source"), JSON)
) | st.fixed_dictionaries({"polygon": st.lists(st.lists(JSON, max_size=3), max_size=5), "text": JSON})
RECORD = JSON | st.fixed_dictionaries(
    {"name": JSON, "width": JSON, "height": JSON, "regions": JSON | st.lists(REGION, max_size=2)}
)


@settings(max_examples=150, deadline=None)
@given(
    record=RECORD.map(lambda content: json.dumps(content).encode()) | st.binary(max_size=30) | st.just(b"[" * 100_000),
    sums=st.booleans(),
    count=st.sampled_from([b"1", b"2", b"999999999999", b"9" * 5000, b"-1", b"", b"\xb2"]),
    foreign=st.booleans(),
)
def test_hostile_content_gives_an_error_or_a_page(
    tmp_path_factory: pytest.TempPathFactory, record: bytes, sums: bool, count: bytes, foreign: bool
) -> None:
    path = tmp_path_factory.mktemp("hostile") / "store"
    with writing(path) as writer:
        parts = {"image": b"no image", "page": record, "origin": record, "label": record}
        entry = Entry(**parts, sha256=json.dumps({k: digest(v) for k, v in parts.items()}).encode() if sums else record)
        writer.add(entry.items(1))
        writer.finish(StoreHeader("pages", None, 1))
        writer.add([(b"num-samples", count)])
        writer.flush()
    if foreign:
        drop(path, "store")
    faults: list[DataError] = []
    try:
        pages = read_dataset(f"lmdb:{path}", faults.append, required=False)
        for page in pages:
            assert all(isinstance(r.text, str | None) and len(r.polygon) >= 4 for r in page.regions)
            with pytest.raises(ImageError):
                page.load()
    except DataError:
        pass
    verify_store(path)
    with contextlib.suppress(DataError):
        repair_store(path)
