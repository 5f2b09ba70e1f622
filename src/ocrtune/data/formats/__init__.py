"""Label formats, one file each: `read_dataset` turns any of them into pages, `write_dataset` writes pages as any."""

from ocrtune.data.formats._dataset import Written, read_dataset, stream_dataset, write_dataset
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._registry import (
    FOLDER_FORMATS,
    FORMATS,
    DatasetPath,
    Format,
    parse_dataset_path,
    written_suffix,
)
from ocrtune.data.formats._text import is_line

__all__ = [
    "FOLDER_FORMATS",
    "FORMATS",
    "DatasetPath",
    "Format",
    "Loss",
    "Written",
    "is_line",
    "parse_dataset_path",
    "read_dataset",
    "stream_dataset",
    "write_dataset",
    "written_suffix",
]
