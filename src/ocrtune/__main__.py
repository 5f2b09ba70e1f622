"""``python -m ocrtune``."""

from ocrtune.cli.main import run

if __name__ == "__main__":
    run()
