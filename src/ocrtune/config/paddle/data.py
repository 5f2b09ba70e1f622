"""Which data sets, and in which portions."""

from __future__ import annotations

import os
from pathlib import PurePath

from ocrtune.config.paddle.ledger import Ledger

_DATASETS = ("SimpleDataSet", "MultiScaleDataSet", "TextDetDataset", "TextRecDataset", "MSTextRecDataset")
_FOLDERS_ABOVE = 3


def import_data(ledger: Ledger) -> None:
    """Set ``data``.

    Raises:
        ConfigError: no training labels are named.
    """
    train, val = (_label_files(ledger, section) for section in ("Train", "Eval"))
    if not train:
        raise ledger.error(
            "Train.dataset.label_file_list",
            "no labels to train on are named",
            "a label file",
            "add -o Train.dataset.label_file_list='[train.txt]'",
        )
    ledger.put("data.train", train[0] if len(train) == 1 else train)
    ledger.put("data.val", val[0] if val else None)
    for section, ours in (("Train", "data.train"), ("Eval", "data.val")):
        for key in ("data_dir", "label_file_list"):
            ledger.note(f"{section}.dataset.{key}", ours, ledger.config["data"][ours.removeprefix("data.")])
    batch, decided = _batch_size(ledger)
    ledger.map(decided, "data.batch_size", batch)
    ledger.skip("Train.loader.batch_size_per_card", "the sampler decides about the batch")
    ledger.map("Train.loader.num_workers", "data.num_workers", ledger.whole("Train.loader.num_workers", 1))
    ledger.skip("Train.loader.shuffle", "training data are always shuffled")
    for key in ("drop_last", "use_shared_memory", "num_sections", "pin_memory"):
        ledger.skip(f"Train.loader.{key}", "batches are shares of an endless stream: none is cut short")
    for key in ("scales", "fix_bs", "divided_factor", "is_training", "name", "ds_width"):
        ledger.skip(f"Train.sampler.{key}", "a batch holds lines of similar width, at the network's one height")
    for key in ("ext_op_transform_idx", "ds_width", "seed", "max_text_length"):
        ledger.skip(f"Train.dataset.{key}", "says how PaddleOCR's loader does it")
    for key in ("shuffle", "drop_last", "batch_size_per_card", "num_workers", "use_shared_memory", "num_sections"):
        ledger.skip(f"Eval.loader.{key}", "evaluation runs the code that is used later, page by page")


def _label_files(ledger: Ledger, section: str) -> list[str]:
    """Data sets of a section in our notation."""
    root = f"{section}.dataset"
    name = ledger.text(f"{root}.name", "SimpleDataSet")
    folder = ledger.text(f"{root}.data_dir")
    if name == "LMDBDataSet":
        ledger.skip(f"{root}.name", "the data set's path says its format")
        return [f"lmdb:{folder}"] if folder else []
    if name in _DATASETS:
        ledger.skip(f"{root}.name", "the data set's path says its format")
    else:
        ledger.refuse(f"{root}.name", f"label files are read like those of {_DATASETS[0]}")
    if ledger.get(f"{root}.delimiter", "\t") != "\t":
        ledger.refuse(f"{root}.delimiter", "image and label are separated by a tab")
    ledger.skip(f"{root}.delimiter", "a tab, as here")
    listed = ledger.get(f"{root}.label_file_list", [])
    files = [str(file) for file in (listed if isinstance(listed, list) else [listed])]
    _ratios(ledger, f"{root}.ratio_list", files)
    if folder and any(not _finds_images(folder, file) for file in files):
        ledger.refuse(
            f"{root}.data_dir",
            f"images are looked for beside the label file and up to {_FOLDERS_ABOVE} folders above: put it into data_dir, "
            "or name the images from where it lies",
        )
    if section == "Eval" and len(files) > 1:
        ledger.refuse(f"{root}.label_file_list", f"one data set validates a run: {files[0]} is taken")
    return [f"paddle:{file}" for file in files]


def _finds_images(folder: str, file: str) -> bool:
    """Whether image paths that start in a folder are found from a label file; see `ocrtune.data.formats.paddle`."""
    label = PurePath(os.path.normpath(file))
    return PurePath(os.path.normpath(folder)) in [*label.parents][: 1 + _FOLDERS_ABOVE]


def _ratios(ledger: Ledger, key: str, files: list[str]) -> None:
    if all(ratio == 1 for ratio in ledger.numbers(key)):
        ledger.skip(key, "every line is used")
    else:
        ledger.refuse(
            key,
            f"every line of {len(files)} label files is used: take a part of them with "
            f"'ocrtune data split {files[0] if files else 'DATA'} --shares ...'",
        )


def _batch_size(ledger: Ledger) -> tuple[int, str]:
    """(samples of one process in a step, the leaf that says so)."""
    loader, sampler = "Train.loader.batch_size_per_card", "Train.sampler.first_bs"
    first, scales = ledger.get(sampler), ledger.get("Train.sampler.scales")
    if first is None:
        return ledger.whole(loader, 8), loader
    batch = ledger.whole(sampler, 8)
    if isinstance(scales, list) and scales and isinstance(scales[0], list) and len(scales[0]) == 2:
        # first_bs belongs to the first scale; the others get as many pixels
        width, height = (ledger.number_in("Train.sampler.scales", part) for part in scales[0])
        batch = max(1, int(batch * width * height / (320 * 48)))
    return batch, sampler
