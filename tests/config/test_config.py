from __future__ import annotations

from pathlib import Path

import pytest

from ocrtune.config.load import dump_yaml, load_config
from ocrtune.errors import ConfigError
from support.paths import ROOT


def write(folder: Path, text: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return path


GOOD = "data:\n  train: icdar:a\noptimizer:\n  lr: 1.0e-3\n"


def test_values_know_where_they_come_from(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    loaded = load_config(path, ["trainer.seed=7"])
    rows = {key: (value, origin) for key, value, origin, _ in loaded.rows()}
    assert rows["optimizer.lr"] == (0.001, f"{path}:4")
    assert rows["trainer.seed"] == (7, "command line")
    assert rows["schedule.name"][1] == "default"
    assert all(description for *_, description in loaded.rows())


@pytest.mark.parametrize(
    ("text", "overrides", "says"),
    [
        ("optimiser:\n  lr: 1\n", [], "optimizer"),
        (GOOD, ["optimizer.learning_rate=1"], "optimizer."),
        (GOOD, ["schedule.epoch=3"], "schedule.epochs"),
        (GOOD, ["data.batch_size=0"], "data.batch_size"),
        (GOOD, ["targets.shrink_ratio=1.5"], "between 0 and 1"),
        (GOOD, ["optimizer"], "needs a key and a value"),
        (GOOD, ["model.arch=y", "model.arch.x=1"], "model"),
        ("optimizer: {lr: 1}\n", [], "data"),
        ("data: [1, 2\n", [], "no valid YAML"),
        ("- a\n- b\n", [], "no mapping"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, overrides: list[str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text), overrides)
    assert says in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(tmp_path / "gone.yaml")


def test_resolved_configuration_reads_back_as_itself(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD)).config
    assert load_config(write(tmp_path, dump_yaml(config))).config == config


def test_names_of_other_systems(tmp_path: Path) -> None:
    config = load_config(
        write(
            tmp_path,
            "data: {train_lmdb: a, val_lmdb: b}\ntrainer: {amp_enabled: false, gradient_accumulate_steps: 4}\n",
        )
    ).config
    assert (config.data.train, config.data.val) == ("lmdb:a", "lmdb:b")
    assert config.trainer.accumulate == 4
    assert config.trainer.precision == "fp32"


def test_shipped_configurations_are_correct_and_start_with_their_command() -> None:
    files = sorted((ROOT / "configs").glob("*.yaml"))
    assert files
    for path in files:
        load_config(path)
        assert path.read_text(encoding="utf-8").startswith("# ocrtune train configs/")
