"""The validator: what is wrong with a labelled data set, found before training and named to the line."""

from ocrtune.data.check.findings import FATAL, CheckReport, Finding
from ocrtune.data.check.pages import CheckSettings
from ocrtune.data.check.run import check_dataset, find_leaks

__all__ = ["FATAL", "CheckReport", "CheckSettings", "Finding", "check_dataset", "find_leaks"]
