from __future__ import annotations

from pathlib import Path

import pytest

from ocrtune.config.load import dump_yaml, load_config
from ocrtune.config.presets import LINES, PAGES, preset_keys
from ocrtune.config.schema import CONFIGS
from ocrtune.errors import ConfigError


def augment(task: str, *overrides: str) -> dict[str, object]:
    config = load_config(None, ["data.train=a", f"task={task}", *overrides]).config
    return dict(config.model_dump()["augment"])


@pytest.mark.parametrize("task", CONFIGS)
@pytest.mark.parametrize("preset", PAGES)
def test_a_preset_sets_its_keys_and_no_others(task: str, preset: str) -> None:
    plain, chosen = augment(task), augment(task, f"augment.preset={preset}")
    expected = preset_keys(task, preset)
    assert expected
    assert {key: chosen[key] for key in expected} == dict(expected)
    assert {k: v for k, v in chosen.items() if k not in expected and k != "preset"} == {
        k: v for k, v in plain.items() if k not in expected and k != "preset"
    }


def test_without_a_preset_everything_new_is_off() -> None:
    pages, lines = augment("detection"), augment("recognition")
    assert pages["preset"] == lines["preset"] == "none"
    assert [pages[k] for k in ("perspective", "copy_paste", "motion_blur", "jpeg", "shadow")] == [0.0] * 5
    assert pages["crop"] == "window"
    assert [lines[k] for k in ("perspective", "motion_blur", "shadow")] == [0.0] * 3


def test_scenarios_are_the_same_for_pages_and_lines() -> None:
    assert list(PAGES) == list(LINES)


def test_given_keys_win_and_each_tells_where_it_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("data: {train: a}\naugment:\n  preset: scene\n  rotate: 7\n", encoding="utf-8")
    rows = {key: (value, origin) for key, value, origin, _ in load_config(path, ["augment.jpeg=0"]).rows()}
    assert rows["augment.rotate"] == (7.0, f"{path}:4")
    assert rows["augment.jpeg"] == (0.0, "command line")
    assert rows["augment.perspective"] == (PAGES["scene"]["perspective"], "preset scene")
    assert rows["augment.noise"] == (True, "default")
    assert rows["augment.preset"] == ("scene", f"{path}:3")


@pytest.mark.parametrize("task", CONFIGS)
def test_a_resolved_preset_reads_back_as_itself(task: str, tmp_path: Path) -> None:
    config = load_config(None, ["data.train=a", f"task={task}", "augment.preset=industrial-marker"]).config
    path = tmp_path / "resolved.yaml"
    path.write_text(dump_yaml(config), encoding="utf-8")
    assert load_config(path).config == config


def test_a_scenario_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError) as caught:
        augment("detection", "augment.preset=recipt")
    assert "augment.preset" in str(caught.value)
    assert "'receipt'" in str(caught.value)


def test_a_typed_preset_wins_over_the_numbers_of_a_run(tmp_path: Path) -> None:
    """A run's own configuration names every key; ``augment.preset=scene`` over it must still do something."""
    path = tmp_path / "config.yaml"
    path.write_text(dump_yaml(load_config(None, ["data.train=a"]).config), encoding="utf-8")
    loaded = load_config(path, ["augment.preset=scene", "augment.rotate=7"])
    expected = load_config(None, ["data.train=a", "augment.preset=scene", "augment.rotate=7"])
    assert loaded.config == expected.config
    assert loaded.origins["augment.rotate"] == "command line"
    assert loaded.origins["augment.perspective"] == "preset scene"
