"""The data verbs about stores, splits and pre-annotation, as users call them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ocrtune.data.formats import read_dataset, write_dataset
from ocrtune.page import Page
from support.pages import rectangle, sample_pages, save_image
from support.runs import fails, ocrtune, small_dataset

BASE = "ppocrv4-mobile-det"


def shown(*arguments: object) -> dict[str, object]:
    return dict(json.loads(ocrtune(*arguments, "--json").stdout))


def test_a_store_is_built_verified_damaged_and_repaired(tmp_path: Path) -> None:
    data = small_dataset(tmp_path / "set", 4)
    store = tmp_path / "stores" / "train"
    done = ocrtune("data", "convert", data, "--format", "lmdb", "--out", store)
    assert "4 pages" in done.stdout
    assert shown("data", "verify", store)["intact"] is True
    whole = (store / "data.mdb").read_bytes()
    image = (read_dataset(data)[1].path).read_bytes()
    (store / "data.mdb").write_bytes(whole.replace(image, image[:-1] + bytes([image[-1] ^ 1])))
    told = ocrtune("data", "verify", store, check=False)
    assert told.returncode == 1
    assert "entry 2 (" in told.stdout
    assert "differs from its checksum" in told.stdout
    assert f"next: ocrtune data repair {store}" in told.stdout
    assert shown("data", "repair", store)["rebuilt"] == [2]
    assert shown("data", "verify", store)["damaged"] == []
    (store / "data.mdb").write_bytes(whole[:9000])
    fails(2, "data", "stats", store, says="cut off")
    assert ocrtune("data", "verify", store, check=False).returncode == 1
    assert shown("data", "repair", store, "--source", data)["lost"] == []
    assert len(read_dataset(str(store))) == 4
    fails(2, "data", "verify", tmp_path, says="no LMDB store")


def test_split_by_groups_out_of_a_store(tmp_path: Path) -> None:
    pages = sample_pages(tmp_path / "images", 9)
    named = [Page(page.image, page.regions, f"doc{i // 3}_page{i}.png") for i, page in enumerate(pages)]
    write_dataset(named, "lmdb", tmp_path / "store")
    split = ("data", "split", f"lmdb:{tmp_path / 'store'}", "--group", r"doc\d")
    parts = shown(*split, "--shares", "67,33", "--format", "json", "--out", tmp_path / "parts")
    assert {name: part["pages"] for name, part in parts.items()} == {"train": 6, "val": 3}  # type: ignore[index]
    val = read_dataset(f"json:{tmp_path / 'parts' / 'val.json'}")
    assert {page.path.read_bytes() for page in val} <= {page.path.read_bytes() for page in pages}, "byte for byte"
    fails(2, *split, "--format", "vok", "--out", tmp_path / "x", says="--format: no label format")
    stores = shown(*split, "--out", tmp_path / "stores")
    assert len({page.name[:4] for page in read_dataset(str(stores["val"]["path"]))}) == 1  # type: ignore[index]
    fails(2, *split, "--out", tmp_path / "stores", says="overwrite")
    ocrtune("data", "convert", tmp_path / "store", "--format", "icdar", "--out", tmp_path / "files")
    written = read_dataset(f"icdar:{tmp_path / 'files'}")
    assert [page.path.read_bytes() for page in written] == [page.path.read_bytes() for page in pages]
    fails(2, "data", "split", f"lmdb:{tmp_path / 'store'}", "--group", "x(", "--out", tmp_path / "x", says="expression")


def test_stats_and_many_sheets_are_drawn(tmp_path: Path) -> None:
    pages = [Page(save_image(tmp_path / f"{i}.png", 40, 30), [rectangle(2, 2, 30, 12, "中 a")]) for i in range(26)]
    write_dataset(pages, "json", tmp_path / "set.json")
    stats = shown("data", "stats", tmp_path / "set.json", "--draw", tmp_path / "stats.png")
    assert stats["scripts"] == {"Han": 26, "spaces": 26, "Latin": 26}
    assert (tmp_path / "stats.png").read_bytes().startswith(b"\x89PNG")
    drawn = shown("data", "show", tmp_path / "set.json", "--draw", tmp_path / "drawn", "--limit", 26)
    assert [Path(sheet).name for sheet in drawn["sheets"]] == ["sheet.jpg", "sheet_2.jpg"]  # type: ignore[attr-defined]
    assert len(list((tmp_path / "drawn").glob("0*.jpg"))) == 26


@pytest.mark.slow
def test_preannotate_with_a_persons_labels(tmp_path: Path) -> None:
    small_dataset(tmp_path / "set", 3)
    own = read_dataset(f"icdar:{tmp_path / 'set'}")
    scans = own[0].path.parent
    write_dataset(own[:1], "json", tmp_path / "own.json")
    out = tmp_path / "all.json"
    command = ("data", "preannotate", BASE, scans, "--labels", tmp_path / "own.json", "--out", out)
    result = shown(*command)
    assert (result["predicted"], result["kept"], result["looked_at"]) == (2, 1, 2)
    pages = {page.path.name: page for page in read_dataset(str(out))}
    assert [r.text for r in pages[own[0].path.name].regions] == [r.text for r in own[0].regions]
    assert len(pages[own[1].path.name].regions) > 3
    with Path(str(result["review"])).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["uncertainty"]) for row in rows] == sorted((float(r["uncertainty"]) for r in rows), reverse=True)
    fails(2, *command, says="--labels")
    out.unlink()
    again = shown(*command)
    assert (again["looked_at"], again["remembered"]) == (0, 2)
    no_texts = ocrtune(*command[:-1], tmp_path / "td", "--format", "td500")
    assert "td500 cannot say everything: texts are left out" in no_texts.stdout

    (scans / "damaged.png").write_bytes(b"x")
    project = ocrtune("data", "preannotate", BASE, scans, "--format", "paddle", "--out", scans, check=False)
    assert project.returncode == 1
    assert "damaged.png" in project.stdout
    assert (scans / "Cache.cach").read_text(encoding="utf-8").count(f"{scans.name}/") == 3
    assert not (scans / "Label.txt").exists(), "nothing was confirmed by a person"
    inside = ocrtune("data", "preannotate", BASE, ".", "--format", "paddle", "--out", ".", cwd=scans, check=False)
    assert f"in the order in which to look at them: {scans}.review.csv" in inside.stdout, inside.stderr
    labels = scans / "Label.txt"
    labels.write_text(f"{scans.name}/{own[0].path.name}\t[]\n", encoding="utf-8")
    project_again = ("data", "preannotate", BASE, scans, "--format", "paddle", "--out", scans)
    fails(2, *project_again, "--complete", says="leave out --complete")
    fails(2, "data", "preannotate", BASE, scans, "--format", "paddle", "--out", labels, says=f"to do: --out {scans}")
    fails(2, "data", "preannotate", "ppocrv4-mobile-rec", scans, "--out", tmp_path / "x.json", says="detector")
