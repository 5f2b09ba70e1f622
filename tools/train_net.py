"""``tools/train_net.py --config-file F --num-gpus N OUTPUT_DIR D``: another way to type ``ocrtune train``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ocrtune.cli.console import fail
from ocrtune.cli.main import run
from ocrtune.config.load import is_paddle, load_config, parse_mapping, read_text
from ocrtune.errors import ConfigError, OcrtuneError, UsageError

_NAMES = {"OUTPUT_DIR": "output_dir", "SEED": "trainer.seed"}
_PADDLE_SECTIONS = ("Global", "Architecture", "Loss", "Optimizer", "PostProcess", "Metric", "Train", "Eval")


def main(arguments: Sequence[str] | None = None) -> int:
    """Translate the arguments and run; returns the exit code."""
    parser = argparse.ArgumentParser(description="Another way to type 'ocrtune train'.", allow_abbrev=False)
    parser.add_argument("--config-file", required=True, metavar="FILE", help="our configuration, or PaddleOCR's")
    parser.add_argument("--num-gpus", type=int, metavar="N", help="trainer.num_gpus; 0 forces the CPU")
    parser.add_argument(
        "--resume", action="store_true", help="go on with the newest run in OUTPUT_DIR, if there is one"
    )
    parser.add_argument("--eval-only", action="store_true", help="measure the newest run in OUTPUT_DIR on data.val")
    parser.add_argument("options", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="settings that win")
    given = parser.parse_args(arguments)
    try:
        settings = _pairs(given.options)
        if given.num_gpus is not None:
            settings["trainer.num_gpus"] = str(given.num_gpus)
        config = Path(given.config_file)
        if _from_paddle(config):
            theirs = {key: settings.pop(key) for key in list(settings) if key.split(".")[0] in _PADDLE_SECTIONS}
            imported = Path(settings.get("output_dir", "workdirs")) / f"{config.stem}.imported.yaml"
            print(f"{config} is a configuration of PaddleOCR: it is imported as {imported}")
            cards = ("--num-gpus", str(max(1, given.num_gpus or 1)))
            options = [part for key, value in theirs.items() for part in ("-o", f"{key}={value}")]
            if code := _ocrtune("config", "import", str(config), "--out", str(imported), *cards, *options):
                return code
            config = imported
        overrides = [f"{key}={value}" for key, value in settings.items()]
        if given.resume or given.eval_only:
            loaded = load_config(config, overrides).config
            newest = _newest_run(Path(loaded.output_dir))
            if given.eval_only:
                if newest is None or loaded.data.val is None:
                    raise UsageError("--eval-only needs a run in OUTPUT_DIR and data.val", where=loaded.output_dir)
                return _ocrtune("eval", str(newest), loaded.data.val)
            if newest is not None:
                return _ocrtune("train", "--resume", str(newest))
            print(f"there is no run in {loaded.output_dir} yet: a new one starts")
    except OcrtuneError as error:
        return fail(error, as_json=False)
    return _ocrtune("train", str(config), *overrides)


def _pairs(options: Sequence[str]) -> dict[str, str]:
    """``KEY VALUE ...`` or ``key=value ...`` as {our key: value}."""
    words = [part for word in options for part in (word.split("=", 1) if "=" in word else [word])]
    if len(words) % 2:
        raise UsageError("settings come in pairs", where=" ".join(options), expected="OUTPUT_DIR workdirs")
    return {_NAMES.get(key, key): value for key, value in zip(words[::2], words[1::2], strict=True)}


def _from_paddle(config: Path) -> bool:
    try:
        return is_paddle(parse_mapping(read_text(config), config, "")[0])
    except ConfigError:
        return False  # 'ocrtune train' says what is wrong with the file


def _newest_run(folder: Path) -> Path | None:
    """The run that was started last."""
    runs = [path.parent for path in folder.glob("exp_*/config.yaml")]
    return max(runs, key=lambda path: path.stat().st_mtime, default=None)


def _ocrtune(*arguments: str) -> int:
    """Run the command line in this process; returns its exit code."""
    sys.argv = ["ocrtune", *arguments]
    try:
        run()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
