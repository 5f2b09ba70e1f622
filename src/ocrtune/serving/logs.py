"""Logs as JSON lines: what happened and how long it took, never what an image shows or is called."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from typing import Any

_LOG = logging.getLogger("ocrtune.serving")


class JsonLines(logging.Formatter):
    """One JSON object a record; what ``log`` was given are keys of their own."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        entry: dict[str, Any] = {"time": moment, "level": record.levelname.lower(), "event": record.getMessage()}
        entry |= getattr(record, "fields", {})
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def log_to_stderr() -> None:
    """Send this package's records and those of the servers below it to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in (("ocrtune.serving", logging.INFO), ("uvicorn", logging.WARNING), ("grpc", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


def log(event: str, **fields: object) -> None:
    """Something that happened."""
    _LOG.info(event, extra={"fields": fields})


def log_fault(event: str, error: BaseException, **fields: object) -> None:
    """Something that should not have happened, with its traceback."""
    _LOG.error(event, exc_info=error, extra={"fields": fields})
